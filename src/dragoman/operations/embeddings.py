"""Vectors of texts: a request of any size, split as its provider needs it.

A provider is chosen once. Vectors of two models have nothing to do with each other, so that no
other model ever steps in: of an alias with several targets the first one embeds, and what is
tried again is tried with another key of the same provider.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Raw

from dragoman.canonical.embedding import EmbeddingResponse, Input
from dragoman.canonical.usage import Usage
from dragoman.dialects import embeddings
from dragoman.dialects.embeddings import EmbeddingsCall
from dragoman.dialects.operations import EmbeddingsApi
from dragoman.errands import Errand
from dragoman.errors import ModelNotFound, UnsupportedByTarget, foremost
from dragoman.operations.desk import Desk, Operation, Place
from dragoman.providers import catalogue
from dragoman.routing import Route

PARALLEL: Final = 4
"""Calls of one request that are under way together; the rest wait their turn."""
VECTORS_A_TURN: Final = 16
"""Vectors that are encoded in one turn of the event loop; a millisecond or two."""
ANSWER_LIMIT: Final = 256 * 1024 * 1024
"""Bytes of one call's answer: 2,048 vectors of 3,072 numbers are about 130 MB."""
_BYTES_PER_TOKEN_ID: Final = 7

Batch = tuple[int, Sequence[Input]]
"""Index of the first input, and the inputs."""


class Embeddings:
    """``POST /v1/embeddings``."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def serve(self, operation: Operation, body: bytes) -> Sequence[bytes]:
        """The answer's body in pieces. Raises ``GatewayError``."""
        call = embeddings.read_request(body)
        route, is_stand_in = self._route(operation, call.model)
        place = self._desk.place(operation, route)
        api = place.provider.operations.embeddings
        if api is None:
            raise UnsupportedByTarget(
                f"{route.provider} has no embeddings. Choose a model of another provider.",
                param="model",
            )
        size = catalogue.dimensions(place.provider.kind, route.model)
        fidelity = api.check(call.request(route.model), size)
        if is_stand_in:
            fidelity.adjust("model", call.model, route.model)
        self._desk.accept(operation, fidelity)
        work = _Work(operation, place, api, call)
        batches = list(in_batches(call.inputs, api.most_inputs, api.most_bytes))
        if api.write_request is None and len(batches) == 1:
            return [await work.passed()]
        operation.usage = Usage()
        parts = await work.all_of(batches)
        return embeddings.written(parts, call.model, operation.usage)

    def _route(self, operation: Operation, model: str) -> tuple[Route, bool]:
        """Where ``model`` embeds, and whether that is another model than the caller named.

        A provider's ``embedder`` stands in for names that nobody serves, which are OpenAI's as a
        rule, and for models that are known to chat.
        """
        providers = self._desk.providers
        try:
            route = self._desk.routes(operation, model)[0]
        except ModelNotFound:
            for name, provider in providers.items():
                if provider.purpose(model) == "embedder":
                    return Route(name, model), False
            for name, provider in providers.items():
                if provider.embedder:
                    return Route(name, provider.embedder), True
            raise
        provider = providers[route.provider]
        purpose = provider.purpose(route.model)
        is_explicit = route.model != model
        keeps = purpose == "embedder" or (is_explicit and purpose is None)
        if provider.embedder and not keeps and not self._serves(route):
            return Route(route.provider, provider.embedder), True
        return route, False

    def _serves(self, route: Route) -> bool:
        """The provider lists this model and does not say that it chats."""
        provider = self._desk.providers[route.provider]
        return provider.purpose(route.model) is None and route.model in provider.models()


class _Work:
    """The calls of one request."""

    def __init__(
        self, operation: Operation, place: Place, api: EmbeddingsApi, call: EmbeddingsCall
    ) -> None:
        self._operation = operation
        self._place = place
        self._api = api
        self._call = call
        content_type = [("content-type", "application/json")]
        self._head = place.provider.operation_head("POST", api.path, content_type)

    async def passed(self) -> bytes:
        """The answer to the caller's own bytes."""
        body = await self._ask(self._call.forwarded(self._place.model))
        self._operation.usage = embeddings.read_usage(body)
        return body

    async def all_of(self, batches: Sequence[Batch]) -> list[bytes]:
        """Every batch, some at a time, each spelled for the caller; the first that fails ends the
        others.
        """
        parts = [b""] * len(batches)
        waiting = iter(enumerate(batches))

        async def work() -> None:
            for at, (first, inputs) in waiting:
                response = await self._embed(inputs)
                parts[at] = await self._spelled(response.vectors, first)

        if len(batches) == 1:
            await work()
            return parts
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(PARALLEL, len(batches))):
                    group.create_task(work())
        except ExceptionGroup as failed:
            raise foremost(failed) from None
        return parts

    async def _spelled(self, vectors: Sequence[Raw], first: int) -> bytes:
        """For the caller; others get their turns while long vectors are encoded."""
        pieces: list[bytes] = []
        for at in range(0, len(vectors), VECTORS_A_TURN):
            some = vectors[at : at + VECTORS_A_TURN]
            pieces.append(embeddings.spelled(some, first + at, self._call.encoding))
            await asyncio.sleep(0)
        return b",".join(pieces)

    async def _embed(self, inputs: Sequence[Input]) -> EmbeddingResponse:
        model = self._place.model
        if self._api.write_request is None:
            body = self._call.part(model, inputs)
        else:
            body = self._api.write_request(model, inputs)
        answer = await self._ask([body])
        response = self._api.read_response(answer, len(inputs))
        before = self._operation.usage or Usage()
        self._operation.usage = Usage(
            input=before.input + response.usage.input,
            estimated=before.estimated or response.usage.estimated,
        )
        return response

    async def _ask(self, body: Sequence[bytes]) -> bytes:
        errand = Errand(head=self._head, body=body, read_error=self._api.read_error)
        return await self._place.messenger.ask(errand, self._operation, limit=ANSWER_LIMIT)


def in_batches(inputs: Sequence[Input], most: int, most_bytes: int) -> Iterator[Batch]:
    """``inputs`` in their order, in pieces of at most ``most`` inputs and ``most_bytes`` bytes; an
    input that is larger alone is a piece of its own.
    """
    first = size = 0
    for at, each in enumerate(inputs):
        own = _size(each)
        if at > first and (at - first >= most or size + own > most_bytes):
            yield first, inputs[first:at]
            first, size = at, 0
        size += own
    yield first, inputs[first:]


def _size(value: Input) -> int:
    return len(value.encode()) if isinstance(value, str) else len(value) * _BYTES_PER_TOKEN_ID
