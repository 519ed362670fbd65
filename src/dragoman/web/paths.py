"""What a path is. Routing looks at paths only, never into bodies."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

from msgspec import Struct

from dragoman.dialects.base import ClientDialect

MAX_PATH: Final = 2048
_KEPT: Final = 4096


class Endpoint(Struct, frozen=True):
    """Where a conversation request of one dialect arrives."""

    dialect: ClientDialect
    provider: str | None
    """The only provider that may answer; ``None`` means any."""
    api: str | None = None
    """Version of the provider's API, where the path decides on it; ``None`` leaves it to the
    provider's settings."""


def normalised(path: str) -> str:
    """``path`` without what clients get wrong: doubled and trailing slashes, a missing or doubled
    version. ``/chat/completions``, ``/v1//chat/completions/`` and ``/v1/v1/chat/completions`` all
    become ``/v1/chat/completions``; other versions (``/v2/...``) are taken for ``/v1``.
    """
    parts = [part for part in path.split("/") if part]
    while parts and re.fullmatch(r"v[1-9]", parts[0]):
        parts.pop(0)
    return "/v1/" + "/".join(parts)


class Paths:
    """The table of conversation endpoints, tolerant of what clients get wrong."""

    def __init__(
        self,
        dialects: Mapping[str, ClientDialect],
        providers: Collection[str],
        *,
        api_by_path: bool = False,
    ) -> None:
        """``dialects``: canonical path (``/v1/chat/completions``) -> what is spoken there. With
        ``api_by_path`` the version in a path is that of the provider's API.
        """
        self._dialects = dict(dialects)
        self._providers = frozenset(providers)
        self._api_by_path = api_by_path
        self._found: dict[bytes, Endpoint | None] = {
            path.encode(): self._search(path) for path in dialects
        }

    def find(self, raw_path: bytes) -> Endpoint | None:
        """The endpoint at ``raw_path`` (without its query), or ``None``."""
        try:
            return self._found[raw_path]
        except KeyError:
            if len(raw_path) > MAX_PATH:
                return None
            endpoint = self._search(raw_path.decode("latin-1"))
            if len(self._found) < _KEPT:  # callers choose paths: remember only so many
                self._found[raw_path] = endpoint
            return endpoint

    def _search(self, path: str) -> Endpoint | None:
        provider: str | None = None
        first, _, rest = path.lstrip("/").partition("/")
        if first in self._providers:
            provider, path = first, rest
        dialect = self._dialects.get(normalised(path))
        api = _api_of(path) if self._api_by_path else None
        return Endpoint(dialect, provider, api) if dialect is not None else None


def _api_of(path: str) -> str | None:
    """The first version in ``path``, where a provider may have it."""
    version = re.search(r"(?:^|/)(v[12])/", path)
    return version[1] if version else None
