"""Every member of a request that this dialect knows: its type, and what reads it.

``FIELDS`` is run from, not only read: checking decodes each member by its type, and ``Draft``
collects what the readers make of them for the canonical request. A member that is
``carried`` has no canonical form; it rides in the request's extras as it came, like every member
that is not in the table at all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct
from msgspec.json import Decoder

from dragoman.canonical.request import Tool
from dragoman.dialects.openai_chat.read_messages import read_messages
from dragoman.dialects.openai_chat.tools import (
    read_function_choice,
    read_functions,
    read_output_format,
    read_tool_choice,
    read_tools,
)
from dragoman.dialects.openai_chat.wire import (
    LIST_OF_RAW,
    MEMBERS,
    Members,
    others,
)


class Draft:
    """A canonical request in the making."""

    __slots__ = ("_body", "extras", "fields", "roles", "tools")

    def __init__(self, body: bytes, roles: list[str]) -> None:
        self._body = body
        self.roles = roles
        self.fields: dict[str, Any] = {}
        """Fields of ``ChatRequest``."""
        self.tools: list[Tool] = []
        self.extras: dict[str, Any] = {}

    def members(self) -> Members:
        """The members of the body as they came."""
        return MEMBERS.decode(self._body)


Reader = Callable[[Draft, str, Any], None]
"""Takes the draft, the member's name and its decoded value, which is not null."""


class Field(Struct, frozen=True):
    """One known member."""

    type: Any
    read: Reader | None
    """``None``: used when the request was checked."""
    is_integer: bool = False
    """A float without a fraction is taken for the integer it is."""


def _as(field: str) -> Reader:
    """The value becomes a field of ``ChatRequest``."""

    def read(draft: Draft, _name: str, value: Any) -> None:
        draft.fields[field] = value

    return read


def _carried(draft: Draft, name: str, _value: Any) -> None:
    draft.extras[name] = draft.members()[name]


def _stream_options(draft: Draft, name: str, value: Members) -> None:
    if others(value, frozenset({"include_usage", "include_obfuscation"})):
        _carried(draft, name, value)


def _messages(draft: Draft, name: str, value: list[Members]) -> None:
    draft.fields[name] = read_messages(value, draft.roles)


def _other_limit(draft: Draft, _name: str, value: int) -> None:
    draft.fields.setdefault("max_output_tokens", value)


def _stop(draft: Draft, _name: str, value: str | list[str]) -> None:
    if value:
        draft.fields["stop"] = (value,) if isinstance(value, str) else tuple(value)


def _logit_bias(draft: Draft, name: str, value: dict[str, float]) -> None:
    if value:
        draft.fields[name] = value


def _modalities(draft: Draft, name: str, value: list[str]) -> None:
    draft.fields[name] = tuple(value)


def _tools(draft: Draft, name: str, value: list[Members]) -> None:
    tools, unknown = read_tools(value)
    draft.tools += tools
    if unknown:
        raws = LIST_OF_RAW.decode(draft.members()[name])
        draft.extras.update({f"{name}[{at}]": raws[at] for at in unknown})


def _functions(draft: Draft, _name: str, value: list[Members]) -> None:
    draft.tools += read_functions(value)


def _tool_choice(draft: Draft, name: str, value: str | Members) -> None:
    choice = read_tool_choice(value)
    if choice is None:
        _carried(draft, name, value)
    else:
        draft.fields["tool_choice"] = choice


def _function_call(draft: Draft, name: str, value: str | Members) -> None:
    draft.fields.setdefault("tool_choice", read_function_choice(value))
    if not isinstance(value, str) and others(value, frozenset({"name"})):
        _carried(draft, name, value)


def _response_format(draft: Draft, name: str, value: Members) -> None:
    wanted = read_output_format(value)
    if wanted is None:
        _carried(draft, name, value)
    else:
        draft.fields["output_format"] = wanted


_NUMBER: Final = int | float


def _number(member: str) -> Field:
    return Field(_NUMBER, _as(member))


def _integer(member: str) -> Field:
    return Field(_NUMBER, _as(member), is_integer=True)


def _text(member: str) -> Field:
    return Field(str, _as(member))


def _flag(member: str) -> Field:
    return Field(bool, _as(member))


_CARRIED_OBJECT: Final = Field(Members, _carried)
_CARRIED_TEXT: Final = Field(str, _carried)

FIELDS: Final[dict[str, Field]] = {
    "model": Field(str, None),
    "messages": Field(list[Members], _messages),
    "stream": Field(bool, None),
    "stream_options": Field(Members, _stream_options),
    "max_completion_tokens": _integer("max_output_tokens"),
    "max_tokens": Field(_NUMBER, _other_limit, is_integer=True),
    "max_output_tokens": Field(_NUMBER, _other_limit, is_integer=True),
    "temperature": _number("temperature"),
    "top_p": _number("top_p"),
    "top_k": _integer("top_k"),
    "min_p": _number("min_p"),
    "repetition_penalty": _number("repetition_penalty"),
    "presence_penalty": _number("presence_penalty"),
    "frequency_penalty": _number("frequency_penalty"),
    "n": _integer("n"),
    "stop": Field(str | list[str], _stop),
    "seed": _integer("seed"),
    "logit_bias": Field(dict[str, int | float], _logit_bias),
    "logprobs": _flag("logprobs"),
    "top_logprobs": _integer("top_logprobs"),
    "tools": Field(list[Members], _tools),
    "tool_choice": Field(str | Members, _tool_choice),
    "parallel_tool_calls": _flag("parallel_tool_calls"),
    "functions": Field(list[Members], _functions),
    "function_call": Field(str | Members, _function_call),
    "response_format": Field(Members, _response_format),
    "reasoning_effort": _text("reasoning_effort"),
    "verbosity": _text("verbosity"),
    "modalities": Field(list[str], _modalities),
    "audio": _CARRIED_OBJECT,
    "prediction": _CARRIED_OBJECT,
    "web_search_options": _CARRIED_OBJECT,
    "metadata": Field(dict[str, str], _as("metadata")),
    "store": _flag("store"),
    "service_tier": _text("service_tier"),
    "user": _text("user"),
    "safety_identifier": _CARRIED_TEXT,
    "prompt_cache_key": _CARRIED_TEXT,
    "prompt_cache_options": _CARRIED_OBJECT,
    "prompt_cache_retention": _CARRIED_TEXT,
    "moderation": _CARRIED_OBJECT,
}
"""Name -> how it is checked and what reads it.

Source: OpenAI's API reference, Chat Completions; ``top_k``, ``min_p`` and ``repetition_penalty``
as vLLM, OpenRouter and others take them; ``max_output_tokens`` is the Responses API's word, which
some clients use here too.
"""

READERS: Final = {name: field.read for name, field in FIELDS.items() if field.read is not None}
"""Name -> what reads it for the canonical request."""
DECODERS: Final = {name: Decoder(field.type) for name, field in FIELDS.items()}
"""Name -> what decodes it alone."""
