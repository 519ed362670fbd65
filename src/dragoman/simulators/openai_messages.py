"""Which messages OpenAI's Chat Completions refuses: roles, parts, and the order of tool results."""

from __future__ import annotations

from typing import Any, Final

from dragoman.simulators.refusals import Refusal, unsupported_value

ROLES: Final = ("system", "assistant", "user", "function", "tool", "developer")
PARTS: Final[dict[str, tuple[str, ...]]] = {
    "system": ("text",),
    "developer": ("text",),
    "tool": ("text",),
    "function": (),
    "assistant": ("text", "refusal"),
    "user": ("text", "image_url", "input_audio", "file"),
}


def check_messages(messages: list[Any]) -> None:
    """Refuse what OpenAI refuses.

    Raises:
        Refusal: naming the message.
    """
    awaited: dict[str, None] = {}
    for index, message in enumerate(messages):
        path = f"messages[{index}]"
        if not isinstance(message, dict):
            raise _wrong_type(path, "an object")
        role = message.get("role")
        if role not in ROLES:
            raise unsupported_value(f"{path}.role", role, ROLES)
        _check_content(message, role, path)
        if role == "tool":
            _check_result(message, awaited, path, index)
            continue
        if awaited:
            raise _unanswered(awaited)
        if role == "assistant":
            awaited = dict.fromkeys(_call_ids(message, path))
    if awaited:
        raise _unanswered(awaited)


def _check_content(message: dict[str, Any], role: str, path: str) -> None:
    content = message.get("content")
    if isinstance(content, str):
        return
    if content is None:
        if role == "assistant" and (
            message.keys() & {"tool_calls", "function_call", "refusal", "audio"}
        ):
            return
        if role == "function":
            return
        raise Refusal(
            400,
            f"Invalid value for 'content': expected a string, got null. (param {path}.content)",
            param=f"{path}.content",
            code="invalid_type",
        )
    if not isinstance(content, list) or not PARTS[role]:
        raise _wrong_type(f"{path}.content", "a string")
    for number, part in enumerate(content):
        kind = part.get("type") if isinstance(part, dict) else None
        at = f"{path}.content[{number}]"
        if kind not in PARTS[role]:
            known = " and ".join(f"'{each}'" for each in PARTS[role])
            raise Refusal(
                400,
                f"Invalid value: '{kind}'. Supported values are: {known}.",
                param=f"{at}.type",
                code="invalid_value",
            )
        if kind == "image_url":
            _check_image(part.get("image_url"), at)
        elif kind not in part:
            raise Refusal(
                400,
                f"Missing required parameter: '{at}.{kind}'.",
                param=f"{at}.{kind}",
                code="missing_required_parameter",
            )


def _check_image(image: Any, at: str) -> None:
    url = image.get("url") if isinstance(image, dict) else None
    if not isinstance(url, str):
        raise _wrong_type(f"{at}.image_url", "an object")
    if not url.startswith(("https://", "http://", "data:image/")):
        raise Refusal(
            400,
            f"Invalid '{at}.image_url.url'. Expected a valid URL, but got a value with an "
            "invalid format.",
            param=f"{at}.image_url.url",
            code="invalid_value",
        )


def _call_ids(message: dict[str, Any], path: str) -> list[str]:
    calls = message.get("tool_calls")
    if calls is None:
        return []
    if not isinstance(calls, list) or not calls:
        raise Refusal(
            400,
            f"Invalid '{path}.tool_calls': empty array. Expected an array with minimum length 1, "
            "but got an empty array instead.",
            param=f"{path}.tool_calls",
            code="empty_array",
        )
    for number, call in enumerate(calls):
        at = f"{path}.tool_calls[{number}]"
        if not isinstance(call, dict) or not isinstance(call.get("id"), str):
            raise _wrong_type(f"{at}.id", "a string")
        kind = call.get("type")
        called = call.get(kind) if kind in ("function", "custom") else None
        if not isinstance(called, dict) or not isinstance(called.get("name"), str):
            raise _wrong_type(f"{at}.{kind}", "an object")
        member = "arguments" if kind == "function" else "input"
        if not isinstance(called.get(member), str):
            raise _wrong_type(f"{at}.{kind}.{member}", "a string")
    return [call["id"] for call in calls]


def _check_result(message: dict[str, Any], awaited: dict[str, None], path: str, index: int) -> None:
    call_id = message.get("tool_call_id")
    if call_id is None:
        raise Refusal(
            400,
            f"Missing required parameter: '{path}.tool_call_id'.",
            param=f"{path}.tool_call_id",
            code="missing_required_parameter",
        )
    if not isinstance(call_id, str):
        raise _wrong_type(f"{path}.tool_call_id", "a string")
    if call_id not in awaited:
        raise Refusal(
            400,
            "Invalid parameter: messages with role 'tool' must be a response to a preceeding "
            "message with 'tool_calls'.",
            param=f"messages.[{index}].role",
        )
    del awaited[call_id]


def _unanswered(awaited: dict[str, None]) -> Refusal:
    return Refusal(
        400,
        "An assistant message with 'tool_calls' must be followed by tool messages responding to "
        "each 'tool_call_id'. The following tool_call_ids did not have response messages: "
        + ", ".join(awaited),
        param="messages",
    )


def _wrong_type(param: str, wanted: str) -> Refusal:
    return Refusal(
        400, f"Invalid type for '{param}': expected {wanted}.", param=param, code="invalid_type"
    )
