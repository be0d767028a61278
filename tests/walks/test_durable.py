"""What was acknowledged is there, whatever happens to the process or the power."""

import email
import functools
import imaplib
import os
import random
import re
import shutil
import signal
import smtplib
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.service import Service, wait_for

ROOT = Path(__file__).resolve().parents[2]
MAILBOXES = [f"u{number}@acme.test" for number in range(4)]
PASSWORD = "a long enough password"


def prepare(service: Service) -> Service:
    """Give a service a tenant with mailboxes."""
    service.manage("migrate", "-v0")
    service.manage("tenant", "add", "Acme", "--slug", "acme")
    service.manage("domain", "add", "acme.test", "--tenant", "acme", "--verified")
    lines = "".join(f"{address},{PASSWORD}\n" for address in MAILBOXES)
    service.manage("mailbox", "add", "--csv", "-", given=lines)
    return service


def message(name: str, size: int = 2000) -> bytes:
    body = "".join(random.choices("abcdefghij \n", k=size)).replace("\n", "\r\n")
    return f"Message-ID: <{name}>\r\nFrom: ann@example.org\r\nSubject: {name}\r\n\r\n{body}\r\n".encode()


class Sender(threading.Thread):
    """Hands over messages until told to stop; remembers which were acknowledged. Never sends one twice."""

    def __init__(self, service: Service, number: int) -> None:
        super().__init__(daemon=True)
        self.service = service
        self.number = number
        self.acknowledged: list[tuple[str, str]] = []
        self.stopping = threading.Event()
        self.sent = 0

    def run(self) -> None:
        while not self.stopping.is_set():
            try:
                with smtplib.SMTP("127.0.0.1", self.service.ports["smtp"], timeout=10) as smtp:
                    while not self.stopping.is_set():
                        self.sent += 1
                        name = f"{self.number}.{self.sent}@example.org"
                        size = 300_000 if self.sent % 10 == 0 else 2000
                        recipients = random.sample(MAILBOXES, 2)
                        smtp.sendmail("ann@example.org", recipients, message(name, size))
                        self.acknowledged += [(name, recipient) for recipient in recipients]
            except (OSError, smtplib.SMTPException):
                time.sleep(0.05)


def count(senders: list[Sender]) -> int:
    return sum(len(sender.acknowledged) for sender in senders)


def has_reached(senders: list[Sender], enough: int) -> bool:
    return count(senders) > enough


def found_in(service: Service, folder: Path) -> list[tuple[str, str]]:
    """Every message there is, as (Message-ID, mailbox), by exporting all mailboxes."""
    found = []
    for address in MAILBOXES:
        target = folder / address
        service.manage("mailbox", "export", address, str(target))
        for path in target.rglob("*"):
            if path.is_file():
                parsed = email.message_from_bytes(path.read_bytes())
                if parsed["Message-ID"]:
                    found.append((parsed["Message-ID"].strip("<>"), address))
    return found


@pytest.mark.timeout(180)
def test_every_acknowledged_message_is_there_once_after_kills(start_service, tmp_path):
    service = prepare(start_service("maild", "--only", "mx", started=False))
    senders = [Sender(service, number) for number in range(6)]
    for sender in senders:
        sender.start()
    for _ in range(5):
        service.start()
        enough = count(senders) + 40
        wait_for(functools.partial(has_reached, senders, enough), 30, "mail flows")
        time.sleep(random.random() * 0.5)
        service.kill()
    for sender in senders:
        sender.stopping.set()
    for sender in senders:
        sender.join(20)
    acknowledged = {one for sender in senders for one in sender.acknowledged}
    found = found_in(service, tmp_path)
    assert len(found) == len(set(found)), "a message is there twice"
    assert acknowledged <= set(found), f"{len(acknowledged - set(found))} acknowledged messages are lost"
    assert len(acknowledged) > 200


SYNC = re.compile(r"\b(?:fsync|fdatasync)\(\d+<([^>]*)>")
# What a client is told: to go on (first of what is written: SQL has a "+ " too), and that it is done.
SAID = re.compile(
    r"\b(?:write|writev|sendto|sendmsg)\(\d+<[^>]*>.*?"
    r"(\"354 End|\"\+ |250 2\.0\.0 OK: filed|OK \[APPENDUID)"
)


def trace(service: Service, log: Path) -> subprocess.Popen:
    """Start the service under strace, and return when it is ready."""
    command = [
        "strace", "-f", "-y", "-s", "80", "-o", str(log),
        "-e", "trace=fsync,fdatasync,write,writev,sendto,sendmsg",
        sys.executable, str(ROOT / "manage.py"), *service.command,
    ]  # fmt: skip
    process = subprocess.Popen(
        command, env=service.env, cwd=service.folder, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == "ready":
            break
    return process


@pytest.mark.timeout(120)
@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
@pytest.mark.parametrize("protocol", ["smtp", "imap"])
def test_syncs_octets_and_database_before_each_yes(start_service, tmp_path, protocol):
    """Before 250 to a message, and before OK to an APPEND."""
    service = prepare(start_service("maild", "--only", "mx,imap", started=False))
    log = tmp_path / "strace"
    process = trace(service, log)
    raws = [message(f"{number}@example.org", 300_000 if number % 2 else 1000) for number in range(5)]
    try:
        if protocol == "smtp":
            with smtplib.SMTP("127.0.0.1", service.ports["smtp"], timeout=30) as smtp:
                for raw in raws:
                    smtp.sendmail("ann@example.org", MAILBOXES[:2], raw)
        else:
            with imaplib.IMAP4("127.0.0.1", service.ports["imap"], timeout=30) as imap:
                imap.login(MAILBOXES[0], PASSWORD)
                for raw in raws:
                    assert imap.append("INBOX", None, None, raw)[0] == "OK"
    finally:
        # strace ends with what it watches; it does not pass signals on.
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii")
        for pid in children.split():
            os.kill(int(pid), signal.SIGTERM)
        process.wait(20)
        process.stdout.close()
    is_sqlite = "DATABASE_URL" not in service.env
    said: list[set[str]] = []
    synced: set[str] = set()
    for line in log.read_text(errors="replace").splitlines():
        if match := SYNC.search(line):
            synced.add(match[1])
        elif match := SAID.search(line):
            if match[1].startswith('"'):
                synced = set()
            else:
                said.append(synced)
    assert len(said) == 5
    for number, synced in enumerate(said):
        if is_sqlite:
            assert any(path.endswith("-wal") for path in synced), (
                f"yes to {number} before the database was synced"
            )
        if number % 2:
            files = [path for path in synced if "/blobs/" in path]
            assert any(Path(path).suffix or len(Path(path).name) > 10 for path in files), "octets not synced"
            assert len(files) >= 2, "the folder of the octets was not synced"


def test_postgres_syncs_at_each_commit(db):
    from django.db import connection

    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            cursor.execute(f"SHOW {setting}")
            assert cursor.fetchone() == ("on",), setting
