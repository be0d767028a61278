"""What readers are told, and whose word it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailcore import limits
from mailcore.senderauth import authres
from mailcore.senderauth.arc import ARC
from mailcore.senderauth.dkim_verify import Signature
from mailcore.senderauth.dmarc import DMARC
from mailcore.senderauth.iprev import IPRev
from mailcore.senderauth.sender import Verdict
from mailcore.senderauth.spf import SPF

VERDICT = Verdict(
    mail_from="ann@example.org",
    helo_name="mx.example.org",
    peer="192.0.2.7",
    spf=SPF("pass", "example.org", "mailfrom"),
    helo=SPF("none", "mx.example.org", "helo"),
    signatures=(
        Signature("pass", "example.org", "k1", "@example.org", "ed25519-sha256"),
        Signature("fail", "list.test", "s", "@list.test", "rsa-sha256", problem="the body was changed"),
    ),
    iprev=IPRev("pass", "mx.example.org"),
    authors=("example.org",),
    dmarc=DMARC("fail", "example.org", "reject", "example.org", "example.org"),
)


def test_writes_a_line_for_each_result() -> None:
    assert authres.field("mx.test", VERDICT).decode() == (
        "Authentication-Results: mx.test;\r\n"
        "\tdkim=pass header.d=example.org header.s=k1 header.a=ed25519-sha256;\r\n"
        '\tdkim=fail reason="the body was changed" header.d=list.test header.s=s header.a=rsa-sha256;\r\n'
        "\tspf=pass smtp.mailfrom=ann@example.org;\r\n"
        "\tspf=none smtp.helo=mx.example.org;\r\n"
        "\tdmarc=fail header.from=example.org policy.dmarc=reject;\r\n"
        "\tiprev=pass policy.iprev=192.0.2.7 (mx.example.org)\r\n"
    )


def test_tells_what_came_of_a_chain() -> None:
    def line(chain: ARC) -> bytes:
        return authres.field("mx.test", replace(VERDICT, arc=chain))

    assert b"\tarc=pass (i=3) header.oldest-pass=2;\r\n" in line(ARC("pass", 3, oldest_pass=2))
    assert b'\tarc=fail reason="a set is not whole";\r\n' in line(
        ARC("fail", 2, problem="a set is not whole")
    )
    assert b"\tarc=" not in line(ARC("none"))
    assert b"\tarc=" not in line(ARC("temperror", 1))


def test_says_none_for_what_is_not_there() -> None:
    bare = replace(VERDICT, signatures=(), helo=None, dmarc=None, iprev=IPRev("permerror"))
    text = authres.field("mx.test", bare).decode()
    assert "\tdkim=none;" in text
    assert '\tdmarc=permerror reason="no author that can be judged";' in text
    assert text.endswith("\tiprev=permerror policy.iprev=192.0.2.7\r\n")


@pytest.mark.parametrize(
    "name", ['a"; dkim=pass', "a\r\nX: y", "a (", "\\", "a b", "ä@example.org", "x" * 5000, "a;dkim=pass"]
)
def test_lets_no_stranger_out_of_their_value(name: str) -> None:
    forged = replace(
        VERDICT,
        mail_from=name,
        helo_name=name,
        iprev=IPRev("fail", name),
        spf=SPF("temperror", name, "mailfrom", problem=name),
    )
    octets = authres.field("mx.test", forged)
    text = octets.decode()
    assert text.count("\r\n") == 7 == text.count(";\r\n\t") + 1
    assert all(line.startswith(("\t", "Authentication-Results:")) for line in text.split("\r\n")[:-1])
    bare = "".join(piece for number, piece in enumerate(text.split('"')) if number % 2 == 0)
    assert bare.count("dkim=pass") == 1
    assert bare.count("(") <= 1


def test_leaves_out_the_last_signatures_of_too_many() -> None:
    long = Signature("permerror", "d" * 253, "s" * 253, problem="p" * 200)
    octets = authres.field("mx.test", replace(VERDICT, signatures=(VERDICT.signatures[0], *[long] * 9)))
    assert len(octets) <= limits.AUTHRES_OCTETS
    assert b"dkim=pass" in octets
    assert b"dmarc=fail" in octets


@pytest.mark.parametrize(
    "value",
    [
        b"mx.test; dkim=pass", b"MX.Test 1; dkim=pass", b"\r\n\tmx.test; spf=pass", b'"mx.test"; x=y',
        b"(a (nested) \\) one) mx.test; x=y", b"mx.test", b"mx.test.; x=y", b'"mx\\.test"; x=y',
        b"mx.test(c)",
    ],
)  # fmt: skip
def test_knows_our_name_however_it_is_written(value: bytes) -> None:
    assert authres.names(b"Authentication-Results: " + value + b"\r\n", "mx.test")


@pytest.mark.parametrize(
    "value",
    [b"amx.test; x=y", b"mx.test.example; x=y", b"other; mx.test=pass", b"(mx.test) other; x", b"", b"("],
)
def test_leaves_the_words_of_others(value: bytes) -> None:
    assert not authres.names(b"Authentication-Results: " + value + b"\r\n", "mx.test")
