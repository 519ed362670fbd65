"""Requests in canonical form."""

import json


import pytest
from msgspec import Raw
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
from dragoman.canonical.request import (
    ChatRequest,
    FormatKind,
    OutputFormat,
    Tool,
    ToolChoice,
    ToolMode,
)
from dragoman.dialects.openai_chat import CLIENT
from dragoman.dialects.openai_chat.fields import FIELDS
from dragoman.errors import InvalidRequest

USER = {"role": "user", "content": "hi"}


def conversation(**members):
    body = {"model": "m", "messages": [USER], **members}
    return CLIENT.read_request(json.dumps(body).encode()).conversation()


def message(**members):
    return conversation(messages=[members]).messages[0]


def parts(*content):
    return message(role="user", content=list(content)).parts


def own(**members):
    return {"openai_chat": {name: Raw(json.dumps(v).encode()) for name, v in members.items()}}


# The table of the specification, client-dialects section 2.
SPECIFIED = """model messages stream stream_options max_completion_tokens max_tokens temperature
top_p n stop seed presence_penalty frequency_penalty logit_bias logprobs top_logprobs tools
tool_choice parallel_tool_calls functions function_call response_format reasoning_effort verbosity
modalities audio prediction web_search_options metadata store service_tier user safety_identifier
prompt_cache_key prompt_cache_options prompt_cache_retention moderation""".split()


def test_every_specified_member_is_in_the_table():
    assert set(SPECIFIED) <= FIELDS.keys()


PLAIN = {
    "temperature": 0.5,
    "top_p": 1,
    "top_k": 5,
    "min_p": 0.1,
    "repetition_penalty": 1.1,
    "presence_penalty": -1,
    "frequency_penalty": 1,
    "seed": 2**64,
    "n": 2,
    "logit_bias": {"50256": -100},
    "logprobs": True,
    "top_logprobs": 3,
    "parallel_tool_calls": False,
    "reasoning_effort": "minimal",
    "verbosity": "low",
    "service_tier": "flex",
    "user": "u",
    "metadata": {"a": "b"},
    "store": False,
}


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_member_keeps_its_name_and_value(name):
    read = conversation(**{name: PLAIN[name]})
    assert getattr(read, name) == PLAIN[name]
    assert type(getattr(read, name)) is type(PLAIN[name])
    assert read.extras == {}


CARRIED = {
    "audio": {"format": "wav", "voice": "x"},
    "prediction": {"type": "content", "content": "x"},
    "web_search_options": {},
    "safety_identifier": "s",
    "prompt_cache_key": "k",
    "prompt_cache_options": {"mode": "implicit"},
    "prompt_cache_retention": "24h",
    "moderation": {"model": "x"},
    "chat_template_kwargs": {"thinking": True},
    "made_up": [1.50, "x"],
}


@pytest.mark.parametrize("name", CARRIED)
def test_a_member_without_canonical_form_is_carried_as_it_came(name):
    assert conversation(**{name: CARRIED[name]}).extras == own(**{name: CARRIED[name]})


@pytest.mark.parametrize("name", [*FIELDS.keys() - {"model", "messages"}, "made_up"])
def test_null_is_the_same_as_absent(name):
    assert conversation(**{name: None}) == conversation()


@pytest.mark.parametrize("members", [{"tools": []}, {"stop": []}, {"logit_bias": {}}])
def test_empty_is_the_same_as_absent(members):
    assert conversation(**members) == conversation()


OTHERS = [
    ({"max_tokens": 5}, {"max_output_tokens": 5}),
    ({"max_tokens": 5, "max_completion_tokens": 7}, {"max_output_tokens": 7}),
    ({"max_completion_tokens": 7, "max_tokens": 5}, {"max_output_tokens": 7}),
    ({"max_tokens": 1000.0}, {"max_output_tokens": 1000}),
    ({"stop": "x"}, {"stop": ("x",)}),
    ({"stop": ["x", "y"]}, {"stop": ("x", "y")}),
    ({"modalities": ["text"]}, {"modalities": ("text",)}),
    ({"stream": True}, {"stream": True}),
    ({"response_format": {"type": "text"}}, {"output_format": OutputFormat(FormatKind.TEXT)}),
    (
        {"response_format": {"type": "json_object"}},
        {"output_format": OutputFormat(FormatKind.JSON_OBJECT)},
    ),
    (
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True},
            }
        },
        {
            "output_format": OutputFormat(
                FormatKind.JSON_SCHEMA, "n", None, {"type": "object"}, strict=True
            )
        },
    ),
    ({"response_format": {"type": "odd"}}, {"extras": own(response_format={"type": "odd"})}),
    (
        {"stream": True, "stream_options": {"include_usage": True, "new": 1}},
        {"stream": True, "extras": own(stream_options={"include_usage": True, "new": 1})},
    ),
    (
        {"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": True}},
        {"stream": True},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("members", "expected"), OTHERS)
def test_members_with_another_name_or_form(members, expected):
    read = conversation(**members)
    base = {name: getattr(conversation(), name) for name in ("model", "messages", "stream")}
    if "extras" in expected:  # bytes as they came, not as a test would space them
        assert {k: decode(v) for k, v in read.extras["openai_chat"].items()} == {
            k: decode(v) for k, v in expected["extras"]["openai_chat"].items()
        }
        expected = {**expected, "extras": read.extras}
    assert read == ChatRequest(**{**base, **expected})


TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
CHOICES = [
    ("none", ToolChoice(ToolMode.NONE)),
    ("auto", ToolChoice(ToolMode.AUTO)),
    ("required", ToolChoice(ToolMode.REQUIRED)),
    ("any", ToolChoice(ToolMode.REQUIRED)),
    ({"type": "function", "function": {"name": "f"}}, ToolChoice(ToolMode.NAMED, "f")),
    ({"type": "custom", "custom": {"name": "f"}}, ToolChoice(ToolMode.NAMED, "f")),
    (
        {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [TOOL]}},
        ToolChoice(ToolMode.REQUIRED, allowed=("f",)),
    ),
]


@pytest.mark.parametrize(("choice", "expected"), CHOICES)
def test_a_tool_choice_is_read_in_all_its_forms(choice, expected):
    assert conversation(tools=[TOOL], tool_choice=choice).tool_choice == expected


def test_tools_are_read():
    grammar = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "x"}}
    read = conversation(
        tools=[
            {**TOOL, "cache_control": {"type": "ephemeral"}},
            {"type": "function", "function": {"name": "g", "description": "d", "strict": False}},
            {"type": "custom", "custom": {"name": "c", "format": grammar}},
            {"type": "web_search", "x": 1},
        ]
    )
    f, g, c = read.tools
    assert f.parameters == {"type": "object"}
    assert f.extras["openai_chat"].keys() == {"cache_control"}
    assert g == Tool("g", "d", None, strict=False)
    assert c.kind is CallKind.CUSTOM
    assert decode(c.extras["openai_chat"]["format"]) == grammar
    assert decode(read.extras["openai_chat"]["tools[3]"]) == {"type": "web_search", "x": 1}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("none", ToolChoice(ToolMode.NONE)),
        ({"name": "f"}, ToolChoice(ToolMode.NAMED, "f")),
        (None, None),
    ],
)
def test_deprecated_functions_become_tools(choice, expected):
    read = conversation(functions=[{"name": "f", "parameters": {}}], function_call=choice)
    assert read.tools == (Tool("f", None, {}),)
    assert read.tool_choice == expected
    assert read.legacy_functions


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
            {"role": "assistant", "content": "", "tool_calls": [call("c1", '{"a":1}'), call("c2", "", "g")]},
            {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "2"}]},
            {"role": "tool", "tool_call_id": "c1", "content": "1", "name": "whatever"},
        ]
    )  # fmt: skip
    _, asked, second, first = read.messages
    assert asked.parts == (ToolCall("c1", "f", '{"a":1}'), ToolCall("c2", "g", ""))
    assert second == Message(Role.TOOL, (ToolResult("c2", "g", (Text("2"),)),))
    assert first == Message(Role.TOOL, (ToolResult("c1", "f", (Text("1"),)),))


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
    ([{"role": "user", "content": [{}]}], "messages[0].content[0].type", "missing_required_parameter"),
    ([{"role": "user", "content": [{"type": "text"}]}], "messages[0].content[0].text", "missing_required_parameter"),
    ([{"role": "user", "content": [{"type": "text", "text": 5}]}], "messages[0].content[0].text", "invalid_type"),
    ([{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}], "messages[0].content[0].image_url.url", "missing_required_parameter"),
    ([{"role": "user", "content": [{"type": "image_url", "image_url": 5}]}], "messages[0].content[0].image_url", "invalid_type"),
    ([{"role": "user", "content": [{"type": "input_audio", "input_audio": {"format": "wav"}}]}], "messages[0].content[0].input_audio.data", "missing_required_parameter"),
    ([{"role": "user", "content": [{"type": "file", "file": {}}]}], "messages[0].content[0].file", "invalid_value"),
    ([{"role": "user", "content": "x", "name": 5}], "messages[0].name", "invalid_type"),
    ([{"role": "assistant", "tool_calls": {}}], "messages[0].tool_calls", "invalid_type"),
    ([{"role": "assistant", "tool_calls": [{}]}], "messages[0].tool_calls[0].id", "missing_required_parameter"),
    ([{"role": "assistant", "tool_calls": [{"id": "c"}]}], "messages[0].tool_calls[0].function", "missing_required_parameter"),
    ([{"role": "assistant", "tool_calls": [{"id": "c", "type": "odd"}]}], "messages[0].tool_calls[0].type", "invalid_value"),
    ([{"role": "assistant", "tool_calls": [call(arguments="{")]}], "messages[0].tool_calls[0].function.arguments", "invalid_value"),
    ([{"role": "assistant", "tool_calls": [call(arguments={})]}], "messages[0].tool_calls[0].function.arguments", "invalid_type"),
    ([{"role": "assistant", "tool_calls": [call(arguments="[" * 101 + "]" * 101)]}], "messages[0].tool_calls[0].function.arguments", "invalid_value"),
    ([{"role": "assistant", "function_call": {"arguments": "{}"}}], "messages[0].function_call.name", "missing_required_parameter"),
    ([{"role": "assistant", "tool_calls": [call()]}, {"role": "tool", "tool_call_id": "c1", "content": [{"type": "odd"}]}], "messages[1].content[0].type", "invalid_value"),
]  # fmt: skip


@pytest.mark.parametrize(("messages", "param", "code"), WRONG, ids=[case[1] for case in WRONG])
def test_a_mistake_in_a_message_is_reported_with_its_path(messages, param, code):
    with pytest.raises(InvalidRequest) as caught:
        conversation(messages=messages)
    assert (caught.value.param, caught.value.code) == (param, code)


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": []}}]}, "tools[0].function.parameters"),
        ({"tools": [{"type": "function", "function": {"name": "f", "description": 5}}]}, "tools[0].function.description"),
        ({"tool_choice": "sometimes"}, "tool_choice"),
        ({"tool_choice": {"type": "odd"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.function"),
        ({"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "x", "tools": []}}}, "tool_choice.allowed_tools.mode"),
        ({"response_format": {}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, "response_format.json_schema.name"),
        ({"function_call": {}}, "function_call.name"),
    ],
)  # fmt: skip
def test_a_mistake_in_tools_and_formats_is_reported_with_its_path(members, param):
    with pytest.raises(InvalidRequest) as caught:
        conversation(**members)
    assert caught.value.param == param
