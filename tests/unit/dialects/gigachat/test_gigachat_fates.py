"""The table covers everything, and each row does what it says."""

import json
import re

import pytest
from msgspec import Raw

from dragoman.canonical.request import (
    ChatRequest,
    FormatKind,
    OutputFormat,
    Tool,
    ToolChoice,
    ToolMode,
)
from dragoman.dialects.gigachat.fates import FIELDS, OPENAI_MEMBERS
from dragoman.dialects.gigachat.preferences import Preferences
from dragoman.dialects.gigachat.requests import write_request
from dragoman.errors import InvalidRequest, UnsupportedByTarget
from support.gigachat_requests import ALL, PLAIN, request, write
from support.openai_chat_members import CHAT_MEMBERS

SPELLED_OTHERWISE = {
    "model",
    "messages",
    "max_completion_tokens",  # max_output_tokens
    "max_tokens",
    "functions",  # tools
    "function_call",  # tool_choice
    "response_format",  # output_format
}


def test_every_field_of_a_request_has_a_rule():
    assert set(FIELDS) == set(ChatRequest.__struct_fields__) - {"model", "messages"}


@pytest.mark.parametrize("member", sorted(CHAT_MEMBERS - SPELLED_OTHERWISE))
def test_every_member_of_chat_completions_has_a_rule(member):
    assert member in FIELDS or member in OPENAI_MEMBERS


MAPPED = [
    ({"max_output_tokens": 5}, {"max_tokens": 5}),
    ({"temperature": 0.5}, {"temperature": 0.5}),
    ({"top_p": 0.3}, {"top_p": 0.3}),
    ({"repetition_penalty": 1.1}, {"repetition_penalty": 1.1}),
    ({"reasoning_effort": "medium"}, {"reasoning_effort": "medium"}),
    ({"stream": True}, {"stream": True}),
]


@pytest.mark.parametrize(("members", "sent"), MAPPED)
def test_what_is_mapped_is_sent_without_a_word(members, sent):
    body, written = write(request(**members))
    del body["model"], body["messages"]
    assert body == sent
    assert written.fidelity.grade == "exact"


ADJUSTED = [
    ({"temperature": 0.0}, {"top_p": 0}, "temperature:0->top_p:0"),
    ({"temperature": 0.0, "top_p": 0.9}, {"top_p": 0}, "temperature:0->top_p:0"),
    ({"temperature": 2.5}, {"temperature": 2}, "temperature:2.5->2"),
    ({"top_p": 1.5}, {"top_p": 1}, "top_p:1.5->1"),
    ({"stop": ("END",)}, {}, "stop:upstream->gateway"),
    ({"reasoning_effort": "minimal"}, {"reasoning_effort": "low"}, "reasoning_effort:minimal->low"),
    ({"reasoning_effort": "xhigh"}, {"reasoning_effort": "high"}, "reasoning_effort:xhigh->high"),
    ({"reasoning_effort": "max"}, {"reasoning_effort": "high"}, "reasoning_effort:max->high"),
]


@pytest.mark.parametrize(("members", "sent", "note"), ADJUSTED)
def test_what_is_approximated_is_noted(members, sent, note):
    body, written = write(request(**members))
    del body["model"], body["messages"]
    assert body == sent
    assert written.fidelity.adjusted == [note]
    assert written.fidelity.dropped == []


def test_stop_sequences_are_left_to_the_gateway():
    _, written = write(request(stop=("END", "STOP")))
    assert written.stop == ("END", "STOP")


DROPPED = [
    {"seed": 7},
    {"top_k": 40},
    {"min_p": 0.1},
    {"presence_penalty": 0.5},
    {"frequency_penalty": -1.0},
    {"logit_bias": {"50256": -100.0}},
    {"top_logprobs": 3},
    {"verbosity": "low"},
    {"service_tier": "flex"},
    {"store": True},
]


@pytest.mark.parametrize("members", DROPPED, ids=str)
def test_what_is_dropped_is_noted(members):
    body, written = write(request(**members))
    assert set(body) == {"model", "messages"}
    assert written.fidelity.dropped == list(members)


SILENT = [
    {"parallel_tool_calls": False},
    {"parallel_tool_calls": True},
    {"user": "u"},
    {"metadata": {"a": "b"}},
    {"logit_bias": {}},
    {"stop": ()},
    {"n": 1},
    {"logprobs": False},
    {"store": False},
    {"service_tier": "auto"},
    {"service_tier": "default"},
    {"presence_penalty": 0.0},
    {"frequency_penalty": 0.0},
    {"top_k": 0},
    {"reasoning_effort": "none"},
    {"modalities": ("text",)},
    {"legacy_functions": True},
    {"output_format": OutputFormat(FormatKind.TEXT)},
]


@pytest.mark.parametrize("members", SILENT, ids=str)
def test_what_does_not_matter_goes_without_a_word(members):
    body, written = write(request(**members))
    assert set(body) == {"model", "messages"}
    assert written.fidelity.grade == "exact"


REFUSED = [
    ({"n": 2}, "n"),
    ({"logprobs": True}, "logprobs"),
    ({"modalities": ("text", "audio")}, "modalities"),
]


@pytest.mark.parametrize(("members", "param"), REFUSED)
def test_what_the_caller_would_miss_is_refused(members, param):
    with pytest.raises(UnsupportedByTarget) as caught:
        write(request(**members))
    assert caught.value.param == param
    assert re.search(r"(Send|Leave) ", caught.value.message), "it says what to do"


def test_an_effort_is_dropped_where_the_model_does_not_reason():
    body, written = write(request(reasoning_effort="high"), PLAIN)
    assert "reasoning_effort" not in body
    assert written.fidelity.dropped == ["reasoning_effort"]
    assert write(request(reasoning_effort="none"), PLAIN)[1].fidelity.grade == "exact"


def test_an_effort_of_an_unknown_kind_is_dropped():
    assert write(request(reasoning_effort="heroic"), ALL)[1].fidelity.dropped == [
        "reasoning_effort"
    ]


def extras(**members):
    return {"openai_chat": {name: Raw(text) for name, text in members.items()}}


@pytest.mark.parametrize(
    "member",
    ["audio", "prediction", "web_search_options", "moderation", "stream_options", "brand_new"],
)
def test_members_without_a_counterpart_are_dropped_by_name(member):
    _, written = write(request(extras=extras(**{member: b"{}"})))
    assert written.fidelity.dropped == [member]


@pytest.mark.parametrize(
    "member",
    [
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
    ],
)
def test_members_without_a_bearing_on_the_answer_go_without_a_word(member):
    body, written = write(request(extras=extras(**{member: b'"x"'})))
    assert set(body) == {"model", "messages"}
    assert written.fidelity.grade == "exact"


def test_an_unknown_member_that_says_nothing_goes_without_a_word():
    assert write(request(extras=extras(brand_new=b"null")))[1].fidelity.grade == "exact"


OWN = [
    ("profanity_check", b"false", False),
    ("update_interval", b"0.5", 0.5),
    ("function_ranker", b'{"enabled":true,"top_n":3}', {"enabled": True, "top_n": 3}),
    ("flags", b'["x"]', ["x"]),
    ("reasoning_max_tokens", b"100", 100),
]


@pytest.mark.parametrize(("member", "text", "value"), OWN)
def test_gigachats_own_members_pass(member, text, value):
    body, written = write(request(extras=extras(**{member: text})))
    assert body[member] == value
    assert written.fidelity.grade == "exact"


@pytest.mark.parametrize(("member", "text", "value"), [*OWN, ("repetition_penalty", b"1.1", 1.1)])
def test_they_pass_inside_extra_body_too(member, text, value):
    inside = b'{"%b":%b,"brand_new":1,"storage":{},"top_k":null}' % (member.encode(), text)
    body, written = write(request(extras=extras(extra_body=inside)))
    assert body[member] == value
    assert written.fidelity.dropped == ["extra_body.brand_new", "storage"]


def test_what_stands_beside_counts_more_than_what_stands_inside():
    both = extras(flags=b'["beside"]', extra_body=b'{"flags":["inside"],"repetition_penalty":2}')
    body, _ = write(request(extras=both, repetition_penalty=1.5))
    assert (body["flags"], body["repetition_penalty"]) == (["beside"], 1.5)
    turned = {"openai_chat": dict(reversed(both["openai_chat"].items()))}
    assert write(request(extras=turned))[0]["flags"] == ["beside"]


@pytest.mark.parametrize(
    ("member", "text"),
    [
        ("profanity_check", b'"no"'),
        ("update_interval", b"-1"),
        ("function_ranker", b'{"enabled":"yes"}'),
        ("function_ranker", b'{"enabled":true,"top_n":0}'),
        ("flags", b'"x"'),
        ("flags", b"[1]"),
        ("reasoning_max_tokens", b"0"),
        ("extra_body", b"[]"),
    ],
)
def test_gigachats_own_members_have_their_types(member, text):
    with pytest.raises(InvalidRequest) as caught:
        write(request(extras=extras(**{member: text})))
    assert caught.value.param == member


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"max_output_tokens": 0}, "max_completion_tokens"),
        ({"max_output_tokens": 2**31}, "max_completion_tokens"),
        ({"repetition_penalty": 0}, "repetition_penalty"),
        ({"stop": ("x",) * 17}, "stop"),
        ({"stop": ("x" * 1001,)}, "stop"),
    ],
)
def test_what_gigachat_would_refuse_is_refused_at_once(members, param):
    with pytest.raises(InvalidRequest) as caught:
        write(request(**members))
    assert caught.value.param == param


def test_a_budget_for_thoughts_is_dropped_where_the_model_does_not_reason():
    given = extras(reasoning_max_tokens=b"100", extra_body=b'{"reasoning_max_tokens":5}')
    body, written = write(request(extras=given), PLAIN)
    assert "reasoning_max_tokens" not in body
    assert written.fidelity.dropped == ["reasoning_max_tokens"]


def preferred(asked, facts=ALL):
    preferences = Preferences(max_tokens=900, reasoning_effort="high")
    written = write_request(asked, facts, preferences)
    return json.loads(written.body[0]), written.fidelity.grade


def test_what_the_operator_prefers_holds_where_the_caller_says_nothing():
    body, grade = preferred(request())
    assert (body["max_tokens"], body["reasoning_effort"], grade) == (900, "high", "exact")
    body, _ = preferred(request(max_output_tokens=5, reasoning_effort="low"))
    assert (body["max_tokens"], body["reasoning_effort"]) == (5, "low")
    assert "reasoning_effort" not in preferred(request(reasoning_effort="none"))[0]
    assert "reasoning_effort" not in preferred(request(), PLAIN)[0]


def test_a_format_that_gigachat_does_not_know_is_refused():
    with pytest.raises(UnsupportedByTarget) as caught:
        write(request(extras=extras(response_format=b'{"type":"grammar"}')))
    assert caught.value.param == "response_format"


@pytest.mark.parametrize(
    ("member", "text"), [("storage", b'{"is_stateful":true}'), ("assistant_id", b'"a1"')]
)
def test_what_gigachat_keeps_for_the_credential_is_not_given_to_its_callers(member, text):
    body, written = write(request(extras=extras(**{member: text})))
    assert member not in body
    assert written.fidelity.dropped == [member]


def test_members_of_another_dialect_are_dropped_by_name():
    members = {"anthropic_messages": {"container": Raw(b'"c"'), "flags": Raw(b"[]")}}
    assert write(request(extras=members))[1].fidelity.dropped == ["container", "flags"]


def test_arguments_that_are_given_beforehand_go_with_a_forced_call():
    forced = ToolChoice(ToolMode.NAMED, "f")
    given = extras(function_call=b'{"name":"f","partial_arguments":{"a":1},"mood":"good"}')
    asked = {"tools": (Tool("f", None, None),), "legacy_functions": True}
    body, written = write(request(**asked, tool_choice=forced, extras=given))
    assert body["function_call"] == {"name": "f", "partial_arguments": {"a": 1}}
    assert written.fidelity.dropped == ["function_call.mood"]
    with pytest.raises(InvalidRequest) as caught:
        broken = extras(function_call=b'{"name":"f","partial_arguments":"a"}')
        write(request(**asked, tool_choice=forced, extras=broken))
    assert caught.value.param == "function_call.partial_arguments"
