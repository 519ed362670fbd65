"""Requests that real clients sent: all are understood, and all pass on unharmed."""

import json

import pytest

from dragoman.dialects.base import ModelFacts
from dragoman.dialects.openai_chat import CLIENT, UPSTREAM
from support.recordings import client_requests, exchanges

FACTS = ModelFacts(max_completion_tokens=True, developer_role=True)
REQUESTS = [
    pytest.param(request["body"], id=name) for name, request in client_requests("openai-chat*.json")
]
RECORDED = [
    pytest.param({**exchange["request"]["body"], "model": "m"}, id=exchange["id"])
    for api in ("openai.chat", "compat.chat", "azure.chat", "mistral.chat")
    for ending in ("", ".stream")
    for exchange in exchanges(api + ending)
    if exchange["request"]
    and isinstance(exchange["request"]["body"], dict)
    and exchange["response"]["status"] == 200
]


@pytest.mark.parametrize("body", REQUESTS + RECORDED)
def test_it_is_forwarded_with_nothing_but_the_model_changed(body):
    request = CLIENT.read_request(json.dumps(body).encode())
    expected = {**body, "model": "another"}
    if body.get("stream"):
        options = body.get("stream_options") or {}
        expected["stream_options"] = {**options, "include_usage": True}
    assert json.loads(b"".join(request.forwarded("another"))) == expected


def without_nothing(value):
    """Members that say nothing, and forms that mean the same, made equal."""
    if isinstance(value, dict):
        kept = {name: without_nothing(inner) for name, inner in value.items() if inner is not None}
        return {name: inner for name, inner in kept.items() if inner not in ([], {})}
    return [without_nothing(inner) for inner in value] if isinstance(value, list) else value


IGNORED = {
    "stream",  # false is the same as nothing
    "stream_options",
    "messages",
    "functions",
    "function_call",
    "metadata",
    "max_tokens",
    "stop",
    "tool_choice",
}


@pytest.mark.parametrize("body", REQUESTS + RECORDED)
def test_it_is_translated_and_nothing_of_it_is_lost(body):
    for tool in body.get("tools") or []:
        tool.setdefault("type", "function")  # what it means to leave it out
    request = CLIENT.read_request(json.dumps(body).encode()).conversation()
    written = UPSTREAM.write_request(request, FACTS)
    again = without_nothing(json.loads(b"".join(written.body)))
    for name, value in without_nothing(body).items():
        if name not in IGNORED and name not in written.fidelity.dropped:
            assert again[name] == value, name
    results = sum(message["role"] in ("tool", "function") for message in body["messages"])
    assert sum(message["role"] == "tool" for message in again["messages"]) == results
    assert CLIENT.read_request(b"".join(written.body)).conversation().tools == request.tools
