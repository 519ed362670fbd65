"""What the events of a stream have in common, to tell more of the same at a glance.

While a model talks, its events differ in one string (with OpenAI's padding in two). ``Stencil``
is made of one event that was looked through and holds the bytes around these strings. A block
that is nothing but these bytes, with strings between them, says what the first event said in
other words: no counts, no error, no end. One search tells, where otherwise each of a dozen words
has to be looked for.
"""

from __future__ import annotations

from typing import Final

_VARYING: Final = (b'"content":"', b'"obfuscation":"')


_QUOTE: Final = 0x22
_MARK: Final = 20
"""Bytes that are enough to find where fixed ones begin."""


class Stencil:
    """The fixed bytes of one stream's events."""

    __slots__ = ("_begin", "_end", "_inner", "_seam")

    def __init__(self, begin: bytes, inner: list[bytes], end: bytes) -> None:
        self._begin = begin
        self._inner = inner
        """What stands between the varying strings of one event."""
        self._end = end
        self._seam = end + begin
        """What stands between the last string of an event and the first of the next."""

    def fits(self, block: bytes) -> bool:
        """Whether ``block`` is made of whole events of this kind and of nothing else.

        What is left of it without the fixed bytes must not end a string: it holds no quote, or
        escaped ones only. Any other event would leave the quotes of its members behind.
        """
        begin, end = self._begin, self._end
        if not (block.endswith(end) and block.startswith(begin)):
            return False
        words: bytes | None = _without(block[len(begin) : -len(end)], self._seam)
        for piece in self._inner:
            words = None if words is None else _without(words, piece)
        if words is None:
            return False
        return _QUOTE not in words or words.count(b'"') == words.count(b'\\"')


def _without(text: bytes, fixed: bytes) -> bytes | None:
    """``text`` with every ``fixed`` taken out; ``None`` if there is something like it.

    The same as ``replace``, whose search for a long needle begins anew at every find: here the
    text is cut at the needle's first bytes, and putting it together again is the proof.
    """
    if len(text) < len(fixed):
        return text
    pieces = text.split(fixed[:_MARK])
    rest = max(len(fixed) - _MARK, 0)
    words = [pieces[0], *[piece[rest:] for piece in pieces[1:]]]
    return b"".join(words) if fixed.join(words) == text else None


def stencil_of(event: bytes) -> Stencil | None:
    """The stencil of a whole event; ``None`` when it has no words to cut out."""
    pieces: list[bytes] = []
    done = 0
    for key in _VARYING:
        at = event.find(key, done)
        begin = at + len(key)
        end = event.find(b'"', begin)
        if at < 0 or b"\\" in event[begin:end]:
            continue
        pieces.append(event[done:begin])
        done = end
    return Stencil(pieces[0], pieces[1:], event[done:]) if pieces else None
