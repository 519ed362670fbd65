"""What becomes of every member of a request on its way to version 2: the table that runs.

Version 2 takes what version 1 takes, most of it in other places: how a text is sampled stands
under ``model_options``, tools have entries of their own. Rules that are not listed here are those
of version 1, whose table says what a rule is.
"""

from __future__ import annotations

import functools
from typing import Any, Final

from msgspec import Raw, structs

from dragoman.dialects.fate_table import FateTable, Rule, refused
from dragoman.dialects.gigachat import fates as v1
from dragoman.dialects.gigachat.fates import DIALECT_OF_EXTRAS
from dragoman.dialects.gigachat.own_members import read_value
from dragoman.dialects.gigachat.v2.built_in import (
    built_in_name,
    decoded,
    read_search_options,
    read_tool,
)
from dragoman.dialects.gigachat.v2.draft import Draft
from dragoman.dialects.gigachat.v2.tools import at_the_end, read_functions, read_output_format
from dragoman.errors import UnsupportedByTarget


def in_options(rule: Rule) -> Rule:
    """``rule``, with ``model_options`` in place of the body."""

    @functools.wraps(rule)
    def moved(draft: Draft, value: Any) -> None:
        rule(structs.replace(draft, body=draft.options), value)

    return moved


def own(member: str, kind: Any) -> Rule:
    """One of GigaChat's own members, sent as it is once it is known to be of its type."""

    def rule(draft: Draft, value: Any) -> None:
        draft.body[member] = read_value(value, kind, member)

    return rule


def _function_ranker(draft: Draft, value: Any) -> None:
    """The name of version 1 for it."""
    v1.OPENAI_MEMBERS["function_ranker"](draft, value)
    draft.body["ranker_options"] = draft.body.pop("function_ranker")


def _reasoning_effort(draft: Draft, value: str) -> None:
    in_options(v1.FIELDS["reasoning_effort"])(draft, value)
    effort = draft.options.pop("reasoning_effort", None)
    if effort is not None:
        _reasoning(draft)["effort"] = effort


def _reasoning_max_tokens(draft: Draft, value: Any) -> None:
    in_options(v1.OPENAI_MEMBERS["reasoning_max_tokens"])(draft, value)
    most = draft.options.pop("reasoning_max_tokens", None)
    if most is not None:
        _reasoning(draft)["max_tokens"] = most


def _reasoning(draft: Draft) -> dict[str, Any]:
    found: dict[str, Any] = draft.options.setdefault("reasoning", {})
    return found


def _parallel_tool_calls(draft: Draft, value: bool) -> None:  # noqa: FBT001 - the signature of a rule
    """It means something only where there is something to call."""
    if draft.functions:
        draft.options["parallel_tool_calls"] = value


def _profanity_check(draft: Draft, value: Any) -> None:
    """Version 1's word for the opposite."""
    draft.body["disable_filter"] = not read_value(value, bool, "profanity_check")


def _response_format(draft: Draft, value: Any) -> None:
    """Here only if OpenAI does not know the kind; ``regex`` is one of GigaChat's own."""
    wanted = decoded(value)
    pattern = wanted.get("regex") if isinstance(wanted, dict) else None
    if not isinstance(pattern, str) or wanted.get("type") != "regex":
        raise UnsupportedByTarget(
            "GigaChat knows the formats text, json_object, json_schema and regex. Send one of"
            " these.",
            param="response_format",
        )
    if not draft.facts.json_schema:
        raise UnsupportedByTarget(
            "This GigaChat model cannot be held to a regular expression. Use a model of"
            " generation 3.",
            param="response_format",
        )
    draft.options["response_format"] = {"type": "regex", "regex": pattern}


def _tool_choice(draft: Draft, value: Any) -> None:
    """Here only if it names a tool that is no function of the caller's."""
    choice = decoded(value)
    kind = choice.get("type") if isinstance(choice, dict) else None
    name = built_in_name(kind) if isinstance(kind, str) else None
    if name is None:
        raise UnsupportedByTarget(
            "tool_choice asks for a tool that GigaChat does not have. Name a function or one of"
            " web_search, code_interpreter, image_generation, url_content_extraction,"
            " model_3d_generate.",
            param="tool_choice.type",
        )
    draft.built_in_choice = name


def _extras(draft: Draft, value: Any) -> None:
    for dialect, members in value.items():
        rules = OPENAI_MEMBERS if dialect == DIALECT_OF_EXTRAS else {}
        for member, content in members.items():
            if content is None or (isinstance(content, Raw) and bytes(content) == b"null"):
                continue
            rule = rules.get(member)
            if rule is not None:
                rule(draft, content)
            elif member.startswith("tools[") and rules:
                read_tool(draft, member, content)
            else:
                draft.fidelity.drop(member)


def _extra_body(draft: Draft, value: Any) -> None:
    """As in version 1: what stands beside counts more than what stands inside."""
    members: dict[str, Raw] = read_value(value, dict[str, Raw], "extra_body")
    beside = draft.request.extras[DIALECT_OF_EXTRAS]
    for member, content in members.items():
        if member not in beside and bytes(content) != b"null":
            rule = _EXTRA_RULES.get(member)
            if rule is not None:
                rule(draft, content)
            else:
                draft.fidelity.drop(f"extra_body.{member}")


def _repetition_penalty(draft: Draft, value: Any) -> None:
    if draft.request.repetition_penalty is None:
        in_options(v1.FIELDS["repetition_penalty"])(draft, value)


FIELDS: Final[dict[str, Rule]] = {
    **v1.FIELDS,
    "tools": read_functions,
    "tool_choice": at_the_end,
    "parallel_tool_calls": _parallel_tool_calls,
    "max_output_tokens": in_options(v1.FIELDS["max_output_tokens"]),
    "temperature": in_options(v1.FIELDS["temperature"]),
    "top_p": in_options(v1.FIELDS["top_p"]),
    "repetition_penalty": in_options(v1.FIELDS["repetition_penalty"]),
    "logprobs": refused(
        "logprobs",
        "Token probabilities of GigaChat's are not passed on. Leave logprobs out.",
        (False,),
    ),
    "output_format": read_output_format,
    "reasoning_effort": _reasoning_effort,
    "extras": _extras,
}
"""Field of ``ChatRequest`` -> rule. ``model`` and ``messages`` are the rest."""

OPENAI_MEMBERS: Final[dict[str, Rule]] = {
    **v1.OPENAI_MEMBERS,
    "web_search_options": read_search_options,
    "response_format": _response_format,
    "tool_choice": _tool_choice,
    "extra_body": _extra_body,
    # GigaChat's own members, under the names of either version.
    "profanity_check": _profanity_check,
    "disable_filter": own("disable_filter", bool),
    "filter_config": own("filter_config", dict[str, Any]),
    "update_interval": in_options(v1.OPENAI_MEMBERS["update_interval"]),
    "function_ranker": _function_ranker,
    "ranker_options": own("ranker_options", dict[str, Any]),
    "reasoning_max_tokens": _reasoning_max_tokens,
    "preset": in_options(own("preset", str)),
    "unnormalized_history": in_options(own("unnormalized_history", bool)),
    "user_info": own("user_info", dict[str, Any]),
}
"""Member of ``extras["openai_chat"]`` -> rule. An entry of ``tools`` that is no function is
there too, under its place."""

_EXTRA_RULES: Final[dict[str, Rule]] = {
    "repetition_penalty": _repetition_penalty,
    **{
        member: OPENAI_MEMBERS[member]
        for member in (
            "profanity_check",
            "disable_filter",
            "filter_config",
            "update_interval",
            "function_ranker",
            "ranker_options",
            "flags",
            "reasoning_max_tokens",
            "preset",
            "unnormalized_history",
            "user_info",
            "storage",
            "assistant_id",
        )
    },
}
"""Member of ``extra_body`` -> rule."""

apply_fates: Final = FateTable(FIELDS).apply
"""Run the table over a draft. Raises ``InvalidRequest``."""
