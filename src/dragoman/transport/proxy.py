"""The way through a proxy: HTTP CONNECT and SOCKS5, for http and https upstreams alike.

The proxy resolves the upstream's name, for the machine behind it often cannot. Neither a message
nor a detail ever holds the proxy's user name or password.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Final
from urllib.parse import unquote

from msgspec import Struct

from dragoman.transport.addresses import Address, read_host, split_url

_PORTS: Final = {"http": 8080, "socks5": 1080, "socks5h": 1080}


class ProxySettings(Struct, frozen=True):
    """One proxy; printing it shows no secret."""

    scheme: str
    """``http``, ``socks5`` or ``socks5h`` (which mean the same here)."""
    host: str
    port: int
    username: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"ProxySettings({self.scheme!r}, {self.host!r}, {self.port!r})"


class ProxyFailed(Exception):
    """The proxy cannot be reached or does not let us through; the text is for the operator."""


def read_proxy(url: str) -> ProxySettings:
    """A proxy's URL, ``http://user:password@host:port`` or ``socks5://...``.

    Raises:
        ValueError: anything else. The text does not repeat the URL: it holds a password.
    """
    parts = split_url(url)
    if parts.scheme not in _PORTS:
        raise ValueError("a proxy's URL begins with http:// or socks5://")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError("a proxy's URL ends behind its port")
    username, password = parts.username, parts.password
    return ProxySettings(
        parts.scheme,
        read_host(parts),
        parts.port or _PORTS[parts.scheme],
        None if username is None else unquote(username),
        None if password is None else unquote(password),
    )


async def connect_through(proxy: ProxySettings, address: Address) -> socket.socket:
    """A socket whose other end is ``address``; the caller bounds the time. Raises
    ``ProxyFailed``.
    """
    # Most gateways have no proxy, and importing this takes a noticeable part of the start.
    from python_socks import ProxyConnectionError, ProxyError, ProxyType  # noqa: PLC0415
    from python_socks.async_.asyncio import Proxy  # noqa: PLC0415

    way = Proxy(
        ProxyType.HTTP if proxy.scheme == "http" else ProxyType.SOCKS5,
        proxy.host,
        proxy.port,
        proxy.username,
        # A name without a password is a user with an empty one.
        (proxy.password or "") if proxy.username is not None else None,
        rdns=True,
        loop=asyncio.get_running_loop(),
    )
    try:
        # The library's own time-out would be one minute whatever ours is.
        return await way.connect(address.host, address.port, timeout=86_400)
    except ProxyConnectionError as error:
        reason = error.strerror or "no connection"
    except (ProxyError, OSError) as error:
        reason = str(error) or type(error).__name__
    except ValueError as error:
        reason = f"it answered what its protocol forbids ({type(error).__name__})"
    for secret in (proxy.password, proxy.username):
        if secret:
            reason = reason.replace(secret, "***")
    raise ProxyFailed(f"proxy {proxy.host}:{proxy.port}: {reason}")
