"""What OpenAI's Chat Completions refuses, with its texts, parameters and codes.

Known members are checked for type and range; unknown ones only on request, as most compatible
servers ignore them. ``null`` means absent. Messages: ``openai_messages``; tools:
``openai_tool_rules``.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from dragoman.simulators.openai_messages import check_messages
from dragoman.simulators.openai_tool_rules import (
    NAME,
    check_choice,
    check_strict_schema,
    check_tools,
)
from dragoman.simulators.refusals import Refusal, unsupported_value

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
    check_tools(body)
    check_choice(body)
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
        raise unsupported_value(name, value, rule.values)


def _is_of(value: Any, kind: type) -> bool:
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


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
    if isinstance(stop, list) and not all(isinstance(word, str) for word in stop):
        raise Refusal(
            400,
            "Invalid type for 'stop': expected an array of strings.",
            param="stop",
            code="invalid_type",
        )
    if isinstance(stop, list) and len(stop) > 4:
        raise Refusal(
            400,
            "Invalid 'stop': array too long. Expected an array with maximum length 4, "
            f"but got an array with length {len(stop)} instead.",
            param="stop",
            code="array_above_max_length",
        )


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
        raise unsupported_value(
            "response_format.type", kind, ("json_object", "json_schema", "text")
        )
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
