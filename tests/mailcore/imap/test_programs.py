"""Programs that people keep their mail with: nothing lost, nothing doubled, a second run does nothing."""

import hashlib
import imaplib
import subprocess
from pathlib import Path

import pytest

from tests.servers import need

MAILS = [b"Subject: %d\r\nMessage-ID: <%d@x>\r\n\r\nhi %d\r\n" % (n, n, n) for n in range(1, 6)]


@pytest.fixture
def ann(maild):
    """A mailbox with five mails in INBOX, and one in a folder."""
    person = maild.person()
    with imap(maild, person) as client:
        for raw in MAILS:
            client.append("INBOX", "", "", raw)
        client.create("Trips")
        client.append("Trips", "(\\Flagged)", "", b"Subject: Rome\r\nMessage-ID: <r@x>\r\n\r\nbye\r\n")
    return person


def imap(maild, person) -> imaplib.IMAP4:
    client = imaplib.IMAP4("127.0.0.1", maild.ports["imap"])
    client.login(person.address, person.password)
    return client


def run(home: Path, *command: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env={"HOME": str(home), "PATH": "/usr/bin:/bin"}
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def held(maild, person) -> dict[str, list[tuple[str, bytes]]]:
    """Each folder's mails as (flags, octets), without order, \\Recent and UIDs."""
    found = {}
    with imap(maild, person) as client:
        for line in client.list()[1]:
            name = line.decode().rpartition(' "/" ')[2].strip('"')
            client.select(f'"{name}"', readonly=True)
            _, answers = client.fetch("1:*", "(FLAGS BODY.PEEK[])")
            mails = [
                (b" ".join(imaplib.ParseFlags(one[0])), one[1]) for one in answers if isinstance(one, tuple)
            ]
            found[name] = sorted(
                (flags.replace(b"\\Recent", b"").strip().decode(), raw) for flags, raw in mails
            )
    return found


def files(folder: Path) -> dict[str, str]:
    """The mails of a Maildir tree, by name, with what is in them."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name in ("cur", "new")
    }


def test_offlineimap_syncs_both_ways(maild, ann, tmp_path):
    (tmp_path / "config").write_text(
        f"""
[general]
accounts = ours
metadata = {tmp_path}/state
ui = basic
[Account ours]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = {tmp_path}/mail
[Repository far]
type = IMAP
remotehost = 127.0.0.1
remoteport = {maild.ports["imap"]}
remoteuser = {ann.address}
remotepass = {ann.password}
ssl = no
starttls = no
auth_mechanisms = PLAIN
"""
    )
    sync = (need("offlineimap"), "-c", str(tmp_path / "config"), "-o")
    run(tmp_path, *sync)
    inbox = tmp_path / "mail" / "INBOX"
    kept = files(inbox)
    assert len(kept) == len(MAILS)
    assert len(files(tmp_path / "mail" / "Trips")) == 1

    # Here one read, one deleted; over there one more, one gone.
    by_subject = {
        raw.partition("Subject: ")[2][0]: path
        for path in (inbox / name for name in kept)
        for raw in [path.read_text()]
    }
    read = by_subject["1"]
    read.rename(inbox / "cur" / f"{read.name.partition(':')[0]}:2,S")
    by_subject["2"].unlink()
    with imap(maild, ann) as client:
        client.select()
        client.store("5", "+FLAGS", "\\Deleted")
        client.expunge()
        client.append("INBOX", "", "", b"Subject: 6\r\nMessage-ID: <6@x>\r\n\r\nnew\r\n")
    run(tmp_path, *sync)
    there = held(maild, ann)["INBOX"]
    assert {(raw.split(b"\r\n")[0][-1:].decode(), flags) for flags, raw in there} == {
        ("1", "\\Seen"), ("3", ""), ("4", ""), ("6", ""),
    }  # fmt: skip
    assert len(files(inbox)) == 4

    before = held(maild, ann), files(tmp_path / "mail")
    run(tmp_path, *sync)
    assert (held(maild, ann), files(tmp_path / "mail")) == before


def test_interimap_keeps_two_mailboxes_alike_by_qresync(maild, ann, tmp_path):
    ben = maild.person()
    sides = "".join(
        f"[{side}]\ntype = imap\nhost = 127.0.0.1\nport = {maild.ports['imap']}\nSTARTTLS = NO\n"
        f"auth = LOGIN\nusername = {person.address}\npassword = {person.password}\n"
        for side, person in (("local", ann), ("remote", ben))
    )
    (tmp_path / "config").write_text(f'database = {tmp_path}/state.db\nlist-mailbox = "*"\n{sides}')
    (tmp_path / "config").chmod(0o600)
    sync = (need("interimap"), "--config", str(tmp_path / "config"))
    run(tmp_path, *sync)
    assert held(maild, ben) == held(maild, ann)

    with imap(maild, ann) as one, imap(maild, ben) as other:
        one.select()
        one.store("1", "+FLAGS", "\\Seen")
        one.store("2", "+FLAGS", "\\Deleted")
        one.expunge()
        other.select()
        other.store("3", "+FLAGS", "\\Answered")
        other.store("5", "+FLAGS", "\\Deleted")
        other.expunge()
        other.append("Trips", "", "", b"Subject: Oslo\r\nMessage-ID: <o@x>\r\n\r\nhej\r\n")
    run(tmp_path, *sync)
    alike = held(maild, ann)
    assert held(maild, ben) == alike
    assert len(alike["INBOX"]) == 3
    assert [raw[9:13] for _, raw in alike["Trips"]] == [b"Oslo", b"Rome"]

    run(tmp_path, *sync)
    assert held(maild, ann) == held(maild, ben) == alike


def test_imapfilter_moves_and_flags(maild, ann, tmp_path):
    (tmp_path / "config.lua").write_text(
        f"""
options.starttls = false
options.expunge = true
account = IMAP {{
    server = '127.0.0.1', port = {maild.ports["imap"]},
    username = '{ann.address}', password = '{ann.password}',
}}
some = account.INBOX:contain_subject('3') + account.INBOX:contain_body('hi 4')
some:move_messages(account['Trips'])
account.INBOX:contain_subject('1'):mark_flagged()
account.INBOX:is_unseen():contain_subject('2'):delete_messages()
"""
    )
    filtering = (need("imapfilter"), "-c", str(tmp_path / "config.lua"))
    run(tmp_path, *filtering)
    found = held(maild, ann)
    assert [(flags, raw[:10]) for flags, raw in found["INBOX"]] == [
        ("", b"Subject: 5"),
        ("\\Flagged", b"Subject: 1"),
    ]
    assert len(found["Trips"]) == 3
    run(tmp_path, *filtering)
    assert held(maild, ann) == found


@pytest.mark.parametrize("retriever", ["SimpleIMAPRetriever", "SimplePOP3Retriever"])
def test_getmail_fetches_each_mail_once(maild, ann, tmp_path, retriever):
    port = maild.ports["imap" if "IMAP" in retriever else "pop3"]
    folder = tmp_path / "mail"
    folder.mkdir()
    (tmp_path / "getmailrc").write_text(
        f"[retriever]\ntype = {retriever}\nserver = 127.0.0.1\nport = {port}\nusername = {ann.address}\n"
        f"password = {ann.password}\n[destination]\ntype = MDA_external\npath = /bin/sh\n"
        f"arguments = ('-c', 'cat > {folder}/$$')\nallow_root_commands = true\n"
        "[options]\nread_all = false\ndelete = false\ndelivered_to = false\nreceived = false\n"
    )
    fetch = (need("getmail"), "--getmaildir", str(tmp_path), "--rcfile", "getmailrc")
    run(tmp_path, *fetch)
    bodies = sorted(path.read_bytes().rpartition(b"\n\n")[2] for path in folder.iterdir())
    assert bodies == [b"hi %d\n" % number for number in range(1, 6)]
    run(tmp_path, *fetch)
    assert len(list(folder.iterdir())) == len(MAILS)
