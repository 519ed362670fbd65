"""Requests in canonical form."""

import pytest
from msgspec.json import decode

from dragoman.canonical.conversation import (
    CallKind,
)
from dragoman.canonical.request import (
    ChatRequest,
    FormatKind,
    OutputFormat,
    Tool,
    ToolChoice,
    ToolMode,
)
from dragoman.dialects.openai_chat.fields import FIELDS
from dragoman.errors import InvalidRequest
from support.openai_chat_members import CHAT_MEMBERS
from support.openai_chat_requests import conversation, own


def test_every_specified_member_is_in_the_table():
    assert FIELDS.keys() >= CHAT_MEMBERS


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


@pytest.mark.parametrize("name", [*sorted(FIELDS.keys() - {"model", "messages"}), "made_up"])
def test_null_is_the_same_as_absent(name):
    assert conversation(**{name: None}) == conversation()


@pytest.mark.parametrize("members", [{"tools": []}, {"stop": []}, {"logit_bias": {}}])
def test_empty_is_the_same_as_absent(members):
    assert conversation(**members) == conversation()


OTHERS = [
    ({"max_tokens": 5}, {"max_output_tokens": 5}),
    ({"max_tokens": 5, "max_completion_tokens": 7}, {"max_output_tokens": 7}),
    ({"max_completion_tokens": 7, "max_tokens": 5}, {"max_output_tokens": 7}),
    ({"max_output_tokens": 5}, {"max_output_tokens": 5}),
    ({"max_output_tokens": 5, "max_completion_tokens": 7}, {"max_output_tokens": 7}),
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
]


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


@pytest.mark.parametrize(
    ("members", "param"),
    [
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": []}}]},
            "tools[0].function.parameters",
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "description": 5}}]},
            "tools[0].function.description",
        ),
        ({"tool_choice": "sometimes"}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.function"),
        (
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "x", "tools": []}}},
            "tool_choice.allowed_tools.mode",
        ),
        ({"response_format": {}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {}}},
            "response_format.json_schema.name",
        ),
        ({"function_call": {}}, "function_call.name"),
    ],
)
def test_a_mistake_in_tools_and_formats_is_reported_with_its_path(members, param):
    with pytest.raises(InvalidRequest) as caught:
        conversation(**members)
    assert caught.value.param == param


def test_a_choice_of_a_hosted_tool_is_carried_for_dialects_that_know_it():
    asked = conversation(tools=[{"type": "web_search"}], tool_choice={"type": "web_search"})
    assert asked.tool_choice is None
    assert decode(asked.extras["openai_chat"]["tool_choice"]) == {"type": "web_search"}
