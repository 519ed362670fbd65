"""GigaChat: authorization keys that buy access tokens, two hosts, one dialect.

The forms of credentials are read in ``gigachat_credentials`` and become signers in
``gigachat_tokens``. Without any credential nothing is signed, which is right behind a client
certificate.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct, structs

from dragoman.clock import Clock
from dragoman.dialects import gigachat
from dragoman.dialects.base import ModelFacts, UpstreamDialect
from dragoman.dialects.gigachat import v2
from dragoman.dialects.gigachat.operations import API as OPERATIONS
from dragoman.dialects.gigachat.operations import read_models
from dragoman.dialects.gigachat.preferences import STANDARD, Preferences
from dragoman.errors import (
    UNKNOWN_AUTHORITY,
    InvalidRequest,
    UpstreamUnavailable,
)
from dragoman.providers import catalogue
from dragoman.providers.base import (
    Credential,
    Fetch,
    FileStore,
    Headers,
    Proof,
    Purpose,
    Secret,
    Signer,
)
from dragoman.providers.gigachat_credentials import (
    KEY,
    SCOPES,
    USER,
    is_base64,
    read_configured,
)
from dragoman.providers.gigachat_files import GigaChatFiles
from dragoman.providers.gigachat_tokens import TokenDesk, TokenSigner
from dragoman.providers.heads import AGENT, conversation_head, operation_head
from dragoman.providers.signing import FixedSigner, authorized, credential_id, signed_headers

API_URL: Final = "https://gigachat.devices.sberbank.ru/api/v1"
AUTH_URL: Final = "https://ngw.devices.sberbank.ru:9443/api/v2/oauth"

_PURPOSES: Final[dict[str, Purpose]] = {"chat": "chat", "embedder": "embedder"}
"""Types of models that serve callers; others check texts or filter them."""
_VERSION: Final = re.compile(r"/v\d+$")
_CERTIFICATE_ADVICE: Final = (
    "the client certificate is not known there: register it for this installation, or set"
    " credentials"
)
_UNKNOWN_CA: Final = (
    "GigaChat's certificates are issued by the Russian national CA, which this machine does not"
    " know: set ca_bundle (GIGACHAT_CA_BUNDLE_FILE) to a file with the Russian Trusted Root CA"
    " certificate, which gosuslugi.ru/crypto publishes"
)


class Contour(Struct, frozen=True, kw_only=True):
    """One installation of GigaChat, and the contract by which it is used."""

    base_url: str = API_URL
    """Address of the API, version included (``https://api.giga.chat/v1`` is another host)."""
    auth_url: str = AUTH_URL
    scope: str = SCOPES["PERS"]
    """Also ``PERS``, ``B2B`` or ``CORP``."""
    takes_passwords: bool = False
    """Users and passwords may be traded for tokens here: not in the public installation."""
    takes_unsigned: bool = True
    """Where there is no credential, calls go unsigned; otherwise there are none."""
    is_for_callers: bool = False
    """Calls are signed with credentials that callers bring, and refusals told to them."""
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
    operations = OPERATIONS
    embedder: str | None = None

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
        self._fetch = _explaining(fetch)
        self.files: FileStore | None = GigaChatFiles(self._base_url, self._fetch)
        self._desk = TokenDesk(
            fetch=self._fetch,
            auth_url=contour.auth_url,
            token_url=f"{self._base_url}/token",
            clock=clock,
            is_for_callers=contour.is_for_callers,
        )
        self._models = tuple(models)
        self._found: dict[str, Purpose] = {}
        self.scopes: dict[str, str] = {}
        """Id of a credential -> the contract that it belongs to."""
        self.warnings: list[str] = []
        """What looks wrong about the credentials, for the operator; holds no secret."""
        self.credentials: Sequence[Credential] = [self._configured(one) for one in credentials]
        if not credentials and contour.takes_unsigned:
            unsigned = Credential(f"{name}/anonymous", FixedSigner(b""), _CERTIFICATE_ADVICE)
            self.credentials = [unsigned]
        self._api = contour.api
        self._heads = _heads(self._base_url, self._dialects)

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
        return self._models or tuple(self._found)

    def operation_head(self, method: str, path: str, headers: Headers) -> bytes:
        """See ``Provider``."""
        return operation_head(method, self._base_url + path, headers)

    def purpose(self, model: str) -> Purpose | None:
        """As the last ``discover`` said, else by the model's name."""
        name = model.partition(":")[0]
        if catalogue.is_embedder(self.kind, name):
            return self._found.get(model, "embedder")
        return self._found.get(model, "chat" if name.startswith("GigaChat") else None)

    async def discover(self) -> None:
        """Ask for the list of models and keep those that chat or embed. Raises ``GatewayError``."""
        if self.credentials:
            self._found = await self._served_to(self.credentials[0])

    async def models_of(self, credential: Credential) -> Sequence[str]:
        """See ``Hosts``: those that chat or embed."""
        return tuple(await self._served_to(credential))

    async def _served_to(self, credential: Credential) -> dict[str, Purpose]:
        status, headers, body = await self._ask_models(credential.signer)
        if status != 200:
            raise self._dialects["v1"].read_error(status, headers, body)
        return {
            model.id: _PURPOSES[model.type]
            for model in read_models(body)
            if model.type in _PURPOSES
        }

    def own_credential(self, identity: str, proof: Proof) -> Credential:
        """See ``Hosts``."""
        if proof.way == USER and not self._contour.takes_passwords:
            raise InvalidRequest(
                "This gateway's GigaChat takes no user and password. Send"
                " giga-cred-<authorization key> instead, or ask the gateway's operator to set"
                f" base_url of provider {self.name} to an installation that does.",
                code="invalid_credential",
            )
        return self._desk.credential(identity, proof)

    async def close(self) -> None:
        """Stop renewing tokens."""
        for credential in self.credentials:
            if isinstance(credential.signer, TokenSigner):
                await credential.signer.source.close()

    def _configured(self, written: Secret) -> Credential:
        identity = credential_id(self.name, written)
        proof = read_configured(written.reveal(), self._contour.scope)
        self.scopes[identity] = proof.scope
        if proof.way == KEY and not is_base64(proof.secret.reveal()):
            self.warnings.append(
                f"{identity}: the authorization key is not base64; copy it as the project's page"
                " shows it"
            )
        return self._desk.credential(identity, proof)

    async def _ask_models(self, signer: Signer) -> tuple[int, dict[str, str], bytes]:
        """Once more with a fresh token if the first is refused."""
        signed = await authorized(signer)
        answer = await self._get(signed, "/models")
        if answer[0] == 401 and signer.rejected(signed):
            answer = await self._get(await authorized(signer), "/models")
        return answer

    async def _get(self, signed: bytes, path: str) -> tuple[int, dict[str, str], bytes]:
        headers = [("accept", "application/json"), ("user-agent", AGENT), *signed_headers(signed)]
        return await self._fetch("GET", self._base_url + path, headers, b"")


def _explaining(fetch: Fetch) -> Fetch:
    """``fetch``, which says of a certificate that is not trusted where its authority is found."""

    async def explained(
        method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        try:
            return await fetch(method, url, headers, body)
        except UpstreamUnavailable as error:
            if error.code == UNKNOWN_AUTHORITY:
                error.detail = f"{_UNKNOWN_CA} ({error.detail})"
            raise

    return explained


def _heads(base_url: str, versions: Iterable[str]) -> dict[tuple[str, bool], bytes]:
    """By version of the chat API, and by whether the answer is streamed."""
    return {
        (api, stream): conversation_head(_chat_url(base_url, api), more, stream=stream)
        for api in versions
        for stream, more in ((False, []), (True, [("cache-control", "no-store")]))
    }


def _chat_url(base_url: str, api: str) -> str:
    """Only the chat has a version 2, and it stands beside version 1: the version that ends the
    address of the API gives way to it (as the vendor's SDK has it).
    """
    return _VERSION.sub(f"/{api}", base_url) + "/chat/completions"
