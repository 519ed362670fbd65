"""URLs of upstreams: checked once, at start.

``read_url`` takes a URL apart into the ``Address`` that is connected to and the path that is
asked for; ``request_head`` writes the head of a call to it. Both refuse whatever could smuggle
something: other schemes, a user name in the URL, white space, line ends in headers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_UNSAFE_IN_URL = re.compile(r"[\x00-\x20\x7f-\x9f\\]")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_UNSAFE_IN_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")


class Address(Struct, frozen=True):
    """One origin: what a connection pool belongs to."""

    scheme: str
    """``http`` or ``https``."""
    host: str
    """A name in its ASCII form, or an IP address; IPv6 without brackets."""
    port: int

    @property
    def secure(self) -> bool:
        """TLS is spoken there."""
        return self.scheme == "https"

    @property
    def host_header(self) -> str:
        """Value of the ``host`` header: brackets around IPv6, no port where it is the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


def read_url(url: str) -> tuple[Address, str]:
    """The address and the request target (path and query, at least ``/``) of an upstream's URL.

    Raises:
        ValueError: not an absolute http or https URL, a user name in it, a bad port, white space
            or control characters. The text never repeats the URL: it may hold a secret.
    """
    parts = split_url(url)
    if parts.scheme not in DEFAULT_PORTS:
        raise ValueError("an upstream's URL begins with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("an upstream's URL must not hold a user name or password")
    address = Address(parts.scheme, read_host(parts), _port(parts) or DEFAULT_PORTS[parts.scheme])
    target = parts.path or "/"
    if parts.query:
        target = f"{target}?{parts.query}"
    if not target.isascii():
        raise ValueError("the path of an upstream's URL must be percent-encoded")
    return address, target


def split_url(url: str) -> SplitResult:
    """``urlsplit`` with a check for characters that no URL has. Raises ``ValueError``."""
    if _UNSAFE_IN_URL.search(url):
        raise ValueError("a URL must not hold white space, control characters or backslashes")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ValueError("the URL cannot be read; is a bracket of an IPv6 address missing?") from (
            error
        )
    _port(parts)
    return parts


def read_host(parts: SplitResult) -> str:
    """The host of a URL in its ASCII form. Raises ``ValueError`` where there is none."""
    host = parts.hostname
    if not host:
        raise ValueError("the URL names no host")
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ValueError("the URL's host name is not a valid domain name") from error


def _port(parts: SplitResult) -> int | None:
    try:
        port = parts.port
    except ValueError as error:
        raise ValueError("the URL's port is not a number from 1 to 65535") from error
    if port == 0:
        raise ValueError("the URL's port is not a number from 1 to 65535")
    return port


def request_head(method: str, url: str, headers: Mapping[str, str]) -> bytes:
    """Request line and headers for ``Call.head``: ``host`` and ``accept-encoding: identity`` are
    added, framing headers are not (they are the transport's affair).

    Raises:
        ValueError: a bad URL or method, a header name that is no token, a value with a line end
            or beyond Latin-1, or a framing header.
    """
    address, target = read_url(url)
    if not _TOKEN.fullmatch(method):
        raise ValueError("the request method is not a token")
    lines = [f"{method} {target} HTTP/1.1"]
    names = {name.lower() for name in headers}
    if "host" not in names:
        lines.append(f"host: {address.host_header}")
    if "accept-encoding" not in names:
        lines.append("accept-encoding: identity")
    if names & {"content-length", "transfer-encoding", "connection"}:
        raise ValueError("framing headers are the transport's affair")
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            raise ValueError("a header's name is not a token")
        if _UNSAFE_IN_VALUE.search(value):
            raise ValueError(
                f"the value of the header {name} holds a control character or one beyond Latin-1"
            )
        lines.append(f"{name}: {value}")
    return ("\r\n".join(lines) + "\r\n").encode("latin-1")
