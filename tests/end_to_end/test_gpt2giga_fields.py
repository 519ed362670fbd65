"""Each member of a request through ``dragoman gpt2giga``: what GigaChat gets of it."""

import json

import httpx
import pytest

from dragoman.simulators.options import GIGACHAT_KEYS
from support.gpt2giga import env_file, free_port, running_gpt2giga
from support.simulator import running_simulator

MODEL = "GigaChat-3-Ultra"
FUNCTION = {"name": "f", "parameters": {"type": "object", "properties": {}}}
TOOLS = {"tools": [{"type": "function", "function": FUNCTION}]}
ON_V1 = {"functions": [FUNCTION]}
ON_V2 = {"tools": [{"functions": {"specifications": [FUNCTION]}}]}
NAMED = {"type": "function", "function": {"name": "f"}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
FORMAT = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}


def options(**members):
    return {"model_options": members}


def choice(**members):
    return {"tool_config": members}


SENT = [
    ({"temperature": 0.5}, {"temperature": 0.5}, options(temperature=0.5)),
    ({"temperature": 0}, {"top_p": 0}, options(top_p=0)),
    ({"top_p": 0.3}, {"top_p": 0.3}, options(top_p=0.3)),
    ({"max_tokens": 5}, {"max_tokens": 5}, options(max_tokens=5)),
    ({"max_completion_tokens": 6}, {"max_tokens": 6}, options(max_tokens=6)),
    ({"max_output_tokens": 7}, {"max_tokens": 7}, options(max_tokens=7)),
    ({"reasoning_effort": "high"}, {"reasoning_effort": "high"},
     options(reasoning={"effort": "high"})),
    ({"repetition_penalty": 1.1}, {"repetition_penalty": 1.1}, options(repetition_penalty=1.1)),
    ({"update_interval": 0.5}, {"update_interval": 0.5}, options(update_interval=0.5)),
    ({"profanity_check": False}, {"profanity_check": False}, {"disable_filter": True}),
    ({"flags": ["x"]}, {"flags": ["x"]}, {"flags": ["x"]}),
    ({"function_ranker": {"enabled": True}}, {"function_ranker": {"enabled": True}},
     {"ranker_options": {"enabled": True}}),
    ({"stream": True, "stream_options": {"include_usage": True}}, {"stream": True},
     {"stream": True}),
    (TOOLS, {**ON_V1, "function_call": "auto"}, {**ON_V2, **choice(mode="auto")}),
    ({**TOOLS, "tool_choice": "none"}, {**ON_V1, "function_call": "none"},
     {**ON_V2, **choice(mode="none")}),
    ({**TOOLS, "tool_choice": "required"}, {**ON_V1, "function_call": {"name": "f"}},
     {**ON_V2, **choice(mode="forced", function_name="f")}),
    ({**TOOLS, "tool_choice": NAMED}, {**ON_V1, "function_call": {"name": "f"}},
     {**ON_V2, **choice(mode="forced", function_name="f")}),
    ({"functions": [FUNCTION]}, {**ON_V1, "function_call": "auto"},
     {**ON_V2, **choice(mode="auto")}),
    ({**TOOLS, "parallel_tool_calls": True}, {**ON_V1, "function_call": "auto"},
     {**ON_V2, **choice(mode="auto"), **options(parallel_tool_calls=True)}),
    ({"response_format": FORMAT}, {"response_format": {"type": "json_schema", "schema": SCHEMA}},
     options(response_format={"type": "json_schema", "schema": SCHEMA})),
    ({"response_format": {"type": "text"}}, {}, {}),
]  # fmt: skip
"""Members -> what is sent beside model and messages on version 1 and on version 2."""

WITHOUT_BEARING = [
    {"n": 1}, {"user": "u"}, {"metadata": {"a": "b"}}, {"store": False}, {"service_tier": "auto"},
    {"modalities": ["text"]}, {"safety_identifier": "x"}, {"prompt_cache_key": "x"},
    {"prompt_cache_retention": "24h"}, {"logprobs": False}, {"presence_penalty": 0},
]  # fmt: skip
LEFT_OUT = [
    {"seed": 1}, {"logit_bias": {"5": 1}}, {"frequency_penalty": 0.1}, {"presence_penalty": 0.1},
    {"store": True}, {"audio": {"voice": "a", "format": "wav"}}, {"storage": {"limit": 1}},
    {"prediction": {"type": "content", "content": "x"}}, {"foo": 1},
]  # fmt: skip
COMMON = {"model", "messages"}
REFUSED = [{"n": 2}, {"logprobs": True}]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Gives what asks the gateway: members and version -> its answer and what GigaChat got."""
    folder = tmp_path_factory.mktemp("gpt2giga")
    with running_simulator() as simulator:
        port = {"GPT2GIGA_PORT": free_port()}
        (folder / ".env").write_text(env_file(simulator, key=GIGACHAT_KEYS[0], **port))
        with running_gpt2giga(folder) as running, httpx.Client(base_url=running.url) as http:

            def ask(version, members):
                simulator.control(reset=True)
                body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], **members}
                answer = http.post(f"/{version}/chat/completions", json=body)
                path = f"/gigachat/api/{version}/chat/completions"
                got = [
                    {name: request["body"][name] for name in request["body"].keys() - COMMON}
                    for request in simulator.view()["last_requests"]
                    if request["path"] == path
                ]
                return answer, got[-1:]  # the first showed the token that is forgotten

            yield ask


@pytest.mark.parametrize(("members", "on_v1", "on_v2"), SENT, ids=json.dumps)
def test_what_gigachat_gets_of_each_member(world, members, on_v1, on_v2):
    for version, wanted in (("v1", on_v1), ("v2", on_v2)):
        answer, got = world(version, members)
        assert answer.status_code == 200, answer.text
        assert got == [wanted]
        assert "dropped" not in answer.headers.get("x-dragoman-changes", "")


@pytest.mark.parametrize("members", WITHOUT_BEARING, ids=json.dumps)
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_what_has_no_bearing_on_the_answer_stays_here(world, version, members):
    answer, got = world(version, members)
    assert (answer.status_code, got) == (200, [{}])
    assert "x-dragoman-changes" not in answer.headers


@pytest.mark.parametrize("members", LEFT_OUT, ids=json.dumps)
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_what_gigachat_does_not_have_is_left_out_and_said(world, version, members):
    answer, got = world(version, members)
    assert (answer.status_code, got) == (200, [{}])
    (name,) = members
    assert answer.headers["x-dragoman-changes"] == f"dropped={name}"


@pytest.mark.parametrize("members", REFUSED, ids=json.dumps)
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_what_the_caller_would_wait_for_in_vain_is_refused(world, version, members):
    answer, got = world(version, members)
    assert (answer.status_code, got) == (400, [])
    (name,) = members
    assert answer.json()["error"]["param"] == name


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_stop_is_kept_here(world, version):
    answer, got = world(version, {"stop": ["END"]})
    assert (answer.status_code, got) == (200, [{}])
    assert answer.headers["x-dragoman-changes"] == "adjusted=stop:upstream->gateway"
