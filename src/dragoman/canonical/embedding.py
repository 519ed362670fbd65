"""Texts to vectors: the question and the answer, whatever dialect they came in."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from dragoman.canonical.usage import Usage

Input = str | Sequence[int]
"""A text, or the ids of a tokenizer that the caller believes to be the model's own."""


class EmbeddingRequest(Struct, frozen=True, kw_only=True):
    """What to turn into vectors, and how."""

    model: str
    inputs: Sequence[Input]
    """In the caller's order; never empty, and no text among them is."""
    dimensions: int | None = None
    """Numbers in a vector; ``None`` leaves it to the model."""
    others: Sequence[str] = ()
    """Names of members that only some targets know: ``user``, ``input_type``, ..."""


class EmbeddingResponse(Struct, frozen=True):
    """The vectors of one call."""

    vectors: Sequence[msgspec.Raw]
    """One for each input, in the order of the inputs: JSON text as the upstream wrote it, an array
    of numbers, or a string of base64 where that was asked of it."""
    usage: Usage
