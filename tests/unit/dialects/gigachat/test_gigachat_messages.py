"""Roles, order and tool history."""

import json

import pytest
from msgspec import Raw

from dragoman.canonical.conversation import (
    CallKind,
    Message,
    Native,
    Reasoning,
    Refusal,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from dragoman.errors import InvalidRequest, UnsupportedByTarget
from support.gigachat_requests import called, request, result, said, user, write

STATE = "0199aaaa-bbbb-cccc-dddd-eeeeffff0000"
STATE_ID = "call_gc_0199aaaabbbbccccddddeeeeffff0000"


def messages(*given, **members):
    body, written = write(request(*given, **members))
    return body["messages"], written.fidelity


def line(role, content):
    return {"role": role, "content": content}


CASES = {
    "leading instructions become one system message": (
        [said(Role.SYSTEM, "A"), said(Role.DEVELOPER, "B"), user("C")],
        [line("system", "A\n\nB"), line("user", "C")],
    ),
    "parts of a message are joined without a separator": (
        [Message(Role.USER, (Text("a"), Text("b")))],
        [line("user", "ab")],
    ),
    "adjacent user turns are merged": (
        [user("a"), user("b")],
        [line("user", "a\n\nb")],
    ),
    "consecutive assistant texts are merged": (
        [user("a"), said(Role.ASSISTANT, "b"), said(Role.ASSISTANT, "c"), user("d")],
        [line("user", "a"), line("assistant", "b\n\nc"), line("user", "d")],
    ),
    "a turn that is empty disappears and its neighbours are merged": (
        [user("a"), said(Role.ASSISTANT, ""), user("b")],
        [line("user", "a\n\nb")],
    ),
    "a refusal is text, reasoning is silent": (
        [
            user("a"),
            Message(Role.ASSISTANT, (Reasoning("hm"), Refusal("no"))),
            user("b"),
        ],
        [line("user", "a"), line("assistant", "no"), line("user", "b")],
    ),
    "an empty system message disappears": (
        [said(Role.SYSTEM, ""), user("a")],
        [line("user", "a")],
    ),
}


@pytest.mark.parametrize(("given", "sent"), CASES.values(), ids=CASES)
def test_turns(given, sent):
    wire, fidelity = messages(*given)
    assert wire == sent
    assert fidelity.grade == "exact"


def test_a_later_instruction_is_a_reminder_in_the_user_turn():
    wire, fidelity = messages(
        user("a"), said(Role.ASSISTANT, "b"), said(Role.SYSTEM, "be brief"), user("c")
    )
    reminder = "<system-reminder>\nbe brief\n</system-reminder>"
    assert wire[2:] == [line("user", f"{reminder}\n\nc")]
    assert fidelity.adjusted == ["messages[2].role:system->system-reminder"]


def test_an_instruction_at_the_end_joins_the_user_turn_before_it():
    wire, _ = messages(user("a"), said(Role.SYSTEM, "b"))
    assert wire == [line("user", "a\n\n<system-reminder>\nb\n</system-reminder>")]


def call(number, arguments="{}", **members):
    return ToolCall(f"c{number}", members.pop("name", "f"), arguments, **members)


def wire_call(arguments, content="", name="f"):
    return line("assistant", content) | {"function_call": {"name": name, "arguments": arguments}}


def wire_result(content, name="f"):
    return line("function", content) | {"name": name}


def test_parallel_calls_become_call_and_result_in_turn():
    wire, fidelity = messages(
        user("go"),
        called(call(1, '{"a":1}'), call(2, '{"b":2}', name="g"), text="well"),
        result("c2", '{"two":2}', "g"),
        result("c1", "[1]"),
        user("and?"),
    )
    assert wire == [
        line("user", "go"),
        wire_call({"a": 1}, "well"),
        wire_result('{"result":[1]}'),
        wire_call({"b": 2}, name="g"),
        wire_result('{"two":2}', "g"),
        line("user", "and?"),
    ]
    assert fidelity.grade == "exact"


def test_a_call_in_each_of_several_messages_is_one_turn():
    wire, _ = messages(
        user("go"), called(call(1)), called(call(2)), result("c1", "{}"), result("c2", "[]")
    )
    assert [m["role"] for m in wire] == ["user", "assistant", "function", "assistant", "function"]
    assert [m["content"] for m in wire[2::2]] == ["{}", '{"result":[]}']


def test_what_the_assistant_says_with_the_result_follows_the_result():
    wire, fidelity = messages(
        user("a"),
        called(call(1), text="wait"),
        result("c1", "{}"),
        called(call(2), text="more"),
        result("c2", "{}"),
        said(Role.ASSISTANT, "done"),
        user("b"),
    )
    assert wire[1:] == [
        wire_call({}, "wait"),
        wire_result("{}"),
        wire_call({}, "more"),
        wire_result("{}"),
        line("assistant", "done"),
        line("user", "b"),
    ]
    assert fidelity.grade == "exact"


def test_a_late_result_goes_to_the_turn_that_asked():
    wire, fidelity = messages(
        user("a"),
        called(call(1), call(2)),
        result("c1", "{}"),
        said(Role.ASSISTANT, "hm"),
        result("c2", '{"two":2}'),
        user("b"),
    )
    assert wire[1:] == [
        wire_call({}),
        wire_result("{}"),
        wire_call({}),
        wire_result('{"two":2}'),
        line("assistant", "hm"),
        line("user", "b"),
    ]
    assert fidelity.grade == "exact"


def test_each_call_gets_its_state_back():
    wire, _ = messages(user("a"), called(ToolCall(STATE_ID, "f", "{}")), result(STATE_ID, "{}"))
    assert wire[1]["functions_state_id"] == STATE


def test_a_state_is_never_made_up_from_a_clients_id():
    wire, _ = messages(user("a"), called(call(1)), result("c1", "{}"))
    assert "functions_state_id" not in wire[1]


def test_reused_ids_are_matched_within_their_turn_and_in_order():
    wire, fidelity = messages(
        user("a"),
        called(call(0, '{"n":1}'), call(0, '{"n":2}')),
        result("c0", "[1]"),
        result("c0", "[2]"),
        called(call(0, '{"n":3}')),
        result("c0", "[3]"),
    )
    contents = [json.loads(m["content"]) for m in wire if m["role"] == "function"]
    assert contents == [{"result": [1]}, {"result": [2]}, {"result": [3]}]
    assert fidelity.grade == "exact"


def test_of_several_results_the_last_counts():
    wire, fidelity = messages(user("a"), called(call(1)), result("c1", "[1]"), result("c1", "[2]"))
    assert wire[2] == wire_result('{"result":[2]}')
    assert fidelity.adjusted == ["messages[1].tool_calls:several results->the last"]


def test_a_missing_result_is_made_up_and_noted():
    wire, fidelity = messages(user("a"), called(call(1)), user("never mind"))
    assert wire[2] == wire_result('{"result":"Error: Tool result missing"}')
    assert wire[3] == line("user", "never mind")
    assert fidelity.adjusted == ["messages[1].tool_calls:no result->placeholder"]


def test_a_result_without_a_call_is_told_by_the_user():
    wire, fidelity = messages(user("a"), result("c9", "42"), user("b"))
    assert wire == [line("user", "a\n\nf: 42\n\nb")]
    assert fidelity.adjusted == ["messages[1]:result without a call->user text"]


def test_what_stands_between_a_call_and_its_result_follows_the_result():
    wire, _ = messages(user("a"), called(call(1)), user("wait"), result("c1", "{}"))
    assert wire[2:] == [wire_result("{}"), line("user", "wait")]


def test_a_result_in_parts_is_their_text():
    parts = (Text("par"), Text("t"))
    wire, _ = messages(
        user("a"), called(call(1)), Message(Role.TOOL, (ToolResult("c1", "f", parts),))
    )
    assert wire[2]["content"] == '{"result":"part"}'


def test_an_error_says_so_once():
    wire, _ = messages(user("a"), called(call(1)), result("c1", "no file", is_error=True))
    assert json.loads(wire[2]["content"]) == {"result": "Error: no file"}
    wire, _ = messages(user("a"), called(call(1)), result("c1", "Error: no", is_error=True))
    assert json.loads(wire[2]["content"]) == {"result": "Error: no"}


ARGUMENTS = [
    ('{"a": 1.0, "b": 1e3}', '{"a": 1.0, "b": 1e3}', None),
    ("", "{}", None),
    ("  ", "{}", None),
    ('{"a":"\\u043f"}', '{"a":"п"}', None),
    ('"x"', '{"value":"x"}', "messages[1].tool_calls:no object->object"),
    ("null", '{"value":null}', "messages[1].tool_calls:no object->object"),
    ("[1]", '{"value":[1]}', "messages[1].tool_calls:no object->object"),
    ('{"a":', '{"_raw":"{\\"a\\":"}', "messages[1].tool_calls:invalid JSON->object"),
]


@pytest.mark.parametrize(("text", "sent", "note"), ARGUMENTS)
def test_arguments_are_an_object(text, sent, note):
    _, written = write(request(user("a"), called(call(1, text)), result("c1", "{}")))
    assert f'"arguments":{sent}' in written.body[0].decode()
    assert written.fidelity.adjusted == ([note] if note else [])


def test_the_input_of_a_custom_tool_is_its_only_argument():
    wire, _ = messages(
        user("a"), called(call(1, "x = {", kind=CallKind.CUSTOM)), result("c1", "{}")
    )
    assert wire[1]["function_call"]["arguments"] == {"input": "x = {"}


def test_a_begun_answer_is_refused():
    with pytest.raises(UnsupportedByTarget) as caught:
        messages(user("a"), said(Role.ASSISTANT, "Once upon"))
    assert caught.value.param == "messages[1]"


@pytest.mark.parametrize("given", [[user("")], [said(Role.ASSISTANT, "")]])
def test_a_conversation_without_words_is_refused(given):
    with pytest.raises(InvalidRequest) as caught:
        messages(*given)
    assert caught.value.param == "messages"


def test_members_of_messages_are_dropped_by_name_or_pass_silently():
    extras = {"openai_chat": {"provider_specific_fields": Raw(b"{}"), "cache_control": Raw(b"{}")}}
    part = Text("a", {"openai_chat": {"cache_control": Raw(b"{}"), "odd": Raw(b"1")}})
    _, fidelity = messages(Message(Role.USER, (part,), name="bob", extras=extras))
    assert fidelity.dropped == ["messages[].provider_specific_fields", "messages[].content[].odd"]


def test_parts_of_another_dialect_are_dropped_by_kind():
    native = Native("anthropic_messages", "server_tool_use", Raw(b"{}"))
    _, fidelity = messages(Message(Role.USER, (Text("a"), native)))
    assert fidelity.dropped == ["messages[0].content[].server_tool_use"]


def test_the_body_has_no_escapes():
    _, written = write(request(user("Привет, мир")))
    assert "Привет, мир".encode() in written.body[0]


def test_a_long_history_of_parallel_calls_is_linear_work():
    calls = [call(number) for number in range(20_000)]
    answers = [result(f"c{number}", "{}") for number in range(20_000)]
    wire, _ = messages(user("a"), called(*calls), *answers)
    assert len(wire) == 40_001
