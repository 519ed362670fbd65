"""Requests that were recorded on their way to Claude: said in Chat Completions and translated back,
they mean the same. What cannot be said there is counted, so that it does not become more.
"""

import json

import pytest

from dragoman.dialects import anthropic_messages, openai_chat
from dragoman.providers.catalogue import facts
from support.claude_as_openai import as_openai
from support.recordings import exchanges

RECORDED = [
    exchange
    for api in ("anthropic.messages", "anthropic.messages.stream")
    for exchange in exchanges(api)
    if exchange["request"] and exchange["response"]["status"] == 200
]
SAID = [
    (exchange, request)
    for exchange in RECORDED
    if (request := as_openai(exchange["request"]["body"]))
]


def normal(body):
    """Without what makes no difference."""
    body = {name: value for name, value in body.items() if value not in (None, [], False)}
    body["messages"] = joined(body["messages"])
    if "system" in body:
        body["system"] = blocks(body["system"])
    body["tools"] = [
        {k: v for k, v in tool.items() if v and k != "type"} for tool in body.get("tools", ())
    ]
    choice = {k: v for k, v in body.pop("tool_choice", {}).items() if v}
    if choice not in ({}, {"type": "auto"}):
        body["tool_choice"] = choice
    for name in ("temperature", "top_p"):
        if body.get(name) == 1:
            del body[name]
    if body.get("thinking", {}).get("type") == "adaptive":
        body["thinking"] = {"type": "adaptive"}  # we ask for thoughts to be shown
    return body


def joined(messages):
    """Neighbours of one role are one message, as the API takes them."""
    found = []
    for message in messages:
        content = blocks(message["content"])
        if found and found[-1]["role"] == message["role"]:
            found[-1]["content"] += content
        else:
            found.append({"role": message["role"], "content": content})
    return found


def blocks(content):
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block_of(block) for block in content if block.get("text", "x").strip()]


def block_of(block):
    block = {name: value for name, value in block.items() if value not in (None, False, "", [])}
    if block["type"] == "tool_result":
        block["content"] = blocks(block.get("content", ""))
    return block


@pytest.mark.parametrize(("exchange", "request_"), SAID, ids=[e["id"] for e, _ in SAID])
def test_a_recorded_request_survives_the_way_through_chat_completions(exchange, request_):
    body = exchange["request"]["body"]
    request = openai_chat.CLIENT.read_request(json.dumps(request_).encode()).conversation()
    written = anthropic_messages.UPSTREAM.write_request(request, facts("anthropic", request.model))
    theirs, ours = normal(body), normal(json.loads(b"".join(written.body)))
    assert ours == theirs, written.fidelity.header()


@pytest.mark.skipif(not RECORDED, reason="the recordings are not beside the repository")
def test_most_requests_can_be_said_in_chat_completions():
    assert len(SAID) >= 0.7 * len(RECORDED)
