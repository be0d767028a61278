from django.core.mail import EmailMessage, get_connection

from mailcore.models import Mailbox, Membership, QueueEntry
from mailcore.services import tenants
from tests.cast import Cast, make_user


def send(*to: str) -> int:
    connection = get_connection("hostmail.mail_backend.SystemMail")
    return connection.send_messages([EmailMessage("Réset", "Grüße\nbye", "Hostmail <p@host.test>", to)])


def test_files_system_mail_for_people_here(db):
    cast = Cast()
    assert send(cast.alice.address) == 1
    assert Mailbox.objects.get(pk=cast.alice.mailbox.pk).message_count == 1


def test_counts_nothing_as_sent_that_it_cannot_send(db, caplog):
    assert send("somebody@outside.example") == 0
    assert "system_mail_not_sent" in caplog.text


def test_queues_it_for_people_outside_on_behalf_of_their_organisation(db):
    cast = Cast()
    dora = make_user("dora@outside.example")
    Membership.objects.create(tenant=cast.alice.tenant, user=dora, role="admin")
    tenants.invite(cast.charlie.tenant, "eve@outside.example", "member", actor=None)
    assert send("Dora@outside.example", "eve@outside.example", cast.bob.address) == 1
    entries = {entry.recipient: entry for entry in QueueEntry.objects.select_related("submission")}
    assert entries["Dora@outside.example"].tenant == cast.alice.tenant
    assert entries["eve@outside.example"].tenant == cast.charlie.tenant
    assert {entry.submission.source for entry in entries.values()} == {"system"}
    assert {entry.submission.reverse_path for entry in entries.values()} == {""}
    assert Mailbox.objects.get(pk=cast.bob.mailbox.pk).message_count == 1


def test_writes_for_no_suspended_organisation(db):
    cast = Cast()
    tenants.invite(cast.alice.tenant, "eve@outside.example", "member", actor=None)
    tenants.suspend(cast.alice.tenant, actor=None)
    assert send("eve@outside.example") == 0
    assert not QueueEntry.objects.exists()
