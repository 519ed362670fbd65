"""The official ``openai`` SDK through the gateway, on GigaChat and on a compatible server."""

import asyncio
import json
import time

import openai
import pytest

MODELS = pytest.mark.parametrize(
    "model", ["gigachat/GigaChat-2", "gigachat2/GigaChat-2", "openai/gpt-4o"]
)

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Weather in a city",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "unit": {"enum": ["c", "f"]}},
                "required": ["city", "unit"],
            },
        },
    },
    {
        "type": "function",
        "function": {
            "name": "get_time",
            "description": "Local time in a city",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    },
]
ASK = "What is the weather and the local time in Moscow? Use both tools."


@pytest.fixture
def client(gateway):
    with openai.OpenAI(base_url=gateway.base_url, api_key="any", max_retries=0) as client:
        yield client


@pytest.fixture
async def async_client(gateway):
    async with openai.AsyncOpenAI(
        base_url=gateway.base_url, api_key="any", max_retries=0
    ) as client:
        yield client


def said(text):
    return [{"role": "user", "content": text}]


@MODELS
def test_a_conversation(client, model):
    messages = [{"role": "system", "content": "Be brief."}, *said("Привет, 🌍!")]
    first = client.chat.completions.create(model=model, messages=messages)
    assert "Привет, 🌍!" in first.choices[0].message.content
    assert first.choices[0].finish_reason == "stop"
    assert first.usage.total_tokens == first.usage.prompt_tokens + first.usage.completion_tokens > 0
    messages += [first.choices[0].message.model_dump(exclude_none=True), *said("And now?")]
    second = client.chat.completions.create(model=model, messages=messages)
    assert "And now?" in second.choices[0].message.content


@MODELS
@pytest.mark.parametrize("asked", [True, False])
def test_a_stream(client, model, asked):
    options = {"stream_options": {"include_usage": True}} if asked else {}
    chunks = list(
        client.chat.completions.create(
            model=model, messages=said("Count слова please [[chunks:12]]"), stream=True, **options
        )
    )
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert "Count слова please" in text
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    usages = [c.usage for c in chunks if c.usage]
    assert len(usages) == asked
    if asked:
        assert usages[0].total_tokens > 0
    assert all(c.choices for c in chunks) or asked
    assert len({c.id for c in chunks}) == 1


@MODELS
async def test_a_conversation_and_a_stream_asynchronously(async_client, model):
    answer = await async_client.chat.completions.create(model=model, messages=said("Hello"))
    assert "Hello" in answer.choices[0].message.content
    async with async_client.chat.completions.stream(model=model, messages=said("Hello")) as stream:
        final = await stream.get_final_completion()
    assert "Hello" in final.choices[0].message.content


def loop_until_text(create, limit=6):
    """What an agent does: run the tools it is asked for until there is a text."""
    messages = said(ASK)
    called = []
    for _ in range(limit):
        message = create(messages)
        if not message.tool_calls:
            return message.content, called
        messages.append(message.model_dump(exclude_none=True))
        for call in message.tool_calls:
            arguments = json.loads(call.function.arguments)
            called.append((call.function.name, arguments))
            result = {"city": arguments["city"], "answer": f"{call.function.name} says 22"}
            content = json.dumps(result, ensure_ascii=False)
            messages.append({"role": "tool", "tool_call_id": call.id, "content": content})
    raise AssertionError("no final text")


@MODELS
def test_tools_are_called_and_their_results_come_to_a_final_text(client, model):
    def create(messages):
        answer = client.chat.completions.create(model=model, messages=messages, tools=TOOLS)
        message = answer.choices[0].message
        expected = "tool_calls" if message.tool_calls else "stop"
        assert answer.choices[0].finish_reason == expected
        return message

    text, called = loop_until_text(create)
    assert text
    assert {name for name, _ in called} <= {"get_weather", "get_time"}
    assert called


@MODELS
def test_streamed_tool_calls_come_to_a_final_text(client, model):
    def create(messages):
        with client.chat.completions.stream(model=model, messages=messages, tools=TOOLS) as stream:
            return stream.get_final_completion().choices[0].message

    text, called = loop_until_text(create)
    assert text
    assert called


def test_two_parallel_calls_streamed_with_their_results_returned(client):
    first = None
    with client.chat.completions.stream(
        model="openai/gpt-4o", messages=said(ASK), tools=TOOLS
    ) as stream:
        first = stream.get_final_completion().choices[0].message
    assert len(first.tool_calls) == 2
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": f"{call.function.name}: 22"}
        for call in first.tool_calls
    ]
    history = [*said(ASK), first.model_dump(exclude_none=True), *results]
    for model in ("openai/gpt-4o", "gigachat/GigaChat-2"):
        answer = client.chat.completions.create(model=model, messages=history, tools=TOOLS)
        assert answer.choices[0].finish_reason == "stop"
        assert answer.choices[0].message.content


def test_the_state_of_a_gigachat_call_returns_with_the_next_turn(client, simulator):
    def create(messages):
        return (
            client.chat.completions.create(
                model="gigachat/GigaChat-2", messages=messages, tools=TOOLS
            )
            .choices[0]
            .message
        )

    loop_until_text(create)
    bodies = [
        request["body"]
        for request in simulator.view()["last_requests"]
        if request["path"].endswith("/chat/completions")
    ]
    states = [
        message.get("functions_state_id")
        for message in bodies[-1]["messages"]
        if message["role"] == "assistant"
    ]
    assert states
    assert all(states)


@MODELS
@pytest.mark.parametrize(
    ("directive", "error", "status"),
    [
        ("[[fault:500]]", openai.InternalServerError, 502),
        ("[[fault:html]]", openai.InternalServerError, 502),
        ("[[fault:bad-json]]", openai.InternalServerError, 502),
        ("[[fault:429 retry-after=30]]", openai.RateLimitError, 429),
        ("[[fault:400]]", openai.BadRequestError, 400),
    ],
)
def test_an_upstreams_trouble_is_the_sdks_own_error_class(client, model, directive, error, status):
    with pytest.raises(error) as caught:
        client.chat.completions.create(model=model, messages=said(f"Hi {directive}"))
    assert caught.value.status_code == status
    assert caught.value.body["message"]
    if status == 429:
        assert int(caught.value.response.headers["retry-after"]) >= 1


@MODELS
@pytest.mark.parametrize(
    "directive",
    ["[[fault:cut after=3]]", "[[fault:bad-chunk after=3]]", "[[fault:cut after=3 bytes=7]]"],
)
def test_a_stream_that_breaks_raises_and_never_ends_well(client, model, directive):
    seen = []
    with pytest.raises(openai.APIError):
        for chunk in client.chat.completions.create(
            model=model,
            messages=said(f"Tell a long story {directive} [[chunks:10]] [[pace:5ms]]"),
            stream=True,
        ):
            seen += [choice.finish_reason for choice in chunk.choices]
    assert not any(seen)


def test_an_unknown_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="nobody-has-this", messages=said("hi"))
    assert caught.value.code == "model_not_found"
    for model in ("gigachat/missing", "openai/missing-model"):
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model=model, messages=said("hi"))


@MODELS
def test_a_cancelled_stream_frees_its_upstream_at_once(client, gateway, simulator, model):
    stream = client.chat.completions.create(
        model=model, messages=said("Go on [[chunks:200]] [[pace:50ms]]"), stream=True
    )
    next(iter(stream))
    assert gateway.leases() == 1
    before = simulator.view()["disconnects"]
    stream.close()
    for _ in range(500):
        if gateway.leases() == 0 and simulator.view()["disconnects"] > before:
            break
        time.sleep(0.01)
    assert gateway.leases() == 0
    assert simulator.view()["disconnects"] > before


async def test_cancelled_tasks_free_their_upstreams(async_client, gateway):
    async def ask():
        await async_client.chat.completions.create(
            model="openai/gpt-4o", messages=said("Slow [[fault:slow seconds=20]]")
        )

    tasks = [asyncio.ensure_future(ask()) for _ in range(5)]
    while gateway.leases() < 5:
        await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    while gateway.leases():
        await asyncio.sleep(0.01)


def test_models_are_listed_and_shown(client):
    names = [model.id for model in client.models.list()]
    assert "GigaChat-2" in names
    assert client.models.retrieve("GigaChat-2").owned_by == "gigachat"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nobody-has-this")
