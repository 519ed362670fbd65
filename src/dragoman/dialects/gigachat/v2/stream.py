"""A streamed answer of version 2: named events, whose last one says how the answer ended.

``response.message.delta`` brings more of the messages, ``response.tool.*`` tells what a built-in
tool is doing, ``response.message.done`` is the last word: a stream without it has failed. Events
without a name are read by what they hold, those of other names are passed over unless they tell
of an error. There is one choice, whose number is 0.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from dragoman.canonical.conversation import NO_EXTRAS, ToolCall
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
from dragoman.dialects.gigachat.answers import model_failed, seconds, stop_reason
from dragoman.dialects.gigachat.errors import read_error
from dragoman.dialects.gigachat.thoughts import Piece
from dragoman.dialects.gigachat.v2.answers import (
    REASONING,
    SPEAKING,
    WireAnswer,
    WireMessage,
    WirePart,
    counts,
    end_of,
    parts_of,
    state_of,
    words_of,
)
from dragoman.dialects.gigachat.v2.calls import CallReader, WireCall
from dragoman.dialects.gigachat.v2.words import Words
from dragoman.errors import GatewayError, UpstreamBroken, UpstreamUnavailable
from dragoman.framing import Frame

DELTA: Final = b"response.message.delta"
DONE: Final = b"response.message.done"
_TOOL: Final = b"response.tool."
_KNOWN: Final = frozenset({b"", DELTA, DONE})


class WireWords(Struct, gc=False, forbid_unknown_fields=True):
    """A part that is a text and nothing else."""

    text: str


class WireTalk(Struct, gc=False, forbid_unknown_fields=True):
    """A message of such parts."""

    content: tuple[WireWords, ...]
    role: str = ""


class WireTalkEvent(Struct, gc=False, forbid_unknown_fields=True):
    """What nearly every event is: more of the answer's words."""

    messages: tuple[WireTalk, ...]
    model: str | None = ""
    created_at: int | float | str | None = 0


_decode_talk: Final = msgspec.json.Decoder(WireTalkEvent).decode
_decode: Final = msgspec.json.Decoder(WireAnswer).decode


class GigaChatV2StreamReader:
    """Implements ``StreamReader``."""

    def __init__(self, written: WrittenRequest) -> None:
        self._written = written
        self._calls: CallReader | None = None
        """Set by the event that begins the answer."""
        self._text = Words(written)
        self._waiting: list[WireCall] = []
        """Calls that came ahead of their answer's state, which has to go into their ids."""
        self._state = ""
        self._role = ""
        """Of the last message that said its role: what follows without one goes on with it."""
        self._open: PartKind | None = None
        self._has_call = False
        self._reason = ""
        self._usage: Usage | None = None
        self._is_over = False

    def read(self, data: bytes, event: bytes = b"") -> list[Event]:
        """The events that one frame brings. Malformed data gives ``Failed``, never raises."""
        if self._is_over:
            return []
        if data == b"[DONE]":
            return self.close()
        if event == DELTA and self._open is PartKind.TEXT and self._text.are_plain:
            deltas = self._more_words(data)
            if deltas:
                return deltas
        try:
            said = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            if event not in _KNOWN:
                return self._read_error(event, data)
            return self._failed(
                UpstreamBroken(
                    "GigaChat's stream could not be read. Try again.",
                    detail=f"{error}: {data[:200]!r}",
                )
            )
        return self._read_any(said, event, data)

    def read_all(self, frames: list[Frame]) -> list[Event]:
        """The events of one or more frames."""
        if len(frames) == 1:
            return self.read(frames[0].data, frames[0].event)
        return [each for frame in frames for each in self.read(frame.data, frame.event)]

    def close(self) -> list[Event]:
        """The bytes have ended; if the answer had not, that is a ``Failed``."""
        if self._is_over:
            return []
        return self._failed(
            UpstreamUnavailable("GigaChat ended the stream before its answer was complete.")
        )

    def _more_words(self, data: bytes) -> list[Event]:
        """The deltas of an event that only goes on with the open text; none for any other."""
        try:
            talk = _decode_talk(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return []
        deltas: list[Event] = []
        for message in talk.messages:
            role = message.role or self._role
            if role not in SPEAKING:
                return []
            deltas += [Delta(0, part.text) for part in message.content if part.text]
        return deltas

    def _failed(self, error: GatewayError) -> list[Event]:
        self._is_over = True
        return [Failed(error)]

    def _read_error(self, event: bytes, data: bytes) -> list[Event]:
        """An event of an unknown name fails the answer only if its name says so."""
        if event.endswith((b"error", b"failed")):
            return self._failed(read_error(200, {}, data))
        return []

    def _read_any(self, said: WireAnswer, event: bytes, data: bytes) -> list[Event]:
        if said.messages is None and (bytes(said.error) or bytes(said.message)):
            return self._failed(read_error(200, {}, data))
        if event not in _KNOWN and not event.startswith(_TOOL):
            return self._read_error(event, data)
        out: list[Event] = []
        if self._calls is None:
            identity, moment = said.message_id or "", said.moment
            self._calls = CallReader(self._written, identity, str(moment))
            out.append(Started(identity, said.model or "", seconds(moment)))
        self._state = state_of(said) or self._state
        for message in said.messages or ():
            self._hear(message, self._calls, out)
        if said.usage is not None:
            self._usage = counts(said.usage)
        self._reason = end_of(said) or self._reason
        if event == DONE or (not event and said.finish_reason):
            out += self._end(self._calls)
        return out

    def _hear(self, message: WireMessage, calls: CallReader, out: list[Event]) -> None:
        self._role = role = message.role or self._role
        if role != REASONING and role not in SPEAKING:
            return
        self._state = state_of(message) or self._state
        for part in parts_of(message):
            if role == REASONING:
                if part.text:
                    self._words(PartKind.REASONING, part.text, out)
            else:
                self._say(part, calls, out)

    def _say(self, part: WirePart, calls: CallReader, out: list[Event]) -> None:
        self._text.learn(part.inline_data)
        self._talk(self._text.feed(words_of(part)), out)
        if part.function_call is not None:
            self._talk(self._text.interrupt(), out)
            self._waiting.append(part.function_call)
        if self._state:
            self._call(calls, out)

    def _end(self, calls: CallReader) -> list[Event]:
        out: list[Event] = []
        if not self._reason:
            return self._failed(
                UpstreamBroken("GigaChat's answer does not say how it ended. Try again.")
            )
        self._call(calls, out)
        self._talk(self._text.close(), out)
        self._shut(out)
        if self._reason == "error":
            return [*out, *self._failed(model_failed())]
        self._is_over = True
        reason = stop_reason(self._reason, has_call=self._has_call)
        end = ChoiceFinished(0, reason, NO_EXTRAS, self._text.cited())
        return [*out, end, Finished(self._usage)]

    def _talk(self, pieces: list[Piece], out: list[Event]) -> None:
        for kind, text in pieces:
            self._words(kind, text, out)

    def _words(self, kind: PartKind, text: str, out: list[Event]) -> None:
        if self._open is not kind:
            self._shut(out)
            out.append(PartStarted(0, kind))
            self._open = kind
        out.append(Delta(0, text))

    def _shut(self, out: list[Event]) -> None:
        if self._open is not None:
            out.append(PartFinished(0))
            self._open = None

    def _call(self, calls: CallReader, out: list[Event]) -> None:
        """Say the calls that have waited."""
        waiting, self._waiting = self._waiting, []
        for wire in waiting:
            read = calls.read(wire, self._state)
            if isinstance(read, ToolCall):
                self._talk(self._text.release(), out)
                self._shut(out)
                self._has_call = True
                out.append(PartStarted(0, PartKind.TOOL_CALL, read.id, read.name, read.kind))
                if read.arguments:
                    out.append(Delta(0, read.arguments))
                out.append(PartFinished(0))
            elif read is not None and self._text.answered():
                self._words(PartKind.TEXT, read.text, out)
