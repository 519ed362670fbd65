"""Thoughts that a model writes into its words: ``<think>...</think>`` ahead of the answer.

GigaChat has a member of its own for thoughts, but some models use the tags. They count only where
models put them: at the beginning, several blocks in a row if need be. A tag further on is
something that the answer talks about. Blanks around a block belong to the tags.
"""

from __future__ import annotations

from typing import Final

from dragoman.canonical.conversation import Reasoning, Text
from dragoman.canonical.events import PartKind

OPENING: Final = "<think>"
CLOSING: Final = "</think>"

Piece = tuple[PartKind, str]
"""Some words, and whether they are ``TEXT`` or ``REASONING``; never empty."""

BLANKS: Final = 1000
"""Blanks that may stand before a tag."""


class ThoughtSplitter:
    """Splits the words of one answer as they come; how they are cut makes no difference."""

    def __init__(self) -> None:
        self.is_talking = False
        """The answer has begun: what follows is text without a further look."""
        self._held = ""
        self._is_thinking = False
        self._has_begun = False
        """The thought has brought more than blanks."""
        self._has_thought = False

    def feed(self, words: str) -> list[Piece]:
        """What has become clear with ``words``."""
        if self.is_talking:
            return [(PartKind.TEXT, words)] if words else []
        self._held += words
        pieces: list[Piece] = []
        while not self.is_talking and self._held:
            before = self._held
            if self._is_thinking:
                self._think(pieces)
            else:
                self._begin(pieces)
            if self._held == before:
                break
        return pieces

    def close(self) -> list[Piece]:
        """The words have ended: what was held back."""
        held, self._held = self._held, ""
        if self._is_thinking:
            return [(PartKind.REASONING, held)] if held.strip() else []
        if self._has_thought and not held.strip():
            return []
        return [(PartKind.TEXT, held)] if held else []

    def _begin(self, pieces: list[Piece]) -> None:
        bare = self._held.lstrip()
        is_near = len(self._held) - len(bare) <= BLANKS
        if is_near and bare.startswith(OPENING):
            self._held = bare[len(OPENING) :]
            self._is_thinking = self._has_thought = True
            self._has_begun = False
        elif not (is_near and OPENING.startswith(bare)):
            pieces.append((PartKind.TEXT, bare if self._has_thought else self._held))
            self._held = ""
            self.is_talking = True

    def _think(self, pieces: list[Piece]) -> None:
        if not self._has_begun:
            self._held = self._held.lstrip()
            self._has_begun = bool(self._held)
        end = self._held.find(CLOSING)
        if end >= 0:
            thought = self._held[:end].rstrip()
            self._held = self._held[end + len(CLOSING) :]
            self._is_thinking = False
        else:
            thought = _without_closing(self._held).rstrip()
            self._held = self._held[len(thought) :]
        if thought:
            pieces.append((PartKind.REASONING, thought))


def _without_closing(thought: str) -> str:
    """``thought`` without an end that may become the closing tag."""
    for length in range(len(CLOSING) - 1, 0, -1):
        if thought.endswith(CLOSING[:length]):
            return thought[:-length]
    return thought


def split_thoughts(words: str) -> list[Reasoning | Text]:
    """The parts of a whole answer."""
    if OPENING not in words:
        return [Text(words)]
    splitter = ThoughtSplitter()
    parts: list[Reasoning | Text] = []
    for kind, text in [*splitter.feed(words), *splitter.close()]:
        parts.append(Reasoning(text) if kind is PartKind.REASONING else Text(text))
    return parts
