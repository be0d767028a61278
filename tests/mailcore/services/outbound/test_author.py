"""From is one plain address of the sender's own, or the mail does not leave."""

import time

import pytest

from mailcore.errors import BadHeader, NotYours
from mailcore.services.outbound import author

MINE = {"alice@acme.test", "al@acme.test"}


def may(address: str) -> bool:
    return address.lower() in MINE


def check(value: bytes, *more: bytes):
    return author.check(b"".join([b"From: ", value, b"\r\n", *more, b"To: x@y.test\r\n\r\nbody\r\n"]), may)


@pytest.mark.parametrize(
    "value",
    [
        b"alice@acme.test",
        b"<alice@acme.test>",
        b"Alice Archer <alice@acme.test>",
        b"J. R. Archer <alice@acme.test>",
        b'"Archer, Alice" <alice@acme.test>',
        b'"al@acme.test" <alice@acme.test>',
        b"=?utf-8?q?Al=C3=ADce?= <alice@acme.test>",
        "Alíce <alice@acme.test>".encode(),
        b"Alice (sales) <alice@acme.test>",
        b"alice@acme.test (Alice)",
        b"Alice\r\n\t<alice@acme.test>",
        b"ALICE@ACME.TEST",
        b"Alice | Acme <alice@acme.test>",
        b"Alice at Acme <alice@acme.test>",
    ],
)
def test_takes_one_own_author(value):
    assert str(check(value)).lower() == "alice@acme.test"


@pytest.mark.parametrize(
    "value",
    [
        b"bob@acme.test",
        b"Alice <bob@acme.test>",
        b'"ceo@bank.test" <alice@acme.test>',
        b"=?utf-8?q?ceo=40bank.test?= <alice@acme.test>",
        "ceo＠bank.test <alice@acme.test>".encode(),
        b"(ceo@bank.test) <alice@acme.test>",
        b"alice@acme.test (ceo@bank.test)",
        b'"CEO <ceo@bank.test>" <alice@acme.test>',
        b"=?utf-8?q?alice?=@acme.test",
    ],
)
def test_refuses_an_author_or_a_name_of_somebody_else(value):
    with pytest.raises(NotYours):
        check(value)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"alice",
        b"<>",
        b"alice@acme.test, bob@acme.test",
        b"alice@acme.test, al@acme.test",
        b"Friends: alice@acme.test;",
        b"<@evil.test:alice@acme.test>",
        b"Alice <alice@acme.test> <bob@evil.test>",
        b"bob@evil.test <alice@acme.test>",
        b"alice@acme.test <bob@evil.test>",
        b"alice(comment)@acme.test",
        b"alice@acme.test (a (nested) comment)",
        b"alice@[192.0.2.1]",
        b"=?utf-8?q?alice=40acme.test?=",
        b"A\xff <alice@acme.test>",
        b"alice@acme.test\0",
        b'"unfinished <alice@acme.test>',
    ],
)
def test_refuses_what_can_be_read_in_two_ways(value):
    with pytest.raises(BadHeader):
        check(value)


def test_refuses_a_second_from_however_it_is_written():
    for second in (b"From: alice@acme.test\r\n", b"FROM : bob@evil.test\r\n", b"from:\r\n x@y.z\r\n"):
        with pytest.raises(BadHeader):
            check(b"alice@acme.test", second)


def test_refuses_a_mail_without_author():
    with pytest.raises(BadHeader):
        author.check(b"Subject: x\r\n\r\nFrom: alice@acme.test\r\n", may)


def test_refuses_a_line_that_is_no_field():
    """Some readers end the header there: what follows is body to them, and header to others."""
    with pytest.raises(BadHeader):
        author.check(b"Subject: x\r\nno field\r\nFrom: alice@acme.test\r\n\r\n", may)
    with pytest.raises(BadHeader):
        author.check(b"From alice Tue Nov 24\r\nFrom: alice@acme.test\r\n\r\n", may)


@pytest.mark.parametrize("name", [b"Sender", b"Resent-From", b"Resent-Sender"])
def test_holds_the_other_originators_to_the_same(name):
    assert check(b"alice@acme.test", name + b": al@acme.test\r\n")
    with pytest.raises(NotYours):
        check(b"alice@acme.test", name + b": bob@evil.test\r\n")


def test_refuses_two_senders():
    with pytest.raises(BadHeader):
        check(b"alice@acme.test", b"Sender: al@acme.test\r\nSender: al@acme.test\r\n")


@pytest.mark.parametrize(
    "value",
    [b'"' * 100_000, b"(" * 100_000, b"a " * 50_000, b"a@" * 50_000, b"<a@" * 30_000, b'"' + b"a" * 200_000],
)
def test_is_linear(value):
    started = time.perf_counter()
    with pytest.raises((BadHeader, NotYours)):
        check(value)
    with pytest.raises((BadHeader, NotYours)):
        check(value + b'" <alice@acme.test>x')
    assert time.perf_counter() - started < 10
