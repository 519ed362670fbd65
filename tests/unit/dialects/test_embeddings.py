"""OpenAI's embeddings: what callers send, what they get, and what compatible servers answer."""

import base64
import json
import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.canonical.usage import Usage
from dragoman.dialects import embeddings
from dragoman.errors import InvalidRequest, UpstreamBroken

FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=32)


def read(**members):
    return embeddings.read_request(json.dumps({"model": "m", **members}).encode())


def vectors(*values):
    return [msgspec.Raw(json.dumps(each).encode()) for each in values]


@pytest.mark.parametrize(
    ("given_input", "inputs"),
    [
        ("one", ["one"]),
        (["one", "two"], ["one", "two"]),
        ([1, 2], [[1, 2]]),
        ([[1], [2, 3]], [[1], [2, 3]]),
        ([True, 2], None),
        ([1, "x"], None),
        (["x", 1], None),
        ([["x"]], None),
        ([[1], 2], None),
        ([-1], None),
        ([2**31], None),
        ([1.5], None),
        ([[]], None),
        ([""], None),
        ("", None),
        ([], None),
        (None, None),
        (5, None),
        ([[[1]]], None),
    ],
)
def test_inputs(given_input, inputs):
    if inputs is None:
        with pytest.raises(InvalidRequest) as caught:
            read(input=given_input)
        assert caught.value.param.startswith("input")
    else:
        assert list(read(input=given_input).inputs) == inputs


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"model": ""}, "model"),
        ({"model": 5}, "model"),
        ({"dimensions": 0}, "dimensions"),
        ({"dimensions": "8"}, "dimensions"),
        ({"encoding_format": "hex"}, "encoding_format"),
        ({"encoding_format": 1}, "encoding_format"),
        ({"user": 5}, "user"),
    ],
)
def test_a_wrong_member_is_named(members, param):
    with pytest.raises(InvalidRequest) as caught:
        read(**{"input": "x", **members})
    assert caught.value.param == param


def test_deep_nesting_is_refused_and_nulls_mean_nothing():
    deep = b'{"model":"m","input":"x","extra":' + b"[" * 500 + b"]" * 500 + b"}"
    with pytest.raises(InvalidRequest):
        embeddings.read_request(deep)
    call = read(input="x", dimensions=None, encoding_format=None, user=None, extra=None)
    assert (call.dimensions, call.encoding) == (None, "float")
    assert call.request("m").others == []


def test_what_passes_keeps_its_bytes_but_for_the_model():
    body = b'{ "input" : ["a",\n"\\u0062"], "model":"ours", "x": 1.50 }'
    call = embeddings.read_request(body)
    assert call.forwarded("ours")[0] is body
    assert b"".join(call.forwarded("theirs")) == body.replace(b'"ours"', b'"theirs"')


def test_a_part_has_everything_else_as_the_caller_sent_it():
    call = read(input=["a", "b", "c"], dimensions=3, user="me", encoding_format="base64")
    assert json.loads(call.part("theirs", call.inputs[1:])) == {
        "model": "theirs",
        "input": ["b", "c"],
        "dimensions": 3,
        "user": "me",
        "encoding_format": "base64",
    }


@given(st.lists(st.lists(FLOATS, min_size=1, max_size=5), min_size=1, max_size=5))
def test_both_encodings_hold_the_same_numbers(values):
    plain = json.loads(b"[%b]" % embeddings.spelled(vectors(*values), 7, "float"))
    packed = json.loads(b"[%b]" % embeddings.spelled(vectors(*values), 7, "base64"))
    assert [item["index"] for item in plain] == list(range(7, 7 + len(values)))
    for value, item, other in zip(values, plain, packed, strict=True):
        assert item["embedding"] == value
        raw = base64.b64decode(other["embedding"])
        assert list(struct.unpack(f"<{len(value)}f", raw)) == value


def test_what_came_as_base64_stays_so_and_nonsense_is_broken():
    assert b'"AAAA"' in embeddings.spelled(vectors("AAAA"), 0, "base64")
    for wrong in (["x"], [1e300]):
        with pytest.raises(UpstreamBroken):
            embeddings.spelled(vectors(wrong), 0, "base64")


def test_a_whole_answer_is_put_together_of_its_parts():
    parts = [embeddings.spelled(vectors([1], [2]), 0, "float")]
    parts += [embeddings.spelled(vectors([3]), 2, "float")]
    answer = json.loads(b"".join(embeddings.written(parts, "m", Usage(input=5))))
    assert [item["embedding"] for item in answer["data"]] == [[1], [2], [3]]
    assert [item["index"] for item in answer["data"]] == [0, 1, 2]
    assert answer["usage"] == {"prompt_tokens": 5, "total_tokens": 5}
    assert (answer["model"], answer["object"]) == ("m", "list")


def answered(*items, **members):
    return json.dumps({"object": "list", "data": items, **members}).encode()


def test_vectors_come_in_the_order_of_their_inputs():
    items = [{"index": 1, "embedding": [1.0]}, {"index": 0, "embedding": [0.0]}]
    response = embeddings.read_response(answered(*items, usage={"prompt_tokens": 4}), 2)
    assert [bytes(vector) for vector in response.vectors] == [b"[0.0]", b"[1.0]"]
    assert response.usage == Usage(input=4)
    unnumbered = embeddings.read_response(answered({"embedding": [5]}), 1)
    assert bytes(unnumbered.vectors[0]) == b"[5]"
    assert unnumbered.usage.estimated


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"error": {"message": "no"}}',
        answered({"index": 0, "embedding": [1]}),
        answered({"index": 0, "embedding": [1]}, {"index": 0, "embedding": [1]}),
        answered({"index": 0, "embedding": [1]}, {"index": 2, "embedding": [1]}),
        answered({"index": 0}, {"index": 1}),
    ],
)
def test_an_answer_that_lacks_vectors_is_broken(body):
    with pytest.raises(UpstreamBroken):
        embeddings.read_response(body, 2)


def test_the_usage_of_what_passes():
    assert embeddings.read_usage(answered(usage={"prompt_tokens": 3})) == Usage(input=3)
    assert embeddings.read_usage(answered(usage={"total_tokens": 2})) == Usage(input=2)
    assert embeddings.read_usage(answered()).estimated
    for body in (b"", b"{}", b"<html>"):
        with pytest.raises(UpstreamBroken):
            embeddings.read_usage(body)


@pytest.mark.parametrize(
    ("end", "tokens"),
    [
        ({"usage": {"prompt_tokens": 7, "total_tokens": 7}}, 7),
        ({"usage": {"prompt_tokens": 7}, "model": "m", "id": "1"}, 7),
        ({"usage": {"prompt_tokens": 7}, "x": "y" * 5000}, 7),
        ({"usage": {"prompt_tokens": 7}, "x": {"usage": {"prompt_tokens": 9}}}, 7),
        ({"usage": {"prompt_tokens": 7}, "x": '"usage":{"prompt_tokens":9}}'}, 7),
    ],
)
def test_the_usage_of_a_long_answer_is_its_own(end, tokens):
    item = {"object": "embedding", "index": 0, "embedding": [0.5] * 20_000}
    assert embeddings.read_usage(answered(item, **end)) == Usage(input=tokens)
    with pytest.raises(UpstreamBroken):
        embeddings.read_usage(b"<html>" + b" " * 70_000 + b'"usage":{"prompt_tokens":9}}')
