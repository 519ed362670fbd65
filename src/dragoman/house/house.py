"""Builds one gateway from settings; the only file that knows everyone.

Every part gets the few values it needs as arguments and knows nothing of the settings. What
the parts report while they run (records, readiness, gauges) comes together here too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from pydantic import SecretStr

from dragoman.accounts.ledger import Ledger
from dragoman.accounts.users import Keyring
from dragoman.clock import LoopTicker, SystemClock, TimerWheel
from dragoman.dialects import openai_chat
from dragoman.errors import GatewayError
from dragoman.guests import Guests, GuestsOnly
from dragoman.house.annexe import desk_over, pages_over
from dragoman.house.guesthouse import (
    Means,
    guest_gauges,
    guests_of,
    passed_headers,
    reception_of,
)
from dragoman.house.networks import Networks, networks_of
from dragoman.house.porters import Porters
from dragoman.house.suppliers import limits_by_key, supplier
from dragoman.operations.desk import Desk, Operation, record_of
from dragoman.pipeline import Arrival, Pipeline
from dragoman.pool.broker import Broker, PoolLimits
from dragoman.process import tune_collector
from dragoman.providers.base import Provider
from dragoman.recollection import Recollection
from dragoman.routing import Route, Router
from dragoman.settings import ServerSettings, Settings
from dragoman.settings.tree import ProviderBlock
from dragoman.sides import Outcome
from dragoman.telemetry.counts import Gauge
from dragoman.telemetry.journals import Journals
from dragoman.telemetry.logging import Format, get_logger
from dragoman.telemetry.masking import Masker
from dragoman.telemetry.metrics import Metrics
from dragoman.telemetry.records import RequestRecord
from dragoman.telemetry.request_log import RequestLog
from dragoman.transport.pool import OriginPool
from dragoman.upstream import Upstream
from dragoman.web.asgi import App, ConversationApp
from dragoman.web.front import OWN_HEADERS, Front
from dragoman.web.paths import Paths

if TYPE_CHECKING:
    from dragoman.web.cross_origin import CrossOrigin

CHAT_PATH: Final = "/v1/chat/completions"
DISCOVER_EVERY: Final = 600.0
"""Seconds between two looks at what a provider serves."""
DISCOVER_AGAIN: Final = 30.0
"""Seconds after which a provider that could not be asked is asked again."""

log = get_logger("dragoman")


class House:
    """One gateway. Building it opens nothing; ``start`` and ``close`` are for its event loop."""

    def __init__(
        self, settings: Settings, masker: Masker, log_format: Format, journals: Journals
    ) -> None:
        self._log_format = log_format
        self._journals = journals
        self.settings = settings
        self.clock = SystemClock()
        self.wheel = TimerWheel(self.clock.now())
        self.networks: dict[str, Networks] = {}
        self.origins: dict[str, OriginPool] = {}
        self.providers: dict[str, Provider] = {}
        self.brokers: dict[str, Broker] = {}
        self.guests: dict[str, Guests] = {}
        self.porters = Porters(settings.media, self.clock, self.wheel)
        self.recollection = Recollection(self.clock.now)
        self.stopping: Callable[[], bool] = lambda: False
        self._background: list[asyncio.Task[None]] = []
        self.has_discovered = asyncio.Event()
        """Every provider has been asked for its models once, whatever it answered."""
        for name, block in settings.providers.items():
            self._add_provider(name, block)
        self.keyring = Keyring(_revealed(settings.server.api_keys))
        self.reception = reception_of(
            self.keyring,
            self.guests,
            is_for_guests_only=not any(one.credentials for one in self.providers.values()),
        )
        self.router = self._router()
        self.ledger = Ledger()
        self.pipeline = self._pipeline()
        self.desk = self._desk()
        self._keep_records(masker)
        self.front = self._front()
        self.app: App = ConversationApp(self.front, self._pages, self._lifespan)
        if self.front.cross_origin is not None:
            self.app = self.front.cross_origin.around(self.app)

    async def start(self) -> None:
        """Set the timers going and ask the providers what they serve."""
        loop = asyncio.get_running_loop()
        self._ticker = LoopTicker(self.wheel, self.clock, loop)
        self._ticker.start()
        self.request_log.start(loop)
        self._undiscovered = len(self.providers)
        self._background = [
            loop.create_task(self._keep_discovering(provider))
            for provider in self.providers.values()
        ] + [loop.create_task(porter.keep_tidy()) for porter in self.porters.hired.values()]
        tune_collector()

    async def close(self) -> None:
        """End what still runs with a typed error, then everything else."""
        self.pipeline.stop()
        self.desk.stopping = True
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        for porter in self.porters.hired.values():
            await porter.close()
        for guests in self.guests.values():
            guests.close()
        for provider in self.providers.values():
            await provider.close()
        for network in self.networks.values():
            await network.close()
        self._ticker.stop()
        self.request_log.stop()
        self._journals.close()

    # Building.

    def _add_provider(self, name: str, block: ProviderBlock) -> None:
        networks = self.networks[name] = networks_of(block, self.clock, self.wheel)
        provider, base_url = supplier(name, block, networks, self.clock)
        provider.embedder = block.embedder
        self.providers[name] = provider
        self.origins[name] = networks.api.origin(base_url)
        queue = self.settings.queue
        limits = PoolLimits(
            in_flight=block.in_flight,
            in_flight_by_key=limits_by_key(provider, block),
            max_queue=queue.max_length,
            max_wait=queue.max_wait,
        )
        self.brokers[name] = Broker(name, provider.credentials, self.clock, self.wheel, limits)
        means = Means(self.clock, self.wheel, queue, self.porters)
        guests = guests_of(name, block, networks, means)
        if guests is not None:
            self.guests[name] = guests

    def _router(self) -> Router:
        aliases = {
            alias: [Route(*target.split("/", 1)) for target in model.targets]
            for alias, model in self.settings.models.items()
        }
        router = Router(aliases, list(self.providers), self.settings.server.default_model)
        for name, provider in self.providers.items():
            if provider.models():
                router.learn(name, provider.models())
        return router

    def _pipeline(self) -> Pipeline:
        pipeline = Pipeline(
            self.keyring,
            self.router,
            {name: self._upstream(name) for name in self.providers},
            self.ledger,
            self.clock,
            attempts=self.settings.retry.attempts,
        )
        pipeline.reception = self.reception
        return pipeline

    def _upstream(self, name: str) -> Upstream:
        provider = self.providers[name]
        kind = Upstream if provider.credentials else GuestsOnly
        passed = passed_headers(self.settings.providers[name])
        porter = self.porters.hire(provider, name)
        broker, origin = self.brokers[name], self.origins[name]
        return kind(provider, broker, origin, passed, porter, self.recollection)

    def _desk(self) -> Desk:
        upstreams = {
            name: (provider, self.brokers[name], self.origins[name])
            for name, provider in self.providers.items()
        }
        attempts = self.settings.retry.attempts
        desk = desk_over(
            self.keyring, self.router, upstreams, self.ledger, self.clock, attempts=attempts
        )
        desk.reception = self.reception
        return desk

    def _keep_records(self, masker: Masker) -> None:
        chosen = self.settings.log
        self.request_log = RequestLog(
            self._journals.stream, masker, wanted=chosen.requests, format=self._log_format
        )
        self.metrics = Metrics(
            self._gauges,
            records_dropped=lambda: self.request_log.dropped + self._journals.dropped,
            masker=masker,
        )
        self.pipeline.observers.append(self._observe)
        self.desk.observers.append(self._observe_operation)

    def _front(self) -> Front:
        server = self.settings.server
        dialects = {CHAT_PATH: openai_chat.CLIENT}
        paths = Paths(
            dialects,
            self.providers,
            any_prefix=server.any_prefix,
            api_by_path=server.api_by_path,
        )
        front = Front(self.pipeline, paths, openai_chat.CLIENT, self.clock, self.wheel)
        front.body_limit = server.max_body_bytes
        front.receive_timeout = server.header_timeout
        front.body_timeout = server.body_timeout
        front.keep_alive = server.keep_alive
        blocks = self.settings.providers.values()
        front.wanted = OWN_HEADERS.union(*(passed_headers(block) for block in blocks))
        if server.cors_origins:
            front.cross_origin = _cross_origin(server)
        if self._journals.readers:
            routes = {dialect.name: path for path, dialect in dialects.items()}
            from dragoman.web.tap import Recorder  # noqa: PLC0415  # few need it

            recorder = Recorder(self._journals.readers, routes, self.clock)
            front.tap = recorder.tap
            self.pipeline.observers.append(recorder.settled)
        return front

    def _pages(self) -> App:
        return pages_over(self.desk, self.front, self.brokers, self._readiness, self.metrics.render)

    @asynccontextmanager
    async def _lifespan(self) -> AsyncGenerator[None]:
        await self.start()
        yield
        await self.close()

    # While it runs.

    def _observe(self, arrival: Arrival, outcome: Outcome, seconds: float) -> None:
        usage, error, fidelity = outcome.usage, outcome.error, outcome.fidelity
        record = RequestRecord(  # by position: this is on every request's way, and names cost
            self.clock.wall() - seconds,
            arrival.request_id,
            "POST",
            CHAT_PATH,
            outcome.status,
            arrival.caller,
            outcome.target or "",
            outcome.attempts,
            seconds,
            arrival.first_byte,
            usage.input + usage.cache_read + usage.cache_write if usage is not None else 0,
            usage.output if usage is not None else 0,
            usage.cache_read if usage is not None else 0,
            error.kind if error is not None else None,
            "exact" if fidelity is None or fidelity.is_exact else fidelity.grade,
            outcome.client_left,
        )
        self._record(record, error)

    def _observe_operation(self, operation: Operation, seconds: float) -> None:
        self._record(record_of(operation, self.clock.wall() - seconds, seconds), operation.error)

    def _record(self, record: RequestRecord, error: GatewayError | None) -> None:
        self.metrics.ended(record)
        self.request_log.append(record)
        if error is not None and error.status >= 500:
            log.warning(
                "request failed",
                request_id=record.request_id,
                target=record.target or None,
                error=error,
            )

    def _readiness(self) -> dict[str, Any]:
        pools = {name: broker.snapshot() for name, broker in self.brokers.items()}
        usable = [name for name, pool in pools.items() if pool.ready or pool.cooling]
        usable += self.guests
        return {
            "ready": bool(usable) and not self.stopping(),
            "stopping": self.stopping(),
            "providers": {
                name: {"ready": pool.ready, "cooling": pool.cooling, "disabled": pool.disabled}
                for name, pool in pools.items()
            },
        }

    def _gauges(self) -> Iterable[Gauge]:
        yield from guest_gauges(self.guests)
        under_way = self.pipeline.in_flight + self.desk.in_flight
        yield Gauge("dragoman_in_flight", "Requests under way.", {}, under_way)
        lost = self._journals.traffic_dropped
        if lost is not None:
            yield Gauge("dragoman_traffic_log_dropped", "Records left out so far.", {}, lost)
        for name, broker in self.brokers.items():
            pool = broker.snapshot()
            for state in ("ready", "cooling", "disabled"):
                yield Gauge(
                    "dragoman_keys",
                    "Credentials by state.",
                    {"provider": name, "state": state},
                    getattr(pool, state),
                )
            yield Gauge(
                "dragoman_queue_length", "Requests in the queue.", {"provider": name}, pool.waiting
            )
        for name, porter in self.porters.hired.items():
            yield Gauge(
                "dragoman_media_files",
                "Files kept at a provider.",
                {"provider": name},
                len(porter.shelf),
            )
        for name, origin in self.origins.items():
            connections = origin.snapshot()
            for state in ("in_use", "idle", "connecting", "waiting"):
                yield Gauge(
                    "dragoman_upstream_connections",
                    "Connections to upstreams, and calls that wait for one.",
                    {"provider": name, "state": state},
                    getattr(connections, state),
                )

    async def _keep_discovering(self, provider: Provider) -> None:
        first = True
        while True:
            pause = DISCOVER_EVERY
            try:
                await provider.discover()
                self.router.learn(provider.name, provider.models())
            except GatewayError as error:
                pause = DISCOVER_AGAIN
                log.warning("could not ask for models", provider=provider.name, error=error)
            if first:
                first = False
                self._undiscovered -= 1
                if not self._undiscovered:
                    self.has_discovered.set()
            await asyncio.sleep(pause)


def _cross_origin(server: ServerSettings) -> CrossOrigin:
    from dragoman.web.cross_origin import CrossOrigin  # noqa: PLC0415  # few need it

    return CrossOrigin(
        server.cors_origins,
        server.cors_methods,
        server.cors_headers,
        credentials=server.cors_credentials,
    )


def _revealed(secrets: Iterable[SecretStr]) -> list[str]:
    return [secret.get_secret_value() for secret in secrets]


def all_secrets(settings: Settings) -> list[str]:
    """Every secret of the settings, for the masker."""
    server = settings.server
    found = _revealed(server.api_keys)
    if server.tls_key_password is not None:
        found.append(server.tls_key_password.get_secret_value())
    blocks: Mapping[str, ProviderBlock] = settings.providers
    for block in blocks.values():
        found += _revealed(block.credentials)
        found += _revealed(block.headers.values())
        optional = [block.proxy, block.client_key_password]
        optional += [getattr(block, name, None) for name in ("access_token", "user", "password")]
        found += _revealed(secret for secret in optional if secret is not None)
    return found
