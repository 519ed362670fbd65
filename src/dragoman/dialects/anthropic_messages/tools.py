"""Tools, the choice among them, and structured output."""

from __future__ import annotations

from typing import Any, Final

from dragoman.canonical.conversation import CallKind
from dragoman.canonical.request import (
    FormatKind,
    OutputFormat,
    Tool,
    ToolChoice,
    ToolMode,
)
from dragoman.dialects.anthropic_messages.draft import Draft
from dragoman.dialects.anthropic_messages.marks import MEMBERS as MARKS
from dragoman.dialects.anthropic_messages.marks import mark_of
from dragoman.dialects.anthropic_messages.schemas import (
    accepts_any_member,
    is_strict,
    reduced,
    rooted,
)
from dragoman.dialects.free_text_tools import described
from dragoman.errors import InvalidRequest, UnsupportedByTarget

JSON_TOOL: Final = "json_output"
"""Name of the tool that stands in for a response schema."""
JSON_INSTRUCTION: Final = (
    "Answer with a single JSON object and nothing else: no words around it, no Markdown fences."
)
_FREE_TEXT: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
}


def write_tools(draft: Draft, tools: tuple[Tool, ...]) -> None:
    """``tools`` and ``tool_choice`` together, because the choice may shorten the list."""
    choice = draft.request.tool_choice or ToolChoice(ToolMode.AUTO)
    allowed = choice.allowed
    offered = [
        (number, tool)
        for number, tool in enumerate(tools)
        if allowed is None or tool.name in allowed
    ]
    if len(offered) < len(tools):
        draft.fidelity.adjust("tools", len(tools), len(offered))
    written = [_tool(draft, tool, number) for number, tool in offered]
    wire = _choice(draft, choice, [tool["name"] for tool in written])
    if not written:
        return
    draft.body["tools"] = written
    if draft.request.parallel_tool_calls is False and wire != {"type": "none"}:
        wire = {**(wire or {"type": "auto"}), "disable_parallel_tool_use": True}
    if wire is not None and (wire != {"type": "auto"} or draft.request.tool_choice is not None):
        draft.body["tool_choice"] = wire


def write_tool_choice(draft: Draft, choice: ToolChoice) -> None:
    """A choice among no tools; with tools, ``write_tools`` has seen to it."""
    if not draft.request.tools:
        _choice(draft, choice, [])


def _choice(draft: Draft, choice: ToolChoice, names: list[str]) -> dict[str, Any] | None:
    match choice.mode:
        case ToolMode.AUTO | ToolMode.NONE:
            return {"type": choice.mode.value}
        case ToolMode.NAMED:
            name = draft.names.wire(choice.name or "")
            if name not in names:
                raise InvalidRequest(
                    "tool_choice names a function that is not among the tools. Add it to tools"
                    " or name another one.",
                    param="tool_choice",
                )
            forced = {"type": "tool", "name": name}
        case ToolMode.REQUIRED:
            if not names:
                raise InvalidRequest(
                    "tool_choice asks for a call, but there is no function to call. Add one to"
                    " tools or leave tool_choice out.",
                    param="tool_choice",
                )
            forced = {"type": "any"}
    if not draft.facts.forced_choice:
        raise UnsupportedByTarget(
            'This model cannot be made to call a tool. Send tool_choice as "auto" or choose'
            " another model.",
            param="tool_choice",
        )
    return forced


def _tool(draft: Draft, tool: Tool, number: int) -> dict[str, Any]:
    body: dict[str, Any] = {"name": draft.names.wire(tool.name)}
    description, schema = tool.description, _FREE_TEXT
    if tool.kind is CallKind.CUSTOM:
        description = described(tool, draft.fidelity)
        draft.fidelity.adjust(f"tools[{number}]", "custom", "function")
    else:
        schema = rooted(tool.parameters, _schema_place(draft, number))
    if description:
        body["description"] = description
    body["input_schema"] = schema
    if tool.strict:
        if draft.facts.json_schema and is_strict(schema):
            body["strict"] = True
        else:
            draft.fidelity.drop("tools[].strict")
    mark = mark_of(tool.extras, draft.fidelity)
    if mark is not None:
        body["cache_control"] = mark
    for members in tool.extras.values():
        for member in members:
            if member not in MARKS and not (tool.kind is CallKind.CUSTOM and member == "format"):
                draft.fidelity.drop(f"tools[].{member}")
    return body


def _schema_place(draft: Draft, number: int) -> str:
    if draft.request.legacy_functions:
        return f"functions[{number}].parameters"
    return f"tools[{number}].function.parameters"


def write_output_format(draft: Draft, wanted: OutputFormat) -> None:
    """``response_format``: natively, by a forced tool, or by a request in words."""
    if wanted.kind is FormatKind.TEXT:
        return
    if wanted.kind is FormatKind.JSON_OBJECT or wanted.schema is None:
        draft.instructions.append(JSON_INSTRUCTION)
        draft.fidelity.adjust("response_format", wanted.kind.value, "instruction")
        return
    is_open = accepts_any_member(wanted.schema)
    if draft.facts.json_schema and not is_open:
        schema, lost = reduced(wanted.schema, "response_format.json_schema.schema")
        if lost:
            draft.fidelity.adjust("response_format", "/".join(lost), "description")
        output = draft.body.setdefault("output_config", {})
        output["format"] = {"type": "json_schema", "schema": _described(schema, wanted)}
        return
    _write_json_tool(draft, wanted)


def _described(schema: dict[str, Any], wanted: OutputFormat) -> dict[str, Any]:
    if wanted.description and "description" not in schema and "$ref" not in schema:
        return {**schema, "description": wanted.description}
    return schema


def _write_json_tool(draft: Draft, wanted: OutputFormat) -> None:
    if draft.request.tools:
        raise UnsupportedByTarget(
            "This model cannot be held to this schema by itself, and the way around it (a tool that"
            " must be called) is taken by the request's tools. Leave response_format or tools out,"
            " or choose another model.",
            param="response_format",
        )
    if not draft.facts.forced_choice:
        raise UnsupportedByTarget(
            "This model takes schemas in which every object names its members. Set"
            " additionalProperties to false.",
            param="response_format.json_schema.schema",
        )
    draft.json_tool = JSON_TOOL
    schema = rooted(wanted.schema, "response_format.json_schema.schema")
    description = wanted.description or "Gives the answer to the user in the required form."
    draft.body["tools"] = [{"name": JSON_TOOL, "description": description, "input_schema": schema}]
    draft.body["tool_choice"] = {"type": "tool", "name": JSON_TOOL}
    draft.fidelity.adjust("response_format", "json_schema", "tool")
