"""What clamd says of a mail, against a scanner of our own and, where it is installed, against clamd."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from contextlib import closing

import pytest

from mailcore.filters.spam import Scan
from mailcore.outside import clamd
from tests.fakes.clamd import FakeClamd
from tests.servers import free_port, need, wait_for

# In two pieces, so that no scanner takes this file for one. (eicar.org: the test file of all scanners)
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STAND" + rb"ARD-ANTIVIRUS-TEST-FILE!$H+H*"
HEADER = b"From: ann@example.org\r\nSubject: Hi\r\n"
MAIL = HEADER + b"\r\nbody\r\n"
INFECTED = (
    HEADER + b"MIME-Version: 1.0\r\nContent-Type: application/octet-stream; name=x.com\r\n"
    b"Content-Transfer-Encoding: 8bit\r\n\r\n" + EICAR
)  # fmt: skip


def scan(raw: bytes) -> Scan | None:
    return asyncio.run(clamd.scan(raw))


def test_asks_nobody_where_no_scanner_is_set(settings):
    settings.HOSTMAIL_CLAMD = []
    assert scan(MAIL) is None


def test_says_what_is_found_and_sends_the_whole_mail(settings):
    big = MAIL + b"x" * 300_000
    with FakeClamd({EICAR: "Eicar-Signature"}) as fake:
        settings.HOSTMAIL_CLAMD = [fake.endpoint]
        assert scan(big) == Scan()
        assert scan(INFECTED) == Scan("Eicar-Signature")
    assert fake.seen == [big, INFECTED]


@pytest.mark.parametrize(
    "reply", [b"INSTREAM size limit exceeded. ERROR\0", b"stream: broken ERROR\0", b"hello\r\n", b"\xff\0"]
)
def test_asks_the_next_one_where_one_cannot_tell(settings, reply):
    with FakeClamd(reply=reply) as sick, FakeClamd() as well:
        settings.HOSTMAIL_CLAMD = [sick.endpoint, ("127.0.0.1", free_port()), well.endpoint]
        assert scan(MAIL + b"x" * 300_000) == Scan()
        settings.HOSTMAIL_CLAMD = [sick.endpoint]
        assert scan(MAIL) == Scan(is_known=False)


def test_does_not_wait_forever(settings, monkeypatch):
    monkeypatch.setattr(clamd.limits, "SCAN_SECONDS", 0.05)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        settings.HOSTMAIL_CLAMD = [silent.getsockname()[:2]]
        assert scan(MAIL) == Scan(is_known=False)


@pytest.mark.once
def test_understands_clamd_itself(settings, tmp_path):
    program, port = need("clamd"), free_port()
    (tmp_path / "own.ndb").write_text(f"Own.Eicar:0:*:{EICAR.hex()}\n")
    os.chmod(tmp_path, 0o755)
    config = tmp_path / "clamd.conf"
    config.write_text(
        f"Foreground yes\nTCPSocket {port}\nTCPAddr 127.0.0.1\nDatabaseDirectory {tmp_path}\n"
        "StreamMaxLength 1M\nMaxThreads 2\n"
    )
    quiet = subprocess.DEVNULL
    with subprocess.Popen([program, "-c", str(config)], stdout=quiet, stderr=quiet) as server:
        try:
            wait_for(lambda: _answers(port), 20)
            settings.HOSTMAIL_CLAMD = [("127.0.0.1", port)]
            assert scan(MAIL) == Scan()
            assert scan(INFECTED) == Scan("Own.Eicar.UNOFFICIAL")
            assert scan(MAIL + b"x" * 2_000_000) == Scan(is_known=False)
        finally:
            server.terminate()


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False
