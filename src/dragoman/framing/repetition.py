"""The short cut for a sender that repeats itself: one HTTP message like the one before.

On one connection the messages of one direction differ in their bodies and in ``content-length``,
often in nothing else. A head that the parser has accepted once is remembered by the connection
that it came on and nobody else. Bytes that are this head, with a length that is exactly that of
what stands behind it, are one whole message, and the parser need not say so again.
"""

from __future__ import annotations

import re
from typing import Final

_END: Final = b"\r\n\r\n"
_LENGTH: Final = re.compile(
    rb"\r\ncontent-length:[ \t]*([0-9]{1,9})(?=[ \t]*(?:\r\n|\Z))", re.IGNORECASE
)
_LONGEST: Final = 8192
"""Bytes of a head that is worth keeping for each connection."""
_SPELLED: Final = 16
"""Lengths for which the head is kept ready."""
_MISSES: Final = 8
"""Messages in a row with a new head after which a connection's heads are not kept any more."""


class Repetition:
    """What one direction of one connection repeats; nothing at first."""

    __slots__ = ("_after", "_before", "_misses", "_spelled")

    def __init__(self) -> None:
        self._before = b""
        self._after = b""
        self._spelled: dict[int, bytes] = {}
        self._misses = 0

    def body_of(self, data: bytes) -> bytes | None:
        """The body, if ``data`` is one whole message with the known head; ``None`` for all else,
        also for a body of no bytes.
        """
        lines, _, body = data.partition(_END)
        size = len(body)
        if not size or lines != (self._spelled.get(size) or self._spell(size)):
            return None
        self._misses = 0
        return body

    def learn(self, data: bytes) -> bool:
        """Remember the head of ``data``, one whole message that the parser has accepted as such.

        Returns whether it was worth it: it has a ``content-length``, is not too long, and the
        heads of this connection do not change all the time.
        """
        self._misses += 1
        if self._misses > _MISSES:
            return False
        lines, _, body = data.partition(_END)
        found = _LENGTH.search(lines)
        if found is None or not body or int(found[1]) != len(body) or len(lines) > _LONGEST:
            return False
        self._before, self._after = lines[: found.start(1)], lines[found.end(1) :]
        self._spelled.clear()
        return True

    def _spell(self, size: int) -> bytes:
        """The head of a message with a body of ``size`` bytes. Only this one spelling of the
        number is taken for it: no blanks, signs or zeros in front.
        """
        if len(self._spelled) >= _SPELLED:
            self._spelled.clear()
        lines = self._spelled[size] = b"%b%d%b" % (self._before, size, self._after)
        return lines
