"""Requests of real client programs, as they sent them, to every target; tools run to a text.

The requests beside the repository are used where they are; ``samples`` holds a few of our own.
"""

import json
from pathlib import Path

import pytest

from support.raw_http import said_error, send
from support.recordings import client_requests
from support.tool_loop import NotServed, until_text

SAMPLES = Path(__file__).parent / "samples"
DROPPED = {"host", "content-length"}


def requests():
    own = [(path.stem, json.loads(path.read_text("utf-8"))) for path in SAMPLES.glob("*.json")]
    found = [*sorted(own), *client_requests("openai-chat*.json")]
    return [pytest.param(request, id=name) for name, request in found]


def replay(gateway, request, model):
    """Every reply until there is a text. Raises ``NotServed``."""
    headers = {name: value for name, value in request["headers"] if name.lower() not in DROPPED}

    def ask(body):
        return send(gateway, body, path=request["path"], method=request["method"], headers=headers)

    return until_text(ask, {**request["body"], "model": model})


def refused_parts(body):
    """The members for which the table of translations has GigaChat refuse a request."""
    found = set()
    if body.get("logprobs") or body.get("top_logprobs"):
        found.add("logprobs")
    if (body.get("n") or 1) > 1:
        found.add("n")
    if body.get("tool_choice") == "required" and len(body["tools"]) > 1:
        found.add("tool_choice")
    return found


@pytest.mark.parametrize("request_", requests())
def test_openai_serves_every_client(gateway, request_):
    for reply in replay(gateway, request_, "openai/gpt-4o"):
        assert reply.headers["x-dragoman-fidelity"] == "exact"


@pytest.mark.parametrize(
    "model",
    [
        "gigachat/GigaChat-2-Max",
        "gigachat/GigaChat-3-Ultra",
        "gigachat2/GigaChat-2-Max",
        "gigachat2/GigaChat-3-Ultra",
    ],
)
@pytest.mark.parametrize("request_", requests())
def test_gigachat_serves_every_client_or_says_which_member_it_cannot(gateway, request_, model):
    expected = refused_parts(request_["body"])
    if model.startswith("gigachat2/"):
        expected.discard("tool_choice")  # version 2 can be made to call one of several
    if expected:
        with pytest.raises(NotServed) as refusal:
            replay(gateway, request_, model)
        assert refusal.value.reply.status == 400
        error = said_error(refusal.value.reply)
        assert any((error["param"] or "").startswith(member) for member in expected), error
        return
    for reply in replay(gateway, request_, model):
        grade = reply.headers["x-dragoman-fidelity"]
        assert grade in {"exact", "adapted", "lossy"}
        assert (grade == "exact") == ("x-dragoman-changes" not in reply.headers)


@pytest.mark.parametrize("model", ["anthropic/claude-sonnet-5", "anthropic/claude-sonnet-4-5"])
@pytest.mark.parametrize("request_", requests())
def test_claude_serves_every_client_or_says_which_member_it_cannot(gateway, request_, model):
    body = request_["body"]
    expected = {name for name in ("logprobs", "top_logprobs") if body.get(name)}
    if (body.get("n") or 1) > 1:
        expected.add("n")
    if expected:
        with pytest.raises(NotServed) as refusal:
            replay(gateway, request_, model)
        assert refusal.value.reply.status == 400
        assert said_error(refusal.value.reply)["param"] in expected
        return
    for reply in replay(gateway, request_, model):
        grade = reply.headers["x-dragoman-fidelity"]
        assert (grade == "exact") == ("x-dragoman-changes" not in reply.headers)
