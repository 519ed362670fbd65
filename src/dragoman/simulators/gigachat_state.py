"""``functions_state_id``: a UUID that belongs to one call, and can be told from any other.

The real service keeps the state; the simulator needs none: the first half is drawn from the
conversation, the second half seals that half together with the call's name and arguments. So an id
that is invented, or moved to another call, is recognised, also after a restart.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

import msgspec


def state_id(conversation: str, name: str, arguments: dict[str, Any]) -> str:
    """The id of a call; ``conversation``: at least 12 hexadecimal digits drawn from the request."""
    return _sealed(conversation[:12], name, arguments)


def is_own_state_id(text: str, name: str, arguments: dict[str, Any]) -> bool:
    """Whether ``text`` is an id that this simulator gave to a call of this name and arguments."""
    try:
        head = uuid.UUID(text).hex[:12]
    except ValueError:
        return False
    return text == _sealed(head, name, arguments)


def _sealed(head: str, name: str, arguments: dict[str, Any]) -> str:
    canonical = msgspec.json.encode(arguments, order="sorted")
    seal = hashlib.blake2b(head.encode() + name.encode() + b"\0" + canonical, digest_size=10)
    return str(uuid.UUID(hex=(head + seal.hexdigest()).ljust(32, "0")[:32], version=4))
