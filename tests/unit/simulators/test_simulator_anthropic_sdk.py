"""The ``anthropic`` SDK pointed straight at the simulator: what it reads is what the API sends."""

import anthropic
import pytest

from dragoman.simulators.anthropic_thoughts import REDACT
from dragoman.simulators.options import ANTHROPIC_ACCESS_TOKEN, ANTHROPIC_KEYS

# The SDK speaks up for the end of life of the older models, whose rules are simulated too.
pytestmark = pytest.mark.filterwarnings("ignore:The model:DeprecationWarning")

WEATHER = {
    "name": "get_weather",
    "description": "The weather of a city",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
PARIS = {"role": "user", "content": "get_weather for Paris"}


@pytest.fixture
def client(simulator):
    url = simulator.server.anthropic_url
    with anthropic.Anthropic(base_url=url, api_key=ANTHROPIC_KEYS[0], max_retries=0) as client:
        yield client


def ask(client, content="Hello", **members):
    asked = {"model": "claude-sonnet-4-5", "max_tokens": 2000, "messages": [], **members}
    asked["messages"] = asked["messages"] or [{"role": "user", "content": content}]
    return client.messages.create(**asked)


def streamed(client, content="Hello", **members):
    asked = {"model": "claude-sonnet-4-5", "max_tokens": 2000, **members}
    with client.messages.stream(messages=[{"role": "user", "content": content}], **asked) as stream:
        return stream.get_final_message()


def test_text(client):
    message = ask(client, system="Be brief.", stop_sequences=["brief"])
    assert message.content[0].text == "You said: Hello (system: Be "
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "brief")
    assert message.usage.input_tokens > 0
    assert message._request_id.startswith("req_")


def test_max_tokens(client):
    assert ask(client, max_tokens=3).stop_reason == "max_tokens"


THINKING = {"thinking": {"type": "enabled", "budget_tokens": 1024}}


@pytest.mark.parametrize(
    ("content", "members"),
    [
        ("Hello", {}),
        ("Hello", THINKING),
        (f"Hello {REDACT}", THINKING),
        ("get_weather for Paris", {"tools": [WEATHER], **THINKING}),
        ("get_weather for Paris and Rome", {"tools": [WEATHER]}),
        ("blacklisted", {}),
    ],
)
def test_a_stream_says_what_the_whole_answer_says(client, content, members):
    whole = ask(client, content, **members)
    assert streamed(client, content, **members).stop_reason == whole.stop_reason

    def said(message):
        kept = message.to_dict(mode="json", warnings=False)["content"]
        return [
            {k: v for k, v in block.items() if v is not None and k not in {"id", "parsed_output"}}
            for block in kept
        ]

    assert said(streamed(client, content, **members)) == said(whole)


def test_thoughts_come_back_with_the_results_of_tools(client):
    first = ask(client, PARIS["content"], tools=[WEATHER], **THINKING)
    thought, call = first.content
    assert (thought.type, call.input) == ("thinking", {"city": "Paris"})
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "22"}
    history = [PARIS, {"role": "assistant", "content": first.content}]
    history.append({"role": "user", "content": [result]})
    last = ask(client, messages=history, tools=[WEATHER], **THINKING)
    assert last.content[-1].text == "The tools say: 22"

    history[1]["content"] = [call]
    with pytest.raises(anthropic.BadRequestError, match="Expected `thinking`"):
        ask(client, messages=history, tools=[WEATHER], **THINKING)
    forged = {"type": "thinking", "thinking": "mine", "signature": thought.signature}
    history[1]["content"] = [forged, call]
    with pytest.raises(anthropic.BadRequestError, match="Invalid `signature`"):
        ask(client, messages=history, tools=[WEATHER], **THINKING)


def test_models_come_in_pages(client):
    names = [model.id for model in client.models.list(limit=5)]
    assert len(names) > 10
    assert len(set(names)) == len(names)
    assert client.models.retrieve("claude-opus-5").max_tokens == 128_000
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("claude-1")


def test_tokens_are_counted(client):
    counted = client.messages.count_tokens(model="claude-opus-5", messages=[PARIS])
    assert counted.input_tokens > 3


def test_credentials(simulator):
    url = simulator.server.anthropic_url
    with anthropic.Anthropic(base_url=url, auth_token=ANTHROPIC_ACCESS_TOKEN) as client:
        assert ask(client).stop_reason == "end_turn"
    for wrong in ({"api_key": "sk-ant-wrong"}, {"auth_token": "wrong"}):
        with (
            anthropic.Anthropic(base_url=url, **wrong, max_retries=0) as client,
            pytest.raises(anthropic.AuthenticationError),
        ):
            ask(client)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (429, anthropic.RateLimitError),
        (500, anthropic.InternalServerError),
        (529, anthropic.APIStatusError),
        (403, anthropic.PermissionDeniedError),
    ],
)
def test_faults(client, status, error):
    with pytest.raises(error) as raised:
        ask(client, f"[[fault:{status}]] Hello")
    assert raised.value.status_code == status
    assert raised.value.body["type"] == "error"


def test_an_error_within_a_stream(client):
    with pytest.raises(anthropic.APIStatusError):
        streamed(client, "[[fault:error-in-stream:after=4]] Hello")


RESULT = {"type": "tool_result", "tool_use_id": "a", "content": "x"}
CALL = {"type": "tool_use", "id": "a", "name": "get_weather", "input": {}}
ASSISTANT = {"role": "assistant", "content": [CALL]}
ANSWER = {"role": "user", "content": [RESULT]}
MARK = {"cache_control": {"type": "ephemeral"}}
OPEN = {"type": "object", "properties": {}}


def sampled(version="2023-06-01", **members):
    """Members that the SDK has no words for since the API's version of October 2026."""
    return {"extra_body": members, "extra_headers": {"anthropic-version": version}}


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"messages": [{"role": "assistant", "content": "x"}]}, "first message must use"),
        ({"messages": [PARIS, ASSISTANT]}, "were found without `tool_result`"),
        ({"messages": [PARIS, ASSISTANT, PARIS]}, "were found without `tool_result`"),
        ({"messages": [ANSWER]}, "unexpected `tool_use_id`"),
        (
            {"messages": [PARIS, ASSISTANT, {**ANSWER, "content": [RESULT, RESULT]}]},
            "must have a single result",
        ),
        (
            {
                "messages": [
                    PARIS,
                    ASSISTANT,
                    {**ANSWER, "content": [{"type": "text", "text": "x"}, RESULT]},
                ]
            },
            "must come before",
        ),
        ({"messages": [PARIS, ASSISTANT, ANSWER, ASSISTANT, ANSWER]}, "ids must be unique"),
        ({"messages": [{"role": "user", "content": " "}]}, "non-whitespace"),
        ({"messages": [{"role": "user", "content": []}]}, "non-empty content"),
        ({"messages": [PARIS, {"role": "assistant", "content": "x "}]}, "trailing whitespace"),
        ({"messages": [PARIS, {"role": "system", "content": "x"}]}, "role"),
        ({"max_tokens": 100_000, "timeout": 60}, "maximum allowed"),
        (sampled(temperature=0.5, version="2026-10-21"), "temperature: Extra inputs"),
        (sampled(temperature=1.2), "range: 0..1"),
        (sampled(temperature=0.5, top_p=0.5), "cannot both be specified"),
        ({"model": "claude-opus-5", **sampled(temperature=0.5)}, "deprecated"),
        ({"model": "claude-opus-5", **THINKING}, "not supported for this model"),
        (
            {"model": "claude-opus-5", "messages": [PARIS, {"role": "assistant", "content": "x"}]},
            "prefill",
        ),
        ({"thinking": {"type": "adaptive"}}, "not supported for this model"),
        ({**THINKING, "max_tokens": 1024}, "must be greater than"),
        ({**THINKING, **sampled(temperature=0.5)}, "may only be set to 1"),
        (
            {**THINKING, "tools": [WEATHER], "tool_choice": {"type": "any"}},
            "forces tool use",
        ),
        ({"tool_choice": {"type": "auto"}}, "while providing tools"),
        ({"tools": [{**WEATHER, "name": "a b"}]}, "name"),
        ({"tools": [WEATHER, WEATHER]}, "unique"),
        ({"tools": [{**WEATHER, "input_schema": {"type": "array"}}]}, "object"),
        ({"tools": [{**WEATHER, "input_schema": {**OPEN, "anyOf": []}}]}, "anyOf"),
        ({"tools": [{**WEATHER, "strict": True}]}, "additionalProperties"),
        ({"stop_sequences": [" "]}, "non-whitespace"),
        ({"system": [{"type": "text", "text": "x", **MARK}] * 5}, "A maximum of 4"),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": OPEN}}},
            "additionalProperties",
        ),
        ({"model": "claude-opus-4-6", "output_config": {"effort": "xhigh"}}, "Supported levels"),
        ({"extra_body": {"seed": 1}}, "seed: Extra inputs"),
        ({"extra_headers": {"anthropic-version": "1999-01-01"}}, "not a valid version"),
        ({"extra_headers": {"anthropic-beta": "no-such-beta"}}, "Unexpected value"),
    ],
)
def test_what_the_service_refuses(client, members, words):
    with pytest.raises(anthropic.BadRequestError, match=words):
        ask(client, **members)
