"""What real clients send, written for GigaChat and judged by the simulator's strict rules.

The traffic beside the repository is used where it is; without it, nothing is left to try.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from msgspec import structs

from dragoman.dialects import gigachat, openai_chat
from dragoman.dialects.gigachat import v2
from dragoman.errors import InvalidRequest
from dragoman.providers.catalogue import facts
from dragoman.simulators.gigachat_rules import check_chat
from dragoman.simulators.gigachat_v2_rules import check_chat_v2
from dragoman.simulators.options import SimulatorOptions

SHARED = Path(__file__).parents[2].parent / "shared"
REFUSED_FOR = ("n", "logprobs", "modalities", "response_format", "tool_choice", "messages")
"""Members for which GigaChat may have to refuse a real client."""


def client_requests():
    for path in sorted((SHARED / "client-requests").glob("*/openai-chat--*.json")):
        body = json.loads(path.read_text(encoding="utf-8"))["body"]
        yield pytest.param(body, id=f"{path.parent.name}/{path.stem}")


def recorded_requests():
    for name in ("openai.chat.jsonl", "openai.chat.stream.jsonl"):
        path = SHARED / "recordings" / name
        if not path.exists():
            continue
        for line in path.read_text(encoding="utf-8").splitlines():
            item = json.loads(line)
            if item["request"] and item["response"]["status"] == 200:
                yield pytest.param(item["request"]["body"], id=item["id"])


VERSIONS = pytest.mark.parametrize(
    ("upstream", "check"),
    [
        pytest.param(gigachat.UPSTREAM, check_chat, id="v1"),
        pytest.param(v2.UPSTREAM, check_chat_v2, id="v2"),
    ],
)


def is_taken(body, model, upstream, check):
    """Whether GigaChat takes it. What it takes, the judge takes; a refusal says where."""
    request = openai_chat.CLIENT.read_request(json.dumps(body).encode()).conversation()
    try:
        written = upstream.write_request(
            structs.replace(request, model=model), facts("gigachat", model)
        )
    except InvalidRequest as error:
        refused_for = error.param or ""
    else:
        check(json.loads(b"".join(written.body)), SimulatorOptions(), Counter())
        return True
    assert refused_for.startswith(REFUSED_FOR)
    return False


@VERSIONS
@pytest.mark.parametrize("model", ["GigaChat-2-Max", "GigaChat-3-Ultra"])
@pytest.mark.parametrize("body", list(client_requests()))
def test_every_client_is_served_but_for_pictures_and_probabilities(body, model, upstream, check):
    text = json.dumps(body)
    asks_too_much = any(word in text for word in ("image_url", "input_audio", '"file"'))
    taken = is_taken(body, model, upstream, check)
    assert taken or asks_too_much or body.get("logprobs")


@VERSIONS
@pytest.mark.parametrize("model", ["GigaChat-2-Max", "GigaChat-3-Ultra"])
@pytest.mark.parametrize("body", list(recorded_requests()))
def test_recorded_requests_are_taken_or_refused_with_a_reason(body, model, upstream, check):
    simple = set(body) <= {"model", "messages", "stream", "temperature", "max_tokens"}
    only_words = all(isinstance(message.get("content"), str) for message in body["messages"])
    last = body["messages"][-1]
    ends_well = last["role"] == "user" and last.get("content")
    taken = is_taken(body, model, upstream, check)
    assert taken or not (simple and only_words and ends_well)
