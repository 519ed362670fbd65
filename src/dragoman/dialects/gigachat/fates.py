"""What becomes of every member of a request: the table that ``requests`` runs from.

``FIELDS`` has a rule for each field of ``ChatRequest`` that says something about the answer,
``OPENAI_MEMBERS`` one for each member of a Chat Completions request that travels beside them in
``extras``. A rule maps, approximates (and says so), drops (and says so), passes over what cannot
change the answer, or refuses what the caller would miss. What no rule knows is dropped by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Raw

from dragoman.dialects.fate_table import FateTable, Rule, dropped, refused, silent
from dragoman.dialects.gigachat.draft import Draft
from dragoman.dialects.gigachat.functions import (
    write_output_format_beside_tools,
    write_tool_choice,
    write_tools,
)
from dragoman.dialects.gigachat.own_members import INT32, OWN_MEMBERS, read_value
from dragoman.errors import InvalidRequest, UnsupportedByTarget

DIALECT_OF_EXTRAS: Final = "openai_chat"
"""The dialect whose unknown members may hold GigaChat's own."""


MOST_STOPS: Final = 16
"""Stop sequences of one request; OpenAI takes four."""
LONGEST_STOP: Final = 1000
"""Characters of one stop sequence."""


def own(member: str) -> Rule:
    """One of GigaChat's own members, sent as it is once it is known to be of its type."""

    def rule(draft: Draft, value: Any) -> None:
        draft.body[member] = read_value(value, OWN_MEMBERS[member], member)

    return rule


def bounded(wire: str, low: int, high: int, name: str) -> Rule:
    """Sent under the name ``wire`` if it is within what the API takes, else a 400."""

    def rule(draft: Draft, value: int) -> None:
        if not low <= value <= high:
            raise InvalidRequest(
                f"{name} has to be between {low} and {high}. Send such a number or leave it out.",
                param=name,
            )
        draft.body[wire] = value

    return rule


def _temperature(draft: Draft, value: float) -> None:
    """Vendor documentation: above 0; for greedy decoding ``top_p`` 0 and no temperature."""
    if value <= 0:
        draft.body["top_p"] = 0
        draft.fidelity.adjust("temperature", f"{value:g}", "top_p:0")
    elif value > 2:
        draft.body["temperature"] = 2
        draft.fidelity.adjust("temperature", f"{value:g}", 2)
    else:
        draft.body["temperature"] = value


def _top_p(draft: Draft, value: float) -> None:
    if draft.request.temperature is not None and draft.request.temperature <= 0:
        return
    within = min(max(value, 0), 1)
    draft.body["top_p"] = within
    if within != value:
        draft.fidelity.adjust("top_p", f"{value:g}", f"{within:g}")


def _stop(draft: Draft, value: tuple[str, ...]) -> None:
    """The gateway cuts the text; see ``WrittenRequest.stop``. Work for each character of the
    answer is done for each sequence, so there is a bound.
    """
    if len(value) > MOST_STOPS or any(len(stop) > LONGEST_STOP for stop in value):
        raise InvalidRequest(
            f"stop may hold {MOST_STOPS} sequences of {LONGEST_STOP} characters. Send fewer or"
            " shorter ones.",
            param="stop",
        )
    draft.fidelity.adjust("stop", "upstream", "gateway")


_EFFORTS: Final = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}


def _reasoning_effort(draft: Draft, value: str) -> None:
    if value == "none":
        return
    effort = _EFFORTS.get(value)
    if effort is None or not draft.facts.reasoning:
        draft.fidelity.drop("reasoning_effort")
        return
    draft.body["reasoning_effort"] = effort
    if effort != value:
        draft.fidelity.adjust("reasoning_effort", value, effort)


def _reasoning_max_tokens(draft: Draft, value: Any) -> None:
    if draft.facts.reasoning:
        own("reasoning_max_tokens")(draft, value)
    else:
        draft.fidelity.drop("reasoning_max_tokens")


def _modalities(_draft: Draft, value: tuple[str, ...]) -> None:
    if any(kind != "text" for kind in value):
        raise UnsupportedByTarget(
            'GigaChat answers in text. Send modalities as ["text"] or leave it out.',
            param="modalities",
        )


def _stream(draft: Draft, value: bool) -> None:  # noqa: FBT001 - the signature of a rule
    if value:
        draft.body["stream"] = True


def _function_call(draft: Draft, value: Any) -> None:
    """Here only with more than a name: GigaChat takes arguments that the model need not find. The
    rule of the tools has put the call itself into the body.
    """
    members: dict[str, Raw] = read_value(value, dict[str, Raw], "function_call")
    forced = draft.body.get("function_call")
    for member, content in members.items():
        if member == "name" or _says_nothing(content):
            continue
        if member == "partial_arguments" and isinstance(forced, dict):
            param = f"function_call.{member}"
            forced[member] = read_value(content, dict[str, Raw], param)
        else:
            draft.fidelity.drop(f"function_call.{member}")


def _extras(draft: Draft, value: Any) -> None:
    for dialect, members in value.items():
        rules = OPENAI_MEMBERS if dialect == DIALECT_OF_EXTRAS else {}
        _apply_members(draft, members, rules, "")


def _apply_members(
    draft: Draft, members: Mapping[str, Any], rules: Mapping[str, Rule], where: str
) -> None:
    for member, content in members.items():
        if _says_nothing(content):
            continue
        rule = rules.get(member)
        if rule is None:
            draft.fidelity.drop(where + member)
        else:
            rule(draft, content)


def _extra_body(draft: Draft, value: Any) -> None:
    """OpenAI's SDKs put the members of ``extra_body`` beside the others; who writes requests by
    hand may have copied the name. What stands beside counts more than what stands inside.
    """
    members: dict[str, Raw] = read_value(value, dict[str, Raw], "extra_body")
    beside = draft.body.keys() | draft.request.extras[DIALECT_OF_EXTRAS].keys()
    inside = {name: value for name, value in members.items() if name not in beside}
    _apply_members(draft, inside, _EXTRA_RULES, "extra_body.")


def _says_nothing(content: object) -> bool:
    return content is None or (isinstance(content, Raw) and bytes(content) == b"null")


FIELDS: Final[dict[str, Rule]] = {
    "stream": _stream,
    "tools": write_tools,
    "tool_choice": write_tool_choice,
    "parallel_tool_calls": silent,  # v1 makes one call at most
    "max_output_tokens": bounded("max_tokens", 1, INT32, "max_completion_tokens"),
    "temperature": _temperature,
    "top_p": _top_p,
    "top_k": dropped("top_k", (0,)),
    "min_p": dropped("min_p", (0,)),
    "repetition_penalty": own("repetition_penalty"),
    "presence_penalty": dropped("presence_penalty", (0,)),
    "frequency_penalty": dropped("frequency_penalty", (0,)),
    "seed": dropped("seed"),
    "stop": _stop,
    "logit_bias": dropped("logit_bias", ({},)),
    "n": refused("n", "GigaChat gives one answer to a request. Send n: 1 and ask again.", (1,)),
    "logprobs": refused(
        "logprobs", "GigaChat reports no token probabilities. Leave logprobs out.", (False,)
    ),
    "top_logprobs": dropped("top_logprobs", (0,)),
    "output_format": write_output_format_beside_tools,
    "reasoning_effort": _reasoning_effort,
    "verbosity": dropped("verbosity"),
    "modalities": _modalities,
    "service_tier": dropped("service_tier", ("auto", "default")),
    "user": silent,
    "metadata": silent,
    "store": dropped("store", (False,)),
    "legacy_functions": silent,  # it matters to who writes the answer
    "extras": _extras,
}
"""Field of ``ChatRequest`` -> rule. ``model`` and ``messages`` are the rest."""

OPENAI_MEMBERS: Final[dict[str, Rule]] = {
    "audio": dropped("audio"),
    "prediction": dropped("prediction"),
    "web_search_options": dropped("web_search_options"),
    "moderation": dropped("moderation"),
    "safety_identifier": silent,
    "prompt_cache_key": silent,
    "prompt_cache_options": silent,
    "prompt_cache_retention": silent,
    "stream_options": dropped("stream_options"),  # here only with members that nobody knows
    "response_format": refused(  # here only if it is of an unknown kind
        "response_format",
        "GigaChat knows the formats text, json_object and json_schema. Send one of these.",
    ),
    "tool_choice": refused(  # here only if it names a tool that is no function of the caller's
        "tool_choice",
        "GigaChat's chat v1 has no built-in tools to choose. Name a function, or let the operator"
        ' set api = "v2" for this provider.',
    ),
    "cache_control": silent,
    "function_call": _function_call,
    # GigaChat's own members, for callers who know whom they speak to.
    "profanity_check": own("profanity_check"),
    "update_interval": own("update_interval"),
    "function_ranker": own("function_ranker"),
    "flags": own("flags"),
    "reasoning_max_tokens": _reasoning_max_tokens,
    # What GigaChat keeps belongs to the credential, which callers share: one could read the other's
    # threads and assistants.
    "storage": dropped("storage"),
    "assistant_id": dropped("assistant_id"),
    "extra_body": _extra_body,
}
"""Member of ``extras["openai_chat"]`` -> rule."""

_EXTRA_RULES: Final[dict[str, Rule]] = {
    **{member: own(member) for member in OWN_MEMBERS},
    "reasoning_max_tokens": _reasoning_max_tokens,
    "storage": dropped("storage"),
    "assistant_id": dropped("assistant_id"),
}
"""Member of ``extra_body`` -> rule."""


apply_fates: Final = FateTable(FIELDS).apply
"""Run the table over a draft. Raises ``InvalidRequest``."""
