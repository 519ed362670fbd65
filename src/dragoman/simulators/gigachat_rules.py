"""What GigaChat's chat v1 refuses, with its own words where they are known.

``check_chat`` raises ``Refusal``; wrong JSON types are 400 with the real, unspecific text (the
reason goes into ``x-simulator-reason``), everything else is 422 and names the member.
Schemas of functions: ``gigachat_schema_rules``.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, Final

import msgspec

from dragoman.simulators.gigachat_schema_rules import check_schema
from dragoman.simulators.gigachat_state import is_own_state_id
from dragoman.simulators.options import SimulatorOptions
from dragoman.simulators.refusals import Refusal

INVALID_JSON: Final = "Your request contains invalid JSON syntax."
BUILT_IN_FUNCTIONS: Final = frozenset({"text2image", "text2model3d", "get_file_content"})
ROLES: Final = frozenset({"system", "user", "assistant", "function"})
NUMBER: Final = (int, float)
_TOP: Final[dict[str, type | tuple[type, ...]]] = {
    "model": str,
    "messages": list,
    "temperature": NUMBER,
    "top_p": NUMBER,
    "n": int,
    "stream": bool,
    "max_tokens": int,
    "repetition_penalty": NUMBER,
    "update_interval": NUMBER,
    "profanity_check": bool,
    "functions": list,
    "function_call": (str, dict),
    "function_ranker": dict,
    "flags": list,
    "storage": dict,
    "response_format": dict,
    "reasoning_effort": str,
    "reasoning_max_tokens": int,
}
_MESSAGE: Final[dict[str, type | tuple[type, ...]]] = {
    "role": str,
    "content": str,
    "name": str,
    "function_call": dict,
    "functions_state_id": str,
    "attachments": list,
    "reasoning_content": str,
    "data_for_context": list,
    "id": object,
}
_FUNCTION: Final[dict[str, type | tuple[type, ...]]] = {
    "name": str,
    "description": str,
    "parameters": dict,
    "few_shot_examples": list,
    "return_parameters": dict,
}
_RANKER: Final[dict[str, type | tuple[type, ...]]] = {"enabled": bool, "top_n": int}
_EXAMPLE: Final[dict[str, type | tuple[type, ...]]] = {"request": str, "params": dict}
_FUNCTION_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def check_chat(body: Any, options: SimulatorOptions, warnings: Counter[str]) -> None:
    """Refuse what the real service refuses.

    Raises:
        Refusal: with the status and text of the real answer.
    """
    if not isinstance(body, dict):
        raise wrong_type("the body must be an object")
    check_members(body, _TOP, "")
    if not body.get("model"):
        raise Refusal(422, "Invalid params: field 'model' is required")
    check_ranges(body, options)
    check_members(body.get("function_ranker", {}), _RANKER, "function_ranker.")
    if not all(isinstance(flag, str) for flag in body.get("flags", [])):
        raise wrong_type("flags must hold strings")
    functions = check_functions(body.get("functions") or [], options, warnings)
    _check_function_choice(body.get("function_call"), functions)
    _check_messages(body.get("messages"), warnings)
    check_response_format(body, body["model"])
    _check_reasoning(body)


def wrong_type(reason: str) -> Refusal:
    """The refusal of JSON that is malformed or has the wrong types."""
    return Refusal(400, INVALID_JSON, reason=reason)


def has_structured_output(model: str) -> bool:
    """Whether the model serves ``response_format``: generation 3 does."""
    return model.startswith("GigaChat-3")


def has_reasoning(model: str) -> bool:
    """Whether the model serves ``reasoning_effort``."""
    return model.startswith("GigaChat-3") or "Reasoning" in model


def check_members(
    value: dict[str, Any], known: dict[str, type | tuple[type, ...]], path: str
) -> None:
    """Refuse a member that is unknown (422) or of a wrong type (400)."""
    for name, member in value.items():
        kinds = known.get(name)
        if kinds is None:
            raise Refusal(422, f"Invalid params: unknown field '{path}{name}'")
        is_disguised_bool = isinstance(member, bool) and kinds in (int, NUMBER)
        if not isinstance(member, kinds) or is_disguised_bool:
            if member is None and name in ("content", "function_call"):
                continue
            raise wrong_type(f"{path}{name} has the wrong type")


def check_ranges(body: dict[str, Any], options: SimulatorOptions) -> None:
    """Refuse numbers beyond what the service takes."""
    if options.gigachat_refuses_zero_temperature and body.get("temperature", 1) <= 0:
        raise Refusal(400, "Invalid params: temperature must be greater than 0")
    limits = (
        ("temperature", 0, 2),
        ("top_p", 0, 1),
        ("n", 1, 1),
        ("max_tokens", 1, 2**31 - 1),
        ("repetition_penalty", 1e-9, 1e9),
        ("update_interval", 0, 1e9),
        ("reasoning_max_tokens", 1, 2**31 - 1),
    )
    for name, low, high in limits:
        if name in body and not low <= body[name] <= high:
            raise Refusal(422, f"Invalid params: field '{name}' is out of range")


def check_functions(
    functions: list[Any], options: SimulatorOptions, warnings: Counter[str]
) -> list[str]:
    """The names of functions that the service takes."""
    names: list[str] = []
    for index, function in enumerate(functions):
        path = f"functions[{index}]."
        if not isinstance(function, dict):
            raise wrong_type(f"functions[{index}] must be an object")
        check_members(function, _FUNCTION, path)
        name = function.get("name", "")
        if not _FUNCTION_NAME.fullmatch(name):
            raise Refusal(422, f"Invalid params: field '{path}name' is invalid")
        if name in names:
            raise Refusal(422, f"Invalid params: duplicate function name '{name}'")
        names.append(name)
        if name in BUILT_IN_FUNCTIONS and set(function) == {"name"}:
            continue
        _check_parameters(function, path)
        _check_examples(function.get("few_shot_examples", []), path)
        for schema in ("parameters", "return_parameters"):
            if schema in function:
                check_schema(function[schema], path + schema, options, warnings)
        if not function.get("description"):
            warnings["function_without_description"] += 1
    return names


def _check_parameters(function: dict[str, Any], path: str) -> None:
    if "parameters" not in function:
        raise Refusal(422, f"Field '{path}parameters' is missing")
    if function["parameters"].get("type") != "object":
        raise Refusal(422, f"Invalid params: field '{path}parameters' must be an object schema")


def _check_examples(examples: list[Any], path: str) -> None:
    for number, example in enumerate(examples):
        at = f"{path}few_shot_examples[{number}]"
        if not isinstance(example, dict):
            raise wrong_type(f"{at} must be an object")
        check_members(example, _EXAMPLE, f"{at}.")
        if example.keys() != _EXAMPLE.keys():
            raise Refusal(422, f"Invalid params: field '{at}' is incomplete")


def _check_function_choice(choice: Any, functions: list[str]) -> None:
    if isinstance(choice, dict):
        if choice.keys() - {"name", "partial_arguments"}:
            raise Refusal(422, "Invalid params: field 'function_call' is invalid")
        name = choice.get("name")
        if name not in functions or name in BUILT_IN_FUNCTIONS:
            raise Refusal(422, f"Invalid params: function '{name}' is not in functions")
        if not isinstance(choice.get("partial_arguments", {}), dict):
            raise wrong_type("function_call.partial_arguments must be an object")
    elif choice not in (None, "auto", "none"):
        raise Refusal(422, "Invalid params: field 'function_call' must be auto, none or an object")


def _check_messages(messages: Any, warnings: Counter[str]) -> None:
    if not messages:
        raise Refusal(422, "Invalid params: field 'messages' is required and must not be empty")
    previous: dict[str, Any] = {}
    for index, message in enumerate(messages):
        path = f"messages[{index}]."
        if not isinstance(message, dict):
            raise wrong_type(f"messages[{index}] must be an object")
        check_members(message, _MESSAGE, path)
        _check_message(message, index, previous, path)
        if message["role"] == previous.get("role") and message["role"] != "function":
            warnings["consecutive_messages_of_one_role"] += 1
        if message.get("function_call") and "functions_state_id" not in message:
            warnings["missing_functions_state_id"] += 1
        previous = message
    if previous["role"] == "assistant":
        raise Refusal(422, "Invalid params: the last message must not be of the assistant")


def _check_message(
    message: dict[str, Any], index: int, previous: dict[str, Any], path: str
) -> None:
    role = message.get("role")
    if role not in ROLES:
        raise Refusal(422, f"Invalid params: field '{path}role' is invalid")
    if role == "system" and index:
        raise Refusal(422, "Invalid params: system message must be the first message")
    if role != "assistant" and message.get("function_call") is not None:
        raise Refusal(422, f"Invalid params: unexpected field '{path}function_call'")
    if message.get("content") is None and message.get("function_call") is None:
        raise wrong_type(f"{path}content must be a string")
    _check_attachments(message, path)
    if message.get("function_call") is not None:
        _check_call(message, path)
    if role == "function":
        _check_result(message, previous, path)


def _check_attachments(message: dict[str, Any], path: str) -> None:
    attachments = message.get("attachments", [])
    if not all(isinstance(identity, str) for identity in attachments):
        raise wrong_type(f"{path}attachments must be an array of strings")
    if attachments and message["role"] != "user":
        raise Refusal(422, f"Invalid params: unexpected field '{path}attachments'")


def _check_call(message: dict[str, Any], path: str) -> None:
    call = message["function_call"]
    if call.keys() - {"name", "arguments", "id"} or not isinstance(call.get("name"), str):
        raise Refusal(422, f"Invalid params: field '{path}function_call' is invalid")
    if not isinstance(call.get("arguments"), dict):
        raise wrong_type(f"{path}function_call.arguments must be an object")
    state_id = message.get("functions_state_id")
    if state_id is not None and not is_own_state_id(state_id, call["name"], call["arguments"]):
        raise Refusal(422, f"Invalid params: field '{path}functions_state_id' is of another call")


def _check_result(message: dict[str, Any], previous: dict[str, Any], path: str) -> None:
    if not message.get("name"):
        raise Refusal(422, f"Invalid params: field '{path}name' is required")
    call = previous.get("function_call")
    if previous.get("role") != "assistant" or not call:
        raise Refusal(422, f"Invalid params: {path}role: a function result must follow its call")
    if call["name"] != message["name"]:
        raise Refusal(422, f"Invalid params: {path}name: '{call['name']}' was called")
    try:
        msgspec.json.decode(message["content"])
    except (msgspec.DecodeError, UnicodeEncodeError):
        raise Refusal(
            422,
            "Invalid params: invalid function result json string: "
            "document root must not be followed by other values",
        ) from None


def check_response_format(
    body: dict[str, Any], model: str, kinds: tuple[str, ...] = ("json_schema",)
) -> None:
    """Refuse a ``response_format`` of none of ``kinds``, or for a model that has none."""
    wanted = body.get("response_format")
    if wanted is None or wanted == {"type": "text"}:
        return
    if wanted.get("type") not in kinds:
        raise Refusal(422, "Invalid params: field 'response_format.type' is invalid")
    name, kind = ("regex", str) if wanted["type"] == "regex" else ("schema", dict)
    unknown = sorted(wanted.keys() - {"type", name, "strict"})
    if unknown:
        raise Refusal(422, f"Invalid params: unknown field 'response_format.{unknown[0]}'")
    if not isinstance(wanted.get(name), kind):
        raise Refusal(422, f"Field 'response_format.{name}' is missing")
    if not has_structured_output(model):
        raise Refusal(422, "Requested model does not support response_format")


def _check_reasoning(body: dict[str, Any]) -> None:
    if body.get("reasoning_effort", "low") not in ("low", "medium", "high"):
        raise Refusal(422, "Invalid params: field 'reasoning_effort' is invalid")
    for name in ("reasoning_effort", "reasoning_max_tokens"):
        if name in body and not has_reasoning(body["model"]):
            raise Refusal(422, f"Requested model does not support {name}")
