"""Canonical events to a caller's stream.

The head of a chunk is the same for the whole answer and is built once; what changes from delta
to delta goes between it and a ready tail, and one ``join`` makes the bytes of a block of events.

Order for each choice: a chunk with the role, then reasoning, content and calls as they come, then
one chunk with the finish reason. After the last choice the counts, if the caller asked for them,
and ``[DONE]``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from dragoman.canonical.conversation import CallKind, Extras, Media
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
from dragoman.dialects.base import AnswerFacts, ReadRequest
from dragoman.dialects.openai_chat.errors import stream_error
from dragoman.dialects.openai_chat.requests import own_request
from dragoman.dialects.openai_chat.thoughts import written_details
from dragoman.dialects.openai_chat.usage import write_usage
from dragoman.dialects.openai_chat.wire import NAME
from dragoman.dialects.openai_chat.write_messages import write_citation, write_media
from dragoman.dialects.openai_chat.write_response import finish_reason

_ENCODE: Final = msgspec.json.Encoder().encode
_DONE: Final = b"data: [DONE]\n\n"
_MEMBERS: Final = {
    PartKind.TEXT: b"content",
    PartKind.REASONING: b"reasoning_content",
    PartKind.REFUSAL: b"refusal",
}


class _Line:
    """One choice as it is being written."""

    __slots__ = (
        "after",
        "before",
        "calls",
        "has_arguments",
        "is_mute",
        "is_plain",
        "kind",
        "refused",
        "signed",
        "thoughts",
    )

    def __init__(self) -> None:
        self.calls = 0
        self.refused = False
        self.is_mute = False
        """The open part cannot be said in this dialect, or has been said at once."""
        self.is_plain = False
        """Text of the open part goes out between ``before`` and ``after`` and does nothing else."""
        self.thoughts: list[str] | None = None
        """What the open part has said, if it is a thought: its signature goes with all of it."""
        self.signed = 0
        """Thoughts with signatures so far."""
        self.kind = CallKind.FUNCTION
        """Of the open call."""
        self.has_arguments = True
        """No call is open that has said nothing yet."""
        self.before = b""
        """What stands before and after the text of a delta of the open part."""
        self.after = b""


class ChatStreamWriter:
    """Writes one stream; accepts every stream of the grammar."""

    def __init__(self, request: ReadRequest, facts: AnswerFacts) -> None:
        own = own_request(request)
        self._legacy = own.legacy_functions
        self._asked_for_usage = own.include_usage
        self._facts = facts
        self._lines: dict[int, _Line] = {}
        self._tail = b',"usage":null}\n\n' if own.include_usage else b"}\n\n"
        self._head = b""
        self._build_head({})

    def write(self, events: Iterable[Event]) -> bytes:
        """The bytes for ``events``, nothing when they say nothing to this dialect's callers."""
        out: list[bytes] = []
        lines = self._lines
        for event in events:
            if type(event) is not Delta:
                self._other(event, out)
                continue
            line = lines[event.choice]
            if line.is_plain and event.text and not event.extras:
                out += (line.before, _ENCODE(event.text), line.after)
            else:
                self._delta(event, line, out)
        return b"".join(out)

    def _build_head(self, own: dict[str, Any]) -> None:
        """All members of a chunk but ``choices`` and ``usage``, up to the list of choices."""
        members = {
            "id": f"chatcmpl-{self._facts.id}",
            "object": "chat.completion.chunk",
            "created": self._facts.created,
            "model": self._facts.model,
            "service_tier": None,
            "system_fingerprint": None,
            **own,
        }
        self._head = b"data: " + _ENCODE(members)[:-1] + b',"choices":['

    def _other(self, event: Event, out: list[bytes]) -> None:
        match event:
            case Started():
                self._build_head(dict(event.extras.get(NAME, {})))
            case PartStarted():
                self._part_started(event, out)
            case PartFinished():
                self._part_finished(event, out)
            case ChoiceFinished():
                self._choice_finished(event, out)
            case Finished():
                if self._asked_for_usage and event.usage is not None:
                    usage = _ENCODE(write_usage(event.usage))
                    out.append(self._head + b'],"usage":' + usage + b"}\n\n")
                out.append(_DONE)
            case Failed():
                out.append(stream_error(event.error))

    def _line(self, choice: int, out: list[bytes], content: bytes = b'""') -> _Line:
        """The choice's line, introduced by its role."""
        line = self._lines.get(choice)
        if line is None:
            line = self._lines[choice] = _Line()
            role = b'"role":"assistant","content":%b,"refusal":null' % content
            out.append(self._chunk(choice, role))
        return line

    def _chunk(
        self, choice: int, delta: bytes, logprobs: bytes = b"null", reason: bytes = b"null"
    ) -> bytes:
        return b"".join((self._before(choice), delta, self._after(logprobs, reason)))

    def _before(self, choice: int) -> bytes:
        return b'%b{"index":%d,"delta":{' % (self._head, choice)

    def _after(self, logprobs: bytes = b"null", reason: bytes = b"null") -> bytes:
        return b'},"logprobs":%b,"finish_reason":%b}]%b' % (logprobs, reason, self._tail)

    def _part_started(self, event: PartStarted, out: list[bytes]) -> None:
        is_call = event.kind is PartKind.TOOL_CALL
        line = self._line(event.choice, out, b"null" if is_call else b'""')
        line.is_mute = event.whole is not None
        line.is_plain = not (is_call or line.is_mute)
        if event.kind is PartKind.REASONING and not line.is_mute:
            line.is_plain, line.thoughts = False, []
        if event.whole is not None:
            body = write_media(event.whole) if isinstance(event.whole, Media) else None
            if body is not None:
                out.append(self._chunk(event.choice, b'"images":' + _ENCODE([body])))
        elif is_call:
            self._call_started(event, line, out)
        else:
            line.refused = line.refused or event.kind is PartKind.REFUSAL
            line.before = b'%b"%b":' % (self._before(event.choice), _MEMBERS[event.kind])
            line.after = self._after()

    def _call_started(self, event: PartStarted, line: _Line, out: list[bytes]) -> None:
        number = line.calls
        line.calls += 1
        line.has_arguments = False
        line.kind = event.call_kind
        before = self._before(event.choice)
        name = _ENCODE(event.call_name)
        if self._legacy and event.call_kind is CallKind.FUNCTION:
            line.is_mute = number > 0  # the deprecated spelling has room for one call
            if not line.is_mute:
                delta = b'"function_call":{"name":%b,"arguments":""}' % name
                out.append(self._chunk(event.choice, delta))
                line.before = before + b'"function_call":{"arguments":'
                line.after = b"}" + self._after()
            return
        kind, text = (
            (b"custom", b"input")
            if event.call_kind is CallKind.CUSTOM
            else (b"function", b"arguments")
        )
        rest = event.extras.get(NAME)
        out.append(
            self._chunk(
                event.choice,
                b'"tool_calls":[{"index":%d,"id":%b,"type":"%b","%b":{"name":%b,"%b":""}%b}]'
                % (number, _ENCODE(event.call_id), kind, kind, name, text, _members(rest)),
            )
        )
        line.before = b'%b"tool_calls":[{"index":%d,"%b":{"%b":' % (before, number, kind, text)
        line.after = b"}}]" + self._after()

    def _delta(self, event: Delta, line: _Line, out: list[bytes]) -> None:
        if line.is_mute:
            return
        if event.text:
            line.has_arguments = True
            line.is_plain = line.thoughts is None
            if line.thoughts is not None:
                line.thoughts.append(event.text)
            after = line.after
            if event.extras:
                after = self._after(_logprobs(event.extras))
            out += (line.before, _ENCODE(event.text), after)
        elif event.extras:
            out.append(self._chunk(event.choice, b"", _logprobs(event.extras)))

    def _part_finished(self, event: PartFinished, out: list[bytes]) -> None:
        line = self._lines[event.choice]
        own = event.extras.get(NAME, {})
        if not (line.is_mute or line.has_arguments) and line.kind is CallKind.FUNCTION:
            out += (line.before, b'"{}"', line.after)
        if own.get("logprobs"):
            out.append(self._chunk(event.choice, b"", _logprobs(event.extras)))
        details = own.get("reasoning_details")
        if line.thoughts is not None:
            if not details:
                text = "".join(line.thoughts)
                details = written_details(event.extras, text, line.signed)
                line.signed += len(details)
            line.thoughts = None
        if details:
            out.append(self._chunk(event.choice, b'"reasoning_details":' + _ENCODE(details)))
        line.has_arguments = True

    def _choice_finished(self, event: ChoiceFinished, out: list[bytes]) -> None:
        line = self._line(event.choice, out)
        own = event.extras.get(NAME, {})
        if event.citations:
            cited = [write_citation(citation) for citation in event.citations]
            own = {**own, "annotations": [*own.get("annotations", ()), *cited]}
        out += [
            self._chunk(event.choice, b'"%b":%b' % (name.encode(), _ENCODE(own[name])))
            for name in ("annotations", "audio")
            if own.get(name)
        ]
        reason = finish_reason(
            event.reason, called=line.calls > 0, refused=line.refused, legacy=self._legacy
        )
        logprobs = b"null"
        if own.get("refusal_logprobs"):
            logprobs = _ENCODE({"content": None, "refusal": own["refusal_logprobs"]})
        out.append(self._chunk(event.choice, b"", logprobs, b'"%b"' % reason.encode()))


def _members(own: Mapping[str, Any] | None) -> bytes:
    """``own`` as further members of an object."""
    return b"," + _ENCODE(own)[1:-1] if own else b""


def _logprobs(extras: Extras) -> bytes:
    tokens = extras.get(NAME, {}).get("logprobs")
    return _ENCODE({"content": tokens, "refusal": None}) if tokens else b"null"
