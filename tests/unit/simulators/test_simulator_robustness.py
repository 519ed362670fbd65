"""Whatever JSON arrives, the simulators answer in their shape; they never fall over."""

import copy
from functools import partial

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.simulators.delivery import House
from dragoman.simulators.faults import Plan
from dragoman.simulators.gigachat import GigaChat
from dragoman.simulators.gigachat_files import StoredFile
from dragoman.simulators.journal import Call
from dragoman.simulators.openai import OpenAI
from dragoman.simulators.options import GIGACHAT_ACCESS_TOKEN, OPENAI_KEYS, SimulatorOptions
from support.fake_clock import FakeClock

HOUSE = House(SimulatorOptions())
SCHEMA = {
    "type": "object",
    "properties": {
        "a": {"type": "string", "enum": ["x"], "maxLength": 3},
        "b": {"type": "array", "items": {"type": "number", "minimum": 1, "multipleOf": 2}},
        "c": {"type": "object", "properties": {}, "required": []},
    },
    "required": ["a", "b", "c"],
}
FUNCTION = {"name": "look_up", "description": "Look things up", "parameters": SCHEMA}
GIGACHAT_BODY = {
    "model": "GigaChat-3-Ultra",
    "stream": True,
    "temperature": 1,
    "max_tokens": 50,
    "reasoning_effort": "low",
    "functions": [FUNCTION],
    "function_call": {"name": "look_up", "partial_arguments": {"a": "y"}},
    "response_format": {"type": "json_schema", "schema": SCHEMA, "strict": True},
    "messages": [
        {"role": "system", "content": "x"},
        {"role": "user", "content": "look it up", "attachments": ["1"]},
        {
            "role": "assistant",
            "content": "",
            "function_call": {"name": "look_up", "arguments": {"a": "x"}},
        },
        {"role": "function", "name": "look_up", "content": "{}"},
    ],
}
GIGACHAT_V2_CALL = {"id": "1", "name": "look_up", "arguments": {"a": "x"}}
GIGACHAT_V2_RESULT = {"id": "1", "name": "look_up", "result": {"a": [1, None]}}
GIGACHAT_V2_BODY = {
    "model": "GigaChat-3-Ultra",
    "stream": True,
    "model_options": {
        "temperature": 1,
        "max_tokens": 50,
        "reasoning": {"effort": "low", "max_tokens": 9},
        "response_format": {"type": "json_schema", "schema": SCHEMA, "strict": True},
        "parallel_tool_calls": True,
    },
    "tools": [
        {"functions": {"specifications": [FUNCTION]}},
        {"web_search": {"type": "actual_info_web_search", "indexes": ["x"], "flags": []}},
    ],
    "tool_config": {"mode": "any", "functions_names_any": ["look_up"]},
    "disable_filter": True,
    "messages": [
        {"role": "system", "content": [{"text": "x"}]},
        {"role": "user", "content": [{"text": "look it up"}, {"files": [{"id": "1"}]}]},
        {"role": "assistant", "content": [{"text": "x"}, {"function_call": GIGACHAT_V2_CALL}]},
        {"role": "tool", "content": [{"function_result": GIGACHAT_V2_RESULT}]},
    ],
}
OPENAI_BODY = {
    "model": "gpt-4o",
    "stream": True,
    "stream_options": {"include_usage": True},
    "n": 2,
    "stop": ["a"],
    "logprobs": True,
    "top_logprobs": 1,
    "parallel_tool_calls": True,
    "tools": [
        {"type": "function", "function": {**FUNCTION, "strict": False}},
        {"type": "custom", "custom": {"name": "script", "format": {"type": "text"}}},
    ],
    "tool_choice": {
        "type": "allowed_tools",
        "allowed_tools": {
            "mode": "required",
            "tools": [{"type": "function", "function": {"name": "look_up"}}],
        },
    },
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "x", "schema": SCHEMA, "strict": False},
    },
    "messages": [
        {"role": "developer", "content": "x"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "look it up"},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            ],
        },
        {
            "role": "assistant",
            "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                {"id": "2", "type": "custom", "custom": {"name": "f", "input": "x"}},
            ],
        },
        {"role": "tool", "tool_call_id": "1", "content": "x"},
        {"role": "tool", "tool_call_id": "2", "content": [{"type": "text", "text": "x"}]},
    ],
}
LEGACY_BODY = {
    "model": "gpt-4o",
    "functions": [FUNCTION],
    "function_call": {"name": "look_up"},
    "messages": [{"role": "user", "content": "look it up"}],
}
EMBEDDINGS_BODY = {"model": "Embeddings", "input": ["a", "b"]}

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 300)
    | st.floats(allow_nan=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["type", "name", "text", "x", "properties"]), inner, max_size=2
        )
    ),
    max_leaves=4,
)


def places(value, path=()):
    """Every path within a JSON value."""
    yield path
    if isinstance(value, dict | list):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(child, (*path, key))


def answer(handler, body, key):
    headers = [("authorization", f"Bearer {key}")]
    call = Call(
        simulator="x",
        method="POST",
        path="/x",
        path_parameters={},
        headers=headers,
        body=msgspec.json.encode(body),
    )
    made = handler(call, Plan())
    for release in call.releases:
        release()
    return made


def route_handlers():
    gigachat, openai = GigaChat(HOUSE, FakeClock()), OpenAI(HOUSE)
    gigachat.files._keep(
        StoredFile("1", GIGACHAT_ACCESS_TOKEN, None, "a.txt", "text/plain", "general", 0, b"x")
    )
    chat = gigachat._authorised(partial(gigachat._chat, "v1"))
    chat_v2 = gigachat._authorised(partial(gigachat._chat, "v2"))
    embed = gigachat._authorised(gigachat._embed)
    other, vectors = openai._authorised(openai._chat), openai._authorised(openai._embed)
    return [
        (chat, GIGACHAT_BODY, GIGACHAT_ACCESS_TOKEN),
        (chat_v2, GIGACHAT_V2_BODY, GIGACHAT_ACCESS_TOKEN),
        (embed, EMBEDDINGS_BODY, GIGACHAT_ACCESS_TOKEN),
        (other, OPENAI_BODY, OPENAI_KEYS[0]),
        (other, LEGACY_BODY, OPENAI_KEYS[0]),
        (vectors, EMBEDDINGS_BODY, OPENAI_KEYS[0]),
    ]


HANDLERS = route_handlers()


def test_the_bodies_to_spoil_are_good():
    assert [answer(*each).status for each in HANDLERS] == [200] * len(HANDLERS)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_one_wrong_value_anywhere_is_answered_in_shape(data):
    handler, good, key = data.draw(st.sampled_from(HANDLERS))
    path = data.draw(st.sampled_from(list(places(good))))
    wrong = data.draw(values)
    body = copy.deepcopy(good)
    if path:
        parent = body
        for step in path[:-1]:
            parent = parent[step]
        parent[path[-1]] = wrong
    else:
        body = wrong
    assert answer(handler, body, key).status in {200, 400, 403, 404, 422}


@pytest.mark.parametrize("depth", [200, 3_000, 100_000])
def test_deep_nesting_is_answered_in_shape(simulator, depth):
    nested = b'{"a":' * depth + b"1" + b"}" * depth
    question = b'"model":"GigaChat","messages":[{"role":"user","content":"x"}]'
    body = b'{%b,"functions":[{"name":"f","parameters":%b}]}' % (question, nested)
    assert simulator.gigachat(body).status in {400, 422}
    assert simulator.openai(body).status in {200, 400}
    assert simulator.view()["statuses"]
