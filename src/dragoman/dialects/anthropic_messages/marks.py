"""Marks that say up to where a prompt is worth keeping: ``cache_control``.

Callers put them on messages, parts and tools, in Anthropic's spelling or as OpenAI's
``prompt_cache_breakpoint``. The API takes four, and long-lived ones only before short-lived ones
(source: Anthropic's documentation, "Prompt caching").
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec
from msgspec import Raw, Struct

from dragoman.canonical.conversation import Extras
from dragoman.canonical.fidelity import Fidelity
from dragoman.dialects.anthropic_messages.wire import NAME, OPENAI

MOST: Final = 4
MEMBERS: Final = frozenset({"cache_control", "prompt_cache_breakpoint"})
_DIALECTS: Final = (NAME, OPENAI)


class _Mark(Struct):
    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None


def mark_of(extras: Extras, fidelity: Fidelity) -> dict[str, str] | None:
    """The mark in ``extras``; one that makes no sense is noted as left out."""
    for dialect in _DIALECTS:
        members = extras.get(dialect, {})
        raw = members.get("cache_control")
        if raw is not None:
            mark = read_mark(raw)
            if mark is None:
                fidelity.drop("cache_control")
            return mark
        if "prompt_cache_breakpoint" in members:
            return {"type": "ephemeral"}
    return None


def read_mark(raw: Any) -> dict[str, str] | None:
    """A mark as a caller wrote it; ``None`` for what is none."""
    try:
        mark = (
            msgspec.json.decode(raw, type=_Mark)
            if isinstance(raw, Raw)
            else msgspec.convert(raw, _Mark)
        )
    except (msgspec.DecodeError, RecursionError):
        return None
    return {"type": mark.type} if mark.ttl is None else {"type": mark.type, "ttl": mark.ttl}


def limit_marks(body: dict[str, Any], fidelity: Fidelity) -> None:
    """Leave the marks that the API takes: the ends of tools and of the system text, and the last
    ones of the messages.
    """
    groups = [_marked(body.get("tools", ())), _marked(_system(body))]
    heads = [group[-1] for group in groups if group]
    in_messages = [
        block
        for message in body.get("messages", ())
        if isinstance(message["content"], list)
        for block in _marked(message["content"])
    ]
    every = [*groups[0], *groups[1], *in_messages]
    room = MOST - ("cache_control" in body)
    if len(every) > room:
        kept = [*heads, *in_messages[len(in_messages) - max(room - len(heads), 0) :]]
        for block in every:
            if not any(block is one for one in kept):
                del block["cache_control"]
        fidelity.drop("cache_control")
    _order([*every, body], fidelity)  # the body's own mark stands at the prompt's end


def _system(body: dict[str, Any]) -> Any:
    system = body.get("system", ())
    return system if isinstance(system, list) else ()


def _marked(blocks: Any) -> list[dict[str, Any]]:
    return [block for block in blocks if isinstance(block, dict) and "cache_control" in block]


def _order(blocks: list[dict[str, Any]], fidelity: Fidelity) -> None:
    """A long-lived mark behind a short-lived one becomes short-lived itself."""
    has_short = False
    for block in blocks:
        mark = block.get("cache_control")
        if mark is None:
            continue
        if mark.get("ttl") != "1h":
            has_short = True
        elif has_short:
            block["cache_control"] = {"type": "ephemeral"}
            fidelity.adjust("cache_control.ttl", "1h", "5m")
