import pytest
from django.core.mail import EmailMessage, get_connection

from hostmail.mail_backend import on_behalf_of
from mailcore.models import Domain, Mailbox, Membership, QueueEntry
from mailcore.services import domains, messages, tenants
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


def test_reaches_people_who_belong_to_no_organisation(db):
    make_user("dora@outside.example")
    assert send("dora@outside.example") == 1
    entry = QueueEntry.objects.get()
    assert entry.recipient == "dora@outside.example"
    assert entry.tenant == tenants.of_service()
    assert not entry.tenant.memberships.exists()


def test_reaches_whom_a_person_here_asks_it_to(db):
    cast = Cast()
    message = EmailMessage("Confirm", "link", "Hostmail <p@host.test>", ["a@outside.example"])
    connection = get_connection("hostmail.mail_backend.SystemMail")
    connection.send_messages([on_behalf_of(cast.alice.user, message)])
    assert QueueEntry.objects.get().tenant == cast.alice.tenant


def test_reaches_nobody_who_may_not_sign_in_any_more(db):
    dora = make_user("dora@outside.example")
    dora.is_active = False
    dora.save()
    assert send("dora@outside.example") == 0


def test_gives_the_short_name_of_the_service_to_nobody_else(db):
    tenants.of_service()
    with pytest.raises(tenants.BadValue):
        tenants.create("Mine", slug="_service", actor=None)
    assert tenants.create("Service", actor=None).slug == "service"


@pytest.mark.parametrize("name", ["host.test.example", "test.example"])
def test_signs_with_the_domain_it_writes_from_or_the_one_above(db, name):
    cast = Cast()
    domains.add(cast.alice.tenant, name, actor=None, trusted=True)
    make_user("dora@outside.example")
    get_connection("hostmail.mail_backend.SystemMail").send_messages(
        [EmailMessage("Reset", "bye", "Hostmail <p@host.test.example>", ["dora@outside.example"])]
    )
    kept = messages.raw_of(QueueEntry.objects.get().submission.content_id)
    fields = kept.header.replace(b"\r\n ", b" ").split(b"\r\n")
    signatures = [field for field in fields if field.startswith(b"DKIM-Signature:")]
    assert len(signatures) == Domain.objects.get(name=name).dkim_keys.filter(is_active=True).count() == 2
    assert all(f"d={name};".encode() in signature for signature in signatures)
