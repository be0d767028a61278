"""Verifying DKIM, judged by the public vectors, by what we sign, and by dkimpy."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import dkim as dkimpy
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from mailcore import limits
from mailcore.senderauth import dkim
from mailcore.senderauth.dkim_verify import Signature, verify
from mailcore.senderauth.questions import Question
from tests.mailcore.senderauth.asking import Zone, run

VECTORS = Path(__file__).parent / "vectors"
KEYS = {kind: dkim.load_key(dkim.generate_key(kind)) for kind in ("rsa", "ed25519")}  # type: ignore[arg-type]
ZONE: Zone = {f"{kind}._domainkey.example.org": {"TXT": [dkim.public_record(KEYS[kind])]} for kind in KEYS}
MAIL = b"From: alice@example.org\r\nTo: bob@example.net\r\nSubject: Hello\r\n\r\nHello  Bob \r\n\r\n\r\n"


def sign(raw: bytes, kind: str = "rsa") -> bytes:
    return dkim.sign(raw, domain="example.org", keys=[(kind, KEYS[kind])], timestamp=1_700_000_000) + raw


def judged(raw: bytes, zone: Zone = ZONE, now: int = 1_700_000_100) -> list[Signature]:
    return run(verify(raw, now=now), zone)


def results(raw: bytes, zone: Zone = ZONE) -> list[str]:
    return [one.result for one in judged(raw, zone)]


def with_their_tool(raw: bytes, canonical: str, **more: object) -> bytes:
    pem = KEYS["rsa"].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pair = tuple(part.encode() for part in canonical.split("/"))
    return bytes(dkimpy.sign(raw, b"rsa", b"example.org", pem, canonicalize=pair, **more)) + raw


@pytest.mark.parametrize("name", ["001.txt", "002.txt"])
def test_agrees_with_the_public_vectors(name: str) -> None:
    head, _, mail = (VECTORS / name).read_text(encoding="utf-8").partition("\n\n")
    zone = {line.split(" ", 1)[0].rstrip("."): {"TXT": [line.split(" ", 1)[1]]} for line in head.split("\n")}
    raw = re.sub(r"\r?\n", "\r\n", mail).encode()
    assert set(results(raw, zone)) == {"pass"}
    start = raw.index(b"\r\n\r\n") + 4
    letter = start + re.search(rb"[a-z]", raw[start:]).start()  # type: ignore[union-attr]
    changed = raw[:letter] + b"#" + raw[letter + 1 :]
    assert set(results(changed, zone)) == {"fail"}


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_passes_what_we_sign_and_fails_what_was_changed(kind: str) -> None:
    raw = sign(MAIL, kind)
    (verdict,) = judged(raw)
    assert (verdict.result, verdict.domain, verdict.selector) == ("pass", "example.org", kind)
    assert results(raw.replace(b"Subject: Hello", b"Subject: Hallo")) == ["fail"]
    assert results(raw.replace(b"Hello  Bob", b"Hello  Bub")) == ["fail"]
    assert results(b"From: eve@example.net\r\n" + raw) == ["fail"]  # a second From was ruled out
    assert results(raw.replace(b"Hello  Bob ", b"Hello Bob")) == ["pass"]


@pytest.mark.parametrize(
    "canonical", ["simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed"]
)
@settings(max_examples=25, deadline=None)
@given(body=st.lists(st.sampled_from([b"a", b" ", b"\t", b"\r\n", b"Hello"]), max_size=12))
def test_agrees_with_dkimpy(canonical: str, body: list[bytes]) -> None:
    raw = MAIL.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + b"".join(body) + b"end\r\n\r\n"
    signed = with_their_tool(raw, canonical)
    assert results(signed) == ["pass"]
    changed = signed.replace(b"end\r\n", b"end \r\n")
    record = dkim.public_record(KEYS["rsa"]).encode()
    theirs = dkimpy.verify(changed, dnsfunc=lambda name, timeout=5: record)
    assert results(changed) == ["pass" if theirs else "fail"]


def test_distrusts_a_body_that_is_signed_in_part() -> None:
    signed = with_their_tool(MAIL, "relaxed/relaxed", length=True)
    assert results(signed) == ["pass"]
    (verdict,) = judged(signed.rstrip(b"\r\n") + b"\r\nBuy now\r\n")
    assert (verdict.result, verdict.unsigned_octets) == ("policy", len(b"Buy now\r\n"))


def test_tells_a_missing_key_from_one_that_cannot_be_asked_for() -> None:
    raw = sign(MAIL)
    assert results(raw, {}) == ["permerror"]
    assert results(raw, {"rsa._domainkey.example.org": {"TXT": None}}) == ["temperror"]


def test_believes_no_revoked_foreign_or_short_key() -> None:
    def small() -> str:
        key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
        numbers = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return "p=" + base64.b64encode(numbers).decode()

    record = dkim.public_record(KEYS["rsa"])
    for text, wanted in (
        ("v=DKIM1; p=", "permerror"),
        (record.replace("k=rsa", "k=rsa; h=sha1"), "permerror"),
        (record.replace("k=rsa", "k=rsa; s=tlsrpt"), "permerror"),
        (record.replace("k=rsa", "k=ed25519"), "permerror"),
        (record.replace("v=DKIM1", "v=DKIM2"), "permerror"),
        (small(), "fail"),
        (record.replace("k=rsa", "k=rsa; t=y:s"), "pass"),
    ):
        assert results(sign(MAIL), {"rsa._domainkey.example.org": {"TXT": [text]}}) == [wanted], text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"v=1", b"v=2"),
        (b"a=rsa-sha256", b"a=rsa-sha1"),
        (b"d=example.org", b"d=exa mple.org"),
        (b"s=rsa", b"s=rsa; s=rsa"),
        (b"s=rsa", b"s=rsa; i=@example.net"),
        (b"s=rsa", b"s=rsa; l=+5"),
        (b"h=from:from", b"h=to"),
        (b"t=1700000000", b"t=1700000000; x=1600000000"),
    ],
)
def test_refuses_a_malformed_signature(old: bytes, new: bytes) -> None:
    raw = sign(MAIL)
    assert old in raw
    assert results(raw.replace(old, new, 1)) == ["permerror"]


def test_does_not_outlive_its_end() -> None:
    raw = sign(MAIL).replace(b"t=1700000000", b"t=1700000000; x=1700000001")
    (verdict,) = judged(raw, now=1_700_000_002)
    assert (verdict.result, verdict.problem) == ("fail", "expired")


def test_judges_no_more_signatures_than_the_limit_and_asks_once_for_each_key() -> None:
    raw = sign(MAIL)
    field = raw[: raw.index(b"From:")]
    asked: list[Question] = []
    found = run(verify(field * 30 + MAIL, now=1_700_000_100), ZONE, asked)
    assert [one.result for one in found] == ["pass"] * limits.DKIM_SIGNATURES
    assert len(asked) == 1


def test_asks_nothing_for_a_mail_without_signatures() -> None:
    asked: list[Question] = []
    assert run(verify(MAIL, now=0), ZONE, asked) == []
    assert not asked


def test_reads_rsa_keys_in_both_forms() -> None:
    inner = (
        KEYS["rsa"].public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    )
    text = "v=DKIM1; p=" + base64.b64encode(inner).decode()
    assert results(sign(MAIL), {"rsa._domainkey.example.org": {"TXT": [text]}}) == ["pass"]


def test_refuses_an_rsa_key_of_too_few_bits() -> None:
    # 512 bits, made once by openssl: our own tools make none so short.
    text = (
        "v=DKIM1; p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAPZhJ72kqLzU9Q/xt/gTYZ6iqhwM8YKl"
        "YXpOig2nxq+5SLYbPYgWDzvGiH1NvxQ+5Q8hNACFN3Whsg0sQU0I48UCAwEAAQ=="
    )
    (verdict,) = judged(sign(MAIL), {"rsa._domainkey.example.org": {"TXT": [text]}})
    assert (verdict.result, verdict.problem) == ("permerror", "its key has 512 bits")
