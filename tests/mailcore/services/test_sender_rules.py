"""Whom a mailbox wants to hear from."""

from __future__ import annotations

import pytest

from mailcore import limits
from mailcore.errors import BadAddress, BadValue, NotFound
from mailcore.filters.spam import Action, Decision, Thresholds
from mailcore.models import AuditEntry
from mailcore.senderauth.dmarc import DMARC
from mailcore.senderauth.iprev import IPRev
from mailcore.senderauth.sender import Verdict
from mailcore.senderauth.spf import SPF
from mailcore.services import inbound, sender_rules
from mailcore.services.addresses import Hop, Kind, Route
from mailcore.services.messages import Filing
from tests.cast import Cast

HEADER = b"From: Ann <Ann@Example.org>\r\n\r\n"


def verdict(dmarc: str = "pass", mail_from: str = "bounce@mailer.test") -> Verdict:
    return Verdict(
        mail_from=mail_from,
        helo_name="mx.test",
        peer="192.0.2.7",
        spf=SPF("pass", "mailer.test", "mailfrom"),
        helo=None,
        signatures=(),
        iprev=IPRev("pass", "mx.test"),
        authors=("example.org",),
        dmarc=DMARC(dmarc, "example.org", "none"),
    )


pytestmark = pytest.mark.django_db


@pytest.fixture
def cast():
    return Cast()


@pytest.fixture
def box(cast):
    return cast.alice.mailbox


def wish(box, header: bytes = HEADER, **fields) -> bool | None:
    return sender_rules.chosen(verdict(**fields), header, [box.pk]).get(box.pk)


def test_wants_only_whom_dmarc_proves(box):
    assert wish(box) is None
    sender_rules.add(box, "ann@example.ORG", is_wanted=True, actor=None)
    assert wish(box) is True
    assert wish(box, dmarc="none") is None
    assert wish(box, dmarc="fail") is None
    assert wish(box, b"From: ann@example.org, x@evil.test\r\n\r\n") is None
    assert wish(box, b"From: other@example.org\r\n\r\n") is None


def test_wants_nothing_of_whom_it_does_not(box):
    sender_rules.add(box, "ann@example.org", is_wanted=False, actor=None)
    assert wish(box, dmarc="none") is False
    assert wish(box, b"From: x@y.test\r\nFrom: ann@example.org\r\n\r\n") is False
    assert wish(box, b"From: x@y.test\r\n\r\n", mail_from="Ann@example.org") is False
    assert wish(box, b"From: x@y.test\r\n\r\n", mail_from="") is None
    assert wish(box, b"Subject: nobody\r\n\r\n", mail_from="") is None


def test_an_address_comes_before_its_domain_and_no_before_yes(box):
    sender_rules.add(box, "@example.org", is_wanted=False, actor=None)
    sender_rules.add(box, "ann@example.org", is_wanted=True, actor=None)
    assert wish(box) is True
    assert wish(box, b"From: bob@example.org\r\n\r\n") is False
    sender_rules.add(box, "@mailer.test", is_wanted=False, actor=None)
    assert wish(box) is False


def test_replaces_and_takes_back(box, cast):
    sender_rules.add(box, "ann@example.org", is_wanted=False, actor=cast.alice.user)
    sender_rules.add(box, "ANN@example.org", is_wanted=True, actor=cast.alice.user)
    assert [(rule.who, rule.is_wanted) for rule in box.sender_rules.all()] == [("ann@example.org", True)]
    assert wish(cast.charlie.mailbox) is None
    sender_rules.remove(box, "ann@example.org", actor=cast.alice.user)
    assert wish(box) is None
    assert AuditEntry.objects.filter(verb__startswith="sender_rule.").count() == 3
    with pytest.raises(NotFound):
        sender_rules.remove(box, "ann@example.org", actor=None)


def test_has_limits(box, monkeypatch):
    with pytest.raises(BadAddress):
        sender_rules.add(box, "nobody", is_wanted=True, actor=None)
    monkeypatch.setattr(limits, "SENDER_RULES", 1)
    sender_rules.add(box, "a@example.org", is_wanted=True, actor=None)
    sender_rules.add(box, "a@example.org", is_wanted=False, actor=None)
    with pytest.raises(BadValue):
        sender_rules.add(box, "b@example.org", is_wanted=True, actor=None)


def test_files_as_each_mailbox_wishes():
    transaction = inbound.Transaction("192.0.2.7", "mx.test", "ESMTP", "", "", "ann@example.org")
    hops = tuple(Hop(pk, 1, f"m{pk}@acme.test") for pk in (1, 2, 3))
    transaction.recipients = [
        inbound.Recipient("all@acme.test", Route(Kind.MAILBOXES, "all@acme.test", 1, hops))
    ]
    transaction.spam = Decision(Action.INBOX, 0.0, (), Thresholds(5, 15))
    transaction.wishes = {1: True, 2: False}
    filings = [Filing(1, pk, "inbox", recipient="all@acme.test") for pk in (1, 2, 3)]
    inbound._sort(transaction, filings)
    assert [filing.folder for filing in filings] == ["inbox", "junk", "inbox"]
    assert "reason" not in inbound._facts(transaction, 1, "Hi"), "nobody learns what others think"


def test_refuses_no_spam_that_one_of_several_wants():
    transaction = inbound.Transaction("192.0.2.7", "mx.test", "ESMTP", "", "", "ann@example.org")
    hops = tuple(Hop(pk, 1, f"m{pk}@acme.test") for pk in (1, 2))
    transaction.recipients = [
        inbound.Recipient("all@acme.test", Route(Kind.MAILBOXES, "all@acme.test", 1, hops))
    ]
    transaction.spam = Decision(Action.REFUSE, 20.0, (), Thresholds(5, 15))
    assert inbound._refusal(transaction) is not None
    transaction.wishes = {1: True}
    assert inbound._refusal(transaction) is None
    filings = [Filing(1, pk, "inbox", recipient="all@acme.test") for pk in (1, 2)]
    inbound._sort(transaction, filings)
    assert [filing.folder for filing in filings] == ["inbox", "junk"]
