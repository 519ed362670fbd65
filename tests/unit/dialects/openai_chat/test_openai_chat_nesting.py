"""How deep JSON text is nested."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.dialects.nesting import MANY, is_crowded, is_excessive


def depth(value):
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0


words = st.text('[]{}"\\a:,\u044f', max_size=6)
values = st.recursive(
    words | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=40,
)


@settings(max_examples=200)
@given(values, st.integers(0, 8), st.booleans())
def test_the_levels_are_counted_exactly(value, limit, ascii_only):
    text = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert is_excessive(text, limit) is (depth(value) > limit)


@pytest.mark.parametrize("levels", [99, 100, 101, 5_000, 100_000])
@pytest.mark.parametrize(
    ("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"":', b"}]")]
)
def test_long_chains_are_told(levels, opening, closing):
    per_step = opening.count(b"[") + opening.count(b"{")
    text = opening * levels + b"0" + closing * levels
    assert is_excessive(text) is (levels * per_step > 100)


def test_a_wide_body_is_told_from_a_deep_one():
    chains = [b"[" * depth + b"]" * depth for depth in range(1, 100)]
    assert not is_excessive(b"[" + b",".join(chains * 5) + b"]")
    assert is_excessive(b"[" + b",".join([*chains * 5, b"[" * 100 + b"]" * 100]) + b"]")


def test_more_arrays_than_any_conversation_has_are_too_many():
    assert is_excessive(b"[" + b"[]," * MANY + b"[]]")
    assert is_excessive(b"[" + b'"[",[],' * MANY + b"[]]")
    assert is_crowded(b"[" + b"{}," * MANY + b"{}]")
    assert not is_crowded(b"[" + b"{}," * (MANY - 2) + b"{}]")
    assert not is_crowded(json.dumps(["{" * (2 * MANY)]).encode())


def test_brackets_in_strings_are_not_counted():
    assert not is_excessive(json.dumps(["[" * 10_000, '"' * 501, "\\" * 501, "{"]).encode(), 1)
