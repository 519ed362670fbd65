"""The OpenAI simulator, judged by the official SDK over real sockets."""

import json

import openai
import pytest
from pydantic import BaseModel

from dragoman.simulators.options import OPENAI_KEYS

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


class Trip(BaseModel):
    city: str
    days: int
    stops: list[str]
    note: str | None


@pytest.fixture
def client(simulator):
    with openai.OpenAI(
        base_url=simulator.server.openai_url, api_key=OPENAI_KEYS[0], max_retries=0
    ) as made:
        yield made


def ask(client, text, **members):
    messages = [{"role": "user", "content": text}]
    return client.chat.completions.create(model="gpt-4o", messages=messages, **members)


def test_a_question_is_answered(client):
    answer = ask(client, "Привет 🙂")
    assert answer.choices[0].message.content.startswith("You said: Привет 🙂")
    assert answer.usage.total_tokens > 0


async def test_a_question_is_answered_asynchronously(simulator):
    async with openai.AsyncOpenAI(
        base_url=simulator.server.openai_url, api_key=OPENAI_KEYS[0]
    ) as client:
        stream = await ask(client, "Привет", stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    assert text.startswith("You said: Привет")


def test_a_stream_is_read_with_its_usage(client):
    with ask(
        client, "Привет [[split:5]]", stream=True, stream_options={"include_usage": True}
    ) as stream:
        chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text.startswith("You said: Привет")
    assert chunks[-1].usage.total_tokens > 0


def test_parallel_calls_make_a_round_trip(client):
    messages = [{"role": "user", "content": "weather in Paris and Rome"}]
    asked = {"model": "gpt-4o", "tools": [WEATHER]}
    message = client.chat.completions.create(messages=messages, **asked).choices[0].message
    cities = [json.loads(call.function.arguments)["city"] for call in message.tool_calls]
    assert cities == ["Paris", "Rome"]
    messages.append(message)
    messages += [
        {"role": "tool", "tool_call_id": call.id, "content": f"{city}: sunny"}
        for call, city in zip(message.tool_calls, cities, strict=True)
    ]
    answer = client.chat.completions.create(messages=messages, **asked).choices[0].message
    assert "Paris: sunny" in answer.content
    assert "Rome: sunny" in answer.content


def test_parallel_calls_are_accumulated_from_a_stream(client):
    with client.chat.completions.stream(
        model="gpt-4o",
        messages=[{"role": "user", "content": "weather in Paris and Rome"}],
        tools=[WEATHER],
    ) as stream:
        message = stream.get_final_completion().choices[0].message
    arguments = [json.loads(call.function.arguments) for call in message.tool_calls]
    assert arguments == [{"city": "Paris"}, {"city": "Rome"}]


def test_a_model_is_parsed(client):
    answer = client.chat.completions.parse(
        model="gpt-4o",
        messages=[{"role": "user", "content": "A trip to Paris for 3 days"}],
        response_format=Trip,
    )
    parsed = answer.choices[0].message.parsed
    assert (parsed.city, parsed.days) == ("Paris", 3)
    refused = client.chat.completions.parse(
        model="gpt-4o",
        messages=[{"role": "user", "content": "blacklisted"}],
        response_format=Trip,
    )
    assert refused.choices[0].message.refusal


def test_models_and_embeddings_are_read(client):
    assert "gpt-4o" in [model.id for model in client.models.list()]
    assert client.models.retrieve("gpt-4o").object == "model"
    made = client.embeddings.create(model="text-embedding-3-small", input=["a", "b"])
    assert [len(item.embedding) for item in made.data] == [1536, 1536]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[[fault:400]]", openai.BadRequestError),
        ("[[fault:401]]", openai.AuthenticationError),
        ("[[fault:403]]", openai.PermissionDeniedError),
        ("[[fault:404]]", openai.NotFoundError),
        ("[[fault:422]]", openai.UnprocessableEntityError),
        ("[[fault:429 retry-after=1]]", openai.RateLimitError),
        ("[[fault:500]]", openai.InternalServerError),
        ("[[fault:html]]", openai.InternalServerError),
        ("[[fault:drop]]", openai.APIConnectionError),
    ],
)
def test_errors_have_their_classes(client, text, error):
    with pytest.raises(error):
        ask(client, text)


def test_an_error_within_a_stream_is_raised(client):
    with (
        ask(client, "[[fault:error-in-stream after=3]]", stream=True) as stream,
        pytest.raises(openai.APIError, match="server had an error"),
    ):
        list(stream)


def test_a_fault_that_ends_is_survived_by_a_retry(simulator):
    with openai.OpenAI(
        base_url=simulator.server.openai_url, api_key=OPENAI_KEYS[0], max_retries=2
    ) as client:
        answer = ask(client, "[[fault:503 times=1 retry-after=0.01]] again")
    assert answer.choices[0].message.content.startswith("You said: again")
    assert simulator.view()["statuses"] == {"200": 1, "503": 1}
