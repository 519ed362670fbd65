"""What the GigaChat simulator refuses, and with which words."""

import pytest

from dragoman.simulators.gigachat_state import state_id

USER = {"role": "user", "content": "Hello"}
SYSTEM = {"role": "system", "content": "Be brief"}
CALL = {"role": "assistant", "content": "", "function_call": {"name": "f", "arguments": {"a": 1}}}
RESULT = {"role": "function", "name": "f", "content": '{"ok": true}'}
UUID = "6f0b1291-c7f3-43c6-bb2e-9f3efb2dc98e"
JSON_SYNTAX = "Your request contains invalid JSON syntax."


def function(parameters=None, **more):
    schema = {"type": "object", "properties": {}} if parameters is None else parameters
    return {"name": "f", "description": "d", "parameters": schema, **more}


def parameter(schema):
    return {"functions": [function({"type": "object", "properties": {"x": schema}})]}


def chat(**members):
    return {"model": "GigaChat", "messages": [USER], **members}


ACCEPTED = {
    "a plain question": chat(),
    "a system message first": chat(messages=[SYSTEM, USER]),
    "top_p 0 without temperature": chat(top_p=0),
    "one choice": chat(n=1),
    "a whole round trip": chat(messages=[USER, CALL, RESULT]),
    "two calls one after the other": chat(messages=[USER, CALL, RESULT, CALL, RESULT]),
    "a call without content": chat(
        messages=[USER, {k: v for k, v in CALL.items() if k != "content"}, RESULT]
    ),
    "a call with null content": chat(messages=[USER, CALL | {"content": None}, RESULT]),
    "a result that is a bare number": chat(messages=[USER, CALL, RESULT | {"content": "5"}]),
    "a built-in function by name": chat(functions=[{"name": "text2image"}]),
    "a known format": chat(**parameter({"type": "string", "format": "date-time"})),
    "allOf with one element": chat(
        **parameter({"allOf": [{"type": "object", "properties": {}}]}),
    ),
    "text as the response format": chat(response_format={"type": "text"}),
    "a ranker, flags and examples": chat(
        function_ranker={"enabled": True, "top_n": 2},
        flags=["x"],
        functions=[function(few_shot_examples=[{"request": "r", "params": {}}])],
    ),
    "a flat schema on generation 3": chat(
        model="GigaChat-3-Ultra",
        response_format={"type": "json_schema", "schema": {"type": "object"}, "strict": True},
    ),
    "reasoning where it exists": chat(model="GigaChat-2-Reasoning", reasoning_effort="low"),
    "a preview model": chat(model="GigaChat-2-Max-preview"),
}

REFUSED = {
    "no model": ({"messages": [USER]}, 422, "model"),
    "an unknown model": (chat(model="Nobody"), 404, "No such model"),
    "a model that does not chat": (chat(model="Embeddings"), 404, "No such model"),
    "no messages": ({"model": "GigaChat"}, 422, "messages"),
    "empty messages": (chat(messages=[]), 422, "messages"),
    "messages of a wrong type": (chat(messages="Hello"), 400, JSON_SYNTAX),
    "a second system message": (
        chat(messages=[SYSTEM, SYSTEM, USER]),
        422,
        "Invalid params: system message must be the first message",
    ),
    "a late system message": (chat(messages=[USER, SYSTEM]), 422, "system message must be"),
    "content parts": (
        chat(messages=[{"role": "user", "content": [{"type": "text", "text": "x"}]}]),
        400,
        JSON_SYNTAX,
    ),
    "null content of a user": (chat(messages=[USER | {"content": None}]), 400, JSON_SYNTAX),
    "an unknown role": (chat(messages=[{"role": "developer", "content": "x"}]), 422, "role"),
    "the role tool": (chat(messages=[{"role": "tool", "content": "x"}]), 422, "role"),
    "an unknown member of a message": (
        chat(messages=[USER | {"tool_call_id": "x"}]),
        422,
        "unknown field 'messages[0].tool_call_id'",
    ),
    "an assistant message last": (
        chat(messages=[USER, {"role": "assistant", "content": "x"}]),
        422,
        "last message",
    ),
    "arguments as a string": (
        chat(
            messages=[USER, CALL | {"function_call": {"name": "f", "arguments": "{}"}}, RESULT],
        ),
        400,
        JSON_SYNTAX,
    ),
    "a result that is plain text": (
        chat(messages=[USER, CALL, RESULT | {"content": "sunny"}]),
        422,
        "invalid function result json string",
    ),
    "a result of two documents": (
        chat(messages=[USER, CALL, RESULT | {"content": "{}\n{}"}]),
        422,
        "document root must not be followed by other values",
    ),
    "a result without its call": (chat(messages=[USER, RESULT]), 422, "follow its call"),
    "two results for one call": (chat(messages=[USER, CALL, RESULT, RESULT]), 422, "follow"),
    "a result of another function": (
        chat(messages=[USER, CALL, RESULT | {"name": "g"}]),
        422,
        "'f' was called",
    ),
    "a result without a name": (
        chat(messages=[USER, CALL, {"role": "function", "content": "{}"}]),
        422,
        "name",
    ),
    "a call by the user": (chat(messages=[USER | CALL | {"role": "user"}]), 422, "function_call"),
    "temperature 0": (chat(temperature=0), 400, "temperature must be greater than 0"),
    "a temperature as text": (chat(temperature="1"), 400, JSON_SYNTAX),
    "a temperature as a boolean": (chat(temperature=True), 400, JSON_SYNTAX),
    "top_p above 1": (chat(top_p=1.5), 422, "top_p"),
    "no tokens": (chat(max_tokens=0), 422, "max_tokens"),
    "tokens as a decimal": (chat(max_tokens=10.5), 400, JSON_SYNTAX),
    "several choices": (chat(n=2), 422, "'n'"),
    "an invented state id": (
        chat(messages=[USER, CALL | {"functions_state_id": UUID}, RESULT]),
        422,
        "functions_state_id",
    ),
    "a state id that is no UUID": (
        chat(messages=[USER, CALL | {"functions_state_id": "call_1"}, RESULT]),
        422,
        "functions_state_id",
    ),
    "a state id of other arguments": (
        chat(
            messages=[USER, CALL | {"functions_state_id": state_id("a" * 12, "f", {})}, RESULT],
        ),
        422,
        "functions_state_id",
    ),
    "a forced function that is not listed": (
        chat(functions=[function()], function_call={"name": "g"}),
        422,
        "'g' is not in functions",
    ),
    "a forced built-in function": (
        chat(functions=[{"name": "text2image"}], function_call={"name": "text2image"}),
        422,
        "text2image",
    ),
    "required as the function call": (chat(function_call="required"), 422, "function_call"),
    "a function twice": (chat(functions=[function(), function()]), 422, "duplicate"),
    "a function with a bad name": (chat(functions=[function(name="a b")]), 422, "name"),
    "a function without parameters": (chat(functions=[{"name": "f"}]), 422, "parameters"),
    "an unknown member of a function": (chat(functions=[function(strict=True)]), 422, "strict"),
    "parameters that are no object": (chat(functions=[function({"type": "string"})]), 422, "obj"),
    "an object without properties": (
        chat(functions=[function({"type": "object"})]),
        422,
        "Field 'functions[0].parameters.properties' is missing",
    ),
    "a nested object without properties": (
        chat(**parameter({"type": "object"})),
        422,
        "Field 'functions[0].parameters.properties.x.properties' is missing",
    ),
    "an array without items": (
        chat(**parameter({"type": "array"})),
        422,
        "Field 'functions[0].parameters.properties.x.items' is missing",
    ),
    "an object without properties in an array": (
        chat(**parameter({"type": "array", "items": {"type": "object"}})),
        422,
        "x.items.properties' is missing",
    ),
    "a reference": (chat(**parameter({"$ref": "#/$defs/x"})), 422, "$ref"),
    "definitions": (
        chat(functions=[function({"type": "object", "properties": {}, "$defs": {}})]),
        422,
        "$defs",
    ),
    "anyOf": (chat(**parameter({"anyOf": [{"type": "string"}]})), 422, "anyOf"),
    "oneOf": (chat(**parameter({"oneOf": [{"type": "string"}]})), 422, "oneOf"),
    "allOf with two elements": (
        chat(**parameter({"allOf": [{"type": "string"}, {"type": "string"}]})),
        422,
        "allOf",
    ),
    "a list of types": (chat(**parameter({"type": ["string", "null"]})), 422, "type"),
    "no type": (chat(**parameter({})), 422, "type"),
    "a schema that is true": (chat(**parameter(schema=True)), 422, "must be an object"),
    "an enum of numbers": (chat(**parameter({"type": "integer", "enum": [1]})), 422, "enum"),
    "an empty enum": (chat(**parameter({"type": "string", "enum": []})), 422, "enum"),
    "an unknown format": (chat(**parameter({"type": "string", "format": "uri"})), 422, "format"),
    "bad return_parameters": (
        chat(functions=[function(return_parameters={"type": "object"})]),
        422,
        "return_parameters.properties' is missing",
    ),
    "a wrapped schema": (
        chat(
            model="GigaChat-3-Ultra",
            response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": {}}},
        ),
        422,
        "response_format.json_schema",
    ),
    "a format without its schema": (
        chat(model="GigaChat-3-Ultra", response_format={"type": "json_schema"}),
        422,
        "schema",
    ),
    "json_object": (
        chat(model="GigaChat-3-Ultra", response_format={"type": "json_object"}),
        422,
        "response_format.type",
    ),
    "structured output of an old model": (
        chat(response_format={"type": "json_schema", "schema": {}}),
        422,
        "does not support response_format",
    ),
    "reasoning of a model without it": (chat(reasoning_effort="low"), 422, "reasoning_effort"),
    "an unknown effort": (
        chat(model="GigaChat-3-Ultra", reasoning_effort="minimal"),
        422,
        "reasoning_effort",
    ),
    "flags that are no strings": (chat(flags=[1]), 400, JSON_SYNTAX),
    "a ranker of the wrong type": (chat(function_ranker={"enabled": "yes"}), 400, JSON_SYNTAX),
    "a ranker with an unknown member": (
        chat(function_ranker={"enabled": True, "depth": 1}),
        422,
        "function_ranker.depth",
    ),
    "an example that is incomplete": (
        chat(functions=[function(few_shot_examples=[{"request": "r"}])]),
        422,
        "few_shot_examples[0]",
    ),
    "an example of the wrong type": (
        chat(functions=[function(few_shot_examples=[{"request": "r", "params": "{}"}])]),
        400,
        JSON_SYNTAX,
    ),
    "a body that is a list": ([], 400, JSON_SYNTAX),
    "no JSON": (b"{", 400, JSON_SYNTAX),
    "broken UTF-8": (b'{"model": "\xff"}', 400, JSON_SYNTAX),
}


@pytest.mark.parametrize("body", ACCEPTED.values(), ids=ACCEPTED)
def test_what_gigachat_takes_is_answered(simulator, body):
    reply = simulator.gigachat(body)
    assert reply.status == 200, reply.body


@pytest.mark.parametrize(("body", "status", "text"), REFUSED.values(), ids=REFUSED)
def test_what_gigachat_refuses_is_refused_in_its_shape(simulator, body, status, text):
    reply = simulator.gigachat(body)
    assert reply.status == status
    assert reply.json["status"] == status
    assert text in reply.json["message"]
    assert set(reply.json) == {"status", "message"}
    assert reply.headers["x-request-id"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", 1),
        ("stop", ["x"]),
        ("tools", []),
        ("tool_choice", "auto"),
        ("logit_bias", {}),
        ("logprobs", True),
        ("presence_penalty", 0),
        ("frequency_penalty", 0),
        ("stream_options", {}),
        ("user", "u"),
        ("parallel_tool_calls", True),
        ("max_completion_tokens", 5),
    ],
)
def test_fields_of_openai_are_refused_by_name(simulator, name, value):
    reply = simulator.gigachat(chat(**{name: value}))
    assert (reply.status, reply.json["message"]) == (422, f"Invalid params: unknown field '{name}'")


def test_a_wrong_type_is_explained_in_a_header_only(simulator):
    reply = simulator.gigachat(chat(messages=[{"role": "user", "content": []}]))
    assert reply.json["message"] == JSON_SYNTAX
    assert "messages[0].content" in reply.headers["x-simulator-reason"]


def test_zero_temperature_and_reported_keywords_are_switchable(simulator):
    titled = chat(**parameter({"type": "string", "title": "X"}))
    assert simulator.gigachat(titled).status == 200
    assert simulator.view()["warnings"] == {"schema_keyword:title": 1}
    simulator.control(
        options={
            "gigachat_refuses_zero_temperature": False,
            "gigachat_refuses_reported_keywords": True,
        }
    )
    assert simulator.gigachat(chat(temperature=0)).status == 200
    assert simulator.gigachat(titled).status == 422


def test_schemas_of_every_kind_can_be_switched_on(simulator):
    union = chat(**parameter({"anyOf": [{"type": "string"}, {"$ref": "#"}]}))
    assert simulator.gigachat(union).status == 422
    simulator.control(options={"gigachat_takes_full_schemas": True})
    assert simulator.gigachat(union).status == 200


def test_escaped_cyrillic_and_missing_state_ids_count_as_warnings(simulator):
    body = b'{"model":"GigaChat","messages":[{"role":"user","content":"\\u041f"}]}'
    assert simulator.gigachat(body).status == 200
    assert simulator.gigachat(chat(messages=[USER, CALL, RESULT])).status == 200
    assert simulator.view()["warnings"] == {"escaped_cyrillic": 1, "missing_functions_state_id": 1}
