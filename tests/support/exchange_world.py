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

from dragoman.dialects import openai_chat
from dragoman.dialects.base import AnswerFacts
from dragoman.errors import (
    GatewayError,
    UpstreamBroken,
    UpstreamRejectedKey,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from dragoman.exchange import Exchange
from dragoman.pool.broker import Broker, PoolLimits
from dragoman.sides import Outcome, Question, State, Target
from dragoman.transport.calls import Head
from dragoman.upstream import Upstream
from support.exchange_answers import REFUSALS, REQUESTS, STREAMS, WHOLES
from support.exchange_fakes import FakeClient, FakeFlight, FakeOrigin, FakeProvider, FakeSigner
from support.fake_clock import FakeClock

Choose = Callable[[int], int]
"""A number from 0 to below its argument."""


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
        client = FakeClient(lambda: exchange.paused() if self.choose(3) == 0 else None)
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
        if flight.rest or (block and self.choose(2)):
            flight.listener.data(block)  # the end of the last bytes may come by itself
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
        flights = [flight for origin in self.origins.values() for flight in origin.flights]
        assert all(flight.is_over for flight in flights if flight.is_paused), "all may land"
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
