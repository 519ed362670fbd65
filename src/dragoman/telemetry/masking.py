"""Keeps secrets out of everything that is written down.

Two nets: the values that the gateway itself holds (``register``, with their spellings in
base64, URLs and JSON), and shapes that are secrets whoever they belong to. A value whose *name*
says that it is secret is masked whatever it looks like.

The work is bounded: text is cut at ``MAX_TEXT``, nesting at ``MAX_DEPTH``, and every pattern is
linear in the text. A pattern is tried only where its telltale substring occurs.
"""

from __future__ import annotations

import base64
import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, Final
from urllib.parse import quote, quote_plus

MASK: Final = "***"
MAX_TEXT: Final = 16_384
"""Characters of one text that are kept."""
MAX_DEPTH: Final = 6
MAX_ITEMS: Final = 200
"""Items of one list or mapping that are kept."""
SHORTEST: Final = 4
"""Registered values with fewer characters would blank out ordinary words; they are not masked."""
_PREFIX: Final = 6
"""Characters of a registered value that, at the end of a cut text, are taken for its beginning."""

_PROSE: Final = r"(?!(?:tokens?|auth\w{0,16}|credentials?|keys?)[.,;:!?)\"']{0,2}(?:\s|\Z))"
"""What follows ``Bearer`` in sentences."""

_PATTERNS: Final[tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...]] = (
    (
        ("-----begin",),
        re.compile(
            r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----"
            r"[\s\S]*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)"
        ),
        MASK,
    ),
    (
        ("bearer",),
        re.compile(
            r"\b(Bearer(?:\s|%20|\+){1,4})" + _PROSE + r"[^\s\"'\\,;<>]{4,}",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    (
        ("basic",),
        re.compile(
            r"\b([Bb]asic(?:\s|%20|\+){1,4})(?![A-Z]?[a-z]+(?![\w+/=]))[A-Za-z0-9+/_-]{4,}={0,2}"
        ),
        rf"\1{MASK}",
    ),
    (
        ("giga-",),
        re.compile(r"(?<![a-z0-9])(giga-(?:cred|auth|user)-)[^\s\"'\\,;<>&]+", re.IGNORECASE),
        rf"\1{MASK}",
    ),
    (("sk-",), re.compile(r"(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{8,}"), MASK),
    (("aiza",), re.compile(r"AIza[A-Za-z0-9_-]{16,}"), MASK),
    (("akia", "asia"), re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{12,}"), MASK),
    (("ya29.",), re.compile(r"ya29\.[A-Za-z0-9_-]{8,}"), MASK),
    (("gsk_", "xai-"), re.compile(r"(?<![A-Za-z0-9])(?:gsk_|xai-)[A-Za-z0-9_-]{16,}"), MASK),
    (
        ("eyj",),
        re.compile(r"(?<![\w-])eyJ[\w-]{8,}+\.[\w-]{8,}+(?:\.[\w-]*+){0,3}"),
        MASK,
    ),
    (
        ("key=", "token=", "secret=", "signature=", "password=", "assertion="),
        re.compile(
            r"(?<![\w.-])([\w.-]{0,32}(?:key|token|secret|signature|password|assertion)=)"
            r"[^&\s\"'<>#]+",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    (
        ("://",),
        re.compile(r"(://[^/\s:@]{0,128}:)[^/\s@]{1,256}@"),
        rf"\1{MASK}@",
    ),
)
"""Telltale substrings in lower case, the pattern, what to put in its place."""

_BARE: Final = re.compile("AIza|A[KS]IA")
"""The only shapes above that need nothing but letters and digits: most request ids pass here."""

_SECRET_NAMES: Final = frozenset(
    {
        "access_token",
        "api_key",
        "apikey",
        "authorization",
        "client_secret",
        "cookie",
        "credential",
        "credentials",
        "password",
        "private_key",
        "proxy_authorization",
        "refresh_token",
        "secret",
        "secret_access_key",
        "session_token",
        "set_cookie",
        "token",
        "x_api_key",
        "x_goog_api_key",
    }
)


class Masked(str):
    """Text that has been masked already and is kept as it is, whatever its length."""

    __slots__ = ()


class Masker:
    """Masks text and event mappings. Register every secret before the first request."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        self._lengths: list[int] = []
        self._values: list[str] = []
        for secret in secrets:
            self.register(secret)

    def register(self, secret: str) -> None:
        """Mask ``secret`` from now on, in every spelling that it commonly takes."""
        for spelling in _spellings(secret):
            if len(spelling) >= SHORTEST and spelling not in self._known:
                self._known.add(spelling)
                place = bisect_right(self._lengths, len(spelling))
                self._lengths.insert(place, len(spelling))
                self._values.insert(place, spelling)

    def mask(self, text: str, limit: int = MAX_TEXT) -> str:
        """``text`` without secrets, at most about ``limit`` characters of it."""
        if len(text) > limit:
            left_out = len(text) - limit
            whole = self._mask(self._without_begun_secret(text[:limit]))
            return f"{whole}... ({left_out} more characters)"
        return self._mask(text)

    def mask_event(self, event: MutableMapping[str, Any]) -> dict[str, Any]:
        """A copy of a log event in which no value, however deep, shows a secret."""
        return {
            self.mask(str(name)): self._mask_named(str(name), value, MAX_DEPTH)
            for name, value in event.items()
        }

    def _mask(self, text: str) -> str:
        # Sorted by length: what is longer than the text cannot be in it, and of two values of
        # which one holds the other the longer goes first.
        for value in reversed(self._values[: bisect_right(self._lengths, len(text))]):
            if value in text:
                text = text.replace(value, MASK)
        if text.isalnum() and not _BARE.search(text):
            return text
        lowered = text.lower()
        for telltales, pattern, replacement in _PATTERNS:
            for telltale in telltales:
                if telltale in lowered:
                    text = pattern.sub(replacement, text)
                    break
        return text

    def _without_begun_secret(self, text: str) -> str:
        """Drop the end of a cut ``text`` if a registered value may begin there."""
        shortest = len(text)
        for value in self._values:
            begins = text.find(value[:_PREFIX], max(0, len(text) - len(value)))
            while begins >= 0 and not value.startswith(text[begins:]):
                begins = text.find(value[:_PREFIX], begins + 1)
            if begins >= 0:
                shortest = min(shortest, begins)
        return text[:shortest]

    def _mask_named(self, name: str, value: object, depth: int) -> object:
        if value is not None and name.lower().replace("-", "_") in _SECRET_NAMES:
            return MASK
        return self._mask_value(value, depth)

    def _mask_value(self, value: object, depth: int) -> object:
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, Masked):
            return str(value)
        if isinstance(value, str):
            return self.mask(value)
        if isinstance(value, (bytes, bytearray)):
            return self.mask(bytes(value[: MAX_TEXT + 1]).decode("utf-8", "replace"))
        if isinstance(value, (Mapping, list, tuple, set, frozenset)):
            return self._mask_items(value, depth - 1) if depth else "..."
        return self.mask(str(value) if isinstance(value, BaseException) else repr(value))

    def _mask_items(self, value: Mapping[Any, Any] | Iterable[Any], depth: int) -> object:
        if isinstance(value, Mapping):
            return {
                self.mask(str(name)): self._mask_named(str(name), item, depth)
                for name, item in list(value.items())[:MAX_ITEMS]
            }
        return [self._mask_value(item, depth) for item in list(value)[:MAX_ITEMS]]


def _spellings(secret: str) -> list[str]:
    """``secret`` as it is, and as URLs, JSON, base64 and Python's ``repr`` write it."""
    if len(secret) < SHORTEST:
        return []
    raw = secret.encode("utf-8", "surrogatepass")
    standard = base64.b64encode(raw).decode()
    return [
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        quote(secret),
        json.dumps(secret, ensure_ascii=False)[1:-1],
        json.dumps(secret)[1:-1],
        standard.rstrip("="),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
    ]
