"""Bytes of a connection -> one answer: its head, its body unframed, its exact end.

``AnswerReader.feed`` takes one read and returns the bytes of the body in it; attributes tell the
rest. It reads what ``heads.read_whole`` leaves. Heads and chunked bodies are read by llhttp
(``httptools``), which is strict about them; bodies of known length and bodies up to the end of
the connection pass as they came. Pure: no socket, no time. The framing rules are RFC 9112,
section 6.3.
"""

from __future__ import annotations

from typing import Any, Final

import httptools

from dragoman.transport.calls import Head
from dragoman.transport.content_coding import READABLE, BadCoding, Decompressor
from dragoman.transport.heads import END_OF_HEAD, Misframed, read_headers, read_keep_alive

MAX_HEAD: Final = 64 * 1024
"""Bytes of status line and headers, interim answers included; also of chunk extensions or
trailers without any body."""

_LENGTH, _CHUNKED, _UNTIL_CLOSE = range(3)
_FIRST, _ONE = b"H1"
_MINOR_VERSION: Final = len(b"HTTP/1.")
"""Where it stands; of the versions that llhttp reads only 1.1 ends with a one."""
_SHORTEST_END: Final = len(b"0\r\n\r\n")


class AnswerReader:
    """Reads one answer; a new one for each call, so that nothing of the last can linger."""

    __slots__ = (
        "_begun",
        "_coding",
        "_ended",
        "_ended_at",
        "_has_no_body",
        "_head_done",
        "_last",
        "_left",
        "_mode",
        "_parser",
        "_parts",
        "_silent",
        "_skipped",
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
        self._left = 0
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
            at = window.find(END_OF_HEAD, max(0, len(begun) - len(END_OF_HEAD) + 1))
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
            self._last = b""
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
        if head[_MINOR_VERSION] == _ONE:
            self.keeps_alive = "close" not in options
        elif head.startswith(b"HTTP/1.0"):
            self.keeps_alive = (
                "keep-alive" in options
                and "close" not in options
                and "transfer-encoding" not in headers
            )
        else:
            raise Misframed(f"HTTP version {head[5:8]!r}")
        self.keep_for = read_keep_alive(headers)

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
        self._last = data if len(data) >= _SHORTEST_END else self._last[1 - _SHORTEST_END :] + data
        parts = self._parts
        if self._ended:
            self._end_chunks()
        elif parts:
            self._silent = 0
        else:
            self._silent += len(data)
            if self._silent > MAX_HEAD:
                raise Misframed("endless chunk extensions or trailers")
        if len(parts) == 1:
            return parts.pop()
        block = b"".join(parts)
        parts.clear()
        return block

    def _end_chunks(self) -> None:
        """Look for what llhttp does not tell: it skips line ends before the next message without
        a word. A whole body ends with a line that is not empty and one that is.
        """
        self.complete = True
        end = self._last[-_SHORTEST_END:]
        if not end.endswith(END_OF_HEAD) or end[0] in b"\r\n":
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
