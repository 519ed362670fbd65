"""Signed thoughts on their way through Chat Completions, out and back."""

import json

import pytest

from dragoman.canonical.conversation import Reasoning, Text
from dragoman.canonical.events import StopReason
from dragoman.canonical.fold import unfold
from dragoman.canonical.response import ChatResponse, Choice
from dragoman.dialects import openai_chat
from dragoman.dialects.base import AnswerFacts

CLAUDE = "anthropic_messages"
SIGNED = Reasoning("I think", {CLAUDE: {"signature": "sig"}})
HIDDEN = Reasoning("", {CLAUDE: {"redacted_thinking": "data"}})
FACTS = AnswerFacts("i", 0, "m")


def reading(**message):
    body = {"model": "m", "messages": [{"role": "assistant", "content": "b", **message}]}
    read = openai_chat.CLIENT.read_request(json.dumps(body).encode())
    return read.conversation().messages[0].parts


def without_own(parts):
    return [
        Reasoning(part.text, {k: v for k, v in part.extras.items() if k != "openai_chat"})
        for part in parts
        if isinstance(part, Reasoning)
    ]


def asked(*, stream):
    body = {"model": "m", "messages": [{"role": "user", "content": "a"}], "stream": stream}
    return openai_chat.CLIENT.read_request(json.dumps(body).encode())


ANSWER = ChatResponse("i", "m", 0, (Choice(0, (SIGNED, HIDDEN, Text("So")), StopReason.END),), None)
DETAILS = [
    {
        "type": "reasoning.text",
        "text": "I think",
        "signature": "sig",
        "format": "anthropic-claude-v1",
        "index": 0,
    },
    {
        "type": "reasoning.encrypted",
        "data": "data",
        "format": "anthropic-claude-v1",
        "index": 1,
    },
]


def test_a_whole_answer_carries_signatures():
    body = json.loads(openai_chat.CLIENT.write_response(ANSWER, asked(stream=False), FACTS))
    message = body["choices"][0]["message"]
    assert message["reasoning_content"] == "I think"
    assert message["reasoning_details"] == DETAILS
    assert without_own(reading(**message)) == [SIGNED, HIDDEN]


def test_a_stream_carries_them_when_each_thought_is_complete():
    writer = openai_chat.CLIENT.stream_writer(asked(stream=True), FACTS)
    out = b"".join(writer.write([event]) for event in unfold(ANSWER))
    frames = [line[6:] for line in out.split(b"\n\n") if line and b"[DONE]" not in line]
    deltas = [json.loads(frame)["choices"][0]["delta"] for frame in frames]
    assert [d["reasoning_content"] for d in deltas if "reasoning_content" in d] == ["I think"]
    assert [one for d in deltas for one in d.get("reasoning_details", ())] == DETAILS


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ([{"type": "thinking", "thinking": "I think", "signature": "sig"}], [SIGNED]),
        ([{"type": "redacted_thinking", "data": "data"}], [HIDDEN]),
        ([{"type": "thinking", "thinking": "unsigned"}, 7], []),
    ],
)
def test_blocks_as_other_gateways_hand_them_through(blocks, expected):
    assert without_own(reading(thinking_blocks=blocks)) == expected


def test_details_of_other_origins_stay_for_upstreams_of_this_dialect():
    detail = {"type": "reasoning.encrypted", "data": "x", "format": "openai-responses-v1"}
    (part, _) = reading(reasoning_content="a", reasoning_details=[detail])
    assert part.text == "a"
    assert json.loads(bytes(part.extras["openai_chat"]["reasoning_details"][0])) == detail
    assert CLAUDE not in part.extras


def test_details_that_are_none_do_no_harm():
    odd = [1, {"type": "reasoning.text", "format": "anthropic-claude-v1", "text": "no signature"}]
    (part, _) = reading(reasoning_content="a", reasoning_details=odd)
    assert part.text == "a"
