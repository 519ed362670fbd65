"""What GigaChat's API offers besides conversations: embeddings, token counts, balance, models.

Source: GigaChat API reference, ``POST /embeddings``, ``POST /tokens/count``, ``GET /balance``,
``GET /models``. Two things differ from what OpenAI's clients know: usage stands at every vector
and not beside them, and counts of tokens are a bare array.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec
from msgspec import Raw, Struct
from msgspec.json import Decoder

from dragoman.canonical.embedding import EmbeddingRequest, EmbeddingResponse, Input
from dragoman.canonical.fidelity import Fidelity
from dragoman.canonical.usage import Usage
from dragoman.dialects.base import Headers
from dragoman.dialects.gigachat.errors import read_error
from dragoman.dialects.gigachat.files import API as FILES
from dragoman.dialects.operations import (
    Balance,
    BalanceApi,
    EmbeddingsApi,
    ModelsApi,
    OperationsApi,
    TokenCount,
    TokensApi,
)
from dragoman.errors import GatewayError, UnsupportedByTarget, UpstreamBroken

T = TypeVar("T")


class _Counts(Struct):
    prompt_tokens: int = 0


class _Item(Struct):
    embedding: Raw
    index: int
    usage: _Counts | None = None


class _Vectors(Struct):
    data: list[_Item]


class _Tokens(Struct):
    tokens: int
    characters: int = 0


class _Left(Struct):
    usage: str
    value: float


class _Account(Struct):
    balance: list[_Left]


class Model(Struct):
    """An entry of the list of models."""

    id: str
    type: str = "chat"
    """``chat``, ``embedder``, or what neither talks nor embeds."""


class _ModelList(Struct):
    data: list[Model]


_NO_EFFECT: Final = frozenset({"user", "metadata"})
"""Members that have no bearing on the vectors."""

_VECTORS: Final = Decoder(_Vectors)
_TOKENS: Final = Decoder(list[_Tokens])
_ACCOUNT: Final = Decoder(_Account)
_MODELS: Final = Decoder(_ModelList)


def check_embeddings(request: EmbeddingRequest, size: int | None) -> Fidelity:
    """Only texts are taken, and vectors have the model's own size."""
    if any(not isinstance(each, str) for each in request.inputs):
        raise UnsupportedByTarget(
            "GigaChat embeds texts and has another tokenizer than the one that these token ids"
            " come from. Send `input` as a string or strings.",
            param="input",
        )
    if request.dimensions is not None and request.dimensions != size:
        own = f"{size}, its own" if size else "those of its own"
        raise UnsupportedByTarget(
            f"The vectors of {request.model} cannot have {request.dimensions} dimensions, only"
            f" {own}. Leave `dimensions` out.",
            param="dimensions",
        )
    fidelity = Fidelity()
    for name in request.others:
        if name not in _NO_EFFECT:
            fidelity.drop(name)
    return fidelity


def write_embeddings(model: str, inputs: Sequence[Input]) -> bytes:
    """The body that asks for the vectors of texts."""
    return msgspec.json.encode({"model": model, "input": inputs})


def read_vectors(body: bytes, count: int) -> EmbeddingResponse:
    """Vectors in the order of their inputs, whatever order they came in; usage summed."""
    items = _decoded(_VECTORS, body).data
    placed = {item.index: item for item in items}
    if len(items) != count or placed.keys() != set(range(count)):
        raise _broken(f"{count} vectors were asked for, {len(items)} came")
    tokens = sum(item.usage.prompt_tokens for item in items if item.usage is not None)
    vectors = [placed[at].embedding for at in range(count)]
    is_counted = all(item.usage is not None for item in items)
    return EmbeddingResponse(vectors, Usage(input=tokens, estimated=not is_counted))


def write_count(model: str, texts: Sequence[str]) -> bytes:
    """The body that asks how long ``texts`` are."""
    return msgspec.json.encode({"model": model, "input": texts})


def read_counts(body: bytes, count: int) -> Sequence[TokenCount]:
    """One for each text, in their order."""
    counts = _decoded(_TOKENS, body)
    if len(counts) != count:
        raise _broken(f"{count} counts were asked for, {len(counts)} came")
    return [TokenCount(each.tokens, each.characters) for each in counts]


def read_balance(body: bytes) -> Sequence[Balance]:
    """What is left of each package."""
    return [Balance(each.usage, each.value) for each in _decoded(_ACCOUNT, body).balance]


def read_models(body: bytes) -> Sequence[Model]:
    """The list of models. Raises ``UpstreamBroken``."""
    return _decoded(_MODELS, body).data


def _read_names(body: bytes) -> Sequence[str]:
    return [model.id for model in read_models(body)]


def _read_input_error(status: int, headers: Headers, body: bytes) -> GatewayError:
    """As for conversations, but what is too long here is called ``input``."""
    error = read_error(status, headers, body)
    if error.param == "messages":
        error.param = "input"
    return error


def _decoded(decoder: Decoder[T], body: bytes) -> T:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _broken(str(error)) from error


def _broken(detail: str) -> UpstreamBroken:
    return UpstreamBroken("GigaChat's answer could not be read. Try again.", detail=detail)


API: Final = OperationsApi(
    models=ModelsApi(path="/models", read_response=_read_names, read_error=read_error),
    embeddings=EmbeddingsApi(
        path="/embeddings",
        write_request=write_embeddings,
        most_inputs=64,
        most_bytes=120_000,
        check=check_embeddings,
        read_response=read_vectors,
        read_error=_read_input_error,
    ),
    tokens=TokensApi(
        path="/tokens/count",
        write_request=write_count,
        read_response=read_counts,
        read_error=_read_input_error,
    ),
    balance=BalanceApi(path="/balance", read_response=read_balance, read_error=read_error),
    files=FILES,
)
"""No limit on the size of an embeddings call is published; larger ones than these have been seen
to be refused with 413."""
