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

from dragoman.accounts.users import Keyring
from dragoman.dialects import models
from dragoman.dialects.base import ClientDialect
from dragoman.errors import GatewayError, MethodNotAllowed, NotFound
from dragoman.operations.models import Models
from dragoman.web.arrivals import client_tokens, new_request_id
from dragoman.web.asgi import App, Receive, Scope, Send
from dragoman.web.paths import Paths

_HINT = "See GET /v1/models for what is served and POST /v1/chat/completions to use it."
_API: Final = frozenset({"embeddings", "files", "model", "models", "tokens"})
"""First parts of the paths that are served under any version and provider."""


class Pages:
    """Views; each asks the floor below and spells the answer."""

    def __init__(
        self,
        keyring: Keyring,
        served: Models,
        dialect: ClientDialect,
        readiness: Callable[[], dict[str, Any]],
        metrics: Callable[[], bytes],
        created: int,
    ) -> None:
        """``readiness`` gives what ``/ready`` shows; its member ``ready`` decides the status.
        ``created`` is what every model says of its age, in Unix seconds.
        """
        self._keyring = keyring
        self._served = served
        self._dialect = dialect
        self._readiness = readiness
        self._metrics = metrics
        self._created = created

    def app(self, paths: Paths, operations: Sequence[BaseRoute] = ()) -> App:
        """The ASGI application with these pages and the routes of ``operations``."""
        routes: list[BaseRoute] = [
            Route("/health", self.health),
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
        self._admit(request)
        return _json(models.models(self._served.listed(_provider(request)), self._created))

    async def model(self, request: Request) -> Response:
        """One model; its name may hold slashes and colons."""
        self._admit(request)
        found = self._served.find(request.path_params["name"], _provider(request))
        return _json(models.model(found, self._created))

    async def model_info(self, request: Request) -> Response:
        """LiteLLM's list, of all models or of the one that ``?model=`` names."""
        self._admit(request)
        provider, name = _provider(request), request.query_params.get("model")
        served = self._served
        listed = [served.find(name, provider)] if name else served.listed(provider)
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
            {"x-request-id": new_request_id()},
            media_type="application/json",
        )

    def _admit(self, request: Request) -> None:
        self._keyring.admit(client_tokens(request.headers.raw))


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


def _provider(request: Request) -> str | None:
    provider: str | None = request.scope.get("state", {}).get("provider")
    return provider


def _json(value: Any, status: int = 200) -> Response:
    headers = {"x-request-id": new_request_id()}
    return Response(msgspec.json.encode(value), status, headers, media_type="application/json")
