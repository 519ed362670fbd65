"""What a request must be, and where each mistake is reported."""

import json

import pytest

from dragoman.dialects.openai_chat import CLIENT
from dragoman.errors import InvalidRequest

USER = {"role": "user", "content": "hi"}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def request(**members):
    return {"model": "m", "messages": [USER], **members}


def refusal(body):
    with pytest.raises(InvalidRequest) as caught:
        CLIENT.read_request(body)
    return caught.value.param, caught.value.code


def nested(levels):
    return b"[" * levels + b"]" * levels


BAD_BODIES = {
    b"": (None, "invalid_json"),
    b"{": (None, "invalid_json"),
    b"<html>": (None, "invalid_json"),
    b'{"model":"m"} x': (None, "invalid_json"),
    b"[]": (None, "invalid_type"),
    b'"text"': (None, "invalid_type"),
    b"null": (None, "invalid_type"),
    b'{"model":"\xff"}': (None, "invalid_json"),
    b'{"x":[{"y":"\xc3"}]}': (None, "invalid_json"),
    b'{"model":"\\ud800"}': (None, "invalid_json"),
    b'{"x":[{"y":"a\\udc00"}]}': (None, "invalid_json"),
    b'{"x":01}': (None, "invalid_json"),
    b'{"x":NaN}': (None, "invalid_json"),
    b"{}": ("messages", "missing_required_parameter"),
    b'{"model":"m","input":"hello"}': ("input", "unknown_parameter"),
    b'{"model":"m","x":{"input":1}}': ("messages", "missing_required_parameter"),
    b'{"model":"m"}': ("messages", "missing_required_parameter"),
    nested(200_000): (None, "invalid_type"),
}


@pytest.mark.parametrize("body", BAD_BODIES, ids=lambda body: repr(body[:24]))
def test_a_body_that_is_no_request_is_refused(body):
    assert refusal(body) == BAD_BODIES[body]


BAD_MEMBERS = [
    ({"model": ""}, "model", "invalid_value"),
    ({"model": 7}, "model", "invalid_type"),
    ({"messages": []}, "messages", "invalid_value"),
    ({"messages": {}}, "messages", "invalid_type"),
    ({"messages": ["hi"]}, "messages[0]", "invalid_type"),
    ({"messages": [USER, {"content": "x"}]}, "messages[1].role", "missing_required_parameter"),
    ({"messages": [{"role": None}]}, "messages[0].role", "missing_required_parameter"),
    ({"messages": [{"role": 3}]}, "messages[0].role", "invalid_type"),
    ({"messages": [{"role": "robot"}]}, "messages[0].role", "invalid_value"),
    ({"stream": "yes"}, "stream", "invalid_type"),
    ({"stream_options": []}, "stream_options", "invalid_type"),
    (
        {"stream": True, "stream_options": {"include_usage": 1}},
        "stream_options.include_usage",
        "invalid_type",
    ),
    ({"max_tokens": "5"}, "max_tokens", "invalid_type"),
    ({"max_tokens": 1.5}, "max_tokens", "invalid_type"),
    ({"max_completion_tokens": True}, "max_completion_tokens", "invalid_type"),
    ({"temperature": "hot"}, "temperature", "invalid_type"),
    ({"top_p": []}, "top_p", "invalid_type"),
    ({"n": "2"}, "n", "invalid_type"),
    ({"stop": 5}, "stop", "invalid_type"),
    ({"stop": ["a", 5]}, "stop[1]", "invalid_type"),
    ({"seed": 0.5}, "seed", "invalid_type"),
    ({"presence_penalty": {}}, "presence_penalty", "invalid_type"),
    ({"logit_bias": {"5": "x"}}, "logit_bias", "invalid_type"),
    ({"logprobs": 1}, "logprobs", "invalid_type"),
    ({"tools": {}}, "tools", "invalid_type"),
    ({"tools": [5]}, "tools[0]", "invalid_type"),
    ({"tools": [{"type": "function"}]}, "tools[0].function", "missing_required_parameter"),
    (
        {"tools": [{"type": "function", "function": {}}]},
        "tools[0].function.name",
        "missing_required_parameter",
    ),
    ({"tool_choice": 1}, "tool_choice", "invalid_type"),
    ({"parallel_tool_calls": "no"}, "parallel_tool_calls", "invalid_type"),
    ({"functions": [{}]}, "functions[0].name", "missing_required_parameter"),
    ({"response_format": "json"}, "response_format", "invalid_type"),
    ({"reasoning_effort": 1}, "reasoning_effort", "invalid_type"),
    ({"modalities": "text"}, "modalities", "invalid_type"),
    ({"audio": "wav"}, "audio", "invalid_type"),
    ({"prediction": 1}, "prediction", "invalid_type"),
    ({"web_search_options": True}, "web_search_options", "invalid_type"),
    ({"metadata": {"a": 1}}, "metadata", "invalid_type"),
    ({"store": "no"}, "store", "invalid_type"),
    ({"user": 5}, "user", "invalid_type"),
    ({"prompt_cache_key": 5}, "prompt_cache_key", "invalid_type"),
    ({"moderation": []}, "moderation", "invalid_type"),
]


@pytest.mark.parametrize(
    ("members", "param", "code"), BAD_MEMBERS, ids=[str(case[0])[:50] for case in BAD_MEMBERS]
)
def test_a_wrong_member_is_reported_with_its_path(members, param, code):
    assert refusal(json.dumps(request(**members)).encode()) == (param, code)


def test_a_number_that_is_not_finite_is_refused():
    body = b'{"model":"m","messages":[{"role":"user"}],"temperature":1e999}'
    assert refusal(body) == ("temperature", "invalid_value")


@pytest.mark.parametrize("kind", ["function", "custom"])
def test_two_tools_of_one_name_are_refused(kind):
    tools = [
        {"type": "function", "function": {"name": "f"}},
        {"type": kind, kind: {"name": "f"}},
    ]
    body = json.dumps(request(tools=tools)).encode()
    assert refusal(body) == (f"tools[1].{kind}.name", "invalid_value")


def test_two_deprecated_functions_of_one_name_are_refused():
    body = json.dumps(request(functions=[{"name": "f"}, {"name": "f"}])).encode()
    assert refusal(body) == ("functions[1].name", "invalid_value")


ORPHANS = [
    ([{"role": "tool", "tool_call_id": "x", "content": ""}], "messages[0].tool_call_id"),
    (
        [{"role": "tool", "tool_call_id": "call_1"}, {"role": "assistant", "tool_calls": [CALL]}],
        "messages[0].tool_call_id",
    ),
    (
        [{"role": "assistant", "tool_calls": [CALL]}, {"role": "tool", "tool_call_id": "call_2"}],
        "messages[1].tool_call_id",
    ),
    ([{"role": "function", "name": "f", "content": ""}], "messages[0].name"),
]


@pytest.mark.parametrize(("messages", "param"), ORPHANS)
def test_a_result_without_a_call_is_refused(messages, param):
    body = json.dumps(request(messages=messages)).encode()
    assert refusal(body) == (param, "invalid_value")


def test_a_tool_message_needs_its_id():
    body = json.dumps(request(messages=[{"role": "tool", "content": "x"}])).encode()
    assert refusal(body) == ("messages[0].tool_call_id", "missing_required_parameter")


@pytest.mark.parametrize(
    ("place", "around", "param"),
    [
        (b'{"model":"m","messages":[{"role":"user"}],"anything":%b}', 1, "anything"),
        (b'{"model":"m","messages":[{"role":"user"}],"audio":{"x":%b}}', 2, "audio"),
        (b'{"model":"m","messages":[{"role":"user","content":%b}]}', 3, "messages[0].content"),
        (b'{"model":"m","messages":[{"role":"user","odd":%b}]}', 3, "messages[0].odd"),
        (
            (
                b'{"tools":[{"type":"function","function":{"name":"f","parameters":%b}}],'
                b'"model":"m","messages":[{"role":"user"}]}'
            ),
            4,
            "tools[0].function",
        ),
    ],
)
def test_nesting_over_100_levels_is_refused_wherever_it_is(place, around, param):
    deepest = 100 - around
    with pytest.raises(InvalidRequest) as caught:
        CLIENT.read_request(place % nested(deepest + 1))
    assert caught.value.param == param
    CLIENT.read_request(place % nested(deepest))


def test_brackets_in_strings_do_not_nest():
    text = '[{"\\' * 500
    CLIENT.read_request(json.dumps(request(messages=[{"role": "user", "content": text}])).encode())
    parts = [{"type": "text", "text": text}]
    CLIENT.read_request(json.dumps(request(messages=[{"role": "user", "content": parts}])).encode())


@pytest.mark.parametrize(
    "members",
    [
        {"anything": {"new": [1]}, "temperature": None, "tools": None, "stop": None},
        {"max_tokens": 1000.0, "seed": 2**70, "n": 1.0},
        {"temperature": 99, "top_p": -1},
        {"tools": [], "stop": [], "logit_bias": {}},
        {"stream": False, "stream_options": {"include_usage": True}},
        {"tools": [{"type": "web_search"}, {"type": "web_search"}]},
    ],
)
def test_what_the_target_has_to_judge_is_let_through(members):
    CLIENT.read_request(json.dumps(request(**members)).encode())


def test_an_escaped_role_is_understood():
    CLIENT.read_request(b'{"model":"m","messages":[{"role":"us\\u0065r","content":"x"}]}')


@pytest.mark.parametrize(
    ("members", "asked"),
    [
        ({}, False),
        ({"stream": True}, False),
        ({"stream": True, "stream_options": {}}, False),
        ({"stream": True, "stream_options": {"include_usage": False}}, False),
        ({"stream": True, "stream_options": {"include_usage": True}}, True),
        ({"stream_options": {"include_usage": True}}, False),
    ],
)
def test_whether_the_caller_wants_counts_is_known(members, asked):
    read = CLIENT.read_request(json.dumps(request(**members)).encode())
    assert read.include_usage is asked
    assert read.stream is members.get("stream", False)


def test_a_body_of_nothing_but_messages_is_refused_before_they_are_read():
    body = b'{"model":"m","messages":[' + b'{"role":"user"},' * 150_000 + b'{"role":"user"}]}'
    assert refusal(body) == ("messages", "invalid_value")
