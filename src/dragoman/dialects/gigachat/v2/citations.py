"""What an answer cites: GigaChat's marks in the text, and the pages that they mean.

The text of a web search holds marks like ``[sources=[1,2]]``, and somewhere beside the text stand
the pages by number (recorded traffic). Readers get ``[1][2]`` in place of the mark, a list of the
pages behind the text, and a ``Citation`` for each number in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from dragoman.canonical.conversation import Citation

_OPENING: Final = "[sources=["
_MARK: Final = re.compile(r"\[sources=\[ *(\d{1,4}(?: *, *\d{1,4}){0,30}) *\]\]")
_BEGUN: Final = re.compile(r"[\d, ]{0,200}\]?")
"""What may follow the opening of a mark that is not complete."""
_NUMBER: Final = re.compile(r"\d+")
_ADDRESS: Final = re.compile(r"https?://[!-~]+", re.IGNORECASE)
_SPACE: Final = re.compile(r"\s+")


class WireSource(Struct, gc=False):
    """A page, as GigaChat names it."""

    url: str | None = None
    title: str | None = None


class WireInline(Struct, gc=False):
    """What stands beside a text."""

    sources: dict[str, WireSource] | None = None


class Citations:
    """Reads the text of one answer, in pieces or whole."""

    def __init__(self) -> None:
        self._held = ""
        """The end of the text so far, which may be the beginning of a mark."""
        self._length = 0
        """Characters that readers have got."""
        self._marks: list[tuple[str, int, int]] = []
        """Number of a page, and where it stands in the text."""
        self._sources: dict[str, WireSource] = {}

    def learn(self, sources: Mapping[str, WireSource]) -> None:
        """Take note of pages; the last word on a number counts."""
        self._sources.update(sources)

    def text(self, piece: str) -> str:
        """What readers get of the next piece of text."""
        if not self._held and "[" not in piece:
            self._length += len(piece)
            return piece
        text, self._held = self._held + piece, ""
        out: list[str] = []
        at = 0
        while (bracket := text.find("[", at)) >= 0:
            out.append(self._passed(text[at:bracket]))
            mark = _MARK.match(text, bracket)
            if mark is not None:
                out += [self._numbered(number) for number in _NUMBER.findall(mark[1])]
                at = mark.end()
            elif _may_become_a_mark(text[bracket:]):
                self._held = text[bracket:]
                return "".join(out)
            else:
                out.append(self._passed("["))
                at = bracket + 1
        out.append(self._passed(text[at:]))
        return "".join(out)

    def close(self) -> str:
        """The text has ended: what is left of it, and the list of pages."""
        held, self._held = self._held, ""
        return self._passed(held) + self._listing()

    def found(self) -> tuple[Citation, ...]:
        """The places that cite a page; after ``close``."""
        return tuple(
            Citation(page[0], page[1], start, end)
            for number, start, end in self._marks
            if (page := self._page(number)) is not None
        )

    def _passed(self, text: str) -> str:
        self._length += len(text)
        return text

    def _numbered(self, number: str) -> str:
        start = self._length
        text = self._passed(f"[{number}]")
        self._marks.append((number, start, self._length))
        return text

    def _listing(self) -> str:
        """The pages that the text cites; all of them if it cites none."""
        cited = dict.fromkeys(number for number, _, _ in self._marks)
        wanted = list(cited) or list(self._sources)
        pages = [(number, page) for number in wanted if (page := self._page(number))]
        if not pages:
            return ""
        out = [self._passed("\n\nSources:" if self._length else "Sources:")]
        for number, (url, title) in pages:
            out.append(self._passed("\n- "))
            # Where the text has no marks, the list itself is what cites.
            out.append(self._passed(f"[{number}]") if cited else self._numbered(number))
            out.append(self._passed(f" [{title}]({url})"))
        return "".join(out)

    def _page(self, number: str) -> tuple[str, str] | None:
        """Address and title, fit for a link; ``None`` when there is no page of that number."""
        source = self._sources.get(number)
        url = (source.url or "").strip() if source is not None else ""
        if source is None or not _ADDRESS.fullmatch(url):
            return None
        url = url.replace("(", "%28").replace(")", "%29")
        title = _SPACE.sub(" ", source.title or "").strip()
        return url, title.replace("[", "(").replace("]", ")") or url


def _may_become_a_mark(rest: str) -> bool:
    if len(rest) <= len(_OPENING):
        return _OPENING.startswith(rest)
    return rest.startswith(_OPENING) and _BEGUN.fullmatch(rest, len(_OPENING)) is not None
