"""The head of a call, as every provider that speaks JSON over HTTP/1.1 writes it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from dragoman import __version__

AGENT: Final = f"dragoman/{__version__}"
"""Value of ``user-agent``."""


def conversation_head(url: str, headers: Iterable[tuple[str, str]] = (), *, stream: bool) -> bytes:
    """Request line and headers of a POST of JSON to ``url``, without authorization and framing;
    ``headers`` come on top and win. Raises ``ValueError`` for what a head cannot hold.
    """
    address = urlsplit(url)
    lines = {
        "host": address.netloc.rpartition("@")[2],
        "user-agent": AGENT,
        "content-type": "application/json",
        "accept": "text/event-stream" if stream else "application/json",
        "accept-encoding": "identity",
        **{name.lower(): value for name, value in headers},
    }
    first = f"POST {address.path} HTTP/1.1\r\n"
    return (first + "".join(f"{k}: {v}\r\n" for k, v in lines.items())).encode("latin-1")


def operation_head(method: str, url: str, headers: Iterable[tuple[str, str]] = ()) -> bytes:
    """Request line and headers of any other call, without authorization and framing; ``headers``
    come on top and win, and only they name the type of a body. Raises as ``conversation_head``.
    """
    address = urlsplit(url)
    lines = {
        "host": address.netloc.rpartition("@")[2],
        "user-agent": AGENT,
        "accept": "application/json",
        "accept-encoding": "identity",
        **{name.lower(): value for name, value in headers},
    }
    target = f"{address.path}?{address.query}" if address.query else address.path
    first = f"{method} {target} HTTP/1.1\r\n"
    return (first + "".join(f"{k}: {v}\r\n" for k, v in lines.items())).encode("latin-1")
