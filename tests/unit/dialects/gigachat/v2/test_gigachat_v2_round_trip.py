"""Calls go through a Chat Completions client and come back as GigaChat said them."""

import json

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from dragoman.dialects import openai_chat
from dragoman.dialects.base import AnswerFacts
from dragoman.dialects.gigachat.v2 import UPSTREAM
from support.gigachat_requests import ALL

FACTS = AnswerFacts(id="1", created=7, model="giga")
NAMES = ["weather", "weather.now", "w" * 80, "web_search"]
ARGUMENTS = st.dictionaries(
    st.text(max_size=3), st.integers() | st.text(max_size=5) | st.booleans(), max_size=3
)


def asked(*history):
    tools = [
        {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
        for name in NAMES
    ]
    messages = [{"role": "user", "content": "?"}, *history]
    return openai_chat.CLIENT.read_request(
        json.dumps({"model": "giga", "messages": messages, "tools": tools}).encode()
    )


def written(read):
    request = structs.replace(read.conversation(), model="GigaChat-3-Ultra")
    return UPSTREAM.write_request(request, ALL)


@given(
    calls=st.lists(st.tuples(st.sampled_from(NAMES), ARGUMENTS), min_size=1, max_size=4),
    state=st.none() | st.uuids().map(str) | st.text(min_size=1, max_size=4),
    has_ids=st.booleans(),
    data=st.data(),
)
def test_state_ids_names_and_arguments_survive_the_client(calls, state, has_ids, data):
    read = asked()
    record = written(read)
    spelled = {record.tool_names.get(wire, wire): wire for wire in offered(record)}
    parts = [
        {
            "function_call": {
                "name": spelled[name],
                "arguments": arguments,
                **({"id": f"c{number}"} if has_ids else {}),
            }
        }
        for number, (name, arguments) in enumerate(calls)
    ]
    message = {"role": "assistant", "content": parts}
    if state is not None:
        message["tool_state_id"] = state
    body = {"messages": [message], "finish_reason": "function_call", "created_at": 7}
    answer = UPSTREAM.read_response(json.dumps(body).encode(), record)
    shown = json.loads(openai_chat.CLIENT.write_response(answer, read, FACTS))["choices"][0]
    assert shown["finish_reason"] == "tool_calls"
    made = shown["message"]["tool_calls"]
    assert [call["function"]["name"] for call in made] == [name for name, _ in calls]

    turn = {"role": "assistant", "content": None, "tool_calls": made}
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": str(number)}
        for number, call in enumerate(made)
    ]
    again = written(asked(turn, *data.draw(st.permutations(results))))
    said, answered = json.loads(b"".join(again.body))["messages"][1:]
    assert said.get("tools_state_id") == answered.get("tools_state_id") == state
    if has_ids or state is not None or len(calls) == 1:
        assert said["content"] == parts
    bare = [part["function_call"] for part in said["content"]]
    assert [(c["name"], c["arguments"]) for c in bare] == [(spelled[n], a) for n, a in calls]
    found = [part["function_result"] for part in answered["content"]]
    assert [each["result"] for each in found] == [{"result": n} for n in range(len(calls))]


def offered(record):
    (entry,) = json.loads(b"".join(record.body))["tools"]
    return [function["name"] for function in entry["functions"]["specifications"]]
