"""A world without sockets for exchanges: real exchanges, relays, dialects, upstreams and pools
between a fake client, fake connections, fake tokens and a clock held still.

``World`` has one method for each thing that can happen; ``happenings`` lists those that are
legal now. Whoever drives it (hypothesis, a seeded soak, a story) picks from them. Its fakes
check at every step that nobody does what the contract forbids, and ``check_over`` checks what
must hold at the end.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from dragoman.dialects import gigachat, openai_chat
from dragoman.dialects.base import AnswerFacts, ModelFacts
from dragoman.errors import (
    GatewayError,
    UpstreamBroken,
    UpstreamRejectedKey,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from dragoman.exchange import Exchange
from dragoman.pool.broker import Broker, PoolLimits
from dragoman.providers.base import Credential
from dragoman.sides import Answer, Outcome, Question, State, Target
from dragoman.transport.calls import Call, Head, Listener
from dragoman.upstream import Upstream
from support.fake_clock import FakeClock

Choose = Callable[[int], int]
"""A number from 0 to below its argument."""


def sse(*documents: object) -> bytes:
    return b"".join(
        b"data: " + (doc.encode() if isinstance(doc, str) else json.dumps(doc).encode()) + b"\n\n"
        for doc in documents
    )


def chunk(delta: dict, finish: str | None = None, **more: object) -> dict:
    choice: dict = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "up", "object": "chat.completion.chunk", "created": 1, "model": "m"} | {
        "choices": [choice],
        **more,
    }


USAGE = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}

STREAMS: dict[str, list[bytes]] = {
    "openai_chat": [
        sse(
            chunk({"role": "assistant", "content": ""}),
            chunk({"content": "Hel"}),
            chunk({"content": "ло, 🌍"}),
            chunk({}, "stop"),
            {"id": "up", "choices": [], "usage": USAGE},
            "[DONE]",
        ),
        sse(
            chunk(
                {
                    "tool_calls": [
                        {
                            "index": 0,
                            "id": "c1",
                            "type": "function",
                            "function": {"name": "f", "arguments": ""},
                        }
                    ]
                }
            ),
            chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"a": 1}'}}]}),
            chunk({}, "tool_calls"),
            "[DONE]",
        ),
        sse({"error": {"message": "overloaded", "type": "server_error"}}),
        sse(chunk({"content": "a"}), {"error": {"message": "overloaded", "type": "server_error"}}),
        b"data: {not json}\n\n" + sse(chunk({"content": "a"})),
        b"",
    ],
    "gigachat": [
        sse(
            {"choices": [{"delta": {"content": "раз", "role": "assistant"}, "index": 0}]},
            {"choices": [{"delta": {"content": ", два"}, "index": 0}]},
            {
                "choices": [{"delta": {"content": ""}, "index": 0, "finish_reason": "stop"}],
                "usage": USAGE,
            },
            "[DONE]",
        ),
        sse(
            {
                "choices": [
                    {
                        "delta": {
                            "role": "assistant",
                            "content": "",
                            "function_call": {"name": "f", "arguments": {"a": 1}},
                        },
                        "index": 0,
                        "finish_reason": "function_call",
                    }
                ],
                "usage": USAGE,
            },
            "[DONE]",
        ),
        b"data: {broken\n\n",
        b"",
    ],
}

WHOLES: dict[str, list[bytes]] = {
    "openai_chat": [
        json.dumps(
            {
                "id": "up",
                "object": "chat.completion",
                "created": 1,
                "model": "m",
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": "stop",
                        "message": {"role": "assistant", "content": "Hi"},
                    }
                ],
                "usage": USAGE,
            }
        ).encode(),
        b"<html>busy</html>",
        b'{"error": {"message": "no"}}',
        b"",
    ],
    "gigachat": [
        json.dumps(
            {
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": "stop",
                        "message": {"role": "assistant", "content": "Привет"},
                    }
                ],
                "created": 1,
                "model": "m",
                "object": "chat.completion",
                "usage": USAGE,
            }
        ).encode(),
        b"<html>busy</html>",
        b"{}",
    ],
}

REFUSALS = [
    (400, {}, b'{"error": {"message": "bad", "type": "invalid_request_error"}}'),
    (401, {}, b'{"status": 401, "message": "Token has expired"}'),
    (402, {}, b'{"status": 402, "message": "Payment Required"}'),
    (429, {"retry-after": "1"}, b'{"status": 429, "message": "Too Many Requests"}'),
    (429, {"retry-after": "300"}, b""),
    (500, {}, b"<html></html>"),
    (503, {}, b""),
]

REQUESTS = [
    {"messages": [{"role": "user", "content": "hi"}]},
    {"messages": [{"role": "user", "content": "hi"}], "stream": True},
    {
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    },
    {"messages": [{"role": "user", "content": "hi"}], "stream": True, "stop": ["л", "два"]},
    {"messages": [{"role": "user", "content": "hi"}], "n": 2},
]


class FakeClient:
    """The client's connection; refuses what a real one could not do."""

    def __init__(self) -> None:
        self.answer: Answer | None = None
        self.body = b""
        self.is_over = False
        self.is_gone = False

    def _speak(self) -> None:
        assert not self.is_over, "nothing is written after the end"
        assert not self.is_gone, "nothing is written to a client that has left"

    def reply(self, answer: Answer, body: bytes) -> None:
        self._speak()
        assert self.answer is None
        self.answer, self.body, self.is_over = answer, body, True

    def open(self, answer: Answer, block: bytes) -> None:
        self._speak()
        assert self.answer is None
        assert answer.status == 200
        self.answer, self.body = answer, block

    def write(self, block: bytes) -> None:
        self._speak()
        assert self.answer is not None
        assert block
        self.body += block

    def close(self, block: bytes) -> None:
        self._speak()
        assert self.answer is not None
        self.body += block
        self.is_over = True


class FakeSigner:
    """A credential whose token may have to be fetched, and may be refused."""

    def __init__(self) -> None:
        self.is_fresh = True
        self.waiting: list[Callable[[GatewayError | None], None]] = []

    def authorization(self) -> bytes | None:
        return b"authorization: Bearer x\r\n" if self.is_fresh else None

    def when_ready(self, told: Callable[[GatewayError | None], None]) -> Callable[[], None]:
        self.waiting.append(told)
        return lambda: self.waiting.remove(told) if told in self.waiting else None

    def rejected(self, authorization: bytes) -> bool:
        self.is_fresh = False
        return True


class FakeProvider:
    """Speaks the dialect that its model is named for."""

    kind = "fake"

    def __init__(self, name: str, signers: list[FakeSigner]) -> None:
        self.name = name
        self.credentials = [Credential(f"{name}/{n}", s) for n, s in enumerate(signers)]

    def dialect(self, model: str):
        return {"gigachat": gigachat.UPSTREAM, "openai_chat": openai_chat.UPSTREAM}[model]

    def facts(self, model: str) -> ModelFacts:
        return ModelFacts()

    def head(self, model: str, *, stream: bool) -> bytes:
        return b"POST / HTTP/1.1\r\nhost: x\r\n"


@dataclass(eq=False)
class FakeFlight:
    """A call under way; the world plays the upstream's part."""

    call: Call
    listener: Listener
    model: str
    stream: bool
    rest: bytes | None = None
    """What the upstream will still say; ``None`` before its head."""
    is_over: bool = False
    is_paused: bool = False

    def pause(self) -> None:
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False

    def abort(self) -> None:
        self.is_over = True


@dataclass
class FakeOrigin:
    flights: list[FakeFlight] = field(default_factory=list)
    model: str = ""
    stream: bool = False

    def send(self, call: Call, listener: Listener) -> FakeFlight:
        is_stream = b'"stream":true' in b"".join(call.body).replace(b" ", b"")
        is_giga = b"openai" not in b"".join(call.body)
        flight = FakeFlight(call, listener, "gigachat" if is_giga else "openai_chat", is_stream)
        self.flights.append(flight)
        return flight


@dataclass(eq=False)
class Guest:
    """One client with its exchange and how it ended."""

    client: FakeClient
    exchange: Exchange
    stream: bool
    outcomes: list[Outcome] = field(default_factory=list)
    is_paused: bool = False


class World:
    def __init__(self, choose: Choose) -> None:
        self.choose = choose
        self.clock = FakeClock()
        self.soon: list[Callable[[], None]] = []
        self.signers = [FakeSigner() for _ in range(3)]
        self.origins: dict[str, FakeOrigin] = {}
        self.brokers: dict[str, Broker] = {}
        self.targets: dict[str, Target] = {}
        self._build("a", self.signers[:2], in_flight=1)
        self._build("b", self.signers[2:], in_flight=2)
        self.guests: list[Guest] = []
        self.count = 0
        """Happenings so far."""

    def _build(self, name: str, signers: list[FakeSigner], in_flight: int) -> None:
        provider = FakeProvider(name, signers)
        broker = Broker(
            name,
            provider.credentials,
            self.clock,
            self.clock.wheel,
            PoolLimits(in_flight=in_flight, max_queue=3, max_wait=20.0),
            soon=self.soon.append,
        )
        broker.strict = True
        self.brokers[name] = broker
        self.origins[name] = FakeOrigin()
        upstream = Upstream(provider, broker, self.origins[name])
        for model in ("gigachat", "openai_chat"):
            self.targets[f"{name}/{model}"] = Target(f"{name}/{model}", model, upstream)

    # What may happen now.

    def happenings(self) -> list[Callable[[], None]]:
        legal: list[Callable[[], None]] = [self.advance]
        if sum(not guest.outcomes for guest in self.guests) < 6:
            legal += [self.arrive] * 2
        if self.soon:
            legal += [self.run_soon] * 3
        legal += [lambda s=s: self.token(s) for s in self.signers if s.waiting]
        for flight in self.flights():
            legal += [lambda f=flight: self.upstream_speaks(f)] * 4
            legal.append(lambda f=flight: self.upstream_is_lost(f))
        for guest in self.live():
            legal += [lambda g=guest: self.hang_up(g), lambda g=guest: self.toggle_pause(g)]
        if self.live() and self.choose(50) == 0:
            legal.append(self.stop_all)
        return legal

    def step(self) -> None:
        legal = self.happenings()
        self.count += 1
        legal[self.choose(len(legal))]()

    def flights(self) -> list[FakeFlight]:
        for origin in self.origins.values():
            origin.flights = [flight for flight in origin.flights if not flight.is_over]
        return [f for origin in self.origins.values() for f in origin.flights if not f.is_paused]

    def live(self) -> list[Guest]:
        return [guest for guest in self.guests if not guest.outcomes]

    # Happenings.

    def arrive(self) -> None:
        document = REQUESTS[self.choose(len(REQUESTS))] | {"model": "asked"}
        names = list(self.targets)
        plan = [self.targets[names[self.choose(len(names))]] for _ in range(1 + self.choose(3))]
        self.ask(document, plan)

    def ask(self, document: dict, plan: list[Target]) -> Guest:
        client = FakeClient()
        outcomes: list[Outcome] = []

        def settle(_exchange: Exchange, outcome: Outcome) -> None:
            assert not outcomes, "settled once"
            assert not client.is_over, "settled before the last byte"
            outcomes.append(outcome)

        exchange = Exchange(client, openai_chat.CLIENT, settle, body_limit=1 << 20)
        request = openai_chat.CLIENT.read_request(json.dumps(document).encode())
        guest = Guest(client, exchange, bool(document.get("stream")), outcomes)
        self.guests.append(guest)
        question = Question(
            dialect=openai_chat.CLIENT,
            request=request,
            facts=AnswerFacts(id="1", created=1, model="asked"),
            caller=f"caller-{self.choose(3)}",
        )
        exchange.start(question, plan)
        return guest

    def advance(self) -> None:
        self.clock.advance([0.05, 0.5, 2.0, 30.0][self.choose(4)])

    def run_soon(self) -> None:
        self.soon.pop(0)()

    def token(self, signer: FakeSigner) -> None:
        error: GatewayError | None = None
        if self.choose(4) == 0:
            error = [UpstreamRejectedKey, UpstreamUnavailable][self.choose(2)]("no token")
        else:
            signer.is_fresh = True
        waiting, signer.waiting = signer.waiting, []
        for told in waiting:
            told(error)

    def upstream_speaks(self, flight: FakeFlight) -> None:
        if flight.rest is None:
            self._begin(flight)
            return
        size = [1, 7, 40, 4096][self.choose(4)]
        block, flight.rest = flight.rest[:size], flight.rest[size:]
        if flight.rest:
            flight.listener.data(block)
        else:
            flight.is_over = True
            flight.listener.end(block)

    def _begin(self, flight: FakeFlight) -> None:
        if self.choose(4) == 0:
            status, headers, body = REFUSALS[self.choose(len(REFUSALS))]
            flight.rest = body
            flight.listener.head(Head(status, headers))
            return
        is_stream = flight.stream and self.choose(8) != 0
        answers = (STREAMS if is_stream else WHOLES)[flight.model]
        body = answers[self.choose(2) or self.choose(len(answers))]
        if self.choose(4) == 0:
            body = body[: self.choose(len(body) + 1)]
        flight.rest = body
        kind = "text/event-stream" if is_stream else "application/json"
        flight.listener.head(Head(200, {"content-type": kind}))

    def upstream_is_lost(self, flight: FakeFlight) -> None:
        flight.is_over = True
        errors = [UpstreamUnavailable, UpstreamTimeout, UpstreamBroken]
        flight.listener.lost(errors[self.choose(3)]("lost"))

    def hang_up(self, guest: Guest) -> None:
        guest.client.is_gone = True
        guest.exchange.client_gone()

    def toggle_pause(self, guest: Guest) -> None:
        guest.is_paused = not guest.is_paused
        if guest.is_paused:
            guest.exchange.paused()
        else:
            guest.exchange.resumed()

    def stop_all(self) -> None:
        for guest in self.live():
            guest.exchange.stop()

    # The end.

    def drain(self) -> None:
        """Let everything come to its end."""
        for guest in self.live():
            if guest.is_paused:
                self.toggle_pause(guest)
        for _ in range(10_000):
            if not self.live():
                break
            waiting = [signer for signer in self.signers if signer.waiting]
            flights = self.flights()
            if self.soon:
                self.run_soon()
            elif waiting:
                self.token(waiting[0])
            elif flights:
                self.upstream_speaks(flights[0])
            else:
                self.clock.advance(1.0)
        while self.soon:
            self.run_soon()

    def check_over(self) -> None:
        """What must hold when everything has ended."""
        assert not self.live()
        for broker in self.brokers.values():
            snapshot = broker.snapshot()
            assert snapshot.in_flight == 0, "every lease is back"
            assert snapshot.waiting == 0, "no ticket is left"
            assert broker.released_twice == 0
        assert not any(signer.waiting for signer in self.signers), "nobody waits for a token"
        for guest in self.guests:
            check_guest(guest)


def check_guest(guest: Guest) -> None:
    """One settlement, and an answer that is whole or says honestly that it is not."""
    [outcome] = guest.outcomes
    client = guest.client
    assert guest.exchange.state is State.OVER
    if outcome.client_left:
        assert client.is_gone
        return
    assert client.is_over
    assert client.answer is not None
    assert outcome.status == client.answer.status
    if client.answer.status != 200:
        assert outcome.error is not None
        assert json.loads(client.body)["error"]["message"]
    elif not guest.stream:
        assert outcome.error is None
        assert json.loads(client.body)["choices"]
    else:
        check_stream(client.body, outcome)


def check_stream(body: bytes, outcome: Outcome) -> None:
    assert body.endswith(b"\n\n")
    documents = [event.removeprefix(b"data: ") for event in body.decode().encode().split(b"\n\n")]
    assert documents.pop() == b""
    if outcome.error is None:
        assert documents[-1] == b"[DONE]" or b"finish_reason" in documents[-1]
        documents = [document for document in documents if document != b"[DONE]"]
        finishes = [
            choice["finish_reason"]
            for document in documents
            for choice in json.loads(document)["choices"]
            if choice.get("finish_reason")
        ]
        assert len(finishes) == 1
    else:
        assert "error" in json.loads(documents[-1])
        assert b"[DONE]" not in documents
