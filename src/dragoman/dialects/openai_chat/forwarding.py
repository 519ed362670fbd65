"""A request that goes to a server of the same dialect: the caller's bytes but for what must change.

No second ``model`` may be left behind that the upstream would obey, so a body is spliced only
when it is known to be nothing but the members that were read. Three ways to know, each dearer than
the one before: the members written anew, without blanks or with the blanks that Python's ``json``
puts, give the very same bytes; or a walk finds every member in its place. A body that fails all
three (a key given twice, or written with escapes) is written anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

import msgspec
from msgspec import Raw

from dragoman.dialects.openai_chat.wire import MEMBERS, Members

_ENCODE: Final = msgspec.json.Encoder().encode
_BLANKS: Final = re.compile(rb"[ \t\n\r]+")
_LARGE: Final = 65_536
"""Bytes from which a body is worth sending without a copy."""

_Places = list[tuple[str, int, int]]
"""Name of a member, where its value begins and where it ends."""


def encoded(value: Any) -> bytes:
    """``value`` as JSON without blanks."""
    return _ENCODE(value)


def _with_blanks(value: Any) -> bytes:
    return msgspec.json.format(_ENCODE(value), indent=0)


def changed(
    body: bytes, values: Mapping[str, Any], changes: dict[str, Raw | str]
) -> Sequence[bytes]:
    """``body`` with the values of ``changes``; a member that it lacks is put in front.

    ``values`` are the members of the body as far as they are known. The very same object is given
    back when nothing changes.
    """
    is_large = len(body) >= _LARGE
    if _ENCODE(values) == body:
        spell: Callable[[Any], bytes] = _ENCODE
        places = _places_in_plain(values, changes) if is_large and changes else None
    elif not is_large and _with_blanks(values) == body:
        spell = _with_blanks
        places = None
    else:
        members = MEMBERS.decode(body)
        values = members
        spell = _ENCODE
        places = _places(body, members)
        is_large = is_large or places is not None
        if places is None:
            return [_ENCODE({**members, **changes})]
    if not changes:
        return [body]
    if places is None:
        absent = {name: new for name, new in changes.items() if name not in values}
        return [spell({**absent, **values, **changes})]
    return _spliced(body, places, changes)
