"""Callers and the tokens that prove who they are.

Tokens are kept as keyed hashes under a key made at start; a caller's token is hashed the same
way and looked up, which takes the same time whether or not it is close to a real one.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable

from msgspec import Struct

from dragoman.errors import Unauthenticated

ANYONE = "anyone"
"""Id of every caller of a gateway that asks for no token."""


class Caller(Struct, frozen=True):
    """Who asks."""

    id: str
    """Safe to show: never the token."""


class Keyring:
    """The tokens that open this gateway; with none of them it is open to whoever reaches it."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self._keyed = hashlib.blake2b(digest_size=16, key=secrets.token_bytes(32))
        self._callers = {
            self._hash(token.encode()): Caller(f"key-{number}")
            for number, token in enumerate(tokens, start=1)
        }
        self._anyone = Caller(ANYONE)

    @property
    def is_open(self) -> bool:
        """Whether no token is asked for."""
        return not self._callers

    def knows(self, token: bytes) -> bool:
        """Whether ``token`` opens this gateway."""
        return self._hash(token) in self._callers

    def admit(self, tokens: tuple[bytes, ...]) -> Caller:
        """Who brings ``tokens`` (all that the request carried, in any header).

        Raises ``Unauthenticated`` for none, an unknown one, or two different ones.
        """
        if not self._callers:
            return self._anyone
        if not tokens:
            raise Unauthenticated(
                "This gateway asks for a key: send `Authorization: Bearer <key>`.",
                code="invalid_api_key",
            )
        if len(tokens) > 1 and len(set(tokens)) > 1:
            raise Unauthenticated(
                "The request carries two different keys. Send one, in one header.",
                code="invalid_api_key",
            )
        caller = self._callers.get(self._hash(tokens[0]))
        if caller is None:
            raise Unauthenticated(
                "The key is not known to this gateway. Ask its operator for one.",
                code="invalid_api_key",
            )
        return caller

    def _hash(self, token: bytes) -> bytes:
        keyed = self._keyed.copy()
        keyed.update(token)
        return keyed.digest()
