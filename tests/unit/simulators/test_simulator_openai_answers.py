"""What the OpenAI simulator answers, whole and streamed."""

import base64
import json
import struct

import pytest

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Weather of a city", "parameters": CITY},
}
TIME = {"type": "function", "function": {"name": "current_time", "description": "Time of day"}}
SCRIPT = {"type": "custom", "custom": {"name": "run_script", "description": "Runs a script"}}
KEY = {"authorization": "Bearer sk-simulated-2"}


def chat(text, **members):
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": text}], **members}


def calls_of(reply):
    return reply.json["choices"][0]["message"].get("tool_calls", [])


def names_of(reply):
    return [call[call["type"]]["name"] for call in calls_of(reply)]


def folded(events):
    """Text, refusal, reasoning, calls and finish reasons of a stream, by choice."""
    choices = {}
    for event in events:
        for choice in event["choices"]:
            into = choices.setdefault(
                choice["index"],
                {"content": "", "refusal": "", "reasoning_content": "", "calls": {}, "finish": []},
            )
            delta = choice["delta"]
            for member in ("content", "refusal", "reasoning_content"):
                into[member] += delta.get(member) or ""
            for call in delta.get("tool_calls", []):
                made = into["calls"].setdefault(call["index"], {"arguments": ""})
                made |= {key: call[key] for key in ("id", "type") if key in call}
                body = call.get("function") or call.get("custom")
                made["arguments"] += body.get("arguments", body.get("input", ""))
                made.setdefault("name", body.get("name"))
            if choice["finish_reason"]:
                into["finish"].append(choice["finish_reason"])
    return choices


def test_the_answer_echoes_the_request(simulator):
    body = {
        "model": "gpt-4o",
        "messages": [
            {"role": "system", "content": "Be brief"},
            {"role": "user", "content": [{"type": "text", "text": "Привет 🙂"}]},
        ],
    }
    reply = simulator.openai(body)
    assert reply.body == simulator.openai(body).body
    message = reply.json["choices"][0]["message"]
    assert message["content"] == "You said: Привет 🙂 (system: Be brief; turns: 1)"
    assert message["refusal"] is None
    assert "tool_calls" not in message
    assert reply.json["model"] == "gpt-4o"
    usage = reply.json["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


@pytest.mark.parametrize("wants_usage", [True, False])
def test_a_stream_has_the_order_of_the_real_one(simulator, wants_usage):
    members = {"stream_options": {"include_usage": True}} if wants_usage else {}
    reply = simulator.openai(chat("Привет", stream=True, **members))
    *chunks, done = reply.events
    assert done == "[DONE]"
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert len({(chunk["id"], chunk["created"]) for chunk in chunks}) == 1
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    made = folded(chunks)[0]
    whole = simulator.openai(chat("Привет")).json
    assert made["content"] == whole["choices"][0]["message"]["content"]
    assert made["finish"] == ["stop"]
    if wants_usage:
        assert chunks[-1]["choices"] == []
        assert chunks[-1]["usage"] == whole["usage"]
        assert all(chunk["usage"] is None for chunk in chunks[:-1])
    else:
        assert all("usage" not in chunk for chunk in chunks)


@pytest.mark.parametrize(
    ("text", "members", "names"),
    [
        ("Hello", {}, []),
        ("weather in Paris", {}, ["get_weather"]),
        ("weather in Paris and Rome", {}, ["get_weather", "get_weather"]),
        ("the weather in both cities", {}, ["get_weather", "get_weather"]),
        ("weather in Paris and Rome", {"parallel_tool_calls": False}, ["get_weather"]),
        ("the weather and the time", {}, ["get_weather", "current_time"]),
        ("weather", {"tool_choice": "none"}, []),
        ("Hello", {"tool_choice": "required"}, ["get_weather"]),
        (
            "Hello",
            {"tool_choice": {"type": "function", "function": {"name": "current_time"}}},
            ["current_time"],
        ),
        (
            "Hello",
            {"tool_choice": {"type": "custom", "custom": {"name": "run_script"}}},
            ["run_script"],
        ),
        (
            "the weather and the time",
            {
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {"mode": "auto", "tools": [TIME]},
                }
            },
            ["current_time"],
        ),
        (
            "Hello",
            {
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {
                        "mode": "required",
                        "tools": [{"type": "function", "name": "current_time"}],
                    },
                }
            },
            ["current_time"],
        ),
    ],
)
def test_tools_are_called_as_the_text_and_the_choice_say(simulator, text, members, names):
    body = chat(text, tools=[WEATHER, TIME, SCRIPT], **members)
    reply = simulator.openai(body)
    assert names_of(reply) == names
    assert reply.json["choices"][0]["finish_reason"] == ("tool_calls" if names else "stop")
    *chunks, _ = simulator.openai(body | {"stream": True}).events
    made = folded(chunks)[0]
    assert [call["name"] for call in made["calls"].values()] == names
    assert list(made["calls"]) == list(range(len(names)))
    for call, number in zip(calls_of(reply), made["calls"], strict=True):
        body = call[call["type"]]
        assert made["calls"][number]["arguments"] == body.get("arguments", body.get("input"))


def test_parallel_calls_differ_in_id_and_arguments(simulator):
    calls = calls_of(simulator.openai(chat("weather in Paris and Rome", tools=[WEATHER])))
    assert len({call["id"] for call in calls}) == 2
    cities = [json.loads(call["function"]["arguments"])["city"] for call in calls]
    assert cities == ["Paris", "Rome"]


def test_results_are_quoted_with_their_names(simulator):
    body = chat("weather in Paris and Rome", tools=[WEATHER])
    message = simulator.openai(body).json["choices"][0]["message"]
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": f"{number} degrees"}
        for number, call in enumerate(message["tool_calls"])
    ]
    body["messages"] += [message, *results]
    content = simulator.openai(body).json["choices"][0]["message"]["content"]
    assert content == (
        "The result of get_weather is: 0 degrees; The result of get_weather is: 1 degrees"
    )


def test_legacy_functions_are_called_and_answered(simulator):
    body = chat("weather in Paris", functions=[WEATHER["function"]])
    choice = simulator.openai(body).json["choices"][0]
    assert choice["finish_reason"] == "function_call"
    assert choice["message"]["function_call"] == {
        "name": "get_weather",
        "arguments": '{"city":"Paris"}',
    }
    *chunks, _ = simulator.openai(body | {"stream": True}).events
    deltas = [chunk["choices"][0]["delta"].get("function_call", {}) for chunk in chunks]
    assert "".join(delta.get("arguments", "") for delta in deltas) == '{"city":"Paris"}'
    body["messages"] += [
        choice["message"],
        {"role": "function", "name": "get_weather", "content": "sunny"},
    ]
    content = simulator.openai(body).json["choices"][0]["message"]["content"]
    assert content == "The result of get_weather is: sunny"


def test_structured_outputs_satisfy_their_schema(simulator):
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "sure": {"type": "boolean"}},
        "required": ["city", "sure"],
        "additionalProperties": False,
    }
    wanted = {
        "type": "json_schema",
        "json_schema": {"name": "x", "schema": schema, "strict": True},
    }
    reply = simulator.openai(chat("I live in Paris", response_format=wanted))
    content = reply.json["choices"][0]["message"]["content"]
    assert json.loads(content) == {"city": "Paris", "sure": True}
    reply = simulator.openai(chat("as json", response_format={"type": "json_object"}))
    assert json.loads(reply.json["choices"][0]["message"]["content"]) == {"answer": "as json"}


def test_several_choices_differ_and_take_turns_in_a_stream(simulator):
    whole = simulator.openai(chat("Hi", n=3)).json["choices"]
    texts = [choice["message"]["content"] for choice in whole]
    assert [choice["index"] for choice in whole] == [0, 1, 2]
    assert len(set(texts)) == 3
    *chunks, _ = simulator.openai(chat("Hi", n=3, stream=True)).events
    made = folded(chunks)
    assert [made[index]["content"] for index in range(3)] == texts
    assert [made[index]["finish"] for index in range(3)] == [["stop"]] * 3
    assert [chunk["choices"][0]["index"] for chunk in chunks[:4]] == [0, 1, 2, 0]


def test_logprobs_cover_the_text(simulator):
    body = chat("Привет", logprobs=True, top_logprobs=2)
    choice = simulator.openai(body).json["choices"][0]
    entries = choice["logprobs"]["content"]
    assert "".join(entry["token"] for entry in entries) == choice["message"]["content"]
    assert bytes(b for entry in entries for b in entry["bytes"]).decode().startswith("You said")
    assert {len(entry["top_logprobs"]) for entry in entries} == {2}
    *chunks, _ = simulator.openai(body | {"stream": True}).events
    parts = [c["choices"][0]["logprobs"] for c in chunks if c["choices"][0]["logprobs"]]
    assert [entry for part in parts for entry in part["content"]] == entries


def test_reasoning_models_think_first(simulator):
    body = chat("why", model="simulated-reasoner")
    reply = simulator.openai(body).json
    assert reply["choices"][0]["message"]["reasoning_content"] == "Thinking about: why"
    assert reply["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0
    *chunks, _ = simulator.openai(body | {"stream": True}).events
    assert folded(chunks)[0]["reasoning_content"] == "Thinking about: why"


def test_a_trigger_word_is_refused(simulator):
    body = chat("something blacklisted")
    message = simulator.openai(body).json["choices"][0]["message"]
    assert message["content"] is None
    *chunks, _ = simulator.openai(body | {"stream": True}).events
    assert folded(chunks)[0]["refusal"] == message["refusal"]


@pytest.mark.parametrize(
    ("members", "content", "finish"),
    [
        ({"max_tokens": 2}, "You said", "length"),
        ({"max_completion_tokens": 3, "max_tokens": 1}, "You said:", "length"),
        ({"stop": " (system"}, "You said: Hello", "stop"),
        ({"stop": ["nowhere", "said"]}, "You ", "stop"),
    ],
)
def test_limits_and_stops_are_honoured(simulator, members, content, finish):
    choice = simulator.openai(chat("Hello", **members)).json["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == (content, finish)


def test_models_are_listed_and_found(simulator):
    listed = simulator.get("/openai/v1/models", KEY).json
    assert listed["object"] == "list"
    assert {"gpt-4o", "simulated-reasoner"} <= {model["id"] for model in listed["data"]}
    found = simulator.get("/openai/v1/models/vendor/name:tag", KEY).json
    assert (found["id"], found["object"]) == ("vendor/name:tag", "model")
    assert simulator.get("/openai/v1/models/missing", KEY).status == 404
    assert simulator.get("/openai/v1/models").status == 401


def embed(simulator, **members):
    body = {"model": "text-embedding-3-small", "input": "text", **members}
    return simulator.post("/openai/v1/embeddings", body, KEY)


def test_embeddings_are_the_same_as_floats_and_as_base64(simulator):
    floats = embed(simulator).json["data"][0]["embedding"]
    packed = embed(simulator, encoding_format="base64").json["data"][0]["embedding"]
    assert len(floats) == 1536
    assert list(struct.unpack("<1536f", base64.b64decode(packed))) == pytest.approx(floats)
    assert sum(number * number for number in floats) == pytest.approx(1)


@pytest.mark.parametrize(
    ("given", "count"), [("x", 1), (["x", "y"], 2), ([1, 2], 1), ([[1, 2], [3]], 2)]
)
def test_embeddings_take_every_form_of_input(simulator, given, count):
    reply = embed(simulator, input=given, dimensions=8)
    assert [len(item["embedding"]) for item in reply.json["data"]] == [8] * count
    assert reply.json["usage"]["prompt_tokens"] == reply.json["usage"]["total_tokens"] > 0


@pytest.mark.parametrize(
    ("members", "status"),
    [
        ({"input": ""}, 400),
        ({"input": []}, 400),
        ({"input": ["x", ""]}, 400),
        ({"input": 5}, 400),
        ({"input": ["x"] * 2049}, 400),
        ({"dimensions": 0}, 400),
        ({"encoding_format": "int8"}, 400),
        ({"model": "missing"}, 404),
        ({"model": "gpt-4o"}, 403),
    ],
)
def test_embeddings_refuse_what_openai_refuses(simulator, members, status):
    assert embed(simulator, **members).status == status
