"""What OpenAI's Chat Completions refuses, with its texts, parameters and codes.

Known members are checked for type and range; unknown ones only on request, as most compatible
servers ignore them. ``null`` means absent. The order of tool messages is ``openai_messages``.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal

import msgspec

from dragoman.simulators.openai_messages import check_messages
from dragoman.simulators.refusals import Refusal

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_RESTRICTED_MODEL = re.compile(r"(o\d|gpt-5)")
_WORDS: Final[dict[type, str]] = {
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    str: "a string",
    list: "an array",
    dict: "an object",
    type(None): "null",
}


class Rule(msgspec.Struct, frozen=True):
    """The type of a member, its bounds, and its allowed values."""

    kind: type
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = ()
    other: type | None = None
    """A second type that is allowed."""


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


_EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_TIERS: Final = ("auto", "default", "flex", "scale", "priority", "fast")
RULES: Final[dict[str, Rule]] = {
    "model": Rule(str),
    "messages": Rule(list),
    "stream": Rule(bool),
    "stream_options": Rule(dict),
    "max_completion_tokens": Rule(int, low=1),
    "max_tokens": Rule(int, low=1),
    "temperature": Rule(float, low=0, high=2),
    "top_p": Rule(float, low=0, high=1),
    "n": Rule(int, low=1, high=128),
    "stop": Rule(str, other=list),
    "seed": Rule(int),
    "presence_penalty": Rule(float, low=-2, high=2),
    "frequency_penalty": Rule(float, low=-2, high=2),
    "logit_bias": Rule(dict),
    "logprobs": Rule(bool),
    "top_logprobs": Rule(int, low=0, high=20),
    "tools": Rule(list),
    "tool_choice": Rule(str, other=dict),
    "parallel_tool_calls": Rule(bool),
    "functions": Rule(list),
    "function_call": Rule(str, other=dict),
    "response_format": Rule(dict),
    "reasoning_effort": Rule(str, values=_EFFORTS),
    "verbosity": Rule(str, values=("low", "medium", "high")),
    "modalities": Rule(list),
    "audio": Rule(dict),
    "prediction": Rule(dict),
    "web_search_options": Rule(dict),
    "metadata": Rule(dict),
    "store": Rule(bool),
    "service_tier": Rule(str, values=_TIERS),
    "user": Rule(str),
    "safety_identifier": Rule(str),
    "prompt_cache_key": Rule(str),
    "prompt_cache_options": Rule(dict),
    "prompt_cache_retention": Rule(str),
    "moderation": Rule(dict),
}


def check_chat(given: Any, *, strict_unknown: bool) -> dict[str, Any]:
    """The body without its nulls, if OpenAI would accept it.

    Raises:
        Refusal: with the status, text, parameter and code of the real answer.
    """
    if not isinstance(given, dict):
        raise Refusal(400, "Invalid type for body: expected an object.", code="invalid_type")
    body: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    for name in ("model", "messages"):
        if name not in body:
            raise Refusal(
                400,
                f"Missing required parameter: '{name}'.",
                param=name,
                code="missing_required_parameter",
            )
    for name, value in body.items():
        rule = RULES.get(name)
        if rule is not None:
            check_member(name, value, rule)
        elif strict_unknown:
            raise Refusal(
                400, f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter"
            )
    _check_lists(body)
    _check_tools(body)
    _check_choice(body)
    _check_together(body)
    _check_format(body)
    check_messages(body["messages"])
    return body


def check_member(name: str, value: Any, rule: Rule) -> None:
    """Refuse a value of the wrong type, out of range, or not among the known ones."""
    if not _is_of(value, rule.kind) and (rule.other is None or not _is_of(value, rule.other)):
        raise Refusal(
            400,
            f"Invalid type for '{name}': expected {_WORDS[rule.kind]}, "
            f"but got {_WORDS.get(type(value), 'something else')} instead.",
            param=name,
            code="invalid_type",
        )
    noun = "integer" if rule.kind is int else "decimal"
    if rule.low is not None and value < rule.low:
        raise Refusal(
            400,
            f"Invalid '{name}': {noun} below minimum value. "
            f"Expected a value >= {rule.low}, but got {value} instead.",
            param=name,
            code=f"{noun}_below_min_value",
        )
    if rule.high is not None and value > rule.high:
        raise Refusal(
            400,
            f"Invalid '{name}': {noun} above maximum value. "
            f"Expected a value <= {rule.high}, but got {value} instead.",
            param=name,
            code=f"{noun}_above_max_value",
        )
    if rule.values and value not in rule.values:
        raise _unsupported(name, value, rule.values)


def _is_of(value: Any, kind: type) -> bool:
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def _unsupported(name: str, value: Any, values: tuple[str, ...]) -> Refusal:
    known = ", ".join(f"'{each}'" for each in values[:-1]) + f", and '{values[-1]}'"
    return Refusal(
        400,
        f"Invalid value: '{value}'. Supported values are: {known}.",
        param=name,
        code="invalid_value",
    )


def _check_lists(body: dict[str, Any]) -> None:
    for name in ("messages", "tools", "functions"):
        if body.get(name) == []:
            raise Refusal(
                400,
                f"Invalid '{name}': empty array. Expected an array with minimum length 1, "
                "but got an empty array instead.",
                param=name,
                code="empty_array",
            )
    stop = body.get("stop", [])
    if isinstance(stop, list) and len(stop) > 4:
        raise Refusal(
            400,
            "Invalid 'stop': array too long. Expected an array with maximum length 4, "
            f"but got an array with length {len(stop)} instead.",
            param="stop",
            code="array_above_max_length",
        )


def _check_tools(body: dict[str, Any]) -> None:
    for index, tool in enumerate(body.get("tools", [])):
        kind = tool.get("type") if isinstance(tool, dict) else None
        if kind not in ("function", "custom"):
            raise _unsupported(f"tools[{index}].type", kind, ("function", "custom"))
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


def _check_choice(body: dict[str, Any]) -> None:
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
            raise _unsupported("tool_choice", choice, ("none", "auto", "required"))
        return
    kind = choice.get("type")
    if kind == "allowed_tools":
        _check_allowed(choice.get("allowed_tools"))
        return
    if kind not in ("function", "custom"):
        raise _unsupported("tool_choice.type", kind, ("function", "custom", "allowed_tools"))
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


def _check_together(body: dict[str, Any]) -> None:
    if "stream_options" in body and not body.get("stream"):
        raise Refusal(
            400,
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            param="stream_options",
        )
    if body.get("top_logprobs") and not body.get("logprobs"):
        raise Refusal(
            400,
            "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.",
            param="top_logprobs",
        )
    if "parallel_tool_calls" in body and "tools" not in body:
        raise Refusal(
            400,
            "Invalid value for 'parallel_tool_calls': 'parallel_tool_calls' is only allowed when "
            "'tools' are specified.",
            param="parallel_tool_calls",
        )
    if _RESTRICTED_MODEL.match(body["model"]):
        if "max_tokens" in body:
            raise Refusal(
                400,
                "Unsupported parameter: 'max_tokens' is not supported with this model. "
                "Use 'max_completion_tokens' instead.",
                param="max_tokens",
                code="unsupported_parameter",
            )
        if body.get("temperature", 1) != 1:
            raise Refusal(
                400,
                f"Unsupported value: 'temperature' does not support {body['temperature']} "
                "with this model. Only the default (1) value is supported.",
                param="temperature",
                code="unsupported_value",
            )


def _check_format(body: dict[str, Any]) -> None:
    wanted = body.get("response_format")
    if wanted is None:
        return
    kind = wanted.get("type")
    if kind not in ("text", "json_object", "json_schema"):
        raise _unsupported("response_format.type", kind, ("json_object", "json_schema", "text"))
    if kind == "json_object" and "json" not in str(body["messages"]).casefold():
        raise Refusal(
            400,
            "'messages' must contain the word 'json' in some form, "
            "to use 'response_format' of type 'json_object'.",
            param="messages",
        )
    if kind != "json_schema":
        return
    definition = wanted.get("json_schema")
    name = definition.get("name") if isinstance(definition, dict) else None
    if not isinstance(definition, dict) or name is None:
        raise Refusal(
            400,
            "Missing required parameter: 'response_format.json_schema.name'.",
            param="response_format.json_schema.name",
            code="missing_required_parameter",
        )
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise Refusal(
            400,
            "Invalid 'response_format.json_schema.name': string does not match pattern.",
            param="response_format.json_schema.name",
            code="invalid_value",
        )
    if definition.get("strict"):
        check_strict_schema(
            definition.get("schema"), f"response_format '{name}'", "response_format"
        )
