"""The GigaChat simulator, judged by the official SDK over real sockets."""

import warnings

import pytest
from gigachat import GigaChat
from gigachat.exceptions import (
    AuthenticationError,
    NotFoundError,
    RateLimitError,
    ServerError,
    UnprocessableEntityError,
)
from gigachat.models import Chat, Function, FunctionParameters, Messages, MessagesRole

from dragoman.simulators.options import (
    GIGACHAT_ACCESS_TOKEN,
    GIGACHAT_KEYS,
    GIGACHAT_PASSWORD,
    GIGACHAT_USER,
)

WEATHER = Function(
    name="get_weather",
    description="Weather in a city",
    parameters=FunctionParameters(
        type="object",
        properties={"city": {"type": "string"}},
        required=["city"],
    ),
)


@pytest.fixture(autouse=True)
def _old_calls_are_fine():
    """The SDK calls chat v1 deprecated; it is what the simulator speaks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


@pytest.fixture
def settings(simulator):
    return {
        "base_url": simulator.server.gigachat_url,
        "auth_url": simulator.server.gigachat_auth_url,
        "credentials": GIGACHAT_KEYS[0],
        "scope": "GIGACHAT_API_PERS",
        "model": "GigaChat",
    }


def question(text, **members):
    return Chat(
        model="GigaChat", messages=[Messages(role=MessagesRole.USER, content=text)], **members
    )


def test_a_question_is_answered_with_one_token_for_all(simulator, settings):
    with GigaChat(**settings) as client:
        answer = client.chat(question("Привет"))
        assert answer.choices[0].message.content.startswith("You said: Привет")
        assert answer.choices[0].finish_reason == "stop"
        assert answer.usage.total_tokens > 0
        client.chat(question("again"))
    assert simulator.view()["token_fetches"] == 1


def test_a_password_and_a_ready_token_open_the_api_too(simulator):
    base_url = simulator.server.gigachat_url
    with GigaChat(base_url=base_url, user=GIGACHAT_USER, password=GIGACHAT_PASSWORD) as client:
        assert client.chat(question("Привет")).choices
    with GigaChat(base_url=base_url, access_token=GIGACHAT_ACCESS_TOKEN) as client:
        assert client.chat(question("Привет")).choices


async def test_a_question_is_answered_asynchronously(settings):
    async with GigaChat(**settings) as client:
        answer = await client.achat(question("Привет"))
        assert "Привет" in answer.choices[0].message.content
        chunks = [chunk async for chunk in client.astream(question("Привет"))]
    assert "".join(c.choices[0].delta.content or "" for c in chunks).startswith("You said")


def test_a_stream_ends_with_its_reason_and_usage(settings):
    with GigaChat(**settings) as client:
        chunks = list(client.stream(question("Привет 🙂 [[split:3]]")))
    text = "".join(chunk.choices[0].delta.content for chunk in chunks)
    assert text.startswith("You said: Привет 🙂")
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert chunks[-1].usage.total_tokens > 0


def test_a_function_is_called_and_its_result_used(simulator, settings):
    with GigaChat(**settings) as client:
        chat = question("What is the weather in Paris?", functions=[WEATHER], function_call="auto")
        message = client.chat(chat).choices[0].message
        assert message.function_call.name == "get_weather"
        assert message.function_call.arguments == {"city": "Paris"}
        chat.messages += [
            message,
            Messages(role=MessagesRole.FUNCTION, name="get_weather", content='{"sky": "clear"}'),
        ]
        answer = client.chat(chat).choices[0].message
    assert '{"sky": "clear"}' in answer.content
    assert simulator.view()["warnings"] == {}


def test_a_streamed_function_call_is_whole(settings):
    with GigaChat(**settings) as client:
        chunks = list(client.stream(question("weather in Paris", functions=[WEATHER])))
    delta = chunks[0].choices[0].delta
    assert delta.function_call.arguments == {"city": "Paris"}
    assert chunks[-1].choices[0].finish_reason == "function_call"


def test_the_small_endpoints_are_read(settings):
    with GigaChat(**settings) as client:
        assert "GigaChat-2-Max" in [model.id_ for model in client.get_models().data]
        assert client.get_model("GigaChat").id_ == "GigaChat"
        assert client.tokens_count(["Hello, world!"])[0].tokens == 4
        embeddings = client.embeddings(["one", "two"])
        assert [len(item.embedding) for item in embeddings.data] == [1024, 1024]
        assert client.get_balance().balance[0].usage == "GigaChat"


async def test_the_small_endpoints_are_read_asynchronously(settings):
    async with GigaChat(**settings) as client:
        assert (await client.aget_models()).data
        assert (await client.atokens_count(["Hello"]))[0].characters == 5
        assert (await client.aembeddings(["one"])).data[0].usage.prompt_tokens == 1


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[[fault:429 retry-after=7]]", RateLimitError),
        ("[[fault:500]]", ServerError),
        ("[[fault:html]]", ServerError),
        ("[[fault:422]]", UnprocessableEntityError),
    ],
)
def test_errors_are_recognised(settings, text, error):
    with GigaChat(**settings) as client:
        with pytest.raises(error) as raised:
            client.chat(question(text))
        with pytest.raises(error):
            list(client.stream(question(text)))
    if error is RateLimitError:
        assert raised.value.retry_after == 7


def test_an_unknown_model_and_a_wrong_key_are_recognised(settings):
    with GigaChat(**settings) as client, pytest.raises(NotFoundError):
        client.chat(Chat(model="Nobody", messages=[Messages(role="user", content="x")]))
    with (
        GigaChat(**settings | {"credentials": "eDp5"}) as client,
        pytest.raises(AuthenticationError),
    ):
        client.chat(question("x"))


def test_an_expired_token_is_renewed_once(simulator, settings):
    with GigaChat(**settings) as client:
        client.chat(question("x"))
        answer = client.chat(question("[[fault:expired-token]] still there?"))
        assert "still there?" in answer.choices[0].message.content
    assert simulator.view()["token_fetches"] == 2
