"""A request for a server of the same dialect: the caller's bytes, but for what has to change.

No second ``model`` may stay behind that the upstream would obey. So the bytes are edited only
when they are known to hold the members that were read and nothing else, which is told in one of
three ways, each dearer than the one before: these members written anew, without blanks or with
the blanks of Python's ``json``, give the very same bytes; or a walk finds each of them in its
place. A body that fails all three (a key given twice, or with escapes) is written anew.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from typing import Any, Final, cast

import msgspec

from dragoman.dialects.openai_chat.wire import MEMBERS, Members

_BLANKS: Final = re.compile(rb"[ \t\n\r]+")
_LARGE: Final = 65_536
"""Bytes from which a body is worth sending without a copy."""

encoded: Final = msgspec.json.Encoder().encode
"""A value as JSON without blanks."""


def _encoded_with_blanks(value: Any) -> bytes:
    return msgspec.json.format(encoded(value), indent=0)


def edited(body: bytes, values: Mapping[str, Any], changes: dict[str, Any]) -> Sequence[bytes]:
    """``body`` with the values of ``changes``; a member that it lacks is put in front.

    ``values`` are the members as they were read, in their order; some may be missing. Without
    changes the very same object is given back, unless it has to be written anew.
    """
    if len(body) < _LARGE:
        for spell in (encoded, _encoded_with_blanks):
            if spell(values) == body:
                return [spell(_updated(values, changes))] if changes else [body]
    elif encoded(values) == body:
        return _spliced(body, _places_without_blanks(values, changes), changes)
    members = MEMBERS.decode(body)
    places = _places(body, members)
    if places is None:
        return [encoded({**members, **changes})]
    return _spliced(body, places, changes)


def _updated(values: Mapping[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    updated = {**values, **changes}
    if len(updated) == len(values):
        return updated
    absent = {name: value for name, value in changes.items() if name not in values}
    return {**absent, **updated}


_Places = list[tuple[str, int, int]]
"""Name of a member, where its value begins and where it ends."""


def _places_without_blanks(values: Mapping[str, Any], wanted: Container[str]) -> _Places:
    """The places of ``wanted`` members in a body that is ``values`` without blanks."""
    places: _Places = []
    before: dict[str, Any] = {}
    for name, value in values.items():
        if name in wanted:
            begin = len(encoded({**before, name: None})) - len(b"null}")
            places.append((name, begin, begin + len(encoded(value))))
        before[name] = value
    return places


def _places(body: bytes, members: Members) -> _Places | None:
    """The places of all members; ``None`` when ``body`` holds anything else between them."""
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
        value = cast("bytes", memoryview(raw))
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


def _spliced(body: bytes, places: _Places, changes: dict[str, Any]) -> Sequence[bytes]:
    if not changes:
        return [body]
    # Whoever sends the pieces takes views as well as bytes; only large bodies are worth them.
    source = body if len(body) < _LARGE else cast("bytes", memoryview(body))
    pieces: list[bytes] = []
    done = 0
    for name in changes.keys() - {name for name, _, _ in places}:
        done = body.index(b"{") + 1
        pieces += [body[:done], b'"%b":%b,' % (name.encode(), encoded(changes[name]))]
    for name, begin, end in places:
        if name in changes:
            pieces += [source[done:begin], encoded(changes[name])]
            done = end
    pieces.append(source[done:])
    return pieces
