import pytest

from mailcore.errors import BadValue
from mailcore.message import flags
from mailcore.models import EVERY_RIGHT, Right
from mailcore.services import rights
from mailcore.services.rights import from_letters, letters


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("lr", "lr"),
        ("rl", "lr"),
        ("d", "ted"),
        ("c", "kxc"),
        ("k", "kc"),
        ("lrswipkxtea", "lrswipkxteacd"),
        ("", ""),
    ],
)
def test_reads_and_writes_rights(given, kept):
    assert letters(from_letters(given)) == kept


@pytest.mark.parametrize("wrong", ["q", "L", "0", " ", "l r"])
def test_knows_no_other_right(wrong):
    with pytest.raises(BadValue):
        from_letters(wrong)


def test_flags_follow_rights():
    assert rights.flags_of(EVERY_RIGHT) == flags.ALL
    assert rights.flags_of(Right.SEEN | Right.DELETE) == flags.SEEN | flags.DELETED
    assert rights.flags_of(Right.WRITE) == flags.ANSWERED | flags.FLAGGED | flags.DRAFT
    assert rights.flags_of(Right.INSERT | Right.READ) == 0


def test_has_three_words_for_people():
    assert [letters(meant) for meant in rights.WORDS.values()] == ["lr", "lrswipted", "lrswipkxteacd"]
    assert [rights.word_of(meant) for meant in rights.WORDS.values()] == ["read", "edit", "manage"]
    assert rights.word_of(Right.LOOKUP) == ""
