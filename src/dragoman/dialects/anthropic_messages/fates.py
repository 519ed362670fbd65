"""What becomes of every member of a request: the table that ``requests`` runs from.

``FIELDS`` has a rule for each field of ``ChatRequest`` that says something about the answer,
``OPENAI_MEMBERS`` one for each member of a Chat Completions request that travels beside them in
``extras``. ``reasoning`` has written ``max_tokens``, ``thinking`` and the effort before.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final

import msgspec
from msgspec import Raw

from dragoman.dialects.anthropic_messages.draft import Draft
from dragoman.dialects.anthropic_messages.marks import read_mark
from dragoman.dialects.anthropic_messages.tools import (
    write_output_format,
    write_tool_choice,
    write_tools,
)
from dragoman.dialects.anthropic_messages.wire import OPENAI
from dragoman.dialects.base import Sampling, Thinking
from dragoman.dialects.fate_table import (
    FateTable,
    Rule,
    dropped,
    members_of,
    refused,
    silent,
)
from dragoman.errors import UnsupportedByTarget

LONGEST_USER: Final = 256
"""Characters of ``metadata.user_id``."""
LEAST_TOP_P: Final = 0.95
"""Beside thoughts."""


def _temperature(draft: Draft, value: float) -> None:
    """From 0 to 1, and only 1 beside thoughts."""
    if value == 1:
        return  # what it is anyway
    if draft.facts.sampling is Sampling.NONE or draft.thinks:
        draft.fidelity.drop("temperature")
        return
    within = min(max(value, 0), 1)
    draft.body["temperature"] = within
    if within != value:
        draft.fidelity.adjust("temperature", f"{value:g}", f"{within:g}")


def _top_p(draft: Draft, value: float) -> None:
    sampling = draft.facts.sampling
    within = min(max(value, 0), 1)
    if within == 1:
        if value != 1:
            draft.fidelity.adjust("top_p", f"{value:g}", 1)
        return  # what it is anyway
    has_temperature = sampling is Sampling.ONE and "temperature" in draft.body
    if sampling is Sampling.NONE or has_temperature or (draft.thinks and within < LEAST_TOP_P):
        draft.fidelity.drop("top_p")
        return
    draft.body["top_p"] = within
    if within != value:
        draft.fidelity.adjust("top_p", f"{value:g}", f"{within:g}")


def _top_k(draft: Draft, value: int) -> None:
    if value <= 0:
        return  # how others say that there is no limit
    if draft.facts.sampling is Sampling.NONE or draft.thinks:
        draft.fidelity.drop("top_k")
    else:
        draft.body["top_k"] = value


def _stop(draft: Draft, value: tuple[str, ...]) -> None:
    kept = [stop for stop in value if stop.strip()]
    if len(kept) < len(value):
        draft.fidelity.adjust("stop", len(value), len(kept))
    if kept:
        draft.body["stop_sequences"] = kept


def _stream(draft: Draft, value: bool) -> None:  # noqa: FBT001 - the signature of a rule
    if value:
        draft.body["stream"] = True


def _user(draft: Draft, value: str) -> None:
    if len(value) > LONGEST_USER:
        value = sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
    if value:
        draft.body["metadata"] = {"user_id": value}


def _safety_identifier(draft: Draft, value: Any) -> None:
    """OpenAI's later name for ``user``, which wins."""
    if draft.request.user is None:
        text = msgspec.json.decode(value) if isinstance(value, Raw) else value
        if isinstance(text, str):
            _user(draft, text)


def _service_tier(draft: Draft, value: str) -> None:
    if value == "standard_only":
        draft.body["service_tier"] = value
    elif value not in {"auto", "default"}:
        draft.fidelity.drop("service_tier")


def _modalities(_draft: Draft, value: tuple[str, ...]) -> None:
    if any(kind != "text" for kind in value):
        raise UnsupportedByTarget(
            'Claude answers in text. Send modalities as ["text"] or leave it out.',
            param="modalities",
        )


def _cache_control(draft: Draft, value: Any) -> None:
    """At the top of a request: the provider itself sets the mark, at the prompt's end."""
    mark = read_mark(value)
    if mark is None:
        draft.fidelity.drop("cache_control")
    else:
        draft.body["cache_control"] = mark


def _thinking(draft: Draft, value: Any) -> None:  # noqa: ARG001 - the signature of a rule
    """``reasoning`` has read it, unless the model does not think."""
    if draft.facts.thinking is Thinking.NONE:
        draft.fidelity.drop("thinking")


OPENAI_MEMBERS: Final[dict[str, Rule]] = {
    "audio": dropped("audio"),
    "prediction": dropped("prediction"),
    "web_search_options": dropped("web_search_options"),
    "moderation": dropped("moderation"),
    "safety_identifier": _safety_identifier,
    "prompt_cache_key": silent,
    "prompt_cache_options": silent,
    "prompt_cache_retention": silent,
    "stream_options": dropped("stream_options"),  # here only with members that nobody knows
    "response_format": refused(  # here only if it is of an unknown kind
        "response_format",
        "Claude knows the formats text, json_object and json_schema. Send one of these.",
    ),
    # Anthropic's own members, for callers who know whom they speak to.
    "cache_control": _cache_control,
    "thinking": _thinking,
}
"""Member of ``extras["openai_chat"]`` -> rule."""

FIELDS: Final[dict[str, Rule]] = {
    "stream": _stream,
    "tools": write_tools,
    "tool_choice": write_tool_choice,
    "parallel_tool_calls": silent,  # a part of ``tool_choice``
    "max_output_tokens": silent,  # see ``reasoning``
    "temperature": _temperature,
    "top_p": _top_p,
    "top_k": _top_k,
    "min_p": dropped("min_p", (0,)),
    "repetition_penalty": dropped("repetition_penalty", (1,)),
    "presence_penalty": dropped("presence_penalty", (0,)),
    "frequency_penalty": dropped("frequency_penalty", (0,)),
    "seed": dropped("seed"),
    "stop": _stop,
    "logit_bias": dropped("logit_bias", ({},)),
    "n": refused("n", "Claude gives one answer to a request. Send n: 1 and ask again.", (1,)),
    "logprobs": refused(
        "logprobs", "Claude reports no token probabilities. Leave logprobs out.", (False,)
    ),
    "top_logprobs": dropped("top_logprobs", (0,)),
    "output_format": write_output_format,
    "reasoning_effort": silent,  # see ``reasoning``
    "verbosity": dropped("verbosity"),
    "modalities": _modalities,
    "service_tier": _service_tier,
    "user": _user,
    "metadata": silent,
    "store": dropped("store", (False,)),
    "legacy_functions": silent,  # it matters to who writes the answer
    "extras": members_of(OPENAI_MEMBERS, OPENAI),
}
"""Field of ``ChatRequest`` -> rule. ``model`` and ``messages`` are the rest."""

TABLE: Final = FateTable(FIELDS)
