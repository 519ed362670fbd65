"""Bytes to frames: the shape of a stream, nothing of its meaning."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct


class Frame(Struct, frozen=True, gc=False):
    """One framed unit on the wire."""

    event: bytes
    """Name of the event; empty where the framing or the sender gives none."""
    data: bytes


class FramingError(ValueError):
    """The bytes cannot be a stream of this framing, or a frame is larger than allowed."""


class FrameDecoder(Protocol):
    """Cuts blocks, split anywhere, into frames."""

    def feed(self, block: bytes) -> list[Frame]:
        """Take the next bytes; give the frames they complete. Raises ``FramingError``."""
        ...

    def close(self) -> list[Frame]:
        """The bytes have ended; give what is complete without a last terminator."""
        ...
