"""What is served here, as callers may know it."""

from __future__ import annotations

from dragoman.dialects.models import Listed
from dragoman.errors import ModelNotFound
from dragoman.operations.desk import Desk


class Models:
    """The list of models. Both methods raise ``GatewayError`` for whoever may not ask; ``tokens``
    are the client keys of the request.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def listed(self, tokens: tuple[bytes, ...], only: str | None = None) -> list[Listed]:
        """All models, aliases first; with ``only`` those of one provider."""
        providers = self._desk.providers
        return [
            Listed(name, at.provider, at.model, providers[at.provider].purpose(at.model))
            for name, at in await self._desk.names(tokens)
            if only is None or at.provider == only
        ]

    async def find(self, name: str, tokens: tuple[bytes, ...], only: str | None = None) -> Listed:
        """One of the list, by its name or as ``provider/model``. Raises ``ModelNotFound``."""
        listed = await self.listed(tokens, only)
        for each in listed:
            if name == each.name:
                return each
        for each in listed:
            if name == f"{each.provider}/{each.target}":
                return Listed(name, each.provider, each.target, each.purpose)
        raise ModelNotFound(
            f"The model `{name[:100]}` is not listed here. GET /v1/models lists what is.",
            param="model",
            code="model_not_found",
        )
