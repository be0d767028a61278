import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcore.errors import BadSyntax
from mailcore.imap.wire.grammar import Cursor
from mailcore.imap.wire.partial import partial


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 8))
def test_counts_from_either_end(one, other, count):
    things = list(range(1, count + 1))
    low, high = sorted((one, other))
    assert things[slice(*partial(Cursor(b" %d:%d" % (one, other))).within(count))] == things[low - 1 : high]
    backwards = [thing for thing in things if low <= count - thing + 1 <= high]
    assert things[slice(*partial(Cursor(b" -%d:-%d" % (one, other))).within(count))] == backwards


@pytest.mark.parametrize("text", [b"", b"1:2", b" 1", b" 0:1", b" 1:-2", b" -1:2", b" 1:*", b" 1:4294967296"])
def test_refuses_what_is_no_range(text):
    with pytest.raises(BadSyntax):
        partial(Cursor(text))
