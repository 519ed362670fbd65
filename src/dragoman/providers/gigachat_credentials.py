"""How GigaChat is told who calls: the forms that credentials are written in.

The operator writes them into the settings (``read_configured``), a caller sends one in the place
of a client key (``read_brought``). What becomes of them is in ``gigachat_tokens``.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as Base64Error
from typing import Final

from dragoman.errors import InvalidRequest
from dragoman.providers.base import Proof, Secret

SCOPES: Final = {
    "PERS": "GIGACHAT_API_PERS",
    "B2B": "GIGACHAT_API_B2B",
    "CORP": "GIGACHAT_API_CORP",
}
"""Shorthand -> scope."""

KEY: Final = "key"
"""An authorization key: base64 of client id and secret."""
TOKEN: Final = "token"  # noqa: S105 - the name of a way, not a secret
"""A ready access token."""
USER: Final = "user"
"""A user and a password, as ``user:password``."""

LONGEST: Final = 8192
"""Characters of a credential that a caller brings; tokens have some 2,000."""

_BROUGHT: Final = {"giga-cred-": KEY, "giga-auth-": TOKEN, "giga-user-": USER}
_FORMS: Final = (
    "Send giga-cred-<authorization key>[:<scope>], giga-auth-<access token> or"
    " giga-user-<user>:<password>; with no key at all the gateway uses a credential of its own,"
    " where it has one"
)
_COPIED_ALONG: Final = ("basic ", "bearer ")
_VISIBLE: Final = re.compile(r"[!-~]+")
"""What may stand in a header as a token."""
_KEY_LETTERS: Final = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")


def full_scope(written: str) -> str:
    """A scope by its shorthand, in any case; anything else as it is written."""
    return SCOPES.get(written.strip().upper(), written.strip())


def read_configured(written: str, scope: str) -> Proof:
    """A credential of the settings: ``<key>``, ``<key>:<scope>``, ``token:<access token>`` or
    ``user:<user>:<password>``. ``scope`` is what counts where the credential names none.
    """
    text = written.strip()
    way, colon, rest = text.partition(":")
    if colon and way in {TOKEN, USER}:
        return Proof(way, Secret(rest.strip()), full_scope(scope))
    key, _, own_scope = _bare_key(text).partition(":")
    return Proof(KEY, Secret(key), full_scope(own_scope or scope))


def read_brought(sent: bytes, *, must: bool = False) -> Proof | None:
    """What a caller sent where client keys stand; ``None`` for what does not look like a GigaChat
    credential, unless it ``must`` be one. Tokens and users name no scope.

    Raises ``InvalidRequest`` for what looks like one, or must be one, and is none.
    """
    if sent[:5].lower() != b"giga-" and not must:
        return None
    # Passwords may hold any bytes, and go out as they came.
    text = sent.decode("utf-8", "surrogateescape")
    way = _BROUGHT.get(text[:10])
    if way is None:
        raise _malformed("it begins with none of the three forms")
    rest = text[10:].strip()
    if len(rest) > LONGEST:
        raise _malformed(f"it is longer than {LONGEST} characters")
    if way == KEY:
        return _brought_key(rest)
    if way == TOKEN and not _VISIBLE.fullmatch(rest):
        raise _malformed("the access token is empty or holds what no token holds")
    if way == USER and not all(rest.partition(":")):
        raise _malformed("user and password must stand on the two sides of a colon")
    return Proof(way, Secret(rest))


def _brought_key(rest: str) -> Proof:
    """Keys are base64 and hold no colon."""
    key, colon, written = rest.partition(":")
    if not _KEY_LETTERS.fullmatch(key):
        raise _malformed("the authorization key is not base64")
    scope = full_scope(written) if colon else SCOPES["PERS"]
    if scope not in SCOPES.values():
        raise _malformed("the scope is none of PERS, B2B and CORP")
    return Proof(KEY, Secret(key), scope)


def _malformed(why: str) -> InvalidRequest:
    return InvalidRequest(
        f"The GigaChat credential that was sent as a key is malformed: {why}. {_FORMS}.",
        code="invalid_credential",
    )


def is_base64(key: str) -> bool:
    """Whether an authorization key can be one at all."""
    try:
        return bool(b64decode(key, validate=True))
    except (Base64Error, ValueError):
        return False


def _bare_key(text: str) -> str:
    """Without what people copy along."""
    for prefix in _COPIED_ALONG:
        if text.lower().startswith(prefix):
            text = text[len(prefix) :]
    return "".join(text.split())
