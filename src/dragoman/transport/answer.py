"""Bytes of a connection -> one answer: its head, its body unframed, its exact end.

``AnswerReader.feed`` takes one read and returns the bytes of the body in it; attributes tell the
rest. Heads and chunked bodies are read by llhttp (``httptools``), which is strict about them;
bodies of known length and bodies up to the end of the connection pass as they came. Pure: no
socket, no time. The framing rules are RFC 9112, section 6.3.
"""

from __future__ import annotations

import re
from typing import Any, Final

import httptools

from dragoman.transport.calls import Head
from dragoman.transport.content_coding import READABLE, BadCoding, Decompressor

MAX_HEAD: Final = 64 * 1024
"""Bytes of status line and headers, interim answers included; also of chunk extensions or
trailers without any body."""
MAX_FIELDS: Final = 256
"""Header lines in an answer."""

_AWAITING, _LENGTH, _CHUNKED, _UNTIL_CLOSE = range(4)
_END_OF_HEAD = b"\r\n\r\n"
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


def read_headers(head: bytes) -> dict[str, str]:
    """The headers of a head that llhttp has found to be well formed: one line each, nothing
    folded. Raises ``Misframed`` if there are too many.
    """
    lines = head.decode("latin-1").split("\r\n")[1:-2]
    if len(lines) > MAX_FIELDS:
        raise Misframed(f"the answer has more than {MAX_FIELDS} headers")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        key = name.lower()
        text = value.strip(" \t")
        if key in headers and key not in _LAST_COUNTS:
            text = f"{headers[key]}, {text}"
        headers[key] = text
    return headers


class AnswerReader:
    """Reads one answer; a new one for each call, so that nothing of the last can linger."""

    __slots__ = (
        "_coding",
        "_ended",
        "_has_no_body",
        "_head_done",
        "_head_size",
        "_mode",
        "_parser",
        "_parts",
        "_remaining",
        "_silent",
        "_starts",
        "_tail",
        "complete",
        "excess",
        "head",
        "keep_for",
        "keeps_alive",
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
        self._parser: Any = httptools.HttpResponseParser(self)
        self._head_size = 0
        self._head_done = False
        self._starts = True
        self._mode = _AWAITING
        self._remaining = 0
        self._parts: list[bytes] = []
        self._ended = False
        self._tail = b""
        self._silent = 0
        self._coding: Decompressor | None = None

    def feed(self, data: bytes) -> bytes:
        """The bytes of the body in one read, often none. Raises ``Misframed``."""
        if self.head is None:
            data = self._feed_head(data)
            if self.complete:
                self.excess = bool(data)
                return b""
            if not data:
                return b""
        block = self._feed_body(data)
        if self._coding is not None:
            try:
                block = self._coding.feed(block)
                if self.complete:
                    self._coding.finish()
            except BadCoding as error:
                raise Misframed(str(error)) from error
        return block

    def finish(self) -> bool:
        """The upstream sends nothing more: ``True`` if that is how this answer ends. Raises
        ``Misframed`` if it ends inside its compression.
        """
        if self._mode != _UNTIL_CLOSE or self.complete:
            return False
        self.complete = True
        if self._coding is not None:
            try:
                self._coding.finish()
            except BadCoding as error:
                raise Misframed(str(error)) from error
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
            if self._starts:
                if data[0] != 0x48:
                    raise Misframed(f"an answer begins with {data[:16]!r}")
                self._starts = False
            window = self._tail + data if self._tail else data
            at = window.find(_END_OF_HEAD)
            end = at + 4 - len(self._tail) if at >= 0 else len(data)
            self._head_size += end
            if self._head_size > MAX_HEAD:
                raise Misframed(f"the head of the answer exceeds {MAX_HEAD} bytes")
            piece = data if end == len(data) else data[:end]
            self._parse(piece)
            if self._head_done != (at >= 0):
                raise Misframed("the head of the answer does not end as it must")
            if at < 0:
                self._tail = window[-3:]
                self._parts.append(piece)
                return b""
            self._tail = b""
            data = data[end:]
            status = self._parser.get_status_code()
            if status >= 200:
                self._begin_body(status, self._whole(piece))
                return data
            self._skip_interim(status)
        return b""

    def _parse(self, piece: bytes) -> None:
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            raise Misframed("the upstream switches protocols unasked") from None
        except httptools.HttpParserError as error:
            raise Misframed(f"malformed HTTP: {error}") from error

    def _skip_interim(self, status: int) -> None:
        """1xx answers precede the real one (RFC 9110, section 15.2)."""
        if status == 101:
            raise Misframed("the upstream switches protocols unasked")
        self._parts = []
        self._head_done = self._ended = False
        self._starts = True

    def _whole(self, piece: bytes) -> bytes:
        """The head whose last piece this is."""
        if not self._parts:
            return piece
        self._parts.append(piece)
        head = b"".join(self._parts)
        self._parts = []
        return head

    def _begin_body(self, status: int, head: bytes) -> None:
        headers = read_headers(head)
        version = self._parser.get_http_version()
        if version not in {"1.1", "1.0"}:
            raise Misframed(f"HTTP version {version}")
        self._read_persistence(version, headers)
        if self._has_no_body or status in {204, 304}:
            self.complete = True
        elif "transfer-encoding" in headers:
            if headers["transfer-encoding"].strip().lower() != "chunked":
                raise Misframed(f"transfer-encoding {headers['transfer-encoding']!r}")
            self._mode = _CHUNKED
            self._ended = False
        elif "content-length" in headers:
            self._mode = _LENGTH
            self._remaining = int(headers["content-length"])
            self.complete = self._remaining == 0
        else:
            self._mode = _UNTIL_CLOSE
            self.keeps_alive = False
        if "content-encoding" in headers and not self.complete:
            self._begin_decoding(headers)
        self.head = Head(status, headers)

    def _read_persistence(self, version: str, headers: dict[str, str]) -> None:
        """RFC 9112, section 9.3; HTTP/1.0 knows no chunks, so its framing is not trusted."""
        options = headers.get("connection", "").lower()
        self.keeps_alive = "close" not in options and (
            version == "1.1" or ("keep-alive" in options and "transfer-encoding" not in headers)
        )
        if "keep-alive" in headers:
            found = _KEEP_ALIVE_TIMEOUT.search(headers["keep-alive"])
            self.keep_for = float(found[1]) if found else None

    def _begin_decoding(self, headers: dict[str, str]) -> None:
        coding = headers["content-encoding"].strip().lower()
        if coding in {"", "identity"}:
            return
        if coding not in READABLE:
            raise Misframed(f"content-encoding {coding!r}, though identity was asked for")
        self._coding = Decompressor(coding)
        # They describe bytes that nobody sees.
        del headers["content-encoding"]
        headers.pop("content-length", None)

    # The body

    def _feed_body(self, data: bytes) -> bytes:
        if self._mode == _LENGTH:
            return self._take_counted(data)
        if self._mode == _CHUNKED:
            return self._take_chunked(data)
        return data

    def _take_counted(self, data: bytes) -> bytes:
        size = len(data)
        if size < self._remaining:
            self._remaining -= size
            return data
        self.complete = True
        if size == self._remaining:
            return data
        self.excess = True
        return data[: self._remaining]

    def _take_chunked(self, data: bytes) -> bytes:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self._ended:
                raise Misframed(f"malformed chunks: {error}") from error
            self.excess = True
        parts = self._parts
        tail = data[-5:] if len(data) >= 5 else (self._tail + data)[-5:]
        if self._ended:
            self.complete = True
            # llhttp skips line ends between messages without a word, so the end is checked here:
            # a whole body ends with a line that is not empty and one that is.
            if not tail.endswith(_END_OF_HEAD) or tail[0] in b"\r\n":
                self.excess = True
        else:
            self._tail = tail
            self._silent = 0 if parts else self._silent + len(data)
            if self._silent > MAX_HEAD:
                raise Misframed("endless chunk extensions or trailers")
        if not parts:
            return b""
        self._parts = []
        return parts[0] if len(parts) == 1 else b"".join(parts)

    # What llhttp tells

    def on_message_begin(self) -> None:
        """Another answer behind the end of this one."""
        if self._ended:
            self.excess = True

    def on_headers_complete(self) -> None:
        """The empty line behind the headers."""
        self._head_done = True

    def on_body(self, block: bytes) -> None:
        """A piece of a chunk."""
        if not self._ended:
            self._parts.append(block)

    def on_message_complete(self) -> None:
        """The empty line behind the trailers."""
        self._ended = True
