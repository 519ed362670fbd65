"""Serves a house: alone (``run``) or in front of the simulators (``demo``)."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import uvicorn

from dragoman.house import House, all_secrets
from dragoman.process import loop_factory, tune_allocator
from dragoman.settings import Settings
from dragoman.settings_sources import load
from dragoman.telemetry.journals import Journals
from dragoman.telemetry.logging import Format, configure, get_logger
from dragoman.telemetry.masking import Masker
from dragoman.web.protocol import serving

BACKLOG: Final = 4096
MEGABYTE: Final = 1024 * 1024
DONE: Final = 0
FAILED: Final = 1

log = get_logger("dragoman")


def run(settings: Settings) -> int:
    """Serve until a signal says stop. Returns the exit code."""
    tune_allocator()
    listener = _listen(settings.server.host, settings.server.port)
    if listener is None:
        return FAILED
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(settings, listener))
    return DONE


async def _serve(settings: Settings, listener: socket.socket) -> None:
    server, _ = server_for(settings)
    _stop_on_signals(server)
    for warning in settings.warnings:
        log.warning(warning, hint="See docs/settings.md.")
    scheme = "https" if settings.server.tls_certificate else "http"
    # An alias that takes many names is what people wonder about: why does that model answer?
    wide = {name: model.targets for name, model in settings.models.items() if "*" in name}
    more = {"aliases": wide} if wide else {}
    log.info("listening", address=address_of(listener, scheme), **more)
    await server.serve(sockets=[listener])


def server_for(settings: Settings) -> tuple[uvicorn.Server, House]:
    """The server and its house; telemetry is configured on the way."""
    masker = Masker(all_secrets(settings))
    log_format = _log_format(settings)
    journals = _journals(settings, masker)
    configure(settings.log.level, log_format, journals.stream, masker)
    house = House(settings, masker, log_format, journals)
    chosen = settings.server
    protocol: Any = serving(house.front) if chosen.http == "callbacks" else "httptools"
    password = chosen.tls_key_password
    config = uvicorn.Config(
        house.app,
        http=protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=int(chosen.keep_alive),
        timeout_graceful_shutdown=int(chosen.shutdown_grace),
        ssl_certfile=chosen.tls_certificate,
        ssl_keyfile=chosen.tls_key,
        ssl_keyfile_password=password.get_secret_value() if password else None,
    )
    server = uvicorn.Server(config)
    house.stopping = lambda: server.should_exit
    return server, house


def _journals(settings: Settings, masker: Masker) -> Journals:
    journals = Journals(sys.stderr, masker)
    chosen, traffic = settings.log, settings.traffic_log
    if chosen.file is not None:
        size = int(chosen.file_max_mb * MEGABYTE)
        journals.add_file(chosen.file, max_bytes=size, keep=chosen.file_keep)
    if chosen.bodies and chosen.level == "debug":
        journals.add_bodies()
    if traffic.file is not None:
        journals.add_traffic(
            traffic.file,
            max_bytes=int(traffic.max_mb * MEGABYTE),
            keep=traffic.keep,
            queue=traffic.queue,
            content=traffic.content,
        )
    return journals


def _stop_on_signals(server: uvicorn.Server) -> None:
    """A first signal stops gracefully, a second at once; either way the command has done what it
    was asked for, so that its exit code is 0 (uvicorn by itself would die of the signal again).
    """
    server.capture_signals = contextlib.nullcontext  # type: ignore[assignment]
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, server.handle_exit)


def address_of(listener: socket.socket, scheme: str = "http") -> str:
    """Where clients find the gateway."""
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _listen(host: str, port: int) -> socket.socket | None:
    """A listening socket, or ``None`` after saying why there is none."""
    try:
        # The protocol by number: asyncio turns off the delay of small writes only where it is told.
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)  # noqa: FBT003  # positional only
    except OSError as error:
        print(  # noqa: T201  # the log is not there yet
            f"dragoman: cannot listen on {host} port {port}: {error.strerror or error}."
            " Choose another port with --port, or stop what uses this one.",
            file=sys.stderr,
        )
        return None
    return listener


def _log_format(settings: Settings) -> Format:
    chosen = settings.log.format
    if chosen == "auto":
        return "console" if sys.stderr.isatty() else "json"
    return chosen


DEMO: Final = """\

Dragoman is ready at {address}, with simulated providers behind it. Try:

  curl {address}/v1/chat/completions -H 'content-type: application/json' \\
    -d '{{"model": "GigaChat-2", "messages": [{{"role": "user", "content": "Hello!"}}]}}'

and streamed:

  curl -N {address}/v1/chat/completions -H 'content-type: application/json' \\
    -d '{{"model": "GigaChat-2", "stream": true,
         "messages": [{{"role": "user", "content": "Hello!"}}]}}'

Models: {address}/v1/models   Health: {address}/ready   Metrics: {address}/metrics
OpenAI clients: base URL {address}/v1, any key. Stop with Ctrl-C.
"""


def demo(port: int, host: str = "127.0.0.1") -> int:
    """Serve in front of the simulators until stopped. Returns the exit code."""
    tune_allocator()
    listener = _listen(host, port)
    if listener is None:
        return FAILED
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_demonstrate(listener))
    return DONE


async def _demonstrate(listener: socket.socket) -> None:
    from dragoman.simulators.server import SimulatorServer  # noqa: PLC0415  # only for the demo

    async with SimulatorServer() as simulators:
        server, house = server_for(_demo_settings(simulators.config_toml(), listener))
        _stop_on_signals(server)

        async def welcome() -> None:
            await house.has_discovered.wait()
            print(DEMO.format(address=address_of(listener)), flush=True)  # noqa: T201

        welcoming = asyncio.ensure_future(welcome())
        await server.serve(sockets=[listener])
        welcoming.cancel()


def _demo_settings(toml: str, listener: socket.socket) -> Settings:
    """Nothing of the user's own: no environment, no file but the simulators'."""
    host, port = listener.getsockname()[:2]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "dragoman.toml")
        file.write_text(toml)
        flags = {"--host": host, "--port": port, "--insecure-public": True}
        return load(flags, config=file, env_file=None, environ={}, cwd=Path(folder))
