"""How streams end, what they count, and what breaks them."""

import json

import pytest

from dragoman.canonical.conversation import (
    Text,
)
from dragoman.canonical.events import (
    Finished,
    StopReason,
)
from dragoman.canonical.usage import Usage
from dragoman.dialects.openai_chat import UPSTREAM
from dragoman.errors import (
    UpstreamBroken,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamUnavailable,
)
from support.openai_chat_streams import answer, call, chunk, failure, said

STOP = (0, {}, "stop")


REASONS = [
    ("stop", False, StopReason.END),
    ("length", False, StopReason.MAX_TOKENS),
    ("model_length", False, StopReason.MAX_TOKENS),
    ("content_filter", False, StopReason.FILTERED),
    ("tool_calls", False, StopReason.END),
    ("eos", False, StopReason.END),
    (7, False, StopReason.END),
    ("stop", True, StopReason.TOOL_CALL),
    ("tool_calls", True, StopReason.TOOL_CALL),
    ("function_call", True, StopReason.TOOL_CALL),
    ("odd", True, StopReason.TOOL_CALL),
    ("length", True, StopReason.MAX_TOKENS),
    ("content_filter", True, StopReason.FILTERED),
]


@pytest.mark.parametrize(("word", "called", "reason"), REASONS)
def test_the_reason_follows_what_the_model_did(word, called, reason):
    delta = call(0, "a", "f", "{}") if called else {"content": "x"}
    (choice,) = answer(chunk(delta), chunk((0, {}, word))).choices
    assert choice.reason is reason


def test_an_empty_reason_is_none():
    parts = said(chunk((0, {"content": "a"}, "")), chunk((0, {"content": "b"}, "stop")))
    assert parts == (Text("ab"),)


def test_what_follows_the_end_of_a_choice_is_passed_over():
    parts = said(chunk((0, {"content": "a"}, "stop")), chunk((0, {"content": "b"}, "length")))
    assert parts == (Text("a"),)


def test_several_choices_are_kept_apart():
    response = answer(
        chunk((0, {"content": "a"}, None), (1, {"content": "b"}, None)),
        chunk((1, {"content": "d"}, "length")),
        chunk((0, {"content": "c"}, "stop")),
    )
    assert [(c.index, c.parts, c.reason) for c in response.choices] == [
        (0, (Text("ac"),), StopReason.END),
        (1, (Text("bd"),), StopReason.MAX_TOKENS),
    ]


USAGES = [
    ({"prompt_tokens": 10, "completion_tokens": 2}, Usage(input=10, output=2)),
    (
        {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 1},
            "completion_tokens_details": {"reasoning_tokens": 3},
        },
        Usage(input=5, output=5, cache_read=4, cache_write=1, reasoning=3),
    ),
    (
        {"prompt_tokens": 10, "completion_tokens": 2, "prompt_cache_hit_tokens": 6},
        Usage(input=4, output=2, cache_read=6),
    ),
    (
        {
            "prompt_tokens": 10,
            "completion_tokens": 2,
            "total_tokens": 19,
            "completion_tokens_details": {"reasoning_tokens": 7},
        },
        Usage(input=10, output=9, reasoning=7),
    ),
    (
        {"prompt_tokens": 1, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 5}},
        Usage(output=2, cache_read=5),
    ),
    ({"prompt_tokens": 10.0, "completion_tokens": None}, Usage(input=10)),
    ({"prompt_tokens": "many"}, None),
    ({}, None),
]


@pytest.mark.parametrize(("counts", "usage"), USAGES)
def test_counts_are_read_wherever_they_are(counts, usage):
    assert answer(chunk(STOP), chunk(usage=counts)).usage == usage
    assert answer({**chunk(STOP), "usage": counts}).usage == usage
    assert answer(chunk(STOP), chunk(x_groq={"usage": counts})).usage == usage


def test_the_last_counts_win():
    early = {"prompt_tokens": 1, "completion_tokens": 1}
    late = {"prompt_tokens": 1, "completion_tokens": 9}
    chunks = [{**chunk({"content": "a"}), "usage": early}, {**chunk(STOP), "usage": late}]
    assert answer(*chunks, chunk(usage=None)).usage == Usage(input=1, output=9)


def test_a_first_chunk_without_choices_does_not_name_the_answer():
    first = {"id": "", "model": "", "created": 0, "choices": [], "prompt_filter_results": []}
    response = answer(first, chunk({"content": "a"}), chunk(STOP))
    assert (response.id, response.model) == ("up-1", "up")


def test_what_has_no_canonical_form_is_kept_with_the_answer():
    response = answer(chunk({"content": "a"}, service_tier="flex", obfuscation="x"), chunk(STOP))
    assert {k: bytes(v) for k, v in response.extras["openai_chat"].items()} == {
        "service_tier": b'"flex"'
    }


def test_a_server_that_never_says_done_has_finished():
    assert said(chunk({"content": "a"}), chunk(STOP), done=False) == (Text("a"),)


def test_done_alone_ends_an_answer_too():
    response = answer(chunk({"content": "a"}))
    assert response.choices[0].reason is StopReason.END


BROKEN = [
    (["data: {"], UpstreamBroken),
    (["data: 5"], UpstreamBroken),
    (["data: <html>"], UpstreamBroken),
    (["data: \udcff".encode("utf-8", "surrogateescape").decode("latin-1")], UpstreamBroken),
    ([chunk((0, {"content": 5}, None))], UpstreamBroken),
    ([chunk({"content": "a"}), chunk((0, {}, "error"))], UpstreamBroken),
    (
        [chunk(call(0, "a", "f", "{}")), chunk(call(1, "b", "g")), chunk(call(0, arguments="x"))],
        UpstreamBroken,
    ),
    ([], UpstreamBroken),
    ([chunk()], UpstreamBroken),
    ([{"error": {"message": "slow down", "code": "rate_limit_exceeded"}}], UpstreamRateLimited),
    ([chunk({"content": "a"}), {"error": {"message": "x", "code": 429}}], UpstreamRateLimited),
    ([{"error": "gone"}], UpstreamUnavailable),
    ([{"object": "error", "message": "x", "type": "server_error"}], UpstreamUnavailable),
    ([chunk({"content": "a"}), {"error": {"type": "invalid_request_error"}}], UpstreamRefused),
    ([chunk({"content": "a"}), 'event: error\ndata: {"message":"x"}'], UpstreamUnavailable),
    (["event: error\ndata: gone"], UpstreamUnavailable),
]


@pytest.mark.parametrize(("chunks", "kind"), BROKEN, ids=[str(case[0])[:60] for case in BROKEN])
def test_an_error_or_garbage_ends_in_a_failure(chunks, kind):
    assert isinstance(failure(*chunks), kind)


@pytest.mark.parametrize("chunks", [[], [chunk({"content": "a"})], [chunk(STOP, (1, {}, None))]])
def test_a_stream_that_merely_stops_has_failed(chunks):
    assert isinstance(failure(*chunks, done=False), UpstreamUnavailable)


def test_nothing_is_read_after_the_end():
    reader = UPSTREAM.stream_reader(None)
    reader.read(json.dumps(chunk((0, {"content": "a"}, "stop"))).encode())
    assert isinstance(reader.read(b"[DONE]")[-1], Finished)
    assert reader.read(json.dumps(chunk({"content": "b"})).encode()) == []
    assert reader.close() == []
