"""Messages in canonical form."""

import pytest
from msgspec.json import decode

from dragoman.canonical.conversation import (
    CallKind,
    Media,
    MediaKind,
    Message,
    Native,
    Reasoning,
    Refusal,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from dragoman.errors import InvalidRequest
from support.openai_chat_requests import USER, conversation, message, own, parts

CONTENTS = [
    ("hi", (Text("hi"),)),
    ("", (Text(""),)),
    (None, ()),
    ([], ()),
    ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], (Text("a"), Text("b"))),
]


@pytest.mark.parametrize("role", ["system", "developer", "user", "assistant"])
@pytest.mark.parametrize(("content", "expected"), CONTENTS)
def test_content_is_read_in_every_form_and_role(role, content, expected):
    read = message(role=role, content=content)
    assert read == Message(Role(role), expected)


def test_content_may_be_missing():
    assert message(role="assistant").parts == ()


PARTS = [
    (
        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
        Text("a", own(cache_control={"type": "ephemeral"})),
    ),
    (
        {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}},
        Media(kind=MediaKind.IMAGE, media_type=None, url="https://x.test/a.png"),
    ),
    (
        {"type": "image_url", "image_url": "data:image/png;base64,QUJD"},
        Media(kind=MediaKind.IMAGE, media_type="image/png", data="QUJD"),
    ),
    (
        {"type": "image_url", "image_url": {"url": "data:;base64,QUJD"}},
        Media(kind=MediaKind.IMAGE, media_type=None, data="QUJD"),
    ),
    (
        {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "mp3"}},
        Media(kind=MediaKind.AUDIO, media_type="audio/mpeg", data="QUJD"),
    ),
    (
        {
            "type": "file",
            "file": {"file_data": "data:application/pdf;base64,QUJD", "filename": "a.pdf"},
        },
        Media(kind=MediaKind.DOCUMENT, media_type="application/pdf", data="QUJD", name="a.pdf"),
    ),
    (
        {"type": "file", "file": {"file_data": "QUJD"}},
        Media(kind=MediaKind.DOCUMENT, media_type=None, data="QUJD"),
    ),
    (
        {"type": "file", "file": {"file_id": "file-1"}},
        Media(kind=MediaKind.DOCUMENT, media_type=None, file_id="file-1"),
    ),
    ({"type": "refusal", "refusal": "no"}, Refusal("no")),
]


@pytest.mark.parametrize(("part", "expected"), PARTS, ids=lambda value: str(value)[:40])
def test_parts_are_read(part, expected):
    (read,) = parts(part)
    assert read == expected


def test_the_detail_of_an_image_and_its_marks_are_kept():
    (read,) = parts(
        {
            "type": "image_url",
            "image_url": {"url": "u", "detail": "low"},
            "prompt_cache_breakpoint": {"mode": "explicit"},
        }
    )
    extras = read.extras["openai_chat"]
    assert bytes(extras["payload"]["detail"]) == b'"low"'
    assert decode(extras["prompt_cache_breakpoint"]) == {"mode": "explicit"}


def test_an_unknown_part_stays_whole():
    (read,) = parts({"type": "hologram", "x": 1.50})
    assert isinstance(read, Native)
    assert (read.dialect, read.kind) == ("openai_chat", "hologram")
    assert decode(read.body) == {"type": "hologram", "x": 1.5}


def call(call_id="c1", arguments="{}", name="f"):
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def test_a_round_of_tools_is_read():
    read = conversation(
        messages=[
            USER,
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [call("c1", '{"a":1}'), call("c2", "", "g")],
            },
            {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "2"}]},
            {"role": "tool", "tool_call_id": "c1", "content": "1", "name": "whatever"},
        ]
    )
    _, asked, second, first = read.messages
    assert asked.parts == (ToolCall("c1", "f", '{"a":1}'), ToolCall("c2", "g", ""))
    assert second == Message(Role.TOOL, (ToolResult("c2", "g", (Text("2"),)),))
    assert first == Message(Role.TOOL, (ToolResult("c1", "f", (Text("1"),)),))


NAMELESS = [
    ([{}, {}], ["c1", "c2"]),
    ([{"name": "g"}, {}], ["c2", "c1"]),
    ([{"name": "g"}, {"name": "g"}], ["c2", "c1"]),
    ([{"name": "nobody"}, {"tool_call_id": None}], ["c1", "c2"]),
    ([{"tool_call_id": "c1"}, {}], ["c1", "c2"]),
    ([{"tool_call_id": "c1", "name": "g"}, {"name": "f"}], ["c1", "c2"]),
]


@pytest.mark.parametrize(("results", "answered"), NAMELESS)
def test_a_result_without_an_id_answers_the_oldest_open_call(results, answered):
    asked = {"role": "assistant", "tool_calls": [call("c1"), call("c2", name="g")]}
    told = [{"role": "tool", "content": "1", **members} for members in results]
    read = conversation(messages=[USER, asked, *told]).messages[2:]
    assert [one.parts[0].call_id for one in read] == answered


def test_a_result_without_an_id_needs_an_open_call():
    told = [{"role": "assistant", "tool_calls": [call()]}, *[{"role": "tool", "content": ""}] * 2]
    with pytest.raises(InvalidRequest) as caught:
        conversation(messages=told)
    assert (caught.value.param, caught.value.code) == (
        "messages[2].tool_call_id",
        "missing_required_parameter",
    )


def test_an_id_that_is_used_again_is_open_again():
    one = [{"role": "assistant", "tool_calls": [call()]}, {"role": "tool", "content": ""}]
    assert len(conversation(messages=one * 3).messages) == 6


def test_a_custom_call_keeps_its_text():
    custom = {"id": "c1", "type": "custom", "custom": {"name": "patch", "input": "*** {"}}
    read = message(role="assistant", content=None, tool_calls=[custom])
    assert read.parts == (ToolCall("c1", "patch", "*** {", CallKind.CUSTOM),)


def test_deprecated_calls_get_the_same_ids_every_time():
    legacy = [
        USER,
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "1"},
        {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "2"},
    ]
    first, again = conversation(messages=legacy), conversation(messages=legacy)
    assert first == again
    ids = [m.parts[0].id for m in first.messages if isinstance(m.parts[0], ToolCall)]
    answers = [m.parts[0].call_id for m in first.messages if isinstance(m.parts[0], ToolResult)]
    assert ids == answers
    assert len(set(ids)) == 2


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_stands_before_the_words(name):
    read = message(role="assistant", content="b", **{name: "a"})
    assert read.parts == (Reasoning("a"), Text("b"))


def test_reasoning_details_are_kept():
    read = message(role="assistant", content="b", reasoning_details=[{"data": "x"}])
    (detail,) = read.parts[0].extras["openai_chat"]["reasoning_details"]
    assert decode(detail) == {"data": "x"}


def test_a_refusal_and_unknown_members_are_kept():
    read = message(role="assistant", content=None, refusal="no", annotations=[], name="bot")
    assert read.parts == (Refusal("no"),)
    assert read.name == "bot"
    assert read.extras == own(annotations=[])


WRONG = [
    ([{"role": "user", "content": 5}], "messages[0].content", "invalid_type"),
    ([{"role": "user", "content": [5]}], "messages[0].content[0]", "invalid_type"),
    (
        [{"role": "user", "content": [{}]}],
        "messages[0].content[0].type",
        "missing_required_parameter",
    ),
    (
        [{"role": "user", "content": [{"type": "text"}]}],
        "messages[0].content[0].text",
        "missing_required_parameter",
    ),
    (
        [{"role": "user", "content": [{"type": "text", "text": 5}]}],
        "messages[0].content[0].text",
        "invalid_type",
    ),
    (
        [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}],
        "messages[0].content[0].image_url.url",
        "missing_required_parameter",
    ),
    (
        [{"role": "user", "content": [{"type": "image_url", "image_url": 5}]}],
        "messages[0].content[0].image_url",
        "invalid_type",
    ),
    (
        [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"format": "wav"}}]}],
        "messages[0].content[0].input_audio.data",
        "missing_required_parameter",
    ),
    (
        [{"role": "user", "content": [{"type": "file", "file": {}}]}],
        "messages[0].content[0].file",
        "invalid_value",
    ),
    ([{"role": "user", "content": "x", "name": 5}], "messages[0].name", "invalid_type"),
    ([{"role": "assistant", "tool_calls": {}}], "messages[0].tool_calls", "invalid_type"),
    (
        [{"role": "assistant", "tool_calls": [{}]}],
        "messages[0].tool_calls[0].id",
        "missing_required_parameter",
    ),
    (
        [{"role": "assistant", "tool_calls": [{"id": "c"}]}],
        "messages[0].tool_calls[0].function",
        "missing_required_parameter",
    ),
    (
        [{"role": "assistant", "tool_calls": [{"id": "c", "type": "odd"}]}],
        "messages[0].tool_calls[0].type",
        "invalid_value",
    ),
    (
        [{"role": "assistant", "tool_calls": [call(arguments="{")]}],
        "messages[0].tool_calls[0].function.arguments",
        "invalid_value",
    ),
    (
        [{"role": "assistant", "tool_calls": [call(arguments={})]}],
        "messages[0].tool_calls[0].function.arguments",
        "invalid_type",
    ),
    (
        [{"role": "assistant", "tool_calls": [call(arguments="[" * 101 + "]" * 101)]}],
        "messages[0].tool_calls[0].function.arguments",
        "invalid_value",
    ),
    (
        [{"role": "assistant", "function_call": {"arguments": "{}"}}],
        "messages[0].function_call.name",
        "missing_required_parameter",
    ),
    (
        [
            {"role": "assistant", "tool_calls": [call()]},
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "odd"}]},
        ],
        "messages[1].content[0].type",
        "invalid_value",
    ),
]


@pytest.mark.parametrize(("messages", "param", "code"), WRONG, ids=[case[1] for case in WRONG])
def test_a_mistake_in_a_message_is_reported_with_its_path(messages, param, code):
    with pytest.raises(InvalidRequest) as caught:
        conversation(messages=messages)
    assert (caught.value.param, caught.value.code) == (param, code)
