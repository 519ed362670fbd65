"""Recorded answers to what is no conversation: read through the gateway and by the SDKs alone."""

import base64
import json
import struct

import msgspec
import openai
import pytest
from gigachat.models import AccessToken, Model, Models, TokensCount
from gigachat.models import Embeddings as GigaChatEmbeddings

from dragoman.clock import SystemClock
from dragoman.dialects.gigachat.operations import API, read_models
from dragoman.providers.base import Secret
from dragoman.providers.gigachat import GigaChat
from dragoman.providers.gigachat_tokens import read_token
from support.gateway import running_gateway
from support.recordings import answer_bytes, exchanges
from support.replay_upstream import replay_upstream, whole_answer
from support.scripted_fetch import ScriptedFetch

EMBEDDINGS = ("openai", "compat", "azure", "mistral")
STATUSES = {401: 502, 403: 502}
"""A credential that the upstream refuses is the operator's affair, not the caller's."""


def recorded(*apis):
    return [pytest.param(each, id=each["id"]) for api in apis for each in exchanges(api)]


@pytest.fixture(scope="module")
def upstream():
    with replay_upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def module_gateway(upstream, tmp_path_factory):
    toml = "retry.attempts = 1\n" + upstream.toml()
    with running_gateway(toml, tmp_path_factory.mktemp("replay")) as gateway:
        yield gateway


@pytest.fixture
def gateway(module_gateway):
    for broker in module_gateway.house.brokers.values():
        for key in module_gateway.ask_loop(broker.snapshot).keys:
            module_gateway.ask_loop(lambda broker=broker, key=key: broker.enable(key.id))
    yield module_gateway
    module_gateway.ended_well()


def play(upstream, exchange, name):
    answer = exchange["response"]
    upstream.plays[name] = whole_answer(answer["status"], answer["headers"], answer_bytes(exchange))


def vectors_of(url, body, model):
    """What the ``openai`` SDK makes of it: vectors and counts, or the error's status."""
    members = {**body, "model": model}
    with openai.OpenAI(base_url=url, api_key="any", max_retries=0) as client:
        try:
            answer = client.embeddings.create(**members)
        except openai.APIStatusError as error:
            return error.status_code
    return [(item.index, item.embedding) for item in answer.data], answer.usage


@pytest.mark.parametrize("exchange", recorded(*(f"{name}.embeddings" for name in EMBEDDINGS)))
def test_openais_vectors_pass_as_they_are(gateway, upstream, exchange):
    play(upstream, exchange, exchange["id"])
    body = exchange["request"]["body"]
    expected = vectors_of(f"{upstream.url}/v1", body, exchange["id"])
    seen = vectors_of(gateway.base_url, body, f"openai/{exchange['id']}")
    assert seen == (STATUSES.get(expected, expected) if isinstance(expected, int) else expected)


@pytest.mark.parametrize("exchange", recorded("gigachat.embeddings"))
@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_gigachats_vectors(gateway, upstream, exchange, encoding):
    play(upstream, exchange, exchange["id"])
    direct = GigaChatEmbeddings.model_validate_json(answer_bytes(exchange))
    inputs = exchange["request"]["body"]["input"]
    body = {"input": inputs, "encoding_format": encoding}
    with openai.OpenAI(base_url=gateway.base_url, api_key="any", max_retries=0) as client:
        answer = client.embeddings.create(**body, model=f"gigachat/{exchange['id']}")
    assert answer.usage.prompt_tokens == sum(item.usage.prompt_tokens for item in direct.data)
    for seen, expected in zip(answer.data, direct.data, strict=True):
        numbers = seen.embedding
        if isinstance(numbers, str):  # the SDK decodes only what it has asked for by itself
            numbers = unpacked(numbers)
        assert seen.index == expected.index
        assert numbers == pytest.approx(expected.embedding, rel=1e-6, abs=1e-9)
        assert encoding == "base64" or numbers == expected.embedding


def unpacked(text):
    raw = base64.b64decode(text)
    return list(struct.unpack(f"<{len(raw) // 4}f", raw))


@pytest.mark.parametrize("exchange", recorded("gigachat.tokens_count"))
def test_gigachats_token_counts(exchange):
    body = exchange["request"]["body"]
    assert json.loads(API.tokens.write_request(body["model"], body["input"])) == body
    seen = API.tokens.read_response(answer_bytes(exchange), len(body["input"]))
    direct = [TokensCount.model_validate(each) for each in json.loads(answer_bytes(exchange))]
    assert [(each.tokens, each.characters) for each in seen] == [
        (each.tokens, each.characters) for each in direct
    ]


@pytest.mark.parametrize("exchange", recorded("gigachat.models"))
async def test_gigachats_models(exchange):
    body = answer_bytes(exchange)
    if "data" not in json.loads(body):
        expected = Model.model_validate_json(body)
        (seen,) = read_models(b'{"data":[%b]}' % body)
        assert (seen.id, seen.type) == (expected.id_, json.loads(body)["type"])
        return
    expected = Models.model_validate_json(body).data
    fetch = ScriptedFetch(lambda asked: (200, {}, body))
    provider = GigaChat(name="g", credentials=[Secret("token:x")], fetch=fetch, clock=SystemClock())
    await provider.discover()
    types = [each["type"] for each in json.loads(body)["data"]]  # the SDK leaves them out
    assert {name: provider.purpose(name) for name in provider.models()} == {
        model.id_: type_
        for model, type_ in zip(expected, types, strict=True)
        if type_ in {"chat", "embedder"}
    }


@pytest.mark.parametrize("exchange", recorded("gigachat.oauth"))
def test_gigachats_access_tokens(exchange):
    body = answer_bytes(exchange)
    seen = read_token(body)
    direct = AccessToken.model_validate_json(body)
    assert seen.value == direct.access_token
    assert seen.expires_at == direct.expires_at / 1000
    assert direct.access_token not in repr(seen)
    assert msgspec.json.decode(body)["access_token"] == seen.value
