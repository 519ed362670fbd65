"""Bytes of a connection -> one answer: its head, its body unframed, its exact end.

``AnswerReader.feed`` takes one read and returns the bytes of the body in it; attributes tell the
rest. Heads and chunked bodies are read by llhttp (``httptools``), which is strict about them;
bodies of known length and bodies up to the end of the connection pass as they came. Pure: no
socket, no time. The framing rules are RFC 9112, section 6.3.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

import httptools

from dragoman.transport.calls import Head
from dragoman.transport.content_coding import READABLE, BadCoding, Decompressor

MAX_HEAD: Final = 64 * 1024
"""Bytes of status line and headers, interim answers included; also of chunk extensions or
trailers without any body."""
MAX_FIELDS: Final = 256
"""Header lines in an answer."""

_LENGTH, _CHUNKED, _UNTIL_CLOSE = range(3)
_FIRST: Final = ord("H")
_END_OF_HEAD: Final = b"\r\n\r\n"
_REMEMBERED_HEAD: Final = 4096
"""Bytes of the longest head whose lines are remembered, so that 4 MB is the most they take."""
_KEEP_ALIVE_TIMEOUT = re.compile(r"\btimeout\s*=\s*\"?(\d{1,6})\b", re.IGNORECASE)

_LAST_COUNTS: Final = frozenset(
    {
        "age",
        "content-type",
        "date",
        "etag",
        "expires",
        "last-modified",
        "location",
        "retry-after",
        "server",
        "set-cookie",
    }
)
"""Headers that are no lists: of several lines the last one counts."""


class Misframed(Exception):
    """The bytes are no HTTP answer, or one that could end at two places; the text is for the
    operator.
    """


@lru_cache(maxsize=1024)
def _read_line(line: str) -> tuple[str, str]:
    """Name and value. Most lines are the same in every answer of an upstream, word for word, so
    the last ones are remembered.
    """
    name, _, value = line.partition(":")
    return name.lower(), value.strip(" \t")


def read_headers(head: bytes) -> dict[str, str]:
    """The headers of a head that llhttp has found to be well formed: one line each, nothing
    folded. Raises ``Misframed`` if there are too many.
    """
    lines = head.decode("latin-1").split("\r\n")[1:-2]
    if len(lines) > MAX_FIELDS:
        raise Misframed(f"the answer has more than {MAX_FIELDS} headers")
    read = _read_line if len(head) <= _REMEMBERED_HEAD else _read_line.__wrapped__
    headers = dict(map(read, lines))
    return headers if len(headers) == len(lines) else _joined(map(read, lines))


def _joined(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers of which some came more than once."""
    headers: dict[str, str] = {}
    for name, value in fields:
        if name in headers and name not in _LAST_COUNTS:
            headers[name] = f"{headers[name]}, {value}"
        else:
            headers[name] = value
    return headers


class AnswerReader:
    """Reads one answer; a new one for each call, so that nothing of the last can linger."""

    __slots__ = (
        "_begun",
        "_coding",
        "_ended",
        "_ended_at",
        "_has_no_body",
        "_head_done",
        "_left",
        "_mode",
        "_parser",
        "_parts",
        "_silent",
        "_skipped",
        "_tail",
        "complete",
        "excess",
        "head",
        "keep_for",
        "keeps_alive",
        "on_body",
    )

    def __init__(self, *, has_no_body: bool = False) -> None:
        self.head: Head | None = None
        """Set once the head is whole."""
        self.complete = False
        """The last byte of the answer was read."""
        self.excess = False
        """There were bytes behind the last one of the answer."""
        self.keeps_alive = False
        """The upstream lets the connection be used again."""
        self.keep_for: float | None = None
        """Seconds it says it keeps an idle connection (``keep-alive: timeout=``)."""
        self._has_no_body = has_no_body
        self._begun = b""
        self._skipped = 0
        self._head_done = False
        self._ended = False
        self._mode = _LENGTH
        self._coding: Decompressor | None = None
        self._parts: list[bytes] = []
        # Called by llhttp for each piece of a chunk: nothing but a list's own method is as cheap.
        self.on_body = self._parts.append
        self._parser: Any = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> bytes:
        """The bytes of the body in one read, often none. Raises ``Misframed``."""
        if self.head is None:
            data = self._feed_head(data)
            if self.complete or not data:
                self.excess = bool(data)
                return b""
        if self._mode == _LENGTH:
            left = self._left = self._left - len(data)
            if left <= 0:
                self.complete = True
                if left < 0:
                    self.excess = True
                    data = data[:left]
        elif self._mode == _CHUNKED:
            data = self._take_chunked(data)
        return data if self._coding is None else self._decode(self._coding, data)

    def finish(self) -> bool:
        """The upstream sends nothing more: ``True`` if that is how this answer ends. Raises
        ``Misframed`` if it ends inside its compression.
        """
        if self.head is None or self._mode != _UNTIL_CLOSE or self.complete:
            return False
        self.complete = True
        if self._coding is not None:
            self._decode(self._coding, b"")
        return True

    def let_go(self) -> None:
        """Part from the parser: the two refer to each other, and would else wait for the garbage
        collector.
        """
        self._parser = None

    # The head

    def _feed_head(self, data: bytes) -> bytes:
        """Read up to the end of the head; returns what lies behind it."""
        while data:
            begun = self._begun
            window = begun + data if begun else data
            if window[0] != _FIRST:
                raise Misframed(f"an answer begins with {window[:16]!r}")
            at = window.find(_END_OF_HEAD)
            size = at + 4 if at >= 0 else len(window)
            if self._skipped + size > MAX_HEAD:
                raise Misframed(f"the head of the answer exceeds {MAX_HEAD} bytes")
            head = window[:size]
            try:
                self._parser.feed_data(head[len(begun) :] if begun else head)
            except httptools.HttpParserUpgrade:
                raise Misframed("the upstream switches protocols unasked") from None
            except httptools.HttpParserError as error:
                raise Misframed(f"malformed HTTP: {error}") from error
            if self._head_done != (at >= 0):
                raise Misframed("the head of the answer does not end as it must")
            if at < 0:
                self._begun = head
                return b""
            data = window[size:]
            status = self._parser.get_status_code()
            if status >= 200:
                self._begin_body(status, head)
                return data
            self._skip_interim(status, size)
        return b""

    def _skip_interim(self, status: int, size: int) -> None:
        """1xx answers precede the real one (RFC 9110, section 15.2)."""
        if status == 101:
            raise Misframed("the upstream switches protocols unasked")
        self._skipped += size
        self._begun = b""
        self._head_done = self._ended = False

    def _begin_body(self, status: int, head: bytes) -> None:
        headers = read_headers(head)
        self._read_persistence(head, headers)
        if self._has_no_body or status in {204, 304}:
            self.complete = True
        elif "transfer-encoding" in headers:
            if headers["transfer-encoding"].lower() != "chunked":
                raise Misframed(f"transfer-encoding {headers['transfer-encoding']!r}")
            self._mode = _CHUNKED
            self._ended = False
            self._tail = b""
            self._silent = 0
        elif "content-length" in headers:
            self._left = int(headers["content-length"])
            self.complete = self._left == 0
        else:
            self._mode = _UNTIL_CLOSE
            self.keeps_alive = False
        if "content-encoding" in headers and not self.complete:
            self._begin_decoding(headers)
        self.head = Head(status, headers)

    def _read_persistence(self, head: bytes, headers: dict[str, str]) -> None:
        """RFC 9112, section 9.3; HTTP/1.0 knows no chunks, so its framing is not trusted."""
        options = headers["connection"].lower() if "connection" in headers else ""
        version = head[5:8]
        if version == b"1.1":
            self.keeps_alive = not options or "close" not in options
        elif version == b"1.0":
            self.keeps_alive = (
                "keep-alive" in options
                and "close" not in options
                and "transfer-encoding" not in headers
            )
        else:
            raise Misframed(f"HTTP version {version!r}")
        if "keep-alive" in headers:
            found = _KEEP_ALIVE_TIMEOUT.search(headers["keep-alive"])
            self.keep_for = float(found[1]) if found else None

    # The coding

    def _begin_decoding(self, headers: dict[str, str]) -> None:
        coding = headers["content-encoding"].lower()
        if coding in {"", "identity"}:
            return
        if coding not in READABLE:
            raise Misframed(f"content-encoding {coding!r}, though identity was asked for")
        self._coding = Decompressor(coding)
        # They describe bytes that nobody sees.
        del headers["content-encoding"]
        headers.pop("content-length", None)

    def _decode(self, coding: Decompressor, data: bytes) -> bytes:
        try:
            block = coding.feed(data)
            if self.complete:
                coding.finish()
        except BadCoding as error:
            raise Misframed(str(error)) from error
        return block

    # Chunks

    def _take_chunked(self, data: bytes) -> bytes:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self._ended:
                raise Misframed(f"malformed chunks: {error}") from error
            self.excess = True
        tail = data[-5:] if len(data) >= 5 else (self._tail + data)[-5:]
        parts = self._parts
        if self._ended:
            self._end_chunks(tail)
        else:
            self._tail = tail
            self._silent = 0 if parts else self._silent + len(data)
            if self._silent > MAX_HEAD:
                raise Misframed("endless chunk extensions or trailers")
        if len(parts) == 1:
            return parts.pop()
        block = b"".join(parts)
        parts.clear()
        return block

    def _end_chunks(self, tail: bytes) -> None:
        """llhttp goes on to the next message and skips line ends before it without a word, so
        the end is checked here: a whole body ends with a line that is not empty and one that is.
        """
        self.complete = True
        if not tail.endswith(_END_OF_HEAD) or tail[0] in b"\r\n":
            self.excess = True
        del self._parts[self._ended_at :]

    # What llhttp tells, beside ``on_body``

    def on_headers_complete(self) -> None:
        """The empty line behind the headers, of this answer or of another one behind its end."""
        self._head_done = True
        if self._ended:
            self.excess = True

    def on_message_complete(self) -> None:
        """The empty line behind the trailers."""
        if not self._ended:
            self._ended = True
            self._ended_at = len(self._parts)
