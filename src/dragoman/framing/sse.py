"""Server-sent events over bytes, in both directions.

Lines end at CR, LF or CRLF and nowhere else: characters such as U+2028, at which ``splitlines``
cuts too, are legal inside the JSON of a data line. ``SseDecoder`` has a short way for what every
provider sends (LF, one ``data: `` line an event) and a long way for all that the standard allows
beside it. ``write_event`` is the other direction.

Source: WHATWG HTML, section 9.2 (server-sent events).
"""

from __future__ import annotations

from typing import Final

from dragoman.framing import Frame, FramingError

DEFAULT_LIMIT: Final = 16 * 1024 * 1024
"""Bytes that an unfinished event may hold."""

_BOM: Final = b"\xef\xbb\xbf"
_DATA: Final = b"data: "
_CR: Final = 0x0D
_LF: Final = 0x0A
"""Bytes as numbers: looking for one is far cheaper than for a byte string of one."""


class SseDecoder:
    """Cuts blocks, split anywhere, into events.

    Raises ``FramingError`` from ``feed`` when an event is not finished within ``limit`` bytes.
    """

    __slots__ = ("_after_cr", "_at_start", "_held", "_held_size", "_limit")

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self._limit = limit
        self._held: list[bytes] = []
        self._held_size = 0
        self._after_cr = False
        self._at_start = True

    def feed(self, block: bytes) -> list[Frame]:
        """The events that ``block`` completes; comments and events without data give none."""
        if self._after_cr or _CR in block:
            block = self._with_plain_ends(block)
        held = self._held
        if held:
            if b"\n\n" not in block and not (block[:1] == b"\n" and held[-1][-1:] == b"\n"):
                self._hold(block)
                return []
            held.append(block)
            block = b"".join(held)
            held.clear()
            self._held_size = 0
        cut = block.rfind(b"\n\n")
        if cut < 0:
            self._hold(block)
            return []
        if cut + 2 < len(block):
            self._hold(block[cut + 2 :])
        if block.startswith(_DATA):
            data = block[6:cut].split(b"\n\ndata: ")
            if _LF not in (data[0] if len(data) == 1 else b"".join(data)):
                self._at_start = False
                return [Frame(b"", line) for line in data]
        return self._frames(block[:cut])

    def close(self) -> list[Frame]:
        """The last event, if the sender left its empty line out."""
        rest = b"".join(self._held)
        self._held.clear()
        self._held_size = 0
        return self._frames(rest) if rest else []

    def _hold(self, block: bytes) -> None:
        if not block:
            return
        self._held.append(block)
        self._held_size += len(block)
        if self._held_size > self._limit:
            raise FramingError(f"an event is longer than {self._limit} bytes")

    def _with_plain_ends(self, block: bytes) -> bytes:
        """``block`` with LF for every line end; a CRLF may be split between two blocks."""
        if self._after_cr and block[:1] == b"\n":
            block = block[1:]
            self._after_cr = False
        if block:
            self._after_cr = block[-1:] == b"\r"
        return block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _frames(self, events: bytes) -> list[Frame]:
        """The frames of whole events, given without the last one's empty line."""
        frames = [self._long_way(event) for event in events.split(b"\n\n")]
        return [frame for frame in frames if frame is not None]

    def _long_way(self, event: bytes) -> Frame | None:
        if self._at_start:
            event = event.removeprefix(_BOM)
            self._at_start = False
        name = b""
        data: list[bytes] = []
        for line in event.split(b"\n"):
            field, _, value = line.partition(b":")
            if field == b"data":
                data.append(value.removeprefix(b" "))
            elif field == b"event":
                name = value.removeprefix(b" ")
        return Frame(name, b"\n".join(data)) if data else None


def write_event(data: bytes, event: bytes = b"") -> bytes:
    """One event. Line feeds in ``data`` make several data lines, as the standard has it."""
    head = b"event: " + event + b"\n" if event else b""
    return head + _DATA + data.replace(b"\n", b"\ndata: ") + b"\n\n"
