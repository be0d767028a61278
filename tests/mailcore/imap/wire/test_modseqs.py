import pytest

from mailcore.errors import BadSyntax
from mailcore.imap.wire import modseqs, parser
from mailcore.imap.wire.grammar import Cursor
from mailcore.imap.wire.keys import And, ChangedFrom, HasFlag
from mailcore.imap.wire.receiver import Received
from mailcore.imap.wire.values import Resync


def parse(text: bytes):
    return parser.parse(Received(text))


def test_reads_a_modseq():
    assert modseqs.modseq(Cursor(b" 0")) == 0
    assert modseqs.modseq(Cursor(b" 9223372036854775807")) == 2**63 - 1
    for text in (b"1", b" ", b" x", b" 9223372036854775808", b"  1"):
        with pytest.raises(BadSyntax):
            modseqs.modseq(Cursor(text))


@pytest.mark.parametrize(
    "text", [b" 620", b' "/flags/\\\\draft" all 620', b' "/flags/$Work" PRIV 620', b' "/flags/x" shared 620']
)
def test_a_flag_may_be_named_in_a_search(text):
    assert modseqs.search_modseq(Cursor(text)) == 620


@pytest.mark.parametrize(
    "text",
    [b' "/flags/" all 1', b' "/flags/x" 1', b' "/x/y" all 1', b' "/flags/x" none 1', b' "/flags/x all 1'],
)
def test_refuses_what_names_no_flag(text):
    with pytest.raises(BadSyntax):
        modseqs.search_modseq(Cursor(text))


def test_has_its_place_in_commands():
    assert parse(b"a SELECT x (CONDSTORE)").parameters == (("CONDSTORE", None),)
    assert parse(b"a FETCH 1 FLAGS (CHANGEDSINCE 7)").modifiers == (("CHANGEDSINCE", 7),)
    assert parse(b"a STORE 1 (unchangedsince 0) FLAGS x").modifiers == (("UNCHANGEDSINCE", 0),)
    assert parse(b"a SEARCH SEEN MODSEQ 7").key == And((HasFlag("\\Seen"), ChangedFrom(7)))
    assert parse(b"a STATUS x (HIGHESTMODSEQ)").items == ("HIGHESTMODSEQ",)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (b" (7 12)", Resync(7, 12)),
        (b" (7 12 41:211,3)", Resync(7, 12, ((3, 3), (41, 211)))),
        (b" (7 12 (1,3 5,9))", Resync(7, 12, None, (((1, 1), (3, 3)), ((5, 5), (9, 9))))),
        (b" (7 12 1:9 (1:2,5 5,9:10))", Resync(7, 12, ((1, 9),), (((1, 2), (5, 5)), ((5, 5), (9, 10))))),
    ],
)
def test_reads_what_a_client_knows(text, meant):
    assert parse(b"a SELECT x (QRESYNC%b)" % text).parameters == (("QRESYNC", meant),)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" 7 12",
        b" (7)",
        b" (7 x)",
        b" (7 12 )",
        b" (7 12 1:*)",
        b" (7 12 *)",
        b" (7 12 $)",
        b" (7 12 1:9 2:3)",
        b" (7 12 ())",
        b" (7 12 (1))",
        b" (7 12 (1 2,3))",  # not as many
        b" (7 12 (3,1 5,9))",  # not ascending
        b" (7 12 (1,3 9,5))",
        b" (7 12 (1,1:2 3,4:5))",
        b" (7 12 (2:1 4:5))",
        b" (7 12 (1:* 4:5))",
        b" (7 12 (1 4) 1:9)",
    ],
)
def test_refuses_what_no_client_can_know(text):
    with pytest.raises(BadSyntax):
        parse(b"a SELECT x (QRESYNC%b)" % text)
