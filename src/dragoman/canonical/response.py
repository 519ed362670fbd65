"""A finished answer: what a stream folds into."""

from __future__ import annotations

from msgspec import Struct

from dragoman.canonical.conversation import NO_EXTRAS, Citation, Extras, Part
from dragoman.canonical.events import StopReason
from dragoman.canonical.usage import Usage


class Choice(Struct, frozen=True):
    """One of the answers that the caller asked for (nearly always the only one)."""

    index: int
    parts: tuple[Part, ...]
    reason: StopReason
    extras: Extras = NO_EXTRAS
    citations: tuple[Citation, ...] = ()


class ChatResponse(Struct, frozen=True):
    """A whole answer."""

    id: str
    model: str
    """The model as the upstream names it."""
    created: int
    """Unix seconds; 0 when the upstream did not say."""
    choices: tuple[Choice, ...]
    usage: Usage | None
    extras: Extras = NO_EXTRAS
