"""Signed thoughts in Chat Completions.

The dialect has no place for them of its own. What others have come to agree on is
``reasoning_details``, a list beside ``reasoning_content`` (OpenRouter's documentation, "Preserving
Reasoning Blocks"): ``reasoning.text`` with a signature and ``reasoning.encrypted`` with data, each
with the ``format`` of its origin. We send that, and understand it when it comes back, as well as
``thinking_blocks``, which has Anthropic's own blocks (LiteLLM's documentation, "Reasoning").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from dragoman.canonical.conversation import Extras, Reasoning

_FORMATS: Final = {"anthropic_messages": "anthropic-claude-v1"}
"""Dialect whose extras hold a signature -> ``format``."""
_DIALECTS: Final = {word: dialect for dialect, word in _FORMATS.items()}
_CLAUDE: Final = "anthropic_messages"


class _Detail(Struct):
    type: str = ""
    format: str | None = None
    text: str | None = None
    signature: str | None = None
    data: str | None = None


class _Block(Struct):
    type: str = ""
    thinking: str = ""
    signature: str = ""
    data: str = ""


def written_details(extras: Extras, text: str, index: int) -> list[dict[str, Any]]:
    """``reasoning_details`` of one thought; empty where it is not signed.

    ``index`` is the thought's number in its message: SDKs join the pieces of a stream by it.
    """
    for dialect, word in _FORMATS.items():
        members = extras.get(dialect, {})
        if "redacted_thinking" in members:
            data = members["redacted_thinking"]
            return [{"type": "reasoning.encrypted", "data": data, "format": word, "index": index}]
        if "signature" in members:
            signed = {"text": text, "signature": members["signature"], "format": word}
            return [{"type": "reasoning.text", **signed, "index": index}]
    return []


def read_details(details: Sequence[Raw]) -> list[Reasoning]:
    """The thoughts whose origin we know; the rest is for upstreams of this dialect."""
    found = []
    for raw in details:
        try:
            detail = msgspec.json.decode(raw, type=_Detail)
        except msgspec.DecodeError:
            continue
        dialect = _DIALECTS.get(detail.format or "")
        if dialect is None:
            continue
        if detail.type == "reasoning.encrypted" and detail.data:
            found.append(Reasoning("", {dialect: {"redacted_thinking": detail.data}}))
        elif detail.type == "reasoning.text" and detail.signature:
            signed = {dialect: {"signature": detail.signature}}
            found.append(Reasoning(detail.text or "", signed))
    return found


def read_thinking_blocks(blocks: Sequence[Raw]) -> list[Reasoning]:
    """Anthropic's blocks as LiteLLM hands them through; those without a proof are passed over."""
    found = []
    for raw in blocks:
        try:
            block = msgspec.json.decode(raw, type=_Block)
        except msgspec.DecodeError:
            continue
        if block.type == "redacted_thinking" and block.data:
            found.append(Reasoning("", {_CLAUDE: {"redacted_thinking": block.data}}))
        elif block.type == "thinking" and block.signature:
            found.append(Reasoning(block.thinking, {_CLAUDE: {"signature": block.signature}}))
    return found
