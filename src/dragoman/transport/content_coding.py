"""Undoing gzip and deflate, for upstreams that compress although nobody asked.

Every call says ``accept-encoding: identity``. What comes compressed all the same is read, within
bounds: a small answer must not become a large one in memory.
"""

from __future__ import annotations

import zlib
from typing import Final

READABLE: Final = frozenset({"gzip", "x-gzip", "deflate"})

FREE_EXPANSION: Final = 1 << 20
"""Bytes that any answer may expand to."""
MAX_EXPANSION: Final = 100
"""Times the bytes received that an answer may expand to beyond that. Text of events compresses
about twenty times at best; a bomb a thousand times."""

_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_BARE = -zlib.MAX_WBITS


class BadCoding(Exception):
    """The compressed body is corrupt, cut off or expands beyond all measure."""


class Decompressor:
    """One answer's body. ``deflate`` is read with and without its zlib wrapper: servers send both
    (noted in RFC 9110, section 8.4.1.2); several gzip members in a row are one body (RFC 1952).
    """

    def __init__(self, coding: str) -> None:
        self._gzip = coding != "deflate"
        self._inflate = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._begun = self._gzip
        self._held = b""
        self._empty = True
        self._allowance = FREE_EXPANSION

    def feed(self, block: bytes) -> bytes:
        """What ``block`` adds to the body. Raises ``BadCoding``."""
        self._empty = self._empty and not block
        self._allowance += MAX_EXPANSION * len(block)
        if not self._begun:
            block = self._held + block
            if len(block) < 2:
                self._held = block
                return b""
            self._begin_deflate(block)
        parts = []
        while block:
            if self._inflate.eof:
                self._next_member()
            parts.append(self._some(block))
            block = self._inflate.unused_data
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def finish(self) -> None:
        """The body is over. Raises ``BadCoding`` if something is missing."""
        if not self._empty and not self._inflate.eof:
            raise BadCoding("the compressed body ends in the middle")

    def _begin_deflate(self, block: bytes) -> None:
        """A zlib wrapper shows in its first two bytes (RFC 1950, section 2.2)."""
        self._begun = True
        wrapped = block[0] & 0x0F == 8 and int.from_bytes(block[:2], "big") % 31 == 0
        if not wrapped:
            self._inflate = zlib.decompressobj(_BARE)

    def _some(self, block: bytes) -> bytes:
        try:
            found = self._inflate.decompress(block, self._allowance + 1)
        except zlib.error as error:
            raise BadCoding("the compressed body is corrupt") from error
        self._allowance -= len(found)
        if self._allowance < 0:
            raise BadCoding("the compressed body expands too far")
        return found

    def _next_member(self) -> None:
        if not self._gzip:
            raise BadCoding("there are bytes behind the compressed body")
        self._inflate = zlib.decompressobj(_GZIP_OR_ZLIB)
