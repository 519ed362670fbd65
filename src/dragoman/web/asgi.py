"""Conversations as one plain ASGI callable, driving the same exchanges.

The way for pipelined requests, for HTTP/1.0, for servers other than uvicorn
(``server.http = "asgi"``) and for tests. What is not a conversation goes on to the pages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from msgspec.structs import replace

from dragoman.errors import GatewayError, MethodNotAllowed
from dragoman.exchange import Exchange
from dragoman.pipeline import Arrival
from dragoman.sides import Answer, ClientSide
from dragoman.web.arrivals import (
    HEAD_LIMIT,
    MAX_HEADERS,
    decompressed,
    head_too_large,
    new_request_id,
    read_head,
    too_large,
)
from dragoman.web.front import Front
from dragoman.web.paths import Endpoint
from dragoman.web.reply import Headers, answer_headers, refusal_headers

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HIGH_WATER = 256 * 1024
"""Bytes waiting to be sent before the upstream is paused."""


class Outbox:
    """The client's side of an exchange: what it says is queued as ASGI messages."""

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id
        self._waiting: list[Message] = []
        self._news = asyncio.Event()
        self._size = 0
        self.exchange: Exchange | None = None
        self.arrival: Arrival | None = None
        self.is_complete = False

    def reply(self, answer: Answer, body: bytes) -> None:
        self.whole(answer.status, answer_headers(answer, stream=False), body)

    def open(self, answer: Answer, block: bytes) -> None:
        self._start(answer.status, answer_headers(answer, stream=True))
        self.write(block)

    def write(self, block: bytes) -> None:
        if block:
            self._size += len(block)
            self._put({"type": "http.response.body", "body": block, "more_body": True})
            if self._size > HIGH_WATER and self.exchange is not None:
                self.exchange.paused()

    def close(self, block: bytes) -> None:
        self._put({"type": "http.response.body", "body": block, "more_body": False})
        self.is_complete = True

    def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """A complete answer at once."""
        self._start(status, [*headers, (b"content-length", b"%d" % len(body))])
        self.close(body)

    async def deliver(self, send: Send) -> None:
        """Send what is said until the answer is complete."""
        while True:
            await self._news.wait()
            self._news.clear()
            waiting, self._waiting = self._waiting, []
            complete = self.is_complete
            for message in waiting:
                await send(message)
            self._size = 0
            if complete:
                return
            if self.exchange is not None:
                self.exchange.resumed()

    def _start(self, status: int, headers: Headers) -> None:
        headers = [*headers, (b"x-request-id", self._request_id.encode())]
        self._put({"type": "http.response.start", "status": status, "headers": headers})

    def _put(self, message: Message) -> None:
        self._waiting.append(message)
        self._news.set()


class ConversationApp:
    """ASGI callable."""

    def __init__(
        self,
        front: Front,
        build_pages: Callable[[], App],
        lifespan: Callable[[], AbstractAsyncContextManager[None]],
    ) -> None:
        """``build_pages`` makes the application for everything else, when it is first asked for:
        what it imports would delay the first answer of a gateway that has just started.
        """
        self._front = front
        self._build_pages = build_pages
        self._pages: App | None = None
        self._lifespan = lifespan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the server's lifespan."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        raw_path = scope.get("raw_path") or scope["path"].encode()
        endpoint = self._front.paths.find(raw_path)
        if endpoint is not None:
            await self._converse(endpoint, scope, receive, send)
            return
        if self._pages is None:
            self._pages = self._build_pages()
        path = self._front.paths.page(scope["path"])
        await self._pages({**scope, "path": path}, receive, _identified(send))

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()  # lifespan.startup
        async with self._lifespan():
            await send({"type": "lifespan.startup.complete"})
            await receive()  # lifespan.shutdown
        await send({"type": "lifespan.shutdown.complete"})

    async def _converse(
        self, endpoint: Endpoint, scope: Scope, receive: Receive, send: Send
    ) -> None:
        request_id = new_request_id()
        outbox = Outbox(request_id)
        front = self._front
        limit = front.body_limit
        try:
            if scope["method"] != "POST":
                raise MethodNotAllowed(
                    "Conversations are asked for with POST and a JSON body.",
                    code="method_not_allowed",
                )
            _check_head(scope["headers"])
            body = await _read(receive, limit)
            if body is None:
                return
            url = b"?" + scope["query_string"]
            head, encoding = read_head(endpoint, scope["headers"], front.wanted, url)
            if front.tap is not None:
                head = replace(head, headers=tuple(scope["headers"]))
            if encoding:
                body = decompressed(body, encoding, limit)
        except GatewayError as error:
            outbox.whole(error.status, refusal_headers(), endpoint.dialect.write_error(error))
            await outbox.deliver(send)
            return
        arrival = Arrival(head, body, request_id)
        client: ClientSide = outbox
        if front.tap is not None:
            client = front.tap(arrival, (scope.get("client") or ("",))[0], outbox)
        outbox.exchange = front.pipeline.begin(arrival, client)
        await self._until_over(outbox, receive, send)

    async def _until_over(self, outbox: Outbox, receive: Receive, send: Send) -> None:
        delivery = asyncio.ensure_future(outbox.deliver(send))
        departure = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait({delivery, departure}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            departure.cancel()
            if not delivery.done():
                delivery.cancel()
            if not outbox.is_complete and outbox.exchange is not None:
                self._front.disconnects += 1
                outbox.exchange.client_gone()
        if delivery.done() and not delivery.cancelled():
            delivery.result()


def _identified(send: Send) -> Send:
    """``send``, which gives every answer an ``x-request-id`` that has none."""

    async def identified(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            if all(name != b"x-request-id" for name, _ in headers):
                headers.append((b"x-request-id", new_request_id().encode()))
            message = {**message, "headers": headers}
        await send(message)

    return identified


def _check_head(headers: Sequence[tuple[bytes, bytes]]) -> None:
    """The bounds that the server in front may not have."""
    size = sum(len(name) + len(value) for name, value in headers)
    if size > HEAD_LIMIT or len(headers) > MAX_HEADERS:
        raise head_too_large()


async def _read(receive: Receive, limit: int) -> bytes | None:
    """The whole body, or ``None`` when the client hangs up before its end."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise too_large(limit)
        parts.append(part)
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
