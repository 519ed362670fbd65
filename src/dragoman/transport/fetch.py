"""One provider's ways out: a pool for each address, and one-shot requests over them.

``Network`` is built once for each provider from plain values of the settings. ``origin`` gives
the pool for conversation calls, ``fetch`` asks for tokens and model lists.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from dragoman.clock import Clock, TimerWheel
from dragoman.errors import UpstreamBroken, UpstreamError
from dragoman.transport.addresses import Address, read_url, request_head
from dragoman.transport.calls import Call, Head, Timeouts
from dragoman.transport.dialing import Dialer
from dragoman.transport.pool import Limits, OriginPool
from dragoman.transport.proxy import read_proxy
from dragoman.transport.tls import TlsSettings, tls_context

MAX_FETCHED: Final = 4 * 1024 * 1024
"""Bytes of a fetched body; a model list of a large marketplace is about 1 MB."""


class Fetched(Struct, frozen=True):
    """A whole answer."""

    status: int
    headers: dict[str, str]
    """See ``Head``."""
    body: bytes


class Network:
    """How one provider is reached."""

    def __init__(
        self,
        *,
        wheel: TimerWheel,
        clock: Clock,
        tls: TlsSettings | None = None,
        proxy: str | None = None,
        timeouts: Timeouts | None = None,
        limits: Limits | None = None,
    ) -> None:
        """``proxy`` is a URL. Raises ``ValueError`` (``BadTlsSettings``) for bad values."""
        self._wheel = wheel
        self._clock = clock
        self._tls = tls or TlsSettings()
        self._proxy = read_proxy(proxy) if proxy is not None else None
        self._timeouts = timeouts or Timeouts()
        self._limits = limits or Limits()
        self._context: ssl.SSLContext | None = None
        self._pools: dict[Address, OriginPool] = {}
        if tls is not None:
            # Files are read now, so that a bad one is a mistake in the settings and not of a call.
            self._context = tls_context(self._tls)

    def origin(self, url: str) -> OriginPool:
        """The pool for a URL's scheme, host and port; made on first use. Raises ``ValueError``
        for a URL that ``read_url`` refuses.
        """
        address, _ = read_url(url)
        pool = self._pools.get(address)
        if pool is None:
            pool = self._pools[address] = self._make(address)
        return pool

    async def fetch(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        limit: int = MAX_FETCHED,
    ) -> Fetched:
        """One request and its whole answer, whatever its status; redirects are not followed.
        Cancelling it closes the connection.

        Raises:
            UpstreamError: no answer (see ``Listener.lost``), or ``UpstreamBroken`` for a body of
                more than ``limit`` bytes.
            ValueError: a URL or header that must not be sent.
        """
        call = Call(
            head=request_head(method, url, headers),
            body=(body,) if body else (),
            idempotent=method in {"GET", "HEAD"},
        )
        listener = _Gathering(limit)
        flight = self.origin(url).send(call, listener)
        try:
            return await listener.answer
        finally:
            flight.abort()

    async def close(self) -> None:
        """Close all pools; what is under way is lost."""
        for pool in self._pools.values():
            await pool.close()

    def _make(self, address: Address) -> OriginPool:
        if address.secure and self._context is None:
            self._context = tls_context(self._tls)
        dialer = Dialer(
            address,
            context=self._context,
            server_name=self._tls.server_name,
            proxy=self._proxy,
            timeout=self._timeouts.connect,
        )
        return OriginPool(
            dialer,
            wheel=self._wheel,
            clock=self._clock,
            timeouts=self._timeouts,
            limits=self._limits,
        )


class _Gathering:
    """A ``Listener`` that keeps the whole answer for one who awaits it."""

    def __init__(self, limit: int) -> None:
        self.answer: asyncio.Future[Fetched] = asyncio.get_running_loop().create_future()
        self._limit = limit
        self._head: Head | None = None
        self._parts: list[bytes] = []

    def head(self, head: Head) -> None:
        self._head = head

    def data(self, block: bytes) -> None:
        self._limit -= len(block)
        self._parts.append(block)
        if self._limit < 0:
            self.lost(
                UpstreamBroken(
                    "The provider's answer is too long.",
                    detail="a token or model answer exceeds its limit",
                )
            )

    def end(self, block: bytes) -> None:
        self.data(block)
        if self._head is not None and not self.answer.done():
            body = b"".join(self._parts)
            self.answer.set_result(Fetched(self._head.status, self._head.headers, body))

    def lost(self, error: UpstreamError) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)
