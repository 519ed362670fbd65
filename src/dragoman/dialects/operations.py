"""What an upstream's API offers besides conversations: rows of pure functions.

A provider names the row that its API speaks (``Provider.operations``); what a row leaves out the
provider cannot do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from dragoman.canonical.embedding import EmbeddingRequest, EmbeddingResponse, Input
from dragoman.canonical.fidelity import Fidelity
from dragoman.dialects.base import Headers
from dragoman.errors import GatewayError

ErrorReader = Callable[[int, Headers, bytes], GatewayError]
"""Status, headers and body of an answer that is no success -> what went wrong."""


class EmbeddingsApi(Struct, frozen=True, kw_only=True):
    """Texts to vectors, as we ask an upstream for them."""

    path: str
    """Below the address of the API."""
    write_request: Callable[[str, Sequence[Input]], bytes] | None
    """The body for a model and inputs; ``None``: OpenAI's own, a caller's bytes may pass."""
    most_inputs: int
    """Inputs in one call."""
    most_bytes: int
    """Bytes of input in one call; a larger input is sent alone, for the upstream to judge."""
    check: Callable[[EmbeddingRequest, int | None], Fidelity]
    """What becomes of the members that the upstream does not know. The number is the size of the
    model's vectors, where it is known. Raises ``UnsupportedByTarget``."""
    read_response: Callable[[bytes, int], EmbeddingResponse]
    """The answer to a call with so many inputs. Raises ``UpstreamBroken``."""
    read_error: ErrorReader


class TokenCount(Struct, frozen=True):
    """How long one text is."""

    tokens: int
    characters: int


class TokensApi(Struct, frozen=True, kw_only=True):
    """Counting tokens without spending any."""

    path: str
    write_request: Callable[[str, Sequence[str]], bytes]
    """The body for a model and texts."""
    read_response: Callable[[bytes, int], Sequence[TokenCount]]
    """One count for each of so many texts. Raises ``UpstreamBroken``."""
    read_error: ErrorReader


class Balance(Struct, frozen=True):
    """What is left of a prepaid package."""

    usage: str
    """What it can be spent on: a model, or a family of them."""
    value: float
    """Tokens, as the provider counts them."""


class BalanceApi(Struct, frozen=True, kw_only=True):
    """What is left of what was paid for."""

    path: str
    read_response: Callable[[bytes], Sequence[Balance]]
    """Raises ``UpstreamBroken``."""
    read_error: ErrorReader


class ModelsApi(Struct, frozen=True, kw_only=True):
    """What is served, asked at no cost."""

    path: str
    read_response: Callable[[bytes], Sequence[str]]
    """The names. Raises ``UpstreamBroken``."""
    read_error: ErrorReader


class Upload(Struct, frozen=True, kw_only=True):
    """A file on its way to an upstream."""

    filename: str
    media_type: str
    pieces: Sequence[bytes]
    """The file, one piece behind the other."""
    fields: Mapping[str, str]
    """What else the form holds, ``purpose`` at least."""


class FilesApi(Struct, frozen=True, kw_only=True):
    """Files that an upstream keeps."""

    path: str
    prepare: Callable[[Upload], tuple[Upload, Fidelity]]
    """The upload as the upstream takes it, and what was changed. Raises
    ``UnsupportedByTarget``."""
    deletion: tuple[str, str]
    """Method, and what follows the file's path."""
    content_type: str | None
    """What is asked for with ``accept`` to get a file's bytes; ``None``: anything."""
    read_error: ErrorReader


class OperationsApi(Struct, frozen=True, kw_only=True):
    """Everything an API offers besides conversations; ``None`` is what it does not."""

    models: ModelsApi
    embeddings: EmbeddingsApi | None = None
    tokens: TokensApi | None = None
    balance: BalanceApi | None = None
    files: FilesApi | None = None
