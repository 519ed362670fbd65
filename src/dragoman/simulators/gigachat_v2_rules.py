"""What GigaChat's chat v2 refuses; the words are those of v1 where none are known.

Content comes in parts, each an object with one member; sampling stands under ``model_options``;
every call is answered in the ``tool`` messages behind it; and a state belongs to the calls with
which it came.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from dragoman.simulators.gigachat_rules import (
    NUMBER,
    check_functions,
    check_members,
    check_ranges,
    check_response_format,
    has_reasoning,
    wrong_type,
)
from dragoman.simulators.gigachat_state import is_own_state_id
from dragoman.simulators.options import SimulatorOptions
from dragoman.simulators.refusals import Refusal

Members = dict[str, type | tuple[type, ...]]

BUILT_IN_TOOLS: Final = (
    "web_search",
    "code_interpreter",
    "image_generate",
    "url_content_extraction",
    "model_3d_generate",
)
ROLES: Final = frozenset({"system", "user", "assistant", "tool"})
_TOP: Final[Members] = {
    "model": str,
    "messages": list,
    "model_options": dict,
    "tools": list,
    "tool_config": dict,
    "tools_state_id": str,
    "storage": dict,
    "ranker_options": dict,
    "filter_config": dict,
    "disable_filter": bool,
    "user_info": dict,
    "flags": list,
    "stream": bool,
}
_OPTIONS: Final[Members] = {
    "temperature": NUMBER,
    "top_p": NUMBER,
    "max_tokens": int,
    "repetition_penalty": NUMBER,
    "update_interval": NUMBER,
    "reasoning": dict,
    "response_format": dict,
    "parallel_tool_calls": bool,
    "preset": str,
    "unnormalized_history": bool,
    "top_logprobs": int,
}
_MESSAGE: Final[Members] = {
    "role": str,
    "content": list,
    "tools_state_id": str,
    "message_id": str,
    "inline_data": dict,
}
_PARTS: Final[dict[str, tuple[type, frozenset[str]]]] = {
    "text": (str, ROLES),
    "files": (list, frozenset({"user", "assistant"})),
    "function_call": (dict, frozenset({"assistant"})),
    "function_result": (dict, frozenset({"tool"})),
}
"""Member of a part -> its type and the roles that may say it."""
_SEARCH: Final[Members] = {"type": str, "indexes": list, "flags": list}
_CONFIG: Final[Members] = {
    "mode": str,
    "tool_name": str,
    "function_name": str,
    "functions_names_any": list,
}


def check_chat_v2(body: Any, options: SimulatorOptions, warnings: Counter[str]) -> None:
    """Refuse what the real service refuses.

    Raises:
        Refusal: with the status and text of the real answer.
    """
    if not isinstance(body, dict):
        raise wrong_type("the body must be an object")
    check_members(body, _TOP, "")
    if not body.get("model"):
        raise Refusal(422, "Invalid params: field 'model' is required")
    _check_options(body.get("model_options", {}), body["model"], options)
    functions, built_in = _check_tools(body.get("tools", []), options, warnings)
    if "tool_config" in body:
        _check_tool_config(body["tool_config"], functions, built_in)
    _check_messages(body.get("messages"), warnings)


def sealed_calls(calls: list[dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """What a state id is drawn from: the answer's calls, without their own ids."""
    bare = [{"name": call["name"], "arguments": call["arguments"]} for call in calls]
    return "calls", {"calls": bare}


def _check_options(chosen: dict[str, Any], model: str, options: SimulatorOptions) -> None:
    check_members(chosen, _OPTIONS, "model_options.")
    check_ranges(chosen, options)
    check_response_format(chosen, model, ("json_schema", "regex"))
    reasoning = chosen.get("reasoning")
    if reasoning is None:
        return
    check_members(reasoning, {"effort": str, "max_tokens": int}, "model_options.reasoning.")
    if reasoning.get("effort", "low") not in ("low", "medium", "high"):
        raise Refusal(422, "Invalid params: field 'model_options.reasoning.effort' is invalid")
    if not has_reasoning(model):
        raise Refusal(422, "Requested model does not support reasoning")


def _check_tools(
    tools: list[Any], options: SimulatorOptions, warnings: Counter[str]
) -> tuple[list[str], list[str]]:
    """Names of the functions and of the built-in tools."""
    functions: list[str] = []
    built_in: list[str] = []
    for index, tool in enumerate(tools):
        if not isinstance(tool, dict):
            raise wrong_type(f"tools[{index}] must be an object")
        if len(tool) != 1:
            raise Refusal(422, f"Invalid params: field 'tools[{index}]' must have one member")
        ((name, settings),) = tool.items()
        if not isinstance(settings, dict):
            raise wrong_type(f"tools[{index}].{name} must be an object")
        if name == "functions":
            if functions:
                raise Refusal(422, "Invalid params: field 'tools' has two entries of functions")
            specifications = settings.get("specifications")
            if not isinstance(specifications, list) or not specifications:
                raise Refusal(422, f"Field 'tools[{index}].functions.specifications' is missing")
            functions = check_functions(specifications, options, warnings)
        elif name not in BUILT_IN_TOOLS or name in built_in:
            raise Refusal(422, f"Invalid params: unexpected tool '{name}'")
        else:
            check_members(settings, _SEARCH if name == "web_search" else {}, f"tools[{index}].")
            built_in.append(name)
    return functions, built_in


def _check_tool_config(config: dict[str, Any], functions: list[str], built_in: list[str]) -> None:
    check_members(config, _CONFIG, "tool_config.")
    mode = config.get("mode")
    if mode not in ("auto", "none", "any", "forced"):
        raise Refusal(422, "Invalid params: field 'tool_config.mode' is invalid")
    named = {"tool_name", "function_name"} & config.keys()
    if len(named) != (mode == "forced"):
        raise Refusal(422, "Invalid params: field 'tool_config' must name a tool to be forced")
    for member, offered in (("function_name", functions), ("tool_name", built_in)):
        if member in config and config[member] not in offered:
            raise Refusal(422, f"Invalid params: '{config[member]}' is not in tools")
    if mode == "any" and not functions:
        raise Refusal(422, "Invalid params: field 'tool_config.mode' needs functions")
    if "functions_names_any" in config and mode != "any":
        raise Refusal(422, "Invalid params: unexpected field 'tool_config.functions_names_any'")
    for name in config.get("functions_names_any", []):
        if name not in functions:
            raise Refusal(422, f"Invalid params: '{name}' is not in tools")


def _check_messages(messages: Any, warnings: Counter[str]) -> None:
    if not messages:
        raise Refusal(422, "Invalid params: field 'messages' is required and must not be empty")
    round_ = _Round(warnings)
    role = ""
    for index, message in enumerate(messages):
        path = f"messages[{index}]."
        if not isinstance(message, dict):
            raise wrong_type(f"messages[{index}] must be an object")
        check_members(message, _MESSAGE, path)
        parts = _check_parts(message, index, path)
        round_.check(message, parts, path)
        if message["role"] == role and role != "tool":
            warnings["consecutive_messages_of_one_role"] += 1
        role = message["role"]
    if role == "assistant":
        raise Refusal(422, "Invalid params: the last message must not be of the assistant")


class _Round:
    """The calls of the last assistant message that wait for their results."""

    def __init__(self, warnings: Counter[str]) -> None:
        self._warnings = warnings
        self._asked: list[dict[str, Any]] = []
        self._state: str | None = None

    def check(self, message: dict[str, Any], parts: list[dict[str, Any]], path: str) -> None:
        role, state = message["role"], message.get("tools_state_id")
        if role == "tool":
            if state != self._state:
                raise Refusal(422, f"Invalid params: field '{path}tools_state_id' is of another")
            _check_results(parts, self._asked, path)
            return
        if self._asked:
            raise Refusal(422, f"Invalid params: {path}role: results of calls are missing")
        if role == "assistant":
            self._asked = [part["function_call"] for part in parts if "function_call" in part]
            self._state = state
            _check_calls(self._asked, state, path)
            if self._asked and state is None:
                self._warnings["missing_tools_state_id"] += 1


def _check_parts(message: dict[str, Any], index: int, path: str) -> list[dict[str, Any]]:
    role = message.get("role")
    if role not in ROLES:
        raise Refusal(422, f"Invalid params: field '{path}role' is invalid")
    if role == "system" and index:
        raise Refusal(422, "Invalid params: system message must be the first message")
    parts: list[Any] = message.get("content", [])
    if not parts:
        raise Refusal(422, f"Invalid params: field '{path}content' must not be empty")
    for number, part in enumerate(parts):
        at = f"{path}content[{number}]"
        if not isinstance(part, dict):
            raise wrong_type(f"{at} must be an object")
        members = part.keys() - {"inline_data"}
        if len(members) != 1:
            raise Refusal(422, f"Invalid params: field '{at}' must have one member")
        (name,) = members
        kind, roles = _PARTS.get(name, (object, frozenset()))
        if role not in roles:
            raise Refusal(422, f"Invalid params: unexpected field '{at}.{name}'")
        if not isinstance(part[name], kind):
            raise wrong_type(f"{at}.{name} has the wrong type")
        if name == "files":
            _check_files(part[name], at)
    return parts


def _check_files(files: list[Any], at: str) -> None:
    for file in files:
        if not isinstance(file, dict) or not isinstance(file.get("id"), str):
            raise wrong_type(f"{at}.files must hold objects with an id")


def _check_calls(calls: list[dict[str, Any]], state: str | None, path: str) -> None:
    for call in calls:
        if call.keys() - {"name", "arguments", "id"} or not isinstance(call.get("name"), str):
            raise Refusal(422, f"Invalid params: field '{path}function_call' is invalid")
        if not isinstance(call.get("arguments"), dict):
            raise wrong_type(f"{path}function_call.arguments must be an object")
    if state is not None and not is_own_state_id(state, *sealed_calls(calls)):
        raise Refusal(422, f"Invalid params: field '{path}tools_state_id' is of another answer")


def _check_results(parts: list[dict[str, Any]], asked: list[dict[str, Any]], path: str) -> None:
    """Take the calls that are answered off ``asked``."""
    for part in parts:
        result = part.get("function_result", {})
        if result.keys() != ({"name", "result"} | ({"id"} & result.keys())):
            raise Refusal(422, f"Invalid params: field '{path}function_result' is invalid")
        answered = [
            call
            for call in asked
            if call["name"] == result["name"] and call.get("id") == result.get("id")
        ]
        if not answered:
            raise Refusal(422, f"Invalid params: {path}function_result: nothing was called so")
        asked.remove(answered[0])
