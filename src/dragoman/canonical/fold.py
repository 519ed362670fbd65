"""The way between an answer that is still being spoken and a finished one.

``fold`` makes a response of a stream's events, ``unfold`` a stream of a response, and
``fold(unfold(response)) == response``. With these two, the rest of the house handles one shape.

What ``extras`` of the events of one part (or choice, or answer) hold is merged member by member:
lists are joined, of other values the last one stays. So token log-probabilities may arrive delta
by delta and stand in the finished part as one list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dragoman.canonical.conversation import (
    NO_EXTRAS,
    Extras,
    Media,
    Native,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from dragoman.canonical.events import (
    ChoiceFinished,
    Delta,
    Event,
    Failed,
    Finished,
    PartFinished,
    PartKind,
    PartStarted,
    Started,
)
from dragoman.canonical.response import ChatResponse, Choice
from dragoman.errors import UpstreamBroken


def merged(first: Extras, second: Extras) -> Extras:
    """Both, joined as the module's docstring says."""
    if not second:
        return first
    if not first:
        return second
    dialects: dict[str, Mapping[str, Any]] = dict(first)
    for dialect, members in second.items():
        both = dict(dialects.get(dialect, {}))
        for name, value in members.items():
            was = both.get(name)
            both[name] = was + value if isinstance(was, list) and isinstance(value, list) else value
        dialects[dialect] = both
    return dialects


class _Draft:
    """One choice on its way."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.opened: PartStarted | None = None
        self.texts: list[str] = []
        self.extras: Extras = NO_EXTRAS
        self.end: ChoiceFinished | None = None

    def start(self, event: PartStarted) -> None:
        self.opened = event
        self.texts = []
        self.extras = event.extras

    def add(self, event: Delta) -> None:
        self.texts.append(event.text)
        if event.extras:
            self.extras = merged(self.extras, event.extras)

    def finish(self, event: PartFinished) -> None:
        if self.opened is None:
            raise UpstreamBroken("The answer finished a part that it never began.")
        extras = merged(self.extras, event.extras)
        self.parts.append(_part(self.opened, "".join(self.texts), extras))
        self.opened = None


def _part(opened: PartStarted, text: str, extras: Extras) -> Part:
    if opened.whole is not None:
        return opened.whole
    match opened.kind:
        case PartKind.TEXT:
            return Text(text, extras)
        case PartKind.REASONING:
            return Reasoning(text, extras)
        case PartKind.REFUSAL:
            return Refusal(text)
        case PartKind.TOOL_CALL:
            return ToolCall(opened.call_id, opened.call_name, text, opened.call_kind, extras)


def fold(events: Iterable[Event]) -> ChatResponse:
    """The finished answer. Choices stand in the order in which they first spoke.

    Raises the error of a ``Failed``; ``UpstreamBroken`` when the events stop before ``Finished``
    or leave a choice unfinished.
    """
    started: Started | None = None
    drafts: dict[int, _Draft] = {}
    for event in events:
        match event:
            case Started():
                started = event
            case Finished():
                return _response(started, drafts, event)
            case Failed():
                raise event.error
            case _:
                draft = drafts.get(event.choice)
                if draft is None:
                    draft = drafts[event.choice] = _Draft()
                _grow(draft, event)
    raise UpstreamBroken("The answer ended before it was complete.")


def _grow(draft: _Draft, event: PartStarted | Delta | PartFinished | ChoiceFinished) -> None:
    match event:
        case PartStarted():
            draft.start(event)
        case Delta():
            draft.add(event)
        case PartFinished():
            draft.finish(event)
        case ChoiceFinished():
            draft.end = event


def _response(
    started: Started | None, drafts: Mapping[int, _Draft], finished: Finished
) -> ChatResponse:
    if started is None:
        raise UpstreamBroken("The answer ended before it began.")
    choices = []
    for index, draft in drafts.items():
        end = draft.end
        if end is None:
            raise UpstreamBroken("The answer left a choice unfinished.")
        parts = tuple(draft.parts)
        choices.append(Choice(index, parts, end.reason, end.extras, end.citations))
    extras = merged(started.extras, finished.extras)
    return ChatResponse(
        started.id, started.model, started.created, tuple(choices), finished.usage, extras
    )


def unfold(response: ChatResponse) -> list[Event]:
    """A stream that folds into ``response``, choice after choice, one delta a part.

    Raises ``ValueError`` for a ``ToolResult``, which no model says.
    """
    events: list[Event] = [Started(response.id, response.model, response.created, response.extras)]
    for choice in response.choices:
        for part in choice.parts:
            events += _unfolded(choice.index, part)
        end = ChoiceFinished(choice.index, choice.reason, choice.extras, choice.citations)
        events.append(end)
    events.append(Finished(response.usage))
    return events


def _unfolded(choice: int, part: Part) -> list[Event]:
    match part:
        case Text(text=text, extras=extras):
            return _spoken(PartStarted(choice, PartKind.TEXT), text, extras)
        case Reasoning(text=text, extras=extras):
            return _spoken(PartStarted(choice, PartKind.REASONING), text, extras)
        case Refusal(text=text):
            return _spoken(PartStarted(choice, PartKind.REFUSAL), text, NO_EXTRAS)
        case ToolCall():
            start = PartStarted(
                choice, PartKind.TOOL_CALL, part.id, part.name, part.kind, None, part.extras
            )
            return _spoken(start, part.arguments, NO_EXTRAS)
        case Media() | Native():
            return [PartStarted(choice, PartKind.TEXT, whole=part), PartFinished(choice)]
        case ToolResult():
            raise ValueError("an answer holds no tool results")


def _spoken(start: PartStarted, text: str, extras: Extras) -> list[Event]:
    words: list[Event] = [Delta(start.choice, text)] if text else []
    return [start, *words, PartFinished(start.choice, extras)]
