"""Whole answers."""

import json

import pytest
from msgspec import Raw

from dragoman.canonical.conversation import CallKind, Reasoning, Text, ToolCall
from dragoman.canonical.events import StopReason
from dragoman.canonical.fidelity import Fidelity
from dragoman.canonical.request import Tool
from dragoman.canonical.usage import Usage
from dragoman.dialects import gigachat
from dragoman.dialects.base import WrittenRequest
from dragoman.dialects.gigachat.answers import read_arguments
from dragoman.dialects.gigachat.state_ids import state_id
from dragoman.errors import UpstreamBroken, UpstreamRefused, UpstreamUnavailable
from support.gigachat_requests import request, write

STATE = "0199aaaa-bbbb-cccc-dddd-eeeeffff0000"
PLAIN = WrittenRequest(body=[], fidelity=Fidelity(), tool_names={})


def answer(message, finish_reason="stop", **members):
    choice = {"message": {"role": "assistant", **message}, "index": 0}
    if finish_reason is not None:
        choice["finish_reason"] = finish_reason
    body = {"choices": [choice], "created": 7, "model": "GigaChat:2.0.28.2", **members}
    return json.dumps(body, ensure_ascii=False).encode()


def read(body, written=PLAIN):
    return gigachat.UPSTREAM.read_response(body, written)


def choice_of(body, written=PLAIN):
    (choice,) = read(body, written).choices
    return choice


def call(arguments, name="f", **members):
    return {"content": "", "function_call": {"name": name, "arguments": arguments}, **members}


def test_words_thoughts_and_the_frame_around_them():
    response = read(answer({"content": "Да.", "reasoning_content": "хм"}))
    assert response.model == "GigaChat:2.0.28.2"
    assert response.created == 7
    assert response.choices[0].parts == (Reasoning("хм"), Text("Да."))
    assert response.choices[0].reason is StopReason.END
    assert response.usage is None


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", StopReason.END),
        ("length", StopReason.MAX_TOKENS),
        ("blacklist", StopReason.FILTERED),
        ("function_call", StopReason.END),
        ("brand_new", StopReason.END),
    ],
)
def test_reasons_without_a_call(word, reason):
    assert choice_of(answer({"content": "x"}, word)).reason is reason


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("function_call", StopReason.TOOL_CALL),
        ("stop", StopReason.TOOL_CALL),
        ("length", StopReason.MAX_TOKENS),
        ("blacklist", StopReason.FILTERED),
    ],
)
def test_reasons_with_a_call(word, reason):
    assert choice_of(answer(call({}), word)).reason is reason


@pytest.mark.parametrize("content", ["", None])
def test_a_call_carries_its_state_in_its_id(content):
    message = {**call({"город": "Москва", "n": 0}, functions_state_id=STATE), "content": content}
    (part,) = choice_of(answer(message, "function_call")).parts
    assert part == ToolCall(
        "call_gc_0199aaaabbbbccccddddeeeeffff0000", "f", '{"город":"Москва","n":0}'
    )
    assert state_id(part.id) == STATE


def test_without_a_state_the_id_is_derived_from_the_call():
    def one(arguments, created=7):
        (part,) = choice_of(answer(call(arguments), "function_call", created=created)).parts
        return part.id

    assert one({"a": 1}) == one({"a": 1})
    assert len({one({"a": 1}), one({"a": 2}), one({"a": 1}, created=8)}) == 3
    assert state_id(one({})) is None


def test_a_state_too_long_to_carry_is_lost():
    (part,) = choice_of(answer(call({}, functions_state_id="x" * 80), "function_call")).parts
    assert len(part.id) <= 64
    assert state_id(part.id) is None


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        (b'{"b": 1.0, "a": [1, 2]}', '{"b":1.0,"a":[1,2]}'),
        (b'{"a":"x , y: z"}', '{"a":"x , y: z"}'),
        (b'{"a":"\\u043f"}', '{"a":"п"}'),
        (b'{"a":"\\u043f","n":1e999}', '{"a":"\\u043f","n":1e999}'),
        (b'{\n  "n": 123456789012345678901\n}', '{"n":123456789012345678901}'),
        (b'"{\\"a\\": 1}"', '{"a": 1}'),
        (b'""', "{}"),
        (b"null", "{}"),
        (b"{}", "{}"),
    ],
)
def test_arguments_are_compact_and_keep_their_spelling(wire, text):
    assert read_arguments(Raw(wire)) == text


def test_names_are_mapped_back():
    _, written = write(request(tools=(Tool("a.b", None, None),)))
    (wire,) = written.tool_names
    (part,) = choice_of(answer(call({}, wire), "function_call"), written).parts
    assert part.name == "a.b"


def test_a_custom_tools_input_is_unwrapped():
    _, written = write(request(tools=(Tool("p.q", None, None, kind=CallKind.CUSTOM),)))
    (wire,) = written.tool_names
    (part,) = choice_of(answer(call({"input": "x = {"}, wire), "function_call"), written).parts
    assert (part.name, part.arguments, part.kind) == ("p.q", "x = {", CallKind.CUSTOM)
    (part,) = choice_of(answer(call({"text": 1}, wire), "function_call"), written).parts
    assert part.arguments == '{"text":1}'


def test_the_function_for_an_answer_becomes_its_text():
    written = WrittenRequest(body=[], fidelity=Fidelity(), tool_names={}, json_tool="json_output")
    choice = choice_of(answer(call({"n": 1}, "json_output"), "function_call"), written)
    assert choice.parts == (Text('{"n":1}'),)
    assert choice.reason is StopReason.END


def test_words_beside_an_answer_that_has_a_form_are_left_out():
    written = WrittenRequest(body=[], fidelity=Fidelity(), tool_names={}, json_tool="json_output")
    message = {**call({"n": 1}, "json_output"), "content": "<think>hm</think>Here it is:"}
    choice = choice_of(answer(message, "function_call"), written)
    assert choice.parts == (Reasoning("hm"), Text('{"n":1}'))


def test_thoughts_in_tags_are_thoughts():
    choice = choice_of(answer({"content": "<think>hm</think>\n\nDone."}))
    assert choice.parts == (Reasoning("hm"), Text("Done."))


@pytest.mark.parametrize(
    ("wire", "usage"),
    [
        ((17, 3, 2), Usage(input=15, output=3, cache_read=2)),
        ((24, 21, 0), Usage(input=24, output=21)),
        ((5, 1, 9), Usage(input=0, output=1, cache_read=5)),
        ((5, 1, None), Usage(input=5, output=1)),
        ((-1, -1, -1), Usage()),
    ],
)
def test_counts_add_up_to_the_providers(wire, usage):
    names = ("prompt_tokens", "completion_tokens", "precached_prompt_tokens")
    given = dict(zip(names, wire, strict=True))
    assert read(answer({"content": "x"}, usage=given)).usage == usage
    assert usage.input_total == max(wire[0], 0)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"choices":[{"message":7}]}',
        b'{"choices":[]}',
        b"\xff",
        b"[" * 99999,
    ],
)
def test_what_is_no_answer_is_broken(body):
    with pytest.raises(UpstreamBroken):
        read(body)


def test_an_answer_without_an_end_is_broken():
    with pytest.raises(UpstreamBroken):
        read(answer({"content": "x"}, None))


def test_arguments_that_the_model_spoiled_are_an_error():
    with pytest.raises(UpstreamBroken) as caught:
        read(answer({"content": ""}, "error"))
    assert caught.value.code == "model_error"


def test_an_error_inside_a_200_is_that_error():
    with pytest.raises(UpstreamRefused) as caught:
        read(b'{"status":404,"message":"No such model"}')
    assert caught.value.status == 404
    with pytest.raises(UpstreamUnavailable):
        read(b'{"status":500,"message":"Internal Server Error"}')


@pytest.mark.parametrize(
    ("created", "seconds"), [(7.9, 7), ("12", 12), (None, 0), ("soon", 0), ("", 0)]
)
def test_odd_times_do_no_harm(created, seconds):
    assert read(answer({"content": "x"}, created=created)).created == seconds
