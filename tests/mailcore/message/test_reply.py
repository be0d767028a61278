"""Who is answered, under which subject, in which thread, with which words."""

from __future__ import annotations

import datetime as dt

import pytest

from mailcore import limits
from mailcore.message import compose, display, fields, reply

OWN = {"me@example.org", "Alias@example.org"}


def mail(extra: str = "", *, author: str = "Zoë <zoe@x.example>", to: str = "Me <me@example.org>", body: str = "Hi\n") -> bytes:  # fmt: skip  # noqa: E501
    return (
        f"From: {author}\nTo: {to}\nSubject: Plan\nDate: Tue, 24 Nov 2026 10:00:00 +0100\nMessage-ID: <m@x>\n"
        f"Content-Type: text/plain; charset=utf-8\n{extra}\n{body}"
    ).encode()


def answer(raw: bytes, *, to_all: bool = False) -> reply.Prepared:
    return reply.reply(display.read(raw), to_all=to_all, own_addresses=OWN)


def addresses(people: list[tuple[str, str]]) -> list[str]:
    return [address for _, address in people]


@pytest.mark.parametrize(
    ("raw", "to", "cc"),
    [
        (mail(), ["zoe@x.example"], []),
        (mail("Reply-To: list@x.example\n"), ["list@x.example"], ["me@example.org"]),
        (mail("Cc: c@x.example, ALIAS@Example.ORG, d@x.example\n", to="me@example.org, b@x.example"),
         ["zoe@x.example"], ["b@x.example", "c@x.example", "d@x.example"]),
        (mail("Cc: zoe@x.example, b@x.example, B@X.example\n", to="me+tag@example.org"),
         ["zoe@x.example"], ["b@x.example"]),
        (mail("Cc: c@x.example\n", author="me@example.org", to="b@x.example"), ["b@x.example"], ["c@x.example"]),  # noqa: E501
        (mail(author="me@example.org", to="me@example.org"), ["me@example.org"], []),
        (mail(to="undisclosed-recipients:;"), ["zoe@x.example"], []),
        (mail(author="a@x.example, b@x.example"), ["a@x.example", "b@x.example"], []),
    ],
)  # fmt: skip
def test_answers_everybody_but_ourselves(raw: bytes, to: list[str], cc: list[str]) -> None:
    prepared = answer(raw, to_all=True)
    assert addresses(prepared.to) == to
    assert [one for one in addresses(prepared.cc) if one != "me@example.org"] == [
        c for c in cc if c != "me@example.org"
    ]  # noqa: E501
    assert "me@example.org" not in addresses(prepared.cc)
    assert addresses(answer(raw).to) == to
    assert answer(raw).cc == []


def test_keeps_the_names() -> None:
    assert answer(mail()).to == [("Zoë", "zoe@x.example")]


def test_has_nobody_to_answer_when_nobody_wrote() -> None:
    prepared = answer(b"Subject: x\r\n\r\nHi\r\n", to_all=True)
    assert (prepared.to, prepared.cc, prepared.in_reply_to, prepared.references) == ([], [], None, [])
    assert prepared.text.startswith("somebody wrote:")


@pytest.mark.parametrize(
    ("subject", "answered"),
    [
        ("Plan", "Re: Plan"),
        ("Re: Plan", "Re: Plan"),
        ("RE: re: AW: Antw: Re[2]: SV: Plan", "Re: Plan"),
        ("Re : Plan", "Re: Plan"),
        ("回复：Plan", "Re: Plan"),
        ("Fwd: Plan", "Re: Fwd: Plan"),
        ("Research: x", "Re: Research: x"),
        ("", "Re: "),
        ("Re:", "Re: "),
    ],
)
def test_writes_re_once(subject: str, answered: str) -> None:
    assert reply.reply_subject(subject) == answered
    assert reply.reply_subject(answered) == answered


@pytest.mark.parametrize(
    ("subject", "forwarded"),
    [
        ("Plan", "Fwd: Plan"),
        ("FW: Fwd: WG: Plan", "Fwd: Plan"),
        ("Re: Plan", "Fwd: Re: Plan"),
        ("Fwd", "Fwd: Fwd"),
    ],
)
def test_writes_fwd_once(subject: str, forwarded: str) -> None:
    assert reply.forward_subject(subject) == forwarded
    assert reply.forward_subject(forwarded) == forwarded


@pytest.mark.parametrize(
    ("extra", "references"),
    [
        ("", ["m@x"]),
        ("References: <a@x> <b@x>\n", ["a@x", "b@x", "m@x"]),
        ("In-Reply-To: <p@x>\n", ["p@x", "m@x"]),
        ("In-Reply-To: <p@x> <q@x>\n", ["m@x"]),
        ("References: <a@x> junk <b@x> <a@x>\n", ["a@x", "b@x", "m@x"]),
    ],
)
def test_continues_the_thread(extra: str, references: list[str]) -> None:
    prepared = answer(mail(extra))
    assert prepared.in_reply_to == "m@x"
    assert prepared.references == references


def test_keeps_the_first_and_the_last_of_many_references() -> None:
    many = " ".join(f"<{n}@x>" for n in range(90))
    prepared = answer(mail(f"References: {many}\n"))
    assert len(prepared.references) == limits.REPLY_REFERENCES
    assert prepared.references[0] == "0@x"
    assert prepared.references[-2:] == ["89@x", "m@x"]


def test_quotes() -> None:
    zone = dt.timezone(dt.timedelta(hours=1))
    raw = mail(body="One\n> two\n\nthree\n\n-- \nZoë\n")
    assert reply.reply(display.read(raw), to_all=False, own_addresses=OWN, zone=zone).text == (
        "On 2026-11-24 at 10:00, Zoë <zoe@x.example> wrote:\n> One\n>> two\n>\n> three\n"
    )


def test_quotes_no_more_than_a_person_reads() -> None:
    text = reply.quote("x" * 1_000_000, "A", None)
    assert len(text) < limits.QUOTE_CHARS + 100
    assert text.endswith("[...]\n")


def test_forwards_with_who_wrote_it() -> None:
    prepared = reply.forward(display.read(mail("Cc: c@x.example\n")))
    assert prepared.subject == "Fwd: Plan"
    assert (prepared.to, prepared.cc, prepared.in_reply_to) == ([], [], None)
    for line in (
        "From: Zoë <zoe@x.example>",
        "Date: 2026-11-24 at 09:00",
        "To: Me <me@example.org>",
        "Cc: c@x.example",
        "Hi",
    ):  # noqa: E501
        assert line in prepared.text.split("\n")


@pytest.mark.parametrize(
    "date", ["Tue, 24 Nov 9999 23:59:59 -1200", "nonsense", "1 Jan 0001 00:00:00 +1200", ""]
)
def test_takes_any_date(date: str) -> None:
    raw = mail().replace(b"Tue, 24 Nov 2026 10:00:00 +0100", date.encode())
    assert "wrote:" in answer(raw).text
    assert reply.forward(display.read(raw)).text


def test_makes_a_mail_that_threads() -> None:
    prepared = answer(mail("References: <a@x>\n"))
    raw = compose.build(
        compose.Draft(
            author=("", "me@example.org"),
            to=prepared.to,
            subject=prepared.subject,
            text=f"Yes\n\n{prepared.text}",
            message_id="n@example.org",
            date=dt.datetime(2026, 11, 24, tzinfo=dt.UTC),
            in_reply_to=prepared.in_reply_to,
            references=prepared.references,
        )
    )
    assert fields.get(raw, "in-reply-to") == "<m@x>"
    assert fields.get(raw, "references") == "<a@x> <m@x>"
    assert display.read(raw).references == ["a@x", "m@x"]
