"""Every server that speaks Chat Completions: an address, a key if it wants one, a few headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dragoman.dialects import embeddings, openai_chat
from dragoman.dialects.base import ModelFacts, UpstreamDialect
from dragoman.dialects.files import API as FILES
from dragoman.dialects.models import API as MODELS
from dragoman.dialects.models import read_models
from dragoman.dialects.operations import OperationsApi
from dragoman.providers import catalogue
from dragoman.providers.base import Credential, Fetch, FileStore, Headers, Purpose, Secret
from dragoman.providers.heads import AGENT, conversation_head, operation_head
from dragoman.providers.signing import FixedSigner, bearer, credential_id, seal_of


class OpenAICompatible:
    """Implements ``Provider``."""

    kind = "openai_compatible"
    files: FileStore | None = None
    operations = OperationsApi(models=MODELS, embeddings=embeddings.API, files=FILES)
    embedder: str | None = None

    def __init__(
        self,
        *,
        name: str,
        base_url: str,
        fetch: Fetch,
        credentials: Sequence[Secret] = (),
        headers: Mapping[str, str] | None = None,
        models: Sequence[str] = (),
    ) -> None:
        """``base_url`` holds the path up to ``/chat/completions``; ``headers`` go with every call.
        Raises ``ValueError`` for a header that would break the request.
        """
        self.name = name
        self._base_url = base_url.rstrip("/")
        self._fetch = fetch
        self._headers = tuple((headers or {}).items())
        for header, value in self._headers:
            if not (header + value).isprintable() or ":" in header:
                raise ValueError(f"{header!r} cannot be sent as a header")
        self._models = tuple(models)
        self._found: tuple[str, ...] = ()
        self.credentials: Sequence[Credential] = [
            Credential(
                credential_id(name, secret),
                FixedSigner(_line(secret.reveal().strip())),
                seal=seal_of(secret),
            )
            for secret in credentials
        ] or [Credential(f"{name}/anonymous", FixedSigner(b""))]
        url = f"{self._base_url}/chat/completions"
        self._heads = {
            stream: conversation_head(url, self._headers, stream=stream) for stream in (False, True)
        }

    def dialect(self, model: str, api: str | None = None) -> UpstreamDialect:  # noqa: ARG002 - part of Provider
        """Chat Completions, for every model."""
        return openai_chat.UPSTREAM

    def facts(self, model: str) -> ModelFacts:
        """From the catalogue."""
        return catalogue.facts(self.kind, model)

    def head(self, model: str, api: str | None = None, *, stream: bool) -> bytes:  # noqa: ARG002 - part of Provider
        """The same for every model."""
        return self._heads[stream]

    def models(self) -> Sequence[str]:
        """The configured ones; without any, what ``discover`` found."""
        return self._models or self._found

    def operation_head(self, method: str, path: str, headers: Headers) -> bytes:
        """See ``Provider``."""
        return operation_head(method, self._base_url + path, [*self._headers, *headers])

    def purpose(self, model: str) -> Purpose | None:  # noqa: ARG002 - part of Provider
        """Such a server does not say."""
        return None

    async def discover(self) -> None:
        """Ask for the list of models. Raises ``GatewayError``."""
        headers = [("accept", "application/json"), ("user-agent", AGENT), *self._headers]
        line = self.credentials[0].signer.authorization() or b""
        if line:
            signed, _, value = line.decode().strip().partition(": ")
            headers.append((signed, value))
        status, answered, body = await self._fetch("GET", f"{self._base_url}/models", headers, b"")
        if status != 200:
            raise openai_chat.UPSTREAM.read_error(status, answered, body)
        self._found = tuple(read_models(body))

    async def close(self) -> None:
        """Nothing runs in the background."""


def _line(key: str) -> bytes:
    """An empty key signs nothing: servers at home often want none."""
    return bearer(key) if key else b""
