"""GigaChat's own members of a request, for callers who know whom they speak to.

They stand beside OpenAI's members (or inside ``extra_body``, by callers who write down what the
SDKs of OpenAI unpack). What is of the wrong type is refused here: upstream it would be a 400
without a word about the place.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Raw, Struct

from dragoman.errors import InvalidRequest

INT32: Final = 2**31 - 1
"""The largest count that GigaChat's API takes."""


class Ranker(Struct, omit_defaults=True):
    """``function_ranker``: the server chooses among many functions before the model does."""

    enabled: bool
    top_n: Annotated[int, Meta(ge=1, le=INT32)] | None = None


OWN_MEMBERS: Final[dict[str, Any]] = {
    "repetition_penalty": Annotated[float, Meta(gt=0)],
    "profanity_check": bool,
    "update_interval": Annotated[float, Meta(ge=0)],
    "function_ranker": Ranker,
    "flags": list[str],
    "reasoning_max_tokens": Annotated[int, Meta(ge=1, le=INT32)],
}
"""Member -> its type. Source: vendor documentation and SDK."""


def read_value(value: Any, kind: Any, param: str) -> Any:
    """``value``, which may be ``Raw``, as a ``kind``. Raises ``InvalidRequest`` for ``param``."""
    try:
        if isinstance(value, Raw):
            return msgspec.json.decode(value, type=kind)
        return msgspec.convert(value, kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidRequest(f"Invalid '{param}': {error}.", param=param) from None
