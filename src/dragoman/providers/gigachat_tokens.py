"""How a GigaChat credential becomes access tokens, and what is said where it does not.

An authorization key is exchanged at the OAuth endpoint, a user and password at ``/token`` beside
the API (on installations that have it); both tokens live for half an hour and are renewed by a
``TokenSource``. A ready token is used as it is and cannot be renewed.

Source: the vendor's documentation and the official SDK (both answers, seconds and milliseconds).
"""

from __future__ import annotations

import math
import re
import uuid
from base64 import b64encode
from collections.abc import Callable
from functools import partial
from typing import Any, Final
from urllib.parse import quote_plus

import msgspec
from msgspec import Struct

from dragoman.clock import Clock
from dragoman.errors import (
    GatewayError,
    OwnKeyRejected,
    UpstreamBroken,
    UpstreamRejectedKey,
    UpstreamUnavailable,
)
from dragoman.providers.base import Credential, Fetch, Proof, Signer
from dragoman.providers.gigachat_credentials import KEY, TOKEN
from dragoman.providers.heads import AGENT
from dragoman.providers.signing import FixedSigner, bearer
from dragoman.providers.tokens import Token, TokenSource

ADVICE: Final = {
    1: "the scope is malformed: set it to GIGACHAT_API_PERS, GIGACHAT_API_B2B or GIGACHAT_API_CORP",
    4: "the authorization key is not base64: copy it again from the project's page",
    5: "no scope was sent: set it to the one that the project's page names",
    6: "the authorization key is wrong or revoked: make a new one on the project's page",
    7: "the authorization key belongs to another scope: set the one that the project's page names",
}
"""Code of the token endpoint -> what is wrong and what to do."""

_BY_STATUS: Final = {
    400: "the token endpoint calls the request malformed: check auth_url and scope",
    401: "the authorization key is not accepted: copy it again from the project's page",
    403: "the authorization key is not accepted: copy it again from the project's page",
    404: "there is no token endpoint at this address: check auth_url",
}
_PASSWORD_REFUSED: Final = "user or password is wrong: set the ones of this installation"  # noqa: S105
_NO_PASSWORDS: Final = (
    "this installation takes no user and password: use an authorization key, or check base_url"
)
_BY_STATUS_OF_PASSWORD: Final = {
    400: _PASSWORD_REFUSED,
    401: _PASSWORD_REFUSED,
    403: _PASSWORD_REFUSED,
    404: _NO_PASSWORDS,
    405: _NO_PASSWORDS,
}
REJECTED: Final = {
    KEY: (
        "the API does not accept the authorization key's access token: check that base_url is"
        " the installation the key is for"
    ),
    TOKEN: (
        "the access token has expired (it lives for half an hour) or was revoked: use a new one,"
        " or an authorization key, which renews itself"
    ),
}
"""Way of a credential -> what to do when the API itself answers 401."""
REJECTED_USER: Final = (
    "the API does not accept this user's access token: check that base_url is the installation"
    " the user is for"
)
_KEY_REFUSED: Final = (
    "The provider does not accept the gateway's credential. The operator has to mend it."
)

SHORTEST: Final = 4
"""Characters; a shorter secret would be found in ordinary words."""
_VISIBLE: Final = re.compile(r"[!-~]+")
_SECONDS_BELOW: Final = 10_000_000_000
"""Times below are seconds, others milliseconds (as the vendor's SDK tells them apart)."""


class TokenDesk(Struct, frozen=True, kw_only=True):
    """Where tokens come from in one installation."""

    fetch: Fetch
    auth_url: str
    """Turns authorization keys into tokens."""
    token_url: str
    """Turns users and passwords into tokens."""
    clock: Clock
    is_for_callers: bool = False
    """The credentials are the callers' own: refusals are told to them."""

    def credential(self, identity: str, proof: Proof) -> Credential:
        """The credential under its id."""
        advice = REJECTED.get(proof.way, REJECTED_USER)
        if proof.way == TOKEN:
            signer: Signer = FixedSigner(bearer(proof.secret.reveal()))
        else:
            signer = TokenSigner(TokenSource(partial(self._token, identity, proof), self.clock))
        return Credential(identity, signer, advice)

    async def _token(self, identity: str, proof: Proof) -> Token:
        """One call of a token endpoint; the vendor wants a new UUID with each."""
        is_key = proof.way == KEY
        basic = proof.secret.reveal() if is_key else _basic(proof)
        headers = [
            ("authorization", f"Basic {basic}"),
            ("accept", "application/json"),
            ("user-agent", AGENT),
        ]
        if is_key:
            headers.append(("rquid", str(uuid.uuid4())))
            headers.append(("content-type", "application/x-www-form-urlencoded"))
        url = self.auth_url if is_key else self.token_url
        body = f"scope={quote_plus(proof.scope)}".encode() if is_key else b""
        status, _, answer = await self.fetch("POST", url, headers, body)
        if status != 200:
            raise self._refusal(identity, proof, status, answer)
        return read_token(answer)

    def _refusal(self, identity: str, proof: Proof, status: int, body: bytes) -> GatewayError:
        code, message = _said(body)
        is_key = proof.way == KEY
        advice = ADVICE.get(code) if is_key and code is not None else None
        advice = advice or (_BY_STATUS if is_key else _BY_STATUS_OF_PASSWORD).get(status)
        for secret in {proof.secret.reveal(), *proof.secret.reveal().split(":", 1)}:
            message = message.replace(secret, "***") if len(secret) >= SHORTEST else message
        detail = f"{identity}: {advice or 'no token'} (HTTP {status}: {message[:200]})"
        is_final = status in {400, 401, 403} or (not is_key and status in {404, 405})
        if not is_final:
            return UpstreamUnavailable(
                "The provider gives no access token at the moment. Try again later.",
                detail=detail,
            )
        kind = OwnKeyRejected if self.is_for_callers else UpstreamRejectedKey
        words = own_key_rejected(advice) if self.is_for_callers else _KEY_REFUSED
        error = kind(words, detail=detail)
        error.advice = advice
        return error


def own_key_rejected(advice: str | None) -> str:
    """What a caller is told of the credential that it brought."""
    return f"GigaChat does not accept the credential that you sent: {advice}."


def _basic(proof: Proof) -> str:
    """RFC 7617, section 2; the bytes of a password go as they came."""
    return b64encode(proof.secret.reveal().encode("utf-8", "surrogateescape")).decode()


class TokenSigner:
    """Implements ``Signer`` over a token that is renewed."""

    def __init__(self, source: TokenSource) -> None:
        self.source = source
        self._value: str | None = None
        self._line = b""

    def authorization(self) -> bytes | None:
        """The header line, built once for each token."""
        value = self.source.current()
        if value is None:
            return None
        if value is not self._value:
            self._value = value
            self._line = bearer(value)
        return self._line

    def when_ready(self, told: Callable[[GatewayError | None], None]) -> Callable[[], None]:
        """See ``Signer``."""
        return self.source.when_ready(told)

    def rejected(self, authorization: bytes) -> bool:
        """See ``Signer``. A token that has been replaced meanwhile is not dropped for the old
        one's sake.
        """
        if self._value is None or authorization != self._line:
            return True
        return self.source.rejected(self._value)

    def stop(self) -> None:
        """See ``Signer``."""
        self.source.stop()


def read_token(body: bytes) -> Token:
    """Either answer of the token endpoints: ``access_token`` with ``expires_at``, ``tok`` with
    ``exp``. Raises ``UpstreamBroken``.
    """
    try:
        answer: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        answer = None
    if isinstance(answer, dict):
        value = answer.get("access_token", answer.get("tok"))
        if isinstance(value, str) and _VISIBLE.fullmatch(value):
            return Token(value, _expiry(answer.get("expires_at", answer.get("exp"))))
    raise UpstreamBroken(
        "The provider's token endpoint gave no token.",
        detail="the answer holds neither access_token nor tok; is auth_url right?",
    )


def _expiry(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
        return None
    if value == 0:
        return math.inf
    return float(value) if value < _SECONDS_BELOW else value / 1000


def _said(body: bytes) -> tuple[int | None, str]:
    """Code and message of a token endpoint's refusal."""
    try:
        answer: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        answer = None
    said = answer if isinstance(answer, dict) else {}
    code, message = said.get("code"), said.get("message")
    return (
        code if isinstance(code, int) else None,
        message if isinstance(message, str) else "no reason",
    )
