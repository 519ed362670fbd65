"""The GigaChat simulator's chat v2, judged by the official SDK over real sockets."""

import pytest
from gigachat import GigaChat
from gigachat.exceptions import RateLimitError, ServerError, UnprocessableEntityError
from pydantic import BaseModel

from dragoman.simulators.options import GIGACHAT_KEYS

WEATHER = {
    "name": "get_weather",
    "description": "Weather in a city",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
TIME = {**WEATHER, "name": "get_time", "description": "Time of day in a city"}
FUNCTIONS = {"functions": {"specifications": [WEATHER, TIME]}}


class Answer(BaseModel):
    city: str
    degrees: int


@pytest.fixture
def client(simulator):
    with GigaChat(
        base_url=simulator.server.gigachat_url,  # of version 1: the SDK derives the other
        auth_url=simulator.server.gigachat_auth_url,
        credentials=GIGACHAT_KEYS[0],
        scope="GIGACHAT_API_PERS",
    ) as client:
        yield client


def question(text, **members):
    messages = [{"role": "user", "content": [{"text": text}]}]
    return {"model": "GigaChat-3-Ultra", "messages": messages, **members}


def text_of(messages):
    return "".join(part.text or "" for m in messages for part in m.content or ())


def test_a_question_is_answered(client):
    answer = client.chat.create(question("Привет"))
    assert text_of(answer.messages).startswith("You said: Привет")
    assert answer.finish_reason == "stop"
    usage = answer.usage
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    assert usage.input_tokens_details.cached_tokens == 2


def test_a_stream_ends_with_its_reason_and_usage(client):
    chunks = list(client.chat.stream(question("Привет 🙂 [[split:3]]")))
    assert {chunk.event for chunk in chunks[:-1]} == {"response.message.delta"}
    assert chunks[-1].event == "response.message.done"
    assert text_of(m for c in chunks for m in c.messages or ()).startswith("You said: Привет 🙂")
    assert chunks[-1].finish_reason == "stop"
    assert chunks[-1].usage.total_tokens > 0


def test_two_functions_are_called_at_once_and_their_results_used(simulator, client):
    options = {"parallel_tool_calls": True}
    asked = question("weather and time in Paris", tools=[FUNCTIONS], model_options=options)
    answer = client.chat.create(asked)
    assert answer.finish_reason == "function_call"
    (message,) = answer.messages
    calls = [part.function_call for part in message.content]
    assert {call.name for call in calls} == {"get_weather", "get_time"}
    results = [
        {"function_result": {"id": call.id, "name": call.name, "result": {"ok": call.name}}}
        for call in calls
    ]
    state = message.tools_state_id
    asked["messages"] += [
        message.model_dump(exclude_none=True),
        {"role": "tool", "tools_state_id": state, "content": results},
    ]
    last = client.chat.create(asked)
    assert '{"ok":"get_weather"}' in text_of(last.messages)
    assert simulator.view()["warnings"] == {}


def test_a_streamed_call_is_whole_and_one_at_a_time_unless_asked(client):
    chunks = list(client.chat.stream(question("weather and time in Paris", tools=[FUNCTIONS])))
    parts = [part for chunk in chunks for m in chunk.messages or () for part in m.content]
    (call,) = [part.function_call for part in parts]
    assert call.arguments == {"city": "Paris"}
    assert chunks[-1].finish_reason == "function_call"


@pytest.mark.parametrize("mode", ["any", "forced"])
def test_a_call_is_made_where_it_must_be(client, mode):
    config = {"mode": "any", "functions_names_any": ["get_time"]}
    if mode == "forced":
        config = {"mode": "forced", "function_name": "get_time"}
    answer = client.chat.create(question("hm", tools=[FUNCTIONS], tool_config=config))
    assert answer.messages[0].content[0].function_call.name == "get_time"


def test_a_model_is_parsed(client):
    _, parsed = client.chat.parse(question("How warm is Omsk?"), response_format=Answer)
    assert isinstance(parsed, Answer)


def test_thoughts_come_first(client):
    asked = question("x", model_options={"reasoning": {"effort": "low"}})
    roles = [message.role for message in client.chat.create(asked).messages]
    assert roles == ["reasoning", "assistant"]


def test_a_search_marks_its_sources(client):
    asked = question("news", tools=[{"web_search": {}}])
    asked["tool_config"] = {"mode": "forced", "tool_name": "web_search"}
    answer = client.chat.create(asked)
    (part,) = answer.messages[0].content
    assert "[sources=[1,2]]" in part.text
    assert part.inline_data.sources["1"].url == "https://example.com/one"
    chunks = list(client.chat.stream(asked))
    events = [chunk.event for chunk in chunks]
    assert events[:2] == ["response.tool.in_progress", "response.tool.completed"]
    assert chunks[1].tool_execution.name == "web_search"


def test_a_picture_is_a_file(client):
    answer = client.chat.create(question("Draw a picture", tools=[{"image_generate": {}}]))
    file, text = answer.messages[0].content
    assert file.files[0].mime == "image/jpeg"
    assert text.text
    assert answer.messages[0].tools_state_id


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[[fault:429 retry-after=7]]", RateLimitError),
        ("[[fault:500]]", ServerError),
        ("[[fault:html]]", ServerError),
        ("[[fault:422]]", UnprocessableEntityError),
    ],
)
def test_errors_are_recognised(client, text, error):
    with pytest.raises(error):
        client.chat.create(question(text))
    with pytest.raises(error):
        list(client.chat.stream(question(text)))


@pytest.mark.parametrize(
    ("fault", "member", "is_there"),
    [("no-usage", "usage", False), ("no-finish", "finish_reason", False), ("", "usage", True)],
)
def test_a_last_event_may_lack_what_it_should_have(client, fault, member, is_there):
    chunks = list(client.chat.stream(question(f"x [[fault:{fault}]]" if fault else "x")))
    assert (getattr(chunks[-1], member) is not None) == is_there


def test_the_last_event_may_be_missing(client):
    chunks = list(client.chat.stream(question("x [[fault:no-done]]")))
    assert {chunk.event for chunk in chunks} == {"response.message.delta"}
