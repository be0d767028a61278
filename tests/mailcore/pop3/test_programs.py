"""Programs that people really fetch their mail with, against POP3 over real sockets."""

import subprocess

import pytest

from mailcore.models import Message
from tests.servers import need

MAILS = [
    b"Subject: 1\r\nMessage-ID: <1@x>\r\n\r\nOne\r\n",
    b"Subject: 2\r\nMessage-ID: <2@x>\r\n\r\n.dot\r\n..two\r\n.\r\nend\r\n",
    b"Subject: 3\r\nMessage-ID: <3@x>\r\n\r\n" + b"long line " * 90 + b"\r\n" + "ünï\r\n".encode() * 3000,
]


def run(*command: str, given: str = "", status: int = 0) -> bytes:
    done = subprocess.run(command, input=given.encode(), capture_output=True, timeout=60)
    assert done.returncode == status, (done.returncode, done.stdout[-1000:], done.stderr[-1000:])
    return done.stdout


@pytest.fixture
def alice(maild):
    person = maild.person()
    maild.file(person, *MAILS)
    return person


def left(person) -> list[int]:
    return list(
        Message.objects.filter(mailbox_id=person.mailbox.pk).order_by("uid").values_list("uid", flat=True)
    )


@pytest.mark.parametrize("way", ["plain", "starttls", "tls"])
def test_curl_reads(maild, alice, way):
    curl = need("curl")
    url = (
        f"pop3s://localhost:{maild.ports['pop3s']}"
        if way == "tls"
        else f"pop3://localhost:{maild.ports['pop3']}"
    )
    options = ["-sS", "-k", "--user", f"{alice.address}:{alice.password}"]
    options += ["--ssl-reqd"] if way == "starttls" else []
    assert run(curl, *options, f"{url}/") == b"".join(
        b"%d %d\r\n" % (n, len(raw)) for n, raw in enumerate(MAILS, 1)
    )
    for number, raw in enumerate(MAILS, 1):
        assert run(curl, *options, f"{url}/{number}") == raw
    run(curl, *options, "-I", "-X", "DELE 2", f"{url}/")
    assert left(alice) == [1, 3]
    run(curl, *options, "--user", f"{alice.address}:wrong", f"{url}/", status=67)


def test_fetchmail_takes_everything(maild, alice, tmp_path):
    settings = tmp_path / "fetchmailrc"
    box = tmp_path / "box"
    settings.write_text(
        f"poll localhost protocol POP3 service {maild.ports['pop3']} uidl\n"
        f'  user "{alice.address}" password "{alice.password}" fetchall no keep sslproto ""\n'
        f'  mda "cat >> {box}; echo END >> {box}"\n'
    )
    settings.chmod(0o600)
    command = (
        need("fetchmail"),
        "-f",
        str(settings),
        "--pidfile",
        str(tmp_path / "pid"),
        "-i",
        str(tmp_path / "ids"),
    )
    run(*command)
    fetched = box.read_bytes().split(b"END\n")[:-1]
    assert len(fetched) == 3
    assert fetched[1].endswith(b"\n\n.dot\n..two\n.\nend\n")
    assert left(alice) == []
    run(*command, status=1)  # its way to say: no mail


def test_mpop_leaves_mail_on_the_server(maild, alice, tmp_path):
    settings, box = tmp_path / "mpoprc", tmp_path / "box"
    settings.write_text(
        "defaults\ntls on\ntls_starttls on\ntls_certcheck off\nkeep on\n"
        f"uidls_file {tmp_path}/uidls\n"
        f"account a\nhost localhost\nport {maild.ports['pop3']}\nuser {alice.address}\n"
        f'passwordeval "echo {alice.password}"\ndelivery mbox {box}\n'
    )
    settings.chmod(0o600)
    command = (need("mpop"), "-C", str(settings), "-a")
    run(*command)
    assert box.read_bytes().count(b"Message-ID: <") == 3
    maild.file(alice, b"Subject: 4\r\nMessage-ID: <4@x>\r\n\r\nFour\r\n")
    # It knows by UIDL what it has.
    run(*command)
    assert box.read_bytes().count(b"Message-ID: <") == 4
    assert left(alice) == [1, 2, 3, 4]
