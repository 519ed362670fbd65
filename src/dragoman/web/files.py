"""Files over HTTP: forms in, bytes out, neither of them held twice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from urllib.parse import parse_qsl

from starlette.routing import BaseRoute, Route

from dragoman.dialects.operations import Upload
from dragoman.dialects.uploads import UploadReader
from dragoman.errands import Incoming
from dragoman.errors import GatewayError, UnsupportedEncoding
from dragoman.operations.desk import Departed, Operation
from dragoman.operations.files import Files, read_page
from dragoman.web.arrivals import too_large
from dragoman.web.asgi import Receive, Scope, Send
from dragoman.web.operations import Views, headers_of, send_whole, while_there

PATH: Final = "/v1/files"
_PASSED: Final = ("content-length", "content-disposition")
"""Headers of a file's bytes that go on to the caller, beside its type."""

Answered = Callable[[Operation, str], Awaitable[Sequence[bytes]]]


class FileViews:
    """Everything under ``/v1/files``."""

    def __init__(self, views: Views, files: Files) -> None:
        self._views = views
        self._files = files

    def routes(self) -> list[BaseRoute]:
        """One for each method and path."""
        one = PATH + "/{file_id}"
        files = self._files
        return [
            Route(PATH, _App(self._upload), methods=["POST"]),
            Route(PATH, _App(self._list), methods=["GET"]),
            Route(one, _App(self._about(files.described)), methods=["GET"]),
            Route(one, _App(self._about(files.deleted)), methods=["DELETE"]),
            Route(one + "/content", _App(self._content), methods=["GET"]),
        ]

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def work(operation: Operation, encoding: bytes) -> Sequence[bytes]:
            if encoding and encoding.strip().lower() != b"identity":
                raise UnsupportedEncoding("Files are uploaded uncompressed.")
            content_type = dict(scope["headers"]).get(b"content-type", b"")
            upload = await self._received(receive, content_type)
            return await while_there(receive, self._files.upload(operation, upload))

        await self._views.answer(scope, receive, send, PATH, work)

    async def _list(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def work(operation: Operation, _encoding: bytes) -> Sequence[bytes]:
            page = read_page(dict(parse_qsl(scope["query_string"].decode("latin-1"))))
            await self._views.body(receive, b"")
            return await while_there(receive, self._files.listed(operation, page))

        await self._views.answer(scope, receive, send, PATH, work)

    def _about(self, serve: Answered) -> _Serve:
        async def view(scope: Scope, receive: Receive, send: Send) -> None:
            async def work(operation: Operation, _encoding: bytes) -> Sequence[bytes]:
                await self._views.body(receive, b"")
                file_id = scope["path_params"]["file_id"]
                return await while_there(receive, serve(operation, file_id))

            await self._views.answer(scope, receive, send, PATH + "/{id}", work)

        return view

    async def _content(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answered by itself: the operation goes on until the last byte has been sent."""
        operation, _ = self._views.operation(scope, PATH + "/{id}/content")
        has_begun = False

        async def passed_on() -> None:
            nonlocal has_begun
            content = await self._files.content(operation, scope["path_params"]["file_id"])
            has_begun = True
            await _passed_on(send, operation, content)

        try:
            with self._views.desk.serving(operation):
                await self._views.body(receive, b"")
                await while_there(receive, passed_on())
        except GatewayError as error:
            if not has_begun:
                pieces = [self._views.dialect.write_error(error)]
                await send_whole(send, operation, pieces)
            # Otherwise the server closes the connection: the client sees that bytes are missing.
        except Departed:
            pass

    async def _received(self, receive: Receive, content_type: bytes) -> Upload:
        """The form of a body. Raises ``ClientError`` or ``Departed``."""
        reader = UploadReader(content_type)
        left = self._views.body_limit
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Departed
            block = message.get("body", b"")
            left -= len(block)
            if left < 0:
                raise too_large(self._views.body_limit)
            if block:
                reader.feed(block)
            if not message.get("more_body"):
                return reader.close()


async def _passed_on(send: Send, operation: Operation, content: Incoming) -> None:
    try:
        await _begin(send, operation, content)
        async for block in content.blocks():
            await send({"type": "http.response.body", "body": block, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        content.close()


async def _begin(send: Send, operation: Operation, content: Incoming) -> None:
    own = [header for header in headers_of(operation) if header[0] != b"content-type"]
    told = content.headers
    kind = told.get("content-type", "application/octet-stream")
    headers = [
        *own,
        (b"content-type", kind.encode("latin-1")),
        # A file is the caller's own, but no browser shall run what one holds.
        (b"x-content-type-options", b"nosniff"),
        *((name.encode(), told[name].encode("latin-1")) for name in _PASSED if name in told),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


_Serve = Callable[[Scope, Receive, Send], Awaitable[None]]


class _App:
    """An ASGI application; a mere function would be taken for a view of requests."""

    def __init__(self, serve: _Serve) -> None:
        self._serve = serve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        await self._serve(scope, receive, send)
