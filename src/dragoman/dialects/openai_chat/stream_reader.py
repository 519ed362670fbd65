"""Chunks of an upstream's stream to canonical events.

``ChatStreamReader`` takes one chunk after the other; a ``_Voice`` keeps each choice in order.
Parts of a choice never overlap in canonical events, but upstreams mix the fragments of parallel
calls, and text among them: the first part goes out as it comes, later ones wait until it is
known to be complete. A call is that when its arguments are whole JSON and another part begins,
or when the choice ends.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from dragoman.canonical.conversation import NO_EXTRAS, CallKind, Extras, Media, Native
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
from dragoman.canonical.fold import merged
from dragoman.canonical.usage import Usage
from dragoman.dialects.base import WrittenRequest
from dragoman.dialects.openai_chat.answers import (
    answer_created,
    answer_extras,
    answer_id,
    broken,
    call_arguments,
    call_extras,
    call_head,
    call_id,
    call_seed,
    function_arguments,
    id_text,
    pieces,
    stop_reason,
)
from dragoman.dialects.openai_chat.errors import read_reported_error
from dragoman.dialects.openai_chat.read_messages import own_extras
from dragoman.dialects.openai_chat.usage import read_usage_member
from dragoman.dialects.openai_chat.wire import (
    ANSWER,
    SYNTAX,
    Answer,
    AnswerChoice,
    Call,
    Function,
    LogProbs,
    Said,
    reports_error,
)
from dragoman.errors import GatewayError, UpstreamUnavailable
from dragoman.framing import Frame

_TEXT: Final = PartKind.TEXT
_NO_WORDS: Final = {"text": msgspec.Raw(b'""')}
_CALL: Final = PartKind.TOOL_CALL


class _Part:
    """A part that has begun upstream and perhaps not yet in our events."""

    __slots__ = (
        "call_kind",
        "done",
        "extras",
        "held",
        "id",
        "kind",
        "name",
        "said",
        "start_extras",
        "whole",
    )

    def __init__(self, kind: PartKind) -> None:
        self.kind = kind
        self.held: list[Delta] = []
        """Deltas that wait for the part to be the first."""
        self.said: list[str] = []
        """Of a call: all arguments so far."""
        self.extras: Extras = NO_EXTRAS
        """For ``PartFinished``."""
        self.start_extras: Extras = NO_EXTRAS
        self.done = False
        self.id = ""
        self.name = ""
        self.call_kind = CallKind.FUNCTION
        self.whole: Media | Native | None = None

    def is_complete(self) -> bool:
        """Whether a call's arguments can have no continuation."""
        if self.call_kind is not CallKind.FUNCTION:
            return False
        try:
            SYNTAX.decode("".join(self.said))
        except (msgspec.DecodeError, RecursionError):
            return False
        return True

    def started(self, choice: int) -> PartStarted:
        return PartStarted(
            choice, self.kind, self.id, self.name, self.call_kind, self.whole, self.start_extras
        )


def _is_content_only(said: Said) -> bool:
    return (
        said.reasoning_content is None
        and said.reasoning is None
        and not said.refusal
        and not said.images
        and not said.reasoning_details
    )


class _Voice:
    """One choice: what was said, brought into order."""

    def __init__(self, choice: int, seed: str) -> None:
        self.choice = choice
        self.ended = False
        self._seed = seed
        self._parts: deque[_Part] = deque()
        self._is_live = False
        """``PartStarted`` of the first part is out."""
        self._is_in_text = False
        """The first part is live, the only one and made of words."""
        self._by_id: dict[str, _Part] = {}
        self._by_index: dict[int, _Part] = {}
        self._last_call: _Part | None = None
        self._legacy_call: _Part | None = None
        self._calls = 0
        self._thinks_plainly = False
        self._rest: dict[str, list[msgspec.Raw]] = {}

    def hear(self, choice: AnswerChoice, said: Said, events: list[Event]) -> None:
        """What one chunk says. Raises ``UpstreamBroken`` and ``msgspec.DecodeError``."""
        content = said.content
        is_plain = isinstance(content, str) and content != "" and _is_content_only(said)
        logprobs = choice.logprobs
        if is_plain and logprobs is None and self._is_in_text:
            events.append(Delta(self.choice, content))  # type: ignore[arg-type]
        else:
            mark = NO_EXTRAS if logprobs is None else self._mark(logprobs)
            self._hear_pieces(said, mark, events)
        for call in said.tool_calls or ():
            self._hear_call(call, events)
        if said.function_call is not None:
            self._hear_legacy(said.function_call, events)
        if said.annotations:
            self._keep("annotations", said.annotations)

    def _mark(self, logprobs: LogProbs) -> Extras:
        """What the next delta carries; keeps what belongs to the choice."""
        if logprobs.refusal:
            self._keep("refusal_logprobs", logprobs.refusal)
        return own_extras({"logprobs": logprobs.content}) if logprobs.content else NO_EXTRAS

    def end(self, word: str | int | None, events: list[Event]) -> None:
        """The choice is complete; ``word`` is the upstream's finish reason."""
        for part in self._parts:
            part.done = True
        self._advance(events)
        self.ended = True
        reason = stop_reason(word, called=self._calls > 0)
        events.append(ChoiceFinished(self.choice, reason, own_extras(dict(self._rest))))

    def _keep(self, name: str, values: list[msgspec.Raw]) -> None:
        self._rest[name] = self._rest.get(name, []) + values

    def _hear_pieces(self, said: Said, mark: Extras, events: list[Event]) -> None:
        if said.reasoning_content or said.reasoning:
            self._thinks_plainly = True
        elif self._thinks_plainly and said.reasoning_details:
            said.reasoning_content = _NO_WORDS  # the details repeat what was said plainly
        for kind, text, extras, whole in pieces(said):
            if whole is not None:
                part = _Part(kind)
                part.whole = whole
                part.done = True
                self._append(part, events)
            else:
                self._add(kind, text, mark if kind is _TEXT else NO_EXTRAS, events)
                if extras:
                    last = self._parts[-1]
                    last.extras = merged(last.extras, extras)
                if kind is _TEXT:
                    mark = NO_EXTRAS
        if mark:
            self._add(_TEXT, "", mark, events)

    def _add(self, kind: PartKind, text: str, extras: Extras, events: list[Event]) -> None:
        """Words for the last part, or for a new one of ``kind``."""
        parts = self._parts
        last = parts[-1] if parts else None
        if last is None or last.kind is not kind or last.done:
            last = _Part(kind)
            self._append(last, events)
        if text or extras:
            self._say(last, Delta(self.choice, text, extras), events)

    def _say(self, part: _Part, delta: Delta, events: list[Event]) -> None:
        if self._is_live and self._parts[0] is part:
            events.append(delta)
        else:
            part.held.append(delta)

    def _append(self, part: _Part, events: list[Event]) -> None:
        self._parts.append(part)
        self._advance(events)

    def _advance(self, events: list[Event]) -> None:
        """Let out what may go: the first part, and the next ones where it is complete."""
        parts = self._parts
        self._let_out(parts, events)
        self._is_in_text = self._is_live and len(parts) == 1 and parts[0].kind is _TEXT

    def _let_out(self, parts: deque[_Part], events: list[Event]) -> None:
        while parts:
            first = parts[0]
            if not self._is_live:
                if first.kind is _CALL and not first.name and not first.done:
                    return
                events.append(first.started(self.choice))
                self._is_live = True
                events += first.held
                first.held.clear()
            if not first.done:
                if len(parts) == 1 or (first.kind is _CALL and not first.is_complete()):
                    return
                first.done = True
            events.append(PartFinished(self.choice, first.extras))
            parts.popleft()
            self._is_live = False

    def _hear_call(self, call: Call, events: list[Event]) -> None:
        name, kind = call_head(call)
        given = id_text(call)
        part = self._known_call(call, given, name)
        if part is None:
            part = self._new_call(given, name, kind)
            part.start_extras = call_extras(call)
            if given:
                self._by_id[given] = part
            if call.index is not None:
                self._by_index[call.index] = part
            self._append(part, events)
        elif name and not part.name:
            part.name = name
            self._advance(events)
        self._add_arguments(part, call_arguments(call), events)

    def _new_call(self, given: str, name: str, kind: CallKind) -> _Part:
        part = _Part(_CALL)
        part.id = call_id(given, self._seed, self.choice, self._calls)
        part.name = name
        part.call_kind = kind
        self._calls += 1
        self._last_call = part
        return part

    def _known_call(self, call: Call, given: str, name: str) -> _Part | None:
        """The call that this fragment goes on with.

        The index alone does not tell: some servers send 0 with every call, others a fresh id
        with every fragment. A name with another id begins a call; so does a name without any id
        after a call whose arguments are whole.
        """
        part = self._by_id.get(given) if given else None
        if part is not None:
            return part
        part = self._last_call if call.index is None else self._by_index.get(call.index)
        if part is None or not name or not part.name:
            return part
        return None if given or part.is_complete() else part

    def _hear_legacy(self, function: Function, events: list[Event]) -> None:
        part = self._legacy_call
        if part is None:
            if not function.name:
                return
            part = self._legacy_call = self._new_call("", function.name, CallKind.FUNCTION)
            self._append(part, events)
        self._add_arguments(part, function_arguments(function), events)

    def _add_arguments(self, part: _Part, text: str, events: list[Event]) -> None:
        if not text:
            return
        if part.done:
            if text.isspace():
                return
            raise broken("a tool call goes on after its end")
        part.said.append(text)
        self._say(part, Delta(self.choice, text), events)


class ChatStreamReader:
    """Reads one stream. Nothing that an upstream sends makes it raise or break the grammar."""

    def __init__(self, _request: WrittenRequest | None = None) -> None:
        self._voices: dict[int, _Voice] = {}
        self._seed = ""
        self._is_started = False
        self._is_over = False
        self._usage: Usage | None = None

    def read(self, data: bytes, event: bytes = b"") -> list[Event]:
        """The events of one chunk; ``[DONE]`` ends the answer."""
        if self._is_over or not data:
            return []
        if data[:1] == b"[" and data.strip() == b"[DONE]":
            return self._finish()
        events: list[Event] = []
        try:
            chunk = ANSWER.decode(data)
            if event == b"error" or (
                (chunk.error is not None or chunk.choices is None) and reports_error(chunk, data)
            ):
                raise read_reported_error(data)
            self._read_chunk(chunk, data, events)
        except GatewayError as error:
            return self._fail(events, error)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            if event == b"error":
                return self._fail(events, read_reported_error(data))
            return self._fail(events, broken("a chunk is not as it should be", error))
        return events

    def read_all(self, frames: list[Frame]) -> list[Event]:
        """The events of several chunks."""
        return [event for frame in frames for event in self.read(frame.data, frame.event)]

    def close(self) -> list[Event]:
        """The bytes have ended. Servers that never say ``[DONE]`` have finished every choice."""
        if self._is_over:
            return []
        if self._voices and all(voice.ended for voice in self._voices.values()):
            return self._finish()
        return self._fail(
            [], UpstreamUnavailable("The provider closed the stream before the answer's end.")
        )

    def _read_chunk(self, chunk: Answer, data: bytes, events: list[Event]) -> None:
        if chunk.choices:
            if not self._is_started:
                self._start(chunk, data, events)
            for at, choice in enumerate(chunk.choices):
                self._read_choice(choice, at, events)
        if chunk.usage is not None or chunk.x_groq is not None:
            self._usage = read_usage_member(chunk.usage, chunk.x_groq) or self._usage

    def _start(self, chunk: Answer, data: bytes, events: list[Event]) -> None:
        self._is_started = True
        self._seed = call_seed(chunk)
        events.append(
            Started(answer_id(chunk), chunk.model or "", answer_created(chunk), answer_extras(data))
        )

    def _read_choice(self, choice: AnswerChoice, at: int, events: list[Event]) -> None:
        index = at if choice.index is None else choice.index
        voice = self._voices.get(index)
        if voice is None:
            voice = self._voices[index] = _Voice(index, self._seed)
        if voice.ended:
            return
        said = choice.delta or choice.message
        if said is not None:
            voice.hear(choice, said, events)
        word = choice.finish_reason
        if word == "error":
            raise broken("the model's run ended in an error")
        if word is not None and word != "":
            voice.end(word, events)

    def _finish(self) -> list[Event]:
        if not self._voices:
            return self._fail([], broken("the stream holds no answer"))
        self._is_over = True
        events: list[Event] = []
        for voice in self._voices.values():
            if not voice.ended:
                voice.end(None, events)
        events.append(Finished(self._usage))
        return events

    def _fail(self, events: list[Event], error: GatewayError) -> list[Event]:
        self._is_over = True
        events.append(Failed(error))
        return events
