"""Official SDKs on ``dragoman gpt2giga``: each version of GigaChat's API by its path."""

import hashlib
import json

import httpx
import openai
import pytest
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

from dragoman.simulators.options import GIGACHAT_KEYS
from support.gpt2giga import env_file, free_port, running_gpt2giga
from support.media_samples import PDF, file_part, image_part, picture, showing
from support.simulator import running_simulator
from support.tool_loop import results_of

MODEL = "GigaChat-2-Max"
MANY = 3000
ASK = "What is the weather and the local time in Moscow? Use both tools."
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [
    {"type": "function", "function": {"name": name, "description": words, "parameters": CITY}}
    for name, words in (
        ("get_weather", "Weather in a city"),
        ("get_time", "Local time in a city"),
    )
]
BASES = {"": "v2", "/v1": "v1", "/v2": "v2", "/any/where/v1": "v1", "/v2/v1": "v2"}
"""Base URL -> version of GigaChat's API, where ``GPT2GIGA_GIGACHAT_API_MODE`` is ``v2``."""
EVERY_BASE = pytest.mark.parametrize("base", BASES)
BOTH = pytest.mark.parametrize("base", ["/v1", "/v2"])
STREAMS = pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])


class Trip(BaseModel):
    """Where to go."""

    city: str
    days: int


@pytest.fixture(scope="module")
def lasting_simulator():
    with running_simulator() as simulator:
        yield simulator


@pytest.fixture(scope="module")
def running(lasting_simulator, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gpt2giga")
    more = {
        "GPT2GIGA_GIGACHAT_API_MODE": "v2",
        "GPT2GIGA_PORT": free_port(),
        "GIGACHAT_MODEL": MODEL,
    }
    (folder / ".env").write_text(env_file(lasting_simulator, key=GIGACHAT_KEYS[0], **more))
    with running_gpt2giga(folder) as running:
        yield running


@pytest.fixture
def simulator(lasting_simulator, running):
    lasting_simulator.control(reset=True)
    return lasting_simulator


@pytest.fixture
def client(running):
    with openai.OpenAI(base_url=running.url, api_key="any", max_retries=0) as client:
        yield lambda base: client.with_options(base_url=running.url + base)


def asked_versions(simulator):
    paths = [request["path"] for request in simulator.view()["last_requests"]]
    return {path.split("/")[3] for path in paths if path.endswith("/chat/completions")}


def completed(client, *, streams, **members):
    if streams:
        with client.chat.completions.stream(model=MODEL, **members) as stream:
            return stream.get_final_completion().choices[0]
    if "response_format" in members:
        return client.chat.completions.parse(model=MODEL, **members).choices[0]
    return client.chat.completions.create(model=MODEL, **members).choices[0]


@EVERY_BASE
@STREAMS
def test_tools_are_called_until_there_is_a_text(client, simulator, base, streams):
    messages, called = [{"role": "user", "content": ASK}], []
    for _ in range(4):
        choice = completed(
            client(base),
            streams=streams,
            messages=messages,
            tools=TOOLS,
            parallel_tool_calls=True,
        )
        if choice.finish_reason == "stop":
            break
        answer = choice.message.model_dump(exclude_none=True)
        called.append([call["function"]["name"] for call in answer["tool_calls"]])
        messages += [answer, *reversed(results_of(answer))]
    assert "get_time" in choice.message.content
    both = ["get_time", "get_weather"]
    assert called == [both if BASES[base] == "v2" else both[:1]], "version 1 calls one at a time"
    assert asked_versions(simulator) == {BASES[base]}
    assert simulator.view()["warnings"] == {}


@EVERY_BASE
@STREAMS
def test_parallel_results_of_another_vendor_are_told_apart(running, simulator, base, streams):
    """Also where a client says of no result which call it answers."""
    calls = [
        {"id": f"call_{at}", "type": "function", "function": {"name": name, "arguments": "{}"}}
        for at, name in enumerate(("get_weather", "get_time"))
    ]
    asked = [
        {"role": "user", "content": ASK},
        {"role": "assistant", "content": None, "tool_calls": calls},
    ]
    for ids in ([{"tool_call_id": "call_0"}, {"tool_call_id": "call_1"}], [{}, {}]):
        told = [{"role": "tool", "content": f'{{"n":{at}}}', **one} for at, one in enumerate(ids)]
        body = {"model": MODEL, "messages": [*asked, *told], "tools": TOOLS, "stream": streams}
        answer = httpx.post(f"{running.url}{base}/chat/completions", json=body)
        assert answer.status_code == 200, answer.text
        body = simulator.view()["last_requests"][-1]["body"]
        results = [
            (message["name"], message["content"])
            if message["role"] == "function"
            else (part["function_result"]["name"], part["function_result"]["result"])
            for message in body["messages"]
            for part in (message["content"] if isinstance(message["content"], list) else [message])
            if message["role"] == "function" or "function_result" in part
        ]
        assert [name for name, _ in results] == ["get_weather", "get_time"]
        told = [json.loads(one) if isinstance(one, str) else one for _, one in results]
        assert told == [{"n": 0}, {"n": 1}]


@EVERY_BASE
@STREAMS
def test_a_model_of_pydantics_is_parsed(client, simulator, base, streams):
    choice = completed(
        client(base),
        streams=streams,
        messages=[{"role": "user", "content": "3 days in Omsk"}],
        response_format=Trip,
    )
    assert isinstance(choice.message.parsed, Trip)
    assert choice.finish_reason == "stop"
    assert asked_versions(simulator) == {BASES[base]}


SHOWN = {
    "picture": (image_part(picture()), picture(), "image/png"),
    "document": (file_part(PDF), PDF, "application/pdf"),
}


@EVERY_BASE
@STREAMS
@pytest.mark.parametrize("shown", SHOWN)
def test_media_are_described(client, simulator, base, streams, shown):
    part, content, media_type = SHOWN[shown]
    choice = completed(client(base), streams=streams, messages=showing(part))
    digest = hashlib.sha256(content).hexdigest()[:12]
    assert f"{media_type} of {len(content)} bytes, sha256 {digest}" in choice.message.content
    assert asked_versions(simulator) == {BASES[base]}


@BOTH
@pytest.mark.parametrize("name", ["text-embedding-3-small", "EmbeddingsGigaR", "whatever"])
def test_embeddings_by_any_name_in_both_encodings(client, base, name):
    one = client(base).embeddings.create(model=name, input="text", encoding_format="float")
    by_default = client(base).embeddings.create(model=name, input=["text", "other"])  # base64
    assert by_default.data[0].embedding == pytest.approx(one.data[0].embedding, abs=1e-6)
    assert one.usage.prompt_tokens > 0


@BOTH
def test_thousands_of_inputs_are_embedded(client, simulator, base):
    simulator.control(options={"gigachat_vector_size": 16})
    texts = [f"text {number}" for number in range(MANY)]
    many = client(base).embeddings.create(model="text-embedding-3-small", input=texts)
    assert [item.index for item in many.data] == list(range(MANY))
    last = client(base).embeddings.create(model="text-embedding-3-small", input=texts[-1])
    assert last.data[0].embedding == many.data[-1].embedding


def test_token_ids_are_refused_with_a_reason(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client("/v1").embeddings.create(model="text-embedding-3-small", input=[[1, 2, 3]])
    assert caught.value.param.startswith("input")


class TestLangchain:
    """``langchain-openai``, what most agents are built on."""

    @pytest.fixture
    def chat(self, running):
        def chat(base):
            url = running.url + base
            return ChatOpenAI(model=MODEL, base_url=url, api_key="any", max_retries=0)

        return chat

    @BOTH
    @STREAMS
    def test_tools_and_their_results(self, chat, simulator, base, streams):
        model = chat(base).bind_tools(TOOLS, parallel_tool_calls=True)
        messages, called = [HumanMessage(ASK)], set()
        for _ in range(4):
            if streams:
                pieces = list(model.stream(messages))
                answer = sum(pieces[1:], pieces[0])
            else:
                answer = model.invoke(messages)
            messages.append(answer)
            if not answer.tool_calls:
                break
            called |= {call["name"] for call in answer.tool_calls}
            messages += [
                {"role": "tool", "tool_call_id": call["id"], "content": "22"}
                for call in answer.tool_calls
            ]
        assert messages[-1].content
        assert called == ({"get_time"} if base == "/v1" else {"get_time", "get_weather"})
        assert asked_versions(simulator) == {base[1:]}

    # langchain-openai writes the SDK's typed answer out as if it had no type
    @pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
    @BOTH
    @pytest.mark.parametrize("method", ["json_schema", "function_calling"])
    def test_structured_output_whole_and_streamed(self, chat, base, method):
        structured = chat(base).with_structured_output(Trip, method=method)
        assert structured.invoke("3 days in Omsk").days == 3
        assert list(structured.stream("3 days in Omsk"))[-1].days == 3

    @BOTH
    def test_a_picture_and_a_document(self, chat, base):
        for part in (image_part(picture()), file_part(PDF)):
            answer = chat(base).invoke(showing(part))
            assert "attached: " in answer.content

    @BOTH
    def test_embeddings(self, running, base):
        embedder = OpenAIEmbeddings(
            model="text-embedding-3-small",
            base_url=running.url + base,
            api_key="any",
            check_embedding_ctx_length=False,
        )
        both = embedder.embed_documents(["one", "two"])
        assert both[1] == pytest.approx(embedder.embed_query("two"))
