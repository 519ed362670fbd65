"""A streamed answer (v1): unnamed events, the call in one piece, ``[DONE]`` at the end.

``read`` takes the shortest way for what nearly every event is: a few words for the open text.
A stream that ends without a ``finish_reason`` has failed, whatever else it said: GigaChat sends
no error event, its connection simply breaks.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct, structs

from dragoman.canonical.conversation import Text, ToolCall
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
from dragoman.canonical.usage import Usage
from dragoman.dialects.base import WrittenRequest
from dragoman.dialects.gigachat.answers import (
    CallReader,
    WireMessage,
    WireUsage,
    model_failed,
    read_usage,
    seconds,
    stop_reason,
)
from dragoman.dialects.gigachat.errors import read_error
from dragoman.dialects.gigachat.state_ids import derived_id
from dragoman.dialects.gigachat.thoughts import Piece, ThoughtSplitter
from dragoman.errors import GatewayError, UpstreamBroken, UpstreamUnavailable
from dragoman.framing import Frame


class WireDelta(Struct, gc=False):
    """One choice of an event."""

    delta: WireMessage
    index: int = 0
    finish_reason: str | None = None


class WireWords(Struct, gc=False):
    """As much of an event as the shortest way looks at."""

    choices: tuple[WireDelta, ...] = ()
    usage: Any = None


class WireEvent(Struct):
    """One event; an error has no ``choices``."""

    choices: tuple[WireDelta, ...] = ()
    created: int | float | str | None = 0
    model: str | None = ""
    message_id: str | None = ""
    usage: WireUsage | None = None
    error: Raw = Raw()
    message: Raw = Raw()


_NO_EVENT: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_decode_words: Final = msgspec.json.Decoder(WireWords).decode
_decode_lines: Final = msgspec.json.Decoder(WireWords).decode_lines
_decode: Final = msgspec.json.Decoder(WireEvent).decode


class _Choice(Struct):
    """What has been said of one choice."""

    open: PartKind | None = None
    has_call: bool = False
    has_answer: bool = False
    """The function that stands in for an answer has been called."""
    is_finished: bool = False
    state: str | None = None
    """The last ``functions_state_id``, which may come ahead of its call."""
    splitter: ThoughtSplitter = msgspec.field(default_factory=ThoughtSplitter)
    held: list[str] = []
    """Words that count only if that function is not called."""


class GigaChatStreamReader:
    """Implements ``StreamReader``."""

    def __init__(self, written: WrittenRequest) -> None:
        self._written = written
        self._choices: dict[int, _Choice] = {}
        self._calls: CallReader | None = None
        self._seen: dict[str, ToolCall] = {}
        """Id -> call, of the calls so far."""
        self._talking: int | None = None
        """The choice whose text is open, where one event has opened it."""
        self._usage: Usage | None = None
        self._is_over = False

    def read(self, data: bytes, event: bytes = b"") -> list[Event]:  # noqa: ARG002 - events have no names
        """The events that one frame brings. Malformed data gives ``Failed``, never raises."""
        if self._is_over:
            return []
        if data == b"[DONE]":
            return self.close()
        try:
            words = _decode_words(data)
            deltas = self._more_words([words])
            if deltas:
                return deltas
            chunk = _decode(data)
        except _NO_EVENT as error:
            return self._failed(
                UpstreamBroken(
                    "GigaChat's stream could not be read. Try again.",
                    detail=f"{error}: {data[:200]!r}",
                )
            )
        return self._read_any(chunk, data)

    def read_all(self, frames: list[Frame]) -> list[Event]:
        """The events of one or more frames, decoded by one call where all are words."""
        events: list[Event] = []
        if self._talking is None:  # the first frame may open the text
            events += self.read(frames[0].data, frames[0].event)
            frames = frames[1:]
        deltas: list[Event] = []
        if len(frames) > 1 and self._talking is not None and not self._is_over:
            try:
                several = _decode_lines(b"\n".join([frame.data for frame in frames]))
            except _NO_EVENT:
                several = []
            if len(several) == len(frames):
                deltas = self._more_words(several)
        events += deltas
        for frame in frames[len(deltas) :]:
            events += self.read(frame.data, frame.event)
        return events

    def _more_words(self, several: list[WireWords]) -> list[Event]:
        """The deltas of the first events, as long as these only go on with the open text."""
        deltas: list[Event] = []
        talking = self._talking
        for words in several:
            if len(words.choices) != 1 or words.usage is not None:
                break
            said = words.choices[0]
            delta = said.delta
            if (
                said.index != talking
                or not delta.content
                or said.finish_reason is not None
                or delta.function_call is not None
                or delta.reasoning_content is not None
            ):
                break
            deltas.append(Delta(talking, delta.content))
        return deltas

    def close(self) -> list[Event]:
        """The bytes have ended; if the answer had not, that is a ``Failed``."""
        if self._is_over:
            return []
        if not self._choices or not all(each.is_finished for each in self._choices.values()):
            return self._failed(
                UpstreamUnavailable("GigaChat ended the stream before its answer was complete.")
            )
        self._is_over = True
        return [Finished(self._usage)]

    def _failed(self, error: GatewayError) -> list[Event]:
        self._is_over = True
        return [Failed(error)]

    def _read_any(self, chunk: WireEvent, data: bytes) -> list[Event]:
        if chunk.usage is not None:
            self._usage = read_usage(chunk.usage)
        if not chunk.choices:
            if bytes(chunk.error) or bytes(chunk.message):
                return self._failed(read_error(200, {}, data))
            return []
        out: list[Event] = []
        if self._calls is None:
            identity = chunk.message_id or ""
            self._calls = CallReader(self._written, identity, str(chunk.created))
            out.append(Started(identity, chunk.model or "", seconds(chunk.created)))
        for said in chunk.choices:
            self._say(said, self._calls, out)
            if said.finish_reason == "error":
                return [*out, *self._failed(model_failed())]
        return out

    def _say(self, said: WireDelta, calls: CallReader, out: list[Event]) -> None:
        index, delta = said.index, said.delta
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _Choice()
        if choice.is_finished:
            return
        if delta.functions_state_id:
            choice.state = delta.functions_state_id
        if delta.reasoning_content:
            self._words(index, PartKind.REASONING, delta.reasoning_content, out)
        if delta.content:
            self._talk(index, choice.splitter.feed(delta.content), out)
        if delta.function_call is not None:
            self._talk(index, choice.splitter.close(), out)
            self._called(index, calls.read(delta.function_call, choice.state, index), out)
        if said.finish_reason:
            self._finish(index, said.finish_reason, out)

    def _called(self, index: int, read: ToolCall | Text, out: list[Event]) -> None:
        choice = self._choices[index]
        if isinstance(read, ToolCall):
            self._release(index, out)
            self._call(index, read, out)
        elif not choice.has_answer:
            choice.has_answer = True
            self._words(index, PartKind.TEXT, read.text, out)

    def _finish(self, index: int, word: str, out: list[Event]) -> None:
        choice = self._choices[index]
        self._talk(index, choice.splitter.close(), out)
        self._release(index, out)
        self._shut(index, out)
        choice.is_finished = True
        if word != "error":
            out.append(ChoiceFinished(index, stop_reason(word, has_call=choice.has_call)))

    def _release(self, index: int, out: list[Event]) -> None:
        """The answer that has a form has come, or will not come any more."""
        choice = self._choices[index]
        if choice.held and not choice.has_answer:
            self._words(index, PartKind.TEXT, "".join(choice.held), out)
        choice.held.clear()

    def _talk(self, index: int, pieces: list[Piece], out: list[Event]) -> None:
        """Words beside an answer that has a form would spoil it; thoughts do not."""
        for kind, text in pieces:
            if kind is PartKind.TEXT and self._written.json_tool:
                self._choices[index].held.append(text)
            else:
                self._words(index, kind, text, out)

    def _words(self, index: int, kind: PartKind, text: str, out: list[Event]) -> None:
        choice = self._choices[index]
        if choice.open is not kind:
            self._shut(index, out)
            out.append(PartStarted(index, kind))
            choice.open = kind
            is_plain = choice.splitter.is_talking and not self._written.json_tool
            self._talking = index if is_plain and kind is PartKind.TEXT else None
        out.append(Delta(index, text))

    def _shut(self, index: int, out: list[Event]) -> None:
        choice = self._choices[index]
        if choice.open is not None:
            out.append(PartFinished(index))
            choice.open = None
            self._talking = None

    def _call(self, index: int, call: ToolCall, out: list[Event]) -> None:
        """A call comes whole; one that is repeated in the closing event is the same call."""
        known = self._seen.get(call.id)
        if known == call:
            return
        if known is not None:
            call = structs.replace(call, id=derived_id(call.id, call.name, call.arguments))
        self._seen[call.id] = call
        self._shut(index, out)
        self._choices[index].has_call = True
        out.append(PartStarted(index, PartKind.TOOL_CALL, call.id, call.name, call.kind))
        if call.arguments:
            out.append(Delta(index, call.arguments))
        out.append(PartFinished(index))
