"""Embeddings, models and token counts through the gateway, judged by the official SDKs."""

import base64
import json
import struct
import time

import gigachat
import openai
import pytest

from support.gateway import running_gateway
from support.raw_http import connected, send

EMBEDDINGS = "/v1/embeddings"
EMBEDDERS = pytest.mark.parametrize(
    ("model", "size"), [("gigachat/Embeddings", 1024), ("openai/text-embedding-3-small", 1536)]
)
MANY = 3000


@pytest.fixture
def client(gateway):
    with openai.OpenAI(base_url=gateway.base_url, api_key="any", max_retries=0) as client:
        yield client


def calls(simulator, path):
    return [each for each in simulator.view()["last_requests"] if each["path"].endswith(path)]


def settled(gateway, target):
    """Requests and tokens in the ledger."""
    totals = gateway.ask_loop(gateway.house.ledger.totals).get(("anyone", target))
    return (totals.requests, totals.input) if totals else (0, 0)


def eventually(condition):
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come about")


def error_of(reply):
    error = reply.json["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


@EMBEDDERS
def test_floats_and_base64_are_the_same_vectors(client, gateway, model, size):
    texts = ["Hello", "Привет, 🌍!"]
    floats = client.embeddings.create(model=model, input=texts, encoding_format="float")
    by_default = client.embeddings.create(model=model, input=texts)
    body = {"model": model, "input": texts, "encoding_format": "base64"}
    raw = send(gateway, body, path=EMBEDDINGS).json["data"]
    for index, item in enumerate(floats.data):
        assert (item.index, len(item.embedding)) == (index, size)
        decoded = struct.unpack(f"<{size}f", base64.b64decode(raw[index]["embedding"]))
        assert by_default.data[index].embedding == pytest.approx(decoded)
        assert item.embedding == pytest.approx(decoded, abs=1e-6)
    assert floats.usage.prompt_tokens == floats.usage.total_tokens > 0
    one = client.embeddings.create(model=model, input=texts[1], encoding_format="float")
    assert one.data[0].embedding == floats.data[1].embedding


@pytest.mark.parametrize(
    ("model", "members"),
    [("gigachat/Embeddings", {}), ("openai/text-embedding-3-small", {"dimensions": 8})],
)
def test_thousands_of_inputs_keep_their_order(client, gateway, simulator, model, members):
    simulator.control(options={"gigachat_shuffles_embeddings": True, "gigachat_vector_size": 16})
    texts = [f"text {number}" for number in range(MANY)]
    before = settled(gateway, model)
    answer = client.embeddings.create(model=model, input=texts, **members)
    assert [item.index for item in answer.data] == list(range(MANY))
    for number in (0, 63, 64, 2047, 2048, MANY - 1):
        alone = client.embeddings.create(model=model, input=texts[number], **members)
        assert alone.data[0].embedding == answer.data[number].embedding
    assert answer.usage.prompt_tokens == 2 * MANY
    requests, tokens = settled(gateway, model)
    assert (requests - before[0], tokens - before[1]) == (7, 2 * MANY + 12)


def test_one_failing_call_fails_the_whole_and_nothing_is_left(client, gateway, simulator):
    simulator.control(options={"faults": ["422:every=5"]})
    with pytest.raises(openai.UnprocessableEntityError):
        client.embeddings.create(model="gigachat/Embeddings", input=["text"] * 640)
    assert gateway.leases() == 0
    assert len(calls(simulator, "/embeddings")) <= 10


def test_a_rate_limited_call_is_tried_with_another_key(client, simulator):
    simulator.control(faults=["429:retry-after=1"])
    raw = client.embeddings.with_raw_response.create(model="gigachat/Embeddings", input="text")
    assert int(raw.headers["x-dragoman-attempts"]) >= 2
    assert len(raw.parse().data) == 1


@pytest.mark.parametrize(
    ("name", "target", "changes"),
    [
        ("ada-002", "gigachat/EmbeddingsGigaR", "adjusted=model:ada-002->EmbeddingsGigaR"),
        ("GigaChat-2", "gigachat/EmbeddingsGigaR", "adjusted=model:GigaChat-2->EmbeddingsGigaR"),
        ("Embeddings", "gigachat/Embeddings", None),
        ("GigaEmbeddings-3B-2025-09", "gigachat/GigaEmbeddings-3B-2025-09", None),
        ("text-embedding-3-small", "openai/text-embedding-3-small", None),
    ],
)
def test_a_name_leads_to_a_model_that_embeds(client, name, target, changes):
    raw = client.embeddings.with_raw_response.create(model=name, input="text")
    assert raw.headers["x-dragoman-target"] == target
    assert raw.headers.get("x-dragoman-changes") == changes
    assert raw.headers["x-request-id"]


def test_a_provider_in_the_path_embeds(gateway):
    body = {"model": "text-embedding-3-small", "input": "text", "input_type": "query"}
    reply = send(gateway, body, path="/gigachat/v1/embeddings")
    assert reply.headers["x-dragoman-target"] == "gigachat/EmbeddingsGigaR"
    assert reply.headers["x-dragoman-fidelity"] == "lossy"
    assert "dropped=input_type" in reply.headers["x-dragoman-changes"]
    strictly = {"x-dragoman-on-unsupported": "reject"}
    reply = send(gateway, body, path="/gigachat/v1/embeddings", headers=strictly)
    assert reply.status == 400
    assert error_of(reply)["code"] == "unsupported_parameter"


@pytest.mark.parametrize("path", ["/embeddings", "/v1/v1/embeddings/", "/v2//embeddings"])
def test_what_clients_get_wrong_about_the_path_is_forgiven(gateway, path):
    reply = send(gateway, {"model": "gigachat/Embeddings", "input": "text"}, path=path)
    assert reply.status == 200


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": "text"}, "model"),
        ({"model": "gigachat/Embeddings"}, "input"),
        ({"model": "gigachat/Embeddings", "input": []}, "input"),
        ({"model": "gigachat/Embeddings", "input": ["a", ""]}, "input[1]"),
        ({"model": "gigachat/Embeddings", "input": [1, 2]}, "input"),
        ({"model": "gigachat/Embeddings", "input": "a", "dimensions": 512}, "dimensions"),
        ({"model": "gigachat/Embeddings", "input": "a", "encoding_format": "x"}, "encoding_format"),
        ({"model": "nobody/has-this", "input": {"a": 1}}, "input"),
    ],
)
def test_a_bad_request_names_the_member(gateway, simulator, body, param):
    reply = send(gateway, body, path=EMBEDDINGS)
    assert reply.status == 400
    assert error_of(reply)["param"] == param
    assert calls(simulator, "/embeddings") == []


def test_token_ids_and_dimensions_pass_to_a_compatible_server(client):
    answer = client.embeddings.create(
        model="openai/text-embedding-3-small", input=[[1, 2], [3]], dimensions=8
    )
    assert [len(item.embedding) for item in answer.data] == [8, 8]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff", b'{"input":' + b"[" * 5000])
@pytest.mark.parametrize("path", [EMBEDDINGS, "/v1/tokens/count"])
def test_garbage_is_a_bad_request(gateway, path, body):
    reply = send(gateway, body, path=path)
    assert reply.status == 400
    assert error_of(reply)["type"] == "invalid_request_error"


def test_another_method_is_refused(gateway):
    assert error_of(send(gateway, b"", path=EMBEDDINGS, method="GET"))["message"]


def test_a_client_that_leaves_ends_its_calls(gateway, simulator):
    simulator.control(options={"faults": ["slow:seconds=20"]})
    body = json.dumps({"model": "gigachat/Embeddings", "input": ["text"] * 640}).encode()
    with connected(gateway) as sock:
        sock.sendall(
            b"POST /v1/embeddings HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b"
            % (len(body), body)
        )
        eventually(lambda: gateway.leases() == 4)
    eventually(lambda: gateway.leases() == 0)


def test_models_are_listed_and_found(client, gateway):
    listed = {model.id: model for model in client.models.list()}
    assert listed["Embeddings"].metadata == {"type": "embedder"}
    assert listed["assistant"].owned_by == "gigachat"
    assert all(model.created > 0 for model in listed.values())
    for name in (*listed, "openai/gpt-4o", "gigachat/GigaChat-2"):
        assert client.models.retrieve(name).id == name
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("nobody-has-this")
    assert caught.value.code == "model_not_found"
    only = send(gateway, b"", path="/openai/v1/models", method="GET").json["data"]
    assert {model["owned_by"] for model in only} == {"openai"}


def test_model_info_is_litellms(gateway):
    every = send(gateway, b"", path="/model/info", method="GET").json["data"]
    names = [model["model_name"] for model in every]
    assert {"assistant", "Embeddings", "gpt-4o"} <= set(names)
    (one,) = send(gateway, b"", path="/v1/model/info?model=assistant", method="GET").json["data"]
    assert one["litellm_params"] == {"model": "gigachat/GigaChat-2-Max"}
    assert one["model_info"] == {"id": "assistant", "mode": "chat"}
    missing = send(gateway, b"", path="/model/info?model=nobody", method="GET")
    assert missing.status == 404
    assert error_of(missing)["code"] == "model_not_found"


def test_tokens_are_counted_for_the_gigachat_sdk(gateway):
    url = f"{gateway.url}/gigachat/v1"
    with gigachat.GigaChat(base_url=url, access_token="any") as client:
        counts = client.tokens_count(["Hello, world!", "one"], model="GigaChat-2")
    assert [(count.tokens, count.characters) for count in counts] == [(4, 13), (1, 3)]


def test_tokens_are_not_counted_by_a_server_that_cannot(gateway, simulator):
    reply = send(gateway, {"model": "openai/gpt-4o", "input": "x"}, path="/v1/tokens/count")
    assert reply.status == 400
    assert error_of(reply)["param"] == "model"


def test_every_operation_asks_for_the_key(session_simulator, tmp_path):
    toml = 'server.api_keys = ["client-key-one"]\nlog.requests = "none"\n'
    toml += session_simulator.server.config_toml()
    asked = [("POST", EMBEDDINGS), ("POST", "/v1/tokens/count")]
    asked += [("GET", f"/v1/{path}") for path in ("models", "models/x", "model/info")]
    with running_gateway(toml, tmp_path) as gateway:
        for method, path in asked:
            reply = send(gateway, b"{}", path=path, method=method)
            assert reply.status == 401, path
            assert error_of(reply)["code"] == "invalid_api_key"
        key = {"authorization": "Bearer client-key-one"}
        body = {"model": "gigachat/Embeddings", "input": "x"}
        assert send(gateway, body, path=EMBEDDINGS, headers=key).status == 200
        totals = gateway.ask_loop(gateway.house.ledger.totals)
        assert totals[("key-1", "gigachat/Embeddings")].input == 1
        metrics = send(gateway, b"", path="/metrics", method="GET").body.decode()
        assert 'model="Embeddings",' in metrics
        gateway.ended_well()
