"""A real gateway on a free port, in a thread with a loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from dragoman.app import server_for
from dragoman.clock import SystemClock
from dragoman.process import loop_factory
from dragoman.settings_sources import load
from support.loop_thread import LoopThread, loop_thread


class RunningGateway:
    def __init__(self, loop, server, house, port) -> None:
        self.loop = loop
        self.server = server
        self.house = house
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.base_url = f"{self.url}/v1"

    def ask_loop(self, function):
        """What ``function()`` gives on the gateway's own thread."""

        async def call():
            return function()

        return asyncio.run_coroutine_threadsafe(call(), self.loop).result(10)

    def wait_until_discovered(self) -> None:
        """Until every provider has been asked for its models once, whatever it answered."""
        discovered = self.house.has_discovered.wait()
        asyncio.run_coroutine_threadsafe(discovered, self.loop).result(10)

    def leases(self) -> int:
        """Keys lent at this moment, over all providers."""
        return self.ask_loop(
            lambda: sum(broker.snapshot().in_flight for broker in self.house.brokers.values())
        )

    def ended_well(self, seconds=10.0) -> None:
        """Nothing may be left of any request, as soon as the gateway has seen who has hung up: the
        SDKs do it when they have read the last event, be that the answer's last byte or not.
        """
        clock = SystemClock()
        deadline = clock.now() + seconds
        while left := self.ask_loop(self._left):
            assert clock.now() < deadline, left
            time.sleep(0.002)
        assert all(broker.released_twice == 0 for broker in self.house.brokers.values())

    def _left(self):
        pools = [broker.snapshot() for broker in self.house.brokers.values()]
        left = [pool for pool in pools if pool.in_flight or pool.waiting]
        return [*left, self.house.pipeline.in_flight] if self.house.pipeline.in_flight else left


@contextlib.contextmanager
def running_gateway(
    toml: str, folder: Path, *, learn: bool = True, thread: LoopThread | None = None
) -> Iterator[RunningGateway]:
    """``toml`` is the settings file; with ``learn`` the models of all providers are known;
    ``thread`` is one that others use too (``gateway_thread``).
    """
    file = folder / "dragoman.toml"
    file.write_text(toml, encoding="utf-8")
    settings = load({"--port": 0}, config=file, environ={}, cwd=folder)

    async def start():
        server, house = server_for(settings)
        server.capture_signals = contextlib.nullcontext
        server.config.port = 0
        task = asyncio.ensure_future(server.serve())
        while not server.started:
            assert not task.done(), task.exception()
            await asyncio.sleep(0.005)
        if learn:
            for provider in house.providers.values():
                await provider.discover()
                house.router.learn(provider.name, provider.models())
        return server, house, task

    async def stop(server, task):
        server.should_exit = True
        await task

    with gateway_thread() if thread is None else contextlib.nullcontext(thread) as own:
        server, house, task = own.run(start())
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield RunningGateway(own.loop, server, house, port)
        finally:
            own.run(stop(server, task))


def gateway_thread() -> contextlib.AbstractContextManager[LoopThread]:
    """A thread with the loop that a gateway runs on."""
    return loop_thread("gateway", loop_factory())
