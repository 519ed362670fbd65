"""GigaChat's token endpoints: OAuth with an authorization key, and ``/token`` with a password.

Strict as the real ones: the key must be base64 and known, ``RqUID`` a UUID, the form must hold a
scope that belongs to the key. Errors are ``{"code", "message"}``. Where a client certificate is
shown and no token is sent, the certificate is the key.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final
from urllib.parse import parse_qs

import msgspec

from dragoman.clock import Clock
from dragoman.simulators.chatter import Identity
from dragoman.simulators.delivery import Answer, House, json_answer
from dragoman.simulators.faults import Plan
from dragoman.simulators.journal import Call

SCOPES: Final = ("GIGACHAT_API_PERS", "GIGACHAT_API_B2B", "GIGACHAT_API_CORP")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class Grant(msgspec.Struct, frozen=True):
    """What an access token stands for."""

    key: str
    expires_at: float
    """Seconds since the epoch."""


class Tokens:
    """Issues access tokens and knows the ones in force."""

    def __init__(self, house: House, clock: Clock) -> None:
        self._house = house
        self._clock = clock
        self._count = 0
        self.forget_all()

    def forget_all(self) -> None:
        """All tokens but the ready ones cease to be known, as if they had expired."""
        self._grants: dict[str, Grant] = {}
        self._spent: set[str] = set()  # ready tokens that have expired

    def forget(self, authorization: str | None) -> None:
        """The token of this ``Authorization`` header ceases to be known."""
        token = (authorization or "").removeprefix("Bearer ").strip()
        if self._grants.pop(token, None) is None:
            self._spent.add(token)

    def key_of(self, call: Call) -> str | None:
        """The key, user, ready token or certificate behind a call; None if its token is unknown
        or expired, or if it has nothing of the kind.
        """
        authorization = call.header("authorization")
        if authorization is None:
            takes = self._house.options.gigachat_takes_certificates
            return f"certificate:{call.certificate}" if takes and call.certificate else None
        scheme, _, token = authorization.partition(" ")
        if scheme.casefold() != "bearer":
            return None
        token = token.strip()
        if token in self._house.options.gigachat_tokens and token not in self._spent:
            return token
        grant = self._grants.get(token)
        if grant is None:
            return None
        if grant.expires_at <= self._clock.wall():
            del self._grants[token]
            return None
        return grant.key

    def oauth(self, call: Call, plan: Plan) -> Answer:
        """``POST /oauth``."""
        del plan
        scheme, _, key = (call.header("authorization") or "").partition(" ")
        key = key.strip()
        if scheme.casefold() not in ("basic", "bearer") or not _is_base64(key):
            return oauth_error(401, 4, "Can't decode 'Authorization' header")
        if not _UUID.fullmatch(call.header("rquid") or ""):
            return oauth_error(400, 3, "RqUID must be a UUID")
        kind = (call.header("content-type") or "").partition(";")[0].strip()
        form = parse_qs(call.body.decode(errors="replace"))
        scope = form.get("scope", [""])[0]
        if kind != "application/x-www-form-urlencoded" or not scope:
            return oauth_error(400, 5, "scope is empty")
        return self._grant(key, scope)

    def password(self, call: Call, plan: Plan) -> Answer:
        """``POST /token``: HTTP Basic with user and password; always answers ``{tok, exp}``."""
        del plan
        users = self._house.options.gigachat_users
        if not users:
            return json_answer({"status": 404, "message": "Not Found"}, 404)
        if call.body:
            return json_answer({"status": 400, "message": "The body must be empty"}, 400)
        scheme, _, basic = (call.header("authorization") or "").partition(" ")
        try:
            login = base64.b64decode(basic, validate=True).decode()
        except ValueError:
            login = ""
        user, colon, password = login.partition(":")
        if scheme.casefold() != "basic" or not colon or users.get(user) != password:
            return json_answer({"status": 401, "message": "Unauthorized"}, 401)
        return self._issue(user, "tok")

    def _grant(self, key: str, scope: str) -> Answer:
        if scope not in SCOPES:
            return oauth_error(400, 1, "scope data format invalid")
        allowed = self._house.options.gigachat_keys.get(key)
        if allowed is None:
            return oauth_error(401, 6, "credentials doesn't match db data")
        if allowed and scope not in allowed:
            return oauth_error(400, 7, "scope from db not fully includes consumed scope")
        return self._issue(key, self._house.options.token_shape)

    def _issue(self, key: str, shape: str) -> Answer:
        self._count += 1
        self._house.journal.token_fetches += 1
        token = f"simulated.{self._count}.{Identity(key.encode()).hex(str(self._count), 48)}"
        expires_at = self._clock.wall() + self._house.options.token_lifetime
        self._grants[token] = Grant(key, expires_at)
        self._drop_expired()
        if shape == "tok":
            return json_answer({"tok": token, "exp": int(expires_at)})
        return json_answer({"access_token": token, "expires_at": int(expires_at * 1000)})

    def _drop_expired(self) -> None:
        now = self._clock.wall()
        for token, grant in list(self._grants.items()):
            if grant.expires_at <= now:
                del self._grants[token]


def oauth_error(status: int, code: int, message: str) -> Answer:
    """An error in the token endpoint's own shape."""
    return json_answer({"code": code, "message": message}, status)


def oauth_failure(status: int, message: str) -> Answer:
    """A fault in the token endpoint's own shape; ``code`` is the status."""
    return oauth_error(status, status, message)


def _is_base64(text: str) -> bool:
    try:
        return bool(text) and b":" in base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
