"""Tools that GigaChat runs itself, in the words of callers.

OpenAI's hosted tools are entries of ``tools`` with a ``type`` of their own. Settings are read
from the object under GigaChat's name, from the one under the caller's ``type``, and from members
beside ``type``; what GigaChat has no setting for is dropped by name.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from msgspec import Raw

from dragoman.dialects.gigachat.v2.draft import Draft
from dragoman.errors import InvalidRequest

WEB_SEARCH: Final = "web_search"

_NAMES: Final = {
    "code_interpreter": "code_interpreter",
    "image_generate": "image_generate",
    "image_generation": "image_generate",
    "model_3d_generate": "model_3d_generate",
    "url_content_extraction": "url_content_extraction",
}
"""``type`` of a tool -> GigaChat's name of it."""
_SEARCHES: Final = re.compile(r"web_search(_preview)?(_[0-9][0-9_]*)?")
"""OpenAI dates the versions of this tool: ``web_search_preview_2025_03_11``."""
_SEARCH_SETTINGS: Final[dict[str, Any]] = {"type": str, "indexes": list[str], "flags": list[str]}
"""Setting of ``web_search`` -> its type."""
_NEUTRAL: Final = {
    "container": {"type": "auto"},
    "search_context_size": "medium",
}
"""Member -> the value of it that asks for nothing special."""


def built_in_name(kind: str) -> str | None:
    """GigaChat's name of the tool that callers know as ``kind``; ``None`` for all others."""
    return WEB_SEARCH if _SEARCHES.fullmatch(kind) else _NAMES.get(kind)


def read_tool(draft: Draft, place: str, body: Any) -> None:
    """One entry of ``tools`` that is no function. Raises ``InvalidRequest``."""
    members = decoded(body)
    kind = members.get("type") if isinstance(members, dict) else None
    name = built_in_name(kind) if isinstance(kind, str) else None
    if name is None or name in draft.built_in:  # of two alike the first counts
        draft.fidelity.drop(place)
        return
    known = {"type", kind, name}
    settings = {key: value for key, value in members.items() if key not in known}
    for key in (kind, name):
        nested = members.get(key)
        if isinstance(nested, dict):
            settings.update(nested)
    draft.built_in[name] = _settings(draft, place, name, settings)


def read_search_options(draft: Draft, body: Any) -> None:
    """``web_search_options``: the older way to ask for the web search."""
    place = "web_search_options"
    settings = decoded(body)
    if not isinstance(settings, dict):
        raise InvalidRequest(f"Invalid type for '{place}': expected an object.", param=place)
    location = settings.get("user_location")
    if isinstance(location, dict) and isinstance(location.get("approximate"), dict):
        settings = {**settings, "user_location": location["approximate"]}
    if WEB_SEARCH in draft.built_in:
        draft.fidelity.drop(place)
    else:
        draft.built_in[WEB_SEARCH] = _settings(draft, place, WEB_SEARCH, settings)


def decoded(value: Any) -> Any:
    """A member of the caller's extras, which may be JSON text."""
    return msgspec.json.decode(value) if isinstance(value, Raw) else value


def _settings(draft: Draft, place: str, name: str, given: dict[str, Any]) -> dict[str, Any]:
    """What of ``given`` GigaChat takes. Raises ``InvalidRequest`` for a wrong type."""
    kept: dict[str, Any] = {}
    for key, value in given.items():
        if value is None or _NEUTRAL.get(key) == value:
            continue
        if key == "user_location" and name == WEB_SEARCH:
            _locate(draft, f"{place}.{key}", value)
        elif name == WEB_SEARCH and key in _SEARCH_SETTINGS:
            try:
                kept[key] = msgspec.convert(value, _SEARCH_SETTINGS[key])
            except msgspec.ValidationError as error:
                raise InvalidRequest(
                    f"Invalid '{place}.{key}': {error}.", param=f"{place}.{key}"
                ) from None
        else:
            draft.fidelity.drop(f"{place}.{key}")
    return kept


def _locate(draft: Draft, place: str, value: Any) -> None:
    """GigaChat wants to know the time zone of its user, and nothing more of the place."""
    members = value if isinstance(value, dict) else {}
    zone = members.get("timezone")
    if isinstance(zone, str) and zone:
        draft.body.setdefault("user_info", {"timezone": zone})
    if members.keys() - {"type", "timezone"} or not members:
        draft.fidelity.drop(place)
