"""Users, scopes of single credentials and callers' own, at GigaChat's two token endpoints."""

import asyncio
import base64

import pytest

from dragoman.errors import (
    UNKNOWN_AUTHORITY,
    InvalidRequest,
    OwnKeyRejected,
    UpstreamRejectedKey,
    UpstreamUnavailable,
)
from dragoman.providers.base import Proof, Secret
from dragoman.providers.gigachat import Contour, GigaChat
from support.fake_clock import FakeClock
from support.scripted_fetch import ScriptedFetch, json_answer

KEY = "Y2xpZW50LWlkOmNsaWVudC1zZWNyZXQ="
BASE = "https://gigachat.company.example/v1"


class Service:
    """Both token endpoints."""

    def __init__(self):
        self.answer = None

    def __call__(self, asked):
        return self.answer or json_answer({"tok": "access-1", "exp": 1_900_000_000})


@pytest.fixture
def service():
    return Service()


@pytest.fixture
def fetch(service):
    return ScriptedFetch(service)


@pytest.fixture
async def make(fetch):
    made = []

    def make(*credentials, **contour):
        provider = GigaChat(
            name="giga",
            credentials=[Secret(one) for one in credentials],
            fetch=fetch,
            clock=FakeClock(),
            contour=Contour(base_url=BASE, **contour),
        )
        made.append(provider)
        return provider

    yield make
    for provider in made:
        await provider.close()


async def authorized(credential):
    told = asyncio.get_running_loop().create_future()
    credential.signer.when_ready(told.set_result)
    return await asyncio.wait_for(told, 5) or credential.signer.authorization()


@pytest.mark.parametrize("login", ["ivan:secret", "ivan:se:cr:et", "иван:пароль"])
async def test_a_user_buys_a_token_with_basic_authentication_and_no_body(make, fetch, login):
    (credential,) = make(f"user:{login}").credentials
    assert await authorized(credential) == b"authorization: Bearer access-1\r\n"
    (asked,) = fetch.asked
    assert (asked.method, asked.url, asked.body) == ("POST", f"{BASE}/token", b"")
    scheme, _, basic = asked.headers["authorization"].partition(" ")
    assert (scheme, base64.b64decode(basic).decode()) == ("Basic", login)


async def test_each_key_may_have_a_scope_of_its_own(make, fetch):
    provider = make(KEY, f"{KEY}:B2B", f"{KEY}:GIGACHAT_API_CORP", "token:t", scope="CORP")
    for credential in provider.credentials:
        await authorized(credential)
    assert [asked.body for asked in fetch.asked] == [
        b"scope=GIGACHAT_API_CORP",
        b"scope=GIGACHAT_API_B2B",
        b"scope=GIGACHAT_API_CORP",
    ]
    assert list(provider.scopes.values()) == [
        "GIGACHAT_API_CORP",
        "GIGACHAT_API_B2B",
        "GIGACHAT_API_CORP",
        "GIGACHAT_API_CORP",
    ]
    assert list(provider.scopes) == [credential.id for credential in provider.credentials]


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, UpstreamRejectedKey, "user or password is wrong"),
        (403, UpstreamRejectedKey, "user or password is wrong"),
        (404, UpstreamRejectedKey, "takes no user and password"),
        (405, UpstreamRejectedKey, "takes no user and password"),
        (500, UpstreamUnavailable, "no token"),
    ],
)
async def test_a_refused_user_says_what_to_do_without_showing_it(
    make, service, status, kind, words
):
    service.answer = json_answer({"status": status, "message": "no ivan with sesame"}, status)
    error = await authorized(make("user:ivan:sesame").credentials[0])
    assert isinstance(error, kind)
    assert words in error.detail
    for secret in ("ivan", "sesame"):
        assert secret not in error.detail + error.message


async def test_without_credentials_calls_go_unsigned_or_not_at_all(make):
    assert [one.id for one in make().credentials] == ["giga/anonymous"]
    provider = make(takes_unsigned=False)
    assert list(provider.credentials) == []
    await provider.discover()


async def test_what_a_caller_brings_is_refused_in_words_for_the_caller(make, service):
    hosts = make(is_for_callers=True, takes_passwords=True)
    service.answer = json_answer({"code": 7, "message": "scope from db"}, 400)
    error = await authorized(hosts.own_credential("giga/own-1", Proof("key", Secret(KEY), "X")))
    assert isinstance(error, OwnKeyRejected)
    assert error.status == 401
    assert "belongs to another scope" in error.message
    assert KEY not in error.message


async def test_passwords_need_an_installation_that_takes_them(make):
    hosts = make(is_for_callers=True)
    with pytest.raises(InvalidRequest, match="takes no user and password"):
        hosts.own_credential("giga/own-1", Proof("user", Secret("u:p")))


async def test_an_unknown_authority_is_explained():
    def refuse(asked):
        raise UpstreamUnavailable("No.", code=UNKNOWN_AUTHORITY, detail="self-signed")

    with pytest.raises(UpstreamUnavailable) as raised:
        await GigaChat(
            name="giga",
            credentials=[Secret("token:t")],
            fetch=ScriptedFetch(refuse),
            clock=FakeClock(),
        ).discover()
    assert "Russian Trusted Root CA" in raised.value.detail
    assert "ca_bundle" in raised.value.detail
    assert "self-signed" in raised.value.detail
