"""GigaChat's addresses, tokens and lists of models."""

import asyncio
import math
from hashlib import sha256
from uuid import UUID

import pytest

from dragoman.dialects import gigachat as dialect
from dragoman.dialects.gigachat import v2
from dragoman.errors import (
    UpstreamBroken,
    UpstreamRateLimited,
    UpstreamRejectedKey,
    UpstreamUnavailable,
)
from dragoman.providers.base import Secret
from dragoman.providers.gigachat import AUTH_URL, Contour, GigaChat
from dragoman.providers.gigachat_tokens import ADVICE, read_token
from support.fake_clock import FakeClock
from support.scripted_fetch import ScriptedFetch, json_answer

KEY = "Y2xpZW50LWlkOmNsaWVudC1zZWNyZXQ="
MODELS = {
    "object": "list",
    "data": [
        {"id": "GigaChat-2", "type": "chat"},
        {"id": "Embeddings", "type": "embedder"},
        {"id": "GigaChat-3-Ultra", "type": "chat"},
    ],
}


class Service:
    """Both endpoints, well-behaved unless told otherwise."""

    def __init__(self, clock):
        self.clock = clock
        self.tokens = 0
        self.token_answer = None
        self.models_answers = []

    def __call__(self, asked):
        if asked.url.endswith("/oauth"):
            self.tokens += 1
            ends = int((self.clock.wall() + 1800) * 1000)
            return self.token_answer or json_answer(
                {"access_token": f"access-{self.tokens}", "expires_at": ends}
            )
        return self.models_answers.pop(0) if self.models_answers else json_answer(MODELS)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def service(clock):
    return Service(clock)


@pytest.fixture
def fetch(service):
    return ScriptedFetch(service)


@pytest.fixture
async def make(fetch, clock):
    made = []

    def make(*credentials, **members):
        secrets = [Secret(credential) for credential in credentials]
        provider = GigaChat(name="giga", credentials=secrets, fetch=fetch, clock=clock, **members)
        made.append(provider)
        return provider

    yield make
    for provider in made:
        await provider.close()


async def authorized(provider):
    signer = provider.credentials[0].signer
    told = asyncio.get_running_loop().create_future()
    signer.when_ready(told.set_result)
    error = await asyncio.wait_for(told, 5)
    return error or signer.authorization()


async def test_a_key_buys_a_token(make, fetch):
    provider = make(KEY)
    assert provider.credentials[0].signer.authorization() is None
    assert await authorized(provider) == b"authorization: Bearer access-1\r\n"
    (asked,) = fetch.asked
    assert (asked.method, asked.url, asked.body) == (
        "POST",
        AUTH_URL,
        b"scope=GIGACHAT_API_PERS",
    )
    assert asked.headers["authorization"] == f"Basic {KEY}"
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert UUID(asked.headers["rquid"]).version == 4


async def test_each_token_is_asked_for_under_a_new_id(make, fetch):
    provider = make(KEY)
    first = await authorized(provider)
    assert provider.credentials[0].signer.rejected(first) is True
    assert await authorized(provider) == b"authorization: Bearer access-2\r\n"
    assert len({asked.headers["rquid"] for asked in fetch.asked}) == 2


async def test_a_late_rejection_does_not_cost_the_new_token(make):
    provider = make(KEY)
    first = await authorized(provider)
    signer = provider.credentials[0].signer
    assert signer.rejected(first) is True
    second = await authorized(provider)
    assert signer.rejected(first) is True
    assert signer.authorization() == second


@pytest.mark.parametrize(
    "written", [f"  {KEY}\n", f"Basic {KEY}", f"bearer {KEY}", f"Basic {KEY[:9]}\n{KEY[9:]}"]
)
async def test_what_people_copy_along_is_stripped(make, fetch, written):
    provider = make(written)
    await authorized(provider)
    assert fetch.asked[0].headers["authorization"] == f"Basic {KEY}"
    assert provider.warnings == []


@pytest.mark.parametrize(
    ("scope", "sent"),
    [
        ("B2B", b"scope=GIGACHAT_API_B2B"),
        ("corp", b"scope=GIGACHAT_API_CORP"),
        ("PERS", b"scope=GIGACHAT_API_PERS"),
        ("GIGACHAT_API_CORP", b"scope=GIGACHAT_API_CORP"),
    ],
)
async def test_scopes_have_short_names(make, fetch, scope, sent):
    await authorized(make(KEY, contour=Contour(scope=scope)))
    assert fetch.asked[0].body == sent


async def test_a_key_that_is_not_base64_is_warned_about_without_showing_it(make):
    provider = make("not base64 at all!", KEY)
    assert len(provider.warnings) == 1
    assert "not base64" in provider.warnings[0]
    assert "at all" not in provider.warnings[0]


async def test_a_ready_token_is_used_as_it_is(make, fetch):
    provider = make("token: ready-made ")
    assert provider.credentials[0].signer.authorization() == b"authorization: Bearer ready-made\r\n"
    assert await authorized(provider) == b"authorization: Bearer ready-made\r\n"
    assert provider.credentials[0].signer.rejected(b"") is False
    assert fetch.asked == []


async def test_without_a_credential_nothing_is_signed(make):
    provider = make()
    assert provider.credentials[0].id == "giga/anonymous"
    assert provider.credentials[0].signer.authorization() == b""


async def test_ids_of_credentials_tell_nothing(make):
    provider = make(KEY, "other")
    digests = [sha256(text.encode()).hexdigest()[:8] for text in (KEY, "other")]
    assert [c.id for c in provider.credentials] == [f"giga/{digest}" for digest in digests]


@pytest.mark.parametrize(
    ("base_url", "first", "host"),
    [
        (
            "https://gigachat.devices.sberbank.ru/api/v1/",
            b"POST /api/v1/chat/completions HTTP/1.1",
            b"host: gigachat.devices.sberbank.ru",
        ),
        (
            "https://api.giga.chat/v1",
            b"POST /v1/chat/completions HTTP/1.1",
            b"host: api.giga.chat",
        ),
        (
            "http://127.0.0.1:9099/gigachat/api/v1",
            b"POST /gigachat/api/v1/chat/completions HTTP/1.1",
            b"host: 127.0.0.1:9099",
        ),
    ],
)
async def test_heads(make, base_url, first, host):
    provider = make(KEY, contour=Contour(base_url=base_url))
    plain, stream = (provider.head("GigaChat", stream=s).split(b"\r\n") for s in (False, True))
    assert plain[0] == stream[0] == first
    assert host in plain
    assert b"accept: application/json" in plain
    assert b"accept: text/event-stream" in stream
    assert b"cache-control: no-store" in stream
    assert b"content-type: application/json" in plain
    assert plain[-1] == b""
    assert b"" not in plain[:-1]


async def test_models_that_chat_or_embed_are_discovered(make, fetch):
    provider = make(KEY)
    assert list(provider.models()) == []
    await provider.discover()
    assert list(provider.models()) == ["GigaChat-2", "Embeddings", "GigaChat-3-Ultra"]
    assert fetch.asked[-1].url.endswith("/api/v1/models")
    assert fetch.asked[-1].headers["authorization"] == "Bearer access-1"
    assert list(make(KEY, models=["GigaChat"]).models()) == ["GigaChat"]


async def test_an_expired_token_is_renewed_once_on_the_way(make, service):
    provider = make(KEY)
    expired = json_answer({"status": 401, "message": "Token has expired"}, 401)
    service.models_answers = [expired]
    await provider.discover()
    assert service.tokens == 2
    service.models_answers = [expired, expired]
    with pytest.raises(UpstreamRejectedKey):
        await provider.discover()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (json_answer({"status": 429, "message": "Too Many Requests"}, 429), UpstreamRateLimited),
        ((502, {}, b"<html>"), UpstreamUnavailable),
        ((200, {}, b"<html>"), UpstreamBroken),
    ],
)
async def test_a_failed_discovery_keeps_what_was_found(make, service, answer, error):
    provider = make(KEY)
    await provider.discover()
    service.models_answers = [answer]
    with pytest.raises(error):
        await provider.discover()
    assert list(provider.models()) == ["GigaChat-2", "Embeddings", "GigaChat-3-Ultra"]


async def test_discovery_says_why_there_is_no_token(make, service):
    service.token_answer = json_answer({"code": 6, "message": "credentials doesn't match"}, 401)
    with pytest.raises(UpstreamRejectedKey):
        await make(KEY).discover()


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (400, 1, "scope is malformed"),
        (401, 4, "not base64"),
        (400, 5, "no scope was sent"),
        (401, 6, "wrong or revoked"),
        (400, 7, "another scope"),
        (401, 7, "another scope"),
        (400, None, "auth_url and scope"),
        (401, None, "not accepted"),
    ],
)
async def test_a_refused_key_says_what_to_do_without_showing_it(make, service, status, code, words):
    service.token_answer = json_answer({"code": code, "message": f"bad key {KEY}"}, status)
    error = await authorized(make(KEY))
    assert isinstance(error, UpstreamRejectedKey)
    assert words in error.detail
    assert KEY not in error.detail + error.message
    assert words not in error.message
    assert code is None or ADVICE[code] in error.detail


@pytest.mark.parametrize(
    "answer", [(502, {}, b"<html>"), (429, {}, b""), (404, {}, b""), (200, {}, b"{}")]
)
async def test_trouble_at_the_token_endpoint_is_passing(make, service, answer):
    service.token_answer = answer
    assert isinstance(await authorized(make(KEY)), UpstreamUnavailable)


@pytest.mark.parametrize(
    ("body", "value", "ends"),
    [
        (b'{"access_token":"a","expires_at":1706026848841}', "a", 1706026848.841),
        (b'{"tok":"t","exp":1706026848}', "t", 1706026848.0),
        (b'{"access_token":"a","expires_at":0}', "a", math.inf),
        (b'{"access_token":"a"}', "a", None),
        (b'{"access_token":"a","expires_at":"soon"}', "a", None),
        (b'{"access_token":"a","expires_at":-1}', "a", None),
        (b'{"access_token":"a","expires_at":true}', "a", None),
    ],
)
def test_both_answers_of_token_endpoints(body, value, ends):
    token = read_token(body)
    assert (token.value, token.expires_at) == (value, ends)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"tok":7}', b'{"tok":"a\\r\\nb: c"}', b'{"tok":""}']
)
def test_an_answer_without_a_usable_token_is_broken(body):
    with pytest.raises(UpstreamBroken):
        read_token(body)


@pytest.mark.parametrize(
    ("contour", "api", "speaks"),
    [
        (Contour(), None, dialect.UPSTREAM),
        (Contour(), "v2", v2.UPSTREAM),
        (Contour(api="v2"), None, v2.UPSTREAM),
        (Contour(api="v2"), "v1", dialect.UPSTREAM),
    ],
)
async def test_a_request_chooses_the_version_before_the_settings_do(make, contour, api, speaks):
    provider = make(KEY, contour=contour)
    assert provider.dialect("GigaChat", api) is speaks
    version = b"v2" if speaks is v2.UPSTREAM else b"v1"
    for stream in (False, True):
        head = provider.head("GigaChat", api, stream=stream)
        assert head.startswith(b"POST /api/%b/chat/completions HTTP/1.1" % version)


@pytest.mark.parametrize(
    ("base_url", "api", "path"),
    [
        ("https://api.giga.chat/v1", "v2", b"/v2/chat/completions"),
        ("https://api.giga.chat/v1/", "v1", b"/v1/chat/completions"),
        ("https://a.example/api/v2", "v1", b"/api/v1/chat/completions"),
        ("https://a.example/openai", "v2", b"/openai/chat/completions"),
    ],
)
async def test_the_version_at_the_end_of_the_address_gives_way(make, base_url, api, path):
    provider = make(KEY, contour=Contour(base_url=base_url, api=api))
    assert provider.head("GigaChat", stream=False).split(b" ")[1] == path


async def test_everything_but_the_chat_stays_at_version_1(make, fetch):
    provider = make(KEY, contour=Contour(base_url="https://a.example/api/v2", api="v2"))
    await provider.discover()
    assert fetch.asked[-1].url == "https://a.example/api/v1/models"
