"""The table covers everything, and each row that differs from version 1 does what it says."""

import pytest
from msgspec import Raw

from dragoman.canonical.request import ChatRequest, Tool
from dragoman.dialects.gigachat import v2
from dragoman.dialects.gigachat.v2.fates import FIELDS, OPENAI_MEMBERS
from dragoman.errors import InvalidRequest, UnsupportedByTarget
from support.gigachat_requests import PLAIN, request, write
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


def written(facts=None, **members):
    asked = request(**members)
    body, record = write(asked, facts, v2.UPSTREAM) if facts else write(asked, upstream=v2.UPSTREAM)
    del body["model"], body["messages"]
    return body, record.fidelity


def own(**members):
    return {"extras": {"openai_chat": members}}


def test_every_field_of_a_request_has_a_rule():
    assert set(FIELDS) == set(ChatRequest.__struct_fields__) - {"model", "messages"}


@pytest.mark.parametrize("member", sorted(CHAT_MEMBERS - SPELLED_OTHERWISE))
def test_every_member_of_chat_completions_has_a_rule(member):
    assert member in FIELDS or member in OPENAI_MEMBERS


SENT = [
    ({"stream": True}, {"stream": True}),
    ({"max_output_tokens": 5}, {"model_options": {"max_tokens": 5}}),
    ({"temperature": 0.5}, {"model_options": {"temperature": 0.5}}),
    ({"top_p": 0.3}, {"model_options": {"top_p": 0.3}}),
    ({"repetition_penalty": 1.1}, {"model_options": {"repetition_penalty": 1.1}}),
    ({"reasoning_effort": "high"}, {"model_options": {"reasoning": {"effort": "high"}}}),
    ({"reasoning_effort": "none"}, {}),
    ({"parallel_tool_calls": True}, {}),
    (own(update_interval=Raw(b"0.5")), {"model_options": {"update_interval": 0.5}}),
    (own(preset=Raw(b'"x"')), {"model_options": {"preset": "x"}}),
    (own(reasoning_max_tokens=Raw(b"9")), {"model_options": {"reasoning": {"max_tokens": 9}}}),
    (own(profanity_check=Raw(b"true")), {"disable_filter": False}),
    (own(profanity_check=Raw(b"false")), {"disable_filter": True}),
    (own(disable_filter=Raw(b"true")), {"disable_filter": True}),
    (own(flags=Raw(b'["a"]')), {"flags": ["a"]}),
    (
        own(function_ranker=Raw(b'{"enabled":true,"top_n":2}')),
        {"ranker_options": {"enabled": True, "top_n": 2}},
    ),
    (own(user_info=Raw(b'{"timezone":"UTC"}')), {"user_info": {"timezone": "UTC"}}),
    (
        own(response_format=Raw(b'{"type":"regex","regex":"a+"}')),
        {"model_options": {"response_format": {"type": "regex", "regex": "a+"}}},
    ),
    (own(flags=Raw(b"null")), {}),
]


@pytest.mark.parametrize(("members", "sent"), SENT)
def test_what_is_sent_stands_in_its_place(members, sent):
    body, fidelity = written(**members)
    assert body == sent
    assert fidelity.grade == "exact"


@pytest.mark.parametrize(
    ("members", "sent", "note"),
    [
        ({"temperature": 0.0}, {"top_p": 0}, "temperature:0->top_p:0"),
        ({"temperature": 3.0}, {"temperature": 2}, "temperature:3->2"),
        ({"reasoning_effort": "max"}, {"reasoning": {"effort": "high"}}, "max->high"),
    ],
)
def test_what_is_approximated_is_noted(members, sent, note):
    body, fidelity = written(**members)
    assert body == {"model_options": sent}
    assert note in fidelity.adjusted[0]


@pytest.mark.parametrize(
    ("members", "name"),
    [
        ({"seed": 1}, "seed"),
        ({"store": True}, "store"),
        (own(storage=Raw(b"{}")), "storage"),
        (own(assistant_id=Raw(b'"x"')), "assistant_id"),
        (own(tools_state_id=Raw(b'"x"')), "tools_state_id"),
        (own(**{"tools[0]": Raw(b'{"type":"mcp"}')}), "tools[0]"),
        ({"extras": {"gemini": {"tools[0]": Raw(b"{}")}}}, "tools[0]"),
    ],
)
def test_what_is_dropped_is_noted(members, name):
    body, fidelity = written(**members)
    assert body == {}
    assert fidelity.dropped == [name]


def test_reasoning_is_dropped_where_the_model_has_none():
    body, fidelity = written(PLAIN, reasoning_effort="low")
    assert body == {}
    assert fidelity.dropped == ["reasoning_effort"]


@pytest.mark.parametrize("value", [True, False])
def test_parallel_calls_are_asked_for_where_there_is_something_to_call(value):
    body, _ = written(parallel_tool_calls=value, tools=(Tool("f", None, None),))
    assert body["model_options"] == {"parallel_tool_calls": value}


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        (own(profanity_check=Raw(b'"no"')), "profanity_check"),
        (own(disable_filter=Raw(b"1")), "disable_filter"),
        (own(user_info=Raw(b"[]")), "user_info"),
        ({"max_output_tokens": 0}, "max_completion_tokens"),
        (own(response_format=Raw(b'{"type":"xml"}')), "response_format"),
        (own(tool_choice=Raw(b'{"type":"computer"}')), "tool_choice.type"),
        (own(tool_choice=Raw(b'{"type":"web_search"}')), "tool_choice"),
        (own(web_search_options=Raw(b"5")), "web_search_options"),
    ],
)
def test_what_is_refused_names_its_member(members, param):
    if "tool_choice" in members.get("extras", {}).get("openai_chat", {}):
        members = {**members, "tools": (Tool("f", None, None),)}
    with pytest.raises(InvalidRequest) as caught:
        written(**members)
    assert caught.value.param == param


def test_a_regular_expression_needs_a_model_that_takes_one():
    with pytest.raises(UnsupportedByTarget) as caught:
        written(PLAIN, **own(response_format=Raw(b'{"type":"regex","regex":"a"}')))
    assert caught.value.param == "response_format"
