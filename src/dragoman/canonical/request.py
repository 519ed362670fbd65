"""A whole question to a model.

Every member is optional in the sense that ``None`` means "the caller said nothing": nothing
is invented on the caller's behalf, defaults stay the model's own. Members that only one
dialect knows ride in ``extras`` and are listed as dropped by every other.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct

from dragoman.canonical.conversation import NO_EXTRAS, CallKind, Extras, Message


class Tool(Struct, frozen=True):
    """A tool that the model may ask the client to run."""

    name: str
    description: str | None
    parameters: dict[str, Any] | None
    """JSON Schema of the arguments; ``None`` means that the tool takes none."""
    strict: bool | None = None
    kind: CallKind = CallKind.FUNCTION
    extras: Extras = NO_EXTRAS


class ToolMode(StrEnum):
    """Whether the model must call a tool."""

    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"
    """Some tool, of the model's choice."""
    NAMED = "named"


class ToolChoice(Struct, frozen=True):
    """What the caller asked of the model's use of tools."""

    mode: ToolMode
    name: str | None = None
    """The tool that must be called, with ``NAMED``."""
    allowed: tuple[str, ...] | None = None
    """The only tools that may be called now; ``None`` means all."""


class FormatKind(StrEnum):
    """What the text of the answer must be."""

    TEXT = "text"
    JSON_OBJECT = "json_object"
    JSON_SCHEMA = "json_schema"


class OutputFormat(Struct, frozen=True):
    """Structured output."""

    kind: FormatKind
    name: str | None = None
    description: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class ChatRequest(Struct, frozen=True, kw_only=True):
    """One conversation and how it is to be continued."""

    model: str
    messages: tuple[Message, ...]
    stream: bool
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    logit_bias: dict[str, float] | None = None
    n: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    output_format: OutputFormat | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    modalities: tuple[str, ...] | None = None
    service_tier: str | None = None
    user: str | None = None
    """An opaque id of the end user, for the provider's abuse detection."""
    metadata: dict[str, str] | None = None
    store: bool | None = None
    legacy_functions: bool = False
    """The caller used OpenAI's deprecated ``functions``; the answer must use its spelling too."""
    extras: Extras = NO_EXTRAS
