"""What the status page and the metrics may see of a pool: frozen values, no secret."""

from __future__ import annotations

from msgspec import Struct


class KeySnapshot(Struct, frozen=True, kw_only=True):
    """One key at one moment."""

    id: str
    state: str
    """``ready``, ``cooling`` or ``disabled``."""
    until: float | None
    """Monotonic seconds at which its cooling ends; ``None`` unless it cools."""
    cools_for: float | None
    """The same as seconds from now, never negative."""
    reason: str | None
    """Why it is disabled, in a sentence for the operator."""
    in_flight: int
    limit: int | None
    served: int
    """Loans that ended well."""
    failed: int
    """Loans that ended with the provider's failure."""
    last_error: str | None
    """Kind of its last failure."""
    last_used: float
    """Monotonic seconds at which a loan last began or ended; 0 before the first."""


class PoolSnapshot(Struct, frozen=True, kw_only=True):
    """One provider's pool at one moment."""

    provider: str
    ready: int
    cooling: int
    disabled: int
    in_flight: int
    waiting: int
    """Tickets in the queue."""
    waiting_callers: int
    expected_wait: float
    """Seconds that a ticket drawn now would wait, by the pace of late; 0 while nobody waits."""
    keys: tuple[KeySnapshot, ...]
