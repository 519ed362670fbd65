"""Lists of models and token counts, as callers read them."""

import json

import pytest

from dragoman.dialects import models, token_counts
from dragoman.dialects.models import Listed
from dragoman.dialects.operations import TokenCount
from dragoman.errors import InvalidRequest, UpstreamBroken

CHAT = Listed("assistant", "gigachat", "GigaChat-2-Max", "chat")
UNKNOWN = Listed("qwen3:8b", "ollama", "qwen3:8b")


def test_openais_list():
    assert models.models([CHAT, UNKNOWN], 7) == {
        "object": "list",
        "data": [
            {
                "id": "assistant",
                "object": "model",
                "created": 7,
                "owned_by": "gigachat",
                "metadata": {"type": "chat"},
            },
            {"id": "qwen3:8b", "object": "model", "created": 7, "owned_by": "ollama"},
        ],
    }


def test_litellms_list():
    first, second = models.model_info([CHAT, UNKNOWN])["data"]
    assert first == {
        "model_name": "assistant",
        "litellm_params": {"model": "gigachat/GigaChat-2-Max"},
        "model_info": {"id": "assistant", "mode": "chat"},
    }
    assert second["model_info"] == {"id": "qwen3:8b"}


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"data":[{}]}', b"<html>"])
def test_a_list_that_cannot_be_read(body):
    with pytest.raises(UpstreamBroken):
        models.read_models(body)


def test_a_single_text_is_counted_like_several():
    call = token_counts.read_request(b'{"model":"m","input":"x"}')
    assert (call.model, list(call.texts)) == ("m", ["x"])
    assert list(token_counts.read_request(b'{"model":"m","input":["x","y"]}').texts) == ["x", "y"]
    body = token_counts.write_response([TokenCount(2, 10)])
    assert json.loads(body) == [{"object": "tokens", "tokens": 2, "characters": 10}]


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", b"\xff", b'{"model":"m"}', b'{"input":"x"}'),
        *(b'{"model":"m","input":[1]}', b'{"model":"","input":"x"}'),
        *(b'{"model":"m","input":[]}', b'{"model":"m","input":""}'),
    ],
)
def test_what_cannot_be_counted_is_a_bad_request(body):
    with pytest.raises(InvalidRequest):
        token_counts.read_request(body)
