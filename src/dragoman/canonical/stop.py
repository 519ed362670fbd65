"""Stop sequences for upstreams that have none: the gateway watches the text and cuts it.

A match may span deltas, so text that could be the beginning of a stop sequence is held back
until it is clear. What was held goes out when the part ends. Only the words of an answer are
watched: no provider applies stop sequences to reasoning or to a call's arguments.
"""

from __future__ import annotations

from collections.abc import Sequence

from dragoman.canonical.conversation import Text
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


class StopCutter:
    """Cuts one answer, streamed (``filter``) or whole (``cut``), at the first stop sequence."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
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
            if not isinstance(out[-1], Finished | Failed):
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

    def _text(self, delta: Delta, out: list[Event]) -> None:
        choice = delta.choice
        text = self._held[choice] + delta.text
        end = self._first_match(text)
        if end is None:
            keep = self._possible_start(text)
            self._held[choice] = text[len(text) - keep :]
            if keep < len(text):
                out.append(Delta(choice, text[: len(text) - keep], delta.extras))
            return
        if end:
            out.append(Delta(choice, text[:end], delta.extras))
        out.append(PartFinished(choice))
        out.append(ChoiceFinished(choice, StopReason.STOP_SEQUENCE))
        del self._held[choice]
        self._ended.add(choice)

    def _first_match(self, text: str) -> int | None:
        """Where the stop sequence begins that is complete first, as a model would meet them."""
        found = [(at + len(stop), at) for stop in self._stops if (at := text.find(stop)) >= 0]
        return min(found)[1] if found else None

    def _possible_start(self, text: str) -> int:
        """Length of the longest end of ``text`` with which some stop sequence begins."""
        longest = max((len(stop) for stop in self._stops), default=1) - 1
        for length in range(min(longest, len(text)), 0, -1):
            tail = text[-length:]
            if any(stop.startswith(tail) for stop in self._stops):
                return length
        return 0

    def _cut_choice(self, choice: Choice) -> Choice:
        for number, part in enumerate(choice.parts):
            if isinstance(part, Text) and (end := self._first_match(part.text)) is not None:
                kept = (Text(part.text[:end], part.extras),) if end else ()
                parts = (*choice.parts[:number], *kept)
                return Choice(choice.index, parts, StopReason.STOP_SEQUENCE, choice.extras)
        return choice
