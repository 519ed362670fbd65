"""``tools`` and ``tool_config``: functions of the caller, built-in tools, and the choice.

Modes, by the vendor's SDK and recorded traffic: ``auto``, ``none``, ``any`` (some function, of
``functions_names_any`` where that is given) and ``forced`` with ``function_name`` or
``tool_name``.
"""

from __future__ import annotations

from typing import Any

from msgspec import structs

from dragoman.canonical.request import FormatKind, OutputFormat, Tool, ToolChoice, ToolMode
from dragoman.dialects.gigachat import functions
from dragoman.dialects.gigachat.v2.built_in import WEB_SEARCH
from dragoman.dialects.gigachat.v2.draft import Draft
from dragoman.errors import InvalidRequest, UnsupportedByTarget

_AUTO = ToolChoice(ToolMode.AUTO)


def read_functions(draft: Draft, tools: tuple[Tool, ...]) -> None:
    """The functions that the model is to know; ``write_tools`` puts them into the body."""
    choice = draft.request.tool_choice or _AUTO
    allowed = None if choice.mode is ToolMode.REQUIRED else choice.allowed
    draft.functions += [
        functions.write_function(draft, tool, place)[0]
        for place, tool in zip(functions.places(draft), tools, strict=False)
        if allowed is None or tool.name in allowed
    ]
    functions.note_reductions(draft)


def read_output_format(draft: Draft, wanted: OutputFormat) -> None:
    """``response_format``: the way is chosen as for version 1, and spelled as version 2."""
    body = {"functions": draft.functions} if draft.functions else {}
    draft_of_v1 = structs.replace(draft, body=body)
    functions.write_output_format_beside_tools(draft_of_v1, wanted)
    draft.json_tool = draft_of_v1.json_tool
    draft.functions = draft_of_v1.body.get("functions", [])
    if "response_format" in draft_of_v1.body:
        draft.options["response_format"] = draft_of_v1.body["response_format"]


def at_the_end(draft: Draft, choice: ToolChoice) -> None:
    """The rule of ``tool_choice``: ``write_tools`` sees to it when all tools are known."""


def write_tools(draft: Draft) -> None:
    """``tools`` and ``tool_config``. Raises ``InvalidRequest`` for a choice that cannot be."""
    choice = draft.request.tool_choice or _AUTO
    if choice.allowed is not None and choice.mode is ToolMode.AUTO:
        for name in draft.built_in:  # a subset can be made of functions only
            draft.fidelity.drop(f"tools[].{name}")
        draft.built_in.clear()
    if draft.json_tool and draft.built_in:
        raise UnsupportedByTarget(
            "This GigaChat model has no structured output of its own, and the way around it"
            " (a function that must be called) leaves no room for built-in tools. Leave"
            " response_format or these tools out, or use a model of generation 3.",
            param="response_format",
        )
    config = _config(draft, choice)
    entries: list[dict[str, Any]] = []
    if draft.functions:
        entries.append({"functions": {"specifications": draft.functions}})
    entries += [{name: settings} for name, settings in draft.built_in.items()]
    if entries:
        draft.body["tools"] = entries
        draft.body["tool_config"] = config


def searches(draft: Draft) -> bool:
    """The answer may cite what it has found on the web, in a text that is for people to read."""
    wanted = draft.request.output_format
    is_text = wanted is None or wanted.kind is FormatKind.TEXT
    return WEB_SEARCH in draft.built_in and is_text and "response_format" not in draft.options


def _config(draft: Draft, choice: ToolChoice) -> dict[str, Any]:
    if draft.json_tool:
        if len(draft.functions) > 1:  # a call of the caller's functions, or the answer
            return {"mode": "any"}
        return {"mode": "forced", "function_name": draft.json_tool}
    if draft.built_in_choice:
        if draft.built_in_choice not in draft.built_in:
            raise _not_offered()
        return {"mode": "forced", "tool_name": draft.built_in_choice}
    match choice.mode:
        case ToolMode.AUTO | ToolMode.NONE:
            return {"mode": choice.mode.value}
        case ToolMode.NAMED:
            name = draft.names.wire(choice.name or "")
            if name not in _names(draft):
                raise _not_offered()
            return {"mode": "forced", "function_name": name}
        case ToolMode.REQUIRED:
            return _some(draft, choice)


def _names(draft: Draft) -> list[str]:
    return [function["name"] for function in draft.functions]


def _some(draft: Draft, choice: ToolChoice) -> dict[str, Any]:
    """Some call, of the model's choice: where there is but one to choose, that one by its name."""
    names = _names(draft)
    if choice.allowed is not None:
        allowed = {draft.names.wire(name) for name in choice.allowed}
        chosen = [name for name in names if name in allowed]
    else:
        chosen = names
    if len(chosen) == 1 and not (names == chosen and draft.built_in):
        return {"mode": "forced", "function_name": chosen[0]}
    if chosen:
        if len(chosen) < len(names):
            return {"mode": "any", "functions_names_any": chosen}
        return {"mode": "any"}
    if len(draft.built_in) == 1 and choice.allowed is None:
        return {"mode": "forced", "tool_name": next(iter(draft.built_in))}
    if draft.built_in and choice.allowed is None:
        raise UnsupportedByTarget(
            "GigaChat can be made to use one certain built-in tool, not any one of several."
            ' Name the tool in tool_choice, offer only one, or use "auto".',
            param="tool_choice",
        )
    raise InvalidRequest(
        "tool_choice asks for a call, but there is nothing to call. Add a tool to tools or leave"
        " tool_choice out.",
        param="tool_choice",
    )


def _not_offered() -> InvalidRequest:
    return InvalidRequest(
        "tool_choice names a tool that is not among the tools. Add it to tools or name another"
        " one.",
        param="tool_choice",
    )
