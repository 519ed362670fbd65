"""A stream of this dialect on both sides: bytes go on as they came and are read beside.

Blocks are cut at the last whole event. One that holds a single event is decoded, as little as
will do; a larger one is looked through by byte searches, which cost less by then, and events are
decoded only where something was found: the counts, an error, or, at the beginning, whether there
is anything worth a 200. What an upstream says in place of a chunk (an error) does not go on; the
caller of ``feed`` reports it in its own words. When the caller did not ask for the counts, the
chunk that holds nothing else is kept back.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.json import Decoder

from dragoman.canonical.usage import Usage
from dragoman.dialects.base import ReadRequest
from dragoman.dialects.openai_chat.answers import broken
from dragoman.dialects.openai_chat.errors import read_reported_error
from dragoman.dialects.openai_chat.requests import own_request
from dragoman.dialects.openai_chat.usage import read_usage_member
from dragoman.dialects.openai_chat.wire import ANSWER, Answer, Said, present, reports_error
from dragoman.errors import GatewayError, UpstreamUnavailable
from dragoman.framing import Frame
from dragoman.framing.sse import DEFAULT_LIMIT, SseDecoder

_USAGE: Final = (b'"usage":{', b'"usage": {')
_REASON: Final = (b'"finish_reason":"', b'"finish_reason": "')
_CHOICES: Final = b'"choices"'
_ERROR: Final = b'"error"'
_DONE: Final = b"[DONE]\n\n"
_ENDS: Final = re.compile(rb"(?>\r\n|\n|\r){2}")
"""The empty line behind an event, whatever the line ends."""
_DONE_ANYHOW: Final = re.compile(rb"(?:^|[\r\n])data:[ ]?\[DONE\]")
_SMALL: Final = 2048
"""Bytes of a block below which decoding is cheaper than searching."""
_TAIL: Final = 4096
"""Bytes of the end of a block in which a finish reason is looked for: what follows one is short."""


class _End(Struct, gc=False):
    finish_reason: str | None = None


class _Glance(Struct, gc=False):
    """As much of a chunk as tells whether there is more to see."""

    choices: list[_End] | None = None
    usage: dict[str, Any] | None = None
    error: Any = None
    x_groq: Any = None


_GLANCE: Final = Decoder(_Glance)


class ChatPassage:
    """Reads beside one passing stream.

    A search over a block costs about as much as all else that is done with it, so they are few.
    """

    __slots__ = (
        "_finish_seen",
        "_held",
        "_held_size",
        "_hides_usage",
        "_limit",
        "_recent",
        "begun",
        "complete",
        "error",
        "usage",
    )

    def __init__(self, request: ReadRequest, limit: int = DEFAULT_LIMIT) -> None:
        self._hides_usage = not own_request(request).include_usage
        self._limit = limit
        self._held: list[bytes] = []
        self._held_size = 0
        self._recent = b""
        """The last bytes of what is held: an event's end may be split."""
        self._finish_seen = False
        self.usage: Usage | None = None
        self.begun = False
        self.complete = False
        self.error: GatewayError | None = None

    def feed(self, block: bytes) -> bytes:
        """The whole events of ``block`` and of what was held; nothing after an error."""
        if self.error is not None:
            return b""
        if not self._held and block.endswith(b"\n\n"):
            return self._looked_at(block)
        cut = _last_end(block, self._recent)
        if cut <= 0:
            self._hold(block)
            return b""
        out = b"".join([*self._held, block[:cut]])
        self._held.clear()
        self._held_size = 0
        self._recent = b""
        if cut < len(block):
            self._hold(block[cut:])
        return self._looked_at(out)

    def close(self) -> bytes:
        """The last event, if the upstream left its empty line out; half an event is dropped."""
        rest = b"".join(self._held)
        self._held.clear()
        out = b""
        if not rest.strip(b"\r\n"):
            out = rest
        elif self.error is None:
            event = rest.rstrip(b"\r\n")
            if _ENDS.match(rest, len(event)):
                out = self._looked_at(rest)
            elif _is_whole(event):
                out = self._looked_at(event + b"\n\n")
        if self.error is None and not self.complete:
            if self._finish_seen:
                self.complete = True
            else:
                self.error = UpstreamUnavailable(
                    "The provider closed the stream before the answer's end."
                )
        return out

    def _hold(self, block: bytes) -> None:
        if block:
            self._held.append(block)
            self._held_size += len(block)
            self._recent = (self._recent + block[-3:])[-3:]
            if self._held_size > self._limit:
                self.error = broken(f"an event is longer than {self._limit} bytes")

    def _looked_at(self, out: bytes) -> bytes:
        """``out``, which is made of whole events, without what must not go on."""
        if self.begun and len(out) < _SMALL and self._is_chunk(out):
            return out
        if not self._finish_seen:
            tail = out if len(out) <= _TAIL else out[-_TAIL:]
            self._finish_seen = _REASON[0] in tail or _REASON[1] in tail
        if b"\r" in out[-4:]:
            done = _DONE_ANYHOW.search(out) is not None
            out = self._slowly(out)
        else:
            done = out.endswith(_DONE)
            first, out = (b"", out) if self.begun else self._until_begun(out)
            if out:
                out = self._searched(out, done=done)
            out = first + out
        self.complete = self.complete or (done and self.error is None)
        return out

    def _is_chunk(self, out: bytes) -> bool:
        """Whether ``out`` is one chunk with words and nothing else; notes whether it finishes."""
        if out.find(b"\n\n") != len(out) - 2 or not out.startswith(b"data: {"):
            return False
        try:
            glance = _GLANCE.decode(out[6:])
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return False
        choices = glance.choices
        odd = (glance.usage, glance.error, glance.x_groq) != (None, None, None)
        if odd or not choices:
            return False
        for choice in choices:
            if choice.finish_reason:
                self._finish_seen = True
                return choice.finish_reason != "error"
        return True

    def _until_begun(self, out: bytes) -> tuple[bytes, bytes]:
        """What may pass of the events up to the first meaningful one, and all that follow it."""
        passed: list[bytes] = []
        at = 0
        while at < len(out) and not self.begun and self.error is None:
            end = out.find(b"\n\n", at)
            end = len(out) if end < 0 else end + 2
            event = out[at:end]
            if self._check(event):
                passed.append(event)
            at = end
        return b"".join(passed), out[at:] if self.error is None else b""

    def _searched(self, out: bytes, *, done: bool) -> bytes:
        """Events of a stream that has begun: chunks, unless something says otherwise."""
        if out.count(_CHOICES) + done != out.count(b"\n\n") or _ERROR in out:
            return self._slowly(out)
        return out if _counts_at(out, 0) < 0 else self._with_counts(out)

    def _with_counts(self, out: bytes) -> bytes:
        """Only the events that hold counts are looked into."""
        pieces: list[bytes] = []
        behind = 0
        while self.error is None and (at := _counts_at(out, behind)) >= 0:
            before = out.rfind(b"\n\n", behind, at)
            begin = behind if before < 0 else before + 2
            end = out.find(b"\n\n", at) + 2
            passes = self._check(out[begin:end])
            pieces.append(out[behind : end if passes else begin])
            behind = end
        if self.error is None:
            pieces.append(out[behind:])
        return b"".join(pieces)

    def _slowly(self, out: bytes) -> bytes:
        """Event by event; nothing after an error."""
        kept: list[bytes] = []
        for event in _events(out):
            if self._check(event):
                kept.append(event)
            elif self.error is not None:
                break
        return b"".join(kept)

    def _check(self, event: bytes) -> bool:
        passes = True
        for frame in _frames(event):
            passes = self._note(frame) and passes
        return passes

    def _note(self, frame: Frame) -> bool:
        data = frame.data
        if not data or data.strip() == b"[DONE]":
            self.complete = self.complete or bool(data)
            return True
        try:
            chunk = ANSWER.decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            self.error = (
                read_reported_error(data)
                if frame.event == b"error"
                else broken("a chunk is not as it should be", error)
            )
            return False
        if frame.event == b"error" or reports_error(chunk, data):
            self.error = read_reported_error(data)
            return False
        usage = read_usage_member(chunk.usage, chunk.x_groq)
        if usage is not None:
            self.usage = usage
        if chunk.choices:
            if any(choice.finish_reason == "error" for choice in chunk.choices):
                self.error = broken("the model's run ended in an error")
                return False
            self.begun = self.begun or _says_something(chunk)
            return True
        return not (self._hides_usage and usage is not None)


def _counts_at(block: bytes, start: int) -> int:
    """Where the next counts stand; negative without any."""
    compact, spaced = (block.find(mark, start) for mark in _USAGE)
    return max(compact, spaced) if compact < 0 or spaced < 0 else min(compact, spaced)


def _says_something(chunk: Answer) -> bool:
    """Content, reasoning, a call or an end: more than a role."""
    for choice in chunk.choices or ():
        said = choice.delta or choice.message or Said()
        if choice.finish_reason or said.content or said.refusal or said.tool_calls:
            return True
        if said.reasoning_content or said.reasoning or said.reasoning_details:
            return True
        if said.function_call or said.images or present(said.audio):
            return True
    return False


def _last_end(block: bytes, before: bytes) -> int:
    """Where in ``block`` its last event ends; 0 or less when none does.

    ``before`` are the last bytes that came before it: an end may be split.
    """
    cut = block.rfind(b"\n\n") + 2
    if cut > 1:
        return cut
    if b"\r" not in block and b"\r" not in before:
        return 1 if block[:1] == b"\n" and before[-1:] == b"\n" else 0
    last = 0
    data = before + block
    for found in _ENDS.finditer(data):
        if found.end() < len(data) or not data.endswith(b"\r"):  # else a LF may belong to it
            last = found.end()
    return last - len(before)


def _events(out: bytes) -> list[bytes]:
    """Whole events with their ends."""
    if b"\r" not in out:
        return [event + b"\n\n" for event in out[:-2].split(b"\n\n")]
    events = []
    begin = 0
    for found in _ENDS.finditer(out):
        events.append(out[begin : found.end()])
        begin = found.end()
    if begin < len(out):
        events.append(out[begin:])
    return events


def _frames(event: bytes) -> list[Frame]:
    decoder = SseDecoder()
    return decoder.feed(event) + decoder.close()


def _is_whole(rest: bytes) -> bool:
    """Whether an event without its empty line is complete all the same."""
    for frame in _frames(rest):
        if frame.data.strip() == b"[DONE]":
            return True
        try:
            ANSWER.decode(frame.data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return False
        return True
    return False
