"""The web floor alone: a real server and real sockets around a pipeline that answers by itself."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable

import uvicorn

from dragoman.clock import LoopTicker, SystemClock, TimerWheel
from dragoman.dialects.base import ClientDialect
from dragoman.sides import Answer
from dragoman.web.asgi import ConversationApp
from dragoman.web.front import Front
from dragoman.web.paths import Paths
from dragoman.web.protocol import serving


def write_error(error) -> bytes:
    return json.dumps({"error": {"message": error.message, "kind": error.kind}}).encode()


DIALECT = ClientDialect(
    name="fake",
    read_request=None,
    write_response=None,
    write_error=write_error,
    stream_writer=None,
    stream_error=None,
    passage=None,
    read_usage=None,
)


class EchoExchange:
    """What the connection holds while an answer is under way; notes what it is told."""

    def __init__(self, arrival, client) -> None:
        self.arrival = arrival
        self.client = client
        self.told: list[str] = []

    def client_gone(self) -> None:
        self.told.append("gone")

    def paused(self) -> None:
        self.told.append("paused")

    def resumed(self) -> None:
        self.told.append("resumed")


class EchoPipeline:
    """Answers with what it got, unless the body names something else to do."""

    def __init__(self) -> None:
        self.exchanges: list[EchoExchange] = []
        self.act: Callable[[EchoExchange], None] = self.echo

    def begin(self, arrival, client) -> EchoExchange:
        exchange = EchoExchange(arrival, client)
        self.exchanges.append(exchange)
        self.act(exchange)
        return exchange

    @staticmethod
    def echo(exchange: EchoExchange) -> None:
        exchange.client.reply(Answer(status=200), exchange.arrival.body)


async def inner_app(scope, receive, send) -> None:
    """Stands for the pages: answers everything with 200 and its path."""
    body = b"page " + scope["path"].encode()
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Served:
    def __init__(self, front: Front, port: int, server: uvicorn.Server) -> None:
        self.front = front
        self.port = port
        self.server = server
        self.pipeline: EchoPipeline = front.pipeline

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)

    async def exchange_bytes(self, sent: bytes, *, half_close: bool = False) -> bytes:
        """Everything the server says to ``sent`` until it closes the connection."""
        reader, writer = await self.connect()
        try:
            writer.write(sent)
            if half_close:
                writer.write_eof()
            return await asyncio.wait_for(reader.read(), 10)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def serve_echo(*, callbacks: bool = True, **limits: float) -> AsyncIterator[Served]:
    """``limits`` are attributes of ``Front``."""
    clock = SystemClock()
    wheel = TimerWheel(clock.now(), tick=0.02)
    paths = Paths({"/v1/chat/completions": DIALECT}, [])
    front = Front(EchoPipeline(), paths, DIALECT, clock, wheel)
    for name, value in limits.items():
        assert hasattr(front, name)
        setattr(front, name, value)
    ticker = LoopTicker(wheel, clock, asyncio.get_running_loop())
    ticker.start()
    config = uvicorn.Config(
        ConversationApp(front, lambda: inner_app, contextlib.nullcontext),
        http=serving(front) if callbacks else "httptools",
        port=0,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext
    task = asyncio.ensure_future(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Served(front, port, server)
    finally:
        server.should_exit = True
        await task
        ticker.stop()


def post(body: bytes, *headers: str, path: str = "/v1/chat/completions") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """One answer of either framing."""
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode()
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = b""
    if "content-length" in headers:
        body = await asyncio.wait_for(reader.readexactly(int(headers["content-length"])), 10)
    else:
        while True:
            size = int(await asyncio.wait_for(reader.readline(), 10), 16)
            body += (await asyncio.wait_for(reader.readexactly(size + 2), 10))[:-2]
            if size == 0:
                break
    return int(first.split()[1]), headers, body
