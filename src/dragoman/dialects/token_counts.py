"""How many tokens texts are: the body of ``POST /v1/tokens/count``, in GigaChat's shape.

OpenAI's API has nothing like it, so that the one that exists is kept: programs written for
GigaChat find what they know, with any of its models behind the gateway.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.json import Decoder

from dragoman.dialects.operations import TokenCount
from dragoman.errors import InvalidRequest


class CountCall(Struct, frozen=True):
    """A caller's request."""

    model: str
    input: str | list[str]

    @property
    def texts(self) -> Sequence[str]:
        """What to count, a single text as a list of one."""
        return [self.input] if isinstance(self.input, str) else self.input


_CALL: Final = Decoder(CountCall)


def read_request(body: bytes) -> CountCall:
    """Raises ``InvalidRequest``."""
    try:
        call = _CALL.decode(body)
    except msgspec.ValidationError as error:
        raise InvalidRequest(
            f"A model and an input (a string or strings) are needed: {error}.",
            code="invalid_type",
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(
            f"The body could not be parsed as JSON: {error}.", code="invalid_json"
        ) from None
    for name in ("model", "input"):
        if not getattr(call, name):
            raise InvalidRequest(f"'{name}' must not be empty.", param=name, code="invalid_value")
    return call


def write_response(counts: Iterable[TokenCount]) -> bytes:
    """A bare array with one count for each text."""
    return msgspec.json.encode(
        [
            {"object": "tokens", "tokens": each.tokens, "characters": each.characters}
            for each in counts
        ]
    )
