"""OpenAI's embeddings: the body of ``POST /v1/embeddings`` in both directions.

Spoken by callers to us and by us to every OpenAI-compatible server, where a request passes with
nothing but its model's name exchanged. What has to be split into several calls, or answered by a
server of another dialect, is written and read here too.

Source: OpenAI's API reference, Embeddings; ``input_type``, ``task_type``, ``truncate`` and
``title`` as compatible servers take them.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct
from msgspec.json import Decoder

from dragoman.canonical.embedding import EmbeddingRequest, EmbeddingResponse, Input
from dragoman.canonical.fidelity import Fidelity
from dragoman.canonical.usage import Usage
from dragoman.dialects.nesting import is_excessive
from dragoman.dialects.openai_chat.errors import read_error
from dragoman.dialects.openai_chat.forwarding import edited
from dragoman.dialects.openai_chat.wire import (
    MEMBERS,
    TEXT,
    Members,
    given,
    invalid_type,
    invalid_value,
    missing_member,
    read_as,
)
from dragoman.dialects.operations import EmbeddingsApi
from dragoman.errors import InvalidRequest, UpstreamBroken

FORMATS: Final = ("float", "base64")

_LIST: Final = Decoder(list[Any])
_NUMBERS: Final = Decoder(list[float])
_WHOLE: Final = Decoder(int)
_LARGEST_ID: Final = 2**31 - 1
_INPUT_LEVELS: Final = 2
_READ: Final = frozenset({"model", "input", "encoding_format", "dimensions"})
_ENCODE: Final = msgspec.json.Encoder().encode


class EmbeddingsCall:
    """A caller's request that has passed ``read_request``."""

    def __init__(self, body: bytes, members: Members) -> None:
        self._body = body
        self._members = members
        self.model = _required_text(members, "model")
        self.inputs = _inputs(members)
        self.encoding = _encoding(members)
        """``float`` or ``base64``."""
        self.dimensions = _dimensions(members)
        user = given(members, "user")
        if user is not None:
            read_as(TEXT, user, "user")

    def request(self, model: str) -> EmbeddingRequest:
        """In canonical form, for ``model``."""
        others = [
            name for name in self._members if name not in _READ and given(self._members, name)
        ]
        return EmbeddingRequest(
            model=model, inputs=self.inputs, dimensions=self.dimensions, others=others
        )

    def forwarded(self, model: str) -> Sequence[bytes]:
        """The caller's bytes with ``model`` in its place."""
        changes = {"model": model} if model != self.model else {}
        return edited(self._body, self._members, changes)

    def part(self, model: str, inputs: Sequence[Input]) -> bytes:
        """A body for some of the inputs, everything else as the caller sent it."""
        return _ENCODE({**self._members, "model": model, "input": inputs})


def read_request(body: bytes) -> EmbeddingsCall:
    """Check a caller's body. Raises ``InvalidRequest`` that names the member."""
    try:
        members = MEMBERS.decode(body)
    except msgspec.ValidationError:
        raise InvalidRequest("The body has to be a JSON object.", code="invalid_type") from None
    except UnicodeDecodeError:
        raise InvalidRequest("The body is not valid UTF-8.", code="invalid_json") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidRequest(
            f"The body could not be parsed as JSON: {error}.", code="invalid_json"
        ) from None
    for name, raw in members.items():
        if name != "input" and memoryview(raw)[0] in b"[{" and is_excessive(bytes(raw)):
            raise invalid_value(name, "it is nested too deep")
    return EmbeddingsCall(body, members)


def _required_text(members: Members, name: str) -> str:
    raw = given(members, name)
    if raw is None:
        raise missing_member(name)
    text = read_as(TEXT, raw, name)
    if not text:
        raise invalid_value(name, "it must not be empty")
    return text


def _encoding(members: Members) -> str:
    raw = given(members, "encoding_format")
    if raw is None:
        return "float"
    name = read_as(TEXT, raw, "encoding_format")
    if name not in FORMATS:
        raise invalid_value("encoding_format", "supported are `float` and `base64`")
    return name


def _dimensions(members: Members) -> int | None:
    raw = given(members, "dimensions")
    if raw is None:
        return None
    number = read_as(_WHOLE, raw, "dimensions")
    if number < 1:
        raise invalid_value("dimensions", "it must be at least 1")
    return number


def _inputs(members: Members) -> Sequence[Input]:
    """One text, several, or token ids in place of either; a single one becomes a list of one."""
    raw = given(members, "input")
    if raw is None:
        raise missing_member("input")
    first = memoryview(raw)[0]
    if first == 0x22:  # a quotation mark
        return [_text(read_as(TEXT, raw, "input"), "input")]
    if first != 0x5B:  # a bracket
        raise invalid_type("input", "a string, an array of strings or arrays of token ids")
    if is_excessive(bytes(raw), _INPUT_LEVELS):
        raise invalid_value("input", "it is nested too deep or holds too many arrays")
    values = read_as(_LIST, raw, "input")
    if not values:
        raise invalid_value("input", "it must not be empty")
    if isinstance(values[0], int):
        return [_token_ids(values, "input")]
    if isinstance(values[0], list):
        return [_token_ids(value, f"input[{at}]") for at, value in enumerate(values)]
    return [_text(value, f"input[{at}]") for at, value in enumerate(values)]


def _text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise invalid_type(path, "a string, as the entries before it")
    if not value:
        raise invalid_value(path, "it must not be an empty string")
    return value


def _token_ids(value: Any, path: str) -> Sequence[int]:
    if not isinstance(value, list):
        raise invalid_type(path, "an array of token ids, as the entries before it")
    if not value:
        raise invalid_value(path, "it must not be empty")
    for at, number in enumerate(value):
        if type(number) is not int or not 0 <= number <= _LARGEST_ID:
            raise invalid_type(f"{path}[{at}]", "a token id")
    return value


def spelled(vectors: Sequence[Raw], first: int, encoding: str) -> bytes:
    """The entries of ``data`` for ``vectors``, the first of which has the index ``first``; joined
    by commas, without the brackets. Raises ``UpstreamBroken``.
    """
    entries = []
    for index, raw in enumerate(vectors, start=first):
        vector = bytes(raw)
        if encoding == "base64" and vector[:1] == b"[":
            vector = b'"%b"' % _base64(vector)
        entries.append(b'{"object":"embedding","index":%d,"embedding":%b}' % (index, vector))
    return b",".join(entries)


def _base64(vector: bytes) -> bytes:
    """Numbers of 32 bits, least significant byte first."""
    try:
        numbers = _NUMBERS.decode(vector)
        return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers))
    except (msgspec.DecodeError, OverflowError) as error:
        raise _broken(str(error)) from None


def written(parts: Iterable[bytes], model: str, usage: Usage) -> list[bytes]:
    """A whole answer of what ``spelled`` gave for each call, in pieces that are not joined."""
    pieces = [b'{"object":"list","data":[']
    for part in parts:
        pieces += [part, b","]
    count = usage.input_total
    tail = {"prompt_tokens": count, "total_tokens": count}
    pieces[-1] = b'],"model":%b,"usage":%b}' % (_ENCODE(model), _ENCODE(tail))
    return pieces


class _Item(Struct):
    embedding: Raw
    index: int | None = None


class _Counts(Struct):
    prompt_tokens: int | None = None
    total_tokens: int | None = None


class _Answer(Struct):
    data: list[_Item]
    usage: _Counts | None = None


class _Passed(Struct):
    data: Raw
    usage: _Counts | None = None


class _AtTheEnd(Struct):
    usage: _Counts


_AT_THE_END: Final = Decoder(_AtTheEnd)
_LARGE: Final = 65_536
_TAIL: Final = 1024
"""Bytes at either end of an answer that are looked at first."""

_ANSWER: Final = Decoder(_Answer)
_PASSED: Final = Decoder(_Passed)


def read_response(body: bytes, count: int) -> EmbeddingResponse:
    """The answer of an OpenAI-compatible server to a call with ``count`` inputs."""
    try:
        answer = _ANSWER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _broken(str(error)) from None
    vectors = in_order([(item.index, item.embedding) for item in answer.data], count)
    return EmbeddingResponse(vectors, _usage(answer.usage))


def read_usage(body: bytes) -> Usage:
    """The counts of an answer that passes as it came. Raises ``UpstreamBroken`` for no answer."""
    if len(body) > _LARGE and (seen := _usage_at_the_end(body)) is not None:
        return seen
    try:
        return _usage(_PASSED.decode(body).usage)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _broken(str(error)) from None


def _usage_at_the_end(body: bytes) -> Usage | None:
    """The counts where nearly every server puts them, without a walk over millions of numbers.

    What follows the name has to close the whole body's object, so that it is a member of that.
    """
    tail = body[-_TAIL:]
    at = tail.rfind(b'"usage"')
    if at < 0 or b'"embedding"' not in body[:_TAIL]:
        return None
    try:
        return _usage(_AT_THE_END.decode(b"{" + tail[at:]).usage)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def in_order(items: Sequence[tuple[int | None, Raw]], count: int) -> list[Raw]:
    """The vectors of ``count`` inputs, by their indices; without any, as they came.

    Raises ``UpstreamBroken`` unless there is exactly one for each input.
    """
    placed: dict[int, Raw] = {}
    for at, (index, vector) in enumerate(items):
        placed[at if index is None else index] = vector
    if len(items) != count or placed.keys() != set(range(count)):
        raise _broken(f"{count} vectors were asked for, {len(items)} came")
    return [placed[at] for at in range(count)]


def _usage(counts: _Counts | None) -> Usage:
    if counts is None:
        return Usage(estimated=True)
    return Usage(input=max(counts.prompt_tokens or counts.total_tokens or 0, 0))


def _broken(detail: str) -> UpstreamBroken:
    return UpstreamBroken("The provider's answer holds no usable vectors.", detail=detail)


def _check(_request: EmbeddingRequest, _size: int | None) -> Fidelity:
    return Fidelity()


API: Final = EmbeddingsApi(
    path="/embeddings",
    write_request=None,
    most_inputs=2048,
    most_bytes=1_000_000,
    check=_check,
    read_response=read_response,
    read_error=read_error,
)
"""A call may hold 2,048 inputs and 300,000 tokens in all, which a million bytes of text are
about."""
