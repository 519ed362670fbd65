"""Conversations served inside the server's own connection class: callbacks, no task.

``ConversationProtocol`` extends uvicorn's httptools protocol. A POST to a conversation path
becomes a ``Call`` (call.py); every other request takes uvicorn's ordinary way to the ASGI
application, and so does one that is pipelined behind an unfinished answer. What is relied on
of uvicorn's internals is held by ``tests/unit/web/test_uvicorn_contract.py``.

One timer a connection looks at one deadline: for the head of a request, for its body, for the
next request on an idle connection; while an answer is under way there is none.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dragoman.clock import Timer
from dragoman.errors import GatewayError, InvalidRequest, RequestTimeout
from dragoman.framing.repetition import Repetition
from dragoman.pipeline import RequestHead
from dragoman.web.arrivals import (
    HEAD_LIMIT,
    HIGH_WATER,
    MAX_HEADERS,
    head_too_large,
    head_without_upgrade,
    new_request_id,
    too_large,
)
from dragoman.web.call import Call
from dragoman.web.front import Front
from dragoman.web.paths import Endpoint
from dragoman.web.reply import Headers, head_block, refusal_headers

LINGER: Final = 10.0
"""Seconds for which the rest of a refused body is still read, so that its sender gets to see
the answer instead of a reset connection."""

_WATCHED: Final = frozenset(
    {b"host", b"expect", b"content-length", b"transfer-encoding", b"upgrade"}
)
MAX_OVERHEAD: Final = 8
"""Bytes on the wire for each of a body, beyond a head's worth; chunks of one byte take six."""
_NO_HEADERS: Final[Headers] = []


class ConversationProtocol(HttpToolsProtocol):
    """One client connection; ``serving`` makes the subclass that knows the house."""

    front: Front
    transport: asyncio.Transport
    cycle: Any  # uvicorn's own, or a Call

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.writing_is_paused = False
        self._call: Call | None = None
        self._is_lingering = False
        self._refusal: GatewayError | None = None
        """Why the parser was told to stop."""
        self._is_receiving = False
        """A request has begun and not ended."""
        self._is_in_head = False
        self._received = 0
        """Bytes of the unfinished request in the reads before this one."""
        self._until = 0.0
        """When the head, and then the body, must have arrived; 0 while nobody has had to wait."""
        self._hosts = 0
        self._is_upgrading = False
        self._announced = 0
        """Bytes of body that the head promises."""
        self._deadline: float | None = None
        self._timer: Timer | None = None
        self._default_headers: list[tuple[bytes, bytes]] = _NO_HEADERS
        self._default_block = b""
        self._repetition = Repetition()
        self._known: tuple[Endpoint, RequestHead] | None = None
        """What the head means that this connection may repeat."""
        self._learnt: tuple[Endpoint, RequestHead] | None = None
        """What the head of the request that this read has completed means."""

    # The connection.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(HIGH_WATER)
        self._deadline = self.front.clock.now() + self.front.receive_timeout
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        call, self._call = self._call, None
        super().connection_lost(exc)
        self.cycle = None  # it refers to this connection: nothing may be left to the collector
        if call is not None and call.exchange is not None:
            exchange, call.exchange = call.exchange, None
            self.front.disconnects += 1
            exchange.client_gone()

    def pause_writing(self) -> None:
        self.writing_is_paused = True
        if self._call is not None and self._call.exchange is not None:
            self._call.exchange.paused()
        else:
            super().pause_writing()

    def resume_writing(self) -> None:
        self.writing_is_paused = False
        if self._call is not None and self._call.exchange is not None:
            self._call.exchange.resumed()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """As uvicorn's without web sockets; time is only looked at when a read leaves a request
        unfinished, which most do not.
        """
        if self._is_lingering:
            return
        known = self._known
        if known is not None and not self._is_receiving and self._is_free:
            body = self._repetition.body_of(data)
            if body is not None and len(body) <= self.front.body_limit:
                self._deadline = None
                endpoint, head = known
                self._call = self.cycle = call = Call(self, endpoint, keep_alive=True)
                call.run_known(head, body)
                return
        self._parse(data)

    @property
    def _is_free(self) -> bool:
        """No answer is under way on this connection."""
        return self._call is None and (self.cycle is None or self.cycle.response_complete)

    def _parse(self, data: bytes) -> None:
        is_start = not self._is_receiving
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._is_upgrading:
                # The old parser takes the body for that protocol.
                head = head_without_upgrade(self.parser.get_method(), self.url, self.headers)
                self.parser = httptools.HttpRequestParser(self)
                self._parse(head + data[upgrade.args[0] :])
            else:
                self._unsupported_upgrade_warning()
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        else:
            if self._is_receiving:
                self._await_more(len(data))
            elif is_start and self._learnt is not None:
                self._known = self._learnt if self._repetition.learn(data) else None

    # The parser's callbacks.

    def on_message_begin(self) -> None:
        """Only what a conversation needs; the ASGI scope is made when a request turns out to
        need one.
        """
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._is_receiving = True
        self._is_in_head = True
        self._learnt = None
        self._received = 0
        self._until = 0.0
        self._hosts = 0
        self._is_upgrading = False
        self._announced = 0

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_in_head:
            return  # a trailer may not count as if it stood in the head (RFC 9110, section 6.5.1)
        name = name.lower()
        self.headers.append((name, value))
        if name in _WATCHED:
            self._watch(name, value)

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        self._until = 0.0
        if len(self.headers) > MAX_HEADERS or len(self.url) > HEAD_LIMIT:
            self._stop_parsing(head_too_large())
        if self._is_upgrading:
            self._is_upgrading = self.parser.should_upgrade()
            if self._is_upgrading:
                return
        if self._is_free:
            parser = self.parser
            if parser.get_method() == b"POST" and parser.get_http_version() == "1.1":
                path, _, _ = self.url.partition(b"?")
                endpoint = self.front.paths.find(path)
                if endpoint is not None:
                    self._begin_call(endpoint)
                    return
        self._ordinary_request()

    def on_body(self, body: bytes) -> None:
        call = self._call
        if call is not None and self.cycle is call:
            call.parts.append(body)
            call.size += len(body)
            if call.size > self.front.body_limit:
                call.parts.clear()
                call.refuse(too_large(self.front.body_limit))
        elif not self._is_lingering:  # a refused body's rest may come in the same read
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._is_upgrading:
            return
        self._is_receiving = False
        self._deadline = None
        call = self._call
        if call is not None and self.cycle is call:
            head = call.run(self.headers, self.url)
            if head is not None and call.keep_alive and not self.expect_100_continue:
                self._learnt = (call.endpoint, head)
        elif not self._is_lingering:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls when the parser gives up: bytes that are no HTTP, or our own stop."""
        error = self._refusal or InvalidRequest(f"{msg} The bytes received are not valid HTTP/1.1.")
        call = self._call
        if call is not None and call.exchange is None:  # its body has not come to its end
            call.refuse(error)
            return
        if not self._is_free:
            self.transport.abort()  # an answer is under way: nothing may be written into it
            return
        if self._is_lingering:
            return
        body = self.front.default_dialect.write_error(error)
        block = head_block(error.status, refusal_headers())
        head = self.head(block, new_request_id(), keep_alive=False)
        self.transport.write(b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body))
        self._linger()

    # Conversations.

    def _begin_call(self, endpoint: Endpoint) -> None:
        front = self.front
        self._call = self.cycle = call = Call(
            self, endpoint, keep_alive=self.parser.should_keep_alive()
        )
        if self._announced > front.body_limit:
            call.refuse(too_large(front.body_limit))
            return
        if self.expect_100_continue:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def head(self, block: bytes, request_id: str, *, keep_alive: bool) -> bytes:
        """``block`` with the headers that every answer gets; framing and empty line are missing."""
        if self.server_state.default_headers is not self._default_headers:
            self._render_defaults()
        end = b"" if keep_alive else b"connection: close\r\n"
        return b"%b%bx-request-id: %b\r\n%b" % (
            block,
            self._default_block,
            request_id.encode(),
            end,
        )

    def answered(self, *, keep_alive: bool) -> None:
        """The answer's last byte has been written."""
        self._call = None
        if keep_alive:
            self.on_response_complete()
        elif self._is_receiving:
            self._linger()
        else:
            self.server_state.total_requests += 1
            self.transport.close()

    def on_response_complete(self) -> None:
        """As uvicorn's, but the wait for the next request is a deadline, not a timer."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._deadline = self.front.clock.now() + self.front.keep_alive

    def _linger(self) -> None:
        """Say that nothing more will come, and pass over what the client still sends."""
        self._is_lingering = True
        self._deadline = self.front.clock.now() + LINGER
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    def _ordinary_request(self) -> None:
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url = url
        self.headers += headers
        self.expect_100_continue = expects
        super().on_headers_complete()

    def _render_defaults(self) -> None:
        """The server's own headers (``date``) change once a second."""
        self._default_headers = self.server_state.default_headers
        self._default_block = b"".join(b"%b: %b\r\n" % one for one in self._default_headers)

    # Bounds.

    def _watch(self, name: bytes, value: bytes) -> None:
        """A header that is looked at while it comes in."""
        if name == b"host":
            self._hosts += 1
            if self._hosts > 1:
                self._stop_parsing(InvalidRequest("The request has two Host headers."))
        elif name == b"content-length":
            self._announced = int(value)  # the parser has seen to it that these are digits
        elif name == b"upgrade":
            self._is_upgrading = True
        elif name == b"transfer-encoding":
            if value.strip().lower() != b"chunked":
                self._stop_parsing(InvalidRequest("The only Transfer-Encoding taken is chunked."))
        elif value.lower() == b"100-continue":
            self.expect_100_continue = True

    def _await_more(self, size: int) -> None:
        """A read of ``size`` bytes has left a request unfinished: bound what is still to come.

        The parser tells of a header when it is whole, which a hostile one never is, so that the
        bytes of an unfinished head are counted here.
        """
        front = self.front
        now = front.clock.now()
        if not self._until:
            self._until = now + (front.receive_timeout if self._is_in_head else front.body_timeout)
        self._received += size
        self._deadline = min(self._until, now + front.receive_timeout)
        if self._is_in_head:
            self._deadline = self._until
            if self._received > HEAD_LIMIT:
                self._refusal = head_too_large()
                self.send_400_response("")
            return
        call = self._call
        if call is None or call.exchange is not None:
            return
        if self._received > MAX_OVERHEAD * (call.size + HEAD_LIMIT):
            call.refuse(InvalidRequest("The body is all chunk framing and no content."))

    def _stop_parsing(self, error: GatewayError) -> None:
        """The parser wraps this and gives up, which ends in ``send_400_response``."""
        self._refusal = error
        raise error

    def _look(self) -> None:
        """The timer: end what has taken too long."""
        front = self.front
        now = front.clock.now()
        if self._deadline is not None and now >= self._deadline:
            self._timer = None
            self._expired()
            return
        pause = min(front.receive_timeout, front.keep_alive, LINGER) / 2
        self._timer = front.wheel.at(now + pause, self._look)

    def _expired(self) -> None:
        call = self._call
        if call is not None and not call.response_complete:
            call.refuse(RequestTimeout("The request's body did not arrive in time."))
        self.transport.close()


def serving(front: Front) -> type[ConversationProtocol]:
    """The protocol class to hand to uvicorn as its ``http`` implementation."""
    return type("HouseProtocol", (ConversationProtocol,), {"front": front})
