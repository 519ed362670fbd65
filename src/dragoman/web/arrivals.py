"""From a received request to what the pipeline takes; shared by both ways of serving."""

from __future__ import annotations

import itertools
import re
import secrets
import zlib
from collections.abc import Collection, Iterable
from typing import Final
from urllib.parse import parse_qsl

from msgspec.structs import replace

from dragoman.errors import HeadTooLarge, InvalidRequest, RequestTooLarge, UnsupportedEncoding
from dragoman.pipeline import RequestHead
from dragoman.web.front import KEY_HEADERS, OWN_HEADERS, Front
from dragoman.web.paths import Endpoint
from dragoman.web.reply import Headers

HEAD_LIMIT: Final = 64 * 1024
"""Bytes of a request's line and headers, where they do not come in one read (at most 256 KB)."""
MAX_HEADERS: Final = 256
HIGH_WATER: Final = 256 * 1024
"""Bytes waiting for a slow client before its upstream is paused."""

_BEARER: Final = b"bearer "
_KEY_PARAMETERS: Final = frozenset({b"key", b"x-api-key"})
_UPGRADING: Final = frozenset({b"upgrade", b"http2-settings"})
_PASSABLE: Final = re.compile(rb"[ -~]{1,256}")
"""Values that are passed on: printable ASCII of a bounded length."""
_run: Final = secrets.token_hex(6)
_numbers: Final = itertools.count(1)


def new_request_id() -> str:
    """Unique over all processes, in order within one; also the stem of the answer's id."""
    return f"{_run}{next(_numbers):010x}"


def read_head(
    endpoint: Endpoint,
    headers: Iterable[tuple[bytes, bytes]],
    wanted: Collection[bytes] = OWN_HEADERS,
    url: bytes = b"",
) -> tuple[RequestHead, bytes]:
    """What the pipeline must know of a head, and the body's ``content-encoding``, if it has one.

    ``headers`` have their names in lower case; ``wanted`` is ``Front.wanted``. Raises
    ``InvalidRequest`` for one that is passed on and must not be.
    """
    tokens: list[bytes] = _query_tokens(url.partition(b"?")[2]) if b"?" in url else []
    passed: list[tuple[bytes, bytes]] = []
    encoding = b""
    reject = False
    for name, value in headers:
        if name not in wanted:
            continue
        if name in KEY_HEADERS:
            if token := _token(name, value):
                tokens.append(token)
        elif name == b"content-encoding":
            encoding = value
        elif name == b"x-dragoman-on-unsupported":
            reject = value.strip().lower() == b"reject"
        elif value:
            passed.append((name, _passable(name, value)))
    head = RequestHead(
        endpoint.dialect, tuple(tokens), endpoint.provider, reject, tuple(passed), endpoint.api
    )
    return head, encoding


def _passable(name: bytes, value: bytes) -> bytes:
    if _PASSABLE.fullmatch(value) is None:
        header = name.decode("latin-1")
        raise InvalidRequest(
            f"The header {header} is passed on, and takes 256 printable ASCII characters at most.",
            param=header,
            code="invalid_header",
        )
    return value


def with_details(head: RequestHead, headers: Headers, front: Front) -> RequestHead:
    """``head`` with what only some gateways look at: the calling web page, all the headers."""
    own = [] if front.cross_origin is None else front.cross_origin.headers(headers)
    return replace(head, headers=tuple(headers), answer_headers=tuple(own))


def client_tokens(headers: Iterable[tuple[bytes, bytes]], query: bytes = b"") -> tuple[bytes, ...]:
    """Every client key among ``headers`` (names in lower case) and in the query."""
    found = [_token(name, value) for name, value in headers if name in KEY_HEADERS]
    return tuple(token for token in found + _query_tokens(query) if token)


def _query_tokens(query: bytes) -> list[bytes]:
    """Keys in a query, where Gemini's clients put them: ``?key=`` and ``?x-api-key=``."""
    if b"key=" not in query.lower():
        return []
    pairs = parse_qsl(query, max_num_fields=MAX_HEADERS)
    return [value for name, value in pairs if name.lower() in _KEY_PARAMETERS]


def _token(name: bytes, value: bytes) -> bytes:
    if name == b"authorization" and value[:7].lower() == _BEARER:
        return value[7:].strip()
    return value.strip()


def decompressed(body: bytes, encoding: bytes, limit: int) -> bytes:
    """``body`` without its ``content-encoding``.

    Raises ``UnsupportedEncoding``, ``RequestTooLarge`` (``limit`` is in bytes, after
    decompression) or ``InvalidRequest`` for damaged data.
    """
    name = encoding.strip().lower()
    if name in {b"", b"identity"}:
        return body
    if name not in {b"gzip", b"x-gzip", b"deflate"}:
        raise UnsupportedEncoding(
            "The body's Content-Encoding is not understood. Send it as gzip or uncompressed.",
            code="unsupported_media_type",
        )
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 32)  # 32: gzip or zlib, told by the header
    try:
        out = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        raise InvalidRequest(
            "The body is not valid gzip data although its Content-Encoding says so."
        ) from error
    if len(out) > limit:
        raise too_large(limit)
    if not inflater.eof:
        raise InvalidRequest("The compressed body is cut short.")
    return out


def head_without_upgrade(
    method: bytes, url: bytes, headers: Iterable[tuple[bytes, bytes]]
) -> bytes:
    """A request's head without its wish for another protocol, which a server may ignore (RFC 9110,
    section 7.8) and which curl and Java's client attach to ordinary requests. ``headers`` have
    their names in lower case.
    """
    lines = [b"%b %b HTTP/1.1" % (method, url)]
    for name, value in headers:
        if name == b"connection":
            options = [option.strip() for option in value.split(b",")]
            kept = b", ".join(o for o in options if o.lower() not in _UPGRADING)
            lines.append(b"connection: %b" % (kept or b"keep-alive"))
        elif name not in _UPGRADING:
            lines.append(b"%b: %b" % (name, value))
    return b"\r\n".join([*lines, b"", b""])


def head_too_large() -> HeadTooLarge:
    """The error for a head beyond its bounds."""
    return HeadTooLarge(
        f"The request's head is larger than {HEAD_LIMIT // 1024} KB or {MAX_HEADERS} headers."
    )


def too_large(limit: int) -> RequestTooLarge:
    """The error for a body of more than ``limit`` bytes."""
    return RequestTooLarge(
        f"The body is larger than the {limit // (1024 * 1024)} MB that this gateway takes."
        " Its operator can raise server.max_body_mb.",
        code="request_too_large",
    )
