"""Servers that speak Chat Completions."""

import asyncio

import pytest

from dragoman.dialects import openai_chat
from dragoman.errors import GatewayError, UpstreamBroken
from dragoman.providers.base import Secret
from dragoman.providers.openai_compatible import OpenAICompatible
from support.scripted_fetch import ScriptedFetch, json_answer


def make(fetch=None, **members):
    fetch = fetch or ScriptedFetch(lambda asked: json_answer({"data": []}))
    members.setdefault("base_url", "http://127.0.0.1:11434/v1/")
    return OpenAICompatible(name="ollama", fetch=fetch, **members)


def test_heads():
    provider = make(headers={"X-Title": "Dragoman"})
    plain, stream = (provider.head("m", stream=s).split(b"\r\n") for s in (False, True))
    assert plain[0] == b"POST /v1/chat/completions HTTP/1.1"
    assert b"host: 127.0.0.1:11434" in plain
    assert b"x-title: Dragoman" in plain
    assert b"accept: application/json" in plain
    assert b"accept: text/event-stream" in stream
    assert not any(line.startswith(b"authorization") for line in plain)


def test_an_extra_header_takes_the_place_of_ours():
    head = make(headers={"User-Agent": "mine"}).head("m", stream=False)
    assert head.lower().count(b"user-agent:") == 1
    assert b"user-agent: mine\r\n" in head


@pytest.mark.parametrize("headers", [{"a": "b\r\nc: d"}, {"a\n": "b"}, {"a:": "b"}])
def test_a_header_that_would_break_the_request_is_refused(headers):
    with pytest.raises(ValueError, match="cannot be sent"):
        make(headers=headers)


async def test_keys():
    provider = make(credentials=[Secret("sk-1"), Secret("sk-2 ")])
    signers = [credential.signer for credential in provider.credentials]
    assert [signer.authorization() for signer in signers] == [
        b"authorization: Bearer sk-1\r\n",
        b"authorization: Bearer sk-2\r\n",
    ]
    assert len({credential.id for credential in provider.credentials}) == 2
    assert all("sk-" not in credential.id for credential in provider.credentials)
    assert signers[0].rejected(b"") is False
    told = asyncio.get_running_loop().create_future()
    signers[0].when_ready(told.set_result)
    assert await told is None


def test_a_server_without_keys_has_one_anonymous_credential():
    (credential,) = make().credentials
    assert credential.id == "ollama/anonymous"
    assert credential.signer.authorization() == b""


async def test_models_are_discovered():
    fetch = ScriptedFetch(lambda asked: json_answer({"data": [{"id": "a"}, {"id": "b/c:d"}]}))
    provider = make(fetch, credentials=[Secret("sk-1")], headers={"X-Title": "t"})
    await provider.discover()
    assert list(provider.models()) == ["a", "b/c:d"]
    (asked,) = fetch.asked
    assert (asked.method, asked.url) == ("GET", "http://127.0.0.1:11434/v1/models")
    assert asked.headers["authorization"] == "Bearer sk-1"
    assert asked.headers["X-Title"] == "t"
    await provider.close()


async def test_configured_models_count():
    provider = make(models=["m"])
    await provider.discover()
    assert list(provider.models()) == ["m"]


async def test_discovery_says_what_went_wrong():
    with pytest.raises(GatewayError):
        await make(ScriptedFetch(lambda asked: (401, {}, b"{}"))).discover()
    with pytest.raises(UpstreamBroken):
        await make(ScriptedFetch(lambda asked: (200, {}, b"<html>"))).discover()


def test_every_model_speaks_chat_completions():
    provider = make()
    assert provider.dialect("m") is openai_chat.UPSTREAM
    assert provider.facts("m").reasoning
