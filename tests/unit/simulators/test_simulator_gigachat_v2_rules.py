"""What the GigaChat simulator's chat v2 refuses, and what it takes."""

import json
from collections import Counter

import pytest

from dragoman.simulators.gigachat_state import state_id
from dragoman.simulators.gigachat_v2_rules import check_chat_v2, sealed_calls
from dragoman.simulators.options import SimulatorOptions
from dragoman.simulators.refusals import Refusal
from support.recordings import exchanges


def said(role, *parts, **members):
    return {
        "role": role,
        "content": [{"text": p} if isinstance(p, str) else p for p in parts],
    } | members


USER = said("user", "Hello")
CALLS = [{"id": "a", "name": "f", "arguments": {"x": 1}}, {"id": "b", "name": "f", "arguments": {}}]
STATE = state_id("0123456789ab", *sealed_calls(CALLS))


def call(body):
    return {"function_call": body}


def result(name="f", **members):
    return {"function_result": {"name": name, "result": {"ok": True}, **members}}


ASKED = said("assistant", *map(call, CALLS), tools_state_id=STATE)
ANSWERED = said("tool", result(id="b"), result(id="a"), tools_state_id=STATE)


def function(name="f", **members):
    schema = {"type": "object", "properties": {}}
    return {"name": name, "description": "d", "parameters": schema, **members}


def functions(*names):
    return {"functions": {"specifications": [function(name) for name in names]}}


def chat(*messages, **members):
    return {"model": "GigaChat-3-Ultra", "messages": list(messages or [USER]), **members}


def options(**members):
    return chat(model_options=members)


def tools(*entries, **config):
    return chat(tools=list(entries), **({"tool_config": config} if config else {}))


ACCEPTED = {
    "a plain question": chat(),
    "a system message first": chat(said("system", "x"), USER),
    "sampling in its place": options(temperature=0.5, max_tokens=5, top_p=1),
    "reasoning": options(reasoning={"effort": "high", "max_tokens": 5}),
    "a schema": options(response_format={"type": "json_schema", "schema": {}, "strict": True}),
    "a regular expression": options(response_format={"type": "regex", "regex": "a"}),
    "a round of two calls": chat(USER, ASKED, ANSWERED),
    "results in two messages": chat(
        USER,
        ASKED,
        said("tool", result(id="a"), tools_state_id=STATE),
        said("tool", result(id="b"), tools_state_id=STATE),
    ),
    "a call without a state": chat(
        USER, said("assistant", "hm", call({"name": "f", "arguments": {}})), said("tool", result())
    ),
    "any result": chat(
        USER,
        said("assistant", call({"name": "f", "arguments": {}})),
        said("tool", result(result=5)),
    ),
    "every built-in tool": tools(
        functions("f"),
        {"web_search": {"type": "x", "indexes": [], "flags": []}},
        {"code_interpreter": {}},
        {"image_generate": {}},
        {"url_content_extraction": {}},
        {"model_3d_generate": {}},
        mode="auto",
    ),
    "a forced function": tools(functions("f"), mode="forced", function_name="f"),
    "a forced tool": tools({"web_search": {}}, mode="forced", tool_name="web_search"),
    "some function": tools(functions("f", "g"), mode="any", functions_names_any=["g"]),
}

REFUSED = {
    "no model": ({"messages": [USER]}, 422, "model"),
    "no messages": (chat() | {"messages": []}, 422, "messages"),
    "a text as content": (chat({"role": "user", "content": "x"}), 400, ""),
    "empty content": (chat(said("user")), 422, "content"),
    "two members in a part": (chat(said("user", {"text": "x", "files": []})), 422, "one member"),
    "an unknown part": (chat(said("user", {"image_url": "x"})), 422, "image_url"),
    "a late system message": (chat(USER, said("system", "x")), 422, "system message"),
    "an unknown role": (chat(said("function", "x")), 422, "role"),
    "the assistant last": (chat(USER, said("assistant", "x")), 422, "last message"),
    "sampling at the top": (chat(temperature=1), 422, "temperature"),
    "temperature 0": (options(temperature=0), 400, "temperature"),
    "an unknown option": (options(seed=1), 422, "seed"),
    "an unknown effort": (options(reasoning={"effort": "max"}), 422, "effort"),
    "json_object": (options(response_format={"type": "json_object"}), 422, "response_format"),
    "a schema inside": (
        options(response_format={"type": "json_schema", "json_schema": {}}),
        422,
        "json_schema",
    ),
    "a schema on generation 2": (
        options(response_format={"type": "json_schema", "schema": {}}) | {"model": "GigaChat-2"},
        422,
        "does not support",
    ),
    "two entries of functions": (tools(functions("f"), functions("g")), 422, "two entries"),
    "an entry of two tools": (tools({"web_search": {}, "code_interpreter": {}}), 422, "one member"),
    "an unknown tool": (tools({"file_search": {}}), 422, "file_search"),
    "an unknown setting": (tools({"web_search": {"size": 1}}), 422, "size"),
    "the mode function": (tools(functions("f"), mode="function", function_name="f"), 422, "mode"),
    "the mode tool": (tools({"web_search": {}}, mode="tool", tool_name="web_search"), 422, "mode"),
    "forced without a name": (tools(functions("f"), mode="forced"), 422, "forced"),
    "a name without force": (tools(functions("f"), mode="auto", function_name="f"), 422, "forced"),
    "a function that is not there": (
        tools(functions("f"), mode="forced", function_name="g"),
        422,
        "not in tools",
    ),
    "any without functions": (tools({"web_search": {}}, mode="any"), 422, "needs functions"),
    "a subset that is not there": (
        tools(functions("f"), mode="any", functions_names_any=["g"]),
        422,
        "not in tools",
    ),
    "arguments as a string": (
        chat(
            USER, said("assistant", call({"name": "f", "arguments": "{}"})), said("tool", result())
        ),
        400,
        "",
    ),
    "an unknown file": (chat(said("user", "x", {"files": [{"id": "1"}]})), 404, "1"),
    "a file without an id": (chat(said("user", "x", {"files": ["1"]})), 400, ""),
    "a result for nobody": (chat(USER, said("tool", result())), 422, "nothing was called"),
    "a result of another name": (
        chat(
            USER, said("assistant", call({"name": "f", "arguments": {}})), said("tool", result("g"))
        ),
        422,
        "nothing was called",
    ),
    "a missing result": (chat(USER, ASKED, USER), 422, "missing"),
    "an invented state": (
        chat(USER, ASKED | {"tools_state_id": "call_1"}, ANSWERED),
        422,
        "another answer",
    ),
    "a state of another answer": (
        chat(USER, said("assistant", call(CALLS[0]), tools_state_id=STATE), ANSWERED),
        422,
        "another answer",
    ),
    "results of another state": (
        chat(USER, ASKED, ANSWERED | {"tools_state_id": "x"}),
        422,
        "tools_state_id",
    ),
}


@pytest.mark.parametrize("body", ACCEPTED.values(), ids=ACCEPTED)
def test_a_good_request_is_taken(simulator, body):
    assert simulator.gigachat(body, api="v2").status == 200


@pytest.mark.parametrize(("body", "status", "words"), REFUSED.values(), ids=REFUSED)
def test_a_bad_request_is_refused(simulator, body, status, words):
    reply = simulator.gigachat(body, api="v2")
    assert (reply.status, reply.json["status"]) == (status, status)
    assert words in reply.json["message"]


def test_a_wrong_token_and_an_unknown_model_are_refused(simulator):
    assert simulator.gigachat(chat(), token="x", api="v2").status == 401
    assert simulator.gigachat(chat() | {"model": "Nobody"}, api="v2").status == 404


def recorded():
    for api in ("gigachat.chat_v2", "gigachat.chat_v2.stream"):
        for exchange in exchanges(api):
            yield pytest.param(exchange["request"]["body"], id=exchange["id"])


@pytest.mark.parametrize("body", list(recorded()))
def test_what_the_real_service_took_is_taken(body):
    """But for states, which belong to the real service."""
    text = json.dumps(body)
    if "tools_state_id" in text:
        with pytest.raises(Refusal, match="tools_state_id"):
            check_chat_v2(body, SimulatorOptions(), Counter())
        body = json.loads(text)
        for message in body["messages"]:
            message.pop("tools_state_id", None)
    check_chat_v2(body, SimulatorOptions(), Counter())
