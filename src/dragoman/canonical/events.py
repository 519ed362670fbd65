"""What a model says while it is still talking.

::

    stream := Started choice* (Finished | Failed)
    choice := (PartStarted Delta* PartFinished)* ChoiceFinished

``Failed`` may also take the place of any event, the first included, and nothing follows it.
Parts of one choice never overlap: a provider that interleaves them is untangled by its own
reader, so that no writer has to. Different choices may interleave, which is why every event
inside a choice carries the choice's number. ``Finished`` means that the upstream said its
protocol's last word; a stream that merely stopped ends in ``Failed``.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from dragoman.canonical.conversation import (
    NO_EXTRAS,
    CallKind,
    Citation,
    Extras,
    Media,
    Native,
)
from dragoman.canonical.usage import Usage
from dragoman.errors import GatewayError


class StopReason(StrEnum):
    """Why a choice ended."""

    END = "end"
    STOP_SEQUENCE = "stop_sequence"
    MAX_TOKENS = "max_tokens"
    CONTEXT_WINDOW = "context_window"
    TOOL_CALL = "tool_call"
    FILTERED = "filtered"
    REFUSAL = "refusal"
    PAUSE = "pause"


class PartKind(StrEnum):
    """What a streamed part is made of; its deltas are text of that kind."""

    TEXT = "text"
    REASONING = "reasoning"
    REFUSAL = "refusal"
    TOOL_CALL = "tool_call"


class Started(Struct, frozen=True, gc=False):
    """The upstream has begun an answer."""

    id: str
    """The upstream's own id of the answer; empty when it gave none."""
    model: str
    """The model as the upstream names it."""
    created: int
    """Unix seconds; 0 when the upstream did not say."""
    extras: Extras = NO_EXTRAS


class PartStarted(Struct, frozen=True):
    """A part begins. The call members are set for ``TOOL_CALL`` only.

    ``whole`` is set for a part that cannot be streamed in pieces (media, or a kind of content
    that only its own dialect knows): no ``Delta`` follows, ``PartFinished`` does.
    """

    choice: int
    kind: PartKind
    call_id: str = ""
    call_name: str = ""
    call_kind: CallKind = CallKind.FUNCTION
    whole: Media | Native | None = None
    extras: Extras = NO_EXTRAS


class Delta(Struct, frozen=True, gc=False):
    """More of the open part of ``choice``: words, thoughts or a piece of a call's arguments."""

    choice: int
    text: str
    extras: Extras = NO_EXTRAS
    """For example token log-probabilities."""


class PartFinished(Struct, frozen=True):
    """The open part of ``choice`` is complete. Signatures arrive here, in ``extras``."""

    choice: int
    extras: Extras = NO_EXTRAS


class ChoiceFinished(Struct, frozen=True):
    """``choice`` is complete."""

    choice: int
    reason: StopReason
    extras: Extras = NO_EXTRAS
    citations: tuple[Citation, ...] = ()


class Finished(Struct, frozen=True):
    """The answer is complete, as the upstream's protocol says it."""

    usage: Usage | None
    """``None`` when the upstream gave no counts."""
    extras: Extras = NO_EXTRAS


class Failed(Struct, frozen=True):
    """The answer will never be complete."""

    error: GatewayError


Event = Started | PartStarted | Delta | PartFinished | ChoiceFinished | Finished | Failed


class Grammar:
    """Checks a stream against the grammar above; for tests and for readers under suspicion."""

    def __init__(self) -> None:
        self._started = False
        self._over = False
        self._open: set[int] = set()
        self._closed: set[int] = set()

    def accepts(self, event: Event) -> bool:
        """Whether ``event`` may come next; a ``True`` answer also moves the grammar on."""
        if self._over:
            return False
        match event:
            case Failed():
                self._over = True
                return True
            case Started():
                legal = not self._started
                self._started = True
                return legal
            case Finished():
                self._over = True
                return self._started and not self._open
            case _:
                return self._started and self._inside(event)

    def _inside(self, event: PartStarted | Delta | PartFinished | ChoiceFinished) -> bool:
        choice = event.choice
        if choice in self._closed:
            return False
        is_open = choice in self._open
        match event:
            case PartStarted():
                self._open.add(choice)
                return not is_open
            case Delta():
                return is_open
            case PartFinished():
                self._open.discard(choice)
                return is_open
            case ChoiceFinished():
                self._closed.add(choice)
                return not is_open

    @property
    def over(self) -> bool:
        """The stream has said its last word."""
        return self._over
