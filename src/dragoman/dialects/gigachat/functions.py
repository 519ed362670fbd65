"""Tools and structured output, as GigaChat spells them: ``functions`` and ``function_call``."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Raw

from dragoman.canonical.conversation import CallKind
from dragoman.canonical.request import FormatKind, OutputFormat, Tool, ToolChoice, ToolMode
from dragoman.dialects.gigachat.draft import Draft
from dragoman.dialects.gigachat.schemas import check_schema, clean_schema
from dragoman.errors import InvalidRequest, UnsupportedByTarget

JSON_TOOL: Final = "json_output"
"""Name of the function that stands in for a response schema."""
JSON_INSTRUCTION: Final = (
    "Answer with a single JSON object and nothing else: no words around it, no Markdown fences."
)

_OWN_MEMBERS: Final = frozenset({"few_shot_examples", "return_parameters"})
"""Members of a function that GigaChat knows and OpenAI does not."""
_SILENT_MEMBERS: Final = frozenset({"cache_control", "prompt_cache_breakpoint"})
_NO_ARGUMENTS: Final[dict[str, Any]] = {"type": "object", "properties": {}}
_FREE_TEXT: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
}


def write_tools(draft: Draft, tools: tuple[Tool, ...]) -> None:
    """``tools`` and ``tool_choice`` together, because the choice may shorten the list."""
    choice = draft.request.tool_choice or ToolChoice(ToolMode.AUTO)
    offered = [
        (number, tool)
        for number, tool in enumerate(tools)
        if choice.allowed is None or tool.name in choice.allowed
    ]
    cleaned = [_function(draft, tool, number) for number, tool in offered]
    if any(is_lossy for _, is_lossy in cleaned):
        draft.fidelity.adjust("tools", "JSON Schema", "GigaChat's subset")
    functions = [function for function, _ in cleaned]
    call = _function_call(draft, choice, functions)
    if functions:
        draft.body["functions"] = functions
        draft.body["function_call"] = call


def write_tool_choice(draft: Draft, choice: ToolChoice) -> None:
    """A choice among no tools; with tools, ``write_tools`` has seen to it."""
    if not draft.request.tools:
        _function_call(draft, choice, [])


def _function_call(draft: Draft, choice: ToolChoice, functions: list[dict[str, Any]]) -> Any:
    names = [function["name"] for function in functions]
    match choice.mode:
        case ToolMode.AUTO | ToolMode.NONE:
            return choice.mode.value
        case ToolMode.NAMED:
            wire = draft.names.wire(choice.name or "")
            if wire not in names:
                raise InvalidRequest(
                    "tool_choice names a function that is not among the tools. Add it to tools"
                    " or name another one.",
                    param="tool_choice",
                )
            return {"name": wire}
        case ToolMode.REQUIRED:
            if not names:
                raise InvalidRequest(
                    "tool_choice asks for a call, but there is no function to call. Add one to"
                    " tools or leave tool_choice out.",
                    param="tool_choice",
                )
            if len(names) > 1:
                raise UnsupportedByTarget(
                    "GigaChat can be made to call one certain function, not any one of several."
                    ' Name the function in tool_choice, offer only one, or use "auto".',
                    param="tool_choice",
                )
            return {"name": names[0]}


def _function(draft: Draft, tool: Tool, number: int) -> tuple[dict[str, Any], bool]:
    """One function, and whether its schema lost something."""
    parameters, is_lossy = _parameters(draft, tool, number)
    function: dict[str, Any] = {"name": draft.names.wire(tool.name)}
    description = tool.description
    if tool.kind is CallKind.CUSTOM:
        description = _with_grammar(draft, tool)
        draft.fidelity.adjust(f"tools[{number}]", "custom", "function")
    if description:
        function["description"] = description
    function["parameters"] = parameters
    if tool.strict:
        draft.fidelity.drop("tools[].strict")
    for members in tool.extras.values():
        for member, value in members.items():
            if member in _OWN_MEMBERS:
                function[member] = value
            elif member not in _SILENT_MEMBERS and not (
                tool.kind is CallKind.CUSTOM and member == "format"
            ):
                draft.fidelity.drop(f"tools[].{member}")
    return function, is_lossy


def _parameters(draft: Draft, tool: Tool, number: int) -> tuple[dict[str, Any], bool]:
    if tool.kind is CallKind.CUSTOM:
        return _FREE_TEXT, False
    if not tool.parameters:
        return _NO_ARGUMENTS, False
    if draft.request.legacy_functions:
        param = f"functions[{number}].parameters"
    else:
        param = f"tools[{number}].function.parameters"
    root = tool.parameters
    if "type" not in root and "properties" not in root and not _is_compound(root):
        root = {**root, "type": "object"}
    cleaned = clean_schema(root, param)
    if cleaned.schema["type"] != "object":
        raise UnsupportedByTarget(
            "GigaChat's functions take an object of named arguments. Make the root of this"
            ' schema an object ("type": "object").',
            param=param,
        )
    return cleaned.schema, cleaned.is_lossy


def _is_compound(schema: dict[str, Any]) -> bool:
    return any(word in schema for word in ("$ref", "allOf", "anyOf", "oneOf"))


class _Grammar(msgspec.Struct):
    syntax: str = ""
    definition: str = ""


class _CustomFormat(msgspec.Struct):
    grammar: _Grammar | None = None
    syntax: str = ""
    definition: str = ""


def _with_grammar(draft: Draft, tool: Tool) -> str | None:
    """The description of a free-text tool, its grammar in words: GigaChat cannot enforce one."""
    value = next((m["format"] for m in tool.extras.values() if "format" in m), None)
    if value is None:
        return tool.description
    try:
        if isinstance(value, Raw):
            layout = msgspec.json.decode(value, type=_CustomFormat)
        else:
            layout = msgspec.convert(value, _CustomFormat)
    except msgspec.DecodeError:
        draft.fidelity.drop("tools[].format")
        return tool.description
    syntax = layout.grammar.syntax if layout.grammar else layout.syntax
    definition = layout.grammar.definition if layout.grammar else layout.definition
    if not definition:
        return tool.description
    rule = f"The input must match this {syntax or 'formal'} grammar:\n{definition}"
    return f"{tool.description}\n\n{rule}" if tool.description else rule


def write_output_format(draft: Draft, wanted: OutputFormat) -> None:
    """``response_format``: natively, by a forced function, or by a request in words."""
    if wanted.kind is FormatKind.TEXT:
        return
    if wanted.kind is FormatKind.JSON_OBJECT or wanted.schema is None:
        draft.instructions.append(JSON_INSTRUCTION)
        draft.fidelity.adjust("response_format", wanted.kind.value, "instruction")
        return
    param = "response_format.json_schema.schema"
    check_schema(wanted.schema, param)
    if draft.facts.json_schema:
        layout: dict[str, Any] = {"type": "json_schema", "schema": _described(wanted)}
        if wanted.strict is not None:
            layout["strict"] = wanted.strict
        draft.body["response_format"] = layout
        return
    _write_json_tool(draft, wanted, param)


def _described(wanted: OutputFormat) -> dict[str, Any]:
    """The schema; GigaChat has no place for a description beside it, but one inside."""
    schema = wanted.schema or {}
    if wanted.description and "description" not in schema:
        return {**schema, "description": wanted.description}
    return schema


def _write_json_tool(draft: Draft, wanted: OutputFormat, param: str) -> None:
    if draft.request.tools:
        raise UnsupportedByTarget(
            "This GigaChat model has no structured output of its own, and the way around it"
            " (a function that must be called) is taken by the request's tools. Leave"
            " response_format or tools out, or use a model of generation 3.",
            param="response_format",
        )
    cleaned = clean_schema(wanted.schema or {}, param)
    if cleaned.schema["type"] != "object":
        raise UnsupportedByTarget(
            "This GigaChat model can answer in the form of an object only. Make the root of the"
            ' schema an object ("type": "object") or use a model of generation 3.',
            param=param,
        )
    draft.json_tool = draft.names.wire(JSON_TOOL)
    description = wanted.description or "Gives the answer to the user in the required form."
    draft.body["functions"] = [
        {"name": draft.json_tool, "description": description, "parameters": cleaned.schema}
    ]
    draft.body["function_call"] = {"name": draft.json_tool}
    draft.fidelity.adjust("response_format", "json_schema", "function")
