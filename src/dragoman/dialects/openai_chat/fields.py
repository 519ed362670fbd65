"""Every member of a request that this dialect knows: its type, and what reads it.

``FIELDS`` is run from, not only read: checking decodes each member with its decoder, and
``Draft`` collects what the readers make of them for the canonical request. A member that is
``carried`` has no canonical form; it rides in the request's extras as it came, like every member
that is not in the table at all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from msgspec import Raw, Struct
from msgspec.json import Decoder

from dragoman.canonical.request import Tool
from dragoman.dialects.openai_chat.read_messages import History
from dragoman.dialects.openai_chat.tools import (
    read_function_choice,
    read_functions,
    read_output_format,
    read_tool_choice,
    read_tools,
)
from dragoman.dialects.openai_chat.wire import (
    FLAG,
    LIST_OF_MEMBERS,
    LIST_OF_RAW,
    MEMBERS,
    TEXT,
    Members,
    others,
)


class Draft:
    """A canonical request in the making."""

    def __init__(self, roles: list[str]) -> None:
        self.roles = roles
        self.members: dict[str, Any] = {}
        """Members of ``ChatRequest``."""
        self.tools: list[Tool] = []
        self.extras: dict[str, Any] = {}


Reader = Callable[[Draft, str, Any, Raw], None]
"""Takes the draft, the member's name, its decoded value and the value as it came."""


class Field(Struct, frozen=True):
    """One known member."""

    decoder: Decoder[Any]
    read: Reader
    is_integer: bool = False
    """A float without a fraction is taken for the integer it is."""
    may_be_empty: bool = True
    """``False``: an empty array or object means the same as none."""


def _as(member: str) -> Reader:
    """The value becomes a member of ``ChatRequest``."""

    def read(draft: Draft, _name: str, value: Any, _raw: Raw) -> None:
        draft.members[member] = tuple(value) if isinstance(value, list) else value

    return read


def _carried(draft: Draft, name: str, _value: Any, raw: Raw) -> None:
    draft.extras[name] = raw


def _at_hand(_draft: Draft, _name: str, _value: Any, _raw: Raw) -> None:
    """Read when the request was checked."""


def _stream_options(draft: Draft, name: str, value: Members, raw: Raw) -> None:
    if others(value, frozenset({"include_usage", "include_obfuscation"})):
        draft.extras[name] = raw


def _messages(draft: Draft, _name: str, value: list[Members], _raw: Raw) -> None:
    history = History()
    draft.members["messages"] = tuple(
        history.read(members, role, f"messages[{at}]")
        for at, (members, role) in enumerate(zip(value, draft.roles, strict=True))
    )


def _older_limit(draft: Draft, _name: str, value: int, _raw: Raw) -> None:
    draft.members.setdefault("max_output_tokens", value)


def _stop(draft: Draft, _name: str, value: str | list[str], _raw: Raw) -> None:
    draft.members["stop"] = (value,) if isinstance(value, str) else tuple(value)


def _tools(draft: Draft, _name: str, value: list[Members], raw: Raw) -> None:
    tools, unknown = read_tools(value, LIST_OF_RAW.decode(raw))
    draft.tools += tools
    draft.extras.update(unknown)


def _functions(draft: Draft, _name: str, value: list[Members], _raw: Raw) -> None:
    draft.tools += read_functions(value)


def _tool_choice(draft: Draft, _name: str, _value: Any, raw: Raw) -> None:
    draft.members["tool_choice"] = read_tool_choice(raw)


def _function_call(draft: Draft, _name: str, _value: Any, raw: Raw) -> None:
    draft.members.setdefault("tool_choice", read_function_choice(raw))


def _response_format(draft: Draft, name: str, _value: Any, raw: Raw) -> None:
    wanted = read_output_format(raw)
    if wanted is None:
        draft.extras[name] = raw
    else:
        draft.members["output_format"] = wanted


_NUMBER: Final = Decoder(int | float)
_TEXTS: Final = Decoder(list[str])
_TEXT_OR_TEXTS: Final = Decoder(str | list[str])
_TEXT_OR_OBJECT: Final = Decoder(str | Members)


def _number(member: str) -> Field:
    return Field(_NUMBER, _as(member))


def _integer(member: str) -> Field:
    return Field(_NUMBER, _as(member), is_integer=True)


def _text(member: str) -> Field:
    return Field(TEXT, _as(member))


def _flag(member: str) -> Field:
    return Field(FLAG, _as(member))


_CARRIED_OBJECT: Final = Field(MEMBERS, _carried)
_CARRIED_TEXT: Final = Field(TEXT, _carried)

FIELDS: Final[dict[str, Field]] = {
    "model": Field(TEXT, _at_hand),
    "messages": Field(LIST_OF_MEMBERS, _messages),
    "stream": Field(FLAG, _at_hand),
    "stream_options": Field(MEMBERS, _stream_options),
    "max_completion_tokens": _integer("max_output_tokens"),
    "max_tokens": Field(_NUMBER, _older_limit, is_integer=True),
    "temperature": _number("temperature"),
    "top_p": _number("top_p"),
    "top_k": _integer("top_k"),
    "min_p": _number("min_p"),
    "repetition_penalty": _number("repetition_penalty"),
    "presence_penalty": _number("presence_penalty"),
    "frequency_penalty": _number("frequency_penalty"),
    "n": _integer("n"),
    "stop": Field(_TEXT_OR_TEXTS, _stop, may_be_empty=False),
    "seed": _integer("seed"),
    "logit_bias": Field(Decoder(dict[str, int | float]), _as("logit_bias"), may_be_empty=False),
    "logprobs": _flag("logprobs"),
    "top_logprobs": _integer("top_logprobs"),
    "tools": Field(LIST_OF_MEMBERS, _tools, may_be_empty=False),
    "tool_choice": Field(_TEXT_OR_OBJECT, _tool_choice),
    "parallel_tool_calls": _flag("parallel_tool_calls"),
    "functions": Field(LIST_OF_MEMBERS, _functions, may_be_empty=False),
    "function_call": Field(_TEXT_OR_OBJECT, _function_call),
    "response_format": Field(MEMBERS, _response_format),
    "reasoning_effort": _text("reasoning_effort"),
    "verbosity": _text("verbosity"),
    "modalities": Field(_TEXTS, _as("modalities")),
    "audio": _CARRIED_OBJECT,
    "prediction": _CARRIED_OBJECT,
    "web_search_options": _CARRIED_OBJECT,
    "metadata": Field(Decoder(dict[str, str]), _as("metadata")),
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
as vLLM, OpenRouter and others take them.
"""
