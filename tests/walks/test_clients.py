"""Real programs against a running maild: nothing lost, nothing doubled, a second sync finds nothing to do."""

import imaplib
import re
import smtplib
import ssl
import subprocess
from pathlib import Path

import pytest

from tests import cast
from tests.cast import PASSWORD
from tests.maild import LiveMaild
from tests.messages import corpus
from tests.servers import need

ANN, BEN = "ann@acme.test", "ben@acme.test"


@pytest.fixture(autouse=True)
def acme(transactional_db) -> None:
    domain = cast.make_domain(cast.make_tenant(), "acme.test", keys=True)
    for address in (ANN, BEN):
        cast.make_mailbox(domain.tenant, address)


def imap(maild: LiveMaild, user: str = ANN) -> imaplib.IMAP4:
    client = imaplib.IMAP4("127.0.0.1", maild.ports["imap"])
    client.login(user, PASSWORD)
    return client


def run(*command: str, **more) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, **more)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def fetched(client: imaplib.IMAP4) -> list[bytes]:
    client.select()
    _, answers = client.fetch("1:*", "(BODY.PEEK[])")
    return [answer[1] for answer in answers if isinstance(answer, tuple)]


def crlf(raw: bytes) -> bytes:
    return re.sub(rb"\r\n|\n", b"\r\n", raw)


@pytest.mark.timeout(120)
def test_the_real_mail_of_the_corpus_comes_back_octet_for_octet(maild):
    """Behind our prefix when it came by SMTP; exactly when it came by APPEND."""
    mails = {path.name: crlf(path.read_bytes()) for path in corpus()}
    client = imap(maild)
    client.create("Appended")
    sent, refused, appended = [], [], []
    with smtplib.SMTP("127.0.0.1", maild.ports["smtp"]) as smtp:
        for name, raw in mails.items():
            whole = raw if raw.endswith(b"\r\n") else raw + b"\r\n"
            smtp.ehlo()
            smtp.mail("x@example.org")
            smtp.rcpt(ANN)
            smtp.docmd("DATA")
            smtp.send(re.sub(rb"(?m)^\.", b"..", whole) + b".\r\n")
            code, words = smtp.getreply()
            if code == 250:
                sent.append(whole)
            else:
                assert code == 554, words
                assert whole.count(b"\r") != whole.count(b"\r\n") or b"\0" in whole, (name, words)
                refused.append(name)
            if len(sent) % 15 == 0:
                smtp.rset()
    for raw in mails.values():
        if b"\0" in raw or not raw:
            continue
        # imaplib's own append() would turn a lone CR into CRLF.
        client.literal = raw
        answer = client._simple_command("APPEND", "Appended")
        assert answer[0] == "OK", answer
        appended.append(raw)
    found = fetched(client)
    assert len(found) == len(sent)
    for raw, whole in zip(found, sent, strict=True):
        assert raw.startswith(
            b"Return-Path: <x@example.org>\r\nDelivered-To: ann@acme.test\r\nReceived: from "
        )
        assert raw.endswith(whole)
    client.select("Appended")
    _, answers = client.fetch("1:*", "(BODY.PEEK[])")
    assert [answer[1] for answer in answers if isinstance(answer, tuple)] == appended
    assert len(refused) < 5
    client.logout()


def test_body_lines_of_64_kib_pass(maild):
    line = b"x" * (64 * 1024 - 2)
    with smtplib.SMTP("127.0.0.1", maild.ports["smtp"]) as smtp:
        smtp.sendmail("x@example.org", [ANN], b"Subject: long\r\n\r\n" + line + b"\r\n")
    client = imap(maild)
    assert fetched(client)[0].endswith(line + b"\r\n")
    client.logout()


def test_curl_reads_and_sends(maild, tmp_path):
    need("curl")
    mail = tmp_path / "mail"
    mail.write_bytes(b"From: ann@acme.test\r\nTo: ben@acme.test\r\nSubject: by curl\r\n\r\nHello\r\n")
    run(
        "curl", "-sSk", "--ssl-reqd", f"smtp://127.0.0.1:{maild.ports['submission']}",
        "--user", f"{ANN}:{PASSWORD}",
        "--mail-from", ANN, "--mail-rcpt", BEN, "--upload-file", str(mail),
    )  # fmt: skip
    url = f"imaps://127.0.0.1:{maild.ports['imaps']}/INBOX"
    shown = run("curl", "-sSk", "--user", f"{BEN}:{PASSWORD}", f"{url};UID=1")
    assert "Subject: by curl" in shown
    assert "DKIM-Signature" in shown


def test_swaks_delivers(maild):
    need("swaks")
    said = run(
        "swaks", "--server", f"127.0.0.1:{maild.ports['smtp']}", "--to", ANN, "--from", "x@example.org",
        "--header", "Subject: by swaks",
    )  # fmt: skip
    assert "250 2.0.0 OK: filed" in said
    client = imap(maild)
    assert b"Subject: by swaks" in fetched(client)[0]
    client.logout()


def test_starttls_hides_the_rest_and_forgets_what_came_before(maild):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for port in ("smtp", "submission"):
        with smtplib.SMTP("127.0.0.1", maild.ports[port]) as smtp:
            smtp.ehlo()
            # What is sent with STARTTLS in one piece must not be answered inside TLS.
            smtp.sock.sendall(b"STARTTLS\r\nNOOP\r\n")
            assert smtp.getreply()[0] == 220
            smtp.sock = context.wrap_socket(smtp.sock)
            smtp.file = None
            assert smtp.docmd("MAIL FROM:<x@example.org>")[0] == 503
            assert smtp.ehlo()[0] == 250
            assert not smtp.has_extn("starttls")
            assert smtp.has_extn("auth") == (port == "submission")


def test_mbsync_syncs_both_ways_and_then_finds_nothing_to_do(maild, tmp_path):
    need("mbsync")
    with smtplib.SMTP("127.0.0.1", maild.ports["smtp"]) as smtp:
        for number in range(20):
            smtp.sendmail(
                "x@example.org", [ANN], f"Subject: {number}\r\nMessage-ID: <{number}@x>\r\n\r\nhi\r\n"
            )
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    local = tmp_path / "mail"
    local.mkdir()
    config = tmp_path / "mbsyncrc"
    config.write_text(
        f"""
IMAPAccount ours
Host 127.0.0.1
Port {maild.ports["imap"]}
User {ANN}
Pass "{PASSWORD}"
SSLType None
AuthMechs LOGIN

IMAPStore far
Account ours

MaildirStore near
Path {local}/
Inbox {local}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState *
"""
    )
    sync = ("mbsync", "-c", str(config), "-a")
    run(*sync, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    inbox = local / "INBOX"
    # By uid (names end with ",U=20"): the twentieth is removed over there, so it is none of the first two.
    kept = [path for part in ("cur", "new") for path in (inbox / part).iterdir()]
    kept.sort(key=lambda path: int(path.name.partition(",U=")[2].partition(":")[0]))
    assert len(kept) == 20

    # Here: one read and flagged, one deleted. There: one more, one gone.
    first = kept[0]
    first.rename(inbox / "cur" / (first.name.partition(":")[0] + ":2,FS"))
    second = kept[1]
    second.rename(inbox / "cur" / (second.name.partition(":")[0] + ":2,T"))
    client = imap(maild)
    client.select()
    client.store("20", "+FLAGS", "\\Deleted")
    client.expunge()
    client.append("INBOX", None, None, b"Subject: new\r\n\r\nnew\r\n")
    client.create("Trips/2026")
    run(*sync, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    client.select()
    _, (flagged,) = client.search(None, "FLAGGED", "SEEN")
    assert len(flagged.split()) == 1
    _, (everything,) = client.search(None, "ALL")
    kept = [path for part in ("cur", "new") for path in (inbox / part).iterdir()]
    assert len(everything.split()) == len(kept)
    assert (local / "Trips" / "2026" / "cur").is_dir()

    before = {path: path.stat().st_mtime_ns for path in Path(local).rglob("*") if path.is_file()}
    _, (status,) = client.status("INBOX", "(UIDNEXT MESSAGES)")
    run(*sync, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    after = {path: path.stat().st_mtime_ns for path in Path(local).rglob("*") if path.is_file()}
    messages = {path for path in before if ".mbsync" not in path.name}
    assert messages == {path for path in after if ".mbsync" not in path.name}
    assert client.status("INBOX", "(UIDNEXT MESSAGES)")[1] == [status]
    client.logout()
