import pytest

from mailcore.models import Folder, Mailbox, Tenant
from mailcore.services import messages
from mailcore.services.messages import Filing, Mail, Unit


class Store:
    """One tenant with mailboxes; files mail and reads it back."""

    def __init__(self) -> None:
        self.tenant = Tenant.objects.create(slug="t", name="T")

    def mailbox(self, quota: int = 10_000_000) -> Mailbox:
        box = Mailbox.objects.create(tenant=self.tenant, quota_octets=quota, next_uidvalidity=100)
        for role in ("inbox", "sent", "trash"):
            self.folder(box, "INBOX" if role == "inbox" else role.title(), role)
        return box

    def folder(self, box: Mailbox, name: str, role: str = "") -> Folder:
        return Folder.objects.create(
            tenant_id=self.tenant.pk, mailbox=box, name=name, role=role, object_serial=1, uidvalidity=7
        )

    def inbox(self, box: Mailbox) -> int:
        return Folder.objects.get(mailbox=box, role="inbox").pk

    def unit(
        self, raw: bytes, *boxes: Mailbox, folder: int | str = "inbox", prefix: bytes = b"", **more
    ) -> Unit:
        filing = {name: more.pop(name) for name in ("flags", "keywords", "internal_date") if name in more}
        return Unit(
            [
                Mail(
                    messages.prepare(raw),
                    [Filing(self.tenant.pk, box.pk, folder, **filing) for box in boxes],
                    prefix,
                )
            ],
            **more,
        )

    def file(self, raw: bytes, *boxes: Mailbox, **more) -> list[messages.Filed]:
        (result,) = messages.append_many([self.unit(raw, *boxes, **more)])
        assert isinstance(result, list), result
        return result


@pytest.fixture
def store(db, data_dir) -> Store:
    return Store()


def mail(subject: str = "Hello", body: str = "Hi.\r\n", **fields: str) -> bytes:
    lines = [f"Subject: {subject}", "From: Ann <ann@example.org>", "To: bob@example.net"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()
