"""What is beside conversations, by every path and for every sort of caller that conversations
know: prefixes, versions, keys in the address, web pages.
"""

import json

import pytest

from support.own_credentials import CHOICES, KEYS, served, settings
from support.raw_http import send
from support.simulator import running_simulator

OWN = f"giga-cred-{KEYS[0]}"
PAGE = "https://app.example"
KEY = "a-client-key"
JSON = {"content-type": "application/json"}
EMBED = {"model": "Embeddings", "input": "one"}
COUNT = {"model": "GigaChat-2", "input": ["one"]}


@pytest.fixture(scope="module")
def own_simulator():
    with running_simulator() as simulator:
        simulator.control(options=CHOICES)
        yield simulator


@pytest.fixture(scope="module", params=["callbacks", "asgi"])
def gateway(request, own_simulator, tmp_path_factory):
    rest = f"""
[server]
http = "{request.param}"
api_keys = ["{KEY}"]
any_prefix = true
api_by_path = true
cors_origins = ["{PAGE}"]
"""
    toml = settings(own_simulator, rest=rest)
    with served(own_simulator, tmp_path_factory.mktemp("paths"), toml) as gateway:
        yield gateway


CALLS = [
    ("POST", "/v1/embeddings", EMBED),
    ("POST", "/v1/tokens/count", COUNT),
    ("GET", "/v1/files", None),
    ("GET", "/v1/models", None),
    ("GET", "/model/info", None),
    (
        "POST",
        "/v1/chat/completions",
        {"model": "GigaChat-2", "messages": [{"role": "user", "content": "Hi"}]},
    ),
]
EVERY = pytest.mark.parametrize(
    ("method", "path", "body"), CALLS, ids=[path for _, path, _ in CALLS]
)


def call(gateway, method, path, body, **headers):
    data = b"" if body is None else json.dumps(body).encode()
    return send(gateway, data, path=path, method=method, headers={**JSON, **headers})


@EVERY
@pytest.mark.parametrize("prefix", ["/proxy/llm", "/gigachat", "/x"])
def test_any_prefix(gateway, method, path, body, prefix):
    reply = call(gateway, method, prefix + path, body, authorization=f"Bearer {KEY}")
    assert reply.status == 200, reply.body


@EVERY
@pytest.mark.parametrize("name", ["key", "x-api-key"])
def test_the_key_in_the_address(gateway, method, path, body, name):
    assert call(gateway, method, f"{path}?{name}={KEY}", body).status == 200
    assert call(gateway, method, f"{path}?{name}=wrong", body).status == 401
    assert call(gateway, method, path, body).status == 401


@EVERY
def test_a_guest_by_the_providers_path(gateway, own_simulator, method, path, body):
    own_simulator.control(reset=True)
    headers = {"authorization": f"Bearer {KEY}", "x-api-key": OWN}
    reply = call(gateway, method, f"/gigachat{path}", body, **headers)
    assert reply.status == 200, reply.body
    assert set(own_simulator.view()["asked_by"]) == {KEYS[0]}


@EVERY
def test_a_guest_needs_the_gateways_key_too(gateway, own_simulator, method, path, body):
    own_simulator.control(reset=True)
    assert call(gateway, method, path, body, authorization=f"Bearer {OWN}").status == 401
    assert own_simulator.view()["asked_by"] == {}


@EVERY
def test_a_web_page_may_ask(gateway, method, path, body):
    asks = {
        "origin": PAGE,
        "access-control-request-method": method,
        "access-control-request-headers": "authorization, content-type",
    }
    told = send(gateway, b"", path=path, method="OPTIONS", headers=asks)
    assert told.status in {200, 204}, told.body
    assert told.headers["access-control-allow-origin"] == PAGE
    assert method in told.headers["access-control-allow-methods"] or (
        told.headers["access-control-allow-methods"] == "*"
    )
    reply = call(gateway, method, path, body, authorization=f"Bearer {KEY}", origin=PAGE)
    assert reply.status == 200
    assert reply.headers["access-control-allow-origin"] == PAGE
    refused = call(gateway, method, path, body, origin=PAGE)
    assert (refused.status, refused.headers["access-control-allow-origin"]) == (401, PAGE)
    stranger = call(gateway, method, path, body, origin="https://evil.example")
    assert "access-control-allow-origin" not in stranger.headers
