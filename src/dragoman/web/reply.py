"""Heads of answers."""

from __future__ import annotations

import math
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


def answer_headers(answer: Answer, request_id: str, *, stream: bool) -> Headers:
    """All headers of a conversation's answer but those that frame it."""
    headers: Headers = [*_STREAM] if stream else [_JSON]
    headers.append((b"x-request-id", request_id.encode()))
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


def header_text(text: str) -> bytes:
    """``text`` as a header may hold it: printable ASCII, anything else as ``?``."""
    if text.isascii() and text.isprintable():
        return text.encode()
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text).encode()


def refusal_headers(request_id: str) -> Headers:
    """Headers of an error that the pipeline has never heard of."""
    return [_JSON, (b"x-request-id", request_id.encode())] if request_id else [_JSON]
