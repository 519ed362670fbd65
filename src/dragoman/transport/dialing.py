"""From the wish for a connection to a connection: names, addresses, proxy, TLS.

Addresses of a name are tried as RFC 8305 ("happy eyeballs") says: families in turn, the next one
a quarter of a second after the last or as soon as that fails. Look-ups run in a thread, once for
all who ask at the same time, and are remembered for half a minute. Every failure leaves here as
an ``UpstreamError`` whose message names no host; its detail does.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from itertools import chain, zip_longest
from typing import Any, Final, NamedTuple

from dragoman.errors import (
    UNKNOWN_AUTHORITY,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from dragoman.transport.addresses import Address
from dragoman.transport.http1 import Connection
from dragoman.transport.proxy import ProxyFailed, ProxySettings, connect_through
from dragoman.transport.tls import explain, is_unknown_authority

NEXT_ADDRESS_AFTER: Final = 0.25
"""Seconds; RFC 8305, section 5."""
NAME_KEPT_FOR: Final = 30.0
"""Seconds."""


class Place(NamedTuple):
    """Where a socket can connect to."""

    family: int
    address: tuple[Any, ...]
    """As ``getaddrinfo`` says it."""


class Dialer:
    """Opens connections to one address."""

    def __init__(
        self,
        address: Address,
        *,
        context: ssl.SSLContext | None = None,
        server_name: str | None = None,
        proxy: ProxySettings | None = None,
        timeout: float = 10.0,
    ) -> None:
        self.address = address
        self._context = context if address.secure else None
        self._server_name = (server_name or address.host) if self._context is not None else None
        self._proxy = proxy
        self._timeout = timeout
        self._look_up: asyncio.Task[Sequence[Place]] | None = None
        self._places: Sequence[Place] = ()
        self._places_until = 0.0

    async def dial(self, make: Callable[[], Connection]) -> Connection:
        """One new connection, TLS handshake done.

        Raises:
            UpstreamUnavailable: no such name, refused, unreachable, certificate not accepted, the
                proxy says no.
            UpstreamTimeout: all of it took longer than ``timeout`` seconds.
        """
        try:
            async with asyncio.timeout(self._timeout):
                return await self._dial(make)
        except TimeoutError:
            where = f"{self.address.host}:{self.address.port}"
            raise UpstreamTimeout(
                "The provider could not be reached in time (connect).",
                code="connect",
                detail=f"connecting to {where} took longer than {self._timeout:g} s",
            ) from None
        except (OSError, ProxyFailed) as error:
            raise self._unavailable(error) from error

    async def _dial(self, make: Callable[[], Connection]) -> Connection:
        if self._proxy is not None:
            sock = await connect_through(self._proxy, self.address)
        else:
            sock = await race(await self._resolve())
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        _, connection = await asyncio.get_running_loop().create_connection(
            make, sock=sock, ssl=self._context, server_hostname=self._server_name
        )
        return connection

    async def _resolve(self) -> Sequence[Place]:
        loop = asyncio.get_running_loop()
        if loop.time() < self._places_until:
            return self._places
        if self._look_up is None:
            self._look_up = loop.create_task(self._ask_for_places())
        # It occupies one of the loop's few threads until the resolver gives up, whoever has given
        # up before: the next who asks waits for the same one.
        return await asyncio.shield(self._look_up)

    async def _ask_for_places(self) -> Sequence[Place]:
        try:
            found = await self._addresses()
        finally:
            self._look_up = None
        self._places = in_turn(found)
        self._places_until = asyncio.get_running_loop().time() + NAME_KEPT_FOR
        return self._places

    async def _addresses(self) -> Sequence[Place]:
        """As the resolver gives them."""
        found = await asyncio.get_running_loop().getaddrinfo(
            self.address.host, self.address.port, type=socket.SOCK_STREAM
        )
        return [Place(entry[0], entry[4]) for entry in found]

    def _unavailable(self, error: OSError | ProxyFailed) -> UpstreamError:
        self._places_until = 0.0
        where = f"{self.address.host}:{self.address.port}"
        if isinstance(error, ssl.SSLError):
            reason = explain(error)
        elif isinstance(error, socket.gaierror):
            reason = f"the name cannot be resolved ({error.strerror})"
        else:
            reason = str(error) or type(error).__name__
        code = UNKNOWN_AUTHORITY if is_unknown_authority(error) else "connect"
        return UpstreamUnavailable(
            "The provider could not be reached.", code=code, detail=f"{where}: {reason}"
        )


def in_turn(places: Sequence[Place]) -> Sequence[Place]:
    """Families alternating, the resolver's favourite first (RFC 8305, section 4)."""
    first = places[0].family if places else 0
    same = [place for place in places if place.family == first]
    other = [place for place in places if place.family != first]
    mixed = chain.from_iterable(zip_longest(same, other))
    return [place for place in mixed if place is not None]


async def race(places: Sequence[Place]) -> socket.socket:
    """The socket that connects first. Raises the first ``OSError`` if none does."""
    if len(places) == 1:
        return await _connect(places[0])
    errors: list[OSError] = []
    running: set[asyncio.Task[socket.socket]] = set()
    waiting = list(reversed(places))
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.create_task(_connect(waiting.pop())))
            done, _ = await asyncio.wait(
                running,
                timeout=NEXT_ADDRESS_AFTER if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done:
                running.discard(task)
                error = task.exception()
                if error is None:
                    return task.result()
                if not isinstance(error, OSError):
                    raise error
                errors.append(error)
    finally:
        await _give_up(running)
    raise errors[0] if errors else OSError("the name has no address")


async def _give_up(running: set[asyncio.Task[socket.socket]]) -> None:
    for task in running:
        task.cancel()
    for outcome in await asyncio.gather(*running, return_exceptions=True):
        if isinstance(outcome, socket.socket):
            outcome.close()


async def _connect(place: Place) -> socket.socket:
    sock = socket.socket(place.family, socket.SOCK_STREAM)
    try:
        sock.settimeout(0)
        await asyncio.get_running_loop().sock_connect(sock, place.address)
    except BaseException:
        sock.close()
        raise
    return sock
