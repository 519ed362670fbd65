"""An upstream made of raw bytes: each connection runs a script, so that every misbehaviour can
be played over a real socket.

A script is a coroutine function that gets a ``Peer``::

    async def answers_twice(peer):
        await peer.request()
        await peer.write(OK + OK)

    async with ScriptedUpstream(answers_twice) as upstream:
        ... upstream.url ...

The first connection runs the first script, and so on; the last script serves all that follow.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Self


@dataclass
class Request:
    head: bytes
    body: bytes


@dataclass
class Peer:
    """The upstream's end of one connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    requests: list[Request]

    async def request(self) -> Request:
        """The next whole request; ``EOFError`` if the client closes instead."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        size = 0
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                size = int(value)
        request = Request(head, await self.reader.readexactly(size))
        self.requests.append(request)
        return request

    async def write(self, data: bytes) -> None:
        """Raises ``ConnectionError`` if the client has closed, whichever loop this runs on."""
        if self.writer.is_closing():
            raise ConnectionResetError("the client has closed")
        self.writer.write(data)
        await self.writer.drain()

    async def dribble(self, data: bytes, size: int = 1) -> None:
        """Write in pieces that arrive as reads of their own, if the client is on this loop."""
        for at in range(0, len(data), size):
            await self.write(data[at : at + size])
            # In the next round asyncio's loop looks whether there is something to read, and goes
            # on here before it reads it.
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    def half_close(self) -> None:
        self.writer.write_eof()

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        """RST instead of FIN."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def gone(self) -> None:
        """Wait until the client has closed."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65536):
                pass


Script = Callable[[Peer], Awaitable[None]]


def answering(*answers: bytes) -> Script:
    """Answers each request of a connection with the next of ``answers``, the last one for ever."""

    async def script(peer: Peer) -> None:
        at = 0
        while True:
            await peer.request()
            await peer.write(answers[min(at, len(answers) - 1)])
            at += 1

    return script


def ok(body: bytes = b"", *headers: bytes) -> bytes:
    lines = [b"HTTP/1.1 200 OK", b"content-length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chunked(*chunks: bytes, headers: bytes = b"", trailers: bytes = b"") -> bytes:
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n%b\r\n" % headers
    return head + framed + b"0\r\n" + trailers + b"\r\n"


class ScriptedUpstream:
    """A server on the loopback; see the module."""

    def __init__(
        self, *scripts: Script, context: ssl.SSLContext | None = None, host: str = "127.0.0.1"
    ) -> None:
        self.scripts = scripts or (answering(ok()),)
        self.context = context
        self.host = host
        self.connections = 0
        self.requests: list[Request] = []
        self.peers: list[Peer] = []
        self.mistakes: list[BaseException] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        scheme = "http" if self.context is None else "https"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}"

    async def __aenter__(self) -> Self:
        # A large backlog: hundreds of calls arrive at once in some tests.
        self._server = await asyncio.start_server(
            self._serve, self.host, 0, ssl=self.context, backlog=1024
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for peer in self.peers:
            transport = peer.writer.transport
            if not transport.is_closing() or transport.get_write_buffer_size():
                transport.abort()
        await asyncio.sleep(0)
        if self.mistakes:
            raise self.mistakes[0]

    def stop_listening(self) -> None:
        """Refuse new connections; those there are live on."""
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task that the server made itself is not ours to await: keep it to end it.
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        script = self.scripts[min(self.connections, len(self.scripts) - 1)]
        self.connections += 1
        peer = Peer(reader, writer, self.requests)
        self.peers.append(peer)
        try:
            await script(peer)
        except (EOFError, ConnectionError, asyncio.CancelledError):
            pass
        except BaseException as mistake:  # noqa: BLE001 - the test shall see it, whatever it is
            self.mistakes.append(mistake)
        finally:
            self._tasks.discard(task)
            writer.close()


@contextlib.asynccontextmanager
async def refusing_port() -> AsyncIterator[int]:
    """A port on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]
