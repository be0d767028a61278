"""What an APPEND was told OK about is there, whatever happens to the process (RFC 9051 §6.3.12)."""

import functools
import imaplib
import random
import threading
import time

import pytest

from tests.service import wait_for
from tests.walks.test_durable import MAILBOXES, PASSWORD, count, found_in, has_reached, message, prepare


class Appender(threading.Thread):
    """Appends until told to stop, several messages with every third command; remembers what had its OK."""

    def __init__(self, service, number: int) -> None:
        super().__init__(daemon=True)
        self.service, self.number = service, number
        self.address = MAILBOXES[number % len(MAILBOXES)]
        self.acknowledged: list[tuple[str, str]] = []
        self.together: list[list[tuple[str, str]]] = []
        self.sent = 0
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.is_set():
            try:
                with imaplib.IMAP4("127.0.0.1", self.service.ports["imap"], timeout=10) as imap:
                    imap.login(self.address, PASSWORD)
                    while not self.stopping.is_set():
                        self.append(imap)
            except (OSError, imaplib.IMAP4.error):
                time.sleep(0.05)

    def append(self, imap: imaplib.IMAP4) -> None:
        self.sent += 1
        names = [f"{self.number}.{self.sent}.{each}@example.org" for each in range(1 if self.sent % 3 else 4)]
        if len(names) > 1:
            self.together.append([(name, self.address) for name in names])
        raws = [message(name, 300_000 if self.sent % 10 == 0 else 2000) for name in names]
        imap.send(b"x%d APPEND INBOX" % self.sent)
        for raw in raws:
            imap.send(b" {%d+}\r\n%b" % (len(raw), raw))
        imap.send(b"\r\n")
        # imaplib reads as a file does: an empty line is the end of the connection.
        while line := imap.readline():
            if line.startswith(b"x%d OK " % self.sent):
                self.acknowledged += [(name, self.address) for name in names]
                return
        raise OSError("the connection has ended")


@pytest.mark.timeout(180)
def test_every_appended_message_is_there_once_after_kills(start_service, tmp_path):
    service = prepare(start_service("maild", "--only", "imap", started=False))
    appenders = [Appender(service, number) for number in range(4)]
    for appender in appenders:
        appender.start()
    for _ in range(4):
        service.start()
        enough = count(appenders) + 40
        wait_for(functools.partial(has_reached, appenders, enough), 30, "mail comes in")
        time.sleep(random.random() * 0.5)
        service.kill()
    for appender in appenders:
        appender.stopping.set()
    for appender in appenders:
        appender.join(20)
    acknowledged = {one for appender in appenders for one in appender.acknowledged}
    found = found_in(service, tmp_path)
    there = set(found)
    assert len(found) == len(there), "a message is there twice"
    assert acknowledged <= there, f"{len(acknowledged - there)} acknowledged messages are lost"
    # Of one command all or none, also where the OK was never heard (RFC 3502).
    for names in (each for appender in appenders for each in appender.together):
        assert len(there.intersection(names)) in (0, len(names))
    assert len(acknowledged) > 160
