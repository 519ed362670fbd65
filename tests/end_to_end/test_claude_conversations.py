"""An ``openai`` client on Claude: seven conversations against the strict simulator."""

import json

import openai
import pytest

from dragoman.simulators.anthropic_thoughts import REDACT
from dragoman.simulators.options import ANTHROPIC_KEYS
from support.gateway import running_gateway

MODEL = "anthropic/claude-sonnet-5"
MODELS = [MODEL, "anthropic/claude-opus-5", "anthropic/claude-sonnet-4-0"]
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGA"
    "WjR9awAAAABJRU5ErkJggg=="
)


def tool(name, **properties):
    schema = {"type": "object", "properties": properties or {"city": {"type": "string"}}}
    return {"type": "function", "function": {"name": name, "parameters": schema}}


WEATHER = tool("get_weather")
TIME = tool("get_time")


def user(text):
    return {"role": "user", "content": text}


@pytest.fixture
def client(gateway):
    with openai.OpenAI(base_url=gateway.base_url, api_key="any", max_retries=0) as client:
        yield client


def asked(client, model=MODEL, **members):
    """The answer's choice, and what the gateway says about the translation."""
    raw = client.chat.completions.with_raw_response.create(model=model, **members)
    answer = raw.parse()
    assert answer.model == model
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    return answer.choices[0], raw.headers.get("x-dragoman-changes", "")


def sent(simulator):
    """The last body that reached Claude."""
    calls = [c for c in simulator.view()["last_requests"] if c["path"].endswith("/messages")]
    return calls[-1]["body"]


@pytest.mark.parametrize("model", MODELS)
def test_plain(client, simulator, model):
    messages = [{"role": "system", "content": "Be brief."}, user("Hello")]
    choice, changes = asked(client, model, messages=messages)
    assert choice.message.content == "You said: Hello (system: Be brief.; turns: 1)"
    assert (choice.finish_reason, changes) == ("stop", "")
    (head,) = [c["headers"] for c in simulator.view()["last_requests"] if c["body"]]
    assert ["x-api-key", ANTHROPIC_KEYS[0]] in head
    assert ["anthropic-version", "2023-06-01"] in head


@pytest.mark.parametrize("model", MODELS)
def test_streamed(client, model):
    stream = client.chat.completions.create(
        model=model,
        messages=[user("[[chunks:20]]Hello")],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    texts = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
    assert len(texts) == 20
    assert "".join(texts).startswith("You said: Hello")
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage.completion_tokens > 10


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        (MODEL, "adjusted=messages[1].role:system->system-reminder"),
        ("anthropic/claude-opus-5", ""),
    ],
)
def test_instructions_in_the_middle(client, simulator, model, changes):
    messages = [
        user("Hello"),
        {"role": "system", "content": "Answer in French."},
        {"role": "assistant", "content": "Bonjour"},
        user("How are you?"),
    ]
    choice, noted = asked(client, model, messages=messages)
    assert choice.message.content.startswith("You said: How are you?")
    assert noted == changes
    roles = [message["role"] for message in sent(simulator)["messages"]]
    middle = [] if changes else ["system"]
    assert roles == ["user", *middle, "assistant", "user"]


@pytest.mark.parametrize("model", MODELS)
def test_a_picture(client, simulator, model):
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
    ]
    choice, changes = asked(client, model, messages=[user(parts)])
    assert "[image]" in choice.message.content
    assert changes == ""
    sources = [b["source"]["type"] for b in sent(simulator)["messages"][0]["content"][1:]]
    assert sources == ["base64", "url"]


@pytest.mark.parametrize("model", MODELS)
def test_two_tools_at_once_of_which_one_fails(client, simulator, model):
    messages = [user("Call get_weather and get_time for Paris, please.")]
    choice, _ = asked(client, model, messages=messages, tools=[WEATHER, TIME])
    calls = choice.message.tool_calls
    assert sorted(call.function.name for call in calls) == ["get_time", "get_weather"]
    assert choice.finish_reason == "tool_calls"
    results = [
        {"role": "tool", "tool_call_id": calls[1].id, "content": "Error: no such place"},
        {"role": "tool", "tool_call_id": calls[0].id, "content": [{"type": "text", "text": "22"}]},
    ]
    messages += [choice.message.model_dump(exclude_none=True), *results]
    choice, changes = asked(client, model, messages=messages, tools=[WEATHER, TIME])
    assert choice.message.content == "The tools say: Error: no such place; 22"
    assert changes == ""
    kinds = [block["type"] for block in sent(simulator)["messages"][-1]["content"]]
    assert kinds == ["tool_result", "tool_result"]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("stream", [False, True])
def test_structured_output(client, model, stream):
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "people": {"type": "integer", "minimum": 1}},
        "required": ["city", "people"],
        "additionalProperties": False,
    }
    layout = {"type": "json_schema", "json_schema": {"name": "place", "schema": schema}}
    members = {"messages": [user("I saw Paris with 3 friends")], "response_format": layout}
    if stream:
        chunks = client.chat.completions.create(model=model, stream=True, **members)
        choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
        text = "".join(choice.delta.content or "" for choice in choices)
        reason = choices[-1].finish_reason
    else:
        choice, _ = asked(client, model, **members)
        text, reason = choice.message.content, choice.finish_reason
    assert json.loads(text) == {"city": "Paris", "people": 3}
    assert reason == "stop"


class Memory:
    """How a program keeps an assistant's message for the next request."""

    @staticmethod
    def everything(message):
        return message

    @staticmethod
    def what_openai_knows(message):
        known = ("role", "content", "tool_calls")
        return {name: message[name] for name in known if name in message}

    @staticmethod
    def without_the_readable_thoughts(message):
        return {name: value for name, value in message.items() if name != "reasoning_content"}


def streamed_message(client, **members):
    """The message as the SDK's own accumulation of a stream gives it."""
    with client.chat.completions.stream(**members) as stream:
        for _ in stream:
            pass
        completion = stream.get_final_completion()
    message = completion.choices[0].message.model_dump(exclude_none=True)
    message.pop("parsed", None)
    for call in message.get("tool_calls", ()):
        call.pop("index", None)
        call["function"].pop("parsed_arguments", None)
    return message


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "memory",
    [Memory.everything, Memory.what_openai_knows, Memory.without_the_readable_thoughts],
)
def test_thoughts_with_tools_over_three_turns(client, simulator, memory, stream, model):
    """What the program gives back, or the gateway remembers, satisfies who signed the thoughts."""
    messages = [user("Use get_weather for Paris")]
    members = {"model": model, "tools": [WEATHER, TIME], "reasoning_effort": "high"}
    for turn in range(3):
        if stream:
            message = streamed_message(client, messages=messages, **members)
        else:
            answer = client.chat.completions.create(messages=messages, **members)
            message = answer.choices[0].message.model_dump(exclude_none=True)
        assert f"({turn * 2} thoughts so far)" in message["reasoning_content"]
        (call,) = message["tool_calls"]
        messages += [
            memory(message),
            {"role": "tool", "tool_call_id": call["id"], "content": "22 degrees"},
        ]
        answer = client.chat.completions.create(messages=messages, **members)
        last = answer.choices[0].message
        assert last.content == "The tools say: 22 degrees"
        assert f"({turn * 2 + 1} thoughts so far)" in last.reasoning_content
        kept = memory(last.model_dump(exclude_none=True))
        if memory is Memory.what_openai_knows:
            # Thoughts behind words alone are nobody's need: they may be lost.
            kept |= {"reasoning_details": last.model_dump()["reasoning_details"]}
        messages += [kept, user("Now get_weather for Rome")]
    thinking = sent(simulator)["thinking"]["type"]
    assert thinking == ("enabled" if model.endswith("4-0") else "adaptive")


def test_thoughts_that_nobody_may_read(client):
    messages = [user(f"Use get_weather for Paris {REDACT}")]
    members = {"model": MODEL, "tools": [WEATHER], "reasoning_effort": "high"}
    members["parallel_tool_calls"] = False
    message = client.chat.completions.create(messages=messages, **members).choices[0].message
    (detail,) = message.model_dump()["reasoning_details"]
    assert detail["type"] == "reasoning.encrypted"
    messages += [
        message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "22"},
    ]
    answer = client.chat.completions.create(messages=messages, **members)
    assert answer.choices[0].message.content == "The tools say: 22"


def test_a_model_with_a_budget_thinks_no_further_where_its_thoughts_are_lost(client, gateway):
    """Instead of the refusal that the provider has for it."""
    call = {"id": "lost", "type": "function", "function": {"name": "get_weather", "arguments": ""}}
    messages = [
        user("Use get_weather"),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "lost", "content": "22"},
    ]
    choice, changes = asked(
        client,
        "anthropic/claude-sonnet-4-0",
        messages=messages,
        tools=[WEATHER],
        reasoning_effort="low",
    )
    assert choice.message.content == "The tools say: 22"
    assert changes == "adjusted=reasoning_effort:low->off"


def test_thoughts_of_one_caller_are_not_anothers(simulator, tmp_path):
    toml = simulator.server.config_toml() + '[server]\napi_keys = ["one", "two"]\n'
    with running_gateway(toml, tmp_path) as gateway:
        messages = [user("Use get_weather for Paris")]
        members = {"model": MODEL, "tools": [WEATHER], "reasoning_effort": "high"}
        own = openai.OpenAI(base_url=gateway.base_url, api_key="one", max_retries=0)
        other = openai.OpenAI(base_url=gateway.base_url, api_key="two", max_retries=0)
        message = own.chat.completions.create(messages=messages, **members).choices[0].message
        messages += [
            Memory.what_openai_knows(message.model_dump(exclude_none=True)),
            {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "22"},
        ]
        for client, thoughts in ((own, 1), (other, 0)):
            answer = client.chat.completions.create(messages=messages, **members)
            assert f"({thoughts} thoughts" in answer.choices[0].message.reasoning_content
            client.close()


REFUSED = [
    ({"n": 2}, "n"),
    ({"logprobs": True}, "logprobs"),
    ({"modalities": ["text", "audio"], "audio": {"voice": "x", "format": "wav"}}, "modalities"),
    ({"messages": [user("a"), {"role": "assistant", "content": "b"}]}, "messages[1]"),
]


@pytest.mark.parametrize(("members", "param"), REFUSED)
def test_what_claude_cannot_do_is_refused_by_name(client, simulator, members, param):
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model=MODEL, **{"messages": [user("Hi")], **members})
    assert raised.value.param == param
    assert not [c for c in simulator.view()["last_requests"] if c["path"].endswith("/messages")]


FAULTS = [
    (401, openai.InternalServerError, 502),
    (403, openai.InternalServerError, 502),
    (429, openai.RateLimitError, 429),
    (500, openai.InternalServerError, 502),
    (529, openai.InternalServerError, 502),
]


@pytest.mark.parametrize(("status", "error", "seen"), FAULTS)
def test_faults_become_errors_in_the_callers_dialect(client, status, error, seen):
    with pytest.raises(error) as raised:
        client.chat.completions.create(model=MODEL, messages=[user(f"[[fault:{status}]] Hi")])
    assert raised.value.status_code == seen
    assert "sk-ant" not in str(raised.value)


@pytest.mark.parametrize(
    "fault", ["cut:after=5", "error-in-stream:after=5", "no-done", "no-finish"]
)
def test_a_stream_that_fails_never_looks_complete(client, fault):
    text = f"[[fault:{fault}]][[chunks:9]]Hi"
    seen = []
    with pytest.raises(openai.APIError):
        for chunk in client.chat.completions.create(
            model=MODEL, messages=[user(text)], stream=True
        ):
            seen += [choice.finish_reason for choice in chunk.choices]
    assert set(seen) <= {None}


def test_a_wrong_credential_is_the_operators_affair(simulator, tmp_path):
    secret = "sk-ant-nobody-knows-this-one"
    toml = simulator.server.config_toml()
    toml = toml.replace(json.dumps(list(ANTHROPIC_KEYS)), json.dumps([secret]))
    assert secret in toml
    with (
        running_gateway(toml, tmp_path, learn=False) as gateway,
        openai.OpenAI(base_url=gateway.base_url, api_key="any", max_retries=0) as client,
    ):
        with pytest.raises(openai.InternalServerError) as raised:
            client.chat.completions.create(model=MODEL, messages=[user("Hi")])
        assert raised.value.status_code == 502
        assert "The operator has to renew it." in raised.value.message
        assert secret not in str(raised.value.body)
