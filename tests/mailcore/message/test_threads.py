import random

import pytest

from mailcore import limits
from mailcore.imap.wire import responses
from mailcore.message import threads
from mailcore.message.threads import Mail


def mail(own: str = "", *references: str, sent: int = 0, subject: str = "", reply: bool = False) -> Mail:
    return Mail(own.encode(), [each.encode() for each in references], sent, subject, reply)


def drawn(forest: threads.Forest, count: int) -> str:
    return responses.thread(forest.roots, forest.children, range(1, count + 1)).decode()[9:-2]


def referenced(*mails: Mail) -> str:
    steps = threads.by_references(mails)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return drawn(stop.value, len(mails))


def test_takes_the_subject_for_the_thread():
    mails = [
        mail(sent=sent, subject=subject)
        for sent, subject in ((9, "B"), (1, "A"), (5, "B"), (7, "A"), (8, "A"), (3, ""))
    ]
    assert drawn(threads.by_subject(mails), 6) == "(2 (4)(5))(6)(3 1)"
    assert drawn(threads.by_subject([]), 0) == ""


@pytest.mark.parametrize(
    ("mails", "expected"),
    [
        ([], ""),
        ([mail("a"), mail("b", "a"), mail("c", "a", "b")], "(1 2 3)"),
        # In whatever order they came.
        ([mail("c", "a", "b"), mail("b", "a"), mail("a")], "(3 2 1)"),
        ([mail("a"), mail("b", "a", sent=2), mail("c", "a", sent=1)], "(1 (3)(2))"),
        # 1.A: links there already stay; a mail's own word about its parent counts more.
        ([mail("c", "a", "b"), mail("b", "x"), mail("a")], "(2 1)(3)"),
        # 3: who is missing is left out, in the middle and at the top with one child, but not with more.
        ([mail("a"), mail("c", "a", "b")], "(1 2)"),
        ([mail("b", "a")], "(1)"),
        ([mail("b", "a"), mail("c", "a")], "((1)(2))"),
        ([mail("d", "a", "b"), mail("e", "a", "c")], "((1)(2))"),
        ([mail("b", "a", sent=3), mail("c", "a", sent=2), mail("z", sent=1)], "(3)((2)(1))"),
        # Loops are no threads.
        ([mail("a", "a")], "(1)"),
        ([mail("a", "b"), mail("b", "a")], "(2 1)"),
        ([mail("a", "b", "c"), mail("b", "c", "a"), mail("c", "a", "b")], "(2 3 1)"),
        # Of several with one id the first has it; those without one are somebody, too.
        ([mail("a"), mail("a"), mail("b", "a"), mail(""), mail("")], "(1 3)(2)(4)(5)"),
        # 4, 6: by date, then by number.
        ([mail("a", sent=3), mail("b", sent=1), mail("c", sent=1)], "(2)(3)(1)"),
        # 5: one subject is one thread: a reply below what it answers,
        ([mail("a", subject="S"), mail("b", subject="S", reply=True, sent=1)], "(1 2)"),
        ([mail("b", subject="S", reply=True), mail("a", subject="S", sent=1)], "(2 1)"),
        # two of a kind beside each other,
        ([mail("a", subject="S"), mail("b", subject="S", sent=1)], "((1)(2))"),
        ([mail("a", subject="S"), mail("b", subject="S"), mail("c", subject="S", reply=True)], "((1)(2)(3))"),
        ([mail("a", subject="S", reply=True), mail("b", subject="S", reply=True)], "((1)(2))"),
        # and with those who have no root: one, and two.
        ([mail("a", "x", subject="S"), mail("b", "x", subject="S"), mail("c", subject="S")], "((1)(2)(3))"),
        (
            [mail(own, top, subject="S", sent=at) for at, (own, top) in enumerate(("ax", "by", "cx", "dy"))],
            "((1)(2)(3)(4))",
        ),
        ([mail("a", subject=""), mail("b", subject="")], "(1)(2)"),
    ],
)  # fmt: skip
def test_follows_references(mails, expected):
    assert referenced(*mails) == expected


def test_reads_ids_from_headers():
    header = b"References: <a@x> junk <b@x>\r\n <a@x>\r\nMessage-ID: <o@x>\r\nIn-Reply-To: <c@x>\r\n\r\n"
    assert threads.ids_of(header) == (b"o@x", [b"a@x", b"b@x"])
    assert threads.ids_of(b"References: none\r\nIn-Reply-To: you <c@x> and <d@x>\r\n\r\n") == (b"", [b"c@x"])
    assert threads.ids_of(b'Message-Id: <"a\\"b"@x>\r\nReferences: <"c"@x>\r\n\r\n') == (b'a"b@x', [b"c@x"])
    assert threads.ids_of(b"") == (b"", [])


def test_keeps_the_first_and_the_newest_of_too_many_ids():
    _, found = threads.ids_of(b"References: " + b"".join(b"<%d>" % n for n in range(1000)) + b"\r\n\r\n")
    assert found[0] == b"0"
    assert found[-1] == b"999"
    assert len(found) == limits.REFERENCES


@pytest.mark.parametrize("order", ["first to last", "last to first", "mixed"])
def test_follows_a_conversation_of_ten_thousand(order):
    ids = [str(number) for number in range(10_000)]
    mails = [mail(own, *ids[max(0, at - 10) : at], sent=at) for at, own in enumerate(ids)]
    if order == "last to first":
        mails.reverse()
    elif order == "mixed":
        random.Random(1).shuffle(mails)
    numbers = {each.message_id: number for number, each in enumerate(mails, 1)}
    assert referenced(*mails) == "(" + " ".join(str(numbers[own.encode()]) for own in ids) + ")"


def test_gives_up_looking_for_loops_rather_than_look_for_ever(monkeypatch):
    monkeypatch.setattr(limits, "IMAP_THREAD_STEPS", 1)
    found = referenced(*[mail(str(at), str(at + 1)) for at in range(9)], mail("9", "0"))
    assert sorted(found.replace("(", " ").replace(")", " ").split()) == sorted(map(str, range(1, 11)))
