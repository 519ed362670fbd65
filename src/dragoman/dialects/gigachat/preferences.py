"""What an operator may choose about the requests that GigaChat gets."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from dragoman.dialects.gigachat.schemas import SchemaLevel


class Preferences(Struct, frozen=True, kw_only=True):
    """The same for all requests to one provider."""

    schema_level: SchemaLevel = SchemaLevel.REDUCED
    """How much of the JSON Schema of a function is sent."""
    max_tokens: int | None = None
    """Output limit of requests that name none; ``None`` leaves it to the model."""
    reasoning_effort: Literal["low", "medium", "high"] | None = None
    """Effort of requests that name none, for models that reason; ``None`` leaves it to them."""
    session_ids: bool = True
    """Requests of one conversation carry the same session id, for GigaChat's prompt cache."""


STANDARD: Final = Preferences()
"""Nothing in particular."""
