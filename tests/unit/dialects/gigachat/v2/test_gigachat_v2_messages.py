"""Conversations: turns, parts, calls with their results and the state of their answer."""

import json

import pytest

from dragoman.canonical.conversation import (
    Media,
    MediaKind,
    Message,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from dragoman.canonical.request import FormatKind, OutputFormat
from dragoman.dialects.gigachat import v2
from dragoman.dialects.gigachat.v2.call_ids import CallOrigin, call_id
from dragoman.errors import InvalidRequest, UnsupportedByTarget
from support.gigachat_requests import ALL, PLAIN, called, request, result, said, user, write

STATE = "019e8373-dc9a-7883-af60-ebb20b79e1e1"
OTHER = "019e8373-e5fb-754f-a5b6-3025cdf27848"


def sent(*messages, **members):
    body, record = write(request(*messages, **members), upstream=v2.UPSTREAM)
    return body["messages"], record.fidelity


def text(role, words):
    return {"role": role, "content": [{"text": words}]}


def own_id(state=STATE, own="", number=0):
    return call_id(CallOrigin(state, own, number))


def function_call(name, arguments=None, **more):
    return {"function_call": {**more, "name": name, "arguments": arguments or {}}}


def function_result(name, value, **more):
    return {"function_result": {**more, "name": name, "result": value}}


def test_words_of_one_side_in_a_row_are_one_message():
    messages, fidelity = sent(
        said(Role.SYSTEM, "A"),
        said(Role.DEVELOPER, "B"),
        user("C"),
        user("D"),
        said(Role.ASSISTANT, "E"),
        said(Role.ASSISTANT, "F"),
        user("G"),
    )
    assert messages == [
        text("system", "A\n\nB"),
        text("user", "C\n\nD"),
        text("assistant", "E\n\nF"),
        text("user", "G"),
    ]
    assert fidelity.grade == "exact"


def test_later_instructions_stay_where_they_are():
    messages, fidelity = sent(user("A"), said(Role.SYSTEM, "B"))
    assert messages == [text("user", "A\n\n<system-reminder>\nB\n</system-reminder>")]
    assert fidelity.adjusted == ["messages[1].role:system->system-reminder"]


def test_a_json_object_is_asked_for_in_the_system_message():
    messages, _ = sent(user("A"), output_format=OutputFormat(FormatKind.JSON_OBJECT))
    assert messages[0]["role"] == "system"


def test_a_call_and_its_result_carry_the_state_of_their_answer():
    identity = own_id()
    messages, fidelity = sent(
        user("A"), called(ToolCall(identity, "f", '{"a":1}')), result(identity, '{"b":2}')
    )
    assert messages[1:] == [
        {
            "role": "assistant",
            "content": [function_call("f", {"a": 1})],
            "tools_state_id": STATE,
        },
        {
            "role": "tool",
            "content": [function_result("f", {"b": 2})],
            "tools_state_id": STATE,
        },
    ]
    assert fidelity.grade == "exact"


def test_several_calls_are_one_turn_and_their_results_one_message_in_the_order_of_the_calls():
    ids = [own_id(own=OTHER, number=0), own_id(own=STATE, number=1)]
    messages, fidelity = sent(
        user("A"),
        called(*(ToolCall(each, "f", "{}") for each in ids), text="B"),
        result(ids[1], "second"),
        result(ids[0], "first"),
        user("C"),
    )
    turn, answers, last = messages[1:]
    assert turn["content"] == [
        {"text": "B"},
        function_call("f", id=OTHER),
        function_call("f", id=STATE),
    ]
    assert answers["content"] == [
        function_result("f", {"result": "first"}, id=OTHER),
        function_result("f", {"result": "second"}, id=STATE),
    ]
    assert last == text("user", "C")
    assert fidelity.grade == "exact"


def test_calls_of_another_vendor_are_told_apart_and_carry_no_state():
    messages, _ = sent(
        user("A"),
        called(ToolCall("toolu_1", "f", "{}"), ToolCall("call_gc_" + "0" * 32, "f", "{}")),
        result("toolu_1", "1"),
        result("call_gc_" + "0" * 32, "2"),
    )
    turn, answers = messages[1:]
    assert "tools_state_id" not in turn
    assert "tools_state_id" not in answers
    assert [part["function_call"]["id"] for part in turn["content"]] == ["call_0", "call_1"]
    assert [part["function_result"]["id"] for part in answers["content"]] == ["call_0", "call_1"]


def test_one_call_after_the_other_stay_two_turns_with_their_own_states():
    first, second = own_id(STATE), own_id(OTHER)
    messages, _ = sent(
        user("A"),
        called(ToolCall(first, "f", "")),
        result(first, "1"),
        called(ToolCall(second, "g", "")),
        result(second, "2", name="g"),
    )
    assert [message["role"] for message in messages[1:]] == ["assistant", "tool"] * 2
    states = [message["tools_state_id"] for message in messages[1:]]
    assert states == [STATE, STATE, OTHER, OTHER]


def test_calls_of_two_answers_without_results_between_are_two_turns():
    first, second = own_id(STATE), own_id(OTHER)
    messages, _ = sent(
        user("A"),
        called(ToolCall(first, "f", "")),
        called(ToolCall(second, "g", "")),
        result(second, "2", name="g"),
        result(first, "1"),
    )
    assert [message["tools_state_id"] for message in messages[1:]] == [STATE, STATE, OTHER, OTHER]


def test_calls_of_one_answer_in_two_messages_are_one_turn():
    ids = [own_id(number=0), own_id(number=1)]
    messages, _ = sent(
        user("A"),
        said(Role.ASSISTANT, "B"),
        called(ToolCall(ids[0], "f", "")),
        called(ToolCall(ids[1], "g", "")),
        result(ids[0], "1"),
        result(ids[1], "2", name="g"),
    )
    assert [message["role"] for message in messages] == ["user", "assistant", "tool"]
    assert len(messages[1]["content"]) == len(messages[2]["content"]) + 1 == 3


def test_an_id_that_is_used_again_means_the_latest_call():
    messages, _ = sent(
        user("A"),
        called(ToolCall("x", "f", "")),
        result("x", "1"),
        called(ToolCall("x", "f", "")),
        result("x", "2"),
    )
    results = [
        m["content"][0]["function_result"]["result"] for m in messages if m["role"] == "tool"
    ]
    assert results == [{"result": 1}, {"result": 2}]


def test_a_call_without_a_result_gets_a_placeholder():
    messages, fidelity = sent(user("A"), called(ToolCall("x", "f", "")), user("B"))
    assert messages[2]["content"] == [
        function_result("f", {"result": "Error: Tool result missing"})
    ]
    assert fidelity.adjusted == ["messages[1].tool_calls:no result->placeholder"]


def test_a_result_without_a_call_is_the_users_words():
    messages, fidelity = sent(user("A"), result("x", "B", name="f"))
    assert messages == [text("user", "A\n\nf: B")]
    assert fidelity.adjusted == ["messages[1]:result without a call->user text"]


def test_of_several_results_of_one_call_the_last_counts():
    messages, fidelity = sent(
        user("A"), called(ToolCall("x", "f", "")), result("x", "1"), result("x", "2")
    )
    assert messages[2]["content"] == [function_result("f", {"result": 2})]
    assert fidelity.adjusted == ["messages[1].tool_calls:several results->the last"]


RESULTS = [
    ('{"r":1}', {"r": 1}),
    (' {"r": 1}', {"r": 1}),
    ('{"r":"\\u043f"}', {"r": "п"}),
    ("[1,2]", {"result": [1, 2]}),
    ("42", {"result": 42}),
    ('"x"', {"result": "x"}),
    ("null", {"result": None}),
    ("plain", {"result": "plain"}),
    ("", {}),
    ("  \n", {}),
    ("{'py': True}", {"py": True}),
    ('{"a":1}{"b":2}', {"result": '{"a":1}{"b":2}'}),
    ("1 2", {"result": "1 2"}),
]


@pytest.mark.parametrize(("words", "value"), RESULTS)
def test_a_result_is_a_json_object(words, value):
    messages, _ = sent(user("A"), called(ToolCall("x", "f", "")), result("x", words))
    assert messages[2]["content"] == [function_result("f", value)]


def test_a_result_that_python_cannot_hold_goes_on_as_it_is_written():
    words = '{"a":1e999,"b":"\\u043f"}'
    written = v2.UPSTREAM.write_request(
        request(user("A"), called(ToolCall("x", "f", words)), result("x", words)), PLAIN
    )
    assert b"".join(written.body).count(b"1e999") == 2


def test_a_failed_tool_says_so():
    failed = result("x", "no such city", is_error=True)
    messages, _ = sent(user("A"), called(ToolCall("x", "f", "")), failed)
    assert messages[2]["content"] == [function_result("f", {"result": "Error: no such city"})]


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([user("A"), said(Role.ASSISTANT, "B")], "messages[1]"),
        ([said(Role.ASSISTANT, "")], "messages"),
        (
            [Message(Role.USER, (Media(kind=MediaKind.VIDEO, media_type="x", data="y"),))],
            "messages[0].content[0]",
        ),
    ],
)
def test_what_the_model_would_not_see_is_refused(messages, param):
    with pytest.raises(InvalidRequest) as caught:
        sent(*messages)
    assert caught.value.param == param
    assert isinstance(caught.value, UnsupportedByTarget) or param == "messages"


def test_names_are_spelled_alike_everywhere():
    messages, _ = sent(user("A"), called(ToolCall("x", "a.b", "{}")), result("x", "1", name="a.b"))
    (call,), (answer,) = (message["content"] for message in messages[1:])
    name = call["function_call"]["name"]
    assert name == answer["function_result"]["name"] != "a.b"
    assert json.dumps(messages).count("a.b") == 0


def picture(url="https://example.com/a.png"):
    return Media(kind=MediaKind.IMAGE, media_type=None, url=url)


def test_pictures_and_files_are_parts_that_wait_for_their_ids():
    shown = Message(Role.USER, (Text("Look."), picture("a"), picture("b")))
    written = v2.UPSTREAM.write_request(request(user("Hi"), shown), ALL)
    assert [(each.media.url, each.path, each.turn) for each in written.attachments] == [
        ("a", "messages[1].content[1]", 0),
        ("b", "messages[1].content[2]", 0),
    ]
    uploaded = [Media(kind=MediaKind.IMAGE, media_type=None, file_id=name) for name in ("1", "2")]
    (message,) = json.loads(b"".join(written.with_media(uploaded)))["messages"]
    assert message["content"] == [{"text": "Hi\n\nLook."}, {"files": [{"id": "1"}, {"id": "2"}]}]


def test_a_picture_needs_no_words_and_a_tools_picture_follows_its_result():
    alone, _ = sent(Message(Role.USER, (picture(),)))
    assert alone == [{"role": "user", "content": [{"files": [{"id": ""}]}]}]
    shown = Message(Role.TOOL, (ToolResult("x", "f", (picture(),)),))
    messages, fidelity = sent(user("A"), called(ToolCall("x", "f", "")), shown, user("B"))
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "user"]
    assert messages[2]["content"] == [function_result("f", {"result": "See below."})]
    assert messages[3]["content"] == [{"text": "What f shows:\n\nB"}, {"files": [{"id": ""}]}]
    assert fidelity.adjusted == ["messages[2]:media in a result->user message"]
