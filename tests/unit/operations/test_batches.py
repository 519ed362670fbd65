"""How the inputs of one request are split."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dragoman.operations.embeddings import _size, in_batches

INPUTS = st.lists(
    st.text(min_size=1, max_size=30) | st.lists(st.integers(0, 9), min_size=1), min_size=1
)


@given(INPUTS, st.integers(1, 10), st.integers(1, 60))
def test_nothing_is_lost_and_the_bounds_hold(inputs, most, most_bytes):
    batches = list(in_batches(inputs, most, most_bytes))
    assert [each for _, batch in batches for each in batch] == inputs
    at = 0
    for first, batch in batches:
        assert first == at
        at += len(batch)
        assert 1 <= len(batch) <= most
        assert len(batch) == 1 or sum(map(_size, batch)) <= most_bytes
    for (_, batch), (_, following) in pairwise(batches):
        is_full = len(batch) == most
        assert is_full or sum(map(_size, batch)) + _size(following[0]) > most_bytes


def test_three_thousand_short_texts():
    batches = list(in_batches(["text"] * 3000, 64, 120_000))
    assert len(batches) == 47
    assert batches[-1][0] == 46 * 64
