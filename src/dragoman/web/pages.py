"""What is not a conversation: models, operations, health, metrics; clear errors for the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from dragoman import __version__
from dragoman.dialects import models
from dragoman.dialects.base import ClientDialect
from dragoman.errors import GatewayError, MethodNotAllowed, NotFound
from dragoman.operations.models import Models
from dragoman.web.arrivals import client_tokens
from dragoman.web.asgi import App, Receive, Scope, Send
from dragoman.web.paths import Paths

_HINT = "See GET /v1/models for what is served and POST /v1/chat/completions to use it."
_API: Final = frozenset({"embeddings", "files", "model", "models", "tokens"})
"""First parts of the paths that are served under any version and provider."""


class Pages:
    """Views; each asks the floor below and spells the answer."""

    def __init__(
        self,
        served: Models,
        dialect: ClientDialect,
        readiness: Callable[[], dict[str, Any]],
        metrics: Callable[[], bytes],
        created: int,
    ) -> None:
        """``readiness`` gives what ``/ready`` shows; its member ``ready`` decides the status.
        ``created`` is what every model says of its age, in Unix seconds.
        """
        self._served = served
        self._dialect = dialect
        self._readiness = readiness
        self._metrics = metrics
        self._created = created

    def app(self, paths: Paths, operations: Sequence[BaseRoute] = ()) -> App:
        """The ASGI application with these pages and the routes of ``operations``."""
        both = ["GET", "POST"]  # health checks of other programs post
        routes: list[BaseRoute] = [
            Route("/", self.index),
            Route("/health", self.health, methods=both),
            Route("/ping", self.health, methods=both),
            Route("/ready", self.ready),
            Route("/metrics", self.metrics),
            Route("/v1/models", self.models),
            Route("/v1/models/{name:path}", self.model),
            Route("/v1/model/info", self.model_info),
            *operations,
        ]
        app = Starlette(
            routes=routes,
            exception_handlers={HTTPException: self.trouble, GatewayError: self.trouble},
        )
        return _Tolerant(app, paths)

    async def index(self, _request: Request) -> Response:
        """What this is, for whoever opens the address."""
        paths = {"models": "/v1/models", "health": "/health", "ready": "/ready"}
        return _json({"status": "ok", "service": "dragoman", "version": __version__, **paths})

    async def health(self, _request: Request) -> Response:
        """The process lives and its loop turns."""
        return _json({"status": "ok"})

    async def ready(self, _request: Request) -> Response:
        """Whether new requests have a chance."""
        state = self._readiness()
        return _json(state, 200 if state["ready"] else 503)

    async def metrics(self, _request: Request) -> Response:
        """Prometheus text format."""
        return Response(self._metrics(), media_type="text/plain; version=0.0.4")

    async def models(self, request: Request) -> Response:
        """OpenAI's model list."""
        listed = await self._served.listed(_tokens(request), _provider(request))
        return _json(models.models(listed, self._created))

    async def model(self, request: Request) -> Response:
        """One model; its name may hold slashes and colons."""
        name = request.path_params["name"].rstrip("/")
        if not name:
            return await self.models(request)
        found = await self._served.find(name, _tokens(request), _provider(request))
        return _json(models.model(found, self._created))

    async def model_info(self, request: Request) -> Response:
        """LiteLLM's list, of all models or of the one that ``?model=`` names."""
        tokens, provider = _tokens(request), _provider(request)
        name = request.query_params.get("model")
        served = self._served
        listed = (
            [await served.find(name, tokens, provider)]
            if name
            else await served.listed(tokens, provider)
        )
        return _json(models.model_info(listed))

    async def trouble(self, _request: Request, error: Exception) -> Response:
        """Every error in the caller's shape, never a bare ``detail``."""
        told: GatewayError
        if isinstance(error, GatewayError):
            told = error
        elif isinstance(error, HTTPException) and error.status_code == 405:
            told = MethodNotAllowed(f"This path does not take that method. {_HINT}")
        else:
            told = NotFound(f"There is nothing at this path. {_HINT}", code="unknown_url")
        return Response(
            self._dialect.write_error(told),
            told.status,
            media_type="application/json",
        )


class _Tolerant:
    """Gives each path of the API its usual spelling, and the provider that it names apart."""

    def __init__(self, app: App, paths: Paths) -> None:
        self._app = app
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        provider, path = self._paths.split(scope["path"])
        if path.startswith("/v1/") and path.split("/")[2] in _API:
            scope = {**scope, "path": path, "state": {"provider": provider}}
        await self._app(scope, receive, send)


def _tokens(request: Request) -> tuple[bytes, ...]:
    return client_tokens(request.headers.raw, request.scope["query_string"])


def _provider(request: Request) -> str | None:
    provider: str | None = request.scope.get("state", {}).get("provider")
    return provider


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")
