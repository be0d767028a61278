"""A mail as signatures see it. (What is canonical is judged in test_dkim_verify and test_arc, by vectors.)"""

from __future__ import annotations

import hashlib

import pytest

from mailcore import limits
from mailcore.senderauth.dkim_tags import Broken
from mailcore.senderauth.signed import Mail, without_b

RAW = b"A: 1\r\nB : 2\r\n folded\r\na: 3\r\nno field\r\n\r\nText  here \r\n\r\n\r\n"


def test_finds_fields_from_the_top_down() -> None:
    mail = Mail(RAW)
    assert mail.of(b"a") == [(b"A", b" 1"), (b"a", b" 3")]
    assert mail.of(b"b") == [(b"B ", b" 2\r\n folded")]
    assert mail.of(b"c") == []


@pytest.mark.parametrize("raw", [b"", b"\r\n", b"\r\nbody\r\n", b"A: 1", b"A: 1\r\n"])
def test_reads_what_has_no_header_or_no_body(raw: bytes) -> None:
    assert Mail(raw).body_octets(relaxed=True) == (6 if b"body" in raw else 0)


def test_hashes_the_body_both_ways() -> None:
    mail = Mail(RAW)
    assert mail.body_hash(relaxed=True) == hashlib.sha256(b"Text here\r\n").digest()
    assert mail.body_hash(relaxed=False) == hashlib.sha256(b"Text  here \r\n").digest()
    assert mail.body_hash(relaxed=True, length=4) == hashlib.sha256(b"Text").digest()


def test_hashes_a_bounded_number_of_times() -> None:
    mail = Mail(RAW)
    for length in range(limits.DKIM_BODY_HASHES):
        mail.body_hash(relaxed=True, length=length)
    mail.body_hash(relaxed=True, length=0)
    with pytest.raises(Broken):
        mail.body_hash(relaxed=True, length=9)


def test_takes_fields_from_the_bottom_up_and_none_twice() -> None:
    octets = Mail(RAW).signed([b"a", b"a", b"a", b"b"], (b"S", b" x=1; b=abc"), relaxed=True)
    assert octets == b"a:3\r\na:1\r\nb:2 folded\r\ns:x=1; b="


def test_knows_an_empty_signature() -> None:
    assert without_b(b" b=\r\n abc; bh=b") == b" b=; bh=b"
