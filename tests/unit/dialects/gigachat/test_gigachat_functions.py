"""Tools, their names and choice, structured output."""

import json

import pytest
from msgspec import Raw

from dragoman.canonical.conversation import CallKind, ToolCall
from dragoman.canonical.request import (
    FormatKind,
    OutputFormat,
    Tool,
    ToolChoice,
    ToolMode,
)
from dragoman.dialects.gigachat.functions import CALL_INSTRUCTION
from dragoman.dialects.gigachat.names import BUILT_IN, ToolNames
from dragoman.dialects.gigachat.preferences import Preferences
from dragoman.dialects.gigachat.requests import write_request
from dragoman.dialects.gigachat.schemas import SchemaLevel
from dragoman.errors import InvalidRequest, UnsupportedByTarget
from support.gigachat_requests import ALL, PLAIN, called, request, result, user, write

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}


def tool(name="weather", parameters=PARAMETERS, **members):
    return Tool(name, members.pop("description", None), parameters, **members)


def test_functions_are_offered_with_auto():
    body, written = write(request(tools=(tool(description="tells"),)))
    assert body["functions"] == [
        {"name": "weather", "description": "tells", "parameters": PARAMETERS}
    ]
    assert body["function_call"] == "auto"
    assert written.fidelity.grade == "exact"


@pytest.mark.parametrize("parameters", [None, {}, {"type": "object"}])
def test_a_tool_without_arguments_still_has_properties(parameters):
    body, written = write(request(tools=(tool(parameters=parameters),)))
    assert body["functions"][0]["parameters"] == {"type": "object", "properties": {}}
    assert written.fidelity.grade == "exact"


TWO = (tool("a"), tool("b"))
CHOICES = [
    (TWO, ToolChoice(ToolMode.AUTO), "auto", ["a", "b"]),
    (TWO, ToolChoice(ToolMode.NONE), "none", ["a", "b"]),
    (TWO, ToolChoice(ToolMode.NAMED, "b"), {"name": "b"}, ["a", "b"]),
    (TWO[:1], ToolChoice(ToolMode.REQUIRED), {"name": "a"}, ["a"]),
    (TWO, ToolChoice(ToolMode.AUTO, allowed=("b",)), "auto", ["b"]),
    (TWO, ToolChoice(ToolMode.REQUIRED, allowed=("b",)), {"name": "b"}, ["b"]),
]


@pytest.mark.parametrize(("tools", "choice", "sent", "offered"), CHOICES)
def test_tool_choice(tools, choice, sent, offered):
    body, written = write(request(tools=tools, tool_choice=choice))
    assert body["function_call"] == sent
    assert [function["name"] for function in body["functions"]] == offered
    assert written.fidelity.grade == "exact"


def test_any_of_several_is_asked_for_in_words():
    body, written = write(request(tools=TWO, tool_choice=ToolChoice(ToolMode.REQUIRED)))
    assert body["function_call"] == "auto"
    assert body["messages"][0] == {"role": "system", "content": CALL_INSTRUCTION}
    assert written.fidelity.adjusted == ["tool_choice:required->instruction"]


def test_the_choice_is_called_as_the_caller_calls_it():
    asked = {"tools": TWO, "legacy_functions": True}
    _, written = write(request(**asked, tool_choice=ToolChoice(ToolMode.REQUIRED)))
    assert written.fidelity.adjusted == ["function_call:required->instruction"]
    with pytest.raises(InvalidRequest) as caught:
        write(request(**asked, tool_choice=ToolChoice(ToolMode.NAMED, "c")))
    assert caught.value.param == "function_call"


@pytest.mark.parametrize(
    ("tools", "choice"),
    [
        (TWO, ToolChoice(ToolMode.NAMED, "c")),
        ((), ToolChoice(ToolMode.REQUIRED)),
        ((), ToolChoice(ToolMode.NAMED, "c")),
        (TWO, ToolChoice(ToolMode.REQUIRED, allowed=())),
    ],
)
def test_a_choice_of_nothing_is_refused(tools, choice):
    with pytest.raises(InvalidRequest) as caught:
        write(request(tools=tools, tool_choice=choice))
    assert caught.value.param == "tool_choice"


@pytest.mark.parametrize("mode", [ToolMode.AUTO, ToolMode.NONE])
def test_a_free_choice_without_tools_is_not_sent(mode):
    body, _ = write(request(tool_choice=ToolChoice(mode)))
    assert "function_call" not in body


def test_names_that_gigachat_does_not_take_are_mapped_everywhere():
    name = "mcp.server/tool " + "x" * 60
    body, written = write(
        request(
            user("a"),
            called(ToolCall("c1", name, "{}")),
            result("c1", "{}", name),
            tools=(tool(name),),
            tool_choice=ToolChoice(ToolMode.NAMED, name),
        )
    )
    wire = body["functions"][0]["name"]
    assert len(wire) <= 64
    assert written.tool_names == {wire: name}
    assert body["function_call"] == {"name": wire}
    assert body["messages"][1]["function_call"]["name"] == wire
    assert body["messages"][2]["name"] == wire
    again, _ = write(request(tools=(tool("other"), tool(name))))
    assert again["functions"][1]["name"] == wire, "prompt caches need the same name every time"


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_a_clients_function_does_not_switch_on_a_built_in_one(name):
    body, written = write(request(tools=(tool(name),)))
    wire = body["functions"][0]["name"]
    assert wire != name
    assert written.tool_names[wire] == name


def test_colliding_names_are_told_apart():
    made_up = ToolNames().wire("a.b")
    names = ToolNames(["a.b", made_up, "a/b"])
    wires = [names.wire(name) for name in ["a.b", made_up, "a/b"]]
    assert len(set(wires)) == 3
    assert names.wire(made_up) == made_up
    late = ToolNames()
    assert late.wire("a.b") != late.wire(made_up), "a name that only the history has"
    late = ToolNames()
    assert late.wire(made_up) != late.wire("a.b"), "in the other order"


def test_a_custom_tool_is_a_function_with_one_text():
    grammar = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: WORD"}}
    extras = {"openai_chat": {"format": Raw(json.dumps(grammar).encode())}}
    custom = Tool("patch", "Edits.", None, kind=CallKind.CUSTOM, extras=extras)
    body, written = write(request(tools=(custom,)))
    assert body["functions"] == [
        {
            "name": "patch",
            "description": "Edits.\n\nThe input must match this lark grammar:\nstart: WORD",
            "parameters": {
                "type": "object",
                "properties": {"input": {"type": "string"}},
                "required": ["input"],
            },
        }
    ]
    assert written.custom_tools == {"patch"}
    assert written.fidelity.adjusted == ["tools[0]:custom->function"]


@pytest.mark.parametrize("text", [b'{"type":"text"}', b'{"grammar":7}'])
def test_a_custom_tool_without_a_readable_grammar_keeps_its_description(text):
    extras = {"openai_chat": {"format": Raw(text)}}
    custom = Tool("patch", "Edits.", None, kind=CallKind.CUSTOM, extras=extras)
    assert write(request(tools=(custom,)))[0]["functions"][0]["description"] == "Edits."


def test_members_of_tools():
    extras = {
        "openai_chat": {
            "few_shot_examples": Raw(b'[{"request":"r","params":{}}]'),
            "return_parameters": Raw(b'{"type":"object","title":"T"}'),
            "cache_control": Raw(b"{}"),
            "defer_loading": Raw(b"true"),
        }
    }
    body, written = write(request(tools=(tool(extras=extras, strict=True),)))
    assert body["functions"][0]["few_shot_examples"] == [{"request": "r", "params": {}}]
    assert body["functions"][0]["return_parameters"] == {"type": "object", "properties": {}}
    assert written.fidelity.dropped == ["tools[].strict", "tools[].defer_loading"]


@pytest.mark.parametrize(
    ("member", "text"),
    [
        ("few_shot_examples", b'"many"'),
        ("few_shot_examples", b'[{"request":1,"params":{}}]'),
        ("few_shot_examples", b'[{"request":"r","params":"{}"}]'),
        ("return_parameters", b"[]"),
    ],
)
def test_gigachats_own_members_of_a_tool_have_their_types(member, text):
    extras = {"openai_chat": {member: Raw(text)}}
    others = {"openai_chat": {"tools[0]": Raw(b'{"type":"web_search"}')}}
    with pytest.raises(InvalidRequest) as caught:
        write(request(tools=(tool(), tool("b", extras=extras)), extras=others))
    assert caught.value.param == f"tools[2].function.{member}", "tools[0] is no function"


def test_what_schemas_lose_is_noted_once_and_by_name():
    strict = {**PARAMETERS, "additionalProperties": False}
    union = {"type": "object", "properties": {"x": {"type": ["string", "null"]}}}
    asked = (tool("a", strict), tool("b", union), tool("c", strict))
    _, written = write(request(tools=asked))
    assert written.fidelity.adjusted == ["tools:additionalProperties+null->GigaChat's subset"]
    _, written = write(request(tools=asked, legacy_functions=True))
    assert written.fidelity.adjusted == ["functions:additionalProperties+null->GigaChat's subset"]


def test_a_note_names_only_so_many_words():
    schema = {**PARAMETERS, **{f"word-{letter}": 1 for letter in "abcdefghijklmnopq"}}
    (note,) = write(request(tools=(tool("a", schema),)))[1].fidelity.adjusted
    assert note.startswith("tools:word-a+word-b+")
    assert note.endswith("+5 more->GigaChat's subset")


def test_the_level_of_schemas_is_the_operators_choice():
    schema = {
        "type": "object",
        "properties": {"x": {"$ref": "#/$defs/X"}},
        "$defs": {"X": {"type": "integer", "minimum": 1}},
    }

    def sent(level):
        written = write_request(
            request(tools=(tool("a", schema),)), ALL, Preferences(schema_level=SchemaLevel(level))
        )
        function = json.loads(written.body[0])["functions"][0]
        return function["parameters"], written.fidelity.adjusted

    assert sent("full") == (schema, [])
    assert sent("reduced")[0]["properties"]["x"] == {"type": "integer", "minimum": 1}
    parameters, notes = sent("minimal")
    assert parameters["properties"]["x"] == {"description": "minimum: 1.", "type": "integer"}
    assert notes == ["tools:minimum->GigaChat's subset"]


def test_a_function_without_an_object_is_refused():
    with pytest.raises(UnsupportedByTarget) as caught:
        write(request(tools=(tool(), tool("b", {"type": "array", "items": {}}))))
    assert caught.value.param == "tools[1].function.parameters"


def test_deprecated_functions_are_named_as_the_caller_named_them():
    with pytest.raises(InvalidRequest) as caught:
        write(request(tools=(tool("b", {"$ref": "http://x/y"}),), legacy_functions=True))
    assert caught.value.param == "functions[0].parameters"


SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "title": "Out"}


def schema_format(**members):
    return OutputFormat(FormatKind.JSON_SCHEMA, name="out", schema=SCHEMA, **members)


def test_a_schema_is_sent_flat():
    body, written = write(request(output_format=schema_format(strict=True)))
    assert body["response_format"] == {"type": "json_schema", "schema": SCHEMA, "strict": True}
    assert written.fidelity.grade == "exact"


def test_a_description_beside_the_schema_moves_into_it():
    body, _ = write(request(output_format=schema_format(description="d")))
    assert body["response_format"]["schema"]["description"] == "d"
    assert "strict" not in body["response_format"]


def test_a_json_object_is_asked_for_in_words():
    body, written = write(request(output_format=OutputFormat(FormatKind.JSON_OBJECT)))
    assert body["messages"][0]["role"] == "system"
    assert "JSON object" in body["messages"][0]["content"]
    assert written.fidelity.adjusted == ["response_format:json_object->instruction"]


def test_older_models_are_made_to_call_a_function_instead():
    body, written = write(request(output_format=schema_format()), PLAIN)
    assert [f["name"] for f in body["functions"]] == ["json_output"]
    assert body["function_call"] == {"name": "json_output"}
    assert "response_format" not in body
    assert written.json_tool == "json_output"
    assert written.fidelity.adjusted == ["response_format:json_schema->function"]


def beside(*tools, choice=None, wanted=None):
    return write(
        request(output_format=wanted or schema_format(), tools=tools, tool_choice=choice), PLAIN
    )


def test_the_function_for_an_answer_is_offered_beside_tools():
    body, written = beside(tool(), tool("json_output"))
    assert [f["name"] for f in body["functions"]] == ["weather", "json_output", "json_output_2"]
    assert body["function_call"] == "auto"
    assert "calling the function json_output_2" in body["messages"][0]["content"]
    assert written.json_tool == "json_output_2"
    assert written.fidelity.adjusted == ["response_format:json_schema->offered function"]


@pytest.mark.parametrize(
    "choice", [ToolChoice(ToolMode.NONE), ToolChoice(ToolMode.AUTO, allowed=())], ids=str
)
def test_it_is_forced_where_no_tool_may_be_called(choice):
    body, written = beside(tool(), choice=choice)
    assert [f["name"] for f in body["functions"]] == ["json_output"]
    assert body["function_call"] == {"name": "json_output"}
    assert written.fidelity.adjusted == ["response_format:json_schema->function"]


def test_it_is_left_out_where_a_tool_must_be_called():
    body, written = beside(tool(), choice=ToolChoice(ToolMode.NAMED, "weather"))
    assert [f["name"] for f in body["functions"]] == ["weather"]
    assert not written.json_tool
    assert written.fidelity.adjusted == ["response_format:json_schema->none beside a forced call"]


def test_native_formats_and_instructions_go_with_tools():
    assert "functions" in write(request(output_format=schema_format(), tools=(tool(),)), ALL)[0]
    body, _ = beside(tool(), wanted=OutputFormat(FormatKind.JSON_OBJECT))
    assert [f["name"] for f in body["functions"]] == ["weather"]


def test_what_the_function_for_an_answer_cannot_keep_is_noted():
    schema = {**SCHEMA, "additionalProperties": False}
    wanted = OutputFormat(FormatKind.JSON_SCHEMA, name="out", schema=schema, strict=True)
    _, written = write(request(output_format=wanted), PLAIN)
    assert written.fidelity.dropped == ["response_format.json_schema.strict"]
    assert written.fidelity.adjusted == [
        "response_format:json_schema->function",
        "response_format.json_schema.schema:additionalProperties->GigaChat's subset",
    ]


@pytest.mark.parametrize("facts", [ALL, PLAIN])
def test_a_schema_that_leads_outside_is_refused(facts):
    wanted = OutputFormat(FormatKind.JSON_SCHEMA, schema={"$ref": "https://x/y.json"})
    with pytest.raises(InvalidRequest) as caught:
        write(request(output_format=wanted), facts)
    assert caught.value.param == "response_format.json_schema.schema"


def test_older_models_answer_with_objects_only():
    wanted = OutputFormat(FormatKind.JSON_SCHEMA, schema={"type": "array", "items": {}})
    with pytest.raises(UnsupportedByTarget):
        write(request(output_format=wanted), PLAIN)
