"""GigaChat's answers to what is no conversation."""

import json

import pytest
from msgspec import structs

from dragoman.canonical.embedding import EmbeddingRequest
from dragoman.canonical.fidelity import Grade
from dragoman.dialects.gigachat.files import TYPES
from dragoman.dialects.gigachat.operations import API
from dragoman.dialects.operations import Balance, TokenCount, Upload
from dragoman.errors import UnsupportedByTarget, UpstreamBroken

UPLOAD = Upload(
    filename="a.pdf", media_type="application/pdf", pieces=[b"x"], fields={"purpose": "general"}
)


def item(index, tokens=2, **members):
    return {"embedding": [index], "index": index, "usage": {"prompt_tokens": tokens}, **members}


def answered(*items):
    return json.dumps({"object": "list", "data": items}).encode()


def test_vectors_are_sorted_and_their_usage_summed():
    response = API.embeddings.read_response(answered(item(2), item(0, 5), item(1)), 3)
    assert [bytes(vector) for vector in response.vectors] == [b"[0]", b"[1]", b"[2]"]
    assert response.usage.input == 9
    assert not response.usage.estimated
    assert API.embeddings.read_response(answered(item(0, usage=None)), 1).usage.estimated


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", answered(item(0)), answered(item(0), item(0))]
)
def test_missing_vectors_are_a_broken_answer(body):
    with pytest.raises(UpstreamBroken):
        API.embeddings.read_response(body, 2)


@pytest.mark.parametrize(
    ("members", "size", "param"),
    [
        ({"inputs": [[1, 2]]}, 1024, "input"),
        ({"dimensions": 512}, 1024, "dimensions"),
        ({"dimensions": 512}, None, "dimensions"),
    ],
)
def test_what_gigachat_cannot_do_is_refused(members, size, param):
    with pytest.raises(UnsupportedByTarget) as caught:
        API.embeddings.check(EmbeddingRequest(**{"model": "m", "inputs": ["x"], **members}), size)
    assert caught.value.param == param


def test_other_members_are_left_out_and_the_models_own_size_is_exact():
    request = EmbeddingRequest(model="m", inputs=["x"], dimensions=1024)
    assert API.embeddings.check(request, 1024).grade is Grade.EXACT
    others = structs.replace(request, others=["user", "input_type", "truncate"])
    assert API.embeddings.check(others, 1024).header() == b"dropped=input_type,truncate"


def test_what_is_too_long_is_called_input():
    error = API.embeddings.read_error(413, {}, b'{"status":413,"message":"Payload too large"}')
    assert (error.status, error.param) == (400, "input")


def test_token_counts():
    body = b'[{"object":"tokens","tokens":4,"characters":13}]'
    assert API.tokens.read_response(body, 1) == [TokenCount(4, 13)]
    for wrong, count in ((body, 2), (b"{}", 1), (b"<html>", 1)):
        with pytest.raises(UpstreamBroken):
            API.tokens.read_response(wrong, count)


def test_the_balance():
    body = b'{"balance":[{"usage":"GigaChat","value":49900},{"usage":"embeddings","value":0.5}]}'
    expected = [Balance("GigaChat", 49900.0), Balance("embeddings", 0.5)]
    assert API.balance.read_response(body) == expected
    with pytest.raises(UpstreamBroken):
        API.balance.read_response(b"{}")


@pytest.mark.parametrize(("ending", "media_type"), TYPES.items())
def test_a_files_type_is_told_by_its_name_where_nobody_says(ending, media_type):
    vague = structs.replace(
        UPLOAD, filename=f"a.b.{ending.upper()}", media_type="application/octet-stream"
    )
    prepared, fidelity = API.files.prepare(vague)
    assert prepared.media_type == media_type
    assert fidelity.grade is Grade.EXACT


def test_a_files_own_type_counts_and_its_purpose_does_not():
    upload = structs.replace(
        UPLOAD,
        filename="none",
        media_type="Text/Plain; charset=utf-8",
        fields={"purpose": "assistants", "expires_after[seconds]": "60"},
    )
    prepared, fidelity = API.files.prepare(upload)
    assert (prepared.media_type, prepared.fields) == ("text/plain", {"purpose": "general"})
    assert b"purpose:assistants->general" in fidelity.header()
    assert fidelity.dropped == ["expires_after[seconds]"]
    with pytest.raises(UnsupportedByTarget) as caught:
        API.files.prepare(structs.replace(UPLOAD, filename="none", media_type=""))
    assert caught.value.param == "file"
