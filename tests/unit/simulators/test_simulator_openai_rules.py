"""What the OpenAI simulator refuses, and with which parameter and code."""

import pytest

USER = {"role": "user", "content": "Hello"}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
ASKED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "ok"}
TOOL = {"type": "function", "function": {"name": "f"}}


def chat(**members):
    return {"model": "gpt-4o", "messages": [USER], **members}


def messages(*given):
    return chat(messages=list(given))


def strict(schema):
    return {"name": "f", "strict": True, "parameters": schema}


ACCEPTED = {
    "an unknown member": chat(min_p=0.1, chat_template_kwargs={}),
    "nulls": chat(temperature=None, tools=None, stop=None, stream=None),
    "a developer message": messages({"role": "developer", "content": "x"}, USER),
    "a late system message": messages(USER, {"role": "system", "content": "x"}),
    "an assistant message last": messages(USER, {"role": "assistant", "content": "x"}),
    "a round trip": messages(USER, ASKED, RESULT),
    "results as parts": messages(
        USER, ASKED, RESULT | {"content": [{"type": "text", "text": "ok"}]}
    ),
    "an image": messages(
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is it?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            ],
        }
    ),
    "a large seed": chat(seed=2**62),
    "an integer as temperature": chat(temperature=1),
    "four stops": chat(stop=["a", "b", "c", "d"]),
    "a tool without parameters": chat(tools=[TOOL]),
    "any model name": chat(model="vendor/some-model:latest"),
    "a strict tool": chat(
        tools=[
            {
                "type": "function",
                "function": strict(
                    {"type": "object", "properties": {}, "additionalProperties": False}
                ),
            }
        ]
    ),
}

REFUSED = {
    "no model": ({"messages": [USER]}, "model", "missing_required_parameter"),
    "no messages": ({"model": "gpt-4o"}, "messages", "missing_required_parameter"),
    "empty messages": (chat(messages=[]), "messages", "empty_array"),
    "messages of a wrong type": (chat(messages="x"), "messages", "invalid_type"),
    "empty tools": (chat(tools=[]), "tools", "empty_array"),
    "temperature as text": (chat(temperature="1"), "temperature", "invalid_type"),
    "temperature as a boolean": (chat(temperature=True), "temperature", "invalid_type"),
    "temperature too high": (chat(temperature=3), "temperature", "decimal_above_max_value"),
    "top_p too low": (chat(top_p=-1), "top_p", "decimal_below_min_value"),
    "no tokens": (chat(max_tokens=0), "max_tokens", "integer_below_min_value"),
    "tokens as a decimal": (chat(max_tokens=1.5), "max_tokens", "invalid_type"),
    "too many choices": (chat(n=129), "n", "integer_above_max_value"),
    "five stops": (chat(stop=list("abcde")), "stop", "array_above_max_length"),
    "a stop that is no text": (chat(stop=[["a"]]), "stop", "invalid_type"),
    "an unknown effort": (chat(reasoning_effort="huge"), "reasoning_effort", "invalid_value"),
    "stream_options without stream": (chat(stream_options={}), "stream_options", None),
    "top_logprobs without logprobs": (chat(top_logprobs=2), "top_logprobs", None),
    "an unknown role": (
        messages({"role": "bot", "content": "x"}),
        "messages[0].role",
        "invalid_value",
    ),
    "null content": (messages(USER | {"content": None}), "messages[0].content", "invalid_type"),
    "an unknown part": (
        messages({"role": "user", "content": [{"type": "video"}]}),
        "messages[0].content[0].type",
        "invalid_value",
    ),
    "an image of the system": (
        messages({"role": "system", "content": [{"type": "image_url"}]}, USER),
        "messages[0].content[0].type",
        "invalid_value",
    ),
    "an image that is no URL": (
        messages({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}),
        "messages[0].content[0].image_url.url",
        "invalid_value",
    ),
    "a result without a call": (messages(USER, RESULT), "messages.[1].role", None),
    "a result of another call": (
        messages(USER, ASKED, RESULT | {"tool_call_id": "call_2"}),
        "messages.[2].role",
        None,
    ),
    "a call without a result": (messages(USER, ASKED, USER), "messages", None),
    "one result of two": (
        messages(USER, ASKED | {"tool_calls": [CALL, CALL | {"id": "call_2"}]}, RESULT),
        "messages",
        None,
    ),
    "empty tool_calls": (
        messages(USER, ASKED | {"tool_calls": []}),
        "messages[1].tool_calls",
        "empty_array",
    ),
    "arguments that are an object": (
        messages(
            USER, ASKED | {"tool_calls": [CALL | {"function": {"name": "f", "arguments": {}}}]}
        ),
        "messages[1].tool_calls[0].function.arguments",
        "invalid_type",
    ),
    "a tool of an unknown type": (
        chat(tools=[{"type": "retrieval"}]),
        "tools[0].type",
        "invalid_value",
    ),
    "a tool with a bad name": (
        chat(tools=[{"type": "function", "function": {"name": "a b"}}]),
        "tools[0].function.name",
        "invalid_value",
    ),
    "a strict tool that is open": (
        chat(tools=[{"type": "function", "function": strict({"type": "object"})}]),
        "tools[0].function.parameters",
        "invalid_function_parameters",
    ),
    "a choice without tools": (chat(tool_choice="auto"), "tool_choice", None),
    "an unknown choice": (chat(tools=[TOOL], tool_choice="any"), "tool_choice", "invalid_value"),
    "a choice that is not listed": (
        chat(tools=[TOOL], tool_choice={"type": "function", "function": {"name": "g"}}),
        "tool_choice",
        None,
    ),
    "parallel calls without tools": (chat(parallel_tool_calls=True), "parallel_tool_calls", None),
    "max_tokens of a reasoning model": (
        chat(model="o3-mini", max_tokens=5),
        "max_tokens",
        "unsupported_parameter",
    ),
    "temperature of a reasoning model": (
        chat(model="gpt-5-mini", temperature=0.5),
        "temperature",
        "unsupported_value",
    ),
    "an unknown format": (
        chat(response_format={"type": "xml"}),
        "response_format.type",
        "invalid_value",
    ),
    "json_object without the word": (
        chat(response_format={"type": "json_object"}),
        "messages",
        None,
    ),
    "a schema without a name": (
        chat(response_format={"type": "json_schema", "json_schema": {"schema": {}}}),
        "response_format.json_schema.name",
        "missing_required_parameter",
    ),
    "a strict schema with an optional property": (
        chat(
            response_format={
                "type": "json_schema",
                "json_schema": {
                    "name": "x",
                    "strict": True,
                    "schema": {
                        "type": "object",
                        "properties": {"a": {"type": "string"}},
                        "additionalProperties": False,
                    },
                },
            }
        ),
        "response_format",
        None,
    ),
    "no JSON": (b"{", None, "invalid_json"),
    "a list": ([], None, "invalid_type"),
}


@pytest.mark.parametrize("body", ACCEPTED.values(), ids=ACCEPTED)
def test_what_openai_takes_is_answered(simulator, body):
    reply = simulator.openai(body)
    assert reply.status == 200, reply.body


@pytest.mark.parametrize(("body", "param", "code"), REFUSED.values(), ids=REFUSED)
def test_what_openai_refuses_is_refused_in_its_shape(simulator, body, param, code):
    reply = simulator.openai(body)
    assert reply.status == 400, reply.body
    error = reply.json["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)
    assert reply.headers["x-request-id"].startswith("req_")


def test_unknown_members_are_refused_only_on_request(simulator):
    assert simulator.openai(chat(top_k=5)).status == 200
    simulator.control(options={"strict_unknown": True})
    error = simulator.openai(chat(top_k=5)).json["error"]
    assert (error["param"], error["code"]) == ("top_k", "unknown_parameter")


@pytest.mark.parametrize("key", ["", "sk-wrong-key-of-somebody"])
def test_a_wrong_key_is_refused_and_not_shown(simulator, key):
    reply = simulator.openai(chat(), key=key)
    assert reply.status == 401
    assert reply.json["error"]["code"] == "invalid_api_key"
    assert "sk-wrong-key-of-somebody" not in reply.json["error"]["message"]


@pytest.mark.parametrize(
    ("name", "accepts_all", "status"),
    [
        ("missing-model", True, 404),
        ("anything", True, 200),
        ("anything", False, 404),
        ("gpt-99", False, 200),
        ("o1-preview", False, 200),
        ("added", False, 200),
        ("text-embedding-3-small", True, 404),
    ],
)
def test_models_are_known_listed_or_accepted(simulator, name, accepts_all, status):
    simulator.control(
        options={"openai_accepts_all_models": accepts_all, "openai_models": ["added"]}
    )
    reply = simulator.openai(chat(model=name))
    assert reply.status == status
    if status == 404 and "embedding" not in name:
        assert reply.json["error"]["code"] == "model_not_found"
