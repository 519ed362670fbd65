"""What a model without a mind says: texts, tokens, chunks and ids, all derived from the request.

The same request gives the same answer, to the byte: ids and ``created`` come from a digest of
the body, not from a clock or a generator of random numbers.
"""

from __future__ import annotations

import hashlib
import re
import struct
import uuid
from collections.abc import Sequence
from typing import Any, Final

ECHO_LIMIT: Final = 400
SYSTEM_LIMIT: Final = 80
_EPOCH: Final = 1_767_225_600  # 2026-01-01
_TOKEN = re.compile(r"\s*\w{1,6}|\s*[^\w\s]|\s+")


class Identity:
    """Ids for the answer to one request."""

    def __init__(self, body: bytes) -> None:
        self._digest = hashlib.blake2b(body, digest_size=32).digest()

    def hex(self, what: str, length: int = 24) -> str:
        """``length`` hexadecimal digits (up to 64) that differ for each ``what``."""
        return hashlib.blake2b(self._digest + what.encode(), digest_size=32).hexdigest()[:length]

    def uuid(self, what: str) -> str:
        """A version 4 UUID that differs for each ``what``."""
        return str(uuid.UUID(hex=self.hex(what, 32), version=4))

    @property
    def created(self) -> int:
        """Unix seconds of some moment of 2026-01-01."""
        return _EPOCH + int.from_bytes(self._digest[:4], "big") % 86_400


def tokens(text: str) -> list[str]:
    """The text cut into tokens; joined, they are the text again."""
    return _TOKEN.findall(text)


def text_of(content: Any) -> str:
    """The text of a message's content: a string, or parts, where other kinds show as ``[kind]``."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = (part for part in content if isinstance(part, dict))
    return " ".join(
        str(part["text"]) if "text" in part else f"[{part.get('type') or ' '.join(part)}]"
        for part in parts
    )


def last_user_text(messages: Sequence[dict[str, Any]]) -> str:
    """The text of the last user message; empty if there is none."""
    for message in reversed(messages):
        if message.get("role") == "user":
            return text_of(message.get("content"))
    return ""


def echo(user_text: str, messages: Sequence[dict[str, Any]]) -> str:
    """An answer that shows what arrived: the user's text, the system text, the number of turns."""
    system = " ".join(
        text_of(message.get("content"))
        for message in messages
        if message.get("role") in ("system", "developer")
    )
    turns = sum(message.get("role") not in ("system", "developer") for message in messages)
    return (
        f"You said: {shortened(user_text, ECHO_LIMIT)} "
        f"(system: {shortened(system, SYSTEM_LIMIT) or 'none'}; turns: {turns})"
    )


def shortened(text: str, limit: int) -> str:
    """The text, or its beginning with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def pieces(text: str, count: int | None, tokens_each: int) -> list[str]:
    """The text as content chunks: of ``tokens_each`` tokens, or exactly ``count`` of them.

    A text with too few tokens for ``count`` is prolonged by `` part-k`` for each missing chunk.
    """
    found = tokens(text)
    if count is None:
        return ["".join(found[at : at + tokens_each]) for at in range(0, len(found), tokens_each)]
    if len(found) > count:
        return [*found[: count - 1], "".join(found[count - 1 :])]
    return found + [f" part-{number}" for number in range(len(found) + 1, count + 1)]


def limited(chunks: list[str], limit: int | None) -> tuple[list[str], bool]:
    """The chunks cut to ``limit`` tokens, and whether something was cut off."""
    if limit is None:
        return chunks, False
    kept: list[str] = []
    for chunk in chunks:
        found = tokens(chunk)
        if len(found) > limit:
            return ([*kept, "".join(found[:limit])] if limit else kept), True
        limit -= len(found)
        kept.append(chunk)
    return kept, False


def vector(text: str, dimensions: int) -> list[float]:
    """A vector of ``dimensions`` numbers between -1 and 1, of length 1, derived from the text."""
    raw = hashlib.shake_256(text.encode()).digest(2 * dimensions)
    numbers = [(number - 32_767.5) / 32_768 for number in struct.unpack(f">{dimensions}H", raw)]
    length = sum(number * number for number in numbers) ** 0.5
    return [number / length for number in numbers]
