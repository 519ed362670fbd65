"""Every server that speaks Chat Completions: an address, a key if it wants one, a few headers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from dragoman import __version__
from dragoman.dialects import openai_chat
from dragoman.dialects.base import ModelFacts, UpstreamDialect
from dragoman.errors import GatewayError, UpstreamBroken
from dragoman.providers import catalogue
from dragoman.providers.base import Credential, Fetch, Secret

_AGENT: Final = f"dragoman/{__version__}"


class OpenAICompatible:
    """Implements ``Provider``."""

    kind = "openai_compatible"

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
            Credential(f"{name}/{_digest(secret)}", _KeySigner(secret.reveal().strip()))
            for secret in credentials
        ] or [Credential(f"{name}/anonymous", _KeySigner(""))]
        self._heads = {stream: self._head(stream=stream) for stream in (False, True)}

    def dialect(self, model: str) -> UpstreamDialect:  # noqa: ARG002 - part of Provider
        """Chat Completions, for every model."""
        return openai_chat.UPSTREAM

    def facts(self, model: str) -> ModelFacts:
        """From the catalogue."""
        return catalogue.facts(self.kind, model)

    def head(self, model: str, *, stream: bool) -> bytes:  # noqa: ARG002 - part of Provider
        """The same for every model."""
        return self._heads[stream]

    def models(self) -> Sequence[str]:
        """The configured ones; without any, what ``discover`` found."""
        return self._models or self._found

    async def discover(self) -> None:
        """Ask for the list of models. Raises ``GatewayError``."""
        headers = [("accept", "application/json"), ("user-agent", _AGENT), *self._headers]
        line = self.credentials[0].signer.authorization() or b""
        if line:
            signed, _, value = line.decode().strip().partition(": ")
            headers.append((signed, value))
        status, answered, body = await self._fetch("GET", f"{self._base_url}/models", headers, b"")
        if status != 200:
            raise openai_chat.UPSTREAM.read_error(status, answered, body)
        try:
            answer = msgspec.json.decode(body, type=_ModelList)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UpstreamBroken(
                "The provider's list of models could not be read.", detail=str(error)
            ) from error
        self._found = tuple(model.id for model in answer.data)

    async def close(self) -> None:
        """Nothing runs in the background."""

    def _head(self, *, stream: bool) -> bytes:
        address = urlsplit(self._base_url)
        lines = {
            "host": address.netloc.rpartition("@")[2],
            "user-agent": _AGENT,
            "content-type": "application/json",
            "accept": "text/event-stream" if stream else "application/json",
            "accept-encoding": "identity",
            **{header.lower(): value for header, value in self._headers},
        }
        first = f"POST {address.path}/chat/completions HTTP/1.1\r\n"
        return (first + "".join(f"{k}: {v}\r\n" for k, v in lines.items())).encode("latin-1")


class _KeySigner:
    """Implements ``Signer`` over a key that does not expire, or over none."""

    def __init__(self, key: str) -> None:
        self._line = f"authorization: Bearer {key}\r\n".encode() if key else b""

    def authorization(self) -> bytes | None:
        return self._line

    def when_ready(self, told: Callable[[GatewayError | None], None]) -> Callable[[], None]:
        return asyncio.get_running_loop().call_soon(told, None).cancel

    def rejected(self, authorization: bytes) -> bool:  # noqa: ARG002 - part of Signer
        return False


class _Model(Struct):
    id: str


class _ModelList(Struct):
    data: list[_Model]


def _digest(secret: Secret) -> str:
    return sha256(secret.reveal().encode("utf-8", "surrogatepass")).hexdigest()[:8]
