"""The words of Chat Completions bodies: decoders, and how a wrong value is reported.

Members whose meaning is not needed stay ``Raw``. ``read_as`` turns msgspec's complaints into
``InvalidRequest`` with the path of the field in the caller's spelling. ``Answer`` and what it is
made of describe answers and chunks of a stream as tolerantly as servers require: every member
may be missing or null.
"""

from __future__ import annotations

import re
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Raw, Struct
from msgspec.json import Decoder

from dragoman.errors import InvalidRequest

NAME: Final = "openai_chat"
"""The dialect's name, also the key of its ``extras``."""

Members = dict[str, Raw]
"""A JSON object, opened but not read."""

NULL: Final = Raw(b"null")
NOTHING: Final = Raw(b"")
"""Default of a ``Raw`` member that was not sent."""

MEMBERS: Final = Decoder(Members)
LIST_OF_MEMBERS: Final = Decoder(list[Members])
LIST_OF_RAW: Final = Decoder(list[Raw])
TEXT: Final = Decoder(str)
FLAG: Final = Decoder(bool)
ANYTHING: Final = Decoder(Any)
SYNTAX: Final = Decoder(Raw)
"""Checks that something is JSON and builds nothing."""

T = TypeVar("T")

_PLACE: Final = re.compile(r"^(.*?)(?: - at `(?:key in )?\$(.*)`)?$", re.DOTALL)
_MISSING: Final = re.compile(r"^Object missing required field `(.*)`$")


def read_as(decoder: Decoder[T], raw: Raw | bytes, path: str) -> T:
    """The value of ``raw``. Raises ``InvalidRequest`` that names ``path`` or a place within."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise wrong_type(str(error), path) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidRequest(
            f"'{path}' is not valid JSON: {error}.", param=path, code="invalid_json"
        ) from None


def wrong_type(complaint: str, path: str) -> InvalidRequest:
    """What msgspec complains about, as the caller should read it."""
    place = _PLACE.match(complaint)
    what, within = (place[1], place[2] or "") if place else (complaint, "")
    path += within.split("[...]")[0]
    missing = _MISSING.match(what)
    if missing:
        return missing_member(f"{path}.{missing[1]}")
    code = "invalid_type" if what.startswith("Expected") else "invalid_value"
    return InvalidRequest(f"Invalid '{path}': {what}.", param=path, code=code)


def missing_member(path: str) -> InvalidRequest:
    """A member that has to be there is not."""
    return InvalidRequest(
        f"Missing required parameter: '{path}'.", param=path, code="missing_required_parameter"
    )


def invalid_type(path: str, expected: str) -> InvalidRequest:
    """A value is of another JSON type than it should be."""
    return InvalidRequest(
        f"Invalid type for '{path}': expected {expected}.", param=path, code="invalid_type"
    )


def invalid_value(path: str, why: str) -> InvalidRequest:
    """A value is of the right type and still impossible."""
    return InvalidRequest(f"Invalid value for '{path}': {why}.", param=path, code="invalid_value")


def orphan_result(path: str) -> InvalidRequest:
    """A tool's result answers no call."""
    return invalid_value(path, "no earlier assistant message holds the call that this answers")


def nested_too_deep(path: str) -> InvalidRequest:
    """More levels, or more arrays and objects, than a body may have."""
    return InvalidRequest(
        f"'{path}' is nested more than 100 levels deep or holds too many arrays and objects.",
        param=path,
        code="invalid_value",
    )


def given(members: Members, name: str) -> Raw | None:
    """A member that is there and not null."""
    raw = members.get(name)
    return None if raw is None or raw == NULL else raw


def required(members: Members, name: str, decoder: Decoder[T], path: str) -> T:
    """The value of a member of the object at ``path`` that has to be there."""
    raw = given(members, name)
    if raw is None:
        raise missing_member(f"{path}.{name}")
    return read_as(decoder, raw, f"{path}.{name}")


def optional(members: Members, name: str, decoder: Decoder[T], path: str) -> T | None:
    """The value of a member of the object at ``path``; ``None`` when absent or null."""
    raw = given(members, name)
    return None if raw is None else read_as(decoder, raw, f"{path}.{name}")


def others(members: Members, known: frozenset[str]) -> Members:
    """The members that are not ``known``, without nulls."""
    return {name: raw for name, raw in members.items() if name not in known and raw != NULL}


class Function(Struct, gc=False):
    """Name and arguments of a call, or a piece of them."""

    name: str | None = None
    arguments: Raw = NOTHING
    """A string holding JSON text; some servers send the object itself."""


class Custom(Struct, gc=False):
    """Name and input of a call to a custom tool, or a piece of them."""

    name: str | None = None
    input: str | None = None


class Call(Struct, gc=False):
    """One tool call, or a piece of one."""

    index: int | None = None
    id: str | int | None = None
    function: Function | None = None
    custom: Custom | None = None
    extra_content: Raw = NOTHING


class Said(Struct, gc=False):
    """A whole message or a delta of one."""

    content: str | list[Raw] | Members | None = None
    reasoning_content: str | Members | None = None
    reasoning: str | Members | None = None
    reasoning_details: list[Raw] | None = None
    refusal: str | None = None
    tool_calls: list[Call] | None = None
    function_call: Function | None = None
    annotations: list[Raw] | None = None
    images: list[Raw] | None = None
    audio: Raw = NOTHING


class LogProbs(Struct, gc=False):
    """Token log-probabilities of a choice."""

    content: list[Raw] | None = None
    refusal: list[Raw] | None = None


class AnswerChoice(Struct, gc=False):
    """One choice of an answer or of a chunk."""

    index: int | None = None
    delta: Said | None = None
    message: Said | None = None
    finish_reason: str | int | None = None
    logprobs: LogProbs | None = None


class Answer(Struct, gc=False):
    """An answer, or one chunk of a stream."""

    id: str | int | None = None
    created: int | float | None = None
    model: str | None = None
    choices: list[AnswerChoice] | None = None
    usage: Members | None = None
    x_groq: Members | None = None
    error: Any = None


ANSWER: Final = Decoder(Answer)
_ERROR_OBJECT: Final = Raw(b'"error"')


def present(raw: Raw) -> bool:
    """Whether a ``Raw`` member of an answer was sent and is not null."""
    return raw is not NOTHING and raw != NULL


def reports_error(answer: Answer, data: bytes) -> bool:
    """Whether what should be an answer is an error. Mistral marks one by ``object`` alone."""
    if answer.error is not None:
        return True
    if answer.choices is not None:
        return False
    return MEMBERS.decode(data).get("object") == _ERROR_OBJECT
