"""What a person types or pastes becomes what is looked for."""

import pytest

from mailcore.message import clues
from mailcore.message.clues import Clues

HEADER = """\
Return-Path: <a@b.test>
Received: from mx.other.test ([192.0.2.7])
\tby mail.acme.test with ESMTPS id abcdefgh234567qr (using TLSv1.3)
\tfor <bea@acme.test>;
\tTue, 24 Nov 2026 10:00:00 +0000
Received: from x by mx.other.test with ESMTP id 4XyZ1234abcdefgh; Tue, 24 Nov 2026
Message-ID: <one@b.test>
Subject: lunch id zzzzzzzzzzzzzzzz.example
References: <other@b.test>
"""
FOUND = Clues(ids=("abcdefgh234567qr",), message_ids=("one@b.test",))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Clues()),
        ("  ", Clues()),
        ("abcdefgh234567qr", Clues(ids=("abcdefgh234567qr",))),
        ("abcdefgh234567qr/2", Clues(ids=("abcdefgh234567qr",))),
        ("Bea@Acme.test", Clues(message_ids=("Bea@Acme.test",), addresses=("Bea@Acme.test",))),
        ("<1@b.test>", Clues(message_ids=("1@b.test",), addresses=("1@b.test",))),
        ("Lunch on FRIDAY", Clues(words=("lunch", "on", "friday"))),
        ("received: nothing here", Clues(words=("received:", "nothing", "here"))),
        ("Message-ID: <x@y.test>", Clues(message_ids=("x@y.test",))),
        (HEADER, FOUND),
        (HEADER.replace("\n", " "), FOUND),
        (HEADER.replace("\n", "\r\n"), FOUND),
    ],
)
def test_reads_what_people_type(text, expected):
    assert clues.read(text) == expected
    assert expected.is_empty == (not text.strip())


def test_looks_at_a_limited_part_of_what_is_pasted():
    text = "".join(
        f"Received: by us id {number:016d}".replace("0", "a").replace("1", "b") + "\n" for number in range(9)
    )
    assert len(clues.read(f"Message-ID: <1@b.test>\n{text}" * 10_000).ids) <= 20
    assert clues.read("x" * 10_000_000).words == ("x" * 65536,)
