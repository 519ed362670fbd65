"""From GigaChat's bytes to the caller's: stop sequences and thoughts, however the bytes are cut."""

import json

from hypothesis import given
from hypothesis import strategies as st

from dragoman.canonical.request import ChatRequest
from dragoman.dialects import gigachat, openai_chat
from dragoman.dialects.base import AnswerFacts, ModelFacts
from dragoman.relay import Translated
from support.gigachat_requests import user

USAGE = {"prompt_tokens": 9, "completion_tokens": 5, "precached_prompt_tokens": 1}
FACTS = AnswerFacts("id", 7, "m")


def relay(stop, *, stream):
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": stream}
    if stream:
        body["stream_options"] = {"include_usage": True}
    asked = openai_chat.CLIENT.read_request(json.dumps(body).encode())
    request = ChatRequest(model="m", messages=(user("Hi"),), stream=stream, stop=tuple(stop))
    written = gigachat.UPSTREAM.write_request(request, ModelFacts())
    return Translated(gigachat.UPSTREAM, written, openai_chat.CLIENT, asked, FACTS)


def event(text, finish=None):
    choice = {"delta": {"content": text}, "index": 0}
    body = {"choices": [choice], "created": 7, "model": "GigaChat"}
    if finish:
        choice["finish_reason"] = finish
        body["usage"] = USAGE
    return b"data: %b\n\n" % json.dumps(body, ensure_ascii=False).encode()


def streamed(pieces, stop, sizes):
    """Text, thoughts, finish reasons and counts that the caller sees."""
    data = b"".join([*map(event, pieces), event("", "stop"), b"data: [DONE]\n\n"])
    under_test = relay(stop, stream=True)
    out = b""
    at = 0
    sizes = iter(sizes)
    while at < len(data) and not under_test.enough:
        size = next(sizes, 50)
        out += under_test.feed(data[at : at + size])
        at += size
    if not under_test.enough:
        out += under_test.close()
    assert under_test.error is None
    lines = [line[6:] for line in out.decode().split("\n\n") if line]
    assert lines.pop() == "[DONE]"
    chunks = [json.loads(line) for line in lines]
    counts = chunks.pop()
    assert counts["choices"] == []
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in chunks]
    text = "".join(delta.get("content") or "" for delta in deltas)
    thoughts = "".join(delta.get("reasoning_content") or "" for delta in deltas)
    return text, thoughts, reasons, counts["usage"], under_test


def whole(words, stop):
    message = {"role": "assistant", "content": words}
    choice = {"message": message, "index": 0, "finish_reason": "stop"}
    body = {"choices": [choice], "created": 7, "model": "GigaChat", "usage": USAGE}
    answer = json.loads(relay(stop, stream=False).whole(json.dumps(body).encode()))
    said = answer["choices"][0]
    assert said["finish_reason"] == "stop"
    message = said["message"]
    return message["content"] or "", message.get("reasoning_content", "")


PIECES = st.lists(
    st.sampled_from(["<think>", "</think>", "<", "a", "b", "END", "E", "ND", "конец", "\n", "🌍"]),
    max_size=10,
)
STOPS = st.lists(st.sampled_from(["END", "a", "bE", "нец", "\n", "🌍b", "zz"]), max_size=3)


@given(PIECES, STOPS, st.lists(st.integers(1, 400), max_size=12))
def test_the_caller_sees_the_same_however_it_comes(pieces, stop, sizes):
    text, thoughts, reasons, usage, _ = streamed(pieces, stop, sizes)
    assert (text, thoughts) == whole("".join(pieces), stop)
    assert reasons[-1] == "stop"
    assert not any(reasons[:-1])
    assert usage["total_tokens"] > 0


def test_counts_are_estimated_where_the_upstream_is_hung_up_on():
    text, _, _, usage, cut = streamed(["one ", "END", " two"] * 5, ["END"], [])
    assert text == "one "
    assert cut.enough
    assert cut.usage.estimated
    assert usage["prompt_tokens"] == cut.usage.input > 0
    assert usage["completion_tokens"] == len("one ") // 4
    _, _, _, usage, kept = streamed(["one ", "two"], ["END"], [])
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (9, 5)
    assert not kept.usage.estimated
