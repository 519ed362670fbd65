"""What an upstream's words must not carry to a caller: keys, hosts, accounts, addresses.

An upstream's error text is useful, because it names the wrong parameter; but it may also echo a
part of our credential or tell where the request really went.
"""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 2000
"""Characters of a message that are kept."""

_MASKS: Final = (
    (re.compile(r"(?i)\bhttps?://[^\s\"'<>)\]]+"), "[url]"),
    (re.compile(r"\barn:aws[\w-]*:[^\s\"',]+"), "[resource]"),
    (re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "[address]"),
    (re.compile(r"(?i)\bbearer\s+[\w.~+/=*-]{8,}"), "[key]"),
    (
        re.compile(
            r"(?<![\w-])(?:sk|pk|rk|xai|gsk|hf|nvapi|r8|pplx|csk|key)[-_]"
            r"(?=[\w*.-]*[\d*])[\w*.-]{4,}"
        ),
        "[key]",
    ),
    (re.compile(r"\b(?:AIza|AKIA|ASIA|ya29\.|eyJ)[\w.-]{12,}"), "[key]"),
    (re.compile(r"(?i)(api[ _-]?key(?: provided)?\s*[:=]\s*)[^\s,.;]*[\w*]"), r"\1[key]"),
    (re.compile(r"(?<![\w-])[\w-]*\*{3,}[\w*-]*"), "[key]"),
    (re.compile(r"\b(?:org|proj|user|acct|team)[-_][A-Za-z0-9]{8,}"), "[account]"),
    (re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b"), "[host]"),
    (
        re.compile(
            r"(?i)(?<![\w.-])(?:[a-z0-9-]+\.){1,9}"
            r"(?:com|net|org|io|ai|dev|cloud|ru|cn|eu|local|internal)\b(?::\d+)?"
        ),
        "[host]",
    ),
    (re.compile(r"\b[0-9a-f]{32,}\b"), "[id]"),
)


def masked(text: str) -> str:
    """``text`` without what looks like a secret, a place or an account, and not too long."""
    text = text[: 2 * LONGEST]
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return text[:LONGEST]
