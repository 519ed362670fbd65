"""The same dialect on both sides: what goes on, and what is seen beside it."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.canonical.usage import Usage
from dragoman.dialects.openai_chat import CLIENT
from dragoman.dialects.openai_chat.passage import ChatPassage
from dragoman.errors import (
    UpstreamBroken,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamUnavailable,
)
from support.openai_chat_streams import chunk, client_request, sse, streamed_request
from support.splits import every_way

STOP = (0, {}, "stop")
COUNTS = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
ASKED = streamed_request()
NOT_ASKED = client_request(stream=True)


def passed(data, request=ASKED):
    """What went on and the passage, the same however ``data`` is cut."""
    results = []
    for name, blocks in every_way(data):
        passage = CLIENT.passage(request)
        out = b"".join(passage.feed(block) for block in blocks) + passage.close()
        results.append((name, out, passage))
    _, expected, first = results[0]
    for name, out, passage in results:
        assert out == expected, name
        assert passage.usage == first.usage, name
        assert passage.begun == first.begun, name
        assert passage.complete == first.complete, name
        assert type(passage.error) is type(first.error), name
    return expected, first


PLAIN = [chunk({"role": "assistant", "content": ""}), chunk({"content": "a"}), chunk(STOP)]


@pytest.mark.parametrize("end", ["\n\n", "\r\n\r\n", "\r\r", "\n\n\n"])
@pytest.mark.parametrize("request_", [ASKED, NOT_ASKED])
def test_a_stream_passes_byte_for_byte(end, request_):
    data = sse(*PLAIN, ": keep-alive", chunk({"content": "\u2028"}), end=end)
    out, passage = passed(data, request_)
    assert out == data
    assert passage.begun
    assert passage.complete
    assert passage.error is None


SPELLINGS = [(",", ":"), (", ", ": ")]


@pytest.mark.parametrize("separators", SPELLINGS)
@pytest.mark.parametrize("end", ["\n\n", "\r\n\r\n"])
def test_the_counts_reach_only_who_asked(separators, end):
    usage = "data: " + json.dumps(chunk(usage=COUNTS), separators=separators)
    data = sse(*PLAIN, usage, end=end)
    out, passage = passed(data)
    assert out == data
    assert passage.usage == Usage(input=3, output=2)
    out, passage = passed(data, NOT_ASKED)
    assert out == sse(*PLAIN, end=end)
    assert passage.usage == Usage(input=3, output=2)
    assert passage.complete


def test_counts_beside_the_end_of_a_choice_stay_where_they_are():
    data = sse(*PLAIN[:2], {**chunk(STOP), "usage": COUNTS})
    out, passage = passed(data, NOT_ASKED)
    assert out == data
    assert passage.usage == Usage(input=3, output=2)


def test_the_last_counts_win_and_groqs_are_seen():
    first = {**chunk({"content": "a"}), "usage": COUNTS}
    last = chunk(STOP, x_groq={"usage": {**COUNTS, "completion_tokens": 9}})
    _, passage = passed(sse(first, last))
    assert passage.usage == Usage(input=3, output=9)


def test_words_that_look_like_the_protocol_are_words():
    text = (
        'data: [DONE]\n\ndata: {"usage":{"prompt_tokens":1},"error":{"x":1},"finish_reason":"stop"}'
    )
    data = sse(chunk({"content": text}), chunk({"content": "b"}), done=False)
    out, passage = passed(data)
    assert out == data
    assert passage.usage is None
    assert not passage.complete
    assert isinstance(passage.error, UpstreamUnavailable)


BEGINNINGS = [
    ({"role": "assistant", "content": ""}, None, False),
    ({}, None, False),
    ({"content": "a"}, None, True),
    ({"reasoning_content": "a"}, None, True),
    ({"reasoning": "a"}, None, True),
    ({"refusal": "a"}, None, True),
    ({"tool_calls": [{"index": 0, "function": {"name": "f"}}]}, None, True),
    ({"function_call": {"name": "f"}}, None, True),
    ({}, "stop", True),
]


@pytest.mark.parametrize(("delta", "reason", "begun"), BEGINNINGS)
def test_an_answer_has_begun_with_something_worth_a_200(delta, reason, begun):
    passage = CLIENT.passage(ASKED)
    passage.feed(sse(": comment", chunk(), chunk((0, delta, reason)), done=False))
    assert passage.begun is begun


def test_an_error_first_is_no_beginning():
    data = sse({"error": {"message": "x", "code": "rate_limit_exceeded"}}, done=False)
    out, passage = passed(data)
    assert out == b""
    assert not passage.begun
    assert isinstance(passage.error, UpstreamRateLimited)


ERRORS = [
    ({"error": {"message": "x", "type": "server_error"}}, UpstreamUnavailable),
    ({**chunk({"content": ""}), "error": {"message": "x", "code": 502}}, UpstreamUnavailable),
    (
        "event: error\ndata: " + json.dumps({"error": {"type": "invalid_request_error"}}),
        UpstreamRefused,
    ),
    ("event: error\ndata: gone", UpstreamUnavailable),
    ({"object": "error", "message": "x", "type": "server_error"}, UpstreamUnavailable),
    (chunk((0, {}, "error")), UpstreamBroken),
    ("data: {oops", UpstreamBroken),
]


@pytest.mark.parametrize(("event", "kind"), ERRORS, ids=[str(case[0])[:40] for case in ERRORS])
@pytest.mark.parametrize("end", ["\n\n", "\r\n\r\n"])
def test_an_error_inside_does_not_go_on_and_ends_the_stream(event, kind, end):
    event = event.replace("\n", end[: len(end) // 2]) if isinstance(event, str) else event
    before = [chunk({"content": "a"}), chunk({"content": "b"})]
    out, passage = passed(sse(*before, event, chunk({"content": "c"}), end=end))
    assert out == sse(*before, done=False, end=end)
    assert isinstance(passage.error, kind)
    assert passage.begun


def test_servers_that_never_say_done_end_with_a_finish_reason():
    _, passage = passed(sse(*PLAIN, done=False))
    assert passage.complete
    assert passage.error is None


@pytest.mark.parametrize("behind", [[], [": bye"], [chunk(usage=COUNTS)]])
@pytest.mark.parametrize("end", ["\n\n", "\r\n\r\n"])
def test_the_last_word_is_known_before_the_bytes_end(behind, end):
    passage = CLIENT.passage(ASKED)
    data = sse(*PLAIN[:2], "data: [DONE]", *behind, done=False, end=end) + b": "
    assert passage.feed(data) == data[:-2]
    assert passage.complete
    assert passage.error is None


@pytest.mark.parametrize("chunks", [[], PLAIN[:1], PLAIN[:2]])
def test_a_stream_that_merely_stops_has_failed(chunks):
    _, passage = passed(sse(*chunks, done=False))
    assert isinstance(passage.error, UpstreamUnavailable)


@pytest.mark.parametrize("cut", range(1, 30))
def test_half_an_event_is_never_passed_on(cut):
    whole = sse(*PLAIN[:2], done=False)
    out, passage = passed(whole + sse(PLAIN[2], done=False)[:-cut])
    if cut <= 2:  # only the empty line is missing
        assert passage.error is None
    else:
        assert out == whole
        assert isinstance(passage.error, UpstreamUnavailable)


def test_a_missing_last_empty_line_is_put_there():
    data = sse(*PLAIN)
    for shorter in (data[:-1], data[:-2]):
        out, passage = passed(shorter)
        assert out == data
        assert passage.complete


def test_nothing_follows_an_error():
    passage = CLIENT.passage(ASKED)
    passage.feed(sse({"error": {"message": "x"}}, done=False))
    assert passage.feed(sse(*PLAIN)) == b""
    assert passage.close() == b""


def test_an_event_without_end_is_an_error():
    passage = ChatPassage(ASKED, limit=100)
    passage.feed(b"data: " + b"x" * 90)
    assert passage.error is None
    assert passage.feed(b"x" * 20) == b""
    assert isinstance(passage.error, UpstreamBroken)


events = st.sampled_from(
    [
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "a"}),
        chunk({"content": '"choices" "error" data: [DONE]'}),
        chunk(STOP),
        chunk(usage=COUNTS),
        chunk(usage=None),
        {**chunk({"content": "b"}), "usage": COUNTS},
        ": comment",
        "event: message",
        chunk(),
    ]
)


@settings(max_examples=80)
@given(
    st.lists(events, max_size=8),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["\n\n", "\r\n\r\n", "\r\r"]),
)
def test_everything_but_the_hidden_counts_passes_however_it_is_cut(items, done, asked, end):
    out, passage = passed(sse(*items, done=done, end=end), ASKED if asked else NOT_ASKED)
    hidden = chunk(usage=COUNTS)
    kept = items if asked else [item for item in items if item != hidden]
    assert out == sse(*kept, done=done, end=end)
    finished = any(item == chunk(STOP) for item in items)
    assert passage.complete is (done or finished)
    assert (passage.error is None) is (done or finished)
    assert (passage.usage is not None) is any(b'"usage": {' in sse(item) for item in items)
