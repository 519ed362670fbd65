"""What is not a conversation: models, health, metrics, and clear errors for the rest."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dragoman import __version__
from dragoman.dialects.base import ClientDialect
from dragoman.errors import GatewayError, MethodNotAllowed, ModelNotFound, NotFound
from dragoman.web.arrivals import client_tokens

Listing = Callable[[tuple[bytes, ...]], Awaitable[list[tuple[str, str]]]]
"""The client keys of a request -> the models that its sender may ask for, each with its owner.
Raises ``GatewayError``."""

_HINT = "See GET /v1/models for what is served and POST /v1/chat/completions to use it."


class Pages:
    """Views; each asks the floor below and spells the answer."""

    def __init__(
        self,
        listing: Listing,
        dialect: ClientDialect,
        readiness: Callable[[], dict[str, Any]],
        metrics: Callable[[], bytes],
    ) -> None:
        """``readiness`` gives what ``/ready`` shows; its member ``ready`` decides the status."""
        self._listing = listing
        self._dialect = dialect
        self._readiness = readiness
        self._metrics = metrics

    def app(self) -> Starlette:
        """The ASGI application with these pages; their paths come to it ``normalised``."""
        both = ["GET", "POST"]  # health checks of other programs post
        routes = [
            Route("/", self.index),
            Route("/health", self.health, methods=both),
            Route("/ping", self.health, methods=both),
            Route("/ready", self.ready),
            Route("/metrics", self.metrics),
            Route("/v1/models", self.models),
            Route("/v1/models/{name:path}", self.model),
        ]
        return Starlette(
            routes=routes,
            exception_handlers={HTTPException: self.trouble, GatewayError: self.trouble},
        )

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
        listed = await self._listed(request)
        return _json({"object": "list", "data": [_model(*one) for one in listed]})

    async def model(self, request: Request) -> Response:
        """One model; its name may hold slashes and colons."""
        name = request.path_params["name"].rstrip("/")
        if not name:
            return await self.models(request)
        for known, owner in await self._listed(request):
            if known == name:
                return _json(_model(known, owner))
        raise ModelNotFound(
            f"The model `{name[:100]}` is not listed here. GET /v1/models lists what is.",
            param="model",
            code="model_not_found",
        )

    async def _listed(self, request: Request) -> list[tuple[str, str]]:
        tokens = client_tokens(request.headers.raw, request.scope["query_string"])
        return await self._listing(tokens)

    async def trouble(self, _request: Request, error: Exception) -> Response:
        """Every error in the caller's shape, never a bare ``detail``."""
        told: GatewayError
        if isinstance(error, GatewayError):
            told = error
        elif isinstance(error, HTTPException) and error.status_code == 405:
            told = MethodNotAllowed(f"This path does not take that method. {_HINT}")
        else:
            told = NotFound(f"There is nothing at this path. {_HINT}", code="unknown_url")
        return Response(self._dialect.write_error(told), told.status, media_type="application/json")


def _model(name: str, owner: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": owner}


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")
