"""Tools and structured output, as GigaChat spells them: ``functions`` and ``function_call``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import count
from typing import Any, Final

from msgspec import Raw, Struct

from dragoman.canonical.conversation import CallKind
from dragoman.canonical.request import FormatKind, OutputFormat, Tool, ToolChoice, ToolMode
from dragoman.dialects.free_text_tools import described
from dragoman.dialects.gigachat.draft import Draft
from dragoman.dialects.gigachat.own_members import read_value
from dragoman.dialects.gigachat.schemas import check_schema, clean_schema
from dragoman.errors import InvalidRequest, UnsupportedByTarget

JSON_TOOL: Final = "json_output"
"""Name of the function that stands in for a response schema."""
JSON_INSTRUCTION: Final = (
    "Answer with a single JSON object and nothing else: no words around it, no Markdown fences."
)
JSON_TOOL_INSTRUCTION: Final = (
    "Give your final answer by calling the function {name}, never in words. The other functions"
    " may be called before it."
)
CALL_INSTRUCTION: Final = (
    "Answer by calling one of the functions that you are offered, whichever fits best. Do not"
    " answer in words."
)
MOST_WORDS: Final = 12
"""Of JSON Schema that a note lists by name."""

_SCHEMA_PARAM: Final = "response_format.json_schema.schema"
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
    functions = [
        write_function(draft, tool, number)[0]
        for number, tool in zip(places(draft), tools, strict=False)
        if choice.allowed is None or tool.name in choice.allowed
    ]
    note_reductions(draft)
    call = _function_call(draft, choice, functions)
    if functions:
        draft.body["functions"] = functions
        draft.body["function_call"] = call


def places(draft: Draft) -> Iterator[int]:
    """Where functions stand in the caller's ``tools``, between tools of kinds that have no
    canonical form.
    """
    others = {name for members in draft.request.extras.values() for name in members}
    return (at for at in count() if f"tools[{at}]" not in others)


def note_reductions(draft: Draft) -> None:
    """Say once what the schemas of all functions written so far have lost."""
    if draft.reduced:
        member = "functions" if draft.request.legacy_functions else "tools"
        draft.fidelity.adjust(member, _listed(draft.reduced), "GigaChat's subset")
        draft.reduced.clear()


def _listed(words: Collection[str]) -> str:
    shown = list(words)[:MOST_WORDS]
    rest = len(words) - len(shown)
    return "+".join([*shown, f"{rest} more"] if rest else shown)


def write_tool_choice(draft: Draft, choice: ToolChoice) -> None:
    """A choice among no tools; with tools, ``write_tools`` has seen to it."""
    if not draft.request.tools:
        _function_call(draft, choice, [])


def _function_call(draft: Draft, choice: ToolChoice, functions: list[dict[str, Any]]) -> Any:
    names = [function["name"] for function in functions]
    param = "function_call" if draft.request.legacy_functions else "tool_choice"
    match choice.mode:
        case ToolMode.AUTO | ToolMode.NONE:
            return choice.mode.value
        case ToolMode.NAMED:
            wire = draft.names.wire(choice.name or "")
            if wire not in names:
                raise InvalidRequest(
                    f"{param} names a function that is not among the tools. Add it to them or name"
                    " another one.",
                    param=param,
                )
            return {"name": wire}
        case ToolMode.REQUIRED:
            if not names:
                raise InvalidRequest(
                    f"{param} asks for a call, but there is no function to call. Offer one or leave"
                    f" {param} out.",
                    param=param,
                )
            if len(names) == 1:
                return {"name": names[0]}
            # One certain function can be forced, some function cannot: it is asked for in words.
            draft.instructions.append(CALL_INSTRUCTION)
            draft.fidelity.adjust(param, "required", "instruction")
            return "auto"


def write_function(draft: Draft, tool: Tool, number: int) -> tuple[dict[str, Any], bool]:
    """One function, and whether its schema lost something."""
    parameters, is_lossy = _parameters(draft, tool, number)
    function: dict[str, Any] = {"name": draft.names.wire(tool.name)}
    description = tool.description
    if tool.kind is CallKind.CUSTOM:
        description = described(tool, draft.fidelity)
        draft.fidelity.adjust(f"tools[{number}]", "custom", "function")
    if description:
        function["description"] = description
    function["parameters"] = parameters
    if tool.strict:
        draft.fidelity.drop("tools[].strict")
    place = f"{_place(draft, number)}."
    for members in tool.extras.values():
        for member, value in members.items():
            if rule := _OWN_MEMBERS.get(member):
                function[member] = rule(draft, value, place + member)
            elif member not in _SILENT_MEMBERS and not (
                tool.kind is CallKind.CUSTOM and member == "format"
            ):
                draft.fidelity.drop(f"tools[].{member}")
    return function, is_lossy


def _place(draft: Draft, number: int) -> str:
    """Where the caller wrote function ``number``."""
    if draft.request.legacy_functions:
        return f"functions[{number}]"
    return f"tools[{number}].function"


class _Example(Struct):
    """One of ``few_shot_examples``."""

    request: str
    params: dict[str, Raw]


def _examples(_draft: Draft, value: Any, param: str) -> Any:
    return read_value(value, list[_Example], param)


def _returned(draft: Draft, value: Any, param: str) -> Any:
    """``return_parameters`` is a schema like the other."""
    schema = read_value(value, dict[str, Any], param)
    cleaned = clean_schema(schema, param, draft.preferences.schema_level)
    draft.reduced.update(dict.fromkeys(cleaned.lost))
    return cleaned.schema


_OWN_MEMBERS: Final[dict[str, Callable[[Draft, Any, str], Any]]] = {
    "few_shot_examples": _examples,
    "return_parameters": _returned,
}
"""Members of a function that GigaChat knows and OpenAI does not."""


def _parameters(draft: Draft, tool: Tool, number: int) -> tuple[dict[str, Any], bool]:
    if tool.kind is CallKind.CUSTOM:
        return _FREE_TEXT, False
    if not tool.parameters:
        return _NO_ARGUMENTS, False
    param = f"{_place(draft, number)}.parameters"
    root = tool.parameters
    if "type" not in root and "properties" not in root and not _is_compound(root):
        root = {**root, "type": "object"}
    cleaned = clean_schema(root, param, draft.preferences.schema_level)
    draft.reduced.update(dict.fromkeys(cleaned.lost))
    if cleaned.schema["type"] != "object":
        raise UnsupportedByTarget(
            "GigaChat's functions take an object of named arguments. Make the root of this"
            ' schema an object ("type": "object").',
            param=param,
        )
    return cleaned.schema, cleaned.is_lossy


def _is_compound(schema: dict[str, Any]) -> bool:
    return any(word in schema for word in ("$ref", "allOf", "anyOf", "oneOf"))


def write_output_format(draft: Draft, wanted: OutputFormat) -> None:
    """``response_format``: natively, by a forced function, or by a request in words."""
    if wanted.kind is FormatKind.TEXT:
        return
    if wanted.kind is FormatKind.JSON_OBJECT or wanted.schema is None:
        draft.instructions.append(JSON_INSTRUCTION)
        draft.fidelity.adjust("response_format", wanted.kind.value, "instruction")
        return
    check_schema(wanted.schema, _SCHEMA_PARAM)
    if draft.facts.json_schema:
        layout: dict[str, Any] = {"type": "json_schema", "schema": _described(wanted)}
        if wanted.strict is not None:
            layout["strict"] = wanted.strict
        draft.body["response_format"] = layout
        return
    if draft.request.tools:
        raise UnsupportedByTarget(
            "This GigaChat model has no structured output of its own, and the way around it"
            " (a function that must be called) is taken by the request's tools. Leave"
            " response_format or tools out, or use a model of generation 3.",
            param="response_format",
        )
    _force_json_tool(draft, wanted)


def write_output_format_beside_tools(draft: Draft, wanted: OutputFormat) -> None:
    """``write_output_format`` for a version that cannot force one function of several: where the
    model has no structured output, the function for the answer is offered beside the others.
    Runs after ``write_tools``.
    """
    functions = draft.body.get("functions")
    if (
        wanted.kind is not FormatKind.JSON_SCHEMA
        or wanted.schema is None
        or draft.facts.json_schema
        or not draft.request.tools
    ):
        write_output_format(draft, wanted)
        return
    check_schema(wanted.schema, _SCHEMA_PARAM)
    choice = draft.request.tool_choice
    mode = choice.mode if choice is not None else ToolMode.AUTO
    if mode in {ToolMode.REQUIRED, ToolMode.NAMED}:  # what comes is a call, which has no format
        draft.fidelity.adjust("response_format", wanted.kind.value, "none beside a forced call")
    elif mode is ToolMode.NONE or not functions:
        _force_json_tool(draft, wanted)
    else:
        functions.append(_json_tool(draft, wanted, "offered function"))
        draft.instructions.append(JSON_TOOL_INSTRUCTION.format(name=draft.json_tool))


def _described(wanted: OutputFormat) -> dict[str, Any]:
    """The schema; GigaChat has no place for a description beside it, but one inside."""
    schema = wanted.schema or {}
    if wanted.description and "description" not in schema:
        return {**schema, "description": wanted.description}
    return schema


def _force_json_tool(draft: Draft, wanted: OutputFormat) -> None:
    draft.body["functions"] = [_json_tool(draft, wanted, "function")]
    draft.body["function_call"] = {"name": draft.json_tool}


def _json_tool(draft: Draft, wanted: OutputFormat, way: str) -> dict[str, Any]:
    """The function whose arguments are the answer. ``way``: how its call is brought about."""
    cleaned = clean_schema(wanted.schema or {}, _SCHEMA_PARAM, draft.preferences.schema_level)
    if cleaned.schema["type"] != "object":
        raise UnsupportedByTarget(
            "This GigaChat model can answer in the form of an object only. Make the root of the"
            ' schema an object ("type": "object") or use a model of generation 3.',
            param=_SCHEMA_PARAM,
        )
    draft.json_tool = draft.names.own(JSON_TOOL)
    draft.fidelity.adjust("response_format", wanted.kind.value, way)
    if wanted.strict:
        draft.fidelity.drop("response_format.json_schema.strict")
    if cleaned.lost:
        draft.fidelity.adjust(_SCHEMA_PARAM, _listed(cleaned.lost), "GigaChat's subset")
    description = wanted.description or "Gives the answer to the user in the required form."
    return {"name": draft.json_tool, "description": description, "parameters": cleaned.schema}
