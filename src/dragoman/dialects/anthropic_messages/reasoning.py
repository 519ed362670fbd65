"""How much Claude is to think, and what thinking excludes.

Older models are given a budget of tokens, newer ones think as they see fit, guided by an effort
(source: Anthropic's documentation, "Extended thinking" and "Adaptive thinking"). A budget leaves no
room for a forced tool, a begun answer or sampling, and has to be below ``max_tokens``; where the
caller wants both, thinking gives way, because it is a wish about the way and not about the result.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from dragoman.canonical.conversation import Reasoning, Role, ToolCall
from dragoman.canonical.request import FormatKind, ToolMode
from dragoman.dialects.anthropic_messages.draft import Draft
from dragoman.dialects.anthropic_messages.wire import NAME, OPENAI
from dragoman.dialects.base import Thinking
from dragoman.errors import InvalidRequest

THOUGHTS: Final = frozenset({"thinking", "redacted_thinking"})
"""Types of blocks."""
LEAST_BUDGET: Final = 1024
DEFAULT_OUTPUT: Final = 32_000
"""Tokens of an answer where the caller sets no limit and the model's is not below."""
UNKNOWN_OUTPUT: Final = 8192
"""The same for a model of which nothing is known."""
LEAST_ANSWER: Final = 4096
"""Tokens that a budget leaves for the answer itself."""

_BUDGETS: Final = {
    "minimal": LEAST_BUDGET,
    "low": 2048,
    "medium": 10_000,
    "high": 16_384,
    "xhigh": 32_768,
    "max": 10**9,
}
_EFFORTS: Final = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
    "max": "max",
}


class _Asked(Struct):
    """``thinking`` in Anthropic's own words, from a caller who knows whom it speaks to."""

    type: str
    budget_tokens: int | None = None
    display: str | None = None


def plan_thinking(draft: Draft) -> None:
    """Write ``max_tokens``, ``thinking`` and the effort; every other rule relies on it."""
    draft.body["max_tokens"] = _max_tokens(draft)
    asked = _asked(draft)
    if asked is not None:
        thinking: dict[str, Any] | None = asked
    else:
        thinking = _from_effort(draft)
    mode = draft.facts.thinking
    if thinking is not None and thinking["type"] == "enabled":
        thinking = _budgeted(draft, thinking)
    if thinking is not None:
        draft.body["thinking"] = thinking
    kind = thinking["type"] if thinking else None
    draft.thinks = kind in {"enabled", "adaptive", "between_tools"} or mode is Thinking.ALWAYS
    unasked = kind is None and mode in {Thinking.ADAPTIVE, Thinking.ALWAYS}
    draft.keeps_thoughts = draft.thinks or unasked


def _max_tokens(draft: Draft) -> int:
    asked, limit = draft.request.max_output_tokens, draft.facts.max_output
    if asked is None:
        return min(limit or UNKNOWN_OUTPUT, DEFAULT_OUTPUT)
    if asked < 1:
        raise InvalidRequest("max_tokens has to be 1 or more.", param="max_tokens")
    if limit is not None and asked > limit:
        draft.fidelity.adjust("max_tokens", asked, limit)
        return limit
    return asked


def _asked(draft: Draft) -> dict[str, Any] | None:
    raw = draft.request.extras.get(OPENAI, {}).get("thinking")
    if raw is None or draft.facts.thinking is Thinking.NONE:
        return None  # for a model that does not think, ``fates`` notes the loss
    try:
        asked = (
            msgspec.json.decode(raw, type=_Asked)
            if isinstance(raw, Raw)
            else msgspec.convert(raw, _Asked)
        )
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"Invalid 'thinking': {error}.", param="thinking") from None
    if asked.type == "enabled" and asked.budget_tokens is None:
        raise InvalidRequest(
            "Missing required parameter: 'thinking.budget_tokens'.", param="thinking.budget_tokens"
        )
    if asked.type == "enabled" and draft.facts.thinking is not Thinking.BUDGET:
        draft.fidelity.adjust("thinking", "enabled", "adaptive")
        return {"type": "adaptive", "display": asked.display or "summarized"}
    members = {"budget_tokens": asked.budget_tokens, "display": asked.display}
    return {"type": asked.type, **{k: v for k, v in members.items() if v is not None}}


def _from_effort(draft: Draft) -> dict[str, Any] | None:
    effort, mode = draft.request.reasoning_effort, draft.facts.thinking
    if effort is None:
        return None
    if effort == "none":
        return _stopped(draft)
    if mode is Thinking.NONE or effort not in _EFFORTS:
        draft.fidelity.drop("reasoning_effort")
        return None
    if mode is Thinking.BUDGET:
        return {"type": "enabled", "budget_tokens": _BUDGETS[effort]}
    word = _EFFORTS[effort]
    if word not in draft.facts.efforts:
        word = "high"
    if word != effort:
        draft.fidelity.adjust("reasoning_effort", effort, word)
    draft.body.setdefault("output_config", {})["effort"] = word
    return {"type": "adaptive", "display": "summarized"}


def _stopped(draft: Draft) -> dict[str, Any] | None:
    match draft.facts.thinking:
        case Thinking.ADAPTIVE:
            return {"type": "disabled"}
        case Thinking.ALWAYS:
            draft.fidelity.adjust("reasoning_effort", "none", "low")
            draft.body.setdefault("output_config", {})["effort"] = "low"
    return None


def withdraw_budget(draft: Draft) -> None:
    """Take the budget back where what was written since excludes it after all."""
    body = draft.body
    if body.get("thinking", {}).get("type") != "enabled":
        return
    is_forced = body.get("tool_choice", {}).get("type") in {"any", "tool"}
    is_begun = body["messages"][-1]["role"] == "assistant"
    if is_forced or is_begun or not _starts_with_thoughts(body["messages"]):
        del body["thinking"]
        _note_off(draft)


def _starts_with_thoughts(messages: list[dict[str, Any]]) -> bool:
    """The model's last turn, if it has called tools."""
    spoken = [message["content"] for message in messages if message["role"] == "assistant"]
    if not spoken or isinstance(spoken[-1], str):
        return True
    kinds = [block["type"] for block in spoken[-1]]
    return "tool_use" not in kinds or kinds[0] in THOUGHTS


def _note_off(draft: Draft) -> None:
    effort = draft.request.reasoning_effort
    draft.fidelity.adjust("reasoning_effort" if effort else "thinking", effort or "enabled", "off")


def _budgeted(draft: Draft, thinking: dict[str, Any]) -> dict[str, Any] | None:
    """A budget with room for it, or none where something else excludes it."""
    asked = draft.request.reasoning_effort or "enabled"
    name = "reasoning_effort" if draft.request.reasoning_effort else "thinking"
    if _is_excluded(draft):
        _note_off(draft)
        return None
    limit = draft.facts.max_output or DEFAULT_OUTPUT
    answer: int = draft.body["max_tokens"]
    budget = max(min(thinking["budget_tokens"], limit - LEAST_ANSWER), LEAST_BUDGET)
    if budget != thinking["budget_tokens"] and asked != "max":
        draft.fidelity.adjust(name, thinking["budget_tokens"], budget)
    if draft.request.max_output_tokens is None:
        draft.body["max_tokens"] = min(max(answer, budget + LEAST_ANSWER), limit)
    elif answer <= budget:
        raised = min(budget + answer, limit)
        draft.fidelity.adjust("max_tokens", answer, raised)
        draft.body["max_tokens"] = raised
    return {**thinking, "budget_tokens": budget}


def _is_excluded(draft: Draft) -> bool:
    request = draft.request
    choice, wanted = request.tool_choice, request.output_format
    if choice is not None and choice.mode in {ToolMode.REQUIRED, ToolMode.NAMED}:
        return True
    if wanted is not None and wanted.kind is FormatKind.JSON_SCHEMA and not draft.facts.json_schema:
        return True  # it takes a forced tool
    if request.messages and request.messages[-1].role is Role.ASSISTANT:
        return True
    return _lacks_thoughts(draft)


def _lacks_thoughts(draft: Draft) -> bool:
    """The tools of the turn that is going on were called without thoughts that we still have; the
    API would answer "Expected `thinking`, but found `tool_use`".
    """
    has_spoken = False
    for message in reversed(draft.request.messages):
        if message.role is Role.ASSISTANT:
            has_spoken = True
            if not any(isinstance(part, ToolCall) for part in message.parts):
                return False
            first = message.parts[0]
            if not (isinstance(first, Reasoning) and NAME in first.extras):
                return True
        elif message.role is Role.USER and has_spoken:
            return False
    return False
