"""Anthropic's own API as a provider."""

import asyncio
import json

import pytest

from dragoman.dialects.base import Thinking
from dragoman.errors import UpstreamBroken, UpstreamRejectedKey
from dragoman.providers import catalogue
from dragoman.providers.anthropic import Access, Anthropic
from dragoman.providers.base import Secret
from support.recordings import answer_bytes, exchanges


def provider(*answers, keys=("sk-ant-x",), models=(), **access):
    """Answers are ``(status, value)``; ``asked`` holds what was sent."""
    waiting = list(answers)
    asked = []

    async def fetch(method, url, headers, body):
        asked.append((method, url, dict(headers), body))
        status, value = waiting.pop(0)
        return status, {}, value if isinstance(value, bytes) else json.dumps(value).encode()

    made = Anthropic(
        name="claude",
        credentials=[Secret(key) for key in keys],
        fetch=fetch,
        access=Access(**access),
        models=models,
    )
    return made, asked


def discover(made):
    asyncio.run(made.discover())


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("sk-ant-api03-x", b"x-api-key: sk-ant-api03-x\r\n"),
        (" sk-ant-x\n", b"x-api-key: sk-ant-x\r\n"),
        ("bearer:abc", b"authorization: Bearer abc\r\n"),
        ("sk-ant-oat01-x", b"authorization: Bearer sk-ant-oat01-x\r\n"),
    ],
)
def test_credentials(key, line):
    made, _ = provider(keys=[key])
    (credential,) = made.credentials
    assert credential.signer.authorization() == line
    assert key.strip() not in credential.id
    assert credential.id.startswith("claude/")


@pytest.mark.parametrize(
    ("base_url", "path", "host"),
    [
        ("https://api.anthropic.com", "/v1/messages", "api.anthropic.com"),
        ("https://example.com/proxy/v1/", "/proxy/v1/messages", "example.com"),
    ],
)
def test_heads(base_url, path, host):
    made, _ = provider(base_url=base_url, betas=["a", "b"], headers={"X-More": "1"})
    head = made.head("claude-x", stream=True).decode()
    assert head.startswith(f"POST {path} HTTP/1.1\r\n")
    for line in (
        f"host: {host}",
        "anthropic-version: 2023-06-01",
        "anthropic-beta: a,b",
        "x-more: 1",
        "accept: text/event-stream",
    ):
        assert f"\r\n{line}\r\n" in head
    assert "anthropic-beta" not in provider()[0].head("m", stream=False).decode()


def test_a_header_that_would_break_the_request():
    with pytest.raises(ValueError, match="cannot be sent"):
        provider(headers={"x": "a\r\nb"})


def test_models_come_page_by_page():
    made, asked = provider(
        (200, {"data": [{"id": "a b"}], "has_more": True, "last_id": "a b"}),
        (200, {"data": [{"id": "c"}], "has_more": False, "last_id": "c"}),
        base_url="https://example.com",
    )
    assert made.models() == ()
    discover(made)
    assert made.models() == ("a b", "c")
    urls = [url for _, url, _, _ in asked]
    assert urls == [
        "https://example.com/v1/models?limit=1000",
        "https://example.com/v1/models?limit=1000&after_id=a%20b",
    ]
    assert asked[0][2]["x-api-key"] == "sk-ant-x"
    assert asked[0][2]["anthropic-version"] == "2023-06-01"
    assert provider((200, {"data": []}), models=["m"])[0].models() == ("m",)


def test_pages_without_end_have_one():
    page = (200, {"data": [{"id": "a"}], "has_more": True, "last_id": "a"})
    made, asked = provider(*[page] * 50)
    discover(made)
    assert len(asked) == 10


def test_troubles():
    refused = {"type": "error", "error": {"type": "authentication_error", "message": "no"}}
    with pytest.raises(UpstreamRejectedKey):
        discover(provider((401, refused))[0])
    with pytest.raises(UpstreamBroken):
        discover(provider((200, b"<html>"))[0])


def reported(**capabilities):
    model = {"id": "claude-sonnet-5", "max_tokens": 5, "capabilities": capabilities}
    made, _ = provider((200, {"data": [model]}))
    discover(made)
    return made.facts("claude-sonnet-5")


def test_what_the_api_reports_of_a_model_counts():
    yes, no = {"supported": True}, {"supported": False}
    facts = reported(
        effort={"supported": True, "low": yes, "high": yes, "max": no},
        image_input=no,
        pdf_input=no,
        structured_outputs=no,
        thinking={"supported": True, "types": {"enabled": yes, "adaptive": no}},
    )
    assert (facts.images, facts.documents, facts.json_schema) == (False, False, False)
    assert (facts.thinking, facts.efforts) == (Thinking.BUDGET, ("low", "high"))
    assert facts.max_output == 5
    assert reported(thinking=no).thinking is Thinking.NONE
    assert reported(thinking=yes).thinking is Thinking.ADAPTIVE


@pytest.mark.parametrize("exchange", exchanges("anthropic.models"))
def test_the_recorded_list_says_what_the_catalogue_says(exchange):
    made, _ = provider((200, answer_bytes(exchange)))
    discover(made)
    assert len(made.models()) > 5
    for model in made.models():
        assert made.facts(model) == catalogue.facts("anthropic", model), model
