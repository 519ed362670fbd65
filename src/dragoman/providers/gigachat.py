"""GigaChat: authorization keys that buy access tokens, two hosts, one dialect.

An authorization key is exchanged at the token endpoint for an access token of half an hour
(``tokens`` renews it); a credential written ``token:...`` is such a token already and cannot be
renewed; without any credential nothing is signed, which is right behind a client certificate.
"""

from __future__ import annotations

import math
import re
import uuid
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import quote_plus

import msgspec
from msgspec import Struct, structs

from dragoman.clock import Clock
from dragoman.dialects import gigachat
from dragoman.dialects.base import ModelFacts, UpstreamDialect
from dragoman.dialects.gigachat import v2
from dragoman.dialects.gigachat.preferences import STANDARD, Preferences
from dragoman.errors import (
    GatewayError,
    UpstreamBroken,
    UpstreamRejectedKey,
    UpstreamUnavailable,
)
from dragoman.providers import catalogue
from dragoman.providers.base import Credential, Fetch, FileStore, Secret, Signer
from dragoman.providers.gigachat_files import GigaChatFiles
from dragoman.providers.heads import AGENT, conversation_head
from dragoman.providers.signing import (
    FixedSigner,
    authorized,
    bearer,
    credential_id,
    signed_headers,
)
from dragoman.providers.tokens import Token, TokenSource

API_URL: Final = "https://gigachat.devices.sberbank.ru/api/v1"
AUTH_URL: Final = "https://ngw.devices.sberbank.ru:9443/api/v2/oauth"
SCOPES: Final = {
    "PERS": "GIGACHAT_API_PERS",
    "B2B": "GIGACHAT_API_B2B",
    "CORP": "GIGACHAT_API_CORP",
}
"""Shorthand -> scope."""

_VERSION: Final = re.compile(r"/v\d+$")
_READY: Final = "token:"
_PREFIXES: Final = ("basic ", "bearer ")
_VISIBLE: Final = re.compile(r"[!-~]+")
"""What may go into a header."""
_SECONDS_BELOW: Final = 10_000_000_000
"""Times below are seconds, others milliseconds (as the vendor's SDK tells them apart)."""
_KEY_REFUSED: Final = (
    "The provider does not accept the gateway's credential. The operator has to mend it."
)

ADVICE: Final = {
    1: "the scope is malformed: set it to GIGACHAT_API_PERS, GIGACHAT_API_B2B or GIGACHAT_API_CORP",
    4: "the authorization key is not base64: copy it again from the project's page",
    5: "no scope was sent: set it to the one that the project's page names",
    6: "the authorization key is wrong or revoked: make a new one on the project's page",
    7: "the authorization key belongs to another scope: set the one that the project's page names",
}
"""Code of the token endpoint -> what is wrong and what to do."""


class Contour(Struct, frozen=True, kw_only=True):
    """One installation of GigaChat, and the contract by which it is used."""

    base_url: str = API_URL
    """Address of the API, version included (``https://api.giga.chat/v1`` is another host)."""
    auth_url: str = AUTH_URL
    scope: str = SCOPES["PERS"]
    """Also ``PERS``, ``B2B`` or ``CORP``."""
    preferences: Preferences = STANDARD
    """How requests are written."""
    json_schema: bool | None = None
    """Whether its models take a response schema natively; ``None`` goes by the catalogue."""
    reasoning: bool = True
    """``False``: nobody may ask its models to reason."""
    api: str = "v1"
    """Version of the chat API, ``v1`` or ``v2``, where a request does not choose one."""


class GigaChat:
    """Implements ``Provider``."""

    kind = "gigachat"

    def __init__(
        self,
        *,
        name: str,
        credentials: Sequence[Secret],
        fetch: Fetch,
        clock: Clock,
        contour: Contour | None = None,
        models: Sequence[str] = (),
    ) -> None:
        self._contour = contour = contour or Contour()
        self._dialects = {
            "v1": gigachat.upstream(contour.preferences),
            "v2": v2.upstream(contour.preferences),
        }
        """Version of the chat API -> what it speaks."""
        self.name = name
        self._base_url = _VERSION.sub("/v1", contour.base_url.rstrip("/"))
        self._auth_url = contour.auth_url
        self._scope = SCOPES.get(contour.scope.strip().upper(), contour.scope.strip())
        self._fetch = fetch
        self.files: FileStore | None = GigaChatFiles(self._base_url, fetch)
        self._models = tuple(models)
        self._found: tuple[str, ...] = ()
        self._sources: list[TokenSource] = []
        self.warnings: list[str] = []
        """What looks wrong about the credentials, for the operator; holds no secret."""
        self.credentials: Sequence[Credential] = [
            Credential(identity, self._signer(identity, secret.reveal(), clock))
            for secret in credentials
            for identity in [credential_id(name, secret)]
        ] or [Credential(f"{name}/anonymous", FixedSigner(b""))]
        self._api = contour.api
        self._heads = {
            (api, stream): conversation_head(_chat_url(self._base_url, api), more, stream=stream)
            for api in self._dialects
            for stream, more in ((False, []), (True, [("cache-control", "no-store")]))
        }

    def dialect(self, model: str, api: str | None = None) -> UpstreamDialect:  # noqa: ARG002 - part of Provider
        """By the version of the chat API, for every model."""
        return self._dialects[api or self._api]

    def facts(self, model: str) -> ModelFacts:
        """From the catalogue, unless the operator knows better."""
        facts, contour = catalogue.facts(self.kind, model), self._contour
        if contour.json_schema is not None:
            facts = structs.replace(facts, json_schema=contour.json_schema)
        if not contour.reasoning:
            facts = structs.replace(facts, reasoning=False)
        return facts

    def head(self, model: str, api: str | None = None, *, stream: bool) -> bytes:  # noqa: ARG002 - part of Provider
        """The same for every model."""
        return self._heads[api or self._api, stream]

    def models(self) -> Sequence[str]:
        """The configured ones; without any, what ``discover`` found."""
        return self._models or self._found

    async def discover(self) -> None:
        """Ask for the list of models and keep those that chat. Raises ``GatewayError``."""
        status, headers, body = await self._ask_models()
        if status != 200:
            raise self._dialects["v1"].read_error(status, headers, body)
        try:
            answer = msgspec.json.decode(body, type=_ModelList)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UpstreamBroken(
                "GigaChat's list of models could not be read.", detail=str(error)
            ) from error
        self._found = tuple(model.id for model in answer.data if model.type == "chat")

    async def close(self) -> None:
        """Stop renewing tokens."""
        for source in self._sources:
            await source.close()

    def _signer(self, identity: str, written: str, clock: Clock) -> Signer:
        text = written.strip()
        if text.startswith(_READY):
            return FixedSigner(bearer(text.removeprefix(_READY).strip()))
        key = _bare_key(text)
        if not _is_base64(key):
            self.warnings.append(
                f"{identity}: the authorization key is not base64; copy it as the project's page"
                " shows it"
            )
        source = TokenSource(partial(self._token, identity, key), clock)
        self._sources.append(source)
        return TokenSigner(source)

    async def _token(self, identity: str, key: str) -> Token:
        """One call of the token endpoint; the vendor wants a new UUID with each."""
        headers = (
            ("authorization", f"Basic {key}"),
            ("rquid", str(uuid.uuid4())),
            ("content-type", "application/x-www-form-urlencoded"),
            ("accept", "application/json"),
            ("user-agent", AGENT),
        )
        body = f"scope={quote_plus(self._scope)}".encode()
        status, _, answer = await self._fetch("POST", self._auth_url, headers, body)
        if status != 200:
            raise _token_error(identity, key, status, answer)
        return read_token(answer)

    async def _ask_models(self) -> tuple[int, dict[str, str], bytes]:
        """Once more with a fresh token if the first is refused."""
        signer = self.credentials[0].signer
        signed = await authorized(signer)
        answer = await self._get(signed, "/models")
        if answer[0] == 401 and signer.rejected(signed):
            answer = await self._get(await authorized(signer), "/models")
        return answer

    async def _get(self, signed: bytes, path: str) -> tuple[int, dict[str, str], bytes]:
        headers = [("accept", "application/json"), ("user-agent", AGENT), *signed_headers(signed)]
        return await self._fetch("GET", self._base_url + path, headers, b"")


class TokenSigner:
    """Implements ``Signer`` over a token that is renewed."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source
        self._value: str | None = None
        self._line = b""

    def authorization(self) -> bytes | None:
        """The header line, built once for each token."""
        value = self._source.current()
        if value is None:
            return None
        if value is not self._value:
            self._value = value
            self._line = bearer(value)
        return self._line

    def when_ready(self, told: Callable[[GatewayError | None], None]) -> Callable[[], None]:
        """See ``Signer``."""
        return self._source.when_ready(told)

    def rejected(self, authorization: bytes) -> bool:
        """See ``Signer``. A token that has been replaced meanwhile is not dropped for the old
        one's sake.
        """
        if self._value is None or authorization != self._line:
            return True
        return self._source.rejected(self._value)


class _Model(Struct):
    id: str
    type: str = "chat"


class _ModelList(Struct):
    data: list[_Model]


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


def _token_error(identity: str, key: str, status: int, body: bytes) -> GatewayError:
    try:
        answer: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        answer = None
    said = answer if isinstance(answer, dict) else {}
    code, message = said.get("code"), said.get("message")
    advice = ADVICE.get(code) if isinstance(code, int) else None
    if advice is None and status == 400:
        advice = "the token endpoint calls the request malformed: check auth_url and scope"
    elif advice is None and status in {401, 403}:
        advice = "the authorization key is not accepted: copy it again from the project's page"
    elif advice is None and status == 404:
        advice = "there is no token endpoint at this address: check auth_url"
    words = str(message).replace(key, "***")[:200] if isinstance(message, str) else "no reason"
    detail = f"{identity}: {advice or 'no token'} (HTTP {status}: {words})"
    if status in {400, 401, 403}:
        return UpstreamRejectedKey(_KEY_REFUSED, detail=detail)
    return UpstreamUnavailable(
        "The provider gives no access token at the moment. Try again later.", detail=detail
    )


def _chat_url(base_url: str, api: str) -> str:
    """Only the chat has a version 2, and it stands beside version 1: the version that ends the
    address of the API gives way to it (as the vendor's SDK has it).
    """
    return _VERSION.sub(f"/{api}", base_url) + "/chat/completions"


def _bare_key(text: str) -> str:
    """Without what people copy along."""
    for prefix in _PREFIXES:
        if text.lower().startswith(prefix):
            text = text[len(prefix) :]
    return "".join(text.split())


def _is_base64(key: str) -> bool:
    try:
        return bool(b64decode(key, validate=True))
    except (Base64Error, ValueError):
        return False
