"""The life of a request. Read this file first.

    1 read     the client's bytes -> a checked request         dialects/
    2 admit    who asks, and may they?                         accounts/users.py
    3 route    model name -> targets, best first               routing.py
    4 lease    a key of that target, or a place in the queue   pool/
    5 call     the request in the target's dialect, signed     upstream.py, providers/, transport/
    6 write    the answer in the client's dialect              relay.py, dialects/, web/
    7 settle   usage to the ledger, log and metrics            accounts/ledger.py, telemetry/

``begin`` does 1 to 3 and hands over to an ``Exchange`` (exchange.py), which repeats 4 and 5
over the targets until one begins to answer, does 6, and ends in 7 whatever happened. Where
nothing has to wait, 1 to 5 are one callback: no task, no future, no lock.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from msgspec import Struct

from dragoman.accounts.ledger import Ledger
from dragoman.accounts.users import Keyring
from dragoman.clock import Clock
from dragoman.dialects.base import AnswerFacts, ClientDialect
from dragoman.errors import GatewayError, InternalError, ShuttingDown
from dragoman.exchange import Exchange
from dragoman.guests import Reception, Visit
from dragoman.routing import Route, Router
from dragoman.sides import ClientSide, Outcome, Question, Target, UpstreamSide

TARGETS_KEPT = 4096
"""Bound of the table of targets: callers choose model names."""


class RequestHead(Struct, frozen=True):
    """What path and headers say; the same for many requests of one client connection."""

    dialect: ClientDialect
    tokens: tuple[bytes, ...]
    """Every client key that the request carried, in whatever header."""
    provider: str | None = None
    """The only provider that may answer, from ``/{provider}/v1/...``."""
    reject_unsupported: bool = False
    passed: Sequence[tuple[bytes, bytes]] = ()
    """See ``Question.passed``."""
    api: str | None = None
    """Version of the provider's API that the path asks for."""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """All of them, where somebody writes them down."""
    answer_headers: tuple[tuple[bytes, bytes], ...] = ()
    """What every answer says besides, for the web page that calls."""


class Arrival(Struct):
    """A conversation request as the web floor has received it."""

    head: RequestHead
    body: bytes
    request_id: str
    started: float = 0.0
    """Monotonic seconds at which the request was complete."""
    caller: str = ""
    """Filled in on admission."""
    model: str = ""
    """As the caller names it; filled in when the request has been read."""
    first_byte: float | None = None
    """Seconds from ``started`` to the first byte of a streamed answer."""
    visit: Visit | None = None
    """Filled in on admission, where the caller brings a credential of its own."""


Observer = Callable[[Arrival, Outcome, float], None]
"""Told of every finished request and its duration in seconds; must be quick and never raise."""


class Pipeline:
    """The seven steps over one house."""

    def __init__(
        self,
        keyring: Keyring,
        router: Router,
        upstreams: Mapping[str, UpstreamSide],
        ledger: Ledger,
        clock: Clock,
        *,
        attempts: int = 2,
    ) -> None:
        self._keyring = keyring
        self._router = router
        self._upstreams = upstreams
        self._ledger = ledger
        self._clock = clock
        self._attempts = attempts
        """Calls for one request, at most, where its route names fewer targets than that."""
        self._targets: dict[Route, Target] = {}
        self._plans: dict[tuple[Route, ...], tuple[Target, ...]] = {}
        self._live: set[Exchange] = set()
        self._stopping = False
        self.reception: Reception | None = None
        """Where callers may bring credentials of their own; ``None``: nowhere."""
        self.observers: list[Observer] = []

    @property
    def in_flight(self) -> int:
        """Requests that have begun and not ended."""
        return len(self._live)

    def begin(self, arrival: Arrival, client: ClientSide) -> Exchange:
        """Take a request on; everything the client will see goes through ``client``."""
        arrival.started = self._clock.now()
        # Not a closure over the exchange: a cycle would leave every request to the collector.
        exchange = Exchange(client, arrival.head.dialect, partial(self._settle, arrival))
        self._live.add(exchange)
        try:
            self._take_on(exchange, arrival)
        except GatewayError as error:
            exchange.fail(error)
        except Exception:  # noqa: BLE001  # the outermost edge: log, answer 500
            exchange.fail(
                InternalError(
                    "The gateway stumbled over this request. Its log has the details under the"
                    " request id.",
                    detail=traceback.format_exc(),
                )
            )
        return exchange

    def stop(self) -> None:
        """Take nothing on any more, and end what still runs with a typed error."""
        self._stopping = True
        for exchange in list(self._live):
            exchange.stop()

    def _take_on(self, exchange: Exchange, arrival: Arrival) -> None:
        if self._stopping:
            raise ShuttingDown("The gateway is restarting. Send the request again.")
        head = arrival.head
        if self.reception is None:
            caller = arrival.caller = self._keyring.admit(head.tokens).id
        else:
            admitted, arrival.visit = self.reception.admit(head.tokens)
            caller = arrival.caller = admitted.id
        request = head.dialect.read_request(arrival.body)
        if not request.model:
            request.model = self._router.default()
        arrival.model = request.model
        if arrival.visit is None:
            plan = self._plan(self._router.routes(request.model, only=head.provider))
        else:
            own = arrival.visit.plan(self._router, request.model, head.provider)
            plan = self._with_attempts(own)
        facts = AnswerFacts(arrival.request_id, int(self._clock.wall()), request.model)
        question = Question(
            head.dialect,
            request,
            facts,
            caller,
            head.reject_unsupported,
            head.passed,
            head.api,
        )
        exchange.start(question, plan)

    def _plan(self, routes: tuple[Route, ...]) -> tuple[Target, ...]:
        """Each target once, in order; then the first again, while there are attempts left."""
        plan = self._plans.get(routes)
        if plan is None:
            if len(self._plans) >= TARGETS_KEPT:
                self._plans.clear()
                self._targets.clear()
            targets = [self._target(route) for route in routes]
            plan = self._plans[routes] = self._with_attempts(targets)
        return plan

    def _with_attempts(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        """See ``_plan``."""
        return (*targets, *[targets[0]] * (self._attempts - len(targets)))

    def _target(self, route: Route) -> Target:
        target = self._targets.get(route)
        if target is None:
            label = f"{route.provider}/{route.model}"
            target = Target(label, route.model, self._upstreams[route.provider])
            self._targets[route] = target
        return target

    def _settle(self, arrival: Arrival, exchange: Exchange, outcome: Outcome) -> None:
        self._live.discard(exchange)
        if arrival.visit is not None:
            arrival.visit.over()
        self._ledger.settle(
            arrival.caller,
            outcome.target or "",
            outcome.usage,
            failed=outcome.error is not None,
        )
        seconds = self._clock.now() - arrival.started
        for observe in self.observers:
            observe(arrival, outcome, seconds)
