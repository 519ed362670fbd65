"""What the GigaChat simulator answers, whole and streamed."""

import json
import threading

import pytest

from dragoman.simulators.options import GIGACHAT_KEYS

WEATHER = {
    "name": "get_weather",
    "description": "Погода в городе; weather forecast",
    "parameters": {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer"},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            "note": {"type": "string"},
        },
        "required": ["city", "days", "unit"],
    },
}
TIME = {
    "name": "current_time",
    "description": "The time of day",
    "parameters": {"type": "object", "properties": {}},
}


def chat(text, **members):
    return {"model": "GigaChat", "messages": [{"role": "user", "content": text}], **members}


def test_the_answer_echoes_the_request_in_the_recorded_shape(simulator):
    reply = simulator.gigachat(
        chat("")
        | {
            "messages": [
                {"role": "system", "content": "Кратко"},
                {"role": "user", "content": "Привет 🙂"},
            ]
        }
    )
    assert list(reply.json) == ["choices", "created", "model", "object", "usage"]
    (choice,) = reply.json["choices"]
    assert choice["message"] == {
        "role": "assistant",
        "content": "You said: Привет 🙂 (system: Кратко; turns: 1)",
    }
    assert (choice["index"], choice["finish_reason"]) == (0, "stop")
    assert reply.json["model"] == "GigaChat:2.0.28.2"
    assert reply.json["object"] == "chat.completion"
    usage = reply.json["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert "precached_prompt_tokens" in usage
    assert "Привет".encode() in reply.body


def test_the_same_request_gives_the_same_answer_to_the_byte(simulator):
    for body in (chat("one"), chat("one", stream=True), chat("weather", functions=[WEATHER])):
        first, second = simulator.gigachat(body), simulator.gigachat(body)
        assert first.body == second.body
        assert first.headers["x-request-id"] == second.headers["x-request-id"]


def test_ids_of_the_caller_are_echoed(simulator):
    headers = {
        "authorization": f"Bearer {simulator.gigachat_token()}",
        "x-request-id": "mine",
        "x-session-id": "session",
    }
    reply = simulator.post("/gigachat/api/v1/chat/completions", chat("x"), headers)
    assert (reply.headers["x-request-id"], reply.headers["x-session-id"]) == ("mine", "session")


def test_a_stream_has_the_recorded_framing(simulator):
    reply = simulator.gigachat(chat("Привет", stream=True))
    assert reply.headers["content-type"] == "text/event-stream"
    assert reply.body.endswith(b"\n\ndata: [DONE]\n\n")
    *chunks, done = reply.events
    assert done == "[DONE]"
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert [("role" in delta) for delta in deltas] == [True] + [False] * (len(deltas) - 1)
    assert "".join(delta["content"] for delta in deltas).startswith("You said: Привет")
    assert len(chunks) > 3
    assert all("finish_reason" not in chunk["choices"][0] for chunk in chunks[:-1])
    assert all("usage" not in chunk for chunk in chunks[:-1])
    assert chunks[-1]["choices"][0] == {
        "delta": {"content": ""},
        "index": 0,
        "finish_reason": "stop",
    }
    assert chunks[-1]["usage"]["completion_tokens"] > 0
    assert {chunk["object"] for chunk in chunks} == {"chat.completion"}


def test_the_best_fitting_function_is_called_with_arguments_of_its_schema(simulator):
    reply = simulator.gigachat(
        chat("Какая погода в Москве на 3 дня?", functions=[TIME, WEATHER], function_call="auto")
    )
    (choice,) = reply.json["choices"]
    assert choice["finish_reason"] == "function_call"
    message = choice["message"]
    assert message["content"] == ""
    assert message["function_call"] == {
        "name": "get_weather",
        "arguments": {"city": "Москве", "days": 3, "unit": "celsius"},
    }
    assert len(message["functions_state_id"]) == 36


@pytest.mark.parametrize(
    ("text", "members", "called"),
    [
        ("Hello", {}, None),
        ("Hello", {"function_call": {"name": "current_time"}}, "current_time"),
        ("weather", {"function_call": "none"}, None),
        ("weather", {"function_call": {"name": "current_time"}}, "current_time"),
        ("what time is it", {"function_call": "auto"}, "current_time"),
    ],
)
def test_functions_are_called_when_they_fit_or_are_forced(simulator, text, members, called):
    reply = simulator.gigachat(chat(text, functions=[WEATHER, TIME], **members))
    call = reply.json["choices"][0]["message"].get("function_call")
    assert (call or {}).get("name") == called


def test_partial_arguments_of_a_forced_call_are_kept(simulator):
    forced = {"name": "get_weather", "partial_arguments": {"city": "Тверь"}}
    reply = simulator.gigachat(chat("x", functions=[WEATHER], function_call=forced))
    call = reply.json["choices"][0]["message"]["function_call"]
    assert call["arguments"]["city"] == "Тверь"


def test_a_result_is_quoted_and_the_state_id_is_checked(simulator):
    question = chat("weather in Paris", functions=[WEATHER])
    message = simulator.gigachat(question).json["choices"][0]["message"]
    result = {"role": "function", "name": "get_weather", "content": '{"temperature": -3}'}
    follow_up = {**question, "messages": [*question["messages"], message, result]}
    reply = simulator.gigachat(follow_up)
    assert '{"temperature": -3}' in reply.json["choices"][0]["message"]["content"]
    assert simulator.view()["warnings"] == {}

    other = simulator.gigachat(chat("weather in Rome", functions=[WEATHER])).json
    swapped = message | {"functions_state_id": other["choices"][0]["message"]["functions_state_id"]}
    reply = simulator.gigachat({**question, "messages": [*question["messages"], swapped, result]})
    assert reply.status == 422


@pytest.mark.parametrize(("option", "count"), [("one", 1), ("two", 2)])
def test_a_streamed_call_and_its_finish_come_in_one_event_or_two(simulator, option, count):
    simulator.control(options={"gigachat_call_events": option})
    reply = simulator.gigachat(chat("weather in Paris", functions=[WEATHER], stream=True))
    *chunks, done = reply.events
    assert done == "[DONE]"
    assert len(chunks) == count
    delta = chunks[0]["choices"][0]["delta"]
    assert delta["role"] == "assistant"
    assert delta["function_call"]["arguments"]["city"] == "Paris"
    assert delta["functions_state_id"]
    assert [chunk["choices"][0].get("finish_reason") for chunk in chunks] == [None] * (
        count - 1
    ) + ["function_call"]
    assert "usage" in chunks[-1]


def test_structured_output_satisfies_the_schema(simulator):
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "string"}, "n": {"type": "integer", "maximum": 10}},
        "required": ["answer", "n"],
    }
    reply = simulator.gigachat(
        chat(
            "Return 77 Things",
            model="GigaChat-3-Ultra",
            response_format={"type": "json_schema", "schema": schema, "strict": True},
        )
    )
    content = reply.json["choices"][0]["message"]["content"]
    assert json.loads(content) == {"answer": "Things", "n": 10}


def test_reasoning_comes_before_the_content(simulator):
    body = chat("why", model="GigaChat-3-Ultra", reasoning_effort="high")
    message = simulator.gigachat(body).json["choices"][0]["message"]
    assert message["reasoning_content"] == "Thinking about: why"
    *chunks, _ = simulator.gigachat(body | {"stream": True}).events
    kinds = [
        "reasoning" if "reasoning_content" in chunk["choices"][0]["delta"] else "content"
        for chunk in chunks
    ]
    assert kinds == sorted(kinds, reverse=True)
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"


def test_a_forbidden_topic_and_a_token_limit_end_the_answer(simulator):
    choice = simulator.gigachat(chat("something blacklisted")).json["choices"][0]
    assert choice["finish_reason"] == "blacklist"
    reply = simulator.gigachat(chat("a long question about much", max_tokens=3))
    assert reply.json["choices"][0]["finish_reason"] == "length"
    assert reply.json["choices"][0]["message"]["content"] == "You said:"
    assert reply.json["usage"]["completion_tokens"] == 3


def test_the_small_endpoints_have_the_recorded_shapes(simulator):
    headers = {"authorization": f"Bearer {simulator.gigachat_token()}"}
    base = "/gigachat/api/v1"
    models = simulator.get(f"{base}/models", headers).json
    assert models["object"] == "list"
    item = {"id": "GigaChat", "object": "model", "owned_by": "salutedevices", "type": "chat"}
    assert item in models["data"]
    assert simulator.get(f"{base}/models/GigaChat", headers).json == item
    missing = simulator.get(f"{base}/models/Nobody", headers)
    assert (missing.status, missing.json) == (404, {"status": 404, "message": "No such model"})
    counted = simulator.post(
        f"{base}/tokens/count", {"model": "GigaChat", "input": ["Hello, world!", ""]}, headers
    ).json
    assert counted == [
        {"object": "tokens", "tokens": 4, "characters": 13},
        {"object": "tokens", "tokens": 0, "characters": 0},
    ]
    assert simulator.get(f"{base}/balance", headers).json["balance"][0]["usage"] == "GigaChat"


def test_embeddings_carry_usage_with_each_item(simulator):
    headers = {"authorization": f"Bearer {simulator.gigachat_token()}"}
    body = {"model": "Embeddings", "input": ["one", "two words"]}
    reply = simulator.post("/gigachat/api/v1/embeddings", body, headers)
    assert "usage" not in reply.json
    assert [item["index"] for item in reply.json["data"]] == [0, 1]
    assert [item["usage"] for item in reply.json["data"]] == [
        {"prompt_tokens": 1},
        {"prompt_tokens": 2},
    ]
    assert {len(item["embedding"]) for item in reply.json["data"]} == {1024}
    simulator.control(options={"gigachat_shuffles_embeddings": True})
    shuffled = simulator.post("/gigachat/api/v1/embeddings", body, headers).json
    assert shuffled["data"] == reply.json["data"][::-1]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"model": "Embeddings", "input": "text"}, 400),
        ({"model": "Embeddings", "input": [1]}, 400),
        ({"model": "Embeddings", "input": []}, 422),
        ({"model": "Embeddings", "input": ["x"], "dimensions": 5}, 422),
        ({"model": "GigaChat", "input": ["x"]}, 404),
    ],
)
def test_embeddings_refuse_what_the_real_ones_refuse(simulator, body, status):
    headers = {"authorization": f"Bearer {simulator.gigachat_token()}"}
    assert simulator.post("/gigachat/api/v1/embeddings", body, headers).status == status


@pytest.mark.parametrize("retry_after", [None, 2])
def test_one_request_more_than_allowed_gets_429_at_once(simulator, retry_after):
    simulator.control(
        options={"gigachat_in_flight": 1, "gigachat_retry_after": retry_after},
    )
    token = simulator.gigachat_token()
    slow = chat("[[fault:slow seconds=20]]")
    thread = threading.Thread(target=_ignore_answer, args=(simulator, slow, token))
    thread.start()
    while not simulator.view()["in_flight"].get("gigachat"):
        pass
    reply = simulator.gigachat(chat("me too"), token=token)
    other = simulator.gigachat(chat("me"), token=simulator.gigachat_token(GIGACHAT_KEYS[1]))
    assert (reply.status, reply.json["message"]) == (429, "Too Many Requests")
    assert reply.headers.get("retry-after") == (None if retry_after is None else "2")
    assert other.status == 200
    _cut_client_connections(simulator)
    thread.join(10)
    while simulator.view()["in_flight"]["gigachat"]:
        pass
    assert simulator.gigachat(chat("again"), token=token).status == 200


def _ignore_answer(simulator, body, token):
    try:
        simulator.gigachat(body, token)
    except OSError:
        return


def _cut_client_connections(simulator):
    """Break every connection but the one that asks, as a network would."""
    server = simulator.server._server
    loop = server.server_state
    for connection in list(loop.connections):
        connection.loop.call_soon_threadsafe(connection.transport.abort)


def test_thoughts_can_stand_in_the_text(simulator):
    asked = chat("Why?", reasoning_effort="low") | {"model": "GigaChat-3-Ultra"}
    plain = simulator.gigachat(asked).json["choices"][0]["message"]
    simulator.control(options={"gigachat_thinks_in_tags": True})
    tagged = simulator.gigachat(asked).json["choices"][0]["message"]
    assert "reasoning_content" not in tagged
    thought = f"<think>\n{plain['reasoning_content']}\n</think>\n\n"
    assert tagged["content"] == thought + plain["content"]
    events = simulator.gigachat(asked | {"stream": True}).events[:-1]
    deltas = [event["choices"][0]["delta"]["content"] for event in events]
    assert "".join(deltas) == tagged["content"]
    assert "<think>" not in deltas, "the tag is cut between events"


def test_a_spoiled_call_ends_in_an_error(simulator):
    for stream in (False, True):
        reply = simulator.gigachat(chat("Go [[fault:spoiled-call]]", stream=stream))
        answer = reply.events[-2] if stream else reply.json
        assert answer["choices"][0]["finish_reason"] == "error"
