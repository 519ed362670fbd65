"""Tools, the choice among them and the form of the answer: both directions.

Reading takes what callers send, the deprecated ``functions`` included; writing gives what
``tools``, ``tool_choice`` and ``response_format`` are for an upstream. A tool of a kind that has
no canonical form stays whole in the request's extras under its place, ``tools[3]``.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec.json import Decoder

from dragoman.canonical.conversation import CallKind
from dragoman.canonical.request import (
    ChatRequest,
    FormatKind,
    OutputFormat,
    Tool,
    ToolChoice,
    ToolMode,
)
from dragoman.dialects.openai_chat.read_messages import own_extras
from dragoman.dialects.openai_chat.wire import (
    FLAG,
    LIST_OF_MEMBERS,
    MEMBERS,
    NAME,
    TEXT,
    Members,
    given,
    invalid_value,
    missing_member,
    optional,
    others,
    required,
)

_SCHEMA: Final = Decoder(dict[str, Any])
_FUNCTION: Final = frozenset({"name", "description", "parameters", "strict"})
_CUSTOM: Final = frozenset({"name", "description"})
_FORMATS: Final = frozenset(FormatKind)
_MODES: Final = {
    "auto": ToolMode.AUTO,
    "none": ToolMode.NONE,
    "required": ToolMode.REQUIRED,
    "any": ToolMode.REQUIRED,  # Mistral's word
}


def named_body(tool: Members, path: str) -> tuple[Members, str] | None:
    """The object that holds a tool's name, and its path; ``None`` for a tool of another kind."""
    kind = optional(tool, "type", TEXT, path) or CallKind.FUNCTION.value
    if kind not in (CallKind.FUNCTION, CallKind.CUSTOM):
        return None
    return required(tool, kind, MEMBERS, path), f"{path}.{kind}"


def read_tools(bodies: list[Members]) -> tuple[list[Tool], list[int]]:
    """``tools``, and the places of those that are of an unknown kind."""
    tools = []
    unknown = []
    for at, body in enumerate(bodies):
        path = f"tools[{at}]"
        named = named_body(body, path)
        if named is None:
            unknown.append(at)
            continue
        inner, inner_path = named
        rest: dict[str, Any] = dict(others(body, frozenset({"type", "function", "custom"})))
        if inner_path.endswith("custom"):
            rest.update(others(inner, _CUSTOM))
            name = required(inner, "name", TEXT, inner_path)
            description = optional(inner, "description", TEXT, inner_path)
            extras = own_extras(rest)
            tools.append(Tool(name, description, None, None, CallKind.CUSTOM, extras))
        else:
            tools.append(_function(inner, inner_path, rest))
    return tools, unknown


def read_functions(bodies: list[Members]) -> list[Tool]:
    """The deprecated ``functions``."""
    return [_function(body, f"functions[{at}]", {}) for at, body in enumerate(bodies)]


def _function(body: Members, path: str, rest: dict[str, Any]) -> Tool:
    rest.update(others(body, _FUNCTION))
    return Tool(
        required(body, "name", TEXT, path),
        optional(body, "description", TEXT, path),
        optional(body, "parameters", _SCHEMA, path),
        optional(body, "strict", FLAG, path),
        extras=own_extras(rest),
    )


def read_tool_choice(choice: str | Members) -> ToolChoice | None:
    """``tool_choice`` in all its forms; ``None`` for a tool that is no function of the caller's."""
    path = "tool_choice"
    if isinstance(choice, str):
        return ToolChoice(_mode(choice, path))
    kind = required(choice, "type", TEXT, path)
    if kind in (CallKind.FUNCTION, CallKind.CUSTOM):
        named = required(choice, kind, MEMBERS, path)
        return ToolChoice(ToolMode.NAMED, required(named, "name", TEXT, f"{path}.{kind}"))
    if kind != "allowed_tools":
        return None
    path += ".allowed_tools"
    allowed = required(choice, "allowed_tools", MEMBERS, "tool_choice")
    mode = _mode(required(allowed, "mode", TEXT, path), f"{path}.mode")
    names = []
    listed: list[Members] = required(allowed, "tools", LIST_OF_MEMBERS, path)
    for at, tool in enumerate(listed):
        named_tool = named_body(tool, f"{path}.tools[{at}]")
        if named_tool is not None:
            names.append(required(named_tool[0], "name", TEXT, named_tool[1]))
    return ToolChoice(mode, allowed=tuple(names))


def read_function_choice(choice: str | Members) -> ToolChoice:
    """The deprecated ``function_call`` of a request."""
    path = "function_call"
    if isinstance(choice, str):
        return ToolChoice(_mode(choice, path))
    return ToolChoice(ToolMode.NAMED, required(choice, "name", TEXT, path))


def _mode(word: str, path: str) -> ToolMode:
    mode = _MODES.get(word)
    if mode is None:
        raise invalid_value(path, "supported are 'none', 'auto' and 'required'")
    return mode


def read_output_format(body: Members) -> OutputFormat | None:
    """``response_format``; ``None`` when it is of a kind with no canonical form."""
    path = "response_format"
    kind = required(body, "type", TEXT, path)
    if kind not in _FORMATS:
        return None
    if kind != FormatKind.JSON_SCHEMA:
        return OutputFormat(FormatKind(kind))
    spec = required(body, "json_schema", MEMBERS, path)
    path += ".json_schema"
    if given(spec, "name") is None:
        raise missing_member(f"{path}.name")
    return OutputFormat(
        FormatKind.JSON_SCHEMA,
        required(spec, "name", TEXT, path),
        optional(spec, "description", TEXT, path),
        optional(spec, "schema", _SCHEMA, path),
        optional(spec, "strict", FLAG, path),
    )


def write_tool(tool: Tool) -> dict[str, Any]:
    """One entry of ``tools``."""
    rest = dict(tool.extras.get(NAME, {}))
    body: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        body["description"] = tool.description
    if tool.kind is CallKind.CUSTOM:
        if "format" in rest:
            body["format"] = rest.pop("format")
        return {"type": "custom", "custom": body, **rest}
    if tool.parameters is not None:
        body["parameters"] = tool.parameters
    if tool.strict is not None:
        body["strict"] = tool.strict
    return {"type": "function", "function": body, **rest}


def write_tool_choice(choice: ToolChoice, request: ChatRequest) -> str | dict[str, Any]:
    """``tool_choice``."""
    kinds = {tool.name: tool.kind.value for tool in request.tools}

    def named(name: str) -> dict[str, Any]:
        kind = kinds.get(name, CallKind.FUNCTION.value)
        return {"type": kind, kind: {"name": name}}

    if choice.mode is ToolMode.NAMED and choice.name is not None:
        return named(choice.name)
    if choice.allowed is not None and choice.mode is not ToolMode.NONE:
        tools = [named(name) for name in choice.allowed]
        allowed = {"mode": choice.mode.value, "tools": tools}
        return {"type": "allowed_tools", "allowed_tools": allowed}
    return choice.mode.value


def write_output_format(wanted: OutputFormat) -> dict[str, Any]:
    """``response_format``."""
    if wanted.kind is not FormatKind.JSON_SCHEMA:
        return {"type": wanted.kind.value}
    spec: dict[str, Any] = {"name": wanted.name or "answer"}
    if wanted.description is not None:
        spec["description"] = wanted.description
    if wanted.schema is not None:
        spec["schema"] = wanted.schema
    if wanted.strict is not None:
        spec["strict"] = wanted.strict
    return {"type": "json_schema", "json_schema": spec}
