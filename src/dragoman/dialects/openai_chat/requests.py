"""A caller's request: checked at once, translated or forwarded on demand.

``read_request`` opens the top level of the body and decodes only what it has to check; the text
of the conversation stays bytes. ``forwarded`` gives these bytes on, with the model's name spliced
in at its exact place; ``conversation`` makes the canonical request.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, cast

import msgspec
from msgspec import Raw

from dragoman.canonical.request import ChatRequest
from dragoman.dialects.base import ReadRequest
from dragoman.dialects.openai_chat.checks import check_messages, check_tools
from dragoman.dialects.openai_chat.fields import FIELDS, Draft, Field
from dragoman.dialects.openai_chat.nesting import LIMIT, is_crowded, is_excessive
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

_ENCODE: Final = msgspec.json.Encoder().encode
_BLANKS: Final = re.compile(rb"[ \t\n\r]+")
_LARGE: Final = 65_536
"""Bytes from which a body is worth sending without a copy."""
_CROWD: Final = 1_000_000
"""Bytes from which a list may hold more than any conversation does."""
_ASK_FOR_USAGE: Final = b'{"include_usage":true}'


class ChatCompletionsRequest:
    """A request to Chat Completions that has passed ``read_request``."""

    __slots__ = (
        "_body",
        "_members",
        "_roles",
        "_values",
        "include_usage",
        "legacy_functions",
        "model",
        "stream",
    )

    def __init__(
        self, body: bytes, members: Members, values: dict[str, Any], roles: list[str]
    ) -> None:
        self._body = body
        self._members = members
        self._values = values
        self._roles = roles
        self.model: str = values["model"]
        self.stream: bool = values.get("stream", False)
        options = values.get("stream_options") if self.stream else None
        self.include_usage: bool = (
            options is not None
            and optional(options, "include_usage", FLAG, "stream_options") is True
        )
        """The caller asked for the counts at the end of the stream."""
        self.legacy_functions = "functions" in values and "tools" not in values
        """The caller used the deprecated ``functions``; the answer has to use its spelling."""

    def conversation(self) -> ChatRequest:
        """The whole request in canonical form. Raises ``InvalidRequest`` with the exact path."""
        draft = Draft(self._roles)
        for name, raw in self._members.items():
            field = FIELDS.get(name)
            if field is None:
                if raw != NULL:
                    draft.extras[name] = raw
            elif name in self._values:
                field.read(draft, name, self._values[name], raw)
        return ChatRequest(
            model=self.model,
            stream=self.stream,
            tools=tuple(draft.tools),
            legacy_functions=self.legacy_functions,
            extras=own_extras(draft.extras),
            **draft.members,
        )

    def forwarded(self, model: str) -> Sequence[bytes]:
        """The caller's bytes with ``model`` in its place and, in a stream, usage asked for.

        The very same object when nothing has to change.
        """
        changes: dict[str, bytes] = {}
        if model != self.model:
            changes["model"] = _ENCODE(model)
        if self.stream and not self.include_usage:
            changes["stream_options"] = self._asking_for_usage()
        places = _places(self._body, self._members)
        if places is None:
            return [_joined(self._members, changes)]
        return _spliced(self._body, places, changes)

    def _asking_for_usage(self) -> bytes:
        options = self._values.get("stream_options")
        if not options:
            return _ASK_FOR_USAGE
        return _joined({**options, "include_usage": Raw(b"true")}, {})


def read_request(body: bytes) -> ChatCompletionsRequest:
    """Check a request and keep it for what comes next. Raises ``InvalidRequest``.

    Checked are the JSON, its nesting, the type of every known member, the roles, that tools have
    different names and that tool results answer calls. Ranges of values are the target's affair.
    """
    members = _opened(body)
    values: dict[str, Any] = {}
    for name, raw in members.items():
        field = FIELDS.get(name)
        if field is not None:
            if raw != NULL:
                _read_value(values, name, field, raw)
        elif memoryview(raw)[0] in b"[{" and is_excessive(bytes(raw), LIMIT - 1):
            raise nested_too_deep(name)
    for name in ("model", "messages"):
        if name not in values:
            raise missing_member(name)
        if not values[name]:
            raise invalid_value(name, "it must not be empty")
    roles = check_messages(values["messages"])
    for name in ("tools", "functions"):
        if name in values:
            check_tools(values[name], name)
    return ChatCompletionsRequest(body, members, values, roles)


def _opened(body: bytes) -> Members:
    """The members of the body. Raises ``InvalidRequest`` unless it is JSON in UTF-8."""
    try:
        if not body.isascii():
            body.decode()
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


def _read_value(values: dict[str, Any], name: str, field: Field, raw: Raw) -> None:
    """Put the decoded value into ``values``, unless it is as good as absent."""
    if memoryview(raw)[0] in b"[{" and _is_too_much(name, raw):
        raise nested_too_deep(name)
    value = read_as(field.decoder, raw, name)
    if field.is_integer and isinstance(value, float):
        if not value.is_integer():
            raise invalid_type(name, "an integer, got a number with a fraction")
        value = int(value)
    if field.may_be_empty or value:
        values[name] = value


def _is_too_much(name: str, raw: Raw) -> bool:
    if name in ("messages", "tools", "functions"):  # their members are looked at one by one
        return len(memoryview(raw)) > _CROWD and is_crowded(bytes(raw))
    return is_excessive(bytes(raw), LIMIT - 1)


_Places = list[tuple[str, int, int]]
"""Name of a member, where its value begins and where it ends."""


def _places(body: bytes, members: Members) -> _Places | None:
    """Where in ``body`` the members' values stand.

    ``None`` when a key is written with escapes or given twice: then the dict does not mirror the
    body, and a splice could leave a second ``model`` behind that the upstream would obey.
    """
    places: _Places = []
    at = _after_blanks(body, body.index(b"{") + 1)
    for name, raw in members.items():
        if places:
            if body[at] != 0x2C:  # a comma
                return None
            at = _after_blanks(body, at + 1)
        key = b'"%b"' % name.encode()
        if not body.startswith(key, at):
            return None
        at = _after_blanks(body, at + len(key))
        if body[at] != 0x3A:  # a colon
            return None
        at = _after_blanks(body, at + 1)
        value = bytes(raw)
        if not body.startswith(value, at):
            return None
        end = at + len(value)
        places.append((name, at, end))
        at = _after_blanks(body, end)
    return places if body[at] == 0x7D else None


def _after_blanks(body: bytes, at: int) -> int:
    if body[at] > 0x20:
        return at
    run = _BLANKS.match(body, at)
    return run.end() if run else at


def _spliced(body: bytes, places: _Places, changes: dict[str, bytes]) -> Sequence[bytes]:
    """``body`` with the values of ``changes``; a member that it lacks is put in front."""
    if not changes:
        return [body]
    # Whoever sends the pieces takes views as well as bytes; only large bodies are worth them.
    source = body if len(body) < _LARGE else cast("bytes", memoryview(body))
    pieces: list[bytes] = []
    done = 0
    for name in changes.keys() - {name for name, _, _ in places}:
        done = body.index(b"{") + 1
        pieces += [body[:done], b'"%b":%b,' % (name.encode(), changes[name])]
    for name, begin, end in places:
        if name in changes:
            pieces += [source[done:begin], changes[name]]
            done = end
    pieces.append(source[done:])
    return pieces


def _joined(members: Members, changes: dict[str, bytes]) -> bytes:
    """The members as one object again, each value as it came or as ``changes`` has it."""
    values: dict[str, Any] = {**members, **{name: Raw(new) for name, new in changes.items()}}
    return _ENCODE(values)


def own_request(request: ReadRequest) -> ChatCompletionsRequest:
    """``request`` as this dialect read it. Raises ``TypeError`` for another dialect's."""
    if not isinstance(request, ChatCompletionsRequest):
        raise TypeError(f"not a Chat Completions request: {type(request).__name__}")
    return request
