"""All methods in one go."""

from __future__ import annotations

from typing import Any

import pytest

from mailcore.senderauth import arc, dkim, sender
from mailcore.senderauth.questions import Question
from mailcore.senderauth.sender import Verdict, authors
from tests.mailcore.senderauth.asking import Zone, run

KEY = dkim.load_key(dkim.generate_key("ed25519"))
RAW = b"From: Ann <ann@example.org>\r\nSubject: Hi\r\n\r\nbody\r\n"
ZONE: dict[str, Any] = {
    "example.org": {"TXT": ["v=spf1 ip4:192.0.2.7 -all"]},
    "mx.example.org": {"TXT": ["v=spf1 a -all"], "A": ["192.0.2.7"]},
    "k._domainkey.example.org": {"TXT": [dkim.public_record(KEY)]},
    "_dmarc.example.org": {"TXT": ["v=DMARC1; p=reject"]},
    "7.2.0.192.in-addr.arpa": {"PTR": ["mx.example.org"]},
}


def signed(raw: bytes = RAW) -> bytes:
    return dkim.sign(raw, domain="example.org", keys=[("k", KEY)], timestamp=1) + raw


def judge(
    raw: bytes,
    zone: Zone = ZONE,
    *,
    peer: str = "192.0.2.7",
    mail_from: str = "ann@example.org",
    asked: list[Question] | None = None,
) -> Verdict:
    steps = sender.judge(
        sender.read(raw, now=2),
        header=raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n",
        peer=peer,
        mail_from=mail_from,
        helo="mx.example.org",
        receiver="mx.test",
        now=2,
    )
    return run(steps, zone, asked)


def test_finds_everything_good() -> None:
    asked: list[Question] = []
    found = judge(signed(), asked=asked)
    assert (found.spf.result, found.helo and found.helo.result) == ("pass", "pass")
    assert [one.result for one in found.signatures] == ["pass"]
    assert (found.iprev.result, found.iprev.name) == ("pass", "mx.example.org")
    assert found.dmarc
    assert (found.dmarc.result, found.dmarc.aligned) == ("pass", "example.org")
    assert len(asked) == len(set(asked)), "nothing is asked twice"


def test_judges_who_passed_a_mail_on() -> None:
    fields = arc.seal(
        RAW,
        arc.ARC("none"),
        results=b"mx.test; spf=pass",
        domain="example.org",
        selector="k",
        key=KEY,
        timestamp=1,
    )
    asked: list[Question] = []
    found = judge(signed(fields + RAW), asked=asked)
    assert (found.arc.result, found.arc.sealers) == ("pass", ("example.org",))
    assert len(asked) == len(set(asked)), "the key of both is asked for once"
    assert judge(fields + RAW + b"more\r\n").arc.result == "fail"
    assert judge(RAW).arc.result == "none"


def test_finds_a_forged_author() -> None:
    found = judge(RAW, peer="198.51.100.1", mail_from="x@evil.test")
    assert found.dmarc
    assert (found.dmarc.result, found.dmarc.policy) == ("fail", "reject")
    assert found.spf.result == "none"


def test_judges_helo_alone_for_the_null_path() -> None:
    found = judge(RAW, mail_from="")
    assert (found.spf.scope, found.spf.result, found.helo) == ("helo", "pass", None)
    assert found.dmarc
    assert found.dmarc.result == "pass", "HELO is within the author's organization"


def test_cannot_tell_when_what_might_pass_has_no_answer() -> None:
    zone = ZONE | {"k._domainkey.example.org": {"TXT": None}}
    found = judge(signed(), zone, peer="198.51.100.1")
    assert found.dmarc
    assert found.dmarc.result == "temperror"


@pytest.mark.parametrize(
    ("header", "domains"),
    [
        (b"From: ann@example.org\r\n", ("example.org",)),
        (b"From: Ann <ann@EXAMPLE.org>, bob@example.org\r\n", ("example.org",)),
        (b'From: "ceo@bank.test" <x@evil.test>\r\n', ("evil.test",)),
        (b"From: (ceo@bank.test) x@evil.test\r\n", ("evil.test",)),
        (b"From: x@evil.test\r\nFrom: ceo@bank.test\r\n", ("evil.test", "bank.test")),
        (b"From: x@evil.test, ceo@bank.test\r\n", ("evil.test", "bank.test")),
        ("From: a@exämple.test\r\n".encode(), ("xn--exmple-cua.test",)),
        (b"From: Group: a@example.org;\r\n", ("example.org",)),
        (b"From: a@a.test, b@b.test, c@c.test, d@d.test, e@e.test\r\n", ()),
        (b"From: nobody\r\n", ()),
        (b"From: a@[192.0.2.1]\r\n", ()),
        (b"Subject: none\r\n", ()),
    ],
)
def test_reads_the_authors_domains(header: bytes, domains: tuple[str, ...]) -> None:
    assert authors(header + b"\r\n") == domains


def test_of_several_authors_the_strictest_counts() -> None:
    raw = b"From: x@evil.test\r\nFrom: ann@example.org\r\n\r\n"
    zone = ZONE | {"evil.test": {"TXT": ["v=spf1 +all"]}, "_dmarc.evil.test": {"TXT": ["v=DMARC1; p=none"]}}
    found = judge(raw, zone, peer="198.51.100.1", mail_from="x@evil.test")
    assert found.dmarc
    assert (found.dmarc.domain, found.dmarc.policy) == ("example.org", "reject")
