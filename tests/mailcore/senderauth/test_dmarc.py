"""DMARC: where the policy stands, what is aligned, and what is asked for."""

from __future__ import annotations

import pytest

from mailcore import limits
from mailcore.senderauth import dmarc
from mailcore.senderauth.questions import Question
from tests.mailcore.senderauth.asking import Zone, run


def zone(**records: str) -> Zone:
    """Records by domain, its dots written as __."""
    return {f"_dmarc.{name.replace('__', '.')}": {"TXT": [text]} for name, text in records.items()}


REJECT = zone(example__org="v=DMARC1; p=reject; sp=quarantine")


def test_passes_on_one_aligned_identifier() -> None:
    found = run(dmarc.check("example.org", spf=["elsewhere.net"], dkim=["mail.example.org"]), REJECT)
    assert (found.result, found.aligned) == ("pass", "mail.example.org")
    assert run(dmarc.check("example.org", spf=["Example.ORG"]), REJECT).result == "pass"


@pytest.mark.parametrize("other", ["elsewhere.net", "notexample.org", "org", "example.org.evil.net"])
def test_fails_on_what_belongs_to_others(other: str) -> None:
    found = run(dmarc.check("example.org", spf=[other], dkim=[other]), REJECT)
    assert (found.result, found.policy) == ("fail", "reject")


def test_says_none_without_a_record_or_with_two() -> None:
    assert run(dmarc.check("example.org"), {}).result == "none"
    two = {"_dmarc.example.org": {"TXT": ["v=DMARC1; p=reject", "v=DMARC1; p=none"]}}
    assert run(dmarc.check("example.org"), two).result == "none"
    for text in ("p=reject; v=DMARC1", "v=DMARC2; p=reject", "v=spf1 -all", ""):
        assert run(dmarc.check("example.org"), zone(example__org=text)).result == "none"


def test_holds_subdomains_to_their_own_words() -> None:
    found = run(dmarc.check("news.example.org"), REJECT)
    assert (found.policy, found.record_at, found.organization) == ("quarantine", "example.org", "example.org")
    own = {**REJECT, **zone(news__example__org="v=DMARC1; p=none")}
    assert run(dmarc.check("news.example.org"), own).policy == "none"


def test_asks_more_of_names_that_do_not_exist() -> None:
    records = zone(example__org="v=DMARC1; p=none; np=reject")
    assert run(dmarc.check("made-up.example.org"), records).policy == "reject"
    there = {**records, "real.example.org": {"A": ["192.0.2.1"]}}
    assert run(dmarc.check("real.example.org"), there).policy == "none"


def test_softens_a_policy_that_is_being_tried() -> None:
    assert (
        run(dmarc.check("example.org"), zone(example__org="v=DMARC1; p=reject; t=y")).policy == "quarantine"
    )
    assert run(dmarc.check("example.org"), zone(example__org="v=DMARC1; p=quarantine; t=y")).policy == "none"


def test_keeps_strict_alignment_strict() -> None:
    strict = zone(example__org="v=DMARC1; p=reject; adkim=s")
    assert run(dmarc.check("example.org", dkim=["mail.example.org"]), strict).result == "fail"
    assert run(dmarc.check("example.org", spf=["mail.example.org"]), strict).result == "pass"


def test_stops_at_public_suffixes_and_at_organizations_of_their_own() -> None:
    suffix = zone(co__example="v=DMARC1; p=reject; psd=y")
    found = run(dmarc.check("shop.co.example", dkim=["other.co.example"]), suffix)
    assert (found.result, found.organization) == ("fail", "shop.co.example")
    assert found.record_at == "co.example"
    own = zone(branch__example__org="v=DMARC1; p=reject; psd=n", example__org="v=DMARC1; p=none")
    assert run(dmarc.check("branch.example.org", dkim=["example.org"]), own).result == "fail"
    assert run(dmarc.check("example.org", dkim=["branch.example.org"]), own).result == "fail"
    assert run(dmarc.check("a.branch.example.org", dkim=["branch.example.org"]), own).result == "pass"


def test_never_fails_when_dns_cannot_tell() -> None:
    assert run(dmarc.check("example.org"), {"_dmarc.example.org": {"TXT": None}}).result == "temperror"
    unsure = dmarc.check("example.org", unsure=[("dkim", "example.org")])
    assert run(unsure, REJECT).result == "temperror"
    foreign = dmarc.check("example.org", unsure=[("dkim", "elsewhere.net")])
    assert run(foreign, REJECT).result == "fail"


def test_asks_eight_names_however_deep_a_domain_lies() -> None:
    asked: list[Question] = []
    deep = ".".join("abcdefghijklmn") + ".example.org"
    assert run(dmarc.check(deep), REJECT, asked).policy == "quarantine"
    assert len(asked) == limits.DMARC_NAMES
    assert asked[1].name == "_dmarc.j.k.l.m.n.example.org"
