"""What GigaChat has no word for, as the official ``openai`` SDK meets it on chat v1: structured
output, thoughts, stop sequences, the deprecated functions, sessions.
"""

import json

import openai
import pytest
from pydantic import BaseModel

OLDER = "gigachat/GigaChat-2"
NEWEST = "gigachat/GigaChat-3-Ultra"
BOTH = pytest.mark.parametrize("model", [OLDER, NEWEST])

WEATHER = {
    "name": "get_weather",
    "description": "Weather in a city",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
TOOL = {"type": "function", "function": {**WEATHER, "strict": True}}


class Place(BaseModel):
    name: str
    country: str | None


class Trip(BaseModel):
    """Where to go."""

    places: list[Place]
    days: int


@pytest.fixture
def client(gateway):
    with openai.OpenAI(base_url=gateway.base_url, api_key="any", max_retries=0) as client:
        yield client


def said(text):
    return [{"role": "user", "content": text}]


def last_request(simulator):
    return [
        request
        for request in simulator.view()["last_requests"]
        if request["path"].endswith("/chat/completions")
    ][-1]


def changes(raw):
    return raw.headers["x-dragoman-changes"]


@BOTH
def test_a_model_of_pydantics_is_parsed(client, model):
    answer = client.chat.completions.parse(
        model=model, messages=said("3 days in Omsk"), response_format=Trip
    )
    assert answer.choices[0].finish_reason == "stop"
    assert isinstance(answer.choices[0].message.parsed, Trip)
    assert answer.choices[0].message.parsed.days == 3


@BOTH
def test_a_model_of_pydantics_is_streamed(client, model):
    with client.chat.completions.stream(
        model=model, messages=said("3 days in Omsk"), response_format=Trip
    ) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert "content.delta" in kinds
    assert isinstance(final.choices[0].message.parsed, Trip)
    assert final.choices[0].finish_reason == "stop"


@pytest.mark.parametrize("stream", [False, True])
def test_a_form_beside_tools_leaves_the_tools_callable(client, stream):
    def ask(text):
        members = {"messages": said(text), "tools": [TOOL], "response_format": Trip}
        if not stream:
            return client.chat.completions.parse(model=OLDER, **members).choices[0]
        with client.chat.completions.stream(model=OLDER, **members) as events:
            return events.get_final_completion().choices[0]

    called = ask("What is the weather in Omsk?")
    assert called.finish_reason == "tool_calls"
    assert called.message.tool_calls[0].function.parsed_arguments == {"city": "Omsk"}
    formed = ask("Give the json output for days and places in Omsk")
    assert formed.finish_reason == "stop"
    assert isinstance(formed.message.parsed, Trip)


def test_the_notes_say_how_the_form_was_asked_for(client):
    schema = {"name": "trip", "schema": Trip.model_json_schema()}
    wanted = {"type": "json_schema", "json_schema": schema}

    def noted(**members):
        return changes(
            client.chat.completions.with_raw_response.create(
                model=OLDER, messages=said("Omsk"), **members
            )
        )

    assert "response_format:json_schema->function" in noted(response_format=wanted)
    both = noted(response_format=wanted, tools=[TOOL])
    assert "response_format:json_schema->offered function" in both
    assert "tools:additionalProperties->GigaChat's subset" in both
    assert "response_format:json_object->instruction" in noted(
        response_format={"type": "json_object"}
    )


@pytest.mark.parametrize("in_tags", [False, True])
def test_thoughts_are_told_from_words(client, simulator, in_tags):
    simulator.control(options={"gigachat_thinks_in_tags": in_tags})
    asked = {"model": NEWEST, "messages": said("Why? [[say:Because.]]"), "reasoning_effort": "high"}
    message = client.chat.completions.create(**asked).choices[0].message
    assert (message.reasoning_content, message.content) == ("Thinking about: Why?", "Because.")
    thoughts, words = [], []
    for chunk in client.chat.completions.create(**asked, stream=True):
        delta = chunk.choices[0].delta
        thoughts.append(getattr(delta, "reasoning_content", None) or "")
        words.append(delta.content or "")
    assert ("".join(thoughts), "".join(words)) == ("Thinking about: Why?", "Because.")
    history = [*said("Why?"), message.model_dump(exclude_none=True), *said("Really?")]
    assert client.chat.completions.create(model=NEWEST, messages=history).choices[0].message.content
    assert last_request(simulator)["body"]["messages"][1] == {
        "role": "assistant",
        "content": "Because.",
    }


STOPS = [
    ("END", "one "),
    (["two", "END"], "one "),
    (["z"], "one END two"),
    (["D t", "wo"], "one EN"),
]


@pytest.mark.parametrize(("stop", "text"), STOPS, ids=str)
def test_stop_sequences_cut_whole_answers(client, stop, text):
    raw = client.chat.completions.with_raw_response.create(
        model=OLDER, messages=said("Go [[say:one END two]]"), stop=stop
    )
    choice = raw.parse().choices[0]
    assert (choice.message.content, choice.finish_reason) == (text, "stop")
    assert raw.parse().usage.completion_tokens > 0
    assert "stop:upstream->gateway" in changes(raw)


@pytest.mark.parametrize(("stop", "text"), STOPS, ids=str)
def test_stop_sequences_cut_streams_and_hang_up(client, gateway, stop, text):
    chunks = list(
        client.chat.completions.create(
            model=OLDER,
            messages=said("Go [[say:one END two]][[chunks:12]][[pace:1ms]]"),
            stop=stop,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    said_text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert said_text.startswith(text)
    if text != "one END two":
        assert said_text == text
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert chunks[-1].usage.prompt_tokens > 0, "estimated where the upstream was not let finish"
    assert gateway.leases() == 0


@pytest.mark.parametrize("stream", [False, True])
def test_the_deprecated_functions_are_answered_in_kind(client, simulator, stream):
    messages = said("What is the weather in Omsk?")
    asked = {"model": OLDER, "functions": [WEATHER], "function_call": {"name": "get_weather"}}

    def ask():
        answer = client.chat.completions.create(messages=messages, **asked, stream=stream)
        if not stream:
            choice = answer.choices[0]
            return choice.message.function_call, choice.finish_reason, choice.message.tool_calls
        name, arguments, reason = "", "", None
        for chunk in answer:
            delta = chunk.choices[0].delta
            assert delta.tool_calls is None
            if delta.function_call:
                name += delta.function_call.name or ""
                arguments += delta.function_call.arguments or ""
            reason = chunk.choices[0].finish_reason or reason
        call = openai.types.chat.chat_completion_message.FunctionCall(
            name=name, arguments=arguments
        )
        return call, reason, None

    call, reason, tool_calls = ask()
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "Omsk"})
    assert (reason, tool_calls) == ("function_call", None)
    messages += [
        {"role": "assistant", "content": None, "function_call": call.model_dump()},
        {"role": "function", "name": "get_weather", "content": "sunny"},
    ]
    answer = client.chat.completions.create(model=OLDER, messages=messages, functions=[WEATHER])
    assert answer.choices[0].finish_reason == "stop"
    assert last_request(simulator)["body"]["messages"][2]["content"] == '{"result":"sunny"}'


def test_one_of_several_tools_is_asked_for_in_words(client, simulator):
    other = {"type": "function", "function": {"name": "get_time", "parameters": {}}}
    raw = client.chat.completions.with_raw_response.create(
        model=OLDER,
        messages=said("What is the weather in Omsk?"),
        tools=[TOOL, other],
        tool_choice="required",
    )
    assert raw.parse().choices[0].finish_reason == "tool_calls"
    assert "tool_choice:required->instruction" in changes(raw)
    body = last_request(simulator)["body"]
    assert (body["function_call"], body["messages"][0]["role"]) == ("auto", "system")


@pytest.mark.parametrize("name", ["web_search", "mcp.server/tool " + "x" * 60])
@pytest.mark.parametrize("stream", [False, True])
def test_names_come_back_as_the_caller_spelled_them(client, name, stream):
    asked = {"model": OLDER, "messages": said("Weather in Omsk")}
    asked["tools"] = [{"type": "function", "function": {**WEATHER, "name": name}}]
    if stream:
        with client.chat.completions.stream(**asked) as events:
            answer = events.get_final_completion()
    else:
        answer = client.chat.completions.create(**asked)
    assert answer.choices[0].message.tool_calls[0].function.name == name


@pytest.mark.parametrize("stream", [False, True])
def test_censored_and_spoiled_answers(client, stream):
    def reason(text):
        answer = client.chat.completions.create(model=OLDER, messages=said(text), stream=stream)
        if stream:
            return [chunk.choices[0].finish_reason for chunk in answer][-1]
        assert answer.choices[0].message.content
        return answer.choices[0].finish_reason

    assert reason("blacklisted") == "content_filter"
    with pytest.raises(openai.APIError) as caught:
        reason("Go [[fault:spoiled-call]]")
    assert caught.value.code == "model_error"


def test_cached_tokens_are_part_of_the_prompt(client):
    usage = client.chat.completions.create(model=OLDER, messages=said("Hello")).usage
    assert 0 < usage.prompt_tokens_details.cached_tokens < usage.prompt_tokens
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def test_gigachats_own_members_go_through_extra_body(client, simulator):
    own = {"repetition_penalty": 1.2, "profanity_check": False, "update_interval": 0.1}
    client.chat.completions.create(
        model=OLDER, messages=said("Hi"), temperature=0, max_completion_tokens=50, extra_body=own
    )
    body = last_request(simulator)["body"]
    assert body.items() >= {**own, "top_p": 0, "max_tokens": 50}.items()
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(
            model=OLDER, messages=said("Hi"), extra_body={"profanity_check": "no"}
        )
    assert caught.value.param == "profanity_check"


def test_the_turns_of_a_conversation_share_a_session(client, simulator):
    def session(messages):
        client.chat.completions.create(model=OLDER, messages=messages)
        return dict(last_request(simulator)["headers"])["x-session-id"]

    first = session(said("Hello"))
    later = [*said("Hello"), {"role": "assistant", "content": "Hi"}, *said("And now?")]
    assert session(later) == first
    assert session(said("Goodbye")) != first
