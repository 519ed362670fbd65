"""The words of one answer on their way to its readers.

Thoughts in tags are told from the answer, marks become citations, and words beside an answer that
has a form are kept back: they would spoil it, and count only if that answer does not come.
"""

from __future__ import annotations

from dragoman.canonical.conversation import Citation
from dragoman.canonical.events import PartKind
from dragoman.dialects.base import WrittenRequest
from dragoman.dialects.gigachat.thoughts import Piece, ThoughtSplitter
from dragoman.dialects.gigachat.v2.citations import Citations, WireInline


class Words:
    """Takes the text of an answer whole or in pieces; how it is cut makes no difference."""

    def __init__(self, written: WrittenRequest) -> None:
        self._splitter = ThoughtSplitter()
        self._citations = Citations() if written.cites else None
        self._has_form = bool(written.json_tool)
        self._held: list[str] = []
        self._is_answered = False

    @property
    def are_plain(self) -> bool:
        """What follows goes to the readers as it is."""
        return self._splitter.is_talking and self._citations is None and not self._has_form

    def learn(self, inline: WireInline | None) -> None:
        """Take note of the pages that stand beside a text."""
        if self._citations is not None and inline is not None and inline.sources:
            self._citations.learn(inline.sources)

    def feed(self, text: str) -> list[Piece]:
        """What readers get now of the next words."""
        return self._shown(self._splitter.feed(text)) if text else []

    def interrupt(self) -> list[Piece]:
        """A call follows: words that could still have become a tag are words."""
        return self._shown(self._splitter.close())

    def release(self) -> list[Piece]:
        """What was kept back, once a call of the caller's functions has come."""
        held = "".join(self._held)
        self._held.clear()
        return [(PartKind.TEXT, held)] if held else []

    def answered(self) -> bool:
        """The answer that has a form has come. Whether it is the first: one is enough."""
        is_first = not self._is_answered
        self._is_answered = True
        return is_first

    def close(self) -> list[Piece]:
        """The answer has ended: what is left of its words."""
        pieces = self.interrupt()
        if not self._is_answered:
            pieces += self.release()
        end = self._citations.close() if self._citations is not None else ""
        return [*pieces, (PartKind.TEXT, end)] if end else pieces

    def cited(self) -> tuple[Citation, ...]:
        """The places that cite a page; after ``close``."""
        return self._citations.found() if self._citations is not None else ()

    def _shown(self, pieces: list[Piece]) -> list[Piece]:
        shown: list[Piece] = []
        for kind, text in pieces:
            if kind is not PartKind.TEXT:
                shown.append((kind, text))
            elif self._has_form:
                self._held.append(text)
            elif self._citations is None:
                shown.append((kind, text))
            elif said := self._citations.text(text):
                shown.append((kind, said))
        return shown
