"""A real gateway on a free port, in a thread with a loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from dragoman.app import server_for
from dragoman.process import loop_factory
from dragoman.settings_sources import load


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

    def leases(self) -> int:
        """Keys lent at this moment, over all providers."""
        return self.ask_loop(
            lambda: sum(broker.snapshot().in_flight for broker in self.house.brokers.values())
        )

    def ended_well(self) -> None:
        """Nothing may be left of any request."""
        pools = self.ask_loop(lambda: [b.snapshot() for b in self.house.brokers.values()])
        assert all(pool.in_flight == pool.waiting == 0 for pool in pools)
        assert all(broker.released_twice == 0 for broker in self.house.brokers.values())
        assert self.ask_loop(lambda: self.house.pipeline.in_flight) == 0


@contextlib.contextmanager
def running_gateway(toml: str, folder: Path, *, learn: bool = True) -> Iterator[RunningGateway]:
    """``toml`` is the settings file; with ``learn`` the models of all providers are known."""
    file = folder / "dragoman.toml"
    file.write_text(toml, encoding="utf-8")
    settings = load({"--port": 0}, config=file, environ={}, cwd=folder)
    loop = loop_factory()()
    thread = threading.Thread(target=loop.run_forever, name="gateway", daemon=True)
    thread.start()

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

    try:
        server, house, task = asyncio.run_coroutine_threadsafe(start(), loop).result(20)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield RunningGateway(loop, server, house, port)
        finally:
            asyncio.run_coroutine_threadsafe(stop(server, task), loop).result(20)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
