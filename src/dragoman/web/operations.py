"""Operations as HTTP: the body in, the answer out, and nothing done for a client that has left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final, TypeVar

from starlette.routing import BaseRoute, Route

from dragoman.dialects.base import ClientDialect
from dragoman.errors import GatewayError, RequestTooLarge
from dragoman.operations.desk import Departed, Desk, Operation
from dragoman.operations.embeddings import Embeddings
from dragoman.operations.token_counts import TokenCounts
from dragoman.sides import Answer
from dragoman.web.arrivals import decompressed, new_request_id, read_head
from dragoman.web.asgi import Receive, Scope, Send, gone, read_body
from dragoman.web.paths import Endpoint as ConversationEndpoint
from dragoman.web.reply import Headers, answer_headers

Serve = Callable[[Operation, bytes], Awaitable[Sequence[bytes]]]
"""The body of an answer, in pieces. Raises ``GatewayError``."""

T = TypeVar("T")

LINGER: Final = 10.0
"""Seconds for which a refused body is still read."""


class Views:
    """What all operations over HTTP share."""

    def __init__(self, desk: Desk, dialect: ClientDialect, body_limit: int) -> None:
        """``dialect`` spells the errors; ``body_limit`` is in bytes."""
        self.desk = desk
        self.dialect = dialect
        self.body_limit = body_limit

    def routes(self) -> list[BaseRoute]:
        """Every operation at its path."""
        return [
            self._posted("/v1/embeddings", Embeddings(self.desk).serve),
            self._posted("/v1/tokens/count", TokenCounts(self.desk).serve),
        ]

    def _posted(self, path: str, serve: Serve) -> Route:
        """A POST of JSON."""
        return Route(path, _JsonView(self, path, serve), methods=["POST"])

    def operation(self, scope: Scope, path: str) -> tuple[Operation, bytes]:
        """What ``scope`` asks for, and the content coding of its body."""
        provider = scope.get("state", {}).get("provider")
        endpoint = ConversationEndpoint(self.dialect, provider)
        head, encoding = read_head(endpoint, scope["headers"], url=b"?" + scope["query_string"])
        operation = Operation(
            scope["method"],
            path,
            new_request_id(),
            head.tokens,
            provider,
            head.reject_unsupported,
        )
        return operation, encoding

    async def answer(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        path: str,
        work: Callable[[Operation, bytes], Awaitable[Sequence[bytes]]],
    ) -> None:
        """Serve one request: ``work`` is given the operation and the content coding of its body,
        and gives the answer's body. It may raise ``GatewayError`` or ``Departed``.
        """
        operation, encoding = self.operation(scope, path)
        try:
            with self.desk.serving(operation):
                pieces = await work(operation, encoding)
        except GatewayError as error:
            if isinstance(error, RequestTooLarge):
                await drained(receive)
            pieces = [self.dialect.write_error(error)]
        except Departed:
            return
        await send_whole(send, operation, pieces)

    async def body(self, receive: Receive, encoding: bytes) -> bytes:
        """The whole body without its content coding. Raises ``ClientError`` or ``Departed``."""
        body = await read_body(receive, self.body_limit)
        if body is None:
            raise Departed
        return decompressed(body, encoding, self.body_limit) if encoding else body


class _JsonView:
    """An ASGI application around one operation."""

    def __init__(self, views: Views, path: str, serve: Serve) -> None:
        self._views = views
        self._path = path
        self._serve = serve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def work(operation: Operation, encoding: bytes) -> Sequence[bytes]:
            body = await self._views.body(receive, encoding)
            return await while_there(receive, self._serve(operation, body))

        await self._views.answer(scope, receive, send, self._path, work)


async def drained(receive: Receive) -> None:
    """Read what is left of a refused body, for some time, so that its sender gets to see the answer
    instead of a reset connection.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER):
            while (await receive()).get("more_body"):
                pass


async def while_there(receive: Receive, work: Awaitable[T]) -> T:
    """What ``work`` gives. It is cancelled when the client hangs up first. Raises ``Departed``."""
    working = asyncio.ensure_future(work)
    departure = asyncio.ensure_future(gone(receive))
    try:
        await asyncio.wait({working, departure}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise Departed
    finally:
        departure.cancel()
        working.cancel()
        await asyncio.gather(working, departure, return_exceptions=True)


def headers_of(operation: Operation) -> Headers:
    """The headers of an operation's answer but those of its body."""
    error = operation.error
    answer = Answer(
        operation.status,
        operation.target,
        operation.attempts,
        operation.fidelity if error is None else None,
        error.retry_after if error is not None else None,
    )
    return [
        *answer_headers(answer, stream=False),
        (b"x-request-id", operation.request_id.encode()),
    ]


async def send_whole(send: Send, operation: Operation, pieces: Sequence[bytes]) -> None:
    """An answer of known length, its pieces sent one after the other and never joined."""
    size = sum(len(piece) for piece in pieces)
    headers = [*headers_of(operation), (b"content-length", b"%d" % size)]
    await send({"type": "http.response.start", "status": operation.status, "headers": headers})
    for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
