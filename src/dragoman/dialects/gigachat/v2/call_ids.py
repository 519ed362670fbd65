"""Call ids that carry the state of an answer with several calls.

Version 2 gives the assistant's turn one state, and each of several calls an id of its own.
Clients give back nothing but the ids that they were given, so a call's id holds all of it: the
state, the call's own id and its number. A digest tells an id of ours from one that a client or
another vendor has made up: such an id is never sent as a state.
"""

from __future__ import annotations

import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from hashlib import blake2b
from typing import Final

from msgspec import Struct

from dragoman.dialects.gigachat.state_ids import LONGEST

PREFIX: Final = "call_gv2_"

_CHECK: Final = 3
"""Bytes of the digest in front."""
_IS_UUID: Final = 0x80
"""Flag beside a length: the text is a UUID, held as its 16 bytes."""
_MOST_CALLS: Final = 255


class CallOrigin(Struct, frozen=True):
    """Where a call came from."""

    state: str
    """The answer's ``tool_state_id``; empty when it had none."""
    own: str
    """The call's own id; empty when it had none, or one too long to carry."""
    number: int
    """Which of its answer's calls it is, from 0."""


def call_id(origin: CallOrigin) -> str | None:
    """The id of a call; ``None`` when there is nothing to carry or it does not fit."""
    if not (origin.state or origin.own) or origin.number > _MOST_CALLS:
        return None
    spelled = _spelled(origin)
    if len(spelled) > LONGEST and origin.state:
        spelled = _spelled(CallOrigin(origin.state, "", origin.number))
    return spelled if len(spelled) <= LONGEST else None


def origin_of(call_id: str) -> CallOrigin | None:
    """What ``call_id`` carries; ``None`` when the id is not ours."""
    if not call_id.startswith(PREFIX):
        return None
    text = call_id.removeprefix(PREFIX)
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        check, number, packed = raw[:_CHECK], raw[_CHECK], raw[_CHECK + 1 :]
        state, rest = _unpacked(packed)
        own, _ = _unpacked(rest)
        origin = CallOrigin(state, own, number)
    except (Base64Error, ValueError, IndexError):
        return None
    return origin if check == _digest(raw[_CHECK:]) and _spelled(origin) == call_id else None


def _spelled(origin: CallOrigin) -> str:
    raw = bytes([origin.number]) + _packed(origin.state) + _packed(origin.own)
    return PREFIX + urlsafe_b64encode(_digest(raw) + raw).decode().rstrip("=")


def _digest(raw: bytes) -> bytes:
    return blake2b(raw, digest_size=_CHECK).digest()


def _packed(text: str) -> bytes:
    """Length and bytes; longer than an id could hold is cut, which makes the id too long."""
    try:
        known = uuid.UUID(text)
    except ValueError:
        known = None
    if known is not None and str(known) == text:
        return bytes([_IS_UUID | 16]) + known.bytes
    raw = text.encode("utf-8", "surrogatepass")[: LONGEST + 1]
    return bytes([len(raw)]) + raw


def _unpacked(raw: bytes) -> tuple[str, bytes]:
    """The text in front and what follows. Raises ``IndexError`` or ``ValueError``."""
    length = raw[0] & ~_IS_UUID
    held, rest = raw[1 : 1 + length], raw[1 + length :]
    if len(held) < length:
        raise ValueError("cut short")
    if raw[0] & _IS_UUID:
        return str(uuid.UUID(bytes=held)), rest
    return held.decode("utf-8", "surrogatepass"), rest
