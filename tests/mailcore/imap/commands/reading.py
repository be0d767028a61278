"""An inbox and a session that has selected it, for tests that drive handlers by hand."""

import datetime as dt

from mailcore.imap.session import Session, Surroundings
from mailcore.imap.view import View
from mailcore.imap.wire import parser
from mailcore.imap.wire.receiver import Received
from mailcore.models import Folder
from mailcore.services import messages
from mailcore.services.doors import Login
from mailcore.services.messages import Filing, Mail, Unit
from mailcore.snapshot import Snapshots
from tests.cast import Cast


class Inbox:
    """Alice's inbox."""

    def __init__(self) -> None:
        self.person = Cast().alice
        self.folder_id = Folder.objects.get(mailbox=self.person.mailbox, role="inbox").pk

    def file(self, *raws: bytes, prefix: bytes = b"", date: dt.datetime | None = None, **filing) -> None:
        if date is not None:
            filing["internal_date"] = int(date.timestamp())
            filing["internal_offset"] = int(date.utcoffset().total_seconds() // 60)
        box = self.person.mailbox
        for done in messages.append_many(
            [
                Unit([Mail(messages.prepare(raw), [Filing(box.tenant_id, box.pk, **filing)], prefix)])
                for raw in raws
            ]
        ):
            assert isinstance(done, list), done

    def session(self, *, is_read_only: bool = False, first_recent: int = 2**32) -> Session:
        session = Session(Surroundings("127.0.0.1", True, True, False, 10_000_000), Snapshots())
        box = self.person.mailbox
        session.enter(Login(self.person.user.pk, box.pk, box.tenant_id, self.person.address, "password"))
        snapshot = session.snapshots.current(self.folder_id)
        session.select(View(snapshot, is_read_only=is_read_only, first_recent=first_recent), "INBOX")
        return session

    def expunge(self, ranges) -> None:
        messages.expunge(self.folder_id, ranges, only_deleted=False)

    def flags(self) -> list[int]:
        return [row[1] for row in messages.message_rows(self.folder_id)]


def parse(line: bytes):
    return parser.parse(Received(b"a " + line))


def drive(handler) -> tuple[bytes, str]:
    """What it says, and the words of its end."""
    said = []
    while True:
        try:
            said.append(next(handler))
        except StopIteration as stop:
            return b"".join(said), stop.value.words


def mail(subject: str = "Hello", body: str = "Hi.\r\n", **fields: str) -> bytes:
    lines = [f"Subject: {subject}", "From: Ann <ann@example.org>", "To: bob@example.net"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()
