"""All simulators on one port: the application, the server around it, and the settings that use it.

``SimulatorServer`` runs inside a running event loop (``dragoman demo``, tests); ``run`` is the
whole of ``dragoman simulate``. Loopback unless another host is asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
from types import TracebackType
from typing import Final, Self

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount

from dragoman.clock import Clock, SystemClock
from dragoman.simulators import anthropic, gigachat, openai
from dragoman.simulators.control import Control
from dragoman.simulators.delivery import House
from dragoman.simulators.options import DEFAULT_HOST, DEFAULT_PORT, SimulatorOptions
from dragoman.simulators.wire import SimulatorProtocol

_BACKLOG: Final = 4096
_KEEP_ALIVE_SECONDS: Final = 75
_SHUTDOWN_SECONDS: Final = 5


def create_app(options: SimulatorOptions, clock: Clock | None = None) -> Starlette:
    """All simulators and ``/_control`` as one ASGI application.

    Faults that need the socket (``cut``, ``drop``, ``bad-chunk``) work only under
    ``SimulatorServer`` and ``run``.

    Raises:
        ValueError: if a fault of ``options`` cannot be read.
    """
    house = House(options)
    simulated_gigachat = gigachat.GigaChat(house, clock or SystemClock())
    return Starlette(
        routes=[
            Mount("/anthropic/v1", routes=anthropic.Anthropic(house).routes()),
            Mount("/gigachat", routes=simulated_gigachat.routes()),
            Mount("/openai/v1", routes=openai.OpenAI(house).routes()),
            Control(
                house, simulated_gigachat.tokens.forget_all, simulated_gigachat.files.forget_all
            ).route(),
        ],
        exception_handlers={404: _not_found},
    )


async def _not_found(request: Request, error: Exception) -> Response:
    del error
    message = f"Not Found: {request.method} {request.url.path}"
    return JSONResponse({"status": 404, "message": message, "error": {"message": message}}, 404)


def run(options: SimulatorOptions, host: str = DEFAULT_HOST, port: int = DEFAULT_PORT) -> None:
    """Serve until a signal ends it."""
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(_config(options, host, port)).run()


def config_toml(base_url: str, options: SimulatorOptions | None = None) -> str:
    """The ``dragoman.toml`` that uses the simulators at ``base_url`` (``http://127.0.0.1:9099``)."""
    options = options or SimulatorOptions()
    base_url = base_url.rstrip("/")
    keys = [key for key, scopes in options.gigachat_keys.items() if not scopes]
    return f"""\
[providers.gigachat]
kind = "gigachat"
base_url = "{base_url}/gigachat/api/v1"
auth_url = "{base_url}/gigachat/oauth"
scope = "GIGACHAT_API_PERS"
credentials = {json.dumps(keys)}

[providers.openai]
kind = "openai_compatible"
base_url = "{base_url}/openai/v1"
credentials = {json.dumps(options.openai_keys)}

[providers.anthropic]
kind = "anthropic"
base_url = "{base_url}/anthropic"
credentials = {json.dumps(options.anthropic_keys)}

[models."assistant"]
targets = ["gigachat/GigaChat-2-Max", "openai/gpt-4o"]

[models."claude"]
targets = ["anthropic/claude-sonnet-5"]

[models."reasoner"]
targets = ["openai/simulated-reasoner"]
"""


class TlsFiles(msgspec.Struct, frozen=True, kw_only=True):
    """PEM files for serving HTTPS."""

    certificate: str
    key: str
    client_ca: str | None = None
    """Authority of client certificates, which are asked for and need not be shown."""


class SimulatorServer:
    """The simulators on a port of their own, inside the running loop.

    Use as ``async with SimulatorServer(options) as server``; port 0 takes a free one.
    """

    def __init__(
        self,
        options: SimulatorOptions | None = None,
        host: str = DEFAULT_HOST,
        port: int = 0,
        tls: TlsFiles | None = None,
    ) -> None:
        self.options = options or SimulatorOptions()
        self._host = host
        self._scheme = "https" if tls is not None else "http"
        self._server = uvicorn.Server(_config(self.options, host, port, tls))
        self._port = port
        self._socket: socket.socket | None = None
        self._ticking: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """``http://host:port`` (``https``), without a slash at the end."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{self._scheme}://{host}:{self._port}"

    @property
    def gigachat_url(self) -> str:
        """Base URL of GigaChat's API v1."""
        return f"{self.url}/gigachat/api/v1"

    @property
    def gigachat_auth_url(self) -> str:
        """GigaChat's OAuth endpoint."""
        return f"{self.url}/gigachat/oauth"

    @property
    def openai_url(self) -> str:
        """Base URL of the OpenAI API."""
        return f"{self.url}/openai/v1"

    @property
    def anthropic_url(self) -> str:
        """Base URL of the Anthropic API, as its SDK wants it."""
        return f"{self.url}/anthropic"

    @property
    def control_url(self) -> str:
        """Where the journal is read and faults are queued."""
        return f"{self.url}/_control"

    def config_toml(self) -> str:
        """The ``dragoman.toml`` that uses this server."""
        return config_toml(self.url, self.options)

    async def start(self) -> None:
        """Listen; returns when connections are accepted.

        Raises:
            OSError: if the port is taken.
        """
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        self._socket = socket.create_server(
            (self._host, self._port), family=family, backlog=_BACKLOG
        )
        # Accepted connections inherit it; asyncio sets it only where a protocol number is given.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._port = self._socket.getsockname()[1]
        config = self._server.config
        config.load()
        self._server.lifespan = config.lifespan_class(config)
        await self._server.startup(sockets=[self._socket])
        self._ticking = asyncio.create_task(self._server.main_loop())

    async def stop(self) -> None:
        """Cut all connections and stop listening; harmless when not started."""
        if self._ticking is None or self._socket is None:
            return
        self._server.should_exit = True
        await self._ticking
        self._ticking = None
        for connection in list(self._server.server_state.connections):
            if isinstance(connection, SimulatorProtocol):
                connection.transport.abort()
        await self._server.shutdown(sockets=[self._socket])

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()


def _config(
    options: SimulatorOptions, host: str, port: int, tls: TlsFiles | None = None
) -> uvicorn.Config:
    asks = tls is not None and tls.client_ca is not None
    return uvicorn.Config(
        create_app(options),
        host=host,
        port=port,
        http=SimulatorProtocol,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        server_header=False,
        ssl_certfile=tls.certificate if tls else None,
        ssl_keyfile=tls.key if tls else None,
        ssl_ca_certs=tls.client_ca if tls else None,
        ssl_cert_reqs=ssl.CERT_OPTIONAL if asks else ssl.CERT_NONE,
    )
