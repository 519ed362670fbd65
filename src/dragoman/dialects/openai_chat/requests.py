"""A caller's request: checked at once, translated or forwarded on demand.

``read_request`` decodes what it has to check and leaves the text of the conversation as bytes.
``forwarded`` gives these bytes on, ``conversation`` makes the canonical request.

There are two ways to read: ``_KNOWN`` decodes the whole body by the types of ``FIELDS`` in one
call; what it refuses, and what may be nested too deep, is read member by member, which finds the
exact place of a mistake or accepts what is unusual. Both give the same values.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import Any, Final, TypedDict

import msgspec
from msgspec import Raw
from msgspec.json import Decoder

from dragoman.canonical.request import ChatRequest
from dragoman.dialects.base import ReadRequest
from dragoman.dialects.nesting import LIMIT, has_at_most, is_crowded, is_excessive
from dragoman.dialects.openai_chat.checks import check_messages, check_nesting, check_tools
from dragoman.dialects.openai_chat.fields import DECODERS, FIELDS, READERS, Draft
from dragoman.dialects.openai_chat.forwarding import edited, encoded
from dragoman.dialects.openai_chat.read_messages import own_extras
from dragoman.dialects.openai_chat.wire import (
    FLAG,
    MEMBERS,
    NULL,
    Members,
    invalid_type,
    invalid_value,
    missing_member,
    nested_too_deep,
    optional,
    read_as,
)
from dragoman.errors import InvalidRequest

_CROWD: Final = 1_000_000
"""Bytes from which a list may hold more than any conversation does."""
_LISTS: Final = ("messages", "tools", "functions")
_BLOCK: Final = 65_536
"""Bytes of UTF-8 that are checked at a time."""

Values = dict[str, Any]
"""The known members of a body, decoded, in their order; a null is ``None``."""


class ChatCompletionsRequest:
    """A request to Chat Completions that has passed ``read_request``."""

    __slots__ = ("_body", "_roles", "_values", "include_usage", "model", "stream")

    def __init__(self, body: bytes, values: Values, roles: list[str]) -> None:
        self._body = body
        self._values = values
        self._roles = roles
        self.model: str = values.get("model") or ""
        self.stream: bool = values.get("stream") or False
        self.include_usage: bool = self.stream and _asks_for_usage(values)
        """The caller asked for the counts at the end of the stream."""

    @property
    def legacy_functions(self) -> bool:
        """The caller used the deprecated ``functions``; the answer has to use its spelling."""
        return bool(self._values.get("functions")) and not self._values.get("tools")

    def conversation(self) -> ChatRequest:
        """The whole request in canonical form. Raises ``InvalidRequest`` with the exact path."""
        values = self._values
        draft = Draft(self._body, self._roles)
        for name, value in values.items():
            reader = READERS.get(name)
            if reader is not None and value is not None:
                reader(draft, name, value)
        if encoded(values) != self._body:  # then there may be members that are not known
            for name, raw in draft.members().items():
                if name not in FIELDS and raw != NULL:
                    draft.extras[name] = raw
        return ChatRequest(
            model=self.model,
            stream=self.stream,
            tools=tuple(draft.tools),
            legacy_functions=self.legacy_functions,
            extras=own_extras(draft.extras),
            **draft.fields,
        )

    def forwarded(self, model: str) -> Sequence[bytes]:
        """The caller's bytes with ``model`` in its place and, in a stream, usage asked for.

        The very same object when nothing has to change.
        """
        changes: dict[str, Any] = {}
        if model != self._values.get("model"):
            changes["model"] = model
        if self.stream and not self.include_usage:
            options = self._values.get("stream_options") or {}
            changes["stream_options"] = {**options, "include_usage": True}
        return edited(self._body, self._values, changes)


def _asks_for_usage(values: Values) -> bool:
    options = values.get("stream_options")
    if not options:
        return False
    return optional(options, "include_usage", FLAG, "stream_options") is True


_KNOWN: Final[Decoder[Values]] = Decoder(
    TypedDict(  # type: ignore[operator]  # mypy wants the members spelled out; the table has them
        "_KNOWN",
        {name: (int if field.is_integer else field.type) | None for name, field in FIELDS.items()},
        total=False,
    )
)


def read_request(body: bytes) -> ChatCompletionsRequest:
    """Check a request and keep it for what comes next. Raises ``InvalidRequest``.

    Checked are the JSON, its nesting, the type of every known member, the roles, that tools have
    different names and that tool results answer calls. Ranges of values are the target's affair.
    """
    is_flat = has_at_most(LIMIT, body)
    values = _read_at_once(body) if is_flat else None
    if values is None:
        values = _read_one_by_one(body)
    messages = values.get("messages")
    if not messages or values.get("model") == "":
        raise _nothing_to_do(body, values)
    if not is_flat:
        for name in _LISTS:
            check_nesting(values.get(name) or [], name)
    roles = check_messages(messages)
    for name in ("tools", "functions"):
        if values.get(name):
            check_tools(values[name], name)
    return ChatCompletionsRequest(body, values, roles)


def _nothing_to_do(body: bytes, values: Values) -> InvalidRequest:
    name = "model" if values.get("model") == "" else "messages"
    if values.get(name) is not None:
        return invalid_value(name, "it must not be empty")
    if b'"input"' in body and "input" in _opened(body):
        return InvalidRequest(
            "'input' belongs to OpenAI's Responses API. This path speaks Chat Completions: send"
            " 'messages', or set the client to Chat Completions.",
            param="input",
            code="unknown_parameter",
        )
    return missing_member(name)


def _read_at_once(body: bytes) -> Values | None:
    """The values of a body in which nothing is unusual; ``None`` for every other."""
    try:
        if not body.isascii():
            _check_utf8(body)
        return _KNOWN.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def _check_utf8(body: bytes) -> None:
    """Raises ``UnicodeDecodeError``. Piece by piece: the memory of a small one is used again."""
    view = memoryview(body)
    at = 0
    while at < len(view):
        is_last = at + _BLOCK >= len(view)
        at += codecs.utf_8_decode(view[at : at + _BLOCK], "strict", is_last)[1]


def _read_one_by_one(body: bytes) -> Values:
    """The values of a body. Raises ``InvalidRequest`` for the first member that is wrong."""
    values: Values = {}
    for name, raw in _opened(body).items():
        if memoryview(raw)[0] in b"[{" and _is_too_much(name, raw):
            raise nested_too_deep(name)
        if name in FIELDS:
            values[name] = None if raw == NULL else _value(name, raw)
    return values


def _opened(body: bytes) -> Members:
    """The members of the body. Raises ``InvalidRequest`` unless it is JSON in UTF-8."""
    try:
        if not body.isascii():
            _check_utf8(body)
        return MEMBERS.decode(body)
    except UnicodeDecodeError:
        raise InvalidRequest("The body is not valid UTF-8.", code="invalid_json") from None
    except msgspec.ValidationError:
        raise InvalidRequest("The body has to be a JSON object.", code="invalid_type") from None
    except RecursionError:
        raise InvalidRequest("The body is nested too deep.", code="invalid_json") from None
    except msgspec.DecodeError as error:
        raise InvalidRequest(
            f"The body could not be parsed as JSON: {error}.", code="invalid_json"
        ) from None


def _value(name: str, raw: Raw) -> Any:
    value = read_as(DECODERS[name], raw, name)
    if FIELDS[name].is_integer and isinstance(value, float):
        if not value.is_integer():
            raise invalid_type(name, "an integer, got a number with a fraction")
        return int(value)
    return value


def _is_too_much(name: str, raw: Raw) -> bool:
    if name in _LISTS:  # their members are looked at one by one
        return len(memoryview(raw)) > _CROWD and is_crowded(bytes(raw))
    return is_excessive(bytes(raw), LIMIT - 1)


def own_request(request: ReadRequest) -> ChatCompletionsRequest:
    """``request`` as this dialect read it. Raises ``TypeError`` for another dialect's."""
    if not isinstance(request, ChatCompletionsRequest):
        raise TypeError(f"not a Chat Completions request: {type(request).__name__}")
    return request
