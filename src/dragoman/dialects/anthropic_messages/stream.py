"""A streamed answer of the Messages API.

Blocks come one after another, each opened, filled and closed, which is the canonical grammar
already. What a client cannot use piece by piece (blocks of the provider's own tools, thoughts that
only the provider can read) is gathered and told whole.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from dragoman.canonical.conversation import CallKind, Native
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
from dragoman.dialects.anthropic_messages.answers import citing, redacted, signed
from dragoman.dialects.anthropic_messages.errors import read_error
from dragoman.dialects.anthropic_messages.wire import (
    NAME,
    Block,
    StopDetails,
    WireUsage,
    end_extras,
    later_usage,
    read_usage,
    stop_reason,
)
from dragoman.dialects.base import WrittenRequest
from dragoman.dialects.free_text_tools import free_text
from dragoman.errors import GatewayError, UpstreamBroken, UpstreamUnavailable
from dragoman.framing import Frame


class _Message(Struct):
    id: str = ""
    model: str = ""
    usage: WireUsage | None = None


class _Delta(Struct, frozen=True):
    type: str = ""
    text: str = ""
    thinking: str = ""
    partial_json: str = ""
    signature: str = ""
    citation: Raw = Raw()
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None


_NO_DELTA: Final = _Delta()


class _Event(Struct):
    type: str = ""
    index: int = 0
    message: _Message | None = None
    content_block: Raw = Raw(b"{}")
    delta: _Delta = _NO_DELTA
    usage: WireUsage | None = None


class _Open(Struct):
    """The block that is open."""

    block: Block
    raw: Raw
    kind: PartKind | None
    """``None`` for a block that is told whole."""
    is_told: bool = False
    """``PartStarted`` has gone out."""
    gathered: str = ""
    """Of a custom tool's arguments, or of a block that is told whole."""
    signature: str = ""
    citations: list[Raw] = []
    has_said: bool = False


_decode: Final = msgspec.json.Decoder(_Event).decode
_decode_block: Final = msgspec.json.Decoder(Block).decode
_NO_EVENT: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class MessagesStreamReader:
    """Implements ``StreamReader``."""

    def __init__(self, written: WrittenRequest) -> None:
        self._written = written
        self._open: _Open | None = None
        self._has_started = False
        self._has_call = False
        self._end: _Delta | None = None
        self._usage: WireUsage | None = None
        self._is_over = False

    def read(self, data: bytes, event: bytes = b"") -> list[Event]:  # noqa: ARG002 - the type is in the data, too
        """The events that one frame brings. Malformed data gives ``Failed``, never raises."""
        if self._is_over:
            return []
        try:
            return self._read(_decode(data), data)
        except _NO_EVENT as error:
            return self._failed(
                UpstreamBroken(
                    "The model's stream could not be read. Try again.",
                    detail=f"{error}: {data[:200]!r}",
                )
            )

    def read_all(self, frames: list[Frame]) -> list[Event]:
        """The events of frames that arrived together."""
        events: list[Event] = []
        for frame in frames:
            events += self.read(frame.data, frame.event)
        return events

    def close(self) -> list[Event]:
        """The bytes have ended; if the answer had not, that is a ``Failed``."""
        if self._is_over:
            return []
        return self._failed(
            UpstreamUnavailable("The provider ended the stream before its answer was complete.")
        )

    def _failed(self, error: GatewayError) -> list[Event]:
        self._is_over = True
        return [Failed(error)]

    def _read(self, event: _Event, data: bytes) -> list[Event]:
        out: list[Event] = []
        match event.type:
            case "content_block_delta":
                self._more(event.delta, out)
            case "content_block_start":
                self._shut(out)
                self._begin(event.content_block, out)
            case "content_block_stop":
                self._shut(out)
            case "message_start":
                self._start(event.message or _Message(), out)
            case "message_delta":
                if event.delta.stop_reason is not None:
                    self._end = event.delta
                self._usage = later_usage(self._usage, event.usage)
            case "message_stop":
                return self._stop()
            case "error":
                return self._failed(read_error(200, {}, data))
            case _:  # pings, and what is newer than this reader
                pass
        return out

    def _start(self, message: _Message, out: list[Event]) -> None:
        if not self._has_started:
            self._has_started = True
            self._usage = message.usage
            out.append(Started(message.id, message.model, 0))

    def _begin(self, raw: Raw, out: list[Event]) -> None:
        self._start(_Message(), out)
        block = _decode_block(raw)
        match block.type:
            case "text":
                opened = _Open(block, raw, PartKind.TEXT)
            case "thinking" | "redacted_thinking":
                opened = _Open(block, raw, PartKind.REASONING, signature=block.signature)
            case "tool_use" if block.name and block.name == self._written.json_tool:
                opened = _Open(block, raw, PartKind.TEXT)
            case "tool_use":
                opened = _Open(block, raw, PartKind.TOOL_CALL)
                self._has_call = True
            case _:
                opened = _Open(block, raw, None)
        self._open = opened
        if opened.kind is PartKind.TOOL_CALL or block.type == "redacted_thinking":
            self._tell(opened, out)
        words = block.text or block.thinking
        if words:
            self._say(opened, words, out)

    def _more(self, delta: _Delta, out: list[Event]) -> None:
        opened = self._open
        if opened is None:
            raise msgspec.ValidationError("a delta without a block")
        words = delta.text or delta.thinking or delta.partial_json
        if words:
            if opened.kind is None or self._is_custom(opened):
                opened.gathered += words
            else:
                self._say(opened, words, out)
        if delta.signature:
            opened.signature += delta.signature
        if bytes(delta.citation):
            opened.citations.append(delta.citation)

    def _is_custom(self, opened: _Open) -> bool:
        name = opened.block.name
        written = self._written
        return (
            opened.kind is PartKind.TOOL_CALL
            and written.tool_names.get(name, name) in written.custom_tools
        )

    def _say(self, opened: _Open, words: str, out: list[Event]) -> None:
        if not opened.is_told:
            self._tell(opened, out)
        opened.has_said = True
        out.append(Delta(0, words))

    def _tell(self, opened: _Open, out: list[Event]) -> None:
        opened.is_told = True
        kind, block = opened.kind, opened.block
        if kind is PartKind.TOOL_CALL:
            name = self._written.tool_names.get(block.name, block.name)
            is_custom = name in self._written.custom_tools
            call_kind = CallKind.CUSTOM if is_custom else CallKind.FUNCTION
            out.append(PartStarted(0, PartKind.TOOL_CALL, block.id, name, call_kind))
        elif kind is not None:
            out.append(PartStarted(0, kind))

    def _shut(self, out: list[Event]) -> None:
        opened, self._open = self._open, None
        if opened is None:
            return
        if opened.kind is None:
            self._tell_whole(opened, out)
            return
        if opened.kind is PartKind.REASONING and opened.signature and not opened.is_told:
            self._tell(opened, out)
        if not opened.is_told:
            return
        if opened.kind is PartKind.TOOL_CALL:
            if self._is_custom(opened):
                out.append(Delta(0, free_text(opened.gathered)))
            elif not opened.has_said:
                out.append(Delta(0, _given_input(opened.block)))
        out.append(PartFinished(0, self._extras(opened)))

    def _extras(self, opened: _Open) -> Any:
        if opened.block.type == "redacted_thinking":
            return redacted(opened.block.data)
        return signed(opened.signature) or citing(opened.citations)

    def _tell_whole(self, opened: _Open, out: list[Event]) -> None:
        """A block of the provider's own; its input has come in pieces."""
        body = opened.raw
        if opened.gathered:
            members = msgspec.json.decode(body, type=dict[str, Raw])
            members["input"] = Raw(opened.gathered.encode())
            body = Raw(msgspec.json.encode(members))
        native = Native(NAME, opened.block.type, body)
        out += [PartStarted(0, PartKind.TEXT, whole=native), PartFinished(0)]

    def _stop(self) -> list[Event]:
        end = self._end
        if end is None or not end.stop_reason:
            return self._failed(
                UpstreamBroken("The model's answer does not say how it ended. Try again.")
            )
        out: list[Event] = []
        self._shut(out)
        reason = stop_reason(end.stop_reason, has_call=self._has_call)
        extras = end_extras(end.stop_sequence, end.stop_details)
        out.append(ChoiceFinished(0, reason, extras))
        out.append(Finished(read_usage(self._usage)))
        self._is_over = True
        return out


def _given_input(block: Block) -> str:
    """The arguments of a call that came without pieces."""
    return msgspec.json.format(bytes(block.input), indent=-1).decode()
