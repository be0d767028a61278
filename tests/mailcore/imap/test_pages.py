from hypothesis import given
from hypothesis import strategies as st

from mailcore.imap import pages

slices = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4)), max_size=5).map(
    lambda pairs: [(20 * at + low, 20 * at + low + count) for at, (low, count) in enumerate(pairs)]
)


@given(slices, st.integers(0, 30), st.integers(0, 30))
def test_a_part_is_what_stands_there(slices, first, stop):
    places = [at for low, high in slices for at in range(low, high)]
    found = pages.part(slices, first, stop)
    assert [at for low, high in found for at in range(low, high)] == places[first:stop]
