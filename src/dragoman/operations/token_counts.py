"""Token counts, which cost nothing and are the provider's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dragoman.dialects import token_counts
from dragoman.dialects.operations import TokenCount
from dragoman.errands import Errand
from dragoman.errors import UnsupportedByTarget
from dragoman.operations.desk import Desk, Operation
from dragoman.routing import Route

ANSWER_LIMIT: Final = 16 * 1024 * 1024


class TokenCounts:
    """``POST /v1/tokens/count``."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def serve(self, operation: Operation, body: bytes) -> Sequence[bytes]:
        """The answer's body. Raises ``GatewayError``."""
        call = token_counts.read_request(body)
        route = self._desk.routes(operation, call.model)[0]
        counts = await self.count(operation, route, call.texts)
        return [token_counts.write_response(counts)]

    async def count(
        self, operation: Operation, route: Route, texts: Sequence[str]
    ) -> Sequence[TokenCount]:
        """How long ``texts`` are for the model at ``route``. Raises ``GatewayError``."""
        place = self._desk.place(operation, route)
        api = place.provider.operations.tokens
        if api is None:
            raise UnsupportedByTarget(
                f"{route.provider} does not count tokens. Choose a model of GigaChat's, or count"
                " with the model's own tokenizer.",
                param="model",
            )
        content_type = [("content-type", "application/json")]
        errand = Errand(
            head=place.provider.operation_head("POST", api.path, content_type),
            body=[api.write_request(place.model, texts)],
            read_error=api.read_error,
            idempotent=True,
        )
        answer = await place.messenger.ask(errand, operation, limit=ANSWER_LIMIT)
        return api.read_response(answer, len(texts))
