"""Token counts of one call, disjoint, so that a price can be put on each.

Every dialect's view (OpenAI counts cached tokens inside ``prompt_tokens``, Anthropic beside
``input_tokens``) is computed from these; a difference that comes out negative is clamped to 0
by the reader, because providers are not always consistent.
"""

from __future__ import annotations

from msgspec import Struct


class Usage(Struct, frozen=True, gc=False):
    """Tokens. ``input`` excludes both cache counts; ``reasoning`` is part of ``output``."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0
    estimated: bool = False
    """Counted by us from what was seen, because the provider gave no figures."""

    @property
    def input_total(self) -> int:
        """All tokens of the prompt, cached or not."""
        return self.input + self.cache_read + self.cache_write

    @property
    def total(self) -> int:
        """Prompt and answer together."""
        return self.input_total + self.output
