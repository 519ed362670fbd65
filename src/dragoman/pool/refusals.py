"""How the pool says no: one function for each way, with what the caller may do about it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from dragoman.errors import NoCredential, QueueFull, QueueTimeout, UpstreamRateLimited
from dragoman.pool.keys import Key

_LONGEST_ADVICE: Final = 600.0
"""Seconds; an estimate further ahead is a guess."""


def every_key_disabled(provider: str, keys: Iterable[Key]) -> NoCredential:
    """No key of ``provider`` can serve before its operator acts."""
    reasons = [f"{key.id}: {key.reason}" for key in keys]
    if not reasons:
        return NoCredential(
            f"Provider {provider} has no credential. The operator of this gateway has to add one"
            " to its settings.",
        )
    return NoCredential(
        f"Every credential of provider {provider} is disabled. The operator of this gateway finds"
        " the reasons on its status page and has to replace or enable them.",
        detail=" ".join(reasons),
    )


def every_key_cools(provider: str, remaining: float) -> UpstreamRateLimited:
    """All keys of ``provider`` wait for its rate limit; ``remaining`` seconds at least."""
    seconds = whole_seconds(remaining)
    return UpstreamRateLimited(
        f"Provider {provider} limits the rate of requests. Try again in {seconds:.0f} s.",
        retry_after=seconds,
    )


def queue_full(provider: str, expected_wait: float) -> QueueFull:
    """As many requests wait for ``provider`` as may."""
    seconds = min(whole_seconds(expected_wait), _LONGEST_ADVICE)
    return QueueFull(
        f"Too many requests wait for provider {provider}. Try again in {seconds:.0f} s.",
        retry_after=seconds,
    )


def waited_too_long(provider: str, expected_wait: float) -> QueueTimeout:
    """No key of ``provider`` became free in time."""
    seconds = min(whole_seconds(expected_wait), _LONGEST_ADVICE)
    return QueueTimeout(
        f"All credentials of provider {provider} stayed busy for as long as this request may wait."
        f" Try again in {seconds:.0f} s.",
        retry_after=seconds,
    )


def whole_seconds(seconds: float) -> float:
    """Rounded up, and at least 1: what ``retry-after`` can say."""
    return float(max(1, math.ceil(seconds)))
