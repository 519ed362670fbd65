"""Anthropic's own API: Claude from its maker.

Source: Anthropic's API reference ("Versions", "Authentication", "List Models"): ``x-api-key`` or a
bearer token, a version on every call, betas by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

import msgspec
from msgspec import Struct, structs

from dragoman.dialects import anthropic_messages
from dragoman.dialects.base import ModelFacts, Thinking, UpstreamDialect
from dragoman.dialects.models import read_models
from dragoman.dialects.operations import ModelsApi, OperationsApi
from dragoman.errors import UpstreamBroken
from dragoman.providers import catalogue
from dragoman.providers.base import Credential, Fetch, FileStore, Headers, Purpose, Secret
from dragoman.providers.heads import AGENT, conversation_head, operation_head
from dragoman.providers.signing import FixedSigner, bearer, credential_id, seal_of

API_URL: Final = "https://api.anthropic.com"
VERSION: Final = "2023-06-01"
BEARER: Final = "bearer:"
"""Before a credential that is a token, not a key."""
_ISSUED: Final = "sk-ant-oat"
"""How Anthropic's own access tokens begin."""
_PAGE: Final = 1000
_MOST_PAGES: Final = 10


class Access(Struct, frozen=True, kw_only=True):
    """Where the API is and how it is to be spoken to."""

    base_url: str = API_URL
    """Without ``/v1``, which it may end in."""
    version: str = VERSION
    betas: Sequence[str] = ()
    headers: Mapping[str, str] = {}
    """More headers for every call."""


class Anthropic:
    """Implements ``Provider``."""

    kind = "anthropic"
    files: FileStore | None = None
    operations = OperationsApi(
        models=ModelsApi(
            path=f"/models?limit={_PAGE}",
            read_response=read_models,
            read_error=anthropic_messages.UPSTREAM.read_error,
        )
    )
    embedder: str | None = None

    def __init__(
        self,
        *,
        name: str,
        credentials: Sequence[Secret],
        fetch: Fetch,
        access: Access,
        models: Sequence[str] = (),
    ) -> None:
        """Raises ``ValueError`` for a header that would break the request."""
        self.name = name
        self._fetch = fetch
        self._models = tuple(models)
        self._found: dict[str, ModelFacts] = {}
        self._url = access.base_url.rstrip("/").removesuffix("/v1") + "/v1"
        headers = {"anthropic-version": access.version}
        if access.betas:
            headers["anthropic-beta"] = ",".join(access.betas)
        self._headers = (*headers.items(), *access.headers.items())
        for header, value in self._headers:
            if not (header + value).isprintable() or ":" in header:
                raise ValueError(f"{header!r} cannot be sent as a header")
        self.credentials: Sequence[Credential] = [
            Credential(
                credential_id(name, secret),
                FixedSigner(_line(secret.reveal().strip())),
                seal=seal_of(secret),
            )
            for secret in credentials
        ]
        url = f"{self._url}/messages"
        self._heads = {
            stream: conversation_head(url, self._headers, stream=stream) for stream in (False, True)
        }

    def dialect(self, model: str, api: str | None = None) -> UpstreamDialect:  # noqa: ARG002 - part of Provider
        """The Messages API, for every model."""
        return anthropic_messages.UPSTREAM

    def facts(self, model: str) -> ModelFacts:
        """As the API reports them of a model; from the catalogue where it does not."""
        return self._found.get(model) or catalogue.facts(self.kind, model)

    def head(self, model: str, api: str | None = None, *, stream: bool) -> bytes:  # noqa: ARG002 - part of Provider
        """The same for every model."""
        return self._heads[stream]

    def operation_head(self, method: str, path: str, headers: Headers) -> bytes:
        """See ``Provider``."""
        return operation_head(method, self._url + path, [*self._headers, *headers])

    def purpose(self, model: str) -> Purpose | None:  # noqa: ARG002 - part of Provider
        """All of them converse."""
        return "chat"

    def models(self) -> Sequence[str]:
        """The configured ones; without any, what ``discover`` found."""
        return self._models or tuple(self._found)

    async def discover(self) -> None:
        """Ask for the list of models, page by page. Raises ``GatewayError``."""
        found: dict[str, ModelFacts] = {}
        after = ""
        for _ in range(_MOST_PAGES):
            page = await self._page(after)
            for model in page.data:
                found[model.id] = _reported(catalogue.facts(self.kind, model.id), model)
            if not page.has_more or not page.last_id:
                break
            after = page.last_id
        self._found = found

    async def close(self) -> None:
        """Nothing runs in the background."""

    async def _page(self, after: str) -> _Page:
        headers = [("accept", "application/json"), ("user-agent", AGENT), *self._headers]
        line = self.credentials[0].signer.authorization() if self.credentials else None
        if line:
            signed, _, value = line.decode().strip().partition(": ")
            headers.append((signed, value))
        url = f"{self._url}/models?limit={_PAGE}"
        if after:
            url += f"&after_id={quote(after, safe='')}"
        status, answered, body = await self._fetch("GET", url, headers, b"")
        if status != 200:
            raise anthropic_messages.UPSTREAM.read_error(status, answered, body)
        try:
            return msgspec.json.decode(body, type=_Page)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UpstreamBroken(
                "The provider's list of models could not be read.", detail=str(error)
            ) from error


class _Support(Struct, frozen=True):
    supported: bool = False


class _Effort(Struct):
    supported: bool = False
    low: _Support = _Support()
    medium: _Support = _Support()
    high: _Support = _Support()
    xhigh: _Support = _Support()
    max: _Support = _Support()


class _ThinkingTypes(Struct):
    enabled: _Support = _Support()
    adaptive: _Support = _Support()


class _Thinking(Struct):
    supported: bool = False
    types: _ThinkingTypes | None = None


class _Capabilities(Struct):
    effort: _Effort | None = None
    image_input: _Support | None = None
    pdf_input: _Support | None = None
    structured_outputs: _Support | None = None
    thinking: _Thinking | None = None


class _Model(Struct):
    id: str
    max_tokens: int | None = None
    capabilities: _Capabilities | None = None


class _Page(Struct):
    data: list[_Model]
    has_more: bool = False
    last_id: str | None = None


def _reported(known: ModelFacts, model: _Model) -> ModelFacts:
    """What the catalogue says of a model, corrected by what the API says of it."""
    facts = known
    if model.max_tokens:
        facts = structs.replace(facts, max_output=model.max_tokens)
    said = model.capabilities
    if said is None:
        return facts
    for field, support in (
        ("images", said.image_input),
        ("documents", said.pdf_input),
        ("json_schema", said.structured_outputs),
    ):
        if support is not None:
            facts = structs.replace(facts, **{field: support.supported})
    if said.effort is not None:
        words = ("low", "medium", "high", "xhigh", "max")
        efforts = tuple(word for word in words if getattr(said.effort, word).supported)
        facts = structs.replace(facts, efforts=efforts)
    if said.thinking is not None:
        thinking = _way_to_think(known.thinking, said.thinking)
        facts = structs.replace(facts, thinking=thinking, reasoning=thinking is not Thinking.NONE)
    return facts


def _way_to_think(known: Thinking, said: _Thinking) -> Thinking:
    if not said.supported:
        return Thinking.NONE
    types = said.types or _ThinkingTypes()
    if types.adaptive.supported:
        return known if known is Thinking.ALWAYS else Thinking.ADAPTIVE
    return Thinking.BUDGET if types.enabled.supported else known


def _line(key: str) -> bytes:
    if key.startswith(BEARER):
        return bearer(key.removeprefix(BEARER))
    return bearer(key) if key.startswith(_ISSUED) else f"x-api-key: {key}\r\n".encode()
