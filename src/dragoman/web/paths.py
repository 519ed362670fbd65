"""What a path is. Routing looks at paths only, never into bodies."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

from msgspec import Struct

from dragoman.dialects.base import ClientDialect

MAX_PATH: Final = 2048
_KEPT: Final = 4096
_VERSION: Final = re.compile(r"v[1-9]")
_API: Final = frozenset({
    "batches", "chat", "completions", "embeddings", "files", "images", "messages", "model",
    "models", "responses",
})  # fmt: skip
"""First segments of the API's paths behind their version."""
_UNVERSIONED: Final = frozenset({
    "admin", "bridge", "health", "me", "metrics", "ping", "ready", "status",
})  # fmt: skip
"""First segments of pages that have no version. ``bridge`` is nobody's page here, and may not be
taken for something that stands before ``models``."""
_ROOTS: Final = _API | _UNVERSIONED | {"v1", "v1beta", "v1beta1", "v2"}
"""Segments at which a path that the gateway knows may begin."""


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
    become ``/v1/chat/completions``. So does ``/v2/chat/completions``, and ``/v2/v1/...``, which is
    what clients make of a base URL that ends in ``/v2``. Health and the like have no version.
    """
    parts = [part for part in path.split("/") if part]
    seen = ""
    while parts and _VERSION.fullmatch(parts[0]) and parts[0] in {seen or parts[0], "v1"}:
        seen = parts.pop(0)
    if not parts and seen:
        return "/v1/"
    has_version = parts and (parts[0] in _API or (seen and parts[0] not in _UNVERSIONED))
    return ("/v1/" if has_version else "/") + "/".join(parts)


def without_prefix(path: str) -> str:
    """``path`` from the first segment on at which a known path may begin; as it is if none does."""
    parts = path.split("/")
    start = next((place for place, part in enumerate(parts) if part in _ROOTS), 0)
    return "/" + "/".join(parts[start:]) if start else path


class Paths:
    """The table of conversation endpoints, tolerant of what clients get wrong."""

    def __init__(
        self,
        dialects: Mapping[str, ClientDialect],
        providers: Collection[str],
        *,
        any_prefix: bool = False,
        api_by_path: bool = False,
    ) -> None:
        """``dialects``: canonical path (``/v1/chat/completions``) -> what is spoken there.
        ``any_prefix``: what stands before a known path is passed over. ``api_by_path``: the version
        in a path is that of the provider's API.
        """
        self._dialects = dict(dialects)
        self._any_prefix = any_prefix
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

    def page(self, path: str) -> str:
        """The canonical path of a page at ``path``."""
        if len(path) > MAX_PATH:
            return path
        return normalised(without_prefix(path) if self._any_prefix else path)

    def _search(self, path: str) -> Endpoint | None:
        provider, canonical = self.split(path)
        dialect = self._dialects.get(canonical)
        api = _api_of(path) if self._api_by_path else None
        return Endpoint(dialect, provider, api) if dialect is not None else None

    def split(self, path: str) -> tuple[str | None, str]:
        """The only provider that may answer at ``path``, if it names one, and what is left of the
        path, normalised.
        """
        provider: str | None = None
        first, _, rest = path.lstrip("/").partition("/")
        if first in self._providers:
            provider, path = first, rest
        return provider, self.page(path)


def _api_of(path: str) -> str | None:
    """The first version in ``path``, where a provider may have it."""
    version = re.search(r"(?:^|/)(v[12])/", path)
    return version[1] if version else None
