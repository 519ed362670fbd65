"""The official ``openai`` SDK on GigaChat's chat v2: what version 1 cannot do."""

import base64
import json

import openai
import pytest
from pydantic import BaseModel

from support.raw_http import said_error, send
from support.tool_loop import results_of

MODEL = "gigachat2/GigaChat-3-Ultra"
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": description,
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
    for name, description in (
        ("get_weather", "Weather in a city"),
        ("get_time", "Local time in a city"),
    )
]
ASK = "What is the weather and the local time in Moscow? Use both tools."


class Answer(BaseModel):
    city: str
    degrees: int


@pytest.fixture
def client(gateway):
    with openai.OpenAI(base_url=gateway.base_url, api_key="any", max_retries=0) as client:
        yield client


def said(text):
    return [{"role": "user", "content": text}]


def sent(simulator):
    """The bodies that GigaChat got, by version 2 only."""
    requests = simulator.view()["last_requests"]
    return [
        request["body"]
        for request in requests
        if request["path"] == "/gigachat/api/v2/chat/completions"
    ]


def completed(client, *, streams, **members):
    if not streams:
        return client.chat.completions.create(model=MODEL, **members)
    with client.chat.completions.stream(model=MODEL, **members) as stream:
        return stream.get_final_completion()


@pytest.mark.parametrize("streams", [False, True])
def test_two_calls_at_once_and_their_results_come_to_a_final_text(client, simulator, streams):
    members = {"tools": TOOLS, "parallel_tool_calls": True}
    first = completed(client, streams=streams, messages=said(ASK), **members)
    message = first.choices[0].message
    assert first.choices[0].finish_reason == "tool_calls"
    assert {call.function.name for call in message.tool_calls} == {"get_weather", "get_time"}
    assert len({call.id for call in message.tool_calls}) == 2
    assert all(json.loads(call.function.arguments) for call in message.tool_calls)

    asked = message.model_dump(exclude_none=True)
    results = reversed(results_of(asked))  # in another order than the calls
    history = [*said(ASK), asked, *results]
    last = completed(client, streams=streams, messages=history, **members)
    assert last.choices[0].finish_reason == "stop"
    assert "get_weather" in last.choices[0].message.content
    assert "get_time" in last.choices[0].message.content

    turn, answers = sent(simulator)[-1]["messages"][1:]
    assert turn["tools_state_id"] == answers["tools_state_id"]
    calls = [part["function_call"] for part in turn["content"]]
    named = [part["function_result"] for part in answers["content"]]
    assert [(c["id"], c["name"]) for c in calls] == [(r["id"], r["name"]) for r in named]
    assert simulator.view()["warnings"] == {}


def test_a_streamed_call_has_index_id_and_arguments(client):
    chunks = client.chat.completions.create(
        model=MODEL, messages=said(ASK), tools=TOOLS, parallel_tool_calls=True, stream=True
    )
    calls = [c for chunk in chunks for c in chunk.choices[0].delta.tool_calls or ()]
    heads = [call for call in calls if call.id]
    assert [call.index for call in heads] == [0, 1]
    assert all(call.type == "function" and call.function.name for call in heads)


def test_ids_of_another_vendor_are_no_state(client, simulator):
    first = client.chat.completions.create(model="openai/gpt-4o", messages=said(ASK), tools=TOOLS)
    asked = first.choices[0].message.model_dump(exclude_none=True)
    answer = client.chat.completions.create(
        model=MODEL, messages=[*said(ASK), asked, *results_of(asked)], tools=TOOLS
    )
    assert answer.choices[0].message.content
    assert all("tools_state_id" not in message for message in sent(simulator)[-1]["messages"])


@pytest.mark.parametrize("model", [MODEL, "gigachat2/GigaChat-2"])
@pytest.mark.parametrize("streams", [False, True])
def test_a_pydantic_model_is_parsed(client, simulator, model, streams):
    members = {"model": model, "messages": said("How warm is Omsk?"), "response_format": Answer}
    if streams:
        with client.chat.completions.stream(**members) as stream:
            answer = stream.get_final_completion()
    else:
        answer = client.chat.completions.parse(**members)
    assert isinstance(answer.choices[0].message.parsed, Answer)
    assert answer.choices[0].finish_reason == "stop"
    has_own = "response_format" in sent(simulator)[-1].get("model_options", {})
    assert has_own == (model == MODEL)


@pytest.mark.parametrize("streams", [False, True])
def test_a_web_search_cites_its_pages(client, simulator, streams):
    answer = completed(
        client,
        streams=streams,
        messages=said("Search the web for news [[split:5]]"),
        tools=[{"type": "web_search_preview", "search_context_size": "medium"}],
        tool_choice={"type": "web_search_preview"},
    )
    assert sent(simulator)[-1]["tool_config"] == {"mode": "forced", "tool_name": "web_search"}
    message = answer.choices[0].message
    assert answer.choices[0].finish_reason == "stop"
    assert "[sources=" not in message.content
    assert "- [1] [The first page](https://example.com/one)" in message.content
    annotations = message.model_dump()["annotations"]
    cited = [each["url_citation"] for each in annotations]
    assert {each["type"] for each in annotations} == {"url_citation"}
    assert [each["title"] for each in cited] == [
        "The first page",
        "The first page",
        "The second page",
    ]
    marked = [message.content[each["start_index"] : each["end_index"]] for each in cited]
    assert marked == ["[1]", "[1]", "[2]"]


@pytest.mark.parametrize("streams", [False, True])
def test_a_picture_is_made_and_kept(client, streams):
    answer = completed(
        client,
        streams=streams,
        messages=said("Draw a picture of a cat"),
        tools=[{"type": "image_generation"}],
    )
    assert '<img src="' in answer.choices[0].message.content


@pytest.mark.parametrize(
    ("tool", "wire"),
    [
        ({"type": "code_interpreter", "container": {"type": "auto"}}, {"code_interpreter": {}}),
        ({"type": "url_content_extraction"}, {"url_content_extraction": {}}),
        ({"type": "model_3d_generate"}, {"model_3d_generate": {}}),
        (
            {"type": "web_search", "web_search": {"indexes": ["x"]}, "flags": ["y"]},
            {"web_search": {"flags": ["y"], "indexes": ["x"]}},
        ),
    ],
)
def test_a_built_in_tool_is_reached_with_nothing_lost(gateway, simulator, tool, wire):
    reply = send(gateway, {"model": MODEL, "messages": said("Hello"), "tools": [tool]})
    assert reply.status == 200
    assert reply.headers["x-dragoman-fidelity"] == "exact"
    assert sent(simulator)[-1]["tools"] == [wire]


def test_version_1_drops_built_in_tools_and_says_so(gateway):
    body = {"model": "gigachat/GigaChat-2", "messages": said("Hello")}
    reply = send(gateway, {**body, "tools": [{"type": "web_search"}]})
    assert reply.status == 200
    assert reply.headers["x-dragoman-changes"] == "dropped=tools[0]"
    chosen = {**body, "tools": [{"type": "web_search"}], "tool_choice": {"type": "web_search"}}
    assert said_error(send(gateway, chosen))["param"] == "tool_choice"


def test_a_choice_that_cannot_be_made_is_refused(gateway):
    body = {"model": MODEL, "messages": said("Hello"), "tools": TOOLS}
    for choice in (
        {"type": "web_search"},
        {"type": "file_search"},
        {"type": "function", "function": {"name": "unknown"}},
    ):
        reply = send(gateway, {**body, "tool_choice": choice})
        assert reply.status == 400
        assert said_error(reply)["param"].startswith("tool_choice")


@pytest.mark.parametrize(
    "directive", ["[[fault:no-done]]", "[[fault:error-in-stream after=3]]", "[[fault:no-finish]]"]
)
def test_a_stream_without_its_last_word_is_an_error(client, directive):
    seen = []
    with pytest.raises(openai.APIError):
        for chunk in client.chat.completions.create(
            model=MODEL, messages=said(f"Tell a story {directive} [[chunks:9]]"), stream=True
        ):
            seen += [choice.finish_reason for choice in chunk.choices]
    assert not any(seen)


def test_a_censored_answer_is_told_apart(client):
    members = {"model": MODEL, "messages": said("Something blacklisted")}
    answer = client.chat.completions.create(**members)
    assert answer.choices[0].finish_reason == "content_filter"
    chunks = list(client.chat.completions.create(stream=True, **members))
    assert chunks[-1].choices[0].finish_reason == "content_filter"


def test_thoughts_come_apart_from_the_answer(client):
    answer = client.chat.completions.create(
        model=MODEL, messages=said("Hello"), reasoning_effort="low"
    )
    message = answer.choices[0].message
    assert message.reasoning_content.startswith("Thinking about")
    assert message.content.startswith("You said")


def test_cached_tokens_are_counted(client):
    chunks = client.chat.completions.create(
        model=MODEL,
        messages=said("Hello there"),
        stream=True,
        stream_options={"include_usage": True},
    )
    usage = list(chunks)[-1].usage
    assert usage.prompt_tokens_details.cached_tokens == 2
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def test_a_document_is_uploaded_and_named_by_a_part(client, simulator):
    data = base64.b64encode(b"Pi is about 3.14.").decode()
    file = {"filename": "pi.txt", "file_data": f"data:text/plain;base64,{data}"}
    parts = [{"type": "text", "text": "What is it?"}, {"type": "file", "file": file}]
    answer = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": parts}]
    )
    assert "attached: text/plain of 17 bytes" in answer.choices[0].message.content
    (message,) = sent(simulator)[-1]["messages"]
    text, files = message["content"]
    assert text == {"text": "What is it?"}
    assert files["files"][0]["id"]
