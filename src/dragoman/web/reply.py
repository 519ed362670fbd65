"""Heads of answers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

from dragoman.canonical.fidelity import Grade
from dragoman.sides import Answer

Headers = list[tuple[bytes, bytes]]
"""Names in lower case."""

_JSON: Final = (b"content-type", b"application/json")
_STREAM: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),  # nginx in front must not collect a stream
)
_STATUS_LINES: Final = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode())
    for status in HTTPStatus
}
_KEPT: Final = 4096


def answer_headers(answer: Answer, *, stream: bool) -> Headers:
    """The headers of a conversation's answer but ``x-request-id`` and those that frame it."""
    headers: Headers = [*_STREAM] if stream else [_JSON]
    if answer.target is not None:
        headers.append((b"x-dragoman-target", header_text(answer.target)))
        headers.append((b"x-dragoman-attempts", b"%d" % answer.attempts))
    fidelity = answer.fidelity
    if fidelity is not None:
        grade = fidelity.grade
        headers.append((b"x-dragoman-fidelity", grade.value.encode()))
        if grade is not Grade.EXACT:
            headers.append((b"x-dragoman-changes", fidelity.header()))
    if answer.retry_after is not None:
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(answer.retry_after))))
    return headers


class Heads:
    """Rendered heads: status line and headers but ``x-request-id`` and the framing.

    Those of undisturbed answers are made once for each target; all others when they are needed.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str | None, int, bool], bytes] = {}

    def of(self, answer: Answer, *, stream: bool) -> bytes:
        """The block, each line ended by CRLF."""
        fidelity = answer.fidelity
        if answer.status != 200 or fidelity is None or fidelity.dropped or fidelity.adjusted:
            return head_block(answer.status, answer_headers(answer, stream=stream))
        key = (answer.target, answer.attempts, stream)
        block = self._kept.get(key)
        if block is None:
            if len(self._kept) >= _KEPT:  # callers choose models, and so targets
                self._kept.clear()
            block = self._kept[key] = head_block(200, answer_headers(answer, stream=stream))
        return block


def head_block(status: int, headers: Headers) -> bytes:
    """Status line and ``headers``, each line ended by CRLF."""
    return (_STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status) + header_lines(headers)


def header_lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """``headers``, each line ended by CRLF."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])


def refusal_headers() -> Headers:
    """Headers of an error that the pipeline has never heard of."""
    return [_JSON]


def header_text(text: str) -> bytes:
    """``text`` as a header may hold it: printable ASCII, anything else as ``?``."""
    if text.isascii() and text.isprintable():
        return text.encode()
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text).encode()
