"""One key: its states, and what the end of a loan says about it.

A key is *ready*, *cooling* until a moment, or *disabled* with a reason. The transitions are the
methods of ``Key`` and nowhere else::

                 served         cool until t          disable     cooled    enable
    ready        ready          cooling, a strike     disabled    -         ready
    cooling      cooling        cooling, the later t  disabled    ready     ready
    disabled     disabled       disabled              disabled    -         ready

Only a 429 on a ready key is a strike: of a burst that was in flight together, one counts.
Pure: times are monotonic seconds handed in.
"""

from __future__ import annotations

import enum
from typing import Final

from msgspec import Struct

from dragoman.errors import (
    GatewayError,
    UpstreamError,
    UpstreamOutOfCredit,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamRejectedKey,
)


class KeyState(enum.Enum):
    """What a key may do now."""

    READY = "ready"
    COOLING = "cooling"
    DISABLED = "disabled"


class Pauses(Struct, frozen=True, kw_only=True):
    """How long a key cools after a 429, in seconds."""

    first: float = 2.0
    """Where the provider names no time; doubled with each further 429 in a row."""
    longest: float = 60.0
    """Bound of that doubling."""
    longest_told: float = 3600.0
    """Bound of what a provider's own ``retry-after`` is believed."""


class Verdict(Struct, frozen=True, kw_only=True):
    """What an ended loan says about its key."""

    served: bool = False
    """The provider did its work."""
    cool_until: float | None = None
    disable: str | None = None
    """Why the key must not be used again, in a sentence for the operator."""
    error: str | None = None
    """Kind of the provider's failure, for the status page."""


SERVED: Final = Verdict(served=True)
UNUSED: Final = Verdict()
"""The key came back without a call."""

_REJECTED: Final = "The provider does not accept it{code}: {advice}, then enable it."
_REPLACE: Final = "replace the credential"
_OUT_OF_CREDIT: Final = (
    "Its prepaid tokens or budget are used up{code}: top up the account, then enable it."
)


def verdict_of(error: GatewayError | None, now: float, strikes: int, pauses: Pauses) -> Verdict:
    """What ``error`` (``None``: the call went well) says about the key it was made with.

    ``strikes`` is how many 429s the key has had in a row before.
    """
    if error is None:
        return SERVED
    if isinstance(error, UpstreamRateLimited):
        pause = _pause(error.retry_after, strikes, pauses)
        return Verdict(cool_until=now + pause, error=error.kind)
    if isinstance(error, UpstreamRejectedKey):
        return Verdict(disable=_reason(_REJECTED, error), error=error.kind)
    if isinstance(error, UpstreamOutOfCredit):
        return Verdict(disable=_reason(_OUT_OF_CREDIT, error), error=error.kind)
    if isinstance(error, UpstreamError) and not isinstance(error, UpstreamRefused):
        return Verdict(error=error.kind)
    return UNUSED


def _pause(told: float | None, strikes: int, pauses: Pauses) -> float:
    """A provider's own word counts, but not alone: several tell 0 or 1 second for ever."""
    grown = min(pauses.first * 2.0 ** min(strikes, 32), pauses.longest)
    if told is None or not told >= 0:
        return grown
    believed = min(told, pauses.longest_told)
    return max(believed, grown) if strikes else believed


def _reason(sentence: str, error: GatewayError) -> str:
    advice = getattr(error, "advice", None) or _REPLACE
    return sentence.format(code=f" ({error.code})" if error.code else "", advice=advice)


class Key:
    """The pool's side of one credential; the secret is elsewhere, under the same ``id``."""

    __slots__ = (
        "failed",
        "id",
        "in_flight",
        "last_error",
        "last_used",
        "limit",
        "reason",
        "served",
        "state",
        "strikes",
        "until",
    )

    def __init__(self, id: str, limit: int | None = None) -> None:  # noqa: A002 - it is one
        if limit is not None and limit < 1:
            raise ValueError(f"the limit of key {id} must be at least 1, not {limit}")
        self.id: Final = id
        self.limit: Final = limit
        """Loans at a time; ``None``: as many as are asked for."""
        self.state = KeyState.READY
        self.until = 0.0
        """Monotonic seconds; meaningful while cooling."""
        self.reason: str | None = None
        self.strikes = 0
        self.in_flight = 0
        self.last_used = 0.0
        """When a loan last began or ended."""
        self.served = 0
        self.failed = 0
        self.last_error: str | None = None

    @property
    def is_free(self) -> bool:
        """A loan may begin now."""
        return self.state is KeyState.READY and (self.limit is None or self.in_flight < self.limit)

    def begin_loan(self, now: float) -> None:
        """Lend it; only while it ``is_free``."""
        self.in_flight += 1
        self.last_used = now

    def end_loan(self, verdict: Verdict, now: float) -> None:
        """Take it back and learn from how the loan ended."""
        self.in_flight -= 1
        self.last_used = now
        if verdict.served:
            self.served += 1
            if self.state is KeyState.READY:
                self.strikes = 0
            return
        if verdict.error is not None:
            self.failed += 1
            self.last_error = verdict.error
        if verdict.disable is not None:
            self.disable(verdict.disable)
        elif verdict.cool_until is not None:
            self._cool(verdict.cool_until)

    def end_loan_well(self, now: float) -> None:
        """As ``end_loan(SERVED, now)`` of a ready key."""
        self.in_flight -= 1
        self.last_used = now
        self.served += 1
        self.strikes = 0

    def disable(self, reason: str) -> None:
        """No loan any more until ``enable``; the first reason stays."""
        if self.state is not KeyState.DISABLED:
            self.state = KeyState.DISABLED
            self.reason = reason

    def cooled(self) -> None:
        """Its pause is over. The strikes stay until a call goes well."""
        if self.state is KeyState.COOLING:
            self.state = KeyState.READY

    def enable(self) -> None:
        """Ready again whatever it was, with a clean slate."""
        self.state = KeyState.READY
        self.reason = None
        self.strikes = 0

    def _cool(self, until: float) -> None:
        if self.state is KeyState.READY:
            self.state = KeyState.COOLING
            self.strikes += 1
            self.until = until
        elif self.state is KeyState.COOLING:
            self.until = max(self.until, until)
