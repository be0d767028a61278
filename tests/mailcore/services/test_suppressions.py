"""Whom mail of a tenant does not go to."""

import datetime as dt

import pytest

from mailcore import limits
from mailcore.errors import BadAddress, BadValue, NoSuchAddress, NotFound, Suppressed
from mailcore.models import AuditEntry, Suppression
from mailcore.outside import clock as clock_door
from mailcore.services import addresses, inbound, outbound, suppressions
from tests.cast import Cast
from tests.fakes import FakeClock

pytestmark = pytest.mark.django_db(transaction=True)
BOB = "bob@example.org"


@pytest.fixture
def clock():
    with FakeClock() as fake:
        yield fake


@pytest.fixture
def cast(clock):
    return Cast()


def bounce(cast, status="5.1.1", address=BOB, words="550 no Bob here"):
    suppressions.note_bounces([(cast.alice.tenant.pk, address, status, words)])


@pytest.mark.parametrize("status", ["5.1.1", "5.1.10", "5.2.1"])
def test_a_hard_bounce_is_believed_for_a_while(cast, clock, status):
    bounce(cast, status)
    with pytest.raises(Suppressed, match="550 no Bob here"):
        suppressions.check(cast.alice.tenant.pk, "Bob@Example.org")
    clock.advance(limits.SUPPRESSED_SECONDS + 1)
    suppressions.check(cast.alice.tenant.pk, BOB)
    assert suppressions.prune() == 1
    assert not Suppression.objects.exists()


@pytest.mark.parametrize("status", ["5.7.1", "5.2.2", "4.2.1", "5.0.0", "5.4.7", "5.1.2"])
def test_other_refusals_say_nothing_of_the_address(cast, status):
    bounce(cast, status)
    assert not Suppression.objects.exists()


def test_it_holds_for_one_tenant(cast):
    bounce(cast)
    suppressions.check(cast.charlie.tenant.pk, BOB)
    assert suppressions.among(cast.charlie.tenant.pk, [BOB]) == set()
    assert suppressions.among(cast.alice.tenant.pk, ["BOB@example.org", "eve@example.org"]) == {
        "BOB@example.org"
    }


def test_a_second_bounce_begins_the_time_anew(cast, clock):
    bounce(cast)
    clock.advance(24 * 3600)
    bounce(cast, "5.2.1", words="again")
    row = Suppression.objects.get()
    assert (row.status, row.words, row.since) == ("5.2.1", "again", clock.now())


def test_what_was_added_by_hand_stays_as_it_was_added(cast, clock):
    suppressions.add(cast.alice.tenant, " Bob@example.org ", words="asked us to stop", actor=cast.alice.user)
    bounce(cast)
    row = Suppression.objects.get()
    assert (row.address, row.reason, row.words, row.expires_at) == (BOB, "manual", "asked us to stop", None)
    clock.advance(10 * limits.SUPPRESSED_SECONDS)
    with pytest.raises(Suppressed, match="Your organisation"):
        suppressions.check(cast.alice.tenant.pk, BOB)
    assert AuditEntry.objects.get(verb="suppression.add").object_name == BOB


def test_refuses_what_is_no_address_or_over_already(cast):
    with pytest.raises(BadAddress):
        suppressions.add(cast.alice.tenant, "nobody", actor=None)
    with pytest.raises(BadValue):
        before = clock_door.now() - dt.timedelta(seconds=1)
        suppressions.add(cast.alice.tenant, BOB, expires_at=before, actor=None)


def test_is_taken_off_once(cast):
    row = suppressions.add(cast.alice.tenant, BOB, actor=None)
    suppressions.remove(row, actor=cast.alice.user)
    suppressions.check(cast.alice.tenant.pk, BOB)
    with pytest.raises(NotFound):
        suppressions.remove(row, actor=cast.alice.user)


def test_a_suppressed_recipient_is_refused_with_the_reason(cast):
    bounce(cast)
    tenant_id = cast.alice.tenant.pk
    with pytest.raises(Suppressed) as refused:
        outbound.accept_recipient(BOB, tenant_id)
    assert refused.value.smtp_reply().startswith(
        "550 5.1.1 Its host refused mail for this address for good on"
    )
    with pytest.raises(Suppressed, match=BOB):
        outbound.submit(
            cast.alice.mailbox, b"From: alice@acme.test\r\n\r\n", [BOB], user_id=cast.alice.user.pk,
            source="webmail", reverse_path=cast.alice.address,
        )  # fmt: skip
    assert outbound.accept_recipient("eve@example.org", tenant_id)
    assert outbound.accept_recipient(BOB, cast.charlie.tenant.pk)


def accepted(address):
    transaction = inbound.Transaction("192.0.2.7", "mx", "ESMTP", "", "", "ann@else.test")
    return inbound.accept_recipient(transaction, address).route


def test_an_alias_goes_on_to_its_other_targets(cast):
    addresses.add_alias(cast.alice.tenant, "out@acme.test", [BOB, "eve@example.org"], actor=None)
    bounce(cast)
    assert accepted("out@acme.test").outside == ("eve@example.org",)
    bounce(cast, address="eve@example.org")
    with pytest.raises(NoSuchAddress):
        accepted("out@acme.test")


def test_an_alias_goes_on_to_mailboxes_when_what_is_outside_is_suppressed(cast):
    addresses.add_alias(cast.alice.tenant, "both@acme.test", [BOB, cast.alice.address], actor=None)
    bounce(cast)
    route = accepted("both@acme.test")
    assert (route.outside, [hop.mailbox_id for hop in route.hops]) == ((), [cast.alice.mailbox.pk])
