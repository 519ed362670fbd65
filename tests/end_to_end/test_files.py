"""Files through the gateway, with the official SDK, for two callers who share credentials."""

import json
import time

import openai
import pytest

from support.gateway import running_gateway
from support.raw_http import connected, received, send

FILES = "/v1/files"
PROVIDERS = pytest.mark.parametrize("provider", ["gigachat", "openai"])
KEYS = ("first-client-key", "second-client-key")
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
NAME = "Привет (мир).png"


@pytest.fixture(scope="module")
def shared(session_simulator, tmp_path_factory):
    toml = f"server.api_keys = {json.dumps(KEYS)}\nlog.requests = 'none'\n"
    toml += "server.max_body_mb = 4\n" + session_simulator.server.config_toml()
    folder = tmp_path_factory.mktemp("files")
    with running_gateway(toml, folder) as gateway:
        yield gateway, toml, folder


@pytest.fixture
def gateway(shared, simulator):
    gateway = shared[0]
    yield gateway
    gateway.ended_well()


def client_of(gateway, provider, key=KEYS[0]):
    url = f"{gateway.url}/{provider}/v1"
    return openai.OpenAI(base_url=url, api_key=key, max_retries=0)


def bearer(key=KEYS[0]):
    return {"authorization": f"Bearer {key}"}


def form(*parts, boundary="b"):
    body = b""
    for head, content in parts:
        body += f"--{boundary}\r\ncontent-disposition: form-data; {head}\r\n\r\n".encode()
        body += content + b"\r\n"
    headers = {"content-type": f"multipart/form-data; boundary={boundary}", **bearer()}
    return body + f"--{boundary}--\r\n".encode(), headers


@PROVIDERS
def test_a_file_comes_back_as_it_went(gateway, provider):
    with client_of(gateway, provider) as client:
        file = client.files.create(file=(NAME, PICTURE), purpose="vision")
        assert (file.filename, file.bytes) == (NAME, len(PICTURE))
        assert (file.purpose, file.status, file.object) == ("vision", "processed", "file")
        assert client.files.content(file.id).read() == PICTURE
        found = client.files.retrieve(file.id)
        assert (found.id, found.filename, found.bytes) == (file.id, NAME, len(PICTURE))
        assert file.id in [each.id for each in client.files.list()]
        assert client.files.delete(file.id).deleted
        with pytest.raises(openai.NotFoundError):
            client.files.retrieve(file.id)
        assert file.id not in [each.id for each in client.files.list()]


@PROVIDERS
def test_another_caller_reaches_nothing(gateway, provider):
    with client_of(gateway, provider) as client:
        file = client.files.create(file=("own.png", PICTURE), purpose="vision")
    with client_of(gateway, provider, KEYS[1]) as other:
        assert list(other.files.list()) == []
        for reach in (other.files.retrieve, other.files.content, other.files.delete):
            with pytest.raises(openai.NotFoundError) as caught:
                reach(file.id)
            assert caught.value.code == "file_not_found"
    with client_of(gateway, provider) as client:
        assert client.files.content(file.id).read() == PICTURE


def test_an_upstreams_own_id_leads_nowhere(gateway, simulator):
    with client_of(gateway, "openai") as client:
        client.files.create(file=("own.txt", b"text"), purpose="user_data")
        (call,) = (c for c in simulator.view()["last_requests"] if c["path"].endswith("/files"))
        for made_up in ("file-0123", "file-" + "A" * 2000, "x", "file-%00", "file-Ä"):
            with pytest.raises((openai.NotFoundError, openai.APIStatusError)) as caught:
                client.files.retrieve(made_up)
            assert caught.value.status_code == 404
    assert call["status"] == 200


@PROVIDERS
def test_the_credential_that_keeps_a_file_serves_it_also_after_a_restart(
    shared, gateway, simulator, provider
):
    with client_of(gateway, provider) as client:
        files = [
            client.files.create(file=(f"{number}.png", PICTURE), purpose="vision")
            for number in range(4)
        ]
        assert len({file.id for file in files}) == 4
        for file in files:
            assert client.files.content(file.id).read() == PICTURE
    with running_gateway(shared[1], shared[2]) as restarted:
        with client_of(restarted, provider) as client:
            listed = {each.id: each.filename for each in client.files.list()}
            for number, file in enumerate(files):
                assert client.files.retrieve(file.id).filename == f"{number}.png"
                assert listed[file.id] == f"{number}.png"
        restarted.ended_well()


def test_lists_have_pages(gateway):
    with client_of(gateway, "openai") as client:
        for each in client.files.list():
            client.files.delete(each.id)
        names = [f"{number}.txt" for number in range(5)]
        for name in names:
            client.files.create(file=(name, b"text"), purpose="user_data")
        assert [each.filename for each in client.files.list(order="asc", limit=2)] == names
        assert [each.filename for each in client.files.list()] == names[::-1]
        page = client.files.list(limit=2)
        assert page.has_more
        assert len(page.data) == 2
        assert list(client.files.list(purpose="batch")) == []


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=99999999999999", "order=up"])
def test_a_bad_page_names_the_parameter(gateway, query):
    reply = send(gateway, b"", path=f"{FILES}?{query}", method="GET", headers=bearer())
    assert reply.status == 400
    assert reply.json["error"]["param"] == query.partition("=")[0]


PART = 'name="file"; filename="a.txt"'


@pytest.mark.parametrize(
    ("parts", "param"),
    [
        ([(PART, b"x")], "purpose"),
        ([('name="purpose"', b"user_data")], "file"),
        ([('name="purpose"', b"user_data"), (PART, b"x"), (PART, b"y")], "file"),
        ([('name="purpose"', b"u" * 5000), (PART, b"x")], None),
        ([('name="purpose"', b"user_data")] * 20, None),
        ([("", b"user_data")], None),
    ],
)
def test_a_bad_form_is_explained(gateway, simulator, parts, param):
    body, headers = form(*parts)
    reply = send(gateway, body, path=FILES, headers=headers)
    assert reply.status == 400
    assert param is None or reply.json["error"]["param"] == param
    assert not [c for c in simulator.view()["last_requests"] if c["path"].endswith("/files")]


def test_other_bodies_are_no_forms(gateway):
    for content_type in ("application/json", "multipart/form-data", "multipart/mixed; boundary=b"):
        headers = {"content-type": content_type, **bearer()}
        reply = send(gateway, b'{"a": 1}', path=FILES, headers=headers)
        assert reply.status == 400
        assert reply.json["error"]["code"] == "unsupported_media_type"
    body, headers = form(('name="purpose"', b"user_data"), (PART, b"x"))
    cut = send(gateway, body[:-10], path=FILES, headers=headers)
    assert cut.status == 400
    packed = send(gateway, body, path=FILES, headers={**headers, "content-encoding": "gzip"})
    assert packed.status == 415


def test_a_type_that_gigachat_cannot_know_is_refused_before_it_is_sent(gateway, simulator):
    body, headers = form(('name="purpose"', b"assistants"), ('name="file"; filename="a.zzz"', b"x"))
    reply = send(gateway, body, path="/gigachat/v1/files", headers=headers)
    assert reply.status == 400
    assert reply.json["error"]["param"] == "file"
    typed = ('name="file"; filename="a.zzz"\r\ncontent-type: text/plain', b"x")
    body, headers = form(('name="purpose"', b"assistants"), ('name="extra"', b"1"), typed)
    reply = send(gateway, body, path="/gigachat/v1/files", headers=headers)
    assert reply.status == 200
    changes = reply.headers["x-dragoman-changes"]
    assert changes == "dropped=extra; adjusted=purpose:assistants->general"


def test_a_file_that_is_too_large_is_refused(gateway):
    body, headers = form(('name="purpose"', b"user_data"), (PART, b"x" * (5 * 1024 * 1024)))
    with connected(gateway) as sock:
        lines = [f"{name}: {value}" for name, value in headers.items()]
        head = ["POST /v1/files HTTP/1.1", "host: x", f"content-length: {len(body)}", *lines]
        sock.sendall("\r\n".join([*head, "connection: close", "", ""]).encode())
        sock.sendall(body)
        assert received(sock).startswith(b"HTTP/1.1 413")


def test_a_download_that_breaks_off_does_not_end_well(gateway, simulator):
    with client_of(gateway, "gigachat") as client:
        file = client.files.create(file=("long.txt", b"text " * 100_000), purpose="user_data")
        simulator.control(faults=["cut:bytes=1000"])
        with pytest.raises(openai.APIError):
            client.files.content(file.id).read()
        assert len(client.files.content(file.id).read()) == 500_000


def test_a_client_that_leaves_in_a_download_frees_the_key(gateway, simulator):
    with client_of(gateway, "gigachat") as client:
        file = client.files.create(file=("long.txt", b"text " * 400_000), purpose="user_data")
    simulator.control(faults=["stall:bytes=1000,seconds=20"])
    head = f"GET /v1/files/{file.id}/content HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEYS[0]}"
    with connected(gateway) as sock:
        sock.sendall(f"{head}\r\n\r\n".encode())
        assert sock.recv(100).startswith(b"HTTP/1.1 200")
        assert gateway.leases() == 1
    for _ in range(1000):
        if gateway.leases() == 0:
            break
        time.sleep(0.01)
    assert gateway.leases() == 0


def test_a_disabled_credential_does_not_serve_its_files(gateway):
    with client_of(gateway, "openai") as client:
        file = client.files.create(file=("own.txt", b"text"), purpose="user_data")
        broker = gateway.house.brokers["openai"]
        keys = [key.id for key in gateway.ask_loop(broker.snapshot).keys]
        for key in keys:
            gateway.ask_loop(lambda key=key: broker.disable(key, "for the test"))
        try:
            with pytest.raises(openai.InternalServerError) as caught:
                client.files.retrieve(file.id)
            assert caught.value.status_code == 503
        finally:
            for key in keys:
                gateway.ask_loop(lambda key=key: broker.enable(key))
        assert client.files.content(file.id).read() == b"text"
