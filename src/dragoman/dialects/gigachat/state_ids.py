"""Call ids for an upstream that has none.

GigaChat identifies no call. It gives the assistant's turn a ``functions_state_id`` and wants it
back with that turn; clients give back nothing but the id of the call. So the call's id *is* the
state id in another spelling, and the next request is understood without a table, after a
restart and by another process too. The prefix says which spelling:

``call_gc_``   a UUID, as 32 hexadecimal digits
``call_gcs_``  a short string of safe characters, as it is
``call_gcb_``  any other short string, as base64url
``call_gcd_``  a digest: there was no state id, or one too long to carry, and none comes back
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from hashlib import sha256
from typing import Final

LONGEST: Final = 64
"""Characters of a call id; OpenAI's and Bedrock's limit."""

_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_HEX: Final = re.compile(r"call_gc_([0-9a-f]{32})")
_SAFE: Final = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN_PREFIX: Final = "call_gcs_"
_BASE64_PREFIX: Final = "call_gcb_"
_DIGEST_PREFIX: Final = "call_gcd_"


def call_id(state_id: str) -> str | None:
    """The id of the call that came with ``state_id``; ``None`` when it cannot be carried."""
    if _UUID.fullmatch(state_id):
        return "call_gc_" + state_id.replace("-", "")
    if not state_id:
        return None
    if _SAFE.fullmatch(state_id):
        spelled = _PLAIN_PREFIX + state_id
    else:
        raw = state_id.encode("utf-8", "surrogatepass")
        spelled = _BASE64_PREFIX + urlsafe_b64encode(raw).decode().rstrip("=")
    return spelled if len(spelled) <= LONGEST else None


def state_id(call_id: str) -> str | None:
    """The state id inside ``call_id``; ``None`` when there is none or the id is not ours."""
    if match := _HEX.fullmatch(call_id):
        digits = match[1]
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    if call_id.startswith(_PLAIN_PREFIX):
        return call_id.removeprefix(_PLAIN_PREFIX) or None
    if call_id.startswith(_BASE64_PREFIX):
        text = call_id.removeprefix(_BASE64_PREFIX)
        try:
            raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
            return raw.decode("utf-8", "surrogatepass") or None
        except (Base64Error, ValueError):
            return None
    return None


def derived_id(*facts: str) -> str:
    """An id for a call without a state: the same for the same ``facts``, told apart otherwise."""
    spelled = "".join(f"{len(fact)}:{fact}" for fact in facts)
    digest = sha256(spelled.encode("utf-8", "surrogatepass")).hexdigest()
    return _DIGEST_PREFIX + digest[:32]
