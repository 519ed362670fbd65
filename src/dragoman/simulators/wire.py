"""The server's side of a connection, for what ASGI cannot say: bad framing, a cut, a client gone.

``SimulatorProtocol`` is uvicorn's httptools protocol with one addition: each request's scope holds
a ``Wire`` under ``scope["state"]["wire"]``. Under any other server ``PlainWire`` takes its place:
all works but the faults that need the socket.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Mapping
from typing import Any, Protocol

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class ClientGone(Exception):
    """The client closed the connection before it had the whole answer."""


class Wire(Protocol):
    """What an answer may do to its connection."""

    @property
    def is_gone(self) -> bool:
        """Whether the client left before the answer was complete."""
        ...

    @property
    def certificate(self) -> str | None:
        """Common name of the client certificate, where one was shown and checked."""
        ...

    async def pause(self, seconds: float) -> None:
        """Wait; raises ``ClientGone`` as soon as the client leaves."""
        ...

    def write_raw(self, data: bytes) -> None:
        """Put bytes on the connection as they are, outside any framing."""
        ...

    def close(self, *, with_reset: bool = False) -> None:
        """End the connection here and now, in the middle of whatever was promised."""
        ...


class PlainWire:
    """No access to the connection: pauses work, raw faults raise ``RuntimeError``."""

    is_gone = False
    certificate = None

    async def pause(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    def write_raw(self, data: bytes) -> None:
        """Refuse: the server does not give the connection away."""
        raise RuntimeError(
            f"{len(data)} raw bytes need the simulators' own server (SimulatorServer)"
        )

    def close(self, *, with_reset: bool = False) -> None:
        """End the answer by failing: the server then closes the connection itself."""
        raise RuntimeError(f"a cut (reset: {with_reset}) ends this answer")


class SocketWire:
    """The connection of one request under ``SimulatorProtocol``."""

    def __init__(self, protocol: SimulatorProtocol) -> None:
        self._protocol = protocol
        self._waiter: asyncio.Future[None] | None = None
        self.is_gone = False

    @property
    def certificate(self) -> str | None:
        """Common name of the client certificate, where one was shown and checked."""
        connection = self._protocol.transport.get_extra_info("ssl_object")
        shown = connection.getpeercert() if connection is not None else None
        names = dict(pair[0] for pair in (shown or {}).get("subject", ()))
        return names.get("commonName")

    async def pause(self, seconds: float) -> None:
        """Wait; the client's departure ends the wait."""
        if not self.is_gone:
            loop = self._protocol.loop
            self._waiter = loop.create_future()
            timer = loop.call_later(seconds, self._wake)
            try:
                await self._waiter
            finally:
                timer.cancel()
                self._waiter = None
        if self.is_gone:
            raise ClientGone

    def write_raw(self, data: bytes) -> None:
        """Write past the server's own framing."""
        self._protocol.transport.write(data)

    def close(self, *, with_reset: bool = False) -> None:
        """FIN after what was written, or a RST that may overtake it."""
        # The server must not complain that the application left its answer unfinished.
        self._protocol.cycle.disconnected = True
        transport = self._protocol.transport
        if with_reset:
            connection = transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
        else:
            transport.close()

    def lose(self) -> None:
        """Note that the client left; wakes whoever pauses."""
        self.is_gone = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class SimulatorProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which also hands each request the means to misbehave."""

    wire: SocketWire | None = None

    def on_message_begin(self) -> None:
        """Add the wire to the scope of the request that begins."""
        super().on_message_begin()
        self.wire = SocketWire(self)
        self.scope["state"]["wire"] = self.wire

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the request in flight, unless it closed the connection itself."""
        cycle = self.cycle
        is_unfinished = cycle is not None and not cycle.response_complete and not cycle.disconnected
        if self.wire is not None and is_unfinished:
            self.wire.lose()
        super().connection_lost(exc)


def wire_of(scope: Mapping[str, Any]) -> Wire:
    """The wire of the request with this ASGI scope."""
    wire: Wire = scope.get("state", {}).get("wire") or PlainWire()
    return wire
