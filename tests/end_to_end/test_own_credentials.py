"""Callers who bring GigaChat credentials of their own: used exclusively, whatever happens."""

import asyncio
import base64
import contextlib

import openai
import pytest

from support.many_clients import exchange, request_bytes
from support.own_credentials import (
    CHOICES,
    KEYS,
    MODEL,
    SERVERS_KEY,
    SERVERS_TOKEN,
    TOKENS,
    ask,
    askers,
    models,
    served,
    settings,
    shown,
)
from support.raw_http import CHAT, chat_body, said_error, send
from support.scale import scaled
from support.simulator import running_simulator

EACH = scaled(100, 1000)


@pytest.fixture(scope="module")
def own_simulator():
    with running_simulator() as simulator:
        yield simulator


@pytest.fixture
def simulator(own_simulator):
    own_simulator.reset()
    own_simulator.control(options=CHOICES)
    return own_simulator


@pytest.fixture
def gateway(simulator, tmp_path):
    with served(simulator, tmp_path, settings(simulator)) as gateway:
        yield gateway


@pytest.fixture
def serve(simulator, tmp_path):
    """Starts a gateway with settings of one's own."""
    with contextlib.ExitStack() as stack:
        yield lambda **choices: stack.enter_context(
            served(simulator, tmp_path, settings(simulator, **choices))
        )


FORMS = [
    (f"giga-cred-{KEYS[0]}", KEYS[0]),
    (f"giga-cred-{KEYS[0]}:GIGACHAT_API_B2B", KEYS[0]),
    (f"giga-cred-{KEYS[-1]}:corp", KEYS[-1]),
    (f"giga-auth-{TOKENS[0]}", TOKENS[0]),
    ("giga-user-ivan:pass:word", "ivan"),
]
HEADERS = ["authorization", "x-api-key", "x-goog-api-key", "api-key"]


@pytest.mark.parametrize(("credential", "key"), FORMS)
def test_each_form_is_signed_with_what_was_brought(gateway, simulator, credential, key):
    for stream in (False, True):
        reply = ask(gateway, credential, stream=stream)
        assert reply.status == 200, reply.body
    assert askers(simulator) == {key: {MODEL: 2}}


def test_the_plain_way_of_serving_knows_them_too(serve, simulator):
    gateway = serve(rest='[server]\nhttp = "asgi"')
    for credential, _ in FORMS:
        assert ask(gateway, credential).status == 200
    assert ask(gateway, REFUSED[0]).status == 401
    assert ask(gateway, MALFORMED[0]).status == 400
    assert set(askers(simulator)) == {key for _, key in FORMS}


def test_each_header_carries_a_credential(gateway, simulator):
    for header in HEADERS:
        assert ask(gateway, f"giga-auth-{TOKENS[1]}", header=header).status == 200
    assert askers(simulator) == {TOKENS[1]: {MODEL: len(HEADERS)}}


def test_the_scheme_may_be_written_in_any_case(gateway, simulator):
    headers = {"authorization": f"bEARER giga-auth-{TOKENS[1]}"}
    assert send(gateway, chat_body(MODEL), headers=headers).status == 200
    assert list(askers(simulator)) == [TOKENS[1]]


def test_who_brings_nothing_is_served_with_the_gateways_own(gateway, simulator):
    assert ask(gateway).status == 200
    assert askers(simulator) == {SERVERS_KEY: {MODEL: 1}}


REFUSED = [
    "giga-auth-unknown-token",
    f"giga-cred-{base64.b64encode(b'unknown:key').decode()}",
    f"giga-cred-{KEYS[-1]}:PERS",
    "giga-user-ivan:wrong",
    "giga-user-nobody:secret",
]


@pytest.mark.parametrize("credential", REFUSED)
def test_a_refused_credential_is_401_and_never_replaced(gateway, simulator, credential):
    for stream in (False, True):
        reply = ask(gateway, credential, stream=stream)
        assert reply.status == 401
        error = said_error(reply)
        assert error["code"] == "invalid_api_key"
        assert "that you sent" in error["message"]
        assert credential[10:] not in error["message"]
    assert models(gateway, credential).status == 401
    assert askers(simulator) == {}
    assert not [one for one in shown(simulator) if SERVERS_KEY in one]


@pytest.mark.parametrize("credential", [f"giga-auth-{TOKENS[0]}", "giga-user-ivan:pass:word"])
def test_an_expired_token_is_never_replaced_by_the_gateways_own(gateway, simulator, credential):
    assert ask(gateway, credential).status == 200
    simulator.control(
        options={"gigachat_tokens": [SERVERS_TOKEN], "gigachat_users": {"ivan": "changed"}},
        expire_tokens=True,
    )
    before = askers(simulator)
    for stream in (False, True):
        assert ask(gateway, credential, stream=stream).status == 401
    assert models(gateway, credential).status == 401
    assert askers(simulator) == before
    assert not [one for one in shown(simulator) if SERVERS_KEY in one]
    assert ask(gateway).status == 200, "nobody else is harmed"


def test_a_callers_key_renews_its_own_token(gateway, simulator):
    credential = f"giga-cred-{KEYS[0]}"
    assert ask(gateway, credential).status == 200
    simulator.control(expire_tokens=True)
    assert ask(gateway, credential).status == 200
    view = simulator.view()
    assert view["token_fetches"] == 2
    assert view["asked_by"] == {KEYS[0]: {MODEL: 2}}


def test_models_are_listed_with_the_callers_own(gateway, simulator):
    listed = models(gateway, f"giga-auth-{TOKENS[2]}")
    assert listed.status == 200
    assert MODEL in [model["id"] for model in listed.json["data"]]
    assert askers(simulator) == {TOKENS[2]: {"models": 1}}


MALFORMED = [
    "giga-",
    "giga-cred-",
    "giga-cred-not base64",
    f"giga-cred-{KEYS[0]}:NOWHERE",
    "giga-auth-",
    "giga-auth-two words",
    "giga-user-ivan",
    "giga-user-:secret",
    "giga-key-x",
    "GIGA-AUTH-x",
    "sk-something-else",
    "giga-auth-" + "x" * 9000,
]


def test_malformed_is_400_with_what_to_send(gateway, simulator):
    for credential in MALFORMED:
        for reply in (ask(gateway, credential), models(gateway, credential)):
            assert reply.status == 400, credential
            error = said_error(reply)
            assert error["code"] == "invalid_credential"
            assert "giga-cred-<authorization key>" in error["message"]
    assert simulator.view()["requests"] == {}


def test_two_different_credentials_are_400(gateway, simulator):
    headers = {
        "authorization": f"Bearer giga-auth-{TOKENS[0]}",
        "x-api-key": f"giga-auth-{TOKENS[1]}",
    }
    assert send(gateway, chat_body(MODEL), headers=headers).status == 400
    headers["x-api-key"] = f"giga-auth-{TOKENS[0]}"
    assert send(gateway, chat_body(MODEL), headers=headers).status == 200


def test_beside_a_client_key_in_either_order(serve, simulator):
    gateway = serve(rest='[server]\napi_keys = ["proxy-key", "giga-auth-looks-like-one"]')
    own = f"giga-auth-{TOKENS[0]}"
    for bearer, key in [("proxy-key", own), (own, "proxy-key"), ("giga-auth-looks-like-one", own)]:
        headers = {"authorization": f"Bearer {bearer}", "x-api-key": key}
        assert send(gateway, chat_body(MODEL), headers=headers).status == 200
    assert askers(simulator) == {TOKENS[0]: {MODEL: 3}}
    assert ask(gateway, "proxy-key").status == 200
    assert ask(gateway, "giga-auth-looks-like-one").status == 200
    assert askers(simulator)[SERVERS_KEY] == {MODEL: 2}
    for bearer, key in [(own, "wrong"), (own, None), ("wrong", own)]:
        headers = {"authorization": f"Bearer {bearer}", **({"x-api-key": key} if key else {})}
        reply = send(gateway, chat_body(MODEL), headers=headers)
        assert (reply.status, said_error(reply)["code"]) == (401, "invalid_api_key")
    assert "x-api-key" in said_error(ask(gateway, own))["message"]


def test_switched_off_it_is_a_key_like_any_other(simulator, tmp_path):
    toml = settings(simulator, rest='[server]\napi_keys = ["proxy-key"]')
    toml = toml.replace("callers_credentials = true", "")
    with served(simulator, tmp_path, toml) as gateway:
        assert ask(gateway, f"giga-auth-{TOKENS[0]}").status == 401
        assert ask(gateway, "proxy-key").status == 200
    assert list(askers(simulator)) == [SERVERS_KEY]


ALIAS = """
[providers.openai]
kind = "openai_compatible"
base_url = "{url}/openai/v1"
credentials = ["sk-simulated-1"]
models = ["gpt-4o"]
[models."both"]
targets = ["gigachat/GigaChat-2", "openai/gpt-4o"]
[models."other"]
targets = ["openai/gpt-4o"]
"""


def test_no_other_provider_is_asked_for_a_caller_with_its_own(serve, simulator):
    gateway = serve(rest=ALIAS.format(url=simulator.url))
    assert ask(gateway, "giga-auth-unknown", model="both").status == 401
    assert ask(gateway, f"giga-auth-{TOKENS[0]}", model="both").status == 200
    for model in ("other", "openai/gpt-4o"):
        assert ask(gateway, f"giga-auth-{TOKENS[0]}", model=model).status == 400
    requests = simulator.view()["requests"]
    assert not [path for path in requests if "POST /openai" in path]
    listed = [one["id"] for one in models(gateway, f"giga-auth-{TOKENS[0]}").json["data"]]
    assert "both" in listed
    assert "other" not in listed
    assert "gpt-4o" not in listed


def test_a_gateway_without_credentials_serves_those_who_bring_them(serve, simulator):
    gateway = serve(credentials=())
    assert send(gateway, b"", path="/ready", method="GET", headers={}).status == 200
    assert ask(gateway, f"giga-cred-{KEYS[0]}").status == 200
    for reply in (ask(gateway), models(gateway, None)):
        assert (reply.status, said_error(reply)["code"]) == (401, "credential_required")
    assert list(askers(simulator)) == [KEYS[0]]


def test_another_target_serves_who_brings_nothing(serve, simulator):
    gateway = serve(credentials=(), rest=ALIAS.format(url=simulator.url))
    assert ask(gateway, model="both").headers["x-dragoman-target"] == "openai/gpt-4o"
    assert ask(gateway, model="gigachat/GigaChat-2").status == 401


async def test_two_callers_never_cross(gateway, simulator):
    """Each asks for a model of its own, so that the journal shows who asked what with which key."""
    callers = [(KEYS[0], "GigaChat-2-Max"), (KEYS[1], "GigaChat-2-Pro")]
    simulator.control(options={"gigachat_in_flight": 10})

    async def flood(key, model):
        data = request_bytes(
            chat_body(model, stream=True),
            CHAT,
            f"authorization: Bearer giga-cred-{key}:B2B",
        )
        gate = asyncio.Semaphore(50)

        async def one():
            async with gate:
                return await exchange(gateway, data)

        answers = await asyncio.gather(*[one() for _ in range(EACH)])
        assert {status for status, _ in answers} == {200}

    await asyncio.gather(*[flood(*caller) for caller in callers])
    view = simulator.view()
    assert view["asked_by"] == {key: {model: EACH} for key, model in callers}
    assert view["token_fetches"] == 2


async def test_whatever_goes_wrong_no_other_credential_steps_in(gateway, simulator):
    """Calls are refused, dropped and cut in any order; each caller asks for a model of its own."""
    callers = [(KEYS[0], "GigaChat-2-Max"), (KEYS[1], "GigaChat-2-Pro")]
    simulator.control(
        options={"gigachat_in_flight": 10},
        faults=[
            {
                "fault": f"{fault},every={every}",
                "simulator": "gigachat",
                "times": 20,
                "on": "completions",
            }
            for every, fault in [(2, "401"), (3, "500"), (5, "drop"), (7, "cut:after=1")]
        ],
    )

    async def flood(key, model):
        own = f"x-api-key: giga-cred-{key}:B2B"
        data = [
            request_bytes(chat_body(model, stream=stream), CHAT, own)
            for stream in (False, True) * 20
        ]
        return await asyncio.gather(*[exchange(gateway, one) for one in data])

    answers = await asyncio.gather(*[flood(*caller) for caller in callers])
    statuses = {status for group in answers for status, _ in group}
    assert 200 in statuses
    assert len(statuses) > 1
    view = simulator.view()
    assert {key: set(models) for key, models in view["asked_by"].items()} == {
        key: {model} for key, model in callers
    }
    assert not [one for one in shown(simulator) if SERVERS_KEY in one]


def test_to_an_application_it_is_simply_the_api_key(gateway, simulator):
    def client(credential):
        return openai.OpenAI(base_url=gateway.base_url, api_key=credential, max_retries=0)

    messages = [{"role": "user", "content": "Hello"}]
    with client(f"giga-cred-{KEYS[2]}") as sdk:
        answer = sdk.chat.completions.create(model=MODEL, messages=messages)
        assert "Hello" in answer.choices[0].message.content
        stream = sdk.chat.completions.create(model=MODEL, messages=messages, stream=True)
        assert "Hello" in "".join(chunk.choices[0].delta.content or "" for chunk in stream)
        assert MODEL in [model.id for model in sdk.models.list()]
    with client("giga-auth-unknown") as sdk:
        with pytest.raises(openai.AuthenticationError, match="expired"):
            sdk.chat.completions.create(model=MODEL, messages=messages)
        with pytest.raises(openai.AuthenticationError):
            sdk.chat.completions.create(model=MODEL, messages=messages, stream=True)
        with pytest.raises(openai.AuthenticationError):
            sdk.models.list()
    with client("giga-user-nobody") as sdk, pytest.raises(openai.BadRequestError, match="colon"):
        sdk.chat.completions.create(model=MODEL, messages=messages)
    assert askers(simulator) == {KEYS[2]: {MODEL: 2, "models": 1}}


def test_what_is_kept_shows_in_the_metrics_and_has_its_bound(serve, simulator):
    gateway = serve(more="callers_kept = 2")
    for key in KEYS[:4]:
        assert ask(gateway, f"giga-cred-{key}").status == 200
    metrics = send(gateway, b"", path="/metrics", method="GET", headers={}).body.decode()
    assert 'dragoman_guests{provider="gigachat",state="idle"} 2.0' in metrics
    assert 'dragoman_guests{provider="gigachat",state="busy"} 0.0' in metrics
    for key in (*KEYS[2:4], KEYS[0]):
        assert ask(gateway, f"giga-cred-{key}").status == 200
    assert simulator.view()["token_fetches"] == 5, "two were remembered, one was not"


def test_headers_pass_for_a_caller_with_its_own_too(gateway, simulator):
    headers = {"x-api-key": f"giga-auth-{TOKENS[3]}", "x-session-id": "s-1", "x-foo": "foo"}
    assert send(gateway, chat_body(MODEL), headers=headers).status == 200
    (call,) = simulator.view()["last_requests"]
    got = dict(map(tuple, call["headers"]))
    assert got["x-session-id"] == "s-1"
    assert got["authorization"] == f"Bearer {TOKENS[3]}"
    assert not {"x-api-key", "x-foo"} & set(got)


def test_the_accounts_hold_a_name_and_no_secret(gateway):
    assert ask(gateway, f"giga-auth-{TOKENS[0]}").status == 200
    ((caller, target),) = gateway.ask_loop(gateway.house.ledger.totals)
    assert caller.startswith("own-")
    assert TOKENS[0] not in caller
    assert target == "gigachat/GigaChat-2"
