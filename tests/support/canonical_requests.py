"""Hypothesis strategies for canonical requests: every conversation that a caller may bring."""

from hypothesis import strategies as st

from dragoman.canonical.conversation import (
    NO_EXTRAS,
    CallKind,
    Media,
    MediaKind,
    Message,
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
from dragoman.simulators.anthropic_thoughts import signature_of
from support.canonical_strategies import arguments, natives

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"

words = st.sampled_from(["", " ", "\n", "Hello", "end ", "Привет", "a\tb"]) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=8
)
ids = st.sampled_from(["a", "b", "call_0", "x.1", "ид", ""])
tool_names = st.sampled_from(["get_weather", "погода", "a.b", "x" * 130, "get_time"])
marks = st.sampled_from(
    [
        NO_EXTRAS,
        NO_EXTRAS,
        {"openai_chat": {"cache_control": {"type": "ephemeral"}}},
        {"openai_chat": {"cache_control": {"type": "ephemeral", "ttl": "1h"}}},
        {"openai_chat": {"cache_control": "nonsense", "other": 1}},
    ]
)
texts = st.builds(Text, words, marks)
pictures = st.builds(
    Media,
    kind=st.just(MediaKind.IMAGE),
    media_type=st.sampled_from([None, "image/png", "image/jpeg"]),
    data=st.just(PNG),
    extras=marks,
)
links = st.just(Media(kind=MediaKind.IMAGE, media_type=None, url="https://example.com/a.png"))
thoughts = st.one_of(
    st.builds(Reasoning, words),
    words.map(
        lambda text: Reasoning(text, {"anthropic_messages": {"signature": signature_of(text)}})
    ),
)
calls = st.builds(ToolCall, ids, tool_names, arguments, st.sampled_from(CallKind), marks)
results = st.builds(
    ToolResult,
    ids,
    tool_names,
    st.lists(texts | pictures, max_size=2).map(tuple),
    st.booleans(),
)


def _message(role, parts, most):
    return st.builds(
        Message, st.just(role), st.lists(parts, max_size=most).map(tuple), st.none(), marks
    )


messages = st.one_of(
    _message(Role.SYSTEM, texts, 2),
    _message(Role.DEVELOPER, texts, 1),
    _message(Role.USER, texts | pictures | links | natives, 3),
    st.builds(
        lambda thought, rest: Message(Role.ASSISTANT, (*thought, *rest)),
        st.lists(thoughts, max_size=1),
        st.lists(texts | calls | st.builds(Refusal, words), max_size=4),
    ),
    _message(Role.ASSISTANT, calls, 3),
    _message(Role.TOOL, results, 2),
    _message(Role.TOOL, results, 1),
)
schemas = st.sampled_from(
    [
        None,
        {},
        {"type": "object", "properties": {"city": {"type": "string", "pattern": "x"}}},
        {"properties": {"n": {"type": ["integer", "null"], "minimum": 1}}, "required": ["n"]},
        {"type": "object", "properties": {}, "additionalProperties": False},
        {"type": "object", "additionalProperties": {"type": "string"}},
    ]
)
tools = st.lists(
    st.builds(
        Tool,
        tool_names,
        st.none() | st.just("Describes"),
        schemas,
        st.none() | st.booleans(),
        st.sampled_from(CallKind),
        marks,
    ),
    max_size=3,
    unique_by=lambda tool: tool.name,
)
choices = st.none() | st.builds(
    ToolChoice,
    st.sampled_from(ToolMode),
    tool_names,
    st.none() | st.lists(tool_names, max_size=2).map(tuple),
)
formats = st.none() | st.builds(
    OutputFormat, st.sampled_from(FormatKind), st.just("f"), st.none(), schemas, st.none()
)
numbers = st.none() | st.floats(-1, 3)


def requests(models):
    return st.builds(
        ChatRequest,
        model=st.sampled_from(models),
        messages=st.lists(messages, min_size=1, max_size=6).map(tuple),
        stream=st.booleans(),
        tools=tools.map(tuple),
        tool_choice=choices,
        parallel_tool_calls=st.none() | st.booleans(),
        max_output_tokens=st.none() | st.integers(1, 200_000),
        temperature=numbers,
        top_p=numbers,
        top_k=st.none() | st.integers(-1, 50),
        stop=st.lists(words, max_size=3).map(tuple),
        output_format=formats,
        reasoning_effort=st.none()
        | st.sampled_from(["none", "minimal", "low", "medium", "high", "xhigh", "max", "odd"]),
        service_tier=st.none() | st.sampled_from(["auto", "flex", "standard_only"]),
        user=st.none() | st.just("u" * 300),
        extras=marks,
    )
