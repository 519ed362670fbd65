"""Calls from web pages of other origins (CORS), where the settings allow any.

Starlette's middleware knows the rules and answers pre-flights and pages; conversations, which do
not pass through it, get the same headers from ``headers``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from starlette.middleware.cors import CORSMiddleware

from dragoman.web.reply import Headers, header_text

_SHOWN: Final = (
    "retry-after",
    "x-dragoman-attempts",
    "x-dragoman-changes",
    "x-dragoman-fidelity",
    "x-dragoman-target",
    "x-request-id",
)
"""Headers of answers that a page may read."""
_PREFLIGHT_SECONDS: Final = 600
"""For which a browser remembers what a pre-flight said."""


class CrossOrigin:
    """Which pages may call, by which methods and with which headers."""

    def __init__(
        self,
        origins: Collection[str],
        methods: Collection[str],
        headers: Collection[str],
        *,
        credentials: bool,
    ) -> None:
        self._options: dict[str, Any] = {
            "allow_origins": list(origins),
            "allow_methods": list(methods),
            "allow_headers": list(headers),
            "allow_credentials": credentials,
            "expose_headers": list(_SHOWN),
            "max_age": _PREFLIGHT_SECONDS,
        }
        self._rules = CORSMiddleware(_nobody, **self._options)
        # A wildcard means nothing to browsers where cookies go along: the origin is repeated.
        self._is_repeated = credentials or not self._rules.allow_all_origins

    def around(self, app: Any) -> CORSMiddleware:
        """``app`` with pre-flights answered and the headers added."""
        return CORSMiddleware(app, **self._options)

    def headers(self, received: Iterable[tuple[bytes, bytes]]) -> Headers:
        """What an answer to a request with the headers ``received`` says; nothing without
        ``origin``, and nothing that lets an origin in which is not allowed.
        """
        origin = next((value for name, value in received if name == b"origin"), None)
        if origin is None:
            return []
        said = {name.lower(): value for name, value in self._rules.simple_headers.items()}
        if self._is_repeated:
            text = origin.decode("latin-1")
            if not self._rules.is_allowed_origin(origin=text):
                return [(b"vary", b"Origin")]
            said |= {"access-control-allow-origin": text, "vary": "Origin"}
        return [(name.encode(), header_text(value)) for name, value in said.items()]


async def _nobody(scope: Any, receive: Any, send: Any) -> None:
    """The application of a middleware that is only asked for its rules."""
