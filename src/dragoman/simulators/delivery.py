"""How an answer goes out: whole or event by event, at a pace, in pieces, and with its faults.

Handlers are plain functions from a ``Call`` and a ``Plan`` to an ``Answer``; ``Endpoint`` is the
ASGI side: it reads the body, follows the call in the journal, and sends what the handler made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import msgspec

from dragoman.simulators.faults import Fault, FaultBook, Plan
from dragoman.simulators.journal import Call, Journal
from dragoman.simulators.options import SimulatorOptions
from dragoman.simulators.wire import ClientGone, Wire, wire_of

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

DONE: Final = b"data: [DONE]\n\n"
HTML_ERROR: Final = (
    b"<html>\r\n<head><title>Bad Gateway</title></head>\r\n"
    b"<body><center><h1>Bad Gateway</h1></center></body>\r\n</html>\r\n"
)
_EVENTS_BETWEEN_YIELDS: Final = 16


class Answer(msgspec.Struct, kw_only=True):
    """An answer before it is sent: a body, or events."""

    status: int = 200
    headers: dict[str, str] = {}
    body: bytes = b""
    events: list[bytes] | None = None
    """Complete server-sent events; None when the answer is not a stream."""
    broken_event: bytes = b""
    """What this upstream puts into a stream when it fails in the middle."""


Handler = Callable[[Call, Plan], Answer]
ErrorWriter = Callable[[int, str], Answer]


def json_answer(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """A JSON answer; non-ASCII characters are not escaped."""
    content = {"content-type": "application/json; charset=utf-8"}
    return Answer(status=status, headers=content | (headers or {}), body=msgspec.json.encode(value))


def refused(fault: Fault, write_error: ErrorWriter) -> Answer:
    """The answer of a request that a fault replaces by an error, in the upstream's own shape."""
    if fault.name == "html":
        headers = {"content-type": "text/html"}
        answer = Answer(status=fault.status or 502, headers=headers, body=HTML_ERROR)
    elif fault.name == "expired-token":
        answer = write_error(401, "Token has expired")
    else:
        status = fault.status or 500
        answer = write_error(status, _REASONS.get(status, "Internal Server Error"))
    if fault.retry_after is not None:
        answer.headers["retry-after"] = fault.retry_after
    return answer


_REASONS: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Permission denied",
    404: "Not Found",
    413: "Payload too large",
    422: "Invalid params",
    429: "Too Many Requests",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


class House:
    """What all endpoints of one server share."""

    def __init__(self, options: SimulatorOptions) -> None:
        self.options = options
        self.journal = Journal()
        self.faults = FaultBook(options.faults)


class Endpoint:
    """An ASGI application around a handler of one simulator."""

    def __init__(
        self, house: House, simulator: str, handler: Handler, write_error: ErrorWriter
    ) -> None:
        self._house = house
        self._simulator = simulator
        self._handler = handler
        self._write_error = write_error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        call = Call(
            simulator=self._simulator,
            method=scope["method"],
            path=scope["path"],
            path_parameters=scope.get("path_params", {}),
            headers=[
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in scope["headers"]
            ],
            body=b"",
            certificate=wire_of(scope).certificate,
            query=scope.get("query_string", b"").decode("latin-1"),
        )
        with self._house.journal.following(call):
            try:
                call.body = await _read_body(receive)
                await self._serve(call, wire_of(scope), send)
            except ClientGone:
                self._house.journal.disconnects += 1

    async def _serve(self, call: Call, wire: Wire, send: Send) -> None:
        plan = self._house.faults.plan(call.simulator, call.path)
        refusal = plan.refusal
        answer = refused(refusal, self._write_error) if refusal else self._handler(call, plan)
        call.status = answer.status
        for fault in plan.faults:
            self._house.journal.faults_done[fault.name] += 1
        pace = self._house.options.pace if plan.pace is None else plan.pace
        await _Delivery(plan, pace, wire, send).deliver(answer)
        if wire.is_gone:
            raise ClientGone


async def _read_body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


class _Ended(Exception):
    """The connection was ended on purpose; nothing more is to be sent."""


class _Delivery:
    """Sends one answer as its plan says."""

    def __init__(self, plan: Plan, pace: float, wire: Wire, send: Send) -> None:
        self._plan = plan
        self._pace = pace
        self._wire = wire
        self._send = send

    async def deliver(self, answer: Answer) -> None:
        if slow := self._plan.find("slow"):
            await self._wire.pause(1.0 if slow.seconds is None else slow.seconds)
        if self._plan.has("drop"):
            self._wire.close()
            return
        try:
            if answer.events is None:
                await self._deliver_body(answer)
            else:
                await self._deliver_events(answer, answer.events)
        except _Ended:
            return
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _deliver_body(self, answer: Answer) -> None:
        body = answer.body
        if self._plan.has("bad-json") and answer.status == 200:
            body = body[: len(body) // 2]
        bad_chunk = self._plan.has("bad-chunk")
        await self._start(answer, None if bad_chunk else len(body))
        if bad_chunk:
            self._break_chunk(body)
        cut, stall = self._plan.find("cut"), self._plan.find("stall")
        if cut is not None or stall is not None:
            fault = cut or stall
            kept = len(body) // 2 if fault is None or fault.bytes is None else fault.bytes
            await self._write(body[:kept])
            body = body[kept:]
        if stall is not None:
            await self._wire.pause(60.0 if stall.seconds is None else stall.seconds)
        if cut is not None:
            self._end(cut)
        await self._write(body)

    async def _deliver_events(self, answer: Answer, events: list[bytes]) -> None:
        await self._start(answer, None)
        if self._plan.has("no-done") and events[-1] == DONE:
            events = events[:-1]
        for number, event in enumerate(events):
            if number and self._pace:
                await self._wire.pause(self._pace)
            elif number % _EVENTS_BETWEEN_YIELDS == 0:
                await asyncio.sleep(0)
            if self._wire.is_gone:
                raise ClientGone
            await self._write(await self._suffer(number, event, answer))
        await self._suffer(len(events), b"", answer)

    async def _suffer(self, number: int, event: bytes, answer: Answer) -> bytes:
        """What the faults of the plan make of event ``number``; may end the answer."""
        for fault in self._plan.faults:
            if number != (1 if fault.after is None else fault.after):
                continue
            match fault.name:
                case "stall":
                    await self._wire.pause(60.0 if fault.seconds is None else fault.seconds)
                case "cut":
                    if fault.bytes:
                        self._wire.write_raw(b"%x\r\n" % len(event) + event[: fault.bytes])
                    self._end(fault)
                case "bad-chunk":
                    self._break_chunk(event)
                case "bad-json":
                    event = event[: len(event) // 2].rstrip() + b"\n\n"
                case "error-in-stream":
                    await self._write(answer.broken_event)
                    self._end(fault)
        return event

    def _break_chunk(self, data: bytes) -> None:
        """A chunk whose size is no number: malformed by RFC 9112, section 7.1."""
        self._wire.write_raw(b"ZZ\r\n" + data + b"\r\n")
        self._wire.close()
        raise _Ended

    def _end(self, fault: Fault) -> None:
        self._wire.close(with_reset=fault.reset)
        raise _Ended

    async def _start(self, answer: Answer, length: int | None) -> None:
        headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        if length is not None:
            headers.append((b"content-length", b"%d" % length))
        await self._send(
            {"type": "http.response.start", "status": answer.status, "headers": headers}
        )

    async def _write(self, data: bytes) -> None:
        size = self._plan.split or len(data) or 1
        for start in range(0, len(data), size):
            part = data[start : start + size]
            await self._send({"type": "http.response.body", "body": part, "more_body": True})
            if self._plan.split:
                await asyncio.sleep(0)
