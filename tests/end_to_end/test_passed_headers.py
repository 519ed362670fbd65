"""Which headers of a client reach its provider: an allow-list, and nothing else ever."""

import contextlib
import http.client
import json

import pytest

from support.gateway import running_gateway
from support.raw_http import CHAT, chat_body, said_error, send
from support.target_gateways import served_by

PASSED = {
    "X-Session-ID": "session-1",
    "X-Request-ID": "request-1",
    "X-Client-ID": "client-1",
    "X-Trace-ID": "trace-1",
    "X-Service-ID": "service-1",
    "X-Operation-ID": "operation-1",
    "X-Agent-ID": "agent 1; v=2",
}
KEPT_BACK = {
    "X-Foo": "foo",
    "Cookie": "a=b",
    "X-Forwarded-For": "10.0.0.1",
    "Forwarded": "for=10.0.0.1",
    "User-Agent": "somebody/1.0",
    "X-Api-Key": "any-key",
    "Authorization": "Bearer any-key",
    "X-Stainless-OS": "Linux",
    "Anthropic-Version": "2023-06-01",
}
OURS = {"host", "user-agent", "content-type", "accept", "accept-encoding", "content-length"}


@pytest.fixture(scope="module", params=["callbacks", "asgi"])
def gateway(request, session_simulator, tmp_path_factory):
    toml = session_simulator.server.config_toml() + served_by(request.param)
    toml = toml.replace("[providers.openai]\n", '[providers.openai]\npass_headers = ["X-Foo"]\n')
    with running_gateway(toml, tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway
        gateway.ended_well()


def received(simulator, path):
    """Headers of the last request at ``path``, but for those that every call has."""
    calls = [call for call in simulator.view()["last_requests"] if call["path"].endswith(path)]
    headers = dict(map(tuple, calls[-1]["headers"]))
    assert len(headers) == len(calls[-1]["headers"]), "no header twice"
    return headers


@pytest.mark.parametrize("stream", [False, True])
def test_gigachat_gets_its_own_headers_and_no_other(gateway, simulator, stream):
    headers = {"content-type": "application/json", **PASSED, **KEPT_BACK}
    body = chat_body("gigachat/GigaChat-2", stream=stream)
    assert send(gateway, body, headers=headers).status == 200
    got = received(simulator, "/chat/completions")
    assert {name: got.get(name.lower()) for name in PASSED} == PASSED
    rest = set(got) - {name.lower() for name in PASSED} - OURS - {"authorization", "cache-control"}
    assert rest == set()
    assert got["user-agent"].startswith("dragoman/")
    assert "any-key" not in got["authorization"]


def test_another_provider_gets_what_its_settings_say(gateway, simulator):
    headers = {"content-type": "application/json", **PASSED, **KEPT_BACK}
    assert send(gateway, chat_body("openai/gpt-4o"), headers=headers).status == 200
    got = received(simulator, "/chat/completions")
    assert got["x-foo"] == "foo"
    assert not {name.lower() for name in PASSED} & set(got)


def test_one_request_leaves_nothing_for_the_next_on_its_connection(gateway, simulator):
    body = json.dumps(chat_body("gigachat/GigaChat-2"))
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
    with contextlib.closing(connection):
        for value in ("one", "one", "two", None, None, "three"):
            headers = {"content-type": "application/json"}
            if value is not None:
                headers["x-trace-id"] = value
            connection.request("POST", CHAT, body, headers)
            response = connection.getresponse()
            assert (response.status, bool(response.read())) == (200, True)
            assert received(simulator, "/chat/completions").get("x-trace-id") == value


@pytest.mark.parametrize("value", ["x" * 257, "tab\there", "кириллица".encode().decode("latin-1")])
def test_a_value_that_must_not_pass_is_refused_before_any_call(gateway, simulator, value):
    headers = {"content-type": "application/json", "x-client-id": value}
    reply = send(gateway, chat_body("gigachat/GigaChat-2"), headers=headers)
    assert reply.status == 400
    assert said_error(reply)["param"] == "x-client-id"
    assert simulator.view()["requests"] == {}


def test_an_empty_value_is_none(gateway, simulator):
    headers = {"content-type": "application/json", "x-client-id": ""}
    assert send(gateway, chat_body("gigachat/GigaChat-2"), headers=headers).status == 200
    assert "x-client-id" not in received(simulator, "/chat/completions")
