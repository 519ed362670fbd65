"""The main conversations with ``server.http = "asgi"``, the plain way of serving."""

import openai
import pytest

from support.gateway import running_gateway
from support.raw_http import send
from support.simulator import running_simulator
from support.target_gateways import served_by
from support.tool_loop import until_text

MODELS = pytest.mark.parametrize("model", ["gigachat/GigaChat-2", "openai/gpt-4o"])
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": f"The {name} in a city",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
    for name in ("weather", "time")
]


@pytest.fixture(scope="module")
def own_simulator():
    with running_simulator() as simulator:
        yield simulator


@pytest.fixture(scope="module")
def module_gateway(own_simulator, tmp_path_factory):
    toml = own_simulator.server.config_toml() + served_by("asgi")
    with running_gateway(toml, tmp_path_factory.mktemp("asgi")) as gateway:
        yield gateway


@pytest.fixture
def simulator(own_simulator):
    own_simulator.reset()
    return own_simulator


@pytest.fixture
def gateway(module_gateway, simulator):
    yield module_gateway
    module_gateway.ended_well()


@pytest.fixture
def client(gateway):
    with openai.OpenAI(base_url=gateway.base_url, api_key="any", max_retries=0) as client:
        yield client


def said(text):
    return [{"role": "user", "content": text}]


@MODELS
def test_a_conversation(client, model):
    answer = client.chat.completions.create(model=model, messages=said("Привет, 🌍!"))
    assert "Привет, 🌍!" in answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens > 0


@MODELS
def test_a_stream_comes_piece_by_piece(client, model):
    stream = client.chat.completions.create(
        model=model, messages=said("Count [[chunks:12]] [[pace:5ms]]"), stream=True
    )
    chunks = [chunk for chunk in stream if chunk.choices]
    assert len(chunks) > 6
    assert "Count" in "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "stop"


@MODELS
@pytest.mark.parametrize("stream", [False, True])
def test_tools_come_to_a_text(gateway, model, stream):
    asked = said("What are the weather and the time in Moscow? Use both tools.")
    body = {"model": model, "messages": asked, "tools": TOOLS, "stream": stream}
    assert len(until_text(lambda body: send(gateway, body), body)) > 1


@MODELS
def test_a_stream_that_breaks_raises(client, model):
    seen = []
    with pytest.raises(openai.APIError):
        for chunk in client.chat.completions.create(
            model=model,
            messages=said("Go on [[fault:cut after=3]] [[chunks:10]] [[pace:5ms]]"),
            stream=True,
        ):
            seen += [choice.finish_reason for choice in chunk.choices]
    assert not any(seen)


@MODELS
def test_a_cancelled_stream_frees_its_upstream(client, gateway, simulator, model):
    stream = client.chat.completions.create(
        model=model, messages=said("Go on [[chunks:200]] [[pace:50ms]]"), stream=True
    )
    next(iter(stream))
    assert gateway.leases() == 1
    stream.close()
    for _ in range(500):
        if gateway.leases() == 0 and simulator.view()["disconnects"] >= 1:
            break
    assert gateway.leases() == 0
    assert simulator.view()["disconnects"] == 1


def test_errors_are_the_sdks_own(client):
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="nobody-has-this", messages=said("Hi"))
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(
            model="openai/gpt-4o", messages=said("Hi [[fault:429 retry-after=30]]")
        )
    assert int(caught.value.response.headers["retry-after"]) >= 1
