"""Paths, statuses and callers of ``dragoman gpt2giga``, one request in flight at GigaChat."""

import concurrent.futures

import httpx
import openai
import pytest

from support.gpt2giga import env_file, free_port, running_gpt2giga
from support.own_credentials import CHOICES, KEYS, SERVERS_KEY, TOKENS
from support.simulator import running_simulator

MODEL = "GigaChat-2"
BODY = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}
STREAMS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
PREFIXES = ["", "/v1", "/v2", "/v1/v1", "/v2/v1", "/api/v1", "/openai", "/foo/bar/v1", "/x/v2"]


@pytest.fixture(scope="module")
def lasting_simulator():
    with running_simulator() as simulator:
        simulator.control(options={**CHOICES, "gigachat_in_flight": 1})
        yield simulator


@pytest.fixture(scope="module")
def running(lasting_simulator, tmp_path_factory):
    """Callers' credentials are taken, and the server has one of its own. Nothing is tried twice."""
    folder = tmp_path_factory.mktemp("gpt2giga")
    more = {"GPT2GIGA_PASS_TOKEN": "True", "GIGACHAT_MAX_RETRIES": "0"}
    more["GPT2GIGA_PORT"] = free_port()
    (folder / ".env").write_text(env_file(lasting_simulator, key=SERVERS_KEY, **more))
    with running_gpt2giga(folder) as running:
        yield running


@pytest.fixture
def simulator(lasting_simulator):
    lasting_simulator.control(
        reset=True, clear_faults=True, options={**CHOICES, "gigachat_in_flight": 1}
    )
    return lasting_simulator


@pytest.fixture
def http(running, simulator):
    with httpx.Client(base_url=running.url) as client:
        yield client


def test_every_route_behind_every_prefix(http):
    routes = [
        ("GET", "health"), ("GET", "ping"), ("POST", "ping"), ("GET", "ready"), ("GET", "models"),
        ("GET", f"models/{MODEL}"), ("GET", "model/info"), ("GET", "files"),
    ]  # fmt: skip
    for prefix in PREFIXES:
        for method, route in routes:
            for end in ("", "/"):
                answer = http.request(method, f"{prefix}/{route}{end}")
                assert answer.status_code == 200, (method, prefix, route, end)
                assert answer.headers["x-request-id"]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_conversations_and_vectors_behind_every_prefix(http, prefix):
    for end in ("", "/"):
        answer = http.post(f"{prefix}/chat/completions{end}", json=BODY)
        assert answer.status_code == 200
        assert answer.headers["x-request-id"]
    vectors = http.post(f"{prefix}/embeddings", json={"input": "text", "model": "any"})
    assert vectors.status_code == 200
    assert vectors.headers["x-request-id"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/v2/models", 404),
        ("POST", "/v1/v2/chat/completions", 404),
        ("GET", "/nothing", 404),
        ("GET", "/v1/models/nothing", 404),
        ("GET", "/v1/chat/completions", 405),
        ("DELETE", "/models", 405),
        ("POST", "/v1/chat/completions", 400),
    ],
)
def test_what_is_refused_has_the_clients_shape_and_an_id(http, method, path, status):
    answer = http.request(method, path, content=b"{" if method == "POST" else None)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert answer.headers["x-request-id"]


@STREAMS
@pytest.mark.parametrize(
    ("upstream", "status"),
    [
        (400, 400),
        (402, 429),
        (404, 404),
        (413, 400),
        (422, 422),
        (429, 429),
        (500, 502),
        (503, 503),
    ],
)
def test_each_status_of_gigachat(http, upstream, status, stream):
    text = f"Hi [[fault:{upstream}:retry-after=1]]"
    body = {"model": MODEL, "messages": [{"role": "user", "content": text}], "stream": stream}
    own = {"authorization": f"Bearer giga-cred-{KEYS[upstream % 7]}"}
    answer = http.post("/v1/chat/completions", json=body, headers=own)
    assert answer.status_code == status, answer.text
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    if upstream in {429, 503}:
        assert answer.headers["retry-after"] == "1"
    assert "127.0.0.1" not in answer.text


FORMS = {
    f"giga-cred-{KEYS[0]}": KEYS[0],
    f"giga-cred-{KEYS[-1]}:GIGACHAT_API_CORP": KEYS[-1],
    f"giga-auth-{TOKENS[0]}": TOKENS[0],
    "giga-user-ivan:pass:word": "ivan",
}
REJECTED = ["giga-auth-unknown", "giga-user-ivan:wrong", "giga-cred-bm9ib2R5Om5vYm9keQ=="]


def client_with(running, key):
    return openai.OpenAI(base_url=running.url, api_key=key, max_retries=0)


@STREAMS
@pytest.mark.parametrize("credential", FORMS)
def test_each_form_signs_with_what_was_brought(running, simulator, credential, stream):
    with client_with(running, credential) as client:
        answer = client.chat.completions.create(**BODY, stream=stream)
        if stream:
            assert list(answer)[-1].choices[0].finish_reason == "stop"
        assert client.embeddings.create(model="ada", input="x").data
    assert set(simulator.view()["asked_by"]) == {FORMS[credential]}


@STREAMS
@pytest.mark.parametrize("credential", REJECTED)
def test_a_rejected_credential_is_401_and_the_servers_is_not_used(
    running, simulator, credential, stream
):
    with client_with(running, credential) as client:
        for ask in (
            lambda: client.chat.completions.create(**BODY, stream=stream),
            lambda: client.embeddings.create(model="any", input="text"),
            client.models.list,
        ):
            with pytest.raises(openai.AuthenticationError):
                ask()
    view = simulator.view()
    assert view["asked_by"] == {}
    shown = [dict(request["headers"]).get("authorization") for request in view["last_requests"]]
    assert f"Basic {SERVERS_KEY}" not in shown


def test_another_key_is_told_what_to_send_and_none_is_the_servers(running, http, simulator):
    with (
        client_with(running, "sk-anything") as client,
        pytest.raises(openai.BadRequestError, match="giga-cred-"),
    ):
        client.chat.completions.create(**BODY)
    assert simulator.view()["asked_by"] == {}
    assert http.post("/chat/completions", json=BODY).status_code == 200
    assert set(simulator.view()["asked_by"]) == {SERVERS_KEY}


@STREAMS
@pytest.mark.parametrize("own", [False, True], ids=["servers", "callers"])
def test_five_clients_share_one_slot(running, simulator, own, stream):
    headers = {"authorization": f"Bearer giga-cred-{KEYS[1]}"} if own else {}

    def one(_):
        body = {**BODY, "stream": stream}
        with httpx.Client(base_url=running.url, headers=headers, timeout=60) as client:
            return [client.post("/chat/completions", json=body).status_code for _ in range(4)]

    with concurrent.futures.ThreadPoolExecutor(5) as threads:
        assert list(threads.map(one, range(5))) == [[200] * 4] * 5
    view = simulator.view()
    assert "429" not in view["statuses"]
    assert view["asked_by"] == {KEYS[1] if own else SERVERS_KEY: {MODEL: 20}}
