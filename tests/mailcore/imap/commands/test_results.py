"""RETURN options: only what was asked, and nothing but the count of nothing."""

import pytest

from mailcore.imap.commands import results


@pytest.mark.parametrize(
    ("wanted", "numbers", "said"),
    [
        ((), [2, 3, 7], b" ALL 2:3,7"),
        (("MIN",), [2, 3, 7], b" MIN 2"),
        (("MAX", "MIN"), [2, 3, 7], b" MIN 2 MAX 7"),
        (("COUNT", "ALL"), [5], b" COUNT 1 ALL 5"),
        (("MIN", "MAX", "ALL"), [], b""),
        ((), [], b""),
        (("COUNT",), [], b" COUNT 0"),
        (("MIN", "MAX", "ALL"), [9, 4, 5, 1], b" MIN 9 MAX 1 ALL 9,4:5,1"),
    ],
)
def test_says_what_is_wanted(wanted, numbers, said):
    returns = tuple((name, None) for name in wanted)
    assert results.answer(b"a7", returns, numbers, uid=False) == b'* ESEARCH (TAG "a7")' + said + b"\r\n"
    assert results.answer(b"a7", returns, numbers, uid=True) == b'* ESEARCH (TAG "a7") UID' + said + b"\r\n"


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("MIN",), [2]),
        (("MAX",), [9]),
        (("MAX", "MIN"), [2, 9]),
        (("MIN", "COUNT"), [2, 4, 9]),
        ((), [2, 4, 9]),
    ],
)
def test_what_is_returned_decides_whose_modseq_is_told(names, found):
    """RFC 4731 §3.2."""
    assert list(results.returned(tuple((name, None) for name in names), [2, 4, 9])) == found
    assert list(results.returned(tuple((name, None) for name in names), [])) == []
    assert results.returned(None, [2, 4, 9]) == [2, 4, 9]


def test_modseq_stands_last():
    said = results.answer(b"a", (("ALL", None), ("COUNT", None)), [1, 2], uid=False, modseq=7)
    assert said == b'* ESEARCH (TAG "a") COUNT 2 ALL 1:2 MODSEQ 7\r\n'


def test_what_is_both_ends_is_there_once():
    assert list(results.returned((("MIN", None), ("MAX", None)), [3])) == [3]
