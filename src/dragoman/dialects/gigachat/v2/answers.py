"""A whole answer of version 2, and what it shares with a streamed one: wire types and counts.

An answer is a list of messages whose content is a list of parts. Messages of the role
``reasoning`` are thoughts, those of the assistant (or of nobody) the answer; others, which show
what built-in tools did, are passed over.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from dragoman.canonical.conversation import NO_EXTRAS, Extras, Part, Reasoning, Text, ToolCall
from dragoman.canonical.events import PartKind
from dragoman.canonical.response import ChatResponse, Choice
from dragoman.canonical.usage import Usage
from dragoman.dialects.base import WrittenRequest
from dragoman.dialects.gigachat.answers import WireUsage as UsageOfV1
from dragoman.dialects.gigachat.answers import model_failed, read_usage, seconds, stop_reason
from dragoman.dialects.gigachat.errors import read_error
from dragoman.dialects.gigachat.fates import DIALECT_OF_EXTRAS
from dragoman.dialects.gigachat.thoughts import Piece
from dragoman.dialects.gigachat.v2.calls import CallReader, WireCall
from dragoman.dialects.gigachat.v2.citations import WireInline
from dragoman.dialects.gigachat.v2.words import Words
from dragoman.errors import UpstreamBroken

REASONING: Final = "reasoning"
SPEAKING: Final = frozenset({"", "assistant"})
"""Roles whose messages are the answer."""


class WireFile(Struct, gc=False):
    """A file that the model has made."""

    id: str = ""
    mime: str | None = None
    target: str | None = None


class WireExecution(Struct, gc=False):
    """What a built-in tool does."""

    name: str | None = None


class WirePart(Struct, gc=False):
    """One part of a message: the member that is there says of which kind."""

    text: str | None = None
    function_call: WireCall | None = None
    files: list[WireFile] | None = None
    inline_data: WireInline | None = None
    tool_execution: WireExecution | None = None


class WireMessage(Struct, gc=False):
    """A message, or more of one. ``tool_state_id`` is how answers spell what requests call
    ``tools_state_id``; either is read.
    """

    role: str | None = None
    content: list[WirePart] | str | None = None
    tool_state_id: str | None = None
    tools_state_id: str | None = None
    function_call: WireCall | None = None
    inline_data: WireInline | None = None
    tool_execution: WireExecution | None = None
    finish_reason: str | None = None


class WireDetails(Struct, gc=False):
    """Of ``input_tokens``."""

    cached_tokens: int | None = 0


class WireUsage(Struct, gc=False):
    """Counts; ``cached_tokens`` are part of ``input_tokens`` (recorded traffic)."""

    input_tokens: int | None = 0
    output_tokens: int | None = 0
    input_tokens_details: WireDetails | None = None


class WireAnswer(Struct):
    """A whole body or one event; an error has no ``messages``."""

    messages: list[WireMessage] | None = None
    model: str | None = ""
    created_at: int | float | str | None = None
    created: int | float | str | None = None
    finish_reason: str | None = None
    usage: WireUsage | None = None
    message_id: str | None = ""
    tool_state_id: str | None = None
    tools_state_id: str | None = None
    tool_execution: WireExecution | None = None
    error: Raw = Raw()
    message: Raw = Raw()

    @property
    def moment(self) -> float | str | None:
        """When the answer was made, under either name."""
        return self.created if self.created_at is None else self.created_at


_decoder: Final = msgspec.json.Decoder(WireAnswer)


def read_response(body: bytes, written: WrittenRequest) -> ChatResponse:
    """Raises ``UpstreamBroken``, or what ``read_error`` gives for an error inside a 200."""
    try:
        answer = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UpstreamBroken(
            "GigaChat's answer could not be read. Try again.",
            # Not more of it: it is somebody's conversation, and this goes to the log.
            detail=f"{error}, in {len(body)} bytes that begin with {body[:1]!r}",
        ) from error
    if answer.messages is None:
        raise read_error(200, {}, body)
    return ChatResponse(
        answer.message_id or "",
        answer.model or "",
        seconds(answer.moment),
        (_read_choice(answer, written),),
        counts(answer.usage),
        _about(answer),
    )


def _read_choice(answer: WireAnswer, written: WrittenRequest) -> Choice:
    calls = CallReader(written, answer.message_id or "", str(answer.moment))
    draft = _Draft(calls, Words(written))
    for message in answer.messages or ():
        state = state_of(message) or state_of(answer)
        role = message.role or ""
        for part in parts_of(message):
            if role == REASONING:
                draft.say([(PartKind.REASONING, part.text or "")])
            elif role in SPEAKING:
                draft.hear(part, state)
    draft.say(draft.words.close())
    reason = end_of(answer)
    if not reason:
        raise UpstreamBroken("GigaChat's answer does not say how it ended. Try again.")
    if reason == "error":
        raise model_failed()
    has_call = any(isinstance(part, ToolCall) for part in draft.parts)
    ended = stop_reason(reason, has_call=has_call)
    return Choice(0, tuple(draft.parts), ended, NO_EXTRAS, draft.words.cited())


class _Draft:
    """The parts of an answer on their way."""

    def __init__(self, calls: CallReader, words: Words) -> None:
        self._calls = calls
        self.words = words
        self.parts: list[Part] = []

    def hear(self, part: WirePart, state: str) -> None:
        """One part of what the assistant said."""
        self.words.learn(part.inline_data)
        self.say(self.words.feed(words_of(part)))
        if part.function_call is None:
            return
        self.say(self.words.interrupt())
        read = self._calls.read(part.function_call, state)
        if isinstance(read, ToolCall):
            self.say(self.words.release())
            self.parts.append(read)
        elif read is not None and self.words.answered():
            self.say([(PartKind.TEXT, read.text)])

    def say(self, pieces: list[Piece]) -> None:
        """Neighbours of one kind are one part, as they are in a stream."""
        for kind, text in pieces:
            made = Text if kind is PartKind.TEXT else Reasoning
            last = self.parts[-1] if self.parts else None
            if isinstance(last, made):
                self.parts[-1] = made(last.text + text)
            elif text:
                self.parts.append(made(text))


def parts_of(message: WireMessage) -> list[WirePart]:
    """The parts, also where the message has them beside ``content``."""
    content = message.content
    parts = [WirePart(text=content)] if isinstance(content, str) else list(content or ())
    if message.inline_data is not None:
        parts.append(WirePart(inline_data=message.inline_data))
    if message.function_call is not None:
        parts.append(WirePart(function_call=message.function_call))
    return parts


def words_of(part: WirePart) -> str:
    """The text of a part. A file that the model has made is shown as version 1 shows pictures:
    by a tag that holds its id.
    """
    text = part.text or ""
    for file in part.files or ():
        if file.id:
            kind = file.mime or ""
            is_image = kind.startswith("image/") or file.target == "image"
            tag = f'<img src="{file.id}" fuse="true"/>' if is_image else f'<file src="{file.id}"/>'
            text += tag
    return text


def state_of(said: WireMessage | WireAnswer) -> str:
    """The state that is to come back with the turn."""
    return said.tool_state_id or said.tools_state_id or ""


def end_of(answer: WireAnswer) -> str:
    """The word for how the answer ended: of the whole, or of the last message that has one."""
    reason = answer.finish_reason or ""
    for message in answer.messages or ():
        reason = reason or message.finish_reason or ""
    return reason


def counts(usage: WireUsage | None) -> Usage | None:
    """Disjoint counts whose sums are the provider's own figures."""
    if usage is None:
        return None
    details = usage.input_tokens_details
    cached = details.cached_tokens if details is not None else 0
    return read_usage(UsageOfV1(usage.input_tokens, usage.output_tokens, cached))


def _about(answer: WireAnswer) -> Extras:
    """What callers who know GigaChat may look for, as members of ``metadata``."""
    messages = answer.messages or ()
    executions = [answer.tool_execution, *(message.tool_execution for message in messages)]
    executions += [part.tool_execution for message in messages for part in parts_of(message)]
    tools = dict.fromkeys(each.name for each in executions if each is not None and each.name)
    states = [state for message in messages if (state := state_of(message))]
    about: dict[str, Any] = {}
    if answer.message_id:
        about["gigachat_message_id"] = answer.message_id
    if states:
        about["gigachat_tool_state_id"] = states[-1]
    if tools:
        about["gigachat_called_tools"] = msgspec.json.encode(list(tools)).decode()
    return {DIALECT_OF_EXTRAS: {"metadata": about}} if about else NO_EXTRAS
