"""What models thought before they called a tool, kept for callers who cannot send it back.

Some providers want to see signed thoughts again beside the result of a tool, unchanged; Chat
Completions has no place for them that every client knows. So they are kept here, under the caller
and the call's id, for a while and up to a bound; a caller who does send them back is believed
instead. Losing them is no error: the dialect then asks for an answer without thoughts.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

from msgspec import Struct, structs

from dragoman.canonical.conversation import (
    NO_EXTRAS,
    Extras,
    Message,
    Part,
    Reasoning,
    Role,
    ToolCall,
)
from dragoman.canonical.events import (
    ChoiceFinished,
    Delta,
    Event,
    PartFinished,
    PartKind,
    PartStarted,
)
from dragoman.canonical.fold import merged
from dragoman.canonical.request import ChatRequest

KEPT_FOR: Final = 6 * 3600.0
"""Seconds."""
KEPT_CHARACTERS: Final = 32 * 1024 * 1024
"""Over all callers; the oldest go first."""
_OVERHEAD: Final = 512
"""Characters that an entry costs besides its thoughts."""

Thoughts = tuple[Reasoning, ...]
_Key = tuple[str, str]


class _Kept(Struct, frozen=True):
    thoughts: Thoughts
    until: float
    size: int


class Recollection:
    """Caller and call id -> the thoughts that led to the call."""

    def __init__(
        self,
        now: Callable[[], float],
        *,
        kept_for: float = KEPT_FOR,
        characters: int = KEPT_CHARACTERS,
    ) -> None:
        self._now = now
        self._kept_for = kept_for
        self._characters = characters
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, caller: str, call_ids: Iterable[str], thoughts: Thoughts) -> None:
        """The model thought ``thoughts`` and then made these calls for ``caller``."""
        now = self._now()
        size = _OVERHEAD + sum(_size(one) for one in thoughts)
        for call_id in call_ids:
            self._forget((caller, call_id))
            self._kept[caller, call_id] = _Kept(thoughts, now + self._kept_for, size)
            self._size += size
        while self._kept:
            key, oldest = next(iter(self._kept.items()))
            if self._size <= self._characters and oldest.until > now:
                break
            self._forget(key)

    def thoughts(self, caller: str, call_id: str) -> Thoughts:
        """What is kept for the call; empty if nothing is."""
        kept = self._kept.get((caller, call_id))
        if kept is None or kept.until <= self._now():
            return ()
        return kept.thoughts

    def restored(self, caller: str, request: ChatRequest) -> ChatRequest:
        """``request`` with the thoughts that are missing before calls of its history."""
        if not self._kept:
            return request
        messages = [self._completed(caller, message) for message in request.messages]
        if all(new is old for new, old in zip(messages, request.messages, strict=True)):
            return request
        return structs.replace(request, messages=tuple(messages))

    def witness(self, caller: str) -> Witness:
        """Listens to one answer to ``caller``."""
        return Witness(self, caller)

    def _completed(self, caller: str, message: Message) -> Message:
        if message.role is not Role.ASSISTANT:
            return message
        calls = [part for part in message.parts if isinstance(part, ToolCall)]
        if not calls or any(is_signed(part) for part in message.parts):
            return message
        found: list[Reasoning] = []
        for call in calls:
            found += [one for one in self.thoughts(caller, call.id) if one not in found]
        if not found:
            return message
        rest = tuple(part for part in message.parts if not isinstance(part, Reasoning))
        return structs.replace(message, parts=(*found, *rest))

    def _forget(self, key: _Key) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._size -= kept.size


class Witness:
    """Takes note of one answer's thoughts and calls."""

    def __init__(self, recollection: Recollection, caller: str) -> None:
        self._recollection = recollection
        self._caller = caller
        self._thoughts: list[Reasoning] = []
        self._calls: list[str] = []
        self._words: list[str] | None = None
        """Of the thought that is open."""
        self._extras: Extras = NO_EXTRAS

    def see(self, events: Iterable[Event]) -> None:
        """The next events. Thoughts are kept once the answer is complete."""
        for event in events:
            match event:
                case Delta():
                    if self._words is not None:
                        self._words.append(event.text)
                case PartStarted(kind=PartKind.REASONING):
                    self._words, self._extras = [], event.extras
                case PartStarted(kind=PartKind.TOOL_CALL):
                    self._calls.append(event.call_id)
                case PartFinished() if self._words is not None:
                    extras = merged(self._extras, event.extras)
                    self._thoughts.append(Reasoning("".join(self._words), extras))
                    self._words = None
                case ChoiceFinished():
                    self._keep()

    def _keep(self) -> None:
        thoughts = tuple(one for one in self._thoughts if is_signed(one))
        if self._calls and thoughts:
            self._recollection.keep(self._caller, self._calls, thoughts)
        self._thoughts, self._calls = [], []


def is_signed(part: Part) -> bool:
    """A thought that carries what its origin wants back."""
    return isinstance(part, Reasoning) and any(
        name != "reasoning_details" for members in part.extras.values() for name in members
    )


def _size(thought: Reasoning) -> int:
    return len(thought.text) + sum(
        len(value)
        for members in thought.extras.values()
        for value in members.values()
        if isinstance(value, str)
    )
