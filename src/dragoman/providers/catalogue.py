"""What models can do, as data: patterns of model names for each kind of provider.

The first pattern that fits the whole name decides; a version suffix (``GigaChat:2.0.28.2``) is
not part of the name. What is said of GigaChat follows the vendor's documentation and recorded
traffic.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from dragoman.dialects.base import ModelFacts

_PLAIN: Final = ModelFacts(reasoning=False, json_schema=False)
_SMALL: Final = ModelFacts(reasoning=False, json_schema=False, images=False)
_ALL: Final = ModelFacts()

CATALOGUE: Final[dict[str, tuple[tuple[str, ModelFacts], ...]]] = {
    "gigachat": (
        (r"GigaChat(-2|-Plus)?(-preview)?", _SMALL),  # Pro, Max and generation 3 see pictures
        (r"GigaChat-2-Reasoning(-preview)?", ModelFacts(reasoning=True, json_schema=False)),
        (r"GigaChat-([3-9]|[1-9]\d+)(-.*)?", _ALL),  # generation 3 and what follows it
        (r".*", _PLAIN),
    ),
    "openai_compatible": ((r".*", _ALL),),
}
"""Kind of provider -> patterns, case ignored, and what fits them can do."""

EMBEDDERS: Final[dict[str, tuple[tuple[str, int | None], ...]]] = {
    "gigachat": (
        (r"Embeddings(-2)?", 1024),
        (r"EmbeddingsGigaR", 2560),
        (r"GigaEmbeddings-3B-2025-09", 2048),
        (r"(Giga)?Embeddings.*", None),
    ),
}
"""Kind of provider -> patterns of its models that embed, and the size of their vectors."""


@lru_cache(maxsize=1024)
def facts(kind: str, model: str) -> ModelFacts:
    """What ``model`` can do at a provider of ``kind``; an unknown kind can do nothing special."""
    name = model.partition(":")[0]
    for pattern, found in CATALOGUE.get(kind, ()):
        if re.fullmatch(pattern, name, re.IGNORECASE | re.DOTALL):
            return found
    return _PLAIN


@lru_cache(maxsize=1024)
def is_embedder(kind: str, model: str) -> bool:
    """Whether ``model`` of a provider of ``kind`` is known to turn texts into vectors."""
    return any(re.fullmatch(pattern, model) for pattern, _ in EMBEDDERS.get(kind, ()))


@lru_cache(maxsize=1024)
def dimensions(kind: str, model: str) -> int | None:
    """Numbers in a vector of ``model``, where they are known."""
    for pattern, size in EMBEDDERS.get(kind, ()):
        if re.fullmatch(pattern, model):
            return size
    return None
