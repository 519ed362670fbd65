"""One conversation request on one client connection: first its body, then its answer."""

from __future__ import annotations

import asyncio
from typing import Protocol

from dragoman.errors import ClientError, GatewayError
from dragoman.exchange import Exchange
from dragoman.pipeline import Arrival, RequestHead
from dragoman.sides import Answer, ClientSide
from dragoman.web.arrivals import decompressed, new_request_id, read_head, with_details
from dragoman.web.front import Front
from dragoman.web.paths import Endpoint
from dragoman.web.reply import Headers, head_block, header_lines, refusal_headers


class Connection(Protocol):
    """What a call needs of the connection that it came on."""

    front: Front
    transport: asyncio.Transport
    writing_is_paused: bool
    client: tuple[str, int] | None
    """Its far end."""
    headers: Headers
    """Of the last request."""

    def head(self, block: bytes, request_id: str, *, keep_alive: bool) -> bytes:
        """``block`` (see ``reply.Heads``) with the headers that every answer gets, unfinished."""
        ...

    def answered(self, *, keep_alive: bool) -> None:
        """The answer's last byte has been written."""
        ...


class Call:
    """Stands where uvicorn keeps its ``cycle`` and has the members of it that uvicorn looks at.

    Implements ``ClientSide`` for the exchange.
    """

    __slots__ = (
        "_arrival",
        "_connection",
        "_extra",
        "_request_id",
        "disconnected",
        "endpoint",
        "exchange",
        "keep_alive",
        "parts",
        "response_complete",
        "size",
    )

    def __init__(self, connection: Connection, endpoint: Endpoint, *, keep_alive: bool) -> None:
        self._connection = connection
        self.endpoint = endpoint
        self.parts: list[bytes] = []
        """Of the request's body."""
        self.size = 0
        """Their bytes."""
        self._request_id = ""
        self._extra = b""
        """Header lines that only some answers have."""
        self._arrival: Arrival | None = None
        self.keep_alive = keep_alive
        self.response_complete = False
        self.disconnected = False
        self.exchange: Exchange | None = None
        """While one is in flight."""

    @property
    def message_event(self) -> Call:
        """Uvicorn sets this event to wake a task; here there is none."""
        return self

    def set(self) -> None:
        """See ``message_event``."""

    def run(self, headers: Headers, url: bytes) -> RequestHead | None:
        """The request is complete: hand it to the pipeline.

        Returns what its head says, if another request with the same head means the same.
        """
        parts, self.parts = self.parts, []
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        front = self._connection.front
        try:
            head, encoding = read_head(self.endpoint, headers, front.wanted, url)
            if front.looks_at_heads:
                head = with_details(head, headers, front)
            if encoding:
                body = decompressed(body, encoding, front.body_limit)
        except ClientError as error:
            self.refuse(error)
            return None
        self.run_known(head, body)
        return None if encoding else head

    def run_known(self, head: RequestHead, body: bytes) -> None:
        """As ``run`` for a head that has been read already."""
        connection = self._connection
        self._request_id = request_id = new_request_id()
        self._arrival = arrival = Arrival(head, body, request_id)
        front = connection.front
        if head.answer_headers:
            self._extra = header_lines(head.answer_headers)
        client: ClientSide = self
        if front.tap is not None:
            client = front.tap(arrival, (connection.client or ("",))[0], self)
        exchange = front.pipeline.begin(arrival, client)
        if not self.response_complete:
            self.exchange = exchange
            if connection.writing_is_paused:
                exchange.paused()

    def refuse(self, error: GatewayError) -> None:
        """Answer without the pipeline and close the connection afterwards."""
        self.keep_alive = False
        self._request_id = self._request_id or new_request_id()
        connection = self._connection
        cross_origin = connection.front.cross_origin
        if cross_origin is not None and not self._extra:
            self._extra = header_lines(cross_origin.headers(connection.headers))
        block = head_block(error.status, refusal_headers())
        self._whole(block, self.endpoint.dialect.write_error(error))

    def reply(self, answer: Answer, body: bytes) -> None:
        self._whole(self._connection.front.heads.of(answer, stream=False), body)

    def open(self, answer: Answer, block: bytes) -> None:
        connection, arrival = self._connection, self._arrival
        if arrival is not None:
            arrival.first_byte = connection.front.clock.now() - arrival.started
        block_of_head = connection.front.heads.of(answer, stream=True) + self._extra
        head = connection.head(block_of_head, self._request_id, keep_alive=self.keep_alive)
        chunk = b"%x\r\n%b\r\n" % (len(block), block) if block else b""
        connection.transport.write(b"%btransfer-encoding: chunked\r\n\r\n%b" % (head, chunk))

    def write(self, block: bytes) -> None:
        self._connection.transport.write(b"%x\r\n%b\r\n" % (len(block), block))

    def close(self, block: bytes) -> None:
        last = b"%x\r\n%b\r\n0\r\n\r\n" % (len(block), block) if block else b"0\r\n\r\n"
        self._connection.transport.write(last)
        self._done()

    def _whole(self, block: bytes, body: bytes) -> None:
        connection = self._connection
        head = connection.head(block + self._extra, self._request_id, keep_alive=self.keep_alive)
        connection.transport.write(b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body))
        self._done()

    def _done(self) -> None:
        self.response_complete = True
        self.exchange = None
        self._connection.answered(keep_alive=self.keep_alive)
