"""Shapes of Anthropic's Messages API that both a whole answer and its stream hold.

Source: Anthropic's API reference, "Create a Message" and "Streaming Messages".
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Raw, Struct

from dragoman.canonical.events import StopReason
from dragoman.canonical.usage import Usage

NAME: Final = "anthropic_messages"
OPENAI: Final = "openai_chat"
"""The dialect whose unknown members may hold Anthropic's own."""

_Count = int | None


class OutputDetails(Struct, gc=False):
    """Of the tokens of the answer."""

    thinking_tokens: _Count = None


class WireUsage(Struct):
    """Counts; those of the input exclude both cache counts."""

    input_tokens: _Count = None
    output_tokens: _Count = None
    cache_creation_input_tokens: _Count = None
    cache_read_input_tokens: _Count = None
    output_tokens_details: OutputDetails | None = None


class Block(Struct):
    """One content block, of a whole answer or as a stream begins it."""

    type: str
    text: str = ""
    citations: list[Raw] | None = None
    thinking: str = ""
    signature: str = ""
    data: str = ""
    id: str = ""
    name: str = ""
    input: Raw = Raw(b"{}")


class StopDetails(Struct):
    """Why the model declined."""

    category: str | None = None
    explanation: str | None = None


REASONS: Final = {
    "end_turn": StopReason.END,
    "max_tokens": StopReason.MAX_TOKENS,
    "stop_sequence": StopReason.STOP_SEQUENCE,
    "tool_use": StopReason.TOOL_CALL,
    "pause_turn": StopReason.PAUSE,
    "refusal": StopReason.REFUSAL,
    "model_context_window_exceeded": StopReason.CONTEXT_WINDOW,
}
"""``stop_reason`` -> why the answer ended; words that are not here are ordinary ends."""


def stop_reason(word: str, *, has_call: bool) -> StopReason:
    """A call ends the turn as a call, unless it was cut or declined."""
    reason = REASONS.get(word, StopReason.END)
    if reason in {StopReason.END, StopReason.TOOL_CALL}:
        return StopReason.TOOL_CALL if has_call else StopReason.END
    return reason


def end_extras(sequence: str | None, details: StopDetails | None) -> dict[str, dict[str, Any]]:
    """What an end tells besides its reason."""
    own: dict[str, Any] = {}
    if sequence is not None:
        own["stop_sequence"] = sequence
    if details is not None and details.explanation:
        own["refusal"] = details.explanation
    if details is not None and details.category:
        own["refusal_category"] = details.category
    return {NAME: own} if own else {}


def read_usage(usage: WireUsage | None) -> Usage | None:
    """Our disjoint counts, which are Anthropic's own."""
    if usage is None or (usage.input_tokens is None and usage.output_tokens is None):
        return None
    output = max(usage.output_tokens or 0, 0)
    details = usage.output_tokens_details
    thought = (details.thinking_tokens or 0) if details is not None else 0
    return Usage(
        max(usage.input_tokens or 0, 0),
        output,
        max(usage.cache_read_input_tokens or 0, 0),
        max(usage.cache_creation_input_tokens or 0, 0),
        min(max(thought, 0), output),
    )


def later_usage(first: WireUsage | None, later: WireUsage | None) -> WireUsage | None:
    """Counts of a stream are cumulative: the later ones replace the earlier, one by one."""
    if first is None or later is None:
        return later or first
    for field in WireUsage.__struct_fields__:
        if getattr(later, field) is None:
            setattr(later, field, getattr(first, field))
    return later
