"""Whole answers."""

import json

import pytest

from dragoman.canonical.conversation import CallKind, Reasoning, Text, ToolCall
from dragoman.canonical.events import StopReason
from dragoman.canonical.fidelity import Fidelity
from dragoman.canonical.usage import Usage
from dragoman.dialects.base import WrittenRequest
from dragoman.dialects.gigachat.v2 import UPSTREAM
from dragoman.dialects.gigachat.v2.call_ids import CallOrigin, origin_of
from dragoman.errors import UpstreamBroken, UpstreamRefused, UpstreamUnavailable

STATE = "019e8373-dc9a-7883-af60-ebb20b79e1e1"
PLAIN = WrittenRequest(body=[], fidelity=Fidelity(), tool_names={})


def assistant(*parts, **members):
    return {"role": "assistant", "content": list(parts), **members}


def body(*messages, finish="stop", **members):
    return json.dumps(
        {
            "model": "GigaChat-3-Ultra:32.3.18.5",
            "created_at": 7,
            "messages": list(messages),
            "finish_reason": finish,
            **members,
        }
    ).encode()


def read(*messages, written=PLAIN, **members):
    return UPSTREAM.read_response(body(*messages, **members), written)


def parts_of(*messages, written=PLAIN, **members):
    return read(*messages, written=written, **members).choices[0].parts


def call(name="f", arguments=None, **more):
    return {"function_call": {"name": name, "arguments": arguments or {}, **more}}


def test_a_text_with_its_counts():
    usage = {
        "input_tokens": 20,
        "input_tokens_details": {"prompt_tokens": 20, "cached_tokens": 8},
        "output_tokens": 3,
        "total_tokens": 23,
    }
    answer = read(assistant({"text": "Hello"}), usage=usage, message_id="m")
    assert (answer.id, answer.model, answer.created) == ("m", "GigaChat-3-Ultra:32.3.18.5", 7)
    assert answer.choices[0].parts == (Text("Hello"),)
    assert answer.choices[0].reason is StopReason.END
    assert answer.usage == Usage(12, 3, 8)
    assert answer.usage.total == 23


def test_texts_of_several_parts_and_messages_are_one():
    assert parts_of(assistant({"text": "A"}, {"text": "B"}), assistant({"text": "C"})) == (
        Text("ABC"),
    )


def test_thoughts_are_apart_and_what_tools_did_is_passed_over():
    messages = [
        {"role": "reasoning", "content": [{"text": "hm"}]},
        {"role": "tool", "content": [{"text": "raw page"}]},
        assistant({"tool_execution": {"name": "web_search", "status": "completed"}}, {"text": "A"}),
    ]
    assert parts_of(*messages) == (Reasoning("hm"), Text("A"))


def test_several_calls_have_different_ids_with_one_state():
    one, two = parts_of(
        assistant(call(id="a"), call("g", {"x": 1}, id="b"), tool_state_id=STATE),
        finish="function_call",
    )
    assert origin_of(one.id) == CallOrigin(STATE, "a", 0)
    assert origin_of(two.id) == CallOrigin(STATE, "b", 1)
    assert (two.name, two.arguments) == ("g", '{"x":1}')


@pytest.mark.parametrize("member", ["tool_state_id", "tools_state_id"])
@pytest.mark.parametrize("on_top", [True, False])
def test_the_state_is_read_under_either_name_and_in_either_place(member, on_top):
    state = {member: STATE}
    message = assistant(call(), **({} if on_top else state))
    (found,) = parts_of(message, **(state if on_top else {}))
    assert origin_of(found.id) == CallOrigin(STATE, "", 0)


def test_calls_without_any_id_are_told_apart_and_carry_nothing():
    one, two = parts_of(assistant(call(), call()))
    assert one.id != two.id
    assert origin_of(one.id) is origin_of(two.id) is None


def test_a_call_that_is_given_twice_is_one():
    assert len(parts_of(assistant(call(id="a"), call(id="a")))) == 1


def test_a_call_on_the_message_counts_as_a_part():
    (found,) = parts_of({"role": "assistant", "content": "", **call("f", {"a": "ж"})})
    assert (found.name, found.arguments) == ("f", '{"a":"ж"}')


def test_names_free_texts_and_structured_answers_are_undone():
    written = WrittenRequest(
        body=[],
        fidelity=Fidelity(),
        tool_names={"a_b": "a.b"},
        custom_tools=frozenset({"free"}),
        json_tool="json_output",
    )
    (renamed,) = parts_of(assistant(call("a_b")), written=written)
    assert renamed.name == "a.b"
    (free,) = parts_of(assistant(call("free", {"input": "words"})), written=written)
    assert (free.kind, free.arguments) == (CallKind.CUSTOM, "words")
    answer = read(assistant(call("json_output", {"a": 1})), written=written, finish="function_call")
    assert answer.choices[0].parts == (Text('{"a":1}'),)
    assert answer.choices[0].reason is StopReason.END


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", StopReason.END),
        ("length", StopReason.MAX_TOKENS),
        ("blacklist", StopReason.FILTERED),
        ("function_call", StopReason.END),
    ],
)
def test_how_an_answer_ends(word, reason):
    assert read(assistant({"text": "A"}), finish=word).choices[0].reason is reason
    on_message = assistant({"text": "A"}, finish_reason=word)
    assert read(on_message, finish=None).choices[0].reason is reason


def test_a_call_ends_an_answer_as_a_call():
    assert read(assistant(call()), finish="stop").choices[0].reason is StopReason.TOOL_CALL
    assert isinstance(parts_of(assistant(call()))[0], ToolCall)


def test_files_that_the_model_made_are_kept_in_the_text():
    image = {"id": "i-1", "mime": "image/jpeg", "target": "image"}
    model = {"id": "m-1", "mime": "model/gltf-binary"}
    assert parts_of(assistant({"files": [image, model]}, {"text": "Done."})) == (
        Text('<img src="i-1" fuse="true"/><file src="m-1"/>Done.'),
    )


def test_pages_are_cited_where_a_search_was_asked_for():
    sources = {"1": {"url": "https://a.example/", "title": "A"}}
    message = assistant({"text": "Yes [sources=[1]].", "inline_data": {"sources": sources}})
    written = WrittenRequest(body=[], fidelity=Fidelity(), tool_names={}, cites=True)
    choice = read(message, written=written).choices[0]
    assert choice.parts == (Text("Yes [1].\n\nSources:\n- [1] [A](https://a.example/)"),)
    (citation,) = choice.citations
    assert (citation.start, citation.end, citation.title) == (4, 7, "A")
    assert parts_of(message) == (Text("Yes [sources=[1]]."),)


def test_callers_who_know_gigachat_find_its_ids():
    message = assistant({"tool_execution": {"name": "web_search"}}, {"text": "A"})
    answer = read({**message, "tool_state_id": STATE}, message_id="m")
    assert answer.extras["openai_chat"]["metadata"] == {
        "gigachat_message_id": "m",
        "gigachat_tool_state_id": STATE,
        "gigachat_called_tools": '["web_search"]',
    }


@pytest.mark.parametrize("moment", [{"created_at": "7"}, {"created_at": None, "created": 7}])
def test_the_moment_is_read_in_every_spelling(moment):
    assert read(assistant({"text": "A"}), **moment).created == 7


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"<html>", UpstreamBroken),
        (b"[]", UpstreamBroken),
        (b'{"messages":[{"role":5}]}', UpstreamBroken),
        (b"{}", UpstreamBroken),
        (body(assistant({"text": "A"}), finish=None), UpstreamBroken),
        (body(assistant({"text": "A"}), finish="error"), UpstreamBroken),
        (b'{"status":422,"message":"Invalid params"}', UpstreamRefused),
        (b'{"error":{"code":500,"message":"x"}}', UpstreamUnavailable),
    ],
)
def test_what_is_no_answer_is_an_error(answer, kind):
    with pytest.raises(kind):
        UPSTREAM.read_response(answer, PLAIN)


FORM = WrittenRequest(body=[], fidelity=Fidelity(), tool_names={}, json_tool="json_output")


def test_thoughts_in_tags_are_told_from_the_answer():
    parts = parts_of(assistant({"text": "<think>hm</think>\n\nA"}))
    assert parts == (Reasoning("hm"), Text("A"))


def test_words_beside_an_answer_that_has_a_form_would_spoil_it():
    form = call("json_output", {"a": 1})
    assert parts_of(assistant({"text": "Here:"}, form, form), written=FORM) == (Text('{"a":1}'),)
    assert parts_of(assistant({"text": "Words."}), written=FORM) == (Text("Words."),)
    words, tool = parts_of(assistant({"text": "First this."}, call("f")), written=FORM)
    assert words == Text("First this.")
    assert isinstance(tool, ToolCall)
