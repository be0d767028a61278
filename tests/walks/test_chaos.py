"""Mail out while everything around it is killed: what was accepted is relayed, and doubles are explained."""

import contextlib
import os
import random
import signal
import smtplib
import threading
import time
from collections import Counter
from pathlib import Path

import psycopg
import pytest

from tests import servers
from tests.fakes import FakeDNS, FakeRemote
from tests.service import wait_for

PASSWORD = "a long enough password"
VICTIMS = ("worker", "maild", "redis-server", "postgres")
KILLS = int(os.environ.get("HOSTMAIL_TEST_KILLS", "4"))


class Sender(threading.Thread):
    """Submits mail after mail, each to a recipient of its own; tries one again until it is accepted."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.accepted: list[str] = []
        self.stopping = threading.Event()

    def run(self) -> None:
        number = 0
        while not self.stopping.is_set():
            with contextlib.suppress(OSError, smtplib.SMTPException):
                with smtplib.SMTP("127.0.0.1", self.port, timeout=10) as smtp:
                    smtp.login("ann@acme.test", PASSWORD)
                    while not self.stopping.is_set():
                        recipient = f"r{number}@example.org"
                        smtp.sendmail("ann@acme.test", [recipient], letter(recipient))
                        self.accepted.append(recipient)
                        number += 1
                        self.stopping.wait(0.05)
            self.stopping.wait(0.2)


def letter(recipient: str) -> bytes:
    return f"From: ann@acme.test\r\nTo: {recipient}\r\nSubject: Hello\r\n\r\n{'x' * 3000}\r\n".encode()


def part(supervisor: int, word: str) -> int:
    """The process of that name below a supervisor, once there is one."""

    def found() -> int | None:
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, IndexError):
                parent = (folder / "status").read_text().split("PPid:")[1].split()[0]
                if int(parent) == supervisor and word in (folder / "cmdline").read_text():
                    return int(folder.name)
        return None

    return wait_for(found, 20, f"{word} runs")


class Database:
    """A PostgreSQL of the test's own, which may lose its power."""

    def __init__(self) -> None:
        # Sockets need a short path.
        self.folder = Path(os.environ["HOSTMAIL_TEST_DIR"]) / f"c{os.urandom(3).hex()}" / "pg"
        self.folder.parent.mkdir()
        self.folder.parent.parent.chmod(0o755)  # PostgreSQL runs as somebody else
        self.program = servers.start_postgres(self.folder)
        self.url = f"postgresql://hostmail@/hostmail?host={self.folder}"

    def fail(self) -> None:
        """All its processes end at once, nothing is put in order; then it comes back."""
        self.program.process.send_signal(signal.SIGQUIT)
        self.program.process.wait()
        self.program = servers.run_postgres(self.folder)


@pytest.fixture
def database():
    made = Database()
    yield made
    made.program.stop()


@pytest.mark.once
@pytest.mark.timeout(200 + 30 * KILLS)
def test_what_was_accepted_is_relayed_whatever_is_killed(database, start_service):
    """Worker, maild, Redis and PostgreSQL end at random moments, unasked, while mail is submitted."""
    dice = random.Random(time.time_ns())
    with FakeDNS() as names, FakeRemote() as remote:
        names.add_mail("example.org", "mx.example.org", "127.0.0.1")
        host, port = names.address
        service = start_service(
            "up", started=False,
            env={
                "DATABASE_URL": database.url,
                "HOSTMAIL_DNS_SERVERS": f"{host}:{port}",
                "HOSTMAIL_OUTBOUND_PORT": str(remote.port),
                "HOSTMAIL_QUEUE_LEASE_SECONDS": "3",
            },
        )  # fmt: skip
        service.expect(".")  # without a database every part complains
        service.manage("migrate", "-v0")
        service.manage("tenant", "add", "Acme", "--slug", "acme")
        service.manage("domain", "add", "acme.test", "--tenant", "acme", "--verified")
        service.manage("mailbox", "add", "ann@acme.test", "--password-stdin", given=PASSWORD + "\n")
        service.start()
        sender = Sender(service.ports["submission"])
        sender.start()
        for number in range(KILLS):
            before = len(sender.accepted)
            wait_for(lambda before=before: len(sender.accepted) > before + 2, 60, "mail is accepted")
            time.sleep(dice.uniform(0, 0.5))
            victim = VICTIMS[number % len(VICTIMS)]
            if victim == "postgres":
                database.fail()
            else:
                os.kill(part(service.process.pid, victim), signal.SIGKILL)
        sender.stopping.set()
        sender.join(30)
        wait_for(lambda: set(sender.accepted) <= received(remote).keys(), 90, "all that was accepted arrives")
        wait_for(lambda: states(database.url) == ["relayed"], 60, "the queue knows it")
        explain(received(remote), database.url)
        service.stop()


def received(remote: FakeRemote) -> Counter[str]:
    return Counter(recipient for message in remote.messages for recipient in message.recipients)


def states(url: str) -> list[str]:
    with psycopg.connect(url) as raw:
        return [row[0] for row in raw.execute("SELECT DISTINCT state FROM queue_entry").fetchall()]


def explain(came: Counter[str], url: str) -> None:
    """Each double is a mail that was accepted twice, or a try that is noted as broken off."""
    with psycopg.connect(url) as raw:
        rows = raw.execute(
            "SELECT e.recipient, count(DISTINCT e.id), count(a.id) FROM queue_entry e"
            " LEFT JOIN attempt a ON a.entry_id = e.id AND a.outcome = 'lost' GROUP BY e.recipient"
        ).fetchall()
    allowed = {recipient: entries + lost for recipient, entries, lost in rows}
    assert {one: count for one, count in came.items() if count > allowed.get(one, 0)} == {}
