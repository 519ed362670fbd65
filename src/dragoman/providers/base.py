"""What a provider answers: which dialect, at which address, signed how.

A ``Credential`` is the secret side of one key; the pool knows it only by its id. Where the
signature is a token that expires, ``Signer.authorization`` gives it while it is fresh; when it
is not, ``when_ready`` fetches one, single-flight for all who wait.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Literal, Protocol

from msgspec import Struct

from dragoman.dialects.base import ModelFacts, UpstreamDialect
from dragoman.dialects.operations import OperationsApi
from dragoman.errors import GatewayError

Fetch = Callable[
    [str, str, Sequence[tuple[str, str]], bytes], Awaitable[tuple[int, dict[str, str], bytes]]
]
"""One whole HTTP exchange: method, URL, headers and body in; status, headers (names in lower
case) and body out. For what providers ask beside conversations: tokens, lists of models. Raises
``UpstreamError`` when there is no answer."""


Purpose = Literal["chat", "embedder"]
Headers = Iterable[tuple[str, str]]


class Secret:
    """A string that cannot be printed by accident."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The string itself; call it only where bytes for the wire are made."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


class Signer(Protocol):
    """One credential's way to sign calls."""

    def authorization(self) -> bytes | None:
        """Header lines, each ended by CRLF, good for a call sent now; ``None`` when a token has
        to be fetched first. Cheap: called for every request.
        """
        ...

    def when_ready(self, told: Callable[[GatewayError | None], None]) -> Callable[[], None]:
        """Call ``told`` once, with ``None`` when ``authorization`` can answer or with why it
        cannot. Returns a function that withdraws the wish (idempotent).
        """
        ...

    def rejected(self, authorization: bytes) -> bool:
        """The upstream answered 401 to a call signed with ``authorization``. ``True`` when a
        fresh token may mend that (the caller then tries once more), ``False`` when the secret
        itself is no good.
        """
        ...

    def stop(self) -> None:
        """Renew nothing any more: nobody will ask again."""
        ...


class Credential(Struct, frozen=True):
    """One key of a provider."""

    id: str
    """Safe to show: provider name and a short digest of the secret, never the secret."""
    signer: Signer
    advice: str = "replace the credential"
    """What to do when the provider rejects it, as a clause: ``copy the key again``."""
    seal: bytes = b""
    """A key drawn from the secret, for what only this gateway may have written; empty where there
    is no secret."""


class Proof(Struct, frozen=True):
    """What a credential is made of."""

    way: str
    """How it proves who calls; each provider has words of its own."""
    secret: Secret
    scope: str = ""
    """The contract that it belongs to, where a provider knows such a thing."""


class Hosts(Protocol):
    """A provider whose callers may bring credentials of their own. It holds no other."""

    name: str
    files: FileStore | None

    def own_credential(self, identity: str, proof: Proof) -> Credential:
        """The credential of ``identity``. Raises ``InvalidRequest`` for a way to prove oneself
        that this provider does not take. Its signer says ``OwnKeyRejected`` where others say
        ``UpstreamRejectedKey``.
        """
        ...

    async def models_of(self, credential: Credential) -> Sequence[str]:
        """What the provider serves to ``credential``. Raises ``GatewayError``."""
        ...


class Attached(Struct, frozen=True):
    """A file of a conversation, to be stored at the provider that will read it."""

    content: bytes
    media_type: str
    name: str
    """For people; made fit for a header by whoever writes it there."""


class FileStore(Protocol):
    """Where a provider keeps files that conversations name. Ids belong to the credential."""

    types: Mapping[str, str]
    """Media type as the bytes show it -> what it has to be called on upload. What is not there
    cannot be taken."""
    owner_headers: Collection[bytes]
    """Headers, in lower case, to which ids belong as well: who uploads with one finds the file
    with the same one only."""

    async def upload(self, lines: bytes, file: Attached) -> str:
        """Store ``file``; its id. ``lines`` are header lines, each ended by CRLF: the signature,
        and what there is of ``owner_headers``. Raises ``GatewayError``.
        """
        ...

    async def delete(self, lines: bytes, file_id: str) -> None:
        """Forget a file, with the ``lines`` that it was stored with or newer ones of the same
        owner; harmless when it is gone. Raises ``GatewayError``.
        """
        ...


class Provider(Protocol):
    """Where calls go and who signs."""

    name: str
    """As the operator calls it in the settings."""
    kind: str
    credentials: Sequence[Credential]
    files: FileStore | None
    """Where media go that conversations can only name; ``None`` where they travel inside."""

    def dialect(self, model: str, api: str | None = None) -> UpstreamDialect:
        """What this model speaks; ``api`` is the version of the provider's API that the caller's
        path has chosen, of no meaning to providers that have but one.
        """
        ...

    def facts(self, model: str) -> ModelFacts:
        """What this model can do."""
        ...

    def head(self, model: str, api: str | None = None, *, stream: bool) -> bytes:
        """Request line and headers of a conversation call, without authorization and framing;
        built once for each model and kept.
        """
        ...

    operations: OperationsApi
    """What its API offers besides conversations."""
    embedder: str | None
    """The model that embeds for callers who name none of this provider's."""

    def operation_head(self, method: str, path: str, headers: Headers) -> bytes:
        """Request line and headers of any other call, without authorization and framing.
        ``path`` is below the address of the API; ``headers`` come on top.
        """
        ...

    def purpose(self, model: str) -> Purpose | None:
        """What this model is for, where that is known."""
        ...

    def models(self) -> Sequence[str]:
        """Names known from the settings or from the last ``discover``."""
        ...

    async def discover(self) -> None:
        """Ask the provider for its models, where that costs nothing. Raises ``GatewayError``."""
        ...

    async def close(self) -> None:
        """Stop background work."""
        ...
