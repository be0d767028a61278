"""What a removed mailbox or tenant leaves behind: nothing, and nothing of others goes with it."""

import pytest
from django.db import connection

from mailcore.models import Content, Event, ExpungedMessage, Folder, Mailbox, Message, Tenant, ThreadRef
from mailcore.services import closing, events, folders, mailboxes, messages, tenants
from mailcore.services.messages import Filing, Mail, Unit
from tests.cast import Cast

pytestmark = pytest.mark.django_db
RAW = b"From: a@x.test\r\nTo: b@y.test\r\nMessage-ID: <%d@x.test>\r\nSubject: Hello\r\n\r\nText %d\r\n"


@pytest.fixture
def cast() -> Cast:
    return Cast()


def file(number: int, *people) -> None:
    filings = [Filing(person.tenant.pk, person.mailbox.pk, "inbox") for person in people]
    unit = Unit([Mail(messages.prepare(RAW % (number, number)), filings)], trace=f"t{number}")
    (result,) = messages.append_many([unit])
    assert not isinstance(result, Exception)


def test_takes_a_mailbox_away_and_keeps_what_others_share(cast, monkeypatch):
    monkeypatch.setattr(closing, "ROWS", 2)
    file(1, cast.alice, cast.bob)
    for number in range(2, 9):
        file(number, cast.bob)
    file(9, cast.alice)
    inbox = folders.by_role(cast.bob.mailbox.pk, "inbox")
    messages.expunge(inbox, ((1, 3),), only_deleted=False)
    pk = cast.bob.mailbox.pk
    mailboxes.remove(cast.bob.mailbox, actor=None)
    assert closing.sweep(steps=1) == 1
    assert 0 < Message.objects.filter(mailbox_id=pk).count() < 5
    assert ExpungedMessage.objects.filter(mailbox_id=pk).count() == 3
    closing.finish()
    assert closing.sweep() == 0
    assert not Mailbox.objects.filter(pk=pk).exists()
    for left in (Message, ThreadRef, Folder, ExpungedMessage):
        assert not left.objects.filter(mailbox_id=pk).exists()
    mine = Message.objects.filter(mailbox_id=cast.alice.mailbox.pk).values_list("content_id", flat=True)
    assert set(Content.objects.values_list("id", flat=True)) == set(mine)
    assert len(mine) == 2
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM change WHERE mailbox_id = %s", [pk])
        assert cursor.fetchone() == (0,)


def test_takes_a_tenant_away_once_its_mailboxes_are(cast):
    file(1, cast.alice, cast.bob, cast.charlie)
    events.record("accepted", tenant_id=cast.charlie.tenant.pk)
    acme = cast.alice.tenant.pk
    tenants.remove(cast.alice.tenant, actor=None)
    closing.finish()
    assert not Tenant.objects.filter(pk=acme).exists()
    assert not Content.objects.filter(tenant_id=acme).exists()
    assert not Event.objects.filter(tenant_id=acme).exists()
    assert Event.objects.filter(tenant_id=cast.charlie.tenant.pk).count() == 2
    assert Message.objects.count() == 1
    assert Content.objects.count() == 1
