"""What the Messages API refuses of a request, the conversation apart.

Source: Anthropic's API reference and the messages of its refusals.
"""

from __future__ import annotations

import re
from typing import Any, Final

from dragoman.simulators.anthropic_message_rules import (
    Conversation,
    check_text,
    check_thinking_turns,
)
from dragoman.simulators.anthropic_models import Model, known_model
from dragoman.simulators.refusals import Refusal

BETAS: Final = frozenset(
    {
        "context-1m-2025-08-07",
        "files-api-2025-04-14",
        "fine-grained-tool-streaming-2025-05-14",
        "interleaved-thinking-2025-05-14",
        "output-128k-2025-02-19",
        "prompt-caching-2024-07-31",
        "structured-outputs-2025-11-13",
        "token-efficient-tools-2025-02-19",
    }
)
UNSAMPLED: Final = "2026-10-21"
"""The version of the API that has no sampling any more."""
VERSIONS: Final = frozenset({"2023-01-01", "2023-06-01", UNSAMPLED})
_MEMBERS: Final = frozenset(
    {
        "cache_control",
        "max_tokens",
        "messages",
        "metadata",
        "model",
        "output_config",
        "service_tier",
        "stop_sequences",
        "stream",
        "system",
        "temperature",
        "thinking",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
    }
)
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_UNENFORCED: Final = frozenset(
    {
        "exclusiveMaximum",
        "exclusiveMinimum",
        "maxItems",
        "maxLength",
        "maximum",
        "minLength",
        "minimum",
        "multipleOf",
        "oneOf",
        "pattern",
        "patternProperties",
        "uniqueItems",
    }
)
MOST_MARKS: Final = 4


def check_request(body: Any, betas: frozenset[str], *, counts: bool = False) -> dict[str, Any]:
    """The body, its messages joined and in blocks. Raises ``Refusal``.

    ``counts`` is for a request that only counts tokens.
    """
    if not isinstance(body, dict):
        raise Refusal(400, "Input should be a valid dictionary")
    for name in sorted(set(body) - _MEMBERS):
        raise Refusal(400, f"{name}: Extra inputs are not permitted")
    for name in ("model", "messages", *(() if counts else ("max_tokens",))):
        if name not in body:
            raise Refusal(400, f"{name}: Field required")
    model = known_model(body["model"])
    if not counts:
        _check_limits(body, model)
    messages = Conversation(model, betas).check(body["messages"])
    _check_system(body)
    _check_tools(body, model)
    _check_sampling(body, model)
    _check_thinking(body, model, messages)
    _check_output(body, model)
    _check_marks(body, messages)
    return {**body, "messages": messages}


def check_version(body: dict[str, Any], version: str | None) -> None:
    """Raises ``Refusal`` for what ``version`` of the API has given up."""
    given = [name for name in ("temperature", "top_k", "top_p") if name in body]
    if version == UNSAMPLED and given:
        raise Refusal(400, f"{given[0]}: Extra inputs are not permitted")


def _check_limits(body: dict[str, Any], model: Model) -> None:
    limit = body["max_tokens"]
    if not isinstance(limit, int) or limit < 1:
        raise Refusal(400, "max_tokens: Input should be greater than or equal to 1")
    if limit > model.max_tokens:
        raise Refusal(
            400,
            f"max_tokens: {limit} > {model.max_tokens}, which is the maximum allowed number of"
            f" output tokens for {model.name}",
        )
    for stop in body.get("stop_sequences", ()):
        if not isinstance(stop, str) or not stop.strip():
            raise Refusal(400, "stop_sequences: each stop sequence must contain non-whitespace")
    if body.get("service_tier", "auto") not in {"auto", "standard_only"}:
        raise Refusal(400, "service_tier: Input should be 'auto' or 'standard_only'")
    user = body.get("metadata", {}).get("user_id", "")
    if not isinstance(user, str) or len(user) > 256:
        raise Refusal(400, "metadata.user_id: String should have at most 256 characters")


def _check_system(body: dict[str, Any]) -> None:
    system = body.get("system", "")
    if isinstance(system, str):
        return
    if not isinstance(system, list):
        raise Refusal(400, "system: Input should be a valid list")
    for at, block in enumerate(system):
        if not isinstance(block, dict) or block.get("type") != "text":
            raise Refusal(400, f"system.{at}.type: Input should be 'text'")
        check_text(block, f"system.{at}")


def _check_tools(body: dict[str, Any], model: Model) -> None:
    tools = body.get("tools", [])
    names = [_checked_tool(tool, f"tools.{at}") for at, tool in enumerate(tools)]
    if len(set(names)) < len(names):
        raise Refusal(400, "tools: Tool names must be unique.")
    choice = body.get("tool_choice")
    if choice is None:
        return
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind not in {"auto", "any", "tool", "none"}:
        raise Refusal(400, "tool_choice: Input tag does not match any of the expected tags")
    if not tools:
        raise Refusal(400, "tool_choice may only be specified while providing tools.")
    if kind == "tool" and choice.get("name") not in names:
        raise Refusal(400, f"Tool '{choice.get('name')}' not found in provided tools")
    if kind == "none" and "disable_parallel_tool_use" in choice:
        raise Refusal(
            400, "tool_choice.none.disable_parallel_tool_use: Extra inputs are not permitted"
        )
    if kind in {"any", "tool"} and not model.forced_choice:
        raise Refusal(400, f"tool_choice: '{model.name}' does not support forced tool use.")


def _checked_tool(tool: Any, place: str) -> str:
    if not isinstance(tool, dict) or not _NAME.fullmatch(str(tool.get("name", ""))):
        raise Refusal(400, f"{place}.custom.name: String should match a pattern")
    known = {"name", "description", "input_schema", "type", "strict", "cache_control"}
    for other in sorted(set(tool) - known):
        raise Refusal(400, f"{place}.custom.{other}: Extra inputs are not permitted")
    schema = tool.get("input_schema")
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise Refusal(400, f"{place}.custom.input_schema.type: Input should be 'object'")
    if any(word in schema for word in ("oneOf", "allOf", "anyOf")):
        raise Refusal(
            400,
            f"{place}.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at"
            " the top level",
        )
    if tool.get("strict"):
        _check_closed(schema, f"{place}.custom.input_schema")
    name: str = tool["name"]
    return name


def _check_sampling(body: dict[str, Any], model: Model) -> None:
    temperature = body.get("temperature")
    if temperature is not None and not 0 <= temperature <= 1:
        raise Refusal(400, "temperature: range: 0..1")
    given = [name for name in ("temperature", "top_p", "top_k") if name in body]
    if given and model.sampling == "none":
        raise Refusal(400, f"`{given[0]}` is deprecated for this model.")
    if model.sampling == "one" and {"temperature", "top_p"} <= body.keys():
        raise Refusal(
            400,
            "`temperature` and `top_p` cannot both be specified for this model. Please use only"
            " one.",
        )


def _check_thinking(body: dict[str, Any], model: Model, messages: list[dict[str, Any]]) -> None:
    thinking = body.get("thinking")
    if thinking is None:
        return
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if kind not in model.thinking:
        raise Refusal(400, f'"thinking.type.{kind}" is not supported for this model.')
    if kind == "disabled":
        return
    if body.get("temperature", 1) != 1:
        raise Refusal(400, "`temperature` may only be set to 1 when thinking is enabled.")
    if "top_k" in body or body.get("top_p", 1) < 0.95:
        raise Refusal(400, "`top_p` must be at least 0.95 and `top_k` unset with thinking.")
    if kind == "enabled":
        _check_budget(body, thinking, messages)


def _check_budget(
    body: dict[str, Any], thinking: dict[str, Any], messages: list[dict[str, Any]]
) -> None:
    budget = thinking.get("budget_tokens")
    if not isinstance(budget, int) or budget < 1024:
        raise Refusal(400, "thinking.enabled.budget_tokens: should be at least 1024")
    if budget >= body.get("max_tokens", budget + 1):
        raise Refusal(400, "`max_tokens` must be greater than `thinking.budget_tokens`.")
    if body.get("tool_choice", {}).get("type") in {"any", "tool"}:
        raise Refusal(400, "Thinking may not be enabled when tool_choice forces tool use.")
    if messages[-1]["role"] == "assistant":
        raise Refusal(400, "Prefilling assistant responses is not supported with thinking.")
    check_thinking_turns(messages)


def _check_output(body: dict[str, Any], model: Model) -> None:
    config = body.get("output_config", {})
    for name in sorted(set(config) - {"effort", "format"}):
        raise Refusal(400, f"output_config.{name}: Extra inputs are not permitted")
    effort = config.get("effort")
    if effort is not None and effort not in model.efforts:
        levels = ", ".join(sorted(model.efforts))
        raise Refusal(
            400,
            f"This model does not support effort level '{effort}'. Supported levels: {levels}.",
        )
    layout = config.get("format")
    if layout is None:
        return
    if not model.schemas:
        raise Refusal(400, f"output_config.format: '{model.name}' does not support output format.")
    if layout.get("type") != "json_schema" or not isinstance(layout.get("schema"), dict):
        raise Refusal(400, "output_config.format.schema: Field required")
    _check_closed(layout["schema"], "output_config.format.schema")


def _check_closed(schema: Any, place: str) -> None:
    """Within the subset that answers are held to."""
    if isinstance(schema, list):
        for item in schema:
            _check_closed(item, place)
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        raise Refusal(
            400,
            f"{place}: For 'object' type, 'additionalProperties' must be explicitly set to false",
        )
    lost = sorted(_UNENFORCED & schema.keys())
    if lost:
        raise Refusal(400, f"{place}: property '{lost[0]}' is not supported")
    for word, value in schema.items():
        if word in {"properties", "$defs"}:
            for inner in value.values():
                _check_closed(inner, place)
        elif word in {"items", "anyOf", "allOf"}:
            _check_closed(value, place)


def _check_marks(body: dict[str, Any], messages: list[dict[str, Any]]) -> None:
    system = body.get("system", [])
    blocks = [*body.get("tools", []), *(system if isinstance(system, list) else [])]
    for message in messages:
        for block in message["content"]:
            inner = block.get("content") if block["type"] == "tool_result" else None
            blocks += [*(inner if isinstance(inner, list) else ()), block]
    marks = [block["cache_control"] for block in blocks if "cache_control" in block]
    if "cache_control" in body:
        marks.append(body["cache_control"])
    if len(marks) > MOST_MARKS:
        raise Refusal(
            400,
            f"A maximum of {MOST_MARKS} blocks with cache_control may be provided. Found"
            f" {len(marks)}.",
        )
    has_short = False
    for mark in marks:
        if not isinstance(mark, dict) or mark.get("type") != "ephemeral":
            raise Refusal(400, "cache_control.type: Input should be 'ephemeral'")
        if mark.get("ttl", "5m") == "1h" and has_short:
            raise Refusal(400, "a ttl='1h' cache_control block must not come after a ttl='5m' one")
        has_short = has_short or mark.get("ttl", "5m") == "5m"
