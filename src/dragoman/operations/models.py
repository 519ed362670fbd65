"""What is served here, as callers may know it."""

from __future__ import annotations

from collections.abc import Mapping

from dragoman.dialects.models import Listed
from dragoman.errors import ModelNotFound
from dragoman.providers.base import Provider
from dragoman.routing import Router


class Models:
    """The list of models."""

    def __init__(self, router: Router, providers: Mapping[str, Provider]) -> None:
        self._router = router
        self._providers = providers

    def listed(self, only: str | None = None) -> list[Listed]:
        """All models, aliases first; with ``only`` those of one provider."""
        return [
            Listed(name, at.provider, at.model, self._providers[at.provider].purpose(at.model))
            for name, at in self._router.names()
            if only is None or at.provider == only
        ]

    def find(self, name: str, only: str | None = None) -> Listed:
        """One of the list, by its name or as ``provider/model``. Raises ``ModelNotFound``."""
        listed = self.listed(only)
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
