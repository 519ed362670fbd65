"""How deep JSON text is nested, told without building anything of it.

Bodies may be 32 MB of brackets sent in bad faith, so the work is linear and done by calls that
run over whole byte strings: strings are cut out, what is left is brackets, and those are counted
eight at a time. The text has to be valid JSON already.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from operator import add
from typing import Final

LIMIT: Final = 100
"""Levels of arrays and objects that a body may have."""

MANY: Final = 100_000
"""Arrays and objects (and strings with brackets) that one member may hold: what no conversation
needs, and what keeps the work on a hostile body within a fraction of a second."""

_SHORT: Final = 16_384
"""Brackets up to which peeling level by level is the cheaper way to tell the depth."""

_BRIEF: Final = 1024
"""Bytes up to which counting all brackets is cheaper than looking for one after the other."""

_OPEN_CLOSE: Final = bytes.maketrans(b"{}", b"[]")
_OTHERS: Final = bytes(set(range(256)) - set(b'"[]{}'))
_BITS: Final = bytes.maketrans(b"[]", b"10")


def is_excessive(text: bytes, limit: int = LIMIT) -> bool:
    """Whether ``text`` has more than ``limit`` levels, or more than ``MANY`` arrays and objects."""
    if has_at_most(limit, text):
        return False
    brackets = _brackets(text)
    if brackets is None or b"[" * (limit + 1) in brackets:
        return True
    if len(brackets) > _SHORT:
        return _depth(brackets) > limit
    for _ in range(limit):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")  # every deepest level, and only those
    return bool(brackets)


def is_crowded(text: bytes) -> bool:
    """Whether ``text`` has more than ``MANY`` arrays and objects; cheap for what has few."""
    return not has_at_most(MANY, text) and _brackets(text) is None


def has_at_most(limit: int, text: bytes) -> bool:
    """Whether ``text`` has no more than ``limit`` opening brackets, those in strings included.

    Then it is not nested deeper either, wherever one looks. It need not be JSON for this.
    """
    if len(text) <= _BRIEF:
        return text.count(b"[") + text.count(b"{") <= limit
    find = text.find
    for bracket in (b"[", b"{"):
        at = find(bracket)
        while at >= 0:
            limit -= 1
            if limit < 0:
                return False
            at = find(bracket, at + 1)
    return True


def _marks(text: bytes) -> bytes:
    """Quotes and brackets alone, all brackets spelled as square ones."""
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Two neighbouring quotes may go in any case: what is inside a string stays inside one.
    return text.translate(_OPEN_CLOSE, _OTHERS).replace(b'""', b"")


def _brackets(text: bytes) -> bytes | None:
    """The brackets outside strings, as square ones; ``None`` when there are too many."""
    marks = _marks(text)
    if marks.count(b'"') > MANY:
        return None
    brackets = b"".join(marks.split(b'"')[::2])
    return brackets if len(brackets) <= 2 * MANY else None


def _depth(brackets: bytes) -> int:
    size = -(-len(brackets) // 8)
    packed = int(brackets.translate(_BITS).ljust(size * 8, b"0"), 2).to_bytes(size, "big")
    before = accumulate(map(_RISE.__getitem__, packed), initial=0)
    peaks: Iterator[int] = map(add, before, map(_PEAK.__getitem__, packed))
    return max(peaks)


def _steps(byte: int) -> list[int]:
    """The depth after each of a byte's eight brackets (1 opens), counted from 0."""
    return list(accumulate(1 if byte >> bit & 1 else -1 for bit in range(7, -1, -1)))


_RISE: Final = [_steps(byte)[-1] for byte in range(256)]
_PEAK: Final = [max(_steps(byte)) for byte in range(256)]
