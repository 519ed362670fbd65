"""Media of callers with credentials of their own, and of callers who share a credential."""

import pytest

from support.media_samples import file_part, image_part, picture, showing
from support.own_credentials import CHOICES, KEYS, SERVERS_KEY, askers, served, settings
from support.raw_http import CHAT, send
from support.simulator import running_simulator

MAX = "GigaChat-2-Max"
FILES = "/gigachat/api/v1/files"
FIRST, SECOND = (f"giga-cred-{key}" for key in KEYS[:2])


@pytest.fixture(scope="module")
def own_simulator():
    with running_simulator() as simulator:
        yield simulator


@pytest.fixture
def simulator(own_simulator):
    own_simulator.reset()
    own_simulator.control(options=CHOICES, forget_files=True)
    return own_simulator


@pytest.fixture(params=["callbacks", "asgi"])
def gateway(request, simulator, tmp_path):
    rest = f'[server]\nhttp = "{request.param}"\napi_by_path = true\n'
    with served(simulator, tmp_path, settings(simulator, rest=rest)) as gateway:
        yield gateway


def show(gateway, credential=None, *, part=None, path=CHAT, **headers):
    """What the model says of a picture."""
    if credential is not None:
        headers["authorization"] = f"Bearer {credential}"
    body = {"model": MAX, "messages": showing(part or image_part(picture()))}
    headers["content-type"] = "application/json"
    return send(gateway, body, path=path, headers=headers)


def uploads(simulator):
    """The headers of each that was let in."""
    return [
        dict(map(tuple, request["headers"]))
        for request in simulator.view()["last_requests"]
        if (request["path"], request["status"]) == (FILES, 200)
    ]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v2/chat/completions"])
def test_a_picture_goes_with_the_credential_that_was_brought(gateway, simulator, path):
    reply = show(gateway, FIRST, path=path)
    assert reply.status == 200, reply.body
    assert b"attached: image/png of" in reply.body
    assert set(askers(simulator)) == {KEYS[0]}
    version = path.removesuffix("/chat/completions")
    called = simulator.view()["last_requests"][-1]["path"]
    assert called == f"/gigachat/api{version}/chat/completions"


def test_no_two_guests_share_a_file(gateway, simulator):
    for credential in (FIRST, SECOND, None, FIRST, SECOND, None):
        assert show(gateway, credential).status == 200
    assert len(uploads(simulator)) == 3
    assert set(askers(simulator)) == {KEYS[0], KEYS[1], SERVERS_KEY}


def test_a_guest_without_rights_is_told_so_and_nobody_else_uploads(gateway, simulator):
    reply = show(gateway, "giga-auth-no-such-token-as-this")
    assert reply.status == 401, reply.body
    assert SERVERS_KEY not in askers(simulator)


@pytest.mark.parametrize("credential", [None, FIRST])
def test_a_file_is_uploaded_for_the_client_id_that_asks(gateway, simulator, credential):
    for client_id in ("ann", "bob", "ann"):
        reply = show(gateway, credential, **{"x-client-id": client_id})
        assert reply.status == 200, reply.body
    assert show(gateway, credential).status == 200
    assert [each.get("x-client-id") for each in uploads(simulator)] == ["ann", "bob", None]


def test_a_file_is_deleted_for_the_client_id_that_uploaded_it(simulator, tmp_path):
    with served(simulator, tmp_path, settings(simulator)) as gateway:
        assert show(gateway, **{"x-client-id": "ann"}).status == 200
    deleted = simulator.view()["last_requests"][-1]
    assert deleted["path"].endswith("/delete")
    assert ["x-client-id", "ann"] in deleted["headers"]


def test_a_client_id_that_is_kept_back_divides_nothing(simulator, tmp_path):
    more = 'pass_headers = ["X-Session-ID"]'
    with served(simulator, tmp_path, settings(simulator, more=more)) as gateway:
        for client_id in ("ann", "bob"):
            assert show(gateway, **{"x-client-id": client_id}).status == 200
    assert ["x-client-id" in each for each in uploads(simulator)] == [False]


def test_an_id_of_the_gateways_own_is_refused_with_what_to_do(gateway, simulator):
    part = {"type": "file", "file": {"file_id": "file-abc"}}
    reply = show(gateway, FIRST, part=part)
    assert reply.status == 400, reply.body
    error = reply.json["error"]
    assert error["param"] == "messages[0].content[1]"
    assert "file_data" in error["message"]
    assert askers(simulator) == {}
    assert show(gateway, FIRST, part=file_part(b"words", "text/plain", "a.txt")).status == 200
