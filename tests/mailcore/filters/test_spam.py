"""Evidence in, a decision out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailcore.filters.blocklists import BlockList
from mailcore.filters.header import Oddities
from mailcore.filters.spam import Action, Reason, Thresholds, decide, reasons
from mailcore.senderauth.dkim_verify import Signature
from mailcore.senderauth.dmarc import DMARC
from mailcore.senderauth.iprev import IPRev
from mailcore.senderauth.sender import Verdict
from mailcore.senderauth.spf import SPF

GOOD = Verdict(
    mail_from="ann@a.example",
    helo_name="mx.a.example",
    peer="192.0.2.7",
    spf=SPF("pass", "a.example", "mailfrom"),
    helo=SPF("none", "mx.a.example", "helo"),
    signatures=(Signature("pass", "a.example"),),
    iprev=IPRev("pass", "mx.a.example"),
    authors=("a.example",),
    dmarc=DMARC("pass", "a.example", aligned="a.example"),
)
BARE = replace(
    GOOD, spf=SPF("none", "a.example", "mailfrom"), signatures=(), dmarc=DMARC("none", "a.example")
)
FORGED = replace(
    BARE,
    spf=SPF("fail", "a.example", "mailfrom"),
    iprev=IPRev("permerror"),
    dmarc=DMARC("fail", "a.example"),
)
SILENT = replace(
    BARE,
    spf=SPF("temperror", "a.example", "mailfrom"),
    helo=SPF("temperror", "mx.a.example", "helo"),
    signatures=(Signature("temperror", "a.example"),),
    iprev=IPRev("temperror"),
    dmarc=DMARC("temperror", "a.example"),
)
AT = Thresholds(junk=5.0, refuse=15.0)
PLAIN = Oddities()


def names(verdict: Verdict, odd: Oddities = PLAIN, *, own: bool = False) -> list[str]:
    return [reason.name for reason in reasons(verdict, odd, own=own)]


def test_has_nothing_against_an_honest_mail() -> None:
    assert names(GOOD) == []
    assert decide([], AT).action is Action.INBOX


def test_has_nothing_against_what_dns_could_not_tell() -> None:
    assert names(SILENT) == []
    assert names(SILENT, own=True) == []


def test_lets_mail_in_that_nobody_vouches_for() -> None:
    decision = decide(reasons(BARE, PLAIN), AT)
    assert (decision.action, decision.score) == (Action.INBOX, 1.0)


def test_calls_junk_what_is_forged() -> None:
    decision = decide(reasons(FORGED, PLAIN), AT)
    assert (decision.action, decision.score) == (Action.JUNK, 6.5)
    assert decision.sentence().startswith("a.example says that this host may not send for it (2.5); ")
    assert "the address of the host has no name (1.5)" in decision.sentence()


def test_never_decides_by_one_reason_alone() -> None:
    against = reasons(FORGED, Oddities(from_fields=2, authors=2, shown="b.example"), own=True)
    assert max(reason.points for reason in against) < AT.junk


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"spf": SPF("softfail", "a.example", "mailfrom")}, "SPF_SOFTFAIL"),
        ({"spf": SPF("permerror", "a.example", "mailfrom")}, "SPF_PERMERROR"),
        ({"helo": SPF("fail", "mx.a.example", "helo")}, "HELO_FAIL"),
        ({"iprev": IPRev("fail")}, "REVERSE_MISMATCH"),
        ({"dmarc": DMARC("fail", "a.example", "quarantine")}, "DMARC_FAIL"),
    ],
)
def test_names_what_speaks_against_the_sender(change: dict[str, object], name: str) -> None:
    assert names(replace(GOOD, **change)) == [name]  # type: ignore[arg-type]


def test_believes_whom_it_trusts_about_the_sender_but_not_about_the_host() -> None:
    found = reasons(FORGED, Oddities(has_date=False), own=True, is_vouched_for=True)
    assert [reason.name for reason in found] == ["NO_REVERSE_NAME", "NO_DATE"]


def test_ignores_a_signature_that_does_not_hold() -> None:
    assert names(replace(GOOD, signatures=(Signature("fail", "a.example"),))) == []


@pytest.mark.parametrize(
    ("verdict", "is_a_reason"),
    [
        (GOOD, False),
        (replace(GOOD, dmarc=DMARC("none", "a.example")), False),
        (replace(BARE, signatures=(Signature("pass", "a.example"),)), False),
        (replace(BARE, signatures=(Signature("pass", "b.example"),)), True),
        (replace(GOOD, authors=(), dmarc=None), True),
        (BARE, True),
        (FORGED, True),
    ],
)
def test_minds_strangers_who_write_as_ours(verdict: Verdict, is_a_reason: bool) -> None:
    assert ("OWN_DOMAIN" in names(verdict, own=True)) is is_a_reason
    assert "OWN_DOMAIN" not in names(verdict)


@pytest.mark.parametrize(
    ("odd", "name"),
    [
        (Oddities(from_fields=2, authors=2), "SEVERAL_FROM"),
        (Oddities(from_fields=0, authors=0), "NO_AUTHOR"),
        (Oddities(authors=2), "SEVERAL_AUTHORS"),
        (Oddities(shown="b.example"), "NAME_SHOWS_ADDRESS"),
        (Oddities(has_date=False), "NO_DATE"),
        (Oddities(has_message_id=False), "NO_MESSAGE_ID"),
    ],
)
def test_names_what_speaks_against_the_header(odd: Oddities, name: str) -> None:
    assert names(GOOD, odd) == [name]


def test_counts_a_block_list_as_the_operator_says() -> None:
    (reason,) = reasons(GOOD, PLAIN, listed=[BlockList("bad.example", 7.5)])
    assert (reason.name, reason.points) == ("LISTED", 7.5)
    assert decide([reason], AT).action is Action.JUNK


@pytest.mark.parametrize(
    ("points", "thresholds", "action"),
    [
        (4.9, AT, Action.INBOX),
        (5.0, AT, Action.JUNK),
        (15.0, AT, Action.REFUSE),
        (99.0, Thresholds(5.0), Action.JUNK),
        (99.0, Thresholds(0.0), Action.INBOX),
        (15.0, Thresholds(0.0, 15.0), Action.REFUSE),
    ],
)
def test_goes_by_its_thresholds(points: float, thresholds: Thresholds, action: Action) -> None:
    assert decide([Reason("X", points, "x")], thresholds).action is action


def test_adds_up_without_crumbs() -> None:
    assert decide([Reason("X", 0.1, "x")] * 3, AT).score == 0.3
