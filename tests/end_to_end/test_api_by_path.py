"""The version in a path chooses the version of GigaChat's chat API, where that is set."""

import pytest

from support.gateway import running_gateway
from support.raw_http import chat_body, send
from support.target_gateways import QUIET


@pytest.fixture(params=["callbacks", "asgi"], scope="module")
def by_path(request, session_simulator, tmp_path_factory):
    toml = session_simulator.server.config_toml() + QUIET
    toml += f'[server]\nhttp = "{request.param}"\napi_by_path = true\n'
    with running_gateway(toml, tmp_path_factory.mktemp("by_path")) as gateway:
        yield gateway
        gateway.ended_well()


@pytest.mark.parametrize(
    ("path", "api"),
    [
        ("/v1/chat/completions", "v1"),
        ("/v2/chat/completions", "v2"),
        ("/v2/v1/chat/completions", "v2"),
        ("/gigachat/v2/chat/completions", "v2"),
        ("/chat/completions", "v1"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_path_forces_its_version(by_path, simulator, path, api, stream):
    body = chat_body("GigaChat-2", stream=stream)
    for _ in range(2):  # the second is served by what is remembered of the first
        assert send(by_path, body, path=path).status == 200
    asked = {request["path"] for request in simulator.view()["last_requests"]}
    assert asked - {"/gigachat/oauth"} == {f"/gigachat/api/{api}/chat/completions"}


def test_a_path_means_nothing_to_other_providers(by_path):
    assert send(by_path, chat_body("gpt-4o"), path="/v2/chat/completions").status == 200


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v2/chat/completions"])
def test_without_the_setting_a_path_forces_nothing(gateway, simulator, path):
    for provider, api in (("gigachat", "v1"), ("gigachat2", "v2")):
        body = chat_body(f"{provider}/GigaChat-2")
        assert send(gateway, body, path=path).status == 200
        assert simulator.view()["last_requests"][-1]["path"].startswith(f"/gigachat/api/{api}/")
