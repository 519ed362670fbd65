"""AWS's binary framing, ``application/vnd.amazon.eventstream``.

A frame is a prelude (its length, the length of its headers, a CRC-32 of these eight bytes), the
headers, the payload and a CRC-32 of all before it; numbers are big-endian (Smithy's event-stream
specification, "Amazon Event Stream"). Both checksums are checked: a frame that is damaged ends
the stream, for nobody can tell where the next one begins.
"""

from __future__ import annotations

from struct import Struct as Layout
from typing import Final
from zlib import crc32

import msgspec

from dragoman.framing import Frame, FramingError

MAX_HEADERS: Final = 128 * 1024
"""Bytes of a frame's headers, as the specification bounds them."""
MAX_PAYLOAD: Final = 24 * 1024 * 1024
"""Bytes of a frame's payload, likewise."""
ENDING: Final = b":"
"""Before the name of an event that ends the stream with an error; no other name begins so."""

_PRELUDE: Final = Layout(">III")
_CRC: Final = Layout(">I")
_SIZE: Final = Layout(">H")
_AROUND: Final = _PRELUDE.size + _CRC.size
_BYTES: Final = 6
_STRING: Final = 7
_FIXED: Final = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Type of a header's value -> its bytes, where they are always as many."""
_LONGEST: Final = MAX_HEADERS + MAX_PAYLOAD + _AROUND
_HEADERS_KEPT: Final = 256


class AwsEventStreamDecoder:
    """Blocks, split anywhere, to frames.

    The name of an event is its ``:event-type``; of an exception ``:`` and its ``:exception-type``;
    of an unmodelled error ``:`` and its ``:error-code``, with the message as JSON where the
    payload is empty.
    """

    __slots__ = ("_held", "_names", "_needed", "_size")

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._size = 0
        self._needed = _PRELUDE.size
        """Bytes without which there is nothing to look at."""
        self._names: dict[bytes, bytes] = {}
        """Headers -> name: a stream repeats a handful of them."""

    def feed(self, block: bytes) -> list[Frame]:
        """The frames that ``block`` completes. Raises ``FramingError``."""
        held = self._held
        if held:
            held.append(block)
            self._size += len(block)
            if self._size < self._needed:
                return []
            block = b"".join(held)
            held.clear()
        frames: list[Frame] = []
        at = 0
        left = len(block)
        while left >= _PRELUDE.size:
            size, headers_size, checksum = _PRELUDE.unpack_from(block, at)
            if crc32(block[at : at + 8]) != checksum:
                raise FramingError("the checksum of a frame's prelude is wrong")
            if not _AROUND + headers_size <= size <= _LONGEST or headers_size > MAX_HEADERS:
                raise FramingError(f"a frame of {size} bytes with {headers_size} of headers")
            if left < size:
                self._needed = size
                break
            frames.append(self._frame(block[at : at + size], headers_size))
            at += size
            left -= size
        else:
            self._needed = _PRELUDE.size
        if left:
            held.append(block[at:] if at else block)
        self._size = left
        return frames

    def close(self) -> list[Frame]:
        """Nothing: a frame is complete or worthless. Raises ``FramingError`` for the latter."""
        if self._held:
            raise FramingError(f"the bytes end inside a frame, {self._size} bytes into it")
        return []

    def _frame(self, frame: bytes, headers_size: int) -> Frame:
        end = len(frame) - _CRC.size
        if crc32(frame[:end]) != _CRC.unpack_from(frame, end)[0]:
            raise FramingError("the checksum of a frame is wrong")
        begin = _PRELUDE.size + headers_size
        headers = frame[_PRELUDE.size : begin]
        payload = frame[begin:end]
        name = self._names.get(headers)
        if name is None:
            told = read_headers(headers)
            kind = told.get(b":message-type", b"event")
            if kind == b"event":
                name = told.get(b":event-type", b"")
                if len(self._names) < _HEADERS_KEPT:
                    self._names[headers] = name
            elif kind == b"exception":
                name = ENDING + told.get(b":exception-type", b"")
            else:
                name = ENDING + told.get(b":error-code", b"")
                payload = payload or _message(told)
        return Frame(name, payload)


def read_headers(block: bytes) -> dict[bytes, bytes]:
    """Names -> values of the headers that are strings or bytes; the others are passed over.

    Raises ``FramingError``.
    """
    headers: dict[bytes, bytes] = {}
    at, end = 0, len(block)
    while at < end:
        name_end = at + 1 + block[at]
        name = block[at + 1 : name_end]
        if name_end >= end:
            raise FramingError("a header is cut short")
        kind = block[name_end]
        at = name_end + 1
        if kind in _FIXED:
            at += _FIXED[kind]
        elif kind in {_BYTES, _STRING} and at + _SIZE.size <= end:
            begin = at + _SIZE.size
            at = begin + _SIZE.unpack_from(block, at)[0]
            headers[name] = block[begin:at]
        else:
            raise FramingError(f"a header's value of the unknown type {kind}")
        if at > end:
            raise FramingError("a header's value is cut short")
    return headers


def _message(headers: dict[bytes, bytes]) -> bytes:
    text = headers.get(b":error-message", b"").decode("utf-8", "replace")
    return msgspec.json.encode({"message": text})
