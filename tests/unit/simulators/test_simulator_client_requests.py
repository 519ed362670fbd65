"""Requests of real client programs, sent to the OpenAI simulator as they were recorded."""

import json
from pathlib import Path

import pytest

from dragoman.simulators.options import OPENAI_KEYS

RECORDED = Path(__file__).resolve().parents[4] / "shared" / "client-requests"
REQUESTS = sorted(RECORDED.glob("*/openai-chat*.json")) + sorted(
    RECORDED.glob("*/openai-embeddings*.json")
)
SAMPLE = {
    "model": "gpt-4o",
    "stream": True,
    "stream_options": {"include_usage": True},
    "max_tokens": 100,
    "min_p": 0.1,
    "messages": [
        {
            "role": "system",
            "content": [{"type": "text", "text": "x", "cache_control": {"type": "e"}}],
        },
        {"role": "user", "content": "List the files"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "ls", "arguments": ""}}
            ],
        },
        {"role": "tool", "tool_call_id": "a", "name": "ls", "content": "README.md"},
    ],
    "tools": [{"type": "function", "function": {"name": "ls", "parameters": {}}}],
}


def names(path):
    return f"{path.parent.name}/{path.name}"


@pytest.mark.parametrize("path", REQUESTS, ids=names)
def test_a_recorded_request_is_answered(simulator, path):
    recorded = json.loads(path.read_text(encoding="utf-8"))
    reply = simulator.post(
        "/openai" + recorded["path"],
        recorded["body"],
        {"authorization": f"Bearer {OPENAI_KEYS[0]}"},
    )
    assert reply.status == 200, reply.body
    if recorded["body"].get("stream"):
        assert reply.events[-1] == "[DONE]"


def test_a_request_in_the_manner_of_agents_is_answered(simulator):
    *events, done = simulator.openai(SAMPLE).events
    assert done == "[DONE]"
    text = "".join(e["choices"][0]["delta"].get("content") or "" for e in events if e["choices"])
    assert text == "The result of ls is: README.md"
