"""Canonical requests as upstreams get them."""

import json

import pytest
from msgspec import Raw

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
from dragoman.canonical.fidelity import Grade
from dragoman.canonical.request import (
    ChatRequest,
    FormatKind,
    OutputFormat,
    Tool,
    ToolChoice,
    ToolMode,
)
from dragoman.dialects.base import ModelFacts
from dragoman.dialects.openai_chat import CLIENT, UPSTREAM
from dragoman.errors import UnsupportedByTarget
from support.openai_chat_streams import client_request

PLAIN = ModelFacts()
USER = Message(Role.USER, (Text("hi"),))


def written(facts=PLAIN, **members):
    request = ChatRequest(**{"model": "m", "messages": (USER,), "stream": False, **members})
    result = UPSTREAM.write_request(request, facts)
    return json.loads(b"".join(result.body)), result.fidelity


def messages(*given, facts=PLAIN):
    body, fidelity = written(facts, messages=given)
    return body["messages"], fidelity


def test_the_least_request():
    body, fidelity = written()
    assert body == {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    assert fidelity.grade is Grade.EXACT


def test_a_streamed_request_asks_for_the_counts():
    body, _ = written(stream=True)
    assert body["stream"] is True
    assert body["stream_options"] == {"include_usage": True}


PLAIN_MEMBERS = {
    "temperature": 0.5,
    "top_p": 1,
    "top_k": 5,
    "min_p": 0.1,
    "repetition_penalty": 1.1,
    "presence_penalty": -1,
    "frequency_penalty": 1,
    "seed": 2**64,
    "n": 2,
    "logit_bias": {"1": -100},
    "logprobs": True,
    "top_logprobs": 3,
    "reasoning_effort": "low",
    "verbosity": "low",
    "modalities": ["text"],
    "service_tier": "flex",
    "user": "u",
    "store": False,
}


@pytest.mark.parametrize("name", PLAIN_MEMBERS)
def test_members_of_one_name_are_written(name):
    body, fidelity = written(**{name: PLAIN_MEMBERS[name]})
    assert body[name] == PLAIN_MEMBERS[name]
    assert fidelity.grade is Grade.EXACT


def test_facts_decide_how_things_are_called():
    system = Message(Role.DEVELOPER, (Text("s"),))
    new = ModelFacts(max_completion_tokens=True, developer_role=True)
    body, _ = written(new, messages=(system,), max_output_tokens=5)
    assert body["max_completion_tokens"] == 5
    assert body["messages"][0]["role"] == "developer"
    body, _ = written(messages=(system,), max_output_tokens=5)
    assert body["max_tokens"] == 5
    assert body["messages"][0]["role"] == "system"


def test_effort_is_dropped_where_there_is_no_reasoning():
    body, fidelity = written(ModelFacts(reasoning=False), reasoning_effort="low")
    assert "reasoning_effort" not in body
    assert fidelity.dropped == ["reasoning_effort"]


def test_a_schema_that_cannot_be_enforced_is_refused():
    wanted = OutputFormat(FormatKind.JSON_SCHEMA, "n", None, {})
    with pytest.raises(UnsupportedByTarget) as caught:
        written(ModelFacts(json_schema=False), output_format=wanted)
    assert caught.value.param == "response_format"


def test_metadata_goes_only_with_stored_answers():
    assert "metadata" not in written(metadata={"a": "b"})[0]
    assert written(metadata={"a": "b"}, store=True)[0]["metadata"] == {"a": "b"}


def test_without_tools_there_is_nothing_to_choose():
    body, fidelity = written(tool_choice=ToolChoice(ToolMode.AUTO), parallel_tool_calls=False)
    assert body.keys() == {"model", "messages"}
    assert fidelity.dropped == ["tool_choice", "parallel_tool_calls"]


TOOLS = (Tool("f", None, None), Tool("p", "d", None, None, CallKind.CUSTOM))
CHOICES = [
    (ToolChoice(ToolMode.AUTO), "auto"),
    (ToolChoice(ToolMode.NONE), "none"),
    (ToolChoice(ToolMode.REQUIRED), "required"),
    (ToolChoice(ToolMode.NAMED, "f"), {"type": "function", "function": {"name": "f"}}),
    (ToolChoice(ToolMode.NAMED, "p"), {"type": "custom", "custom": {"name": "p"}}),
    (
        ToolChoice(ToolMode.AUTO, allowed=("f",)),
        {
            "type": "allowed_tools",
            "allowed_tools": {
                "mode": "auto",
                "tools": [{"type": "function", "function": {"name": "f"}}],
            },
        },
    ),
]


@pytest.mark.parametrize(("choice", "expected"), CHOICES)
def test_a_choice_of_tools_is_written(choice, expected):
    body, _ = written(tools=TOOLS, tool_choice=choice)
    assert body["tool_choice"] == expected
    assert body["tools"] == [
        {"type": "function", "function": {"name": "f"}},
        {"type": "custom", "custom": {"name": "p", "description": "d"}},
    ]


def test_text_alone_is_a_string():
    body, _ = messages(
        Message(Role.SYSTEM, (Text("a"), Text("b"))),
        Message(Role.USER, (Text("c", {"openai_chat": {"cache_control": Raw(b"{}")}}),)),
        Message(Role.ASSISTANT, (Text("d"),), "bot"),
    )
    assert body == [
        {"role": "system", "content": "ab"},
        {"role": "user", "content": [{"type": "text", "text": "c", "cache_control": {}}]},
        {"role": "assistant", "content": "d", "name": "bot"},
    ]


def test_what_a_model_said_is_written():
    call = ToolCall("a", "f", "")
    custom = ToolCall("b", "p", "x", CallKind.CUSTOM)
    body, _ = messages(
        Message(Role.ASSISTANT, (Reasoning("r"), Text("w"), call, custom)),
        Message(Role.ASSISTANT, (Refusal("no"),)),
        Message(Role.ASSISTANT, (call,)),
    )
    calls = [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        {"id": "b", "type": "custom", "custom": {"name": "p", "input": "x"}},
    ]
    assert body == [
        {"role": "assistant", "reasoning_content": "r", "content": "w", "tool_calls": calls},
        {"role": "assistant", "content": None, "refusal": "no"},
        {"role": "assistant", "content": None, "tool_calls": calls[:1]},
    ]


def test_each_result_is_a_message_and_pictures_follow_the_last():
    picture = Media(kind=MediaKind.IMAGE, media_type="image/png", data="QUJD")
    body, fidelity = messages(
        Message(Role.TOOL, (ToolResult("a", "f", (Text("1"), picture)), ToolResult("b", "g", ()))),
        Message(Role.TOOL, (ToolResult("c", "h", (Text("bad"),), is_error=True),)),
        USER,
    )
    assert body == [
        {"role": "tool", "tool_call_id": "a", "content": "1[image 1 of the next user message]"},
        {"role": "tool", "tool_call_id": "b", "content": ""},
        {"role": "tool", "tool_call_id": "c", "content": "Error: bad"},
        {
            "role": "user",
            "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}],
        },
        {"role": "user", "content": "hi"},
    ]
    assert fidelity.grade is Grade.ADAPTED


def test_results_inside_a_user_turn_come_first():
    body, _ = messages(Message(Role.USER, (ToolResult("a", "f", (Text("1"),)), Text("go on"))))
    assert [message["role"] for message in body] == ["tool", "user"]


MEDIA = [
    (
        Media(kind=MediaKind.IMAGE, media_type=None, url="u"),
        {"type": "image_url", "image_url": {"url": "u"}},
    ),
    (
        Media(kind=MediaKind.AUDIO, media_type="audio/mpeg", data="QQ=="),
        {"type": "input_audio", "input_audio": {"data": "QQ==", "format": "mp3"}},
    ),
    (
        Media(kind=MediaKind.DOCUMENT, media_type="application/pdf", data="QQ==", name="a.pdf"),
        {
            "type": "file",
            "file": {"file_data": "data:application/pdf;base64,QQ==", "filename": "a.pdf"},
        },
    ),
    (
        Media(kind=MediaKind.DOCUMENT, media_type=None, file_id="f"),
        {"type": "file", "file": {"file_id": "f"}},
    ),
]


@pytest.mark.parametrize(("media", "expected"), MEDIA)
def test_media_have_their_parts(media, expected):
    body, fidelity = messages(Message(Role.USER, (media,)))
    assert body[0]["content"] == [expected]
    assert fidelity.grade is Grade.EXACT


@pytest.mark.parametrize(
    "media",
    [
        Media(kind=MediaKind.VIDEO, media_type=None, url="u"),
        Media(kind=MediaKind.DOCUMENT, media_type=None, url="u"),
        Media(kind=MediaKind.AUDIO, media_type=None, url="u"),
    ],
)
def test_media_without_a_part_are_noted(media):
    body, fidelity = messages(Message(Role.USER, (Text("a"), media)))
    assert body[0]["content"] == [{"type": "text", "text": "a"}]
    assert fidelity.dropped == ["messages[0].content[1]"]


def test_what_only_others_understand_is_left_out_and_noted():
    foreign = {"other": {"thing": 1, "cache_control": 2}}
    body, fidelity = written(
        messages=(
            Message(
                Role.USER,
                (Text("a", foreign), Native("other", "odd", Raw(b"{}"))),
                extras=foreign,
            ),
        ),
        tools=(Tool("f", None, None, extras=foreign),),
        extras=foreign,
    )
    assert body.keys() == {"model", "messages", "tools"}
    assert fidelity.dropped == [
        "messages[0].thing",
        "messages[0].content[0].thing",
        "messages[0].content[1].odd",
        "tools[0].thing",
        "thing",
    ]


ROUND = {
    "messages": [
        {"role": "developer", "content": "s"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
                {"type": "image_url", "image_url": {"url": "u", "detail": "low"}, "x": 1},
                {"type": "hologram", "y": [1.5]},
            ],
            "odd": True,
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "c",
                    "type": "function",
                    "function": {"name": "f", "arguments": '{"x": 1}'},
                    "extra_content": {"s": 1},
                }
            ],
            "reasoning_content": "r",
            "reasoning_details": [{"d": 1}],
        },
        {"role": "tool", "tool_call_id": "c", "content": "1"},
    ],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "f",
                "description": "d",
                "parameters": {"type": "object"},
                "strict": True,
            },
            "defer_loading": True,
        },
        {"type": "custom", "custom": {"name": "p", "format": {"type": "text"}}},
        {"type": "web_search"},
    ],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "parallel_tool_calls": False,
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "n", "description": "d", "schema": {}, "strict": False},
    },
    "max_completion_tokens": 5,
    "stop": ["x"],
    "prediction": {"type": "content", "content": "p"},
    "prompt_cache_key": "k",
    "made_up": [1.5],
    "stream": True,
    "stream_options": {"include_usage": True, "new": 1},
    "metadata": {"a": "b"},
    "store": True,
}


def test_a_request_that_is_read_and_written_again_is_the_same():
    request = client_request(**ROUND)
    facts = ModelFacts(max_completion_tokens=True, developer_role=True)
    result = UPSTREAM.write_request(request.conversation(), facts)
    assert json.loads(b"".join(result.body)) == {"model": "asked", **ROUND}
    assert result.fidelity.grade is Grade.EXACT


def test_what_is_written_is_a_request_again():
    request = client_request(**ROUND).conversation()
    body = b"".join(UPSTREAM.write_request(request, PLAIN).body)
    again = CLIENT.read_request(body).conversation()
    assert again.messages[2] == request.messages[2]
    assert again.tools == request.tools
