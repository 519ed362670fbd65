"""What a client of Chat Completions sees of each status that GigaChat answers with: whole or
streamed, the true status comes before the first byte, in OpenAI's shape.
"""

import pytest

from support.gateway import running_gateway
from support.raw_http import chat_body, said_error, send
from support.target_gateways import enable_all_keys

STREAMS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
TABLE = [
    (400, 400, "invalid_request_error"),
    (401, 502, "server_error"),
    (402, 429, "insufficient_quota"),
    (403, 502, "server_error"),
    (404, 404, "invalid_request_error"),
    (413, 400, "invalid_request_error"),
    (422, 422, "invalid_request_error"),
    (429, 429, "requests"),
    (500, 502, "server_error"),
    (503, 503, "server_error"),
    (504, 504, "server_error"),
]


@pytest.fixture(scope="module")
def module_gateway(session_simulator, tmp_path_factory):
    toml = "retry.attempts = 1\n" + session_simulator.server.config_toml()
    with running_gateway(toml, tmp_path_factory.mktemp("errors")) as gateway:
        yield gateway


@pytest.fixture
def gateway(module_gateway, simulator):
    enable_all_keys(module_gateway)
    yield module_gateway
    module_gateway.ended_well()


@STREAMS
@pytest.mark.parametrize(("upstream", "status", "kind"), TABLE)
def test_each_status_of_the_upstream(gateway, upstream, status, kind, stream):
    text = f"Hello [[fault:{upstream}]]"
    reply = send(gateway, chat_body("gigachat/GigaChat-2", text, stream=stream))
    error = said_error(reply)
    assert (reply.status, error["type"]) == (status, kind)
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-request-id"]
    for leak in ("127.0.0.1", "gigachat/api", "http"):
        assert leak not in error["message"]


@STREAMS
def test_how_long_to_wait_is_passed_on(gateway, stream):
    text = "Hello [[fault:429:retry-after=7]]"
    reply = send(gateway, chat_body("gigachat/GigaChat-2", text, stream=stream))
    assert reply.status == 429
    assert reply.headers["retry-after"] == "7"
