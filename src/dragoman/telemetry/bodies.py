"""Bodies of requests and answers as they may be written down.

Beside what ``masking`` does: the first ``KEPT`` bytes only, values of members whose names say
that they are secret, and no more than the beginning of what looks like base64 (images, files).
"""

from __future__ import annotations

import re
from typing import Final

from dragoman.telemetry.masking import MASK, Masked, Masker

KEPT: Final = 256 * 1024
"""Bytes of one body that are written down."""

_BASE64: Final = re.compile(r"([A-Za-z0-9+/_-]{24})[A-Za-z0-9+/_-]{176,}={0,2}")
_SECRET_MEMBER: Final = re.compile(
    r"(\\{0,8}\"(?:[\w-]{0,32}(?:password|secret|token|api[_-]?key|authorization|credentials?))"
    r"\\{0,8}\"\s{0,8}:\s{0,8}\\{0,8}\")[^\"\\]{1,4096}",
    re.IGNORECASE,
)
"""Also inside JSON that is itself a JSON string, as the arguments of tools are."""


def kept(body: bytes) -> bytes:
    """The part of ``body`` that is written down; the same object where that is all of it."""
    return body if len(body) <= KEPT else body[:KEPT]


def shown(body: bytes, size: int, masker: Masker) -> Masked:
    """The kept part of a body of ``size`` bytes as text without secrets."""
    text = body.decode("utf-8", "replace")
    text = _BASE64.sub(_shortened, text)
    text = _SECRET_MEMBER.sub(rf"\1{MASK}", text)
    text = masker.mask(text, limit=KEPT)
    if size > len(body):
        text += f"... ({size - len(body)} more bytes)"
    return Masked(text)


def _shortened(match: re.Match[str]) -> str:
    return f"{match[1]}...({len(match[0])} characters)"
