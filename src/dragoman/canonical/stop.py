"""Stop sequences for upstreams that have none: the gateway watches the text and cuts it.

A match may span deltas, so text that could be the beginning of a stop sequence is held back
until it is clear. What was held goes out when the part ends. Only the words of an answer are
watched: no provider applies stop sequences to reasoning or to a call's arguments.

Each sequence is searched for by the algorithm of Knuth, Morris and Pratt, which never looks back:
the work is the same however the text is cut, and what it has matched so far is what must be held.
"""

from __future__ import annotations

from collections.abc import Sequence

from dragoman.canonical.conversation import Text, text_of
from dragoman.canonical.events import (
    ChoiceFinished,
    Delta,
    Event,
    Failed,
    Finished,
    PartFinished,
    PartKind,
    PartStarted,
    StopReason,
)
from dragoman.canonical.response import ChatResponse, Choice


class _Search:
    """One stop sequence, and how much of it the text ends with."""

    __slots__ = ("_fallback", "_matched", "stop")

    def __init__(self, stop: str, fallback: list[int]) -> None:
        self.stop = stop
        self._fallback = fallback
        self._matched = 0

    @property
    def matched(self) -> int:
        """Characters at the end of the text that begin the sequence."""
        return self._matched

    def end_in(self, text: str) -> int | None:
        """Where the first match ends, counted from the begin of ``text``, which follows what was
        searched before; ``None`` without one.
        """
        stop, fallback, matched = self.stop, self._fallback, self._matched
        at = 0
        while at < len(text):
            if not matched:
                at = text.find(stop[0], at)
                if at < 0:
                    break
            letter = text[at]
            while matched and stop[matched] != letter:
                matched = fallback[matched - 1]
            if stop[matched] == letter:
                matched += 1
            at += 1
            if matched == len(stop):
                return at
        self._matched = matched
        return None


def _fallbacks(stop: str) -> list[int]:
    """For each beginning of ``stop``, the length of its longest end that is a beginning too."""
    table = [0] * len(stop)
    matched = 0
    for at in range(1, len(stop)):
        while matched and stop[matched] != stop[at]:
            matched = table[matched - 1]
        if stop[matched] == stop[at]:
            matched += 1
        table[at] = matched
    return table


class StopCutter:
    """Cuts one answer, streamed (``filter``) or whole (``cut``), at the first stop sequence."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [(stop, _fallbacks(stop)) for stop in dict.fromkeys(stops) if stop]
        self._searches: dict[int, list[_Search]] = {}
        """Choice -> searches in its open text part."""
        self._held: dict[int, str] = {}
        """Choice -> text held back; the choice has a text part open."""
        self._choices: set[int] = set()
        self._ended: set[int] = set()
        """Choices that have been cut; what still comes for them is passed over."""
        self.over = False
        """Every choice has been cut: nothing more is wanted from the upstream."""

    def filter(self, events: list[Event]) -> list[Event]:
        """The events that may go on; ends in ``Finished`` once every choice has been cut."""
        out: list[Event] = []
        if self.over:
            return out
        for event in events:
            if isinstance(event, PartStarted | Delta | PartFinished | ChoiceFinished):
                if event.choice not in self._ended:
                    self._one(event, out)
            else:
                out.append(event)
        if self._ended and self._ended == self._choices:
            self.over = True
            if isinstance(out[-1], Failed):  # it struck what nobody waits for any more
                out.pop()
            if not isinstance(out[-1], Finished):
                out.append(Finished(None))
        return out

    def cut(self, response: ChatResponse) -> ChatResponse:
        """``response`` without what follows the first stop sequence of each choice."""
        choices = tuple(self._cut_choice(choice) for choice in response.choices)
        return ChatResponse(
            response.id, response.model, response.created, choices, response.usage, response.extras
        )

    def _one(
        self, event: PartStarted | Delta | PartFinished | ChoiceFinished, out: list[Event]
    ) -> None:
        choice = event.choice
        self._choices.add(choice)
        match event:
            case PartStarted(kind=PartKind.TEXT, whole=None):
                self._held[choice] = ""
                self._searches[choice] = self._fresh()
                out.append(event)
            case Delta() if choice in self._held:
                self._text(event, out)
            case PartFinished() if choice in self._held:
                held = self._held.pop(choice)
                if held:
                    out.append(Delta(choice, held))
                out.append(event)
            case _:
                out.append(event)

    def _fresh(self) -> list[_Search]:
        return [_Search(stop, fallback) for stop, fallback in self._stops]

    def _text(self, delta: Delta, out: list[Event]) -> None:
        choice = delta.choice
        held = self._held[choice]
        searches = self._searches[choice]
        text = held + delta.text
        end = _first_match(searches, delta.text)
        if end is None:
            keep = max((search.matched for search in searches), default=0)
            self._held[choice] = text[len(text) - keep :]
            if keep < len(text):
                out.append(Delta(choice, text[: len(text) - keep], delta.extras))
            return
        end += len(held)
        if end > 0:
            out.append(Delta(choice, text[:end], delta.extras))
        out.append(PartFinished(choice))
        out.append(ChoiceFinished(choice, StopReason.STOP_SEQUENCE))
        del self._held[choice], self._searches[choice]
        self._ended.add(choice)

    def _cut_choice(self, choice: Choice) -> Choice:
        for number, part in enumerate(choice.parts):
            if not isinstance(part, Text):
                continue
            end = _first_match(self._fresh(), part.text)
            if end is not None:
                kept = (Text(part.text[:end], part.extras),) if end else ()
                parts = (*choice.parts[:number], *kept)
                left = len(text_of(parts))
                cited = tuple(each for each in choice.citations if each.end <= left)
                reason = StopReason.STOP_SEQUENCE
                return Choice(choice.index, parts, reason, choice.extras, cited)
        return choice


def _first_match(searches: list[_Search], text: str) -> int | None:
    """Where the stop sequence begins that is complete first, as a model would meet them, and of
    those the one that began first; counted from the begin of ``text``, so that it may be negative.
    """
    found = [
        (end, end - len(search.stop))
        for search in searches
        if (end := search.end_in(text)) is not None
    ]
    return min(found)[1] if found else None
