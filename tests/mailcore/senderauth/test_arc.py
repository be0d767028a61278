"""ARC, judged by the public vectors, by what we seal, and by dkimpy."""

from __future__ import annotations

import re
from pathlib import Path

import dkim as dkimpy
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mailcore import limits
from mailcore.senderauth import arc, dkim
from mailcore.senderauth.arc import ARC
from tests.mailcore.senderauth.asking import Zone, run

VECTORS = Path(__file__).parent / "vectors" / "arc" / "arc-draft-validation-tests.yml"
KEYS = {kind: dkim.load_key(dkim.generate_key(kind)) for kind in ("rsa", "ed25519")}  # type: ignore[arg-type]
ZONE: Zone = {
    f"{kind}._domainkey.{domain}": {"TXT": [dkim.public_record(KEYS[kind])]}
    for kind in KEYS
    for domain in ("one.example", "two.example", "three.example")
}
MAIL = (
    b"From: ann@a.example\r\nTo: list@one.example\r\nSubject: Hello\r\n"
    b"DKIM-Signature: v=1; d=a.example\r\n\r\nHello  there \r\n\r\n"
)


def cases() -> list[object]:
    found = []
    for scenario in yaml.safe_load_all(VECTORS.read_text(encoding="utf-8")):
        zone = {name.lower(): {"TXT": [text]} for name, text in (scenario["txt-records"] or {}).items()}
        for name, case in scenario["tests"].items():
            raw = re.sub(r"\r?\n", "\r\n", case["message"] or "").encode()
            # A chain that its sealers ended has no verdict in the suite; RFC 8617 §5.2 says fail.
            found.append(pytest.param(raw, zone, (case["cv"] or "fail").lower(), id=name))
    return found


@pytest.mark.parametrize(("raw", "zone", "expected"), cases())
def test_agrees_with_the_public_vectors(raw: bytes, zone: Zone, expected: str) -> None:
    assert run(arc.verify(raw), zone).result == expected


def judged(raw: bytes, zone: Zone = ZONE) -> ARC:
    return run(arc.verify(raw), zone)


def sealed(
    raw: bytes, domain: str = "one.example", kind: str = "ed25519", said: bytes = b"spf=pass"
) -> bytes:
    fields = arc.seal(
        raw,
        judged(raw),
        results=b"mx." + domain.encode() + b"; " + said,
        domain=domain,
        selector=kind,
        key=KEYS[kind],
        timestamp=1_700_000_000,
    )
    return fields + raw


def resealed(raw: bytes, chain: ARC) -> bytes:
    """The fields of one more set, of two.example."""
    said = b"mx.two.example; arc=pass"
    return arc.seal(
        raw, chain, results=said, domain="two.example", selector="rsa", key=KEYS["rsa"], timestamp=1
    )


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_verifies_what_it_sealed(kind: str) -> None:
    chain = judged(sealed(sealed(sealed(MAIL, kind=kind), "two.example"), "three.example", said=b"arc=pass"))
    assert chain == ARC(
        "pass",
        3,
        ("one.example", "two.example", "three.example"),
        ("mx.one.example; spf=pass", "mx.two.example; spf=pass", "mx.three.example; arc=pass"),
        0,
    )


@pytest.mark.parametrize("sets", [1, 2, 3])
def test_is_understood_by_another_program(sets: int) -> None:
    raw = MAIL
    for domain in ("one.example", "two.example", "three.example")[:sets]:
        raw = sealed(raw, domain, "rsa")

    def found(name: bytes, timeout: int = 5) -> bytes:
        return ZONE[name.decode().rstrip(".").lower()]["TXT"][0].encode()  # type: ignore[index]

    assert dkimpy.arc_verify(raw, dnsfunc=found)[0] == b"pass"
    assert dkimpy.arc_verify(raw + b"more\r\n", dnsfunc=found)[0] == b"fail"


def test_tells_since_when_nobody_changed_the_mail() -> None:
    by_a_list = sealed(MAIL).replace(b"Subject: Hello", b"Subject: [list] Hello")
    assert judged(by_a_list).result == "fail"
    verdict = judged(resealed(by_a_list, ARC("pass", 1)) + by_a_list)
    assert (verdict.result, verdict.instances, verdict.oldest_pass) == ("pass", 2, 2)


@pytest.mark.parametrize(
    ("said", "trusted", "expected"),
    [
        (b"spf=fail;\r\n dmarc=pass header.from=a.example", ("one.example", "two.example"), True),
        (b"dmarc = pass (p=none)", ("one.example", "two.example"), True),
        (b"dmarc=pass", ("one.example",), False),
        (b"dmarc=pass", ("two.example",), False),
        (b'spf=fail smtp.mailfrom="x; dmarc=pass"; dmarc=fail', ("one.example", "two.example"), False),
        (b"spf=fail (x; dmarc=pass); dmarc=fail", ("one.example", "two.example"), False),
        (b"dmarc=fail", ("one.example", "two.example"), False),
        (b"dmarc=passed", ("one.example", "two.example"), False),
        (b"xdmarc=pass", ("one.example", "two.example"), False),
    ],
)
def test_vouches_only_by_those_who_are_trusted(said: bytes, trusted: tuple[str, ...], expected: bool) -> None:
    raw = sealed(sealed(MAIL, said=said), "two.example", said=b"dmarc=pass")
    assert arc.is_vouched_for(judged(raw), trusted) is expected
    assert not arc.is_vouched_for(judged(raw + b"more\r\n"), trusted)
    assert not arc.is_vouched_for(judged(MAIL), trusted)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Subject: Hello", b"Subject: Hallo"),
        (b"Hello  there", b"Hello their"),
        (b"mx.one.example; spf=pass", b"mx.one.example; spf=fail"),
        (b"cv=none", b"cv=pass"),
        (b"cv=pass", b"cv=none"),
        (b"i=2; mx", b"i=3; mx"),
        (b"d=two.example", b"d=one.example"),
    ],
)
def test_fails_when_anything_was_changed(old: bytes, new: bytes) -> None:
    raw = sealed(sealed(MAIL), "two.example", "rsa")
    assert judged(raw).result == "pass"
    assert raw.count(old) >= 1
    assert judged(raw.replace(old, new)).result == "fail"


def test_fails_when_a_set_was_taken_away() -> None:
    raw = sealed(sealed(MAIL), "two.example", "rsa")
    first = sealed(MAIL)[: -len(MAIL)]
    assert judged(raw.replace(first, b"")).result == "fail"


def test_closes_a_chain_that_failed_and_adds_nothing_to_it() -> None:
    raw = sealed(MAIL).replace(b"Hello  there", b"Hello their")
    closed = sealed(raw, "two.example")
    assert b"cv=fail" in closed
    chain = judged(closed)
    assert (chain.result, chain.is_ended) == ("fail", True)
    assert sealed(closed, "three.example") == closed


def test_seals_nothing_when_it_could_not_judge() -> None:
    raw = sealed(MAIL)
    chain = judged(raw, {"ed25519._domainkey.one.example": {"TXT": None}})
    assert chain.result == "temperror"
    assert not resealed(raw, chain)


def test_adds_no_set_beyond_the_last_number() -> None:
    assert resealed(MAIL, ARC("none"))
    assert not resealed(MAIL, ARC("pass", limits.ARC_SETS))


@pytest.mark.parametrize("name", [arc.SEAL, arc.SIGNATURE, arc.RESULTS])
def test_asks_nothing_about_endless_chains(name: bytes) -> None:
    asked: list[object] = []
    raw = b"".join(name + b": i=%d; a=rsa-sha256\r\n" % number for number in range(1, 200)) + MAIL
    assert run(arc.verify(raw), ZONE, asked).result == "fail"  # type: ignore[arg-type]
    assert not asked


def test_keeps_its_lines_short() -> None:
    fields = sealed(MAIL, kind="rsa")[: -len(MAIL)]
    assert max(map(len, fields.split(b"\r\n"))) <= 78
    assert fields.endswith(b"\r\n")
    assert b"\r\n\r\n" not in fields


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=6))
def test_never_raises(at: int, junk: bytes) -> None:
    raw = sealed(sealed(MAIL), "two.example")
    at %= len(raw)
    assert judged(raw[:at] + junk + raw[at + 1 :]).result in ("none", "pass", "fail", "temperror")
