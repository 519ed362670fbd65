"""What models can do, as data: patterns of model names for each kind of provider.

The first pattern that fits the whole name decides; a version suffix (``GigaChat:2.0.28.2``) is
not part of the name. What is said of GigaChat and Claude follows the vendors' documentation, the
list of models that Anthropic's API gives, and recorded traffic.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from msgspec import structs

from dragoman.dialects.base import ModelFacts, Sampling, Thinking

_PLAIN: Final = ModelFacts(reasoning=False, json_schema=False)
_SMALL: Final = ModelFacts(reasoning=False, json_schema=False, images=False)
_ALL: Final = ModelFacts()

_LATEST: Final = ModelFacts(
    thinking=Thinking.ADAPTIVE,
    efforts=("low", "medium", "high", "xhigh", "max"),
    sampling=Sampling.NONE,
    prefill=False,
    max_output=128_000,
)
_INLINE: Final = structs.replace(_LATEST, inline_system=True)
_FABLE: Final = structs.replace(_INLINE, thinking=Thinking.ALWAYS, forced_choice=False)
_CLAUDE_4_6: Final = structs.replace(
    _LATEST, efforts=("low", "medium", "high", "max"), sampling=Sampling.ONE
)
_CLAUDE_4_5: Final = ModelFacts(thinking=Thinking.BUDGET, sampling=Sampling.ONE, max_output=64_000)
_CLAUDE_4_1: Final = structs.replace(_CLAUDE_4_5, max_output=32_000)
_CLAUDE_4: Final = structs.replace(_CLAUDE_4_5, json_schema=False, sampling=Sampling.ALL)
_CLAUDE_3_5: Final = ModelFacts(reasoning=False, json_schema=False, max_output=8192)
_CLAUDE_3: Final = structs.replace(_CLAUDE_3_5, documents=False, max_output=4096)
_CLAUDE_UNKNOWN: Final = ModelFacts(reasoning=False, json_schema=False, sampling=Sampling.ONE)
_VERSION: Final = r"(-\d{8}|-latest)?"

CLAUDE: Final[tuple[tuple[str, ModelFacts], ...]] = (
    (r"claude-(fable|mythos)-\d+.*", _FABLE),
    (rf"claude-opus-(4-8|5){_VERSION}", _INLINE),
    # Sonnet 5 takes instructions between the turns without a word and does not heed them.
    (rf"claude-(sonnet-5|opus-4-7){_VERSION}", _LATEST),
    (rf"claude-(opus|sonnet)-4-6{_VERSION}", _CLAUDE_4_6),
    (
        rf"claude-opus-4-5{_VERSION}",
        structs.replace(_CLAUDE_4_5, efforts=("low", "medium", "high")),
    ),
    (rf"claude-(sonnet|haiku)-4-5{_VERSION}", _CLAUDE_4_5),
    (rf"claude-opus-4-1{_VERSION}", _CLAUDE_4_1),
    (rf"claude-opus-4(-0)?{_VERSION}", structs.replace(_CLAUDE_4, max_output=32_000)),
    (rf"claude-sonnet-4(-0)?{_VERSION}", _CLAUDE_4),
    (rf"claude-3-7-sonnet{_VERSION}", _CLAUDE_4),
    (rf"claude-3-5-(sonnet|haiku){_VERSION}", _CLAUDE_3_5),
    (rf"claude-3-(opus|sonnet|haiku){_VERSION}", _CLAUDE_3),
    (r"claude-[a-z]+-([4-9]|[1-9]\d).*", _LATEST),  # newer than this list
    (r".*", _CLAUDE_UNKNOWN),
)
"""What Claude can do, by Anthropic's own names, on every cloud that has it."""

CATALOGUE: Final[dict[str, tuple[tuple[str, ModelFacts], ...]]] = {
    "gigachat": (
        (r"GigaChat(-2|-Plus)?(-preview)?", _SMALL),  # Pro, Max and generation 3 see pictures
        (r"GigaChat-2-Reasoning(-preview)?", ModelFacts(reasoning=True, json_schema=False)),
        (r"GigaChat-([3-9]|[1-9]\d+)(-.*)?", _ALL),  # generation 3 and what follows it
        (r".*", _PLAIN),
    ),
    "openai_compatible": ((r".*", _ALL),),
    "anthropic": CLAUDE,
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
