"""The record of what a translation did to a request.

A writer of requests notes each member that the target cannot take as it stands. The record
becomes the headers ``x-dragoman-fidelity`` and ``x-dragoman-changes``; nothing is lost that
is not in it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct

from dragoman.errors import UnsupportedByTarget

HEADER_LIMIT: Final = 2048
"""Bytes of ``x-dragoman-changes``; longer lists end in a count of what did not fit."""


class Grade(StrEnum):
    """How faithful a translation is."""

    EXACT = "exact"
    ADAPTED = "adapted"
    """Something is said in another way; the meaning is close."""
    LOSSY = "lossy"
    """Something was left out."""


class Fidelity(Struct):
    """Mutable while a request is being written; read-only afterwards."""

    dropped: list[str] = []
    adjusted: list[str] = []

    def drop(self, field: str) -> None:
        """Note that ``field`` (the caller's spelling) was left out."""
        if field not in self.dropped:
            self.dropped.append(field)

    def adjust(self, field: str, was: object, now: object) -> None:
        """Note that ``field`` is sent as ``now`` instead of ``was``."""
        self.adjusted.append(f"{field}:{was}->{now}")

    @property
    def is_exact(self) -> bool:
        """Nothing was noted."""
        return not self.dropped and not self.adjusted

    @property
    def grade(self) -> Grade:
        """The worst of what was noted."""
        if self.dropped:
            return Grade.LOSSY
        return Grade.ADAPTED if self.adjusted else Grade.EXACT

    def demand_exact(self) -> None:
        """For callers who want no compromise. Raises ``UnsupportedByTarget`` for any."""
        if not self.is_exact:
            raise UnsupportedByTarget(
                "The target cannot take the request exactly as it stands"
                f" ({self.header().decode()}), and x-dragoman-on-unsupported: reject was sent."
                " Leave those fields out or choose another model.",
                code="unsupported_parameter",
            )

    def header(self) -> bytes:
        """``dropped=seed,logit_bias; adjusted=temperature:1.6->1`` in printable ASCII."""
        groups = [("dropped", self.dropped), ("adjusted", self.adjusted)]
        text = "; ".join(f"{name}={','.join(items)}" for name, items in groups if items)
        value = bytes(
            byte if 0x20 <= byte < 0x7F else 0x3F  # "?" for what a header may not hold
            for byte in text.encode("ascii", "replace")
        )
        if len(value) <= HEADER_LIMIT:
            return value
        tail = b"; truncated=%d" % (len(self.dropped) + len(self.adjusted))
        return value[: HEADER_LIMIT - len(tail)] + tail
