"""Lines of a head -> its headers; and the short cut for the answer that nearly every call gets.

``read_whole`` recognises an answer that came whole in one read: HTTP/1.1, one line for each
header, ``content-length`` and exactly so many bytes, nothing compressed. What it accepts is a part
of what ``AnswerReader`` accepts, with the same result, at a third of the price; it keeps nothing
from one answer to the next but how lines read that it saw before. Everything else is not its
affair: ``None``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from dragoman.transport.calls import Head

END_OF_HEAD: Final = b"\r\n\r\n"
MAX_FIELDS: Final = 256
"""Header lines in an answer."""

_PLAIN_HEAD: Final = 4096
"""Bytes of the longest head whose lines are remembered, so that 4 MB is the most they take."""
_STATUS_LINE: Final = re.compile(r"HTTP/1\.1 ([2-5][0-9]{2}) [\t -~\x80-\xff]*")
_FIELD_LINE: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t -~\x80-\xff]*)")
"""RFC 9112, section 5, without anything obsolete but bytes beyond ASCII."""
_KEEP_ALIVE_TIMEOUT: Final = re.compile(r"\btimeout\s*=\s*\"?(\d{1,6})\b", re.IGNORECASE)
_BODILESS: Final = frozenset({204, 304})
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


def read_whole(data: bytes) -> tuple[Head, bytes] | None:
    """Head and body, if ``data`` is one plain answer, no byte more and no byte less, after which
    the connection can be used again.
    """
    at = data.find(END_OF_HEAD)
    if not 0 <= at <= _PLAIN_HEAD:
        return None
    body = data[at + len(END_OF_HEAD) :]
    length = f"{len(body)}"
    # Streams and parts of answers end here, before their lines are read in vain.
    if data.find(b" %b\r\n" % length.encode(), 0, at + 2) < 0:
        return None
    lines = data[:at].decode("latin-1").split("\r\n")
    try:
        status = _read_status(lines.pop(0))
        headers = dict(map(_read_plain, lines))
    except ValueError:
        return None
    if (
        headers.get("content-length") != length
        or status in _BODILESS
        or "transfer-encoding" in headers
        or "content-encoding" in headers
        or ("connection" in headers and headers["connection"].lower() != "keep-alive")
        or len(headers) < len(lines)
        or len(lines) > MAX_FIELDS
    ):
        return None
    return Head(status, headers), body


def read_headers(head: bytes) -> dict[str, str]:
    """The headers of a head, its end included, that llhttp has found to be well formed: one line
    each, nothing folded. Raises ``Misframed`` if there are too many.
    """
    lines = head.decode("latin-1").split("\r\n")[1:-2]
    if len(lines) > MAX_FIELDS:
        raise Misframed(f"the answer has more than {MAX_FIELDS} headers")
    if len(head) <= _PLAIN_HEAD:
        try:
            headers = dict(map(_read_plain, lines))
        except ValueError:
            return _read_fields(lines)
        if len(headers) == len(lines):
            return headers
    return _read_fields(lines)


def _read_fields(lines: list[str]) -> dict[str, str]:
    """Any lines, also such as come several times."""
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        key = name.lower()
        text = value.strip(" \t")
        if key in headers and key not in _LAST_COUNTS:
            text = f"{headers[key]}, {text}"
        headers[key] = text
    return headers


def read_keep_alive(headers: dict[str, str]) -> float | None:
    """Seconds that the upstream says it keeps an idle connection (``keep-alive: timeout=``)."""
    if "keep-alive" not in headers:
        return None
    found = _KEEP_ALIVE_TIMEOUT.search(headers["keep-alive"])
    return float(found[1]) if found else None


# Most lines are the same in every answer of an upstream, word for word.


@lru_cache(maxsize=64)
def _read_status(line: str) -> int:
    """Raises ``ValueError``."""
    found = _STATUS_LINE.fullmatch(line)
    if found is None:
        raise ValueError(line)
    return int(found[1])


@lru_cache(maxsize=1024)
def _read_plain(line: str) -> tuple[str, str]:
    """Name and value. Raises ``ValueError``."""
    found = _FIELD_LINE.fullmatch(line)
    if found is None:
        raise ValueError(line)
    return found[1].lower(), found[2].strip(" \t")
