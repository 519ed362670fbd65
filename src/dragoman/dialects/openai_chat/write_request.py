"""A canonical request as an upstream of this dialect takes it.

Everything canonical has a spelling here but documents and recordings given by address; what only
another dialect understands is left out and noted.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final

import msgspec

from dragoman.canonical.fidelity import Fidelity
from dragoman.canonical.request import ChatRequest, FormatKind
from dragoman.dialects.base import ModelFacts, WrittenRequest
from dragoman.dialects.openai_chat.tools import (
    write_output_format,
    write_tool,
    write_tool_choice,
)
from dragoman.dialects.openai_chat.wire import MEMBERS, NAME
from dragoman.dialects.openai_chat.write_messages import MessageWriter, note_foreign
from dragoman.errors import UnsupportedByTarget

_ENCODE: Final = msgspec.json.Encoder().encode

_SAME_NAME: Final = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "seed",
    "logit_bias",
    "n",
    "logprobs",
    "top_logprobs",
    "verbosity",
    "modalities",
    "service_tier",
    "user",
    "store",
)
"""Members that are called the same here and in the canonical request."""


def write_request(request: ChatRequest, facts: ModelFacts) -> WrittenRequest:
    """The body for ``request.model``. Raises ``UnsupportedByTarget``."""
    fidelity = Fidelity()
    body: dict[str, Any] = {"model": request.model}
    writer = MessageWriter(fidelity, developer_role=facts.developer_role)
    body["messages"] = writer.write(request.messages)
    for name in _SAME_NAME:
        value = getattr(request, name)
        if value is not None:
            body[name] = value
    _write_limits(body, request, facts)
    _write_tools(body, request, fidelity)
    _write_format(body, request, facts)
    if request.reasoning_effort is not None:
        if facts.reasoning:
            body["reasoning_effort"] = request.reasoning_effort
        else:
            fidelity.drop("reasoning_effort")
    if request.metadata is not None and request.store:
        body["metadata"] = request.metadata  # OpenAI takes it only for stored answers
    _write_extras(body, request, fidelity)
    return WrittenRequest(body=[_ENCODE(body)], fidelity=fidelity, tool_names=MappingProxyType({}))


def _write_limits(body: dict[str, Any], request: ChatRequest, facts: ModelFacts) -> None:
    if request.max_output_tokens is not None:
        name = "max_completion_tokens" if facts.max_completion_tokens else "max_tokens"
        body[name] = request.max_output_tokens
    if request.stop:
        body["stop"] = list(request.stop)
    if request.stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}


def _write_tools(body: dict[str, Any], request: ChatRequest, fidelity: Fidelity) -> None:
    tools = [write_tool(tool) for tool in request.tools]
    for at, tool in enumerate(request.tools):
        note_foreign(tool.extras, f"tools[{at}]", fidelity)
    own = request.extras.get(NAME, {})
    tools += [value for name, value in own.items() if name.startswith("tools[")]
    if tools:
        body["tools"] = tools
    for name, value in (
        ("tool_choice", request.tool_choice),
        ("parallel_tool_calls", request.parallel_tool_calls),
    ):
        if value is not None and not tools:
            fidelity.drop(name)  # OpenAI answers 400 to either without tools
    if tools and request.tool_choice is not None:
        body["tool_choice"] = write_tool_choice(request.tool_choice, request)
    if tools and request.parallel_tool_calls is not None:
        body["parallel_tool_calls"] = request.parallel_tool_calls


def _write_format(body: dict[str, Any], request: ChatRequest, facts: ModelFacts) -> None:
    wanted = request.output_format
    if wanted is None:
        return
    if wanted.kind is FormatKind.JSON_SCHEMA and not facts.json_schema:
        raise UnsupportedByTarget(
            f"The model '{request.model}' cannot be held to a JSON schema; ask for "
            "'json_object' or choose another model.",
            param="response_format",
        )
    body["response_format"] = write_output_format(wanted)


def _write_extras(body: dict[str, Any], request: ChatRequest, fidelity: Fidelity) -> None:
    for name, value in request.extras.get(NAME, {}).items():
        if name == "stream_options":
            body[name] = {**MEMBERS.decode(value), **body.get(name, {})}
        elif not name.startswith("tools["):
            body[name] = value
    note_foreign(request.extras, "", fidelity)
