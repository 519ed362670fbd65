"""What OpenAI's Chat Completions refuses about tools: names, strict schemas, and the choice."""

from __future__ import annotations

import re
from typing import Any, Final, Literal

import msgspec

from dragoman.simulators.refusals import Refusal, unsupported_value

NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class Named(msgspec.Struct, frozen=True):
    """A function or custom tool, by its name."""

    name: str | None = None


class AllowedTool(msgspec.Struct, frozen=True):
    """A tool that may be called: the name stands inside or, as in Responses, beside the type."""

    type: Literal["function", "custom"]
    name: str | None = None
    function: Named | None = None
    custom: Named | None = None

    @property
    def called(self) -> str | None:
        """Its name."""
        named = self.function or self.custom
        return self.name if named is None else named.name


class AllowedTools(msgspec.Struct, frozen=True):
    """The value of ``tool_choice.allowed_tools``."""

    tools: list[AllowedTool]
    mode: Literal["auto", "required"] = "auto"


def check_tools(body: dict[str, Any]) -> None:
    """Refuse malformed ``tools`` and ``functions``.

    Raises:
        Refusal: naming the member.
    """
    for index, tool in enumerate(body.get("tools", [])):
        kind = tool.get("type") if isinstance(tool, dict) else None
        if kind not in ("function", "custom"):
            raise unsupported_value(f"tools[{index}].type", kind, ("function", "custom"))
        _check_function(tool.get(kind), f"tools[{index}].{kind}")
    for index, function in enumerate(body.get("functions", [])):
        _check_function(function, f"functions[{index}]")


def _check_function(function: Any, path: str) -> None:
    if not isinstance(function, dict) or "name" not in function:
        raise Refusal(
            400,
            f"Missing required parameter: '{path}.name'.",
            param=f"{path}.name",
            code="missing_required_parameter",
        )
    name = function["name"]
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise Refusal(
            400,
            f"Invalid '{path}.name': string does not match pattern. "
            "Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.",
            param=f"{path}.name",
            code="invalid_value",
        )
    if not isinstance(function.get("description") or "", str):
        raise Refusal(
            400,
            f"Invalid type for '{path}.description': expected a string.",
            param=f"{path}.description",
            code="invalid_type",
        )
    schema = function.get("parameters")
    if schema is None:
        return
    if not isinstance(schema, dict) or schema.get("type", "object") != "object":
        raise _bad_schema(f"function '{name}'", f"{path}.parameters", "schema must be an object")
    if function.get("strict"):
        check_strict_schema(schema, f"function '{name}'", f"{path}.parameters")


def check_strict_schema(schema: Any, what: str, param: str) -> None:
    """Refuse what strict mode does not take: every object closed, every property required."""
    pending: list[tuple[Any, tuple[str, ...]]] = [(schema, ())]
    while pending:
        node, at = pending.pop()
        if not isinstance(node, dict):
            continue
        if node.get("type") == "object":
            context = f"In context={at!r}, "
            if node.get("additionalProperties") is not False:
                reason = "'additionalProperties' is required to be supplied and to be false."
                raise _bad_schema(what, param, context + reason)
            if set(node.get("required", [])) != set(node.get("properties", {})):
                reason = (
                    "'required' is required to be supplied and to be an array including every key "
                    "in properties."
                )
                raise _bad_schema(what, param, context + reason)
        for keyword in ("properties", "$defs"):
            if isinstance(node.get(keyword), dict):
                pending += [(v, (*at, keyword, k)) for k, v in node[keyword].items()]
        pending += [(node[keyword], (*at, keyword)) for keyword in ("items",) if keyword in node]
        pending += [(option, (*at, "anyOf")) for option in node.get("anyOf", [])]


def _bad_schema(what: str, param: str, reason: str) -> Refusal:
    code = "invalid_function_parameters" if what.startswith("function") else None
    return Refusal(400, f"Invalid schema for {what}: {reason}", param=param, code=code)


def check_choice(body: dict[str, Any]) -> None:
    """Refuse a ``tool_choice`` that is malformed or names no tool of the request.

    Raises:
        Refusal: naming the member.
    """
    choice = body.get("tool_choice")
    if choice is None:
        return
    if "tools" not in body:
        raise Refusal(
            400,
            "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are "
            "specified.",
            param="tool_choice",
        )
    if isinstance(choice, str):
        if choice not in ("none", "auto", "required"):
            raise unsupported_value("tool_choice", choice, ("none", "auto", "required"))
        return
    kind = choice.get("type")
    if kind == "allowed_tools":
        _check_allowed(choice.get("allowed_tools"))
        return
    if kind not in ("function", "custom"):
        raise unsupported_value("tool_choice.type", kind, ("function", "custom", "allowed_tools"))
    named = choice.get(kind)
    wanted = named.get("name") if isinstance(named, dict) else None
    if wanted not in [(tool.get(kind) or {}).get("name") for tool in body["tools"]]:
        raise Refusal(
            400,
            f"Invalid value for 'tool_choice': no function named {wanted} was specified in the "
            "'tools' parameter.",
            param="tool_choice",
        )


def _check_allowed(allowed: Any) -> None:
    try:
        msgspec.convert(allowed, AllowedTools)
    except msgspec.ValidationError as error:
        raise Refusal(
            400,
            f"Invalid value for 'tool_choice.allowed_tools': {error}.",
            param="tool_choice.allowed_tools",
            code="invalid_value",
        ) from None
