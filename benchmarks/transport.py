"""Microseconds a call and a chunk of the transport, without any socket, beside what llhttp takes
for the same bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httptools
from translators import measured

from dragoman.clock import SystemClock, TimerWheel
from dragoman.transport.calls import Call
from dragoman.transport.http1 import Connection
from dragoman.transport.pool import OriginPool

EVENT = b"data: " + b"x" * 317 + b"\n\n"
CHUNK = b"%x\r\n%b\r\n" % (len(EVENT), EVENT)
BODY = b"{" + b"x" * 1500 + b"}"
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
FEW = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_0123456789\r\n"
MANY = FEW + b"".join(b"X-Header-%d: some value of the usual length\r\n" % at for at in range(16))
LENGTH = b"content-length: %d\r\n\r\n" % len(BODY)
CALL = Call(
    head=b"POST /v1/chat/completions HTTP/1.1\r\nhost: upstream\r\nauthorization: Bearer key\r\n",
    body=(b"{" + b"x" * 480 + b"}",),
)


class Wire:
    """A transport and a listener that take everything and do nothing."""

    def write(self, data: bytes) -> None: ...
    def abort(self) -> None: ...
    def head(self, head: object) -> None: ...
    def data(self, block: bytes) -> None: ...
    def end(self, block: bytes) -> None: ...
    def lost(self, error: Exception) -> None: ...

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0


class Bare:
    """The least that llhttp can be asked to tell."""

    def on_body(self, block: bytes) -> None: ...
    def on_message_complete(self) -> None: ...


class Dialed:
    """Opens one connection, which leads nowhere."""

    def __init__(self) -> None:
        self.is_open = asyncio.Event()

    async def dial(self, make: Callable[[], Connection]) -> Connection:
        self.connection = make()
        self.connection.connection_made(Wire())
        self.is_open.set()
        return self.connection


async def connected(pool: OriginPool, dialed: Dialed) -> Connection:
    """The only connection of ``pool``, idle."""
    pool.send(CALL, Wire())
    await dialed.is_open.wait()
    dialed.connection.data_received(FEW + LENGTH + BODY)
    return dialed.connection


def calls(pool: OriginPool, connection: Connection, head: bytes) -> tuple[float, float]:
    """One request and its answer in one read: ours, and llhttp's part."""
    answer, wire = head + LENGTH + BODY, Wire()

    def ours() -> None:
        pool.send(CALL, wire)
        connection.data_received(answer)

    return measured(ours), measured(lambda: httptools.HttpResponseParser(Bare()).feed_data(answer))


def chunks(pool: OriginPool, connection: Connection, per_read: int) -> tuple[float, float]:
    """A chunk of a stream under way."""
    block = CHUNK * per_read
    pool.send(CALL, Wire())
    connection.data_received(STREAM)
    parser = httptools.HttpResponseParser(Bare())
    parser.feed_data(STREAM)
    found = (
        measured(lambda: connection.data_received(block), per_read),
        measured(lambda: parser.feed_data(block), per_read),
    )
    connection.data_received(b"0\r\n\r\n")
    return found


def main() -> None:
    dialed = Dialed()
    pool = OriginPool(dialed, wheel=TimerWheel(SystemClock.now()), clock=SystemClock())
    connection = asyncio.run(connected(pool, dialed))
    print("| what | us | llhttp alone |\n|---|---|---|")
    for name, (ours, bare) in {
        "a call, 3 headers": calls(pool, connection, FEW),
        "a call, 19 headers": calls(pool, connection, MANY),
        "a chunk, 1 a read": chunks(pool, connection, 1),
        "a chunk, 64 a read": chunks(pool, connection, 64),
    }.items():
        print(f"| {name} | {ours:.2f} | {bare:.2f} |")


if __name__ == "__main__":
    main()
