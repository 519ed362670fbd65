"""``langchain-openai`` through the gateway: what most agents are built on."""

import json

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, Field

OLDER = "gigachat/GigaChat-2"
NEWEST = "gigachat/GigaChat-3-Ultra"
COMPATIBLE = "openai/gpt-4o"
ALL = pytest.mark.parametrize("model", [OLDER, NEWEST, COMPATIBLE])
ASK = "What is the weather and the local time in Moscow? Use both tools."


@tool
def get_weather(city: str, days: int | None = None) -> str:
    """Weather in a city."""
    return json.dumps({"city": city, "days": days})


@tool
def get_time(city: str) -> str:
    """Local time in a city."""
    return f"noon in {city}"


TOOLS = {each.name: each for each in (get_weather, get_time)}


class Trip(BaseModel):
    """Where to go."""

    city: str = Field(description="Name of the city")
    days: int


@pytest.fixture
def chat(gateway):
    def chat(model, **members):
        return ChatOpenAI(
            model=model, base_url=gateway.base_url, api_key="any", max_retries=0, **members
        )

    return chat


@ALL
def test_a_conversation_and_its_counts(chat, model):
    answer = chat(model, temperature=0).invoke([SystemMessage("Be brief."), HumanMessage("Hi")])
    assert "Hi" in answer.content
    assert answer.usage_metadata["total_tokens"] > 0


@ALL
def test_a_stream(chat, model):
    talker = chat(model, stop=["STOP"], stream_usage=True)
    chunks = list(talker.stream("Tell a story [[chunks:8]] [[say:a b STOP c]]"))
    text = "".join(chunk.content for chunk in chunks)
    assert text.rstrip() == "a b" if model != COMPATIBLE else text.startswith("a b")
    total = chunks[0]
    for chunk in chunks[1:]:
        total += chunk
    assert total.usage_metadata["output_tokens"] > 0


def run(model, messages, *, stream, limit=6):
    """What an agent does: run the tools it is asked for until there is a text."""
    called = []
    for _ in range(limit):
        if stream:
            pieces = list(model.stream(messages))
            answer = pieces[0]
            for piece in pieces[1:]:
                answer += piece
            answer = AIMessage(content=answer.content, tool_calls=answer.tool_calls)
        else:
            answer = model.invoke(messages)
        if not answer.tool_calls:
            return answer.content, called
        messages.append(answer)
        for call in answer.tool_calls:
            called.append(call["name"])
            messages.append(TOOLS[call["name"]].invoke(call))
    raise AssertionError("no final text")


@ALL
@pytest.mark.parametrize("stream", [False, True])
def test_tools_are_called_until_there_is_a_text(chat, model, stream):
    text, called = run(
        chat(model).bind_tools(list(TOOLS.values())), [HumanMessage(ASK)], stream=stream
    )
    assert text
    assert set(called) <= set(TOOLS)
    if model == COMPATIBLE:
        assert set(called) == set(TOOLS), "in parallel"


@pytest.mark.parametrize("stream", [False, True])
def test_parallel_calls_of_another_model_are_history_for_gigachat(chat, simulator, stream):
    """The plan and its calls by one model, the final answer by another."""
    asked = [HumanMessage(ASK)]
    first = chat(COMPATIBLE).bind_tools(list(TOOLS.values())).invoke(asked)
    assert len(first.tool_calls) == 2
    results = [TOOLS[call["name"]].invoke(call) for call in first.tool_calls]
    assert all(isinstance(result, ToolMessage) for result in results)
    model = chat(OLDER).bind_tools(list(TOOLS.values()))
    text, called = run(model, [*asked, first, *reversed(results)], stream=stream)
    assert text
    assert called == []
    bodies = [request["body"] for request in simulator.view()["last_requests"]]
    roles = [message["role"] for message in bodies[-1]["messages"]]
    assert roles == ["user", "assistant", "function", "assistant", "function"]


@ALL
@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_structured_output(chat, model, method):
    structured = chat(model).with_structured_output(Trip, method=method)
    trip = structured.invoke("Plan a trip of 3 days to Omsk")
    assert isinstance(trip, Trip)
    assert trip.days == 3


def test_a_forced_and_a_required_tool(chat):
    model = chat(OLDER)
    for choice in ("get_time", "any"):
        answer = model.bind_tools([get_time], tool_choice=choice).invoke("Hello")
        assert [call["name"] for call in answer.tool_calls] == ["get_time"]
