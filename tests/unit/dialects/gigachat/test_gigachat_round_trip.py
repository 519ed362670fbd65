"""A call goes through a Chat Completions client and comes back with its state."""

import json

import pytest
from msgspec import structs

from dragoman.dialects import gigachat, openai_chat
from dragoman.dialects.base import AnswerFacts
from dragoman.simulators.gigachat_state import is_own_state_id, state_id
from support.gigachat_requests import PLAIN

FACTS = AnswerFacts(id="1", created=7, model="giga")
ARGUMENTS = {"город": "Омск", "доля": 0.5}


def asked(*history, name="weather.now"):
    tools = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}]
    messages = [{"role": "user", "content": "?"}, *history]
    return json.dumps({"model": "giga", "messages": messages, "tools": tools}).encode()


@pytest.mark.parametrize("name", ["weather", "weather.now", "w" * 80, "web_search"])
def test_state_name_and_arguments_survive_the_client(name):
    read = openai_chat.CLIENT.read_request(asked(name=name))
    written = gigachat.UPSTREAM.write_request(
        structs.replace(read.conversation(), model="GigaChat-2"), PLAIN
    )
    wire_name = json.loads(b"".join(written.body))["functions"][0]["name"]
    state = state_id("0123456789ab", wire_name, ARGUMENTS)
    message = {
        "role": "assistant",
        "content": "",
        "function_call": {"name": wire_name, "arguments": ARGUMENTS},
        "functions_state_id": state,
    }
    choice = {"message": message, "index": 0, "finish_reason": "function_call"}
    answer = gigachat.UPSTREAM.read_response(json.dumps({"choices": [choice]}).encode(), written)
    shown = json.loads(openai_chat.CLIENT.write_response(answer, read, FACTS))["choices"][0]
    assert shown["finish_reason"] == "tool_calls"
    (call,) = shown["message"]["tool_calls"]
    assert call["function"]["name"] == name

    result = {"role": "tool", "tool_call_id": call["id"], "content": "ясно"}
    turn = {"role": "assistant", "content": None, "tool_calls": [call]}
    again = openai_chat.CLIENT.read_request(asked(turn, result, name=name)).conversation()
    written = gigachat.UPSTREAM.write_request(structs.replace(again, model="GigaChat-2"), PLAIN)
    sent = json.loads(b"".join(written.body))["messages"][1]
    assert sent["functions_state_id"] == state
    assert sent["function_call"] == {"name": wire_name, "arguments": ARGUMENTS}
    assert is_own_state_id(state, wire_name, sent["function_call"]["arguments"])
