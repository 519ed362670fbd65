"""Lists of models: OpenAI's, in both directions, and LiteLLM's.

``Listed`` is what is known of a model that a caller may ask for. The lists for callers hold more
members than OpenAI's own; its clients ignore what they do not know.

Source: OpenAI's API reference, Models; LiteLLM proxy, ``/model/info``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.json import Decoder

from dragoman.dialects.openai_chat.errors import read_error
from dragoman.dialects.operations import ModelsApi
from dragoman.errors import UpstreamBroken


class Listed(Struct, frozen=True):
    """A model that callers may ask for."""

    name: str
    provider: str
    target: str
    """What is asked of the provider; differs from ``name`` for an alias."""
    purpose: str | None = None
    """``chat`` or ``embedder``; ``None`` where nobody knows."""


def model(listed: Listed, created: int) -> dict[str, Any]:
    """One model in OpenAI's shape. ``created`` is in Unix seconds; providers seldom say when, and
    clients insist on a number.
    """
    item: dict[str, Any] = {
        "id": listed.name,
        "object": "model",
        "created": created,
        "owned_by": listed.provider,
    }
    if listed.purpose is not None:
        item["metadata"] = {"type": listed.purpose}
    return item


def models(listed: Iterable[Listed], created: int) -> dict[str, Any]:
    """A list in OpenAI's shape."""
    return {"object": "list", "data": [model(each, created) for each in listed]}


def model_info(listed: Iterable[Listed]) -> dict[str, Any]:
    """A list in LiteLLM's shape, which Kilo Code asks for."""
    return {"data": [_info(each) for each in listed]}


def _info(listed: Listed) -> dict[str, Any]:
    info: dict[str, Any] = {"id": listed.name}
    if listed.purpose is not None:
        info["mode"] = "embedding" if listed.purpose == "embedder" else "chat"
    target = f"{listed.provider}/{listed.target}"
    return {"model_name": listed.name, "litellm_params": {"model": target}, "model_info": info}


class _Model(Struct):
    id: str


class _ModelList(Struct):
    data: list[_Model]


_LIST: Final = Decoder(_ModelList)


def read_models(body: bytes) -> Sequence[str]:
    """The names in an OpenAI-compatible server's list. Raises ``UpstreamBroken``."""
    try:
        return [each.id for each in _LIST.decode(body).data]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UpstreamBroken(
            "The provider's list of models could not be read.", detail=str(error)
        ) from error


API: Final = ModelsApi(path="/models", read_response=read_models, read_error=read_error)
