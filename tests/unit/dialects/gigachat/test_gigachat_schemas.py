"""JSON Schema in GigaChat's subset."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import encode

from dragoman.dialects.gigachat.schema_reduction import LONGEST_REMARK
from dragoman.dialects.gigachat.schemas import Cleaned, SchemaLevel, clean_schema
from dragoman.errors import InvalidRequest

STRING = {"type": "string"}
FREE = {"type": "object", "properties": {}}


def inside(schema: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"x": schema}}


EQUAL = {
    "an object gets properties": ({"type": "object"}, FREE),
    "annotations go": (
        {"type": "string", "title": "X", "$comment": "c", "examples": ["a"]},
        STRING,
    ),
    "a constant is an enum of one": ({"const": "a"}, {"type": "string", "enum": ["a"]}),
    "known formats stay": ({"type": "string", "format": "date"},) * 2,
    "bounds stay": ({"type": "integer", "minimum": 1, "maximum": 9},) * 2,
    "nested objects": (
        {"type": "object", "properties": {"y": {"type": "object"}}, "required": ["y"]},
        {"type": "object", "required": ["y"], "properties": {"y": FREE}},
    ),
    "a union of constants is an enum": (
        {"anyOf": [{"const": "a"}, {"enum": ["b", "a"]}]},
        {"type": "string", "enum": ["a", "b"]},
    ),
    "a single allOf is merged": (
        {"allOf": [{"type": "integer"}], "description": "d"},
        {"type": "integer", "description": "d"},
    ),
    "allOf adds properties": (
        {
            "allOf": [
                {"type": "object", "properties": {"a": STRING}, "required": ["a"]},
                {"properties": {"b": STRING}, "required": ["b"]},
            ]
        },
        {"type": "object", "required": ["a", "b"], "properties": {"a": STRING, "b": STRING}},
    ),
    "the type is found by its members": (
        {"properties": {"a": STRING}},
        {"type": "object", "properties": {"a": STRING}},
    ),
    "anything more is allowed anyway": ({"type": "object", "additionalProperties": True}, FREE),
    "types in capitals are types": ({"type": "STRING"}, STRING),
    "a description that is no text goes": ({"type": "string", "description": 5}, STRING),
    "a property that must not be is left out": (
        {"type": "object", "properties": {"a": False, "b": STRING}},
        {"type": "object", "properties": {"b": STRING}},
    ),
}

LOSSY = {
    "null is dropped from a type list": ({"type": ["string", "null"]}, STRING),
    "of several types the first stays": ({"type": ["integer", "string"]}, {"type": "integer"}),
    "null is dropped from a union": ({"anyOf": [STRING, {"type": "null"}]}, STRING),
    "of a union the first stays": (
        {"oneOf": [{"type": "integer"}, STRING], "description": "d."},
        {
            "type": "integer",
            "description": "d. May also be of another type: integer, string.",
        },
    ),
    "other values than strings are described": (
        {"enum": [1, 2]},
        {"type": "integer", "description": "One of: 1, 2."},
    ),
    "null is dropped from an enum": (
        {"enum": ["a", None]},
        {"type": "string", "enum": ["a"]},
    ),
    "other formats are described": (
        {"type": "string", "format": "uri"},
        {"type": "string", "description": "Format: uri."},
    ),
    "what is not known goes": ({"type": "string", "contentEncoding": "base64"}, STRING),
    "closed objects are opened": ({"type": "object", "additionalProperties": False}, FREE),
    "anything is a string": (True, STRING),
    "an empty schema is a string": ({}, STRING),
    "an array of anything is one of strings": (
        {"type": "array", "items": {}},
        {"type": "array", "items": STRING},
    ),
    "a tuple is an array of its first": (
        {"type": "array", "items": [{"type": "integer"}, STRING]},
        {"type": "array", "items": {"type": "integer"}},
    ),
    "nullable is dropped": ({"type": "string", "nullable": True}, STRING),
    "what is required but unknown goes": ({"type": "object", "required": ["z"]}, FREE),
    "nothing but null": ({"anyOf": [{"type": "null"}]}, STRING),
    "branches that only narrow go": (
        {
            "type": "object",
            "properties": {"a": STRING, "b": STRING},
            "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
        },
        {"type": "object", "properties": {"a": STRING, "b": STRING}},
    ),
    "a branch joins what stands beside the union": (
        {
            "properties": {"a": STRING},
            "oneOf": [{"type": "object", "properties": {"b": STRING}}, {"type": "integer"}],
        },
        {
            "type": "object",
            "properties": {"a": STRING, "b": STRING},
            "description": "May also be of another type: object, integer.",
        },
    ),
    "a map tells what its values are": (
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {**FREE, "description": "Further members have values of type integer."},
    ),
    "an enum of another type goes": ({"type": "integer", "enum": ["a"]}, {"type": "integer"}),
    "an enum of nothing goes": ({"type": "string", "enum": []}, STRING),
    "a type that nobody knows is a string": ({"type": "file"}, STRING),
    "a bound of the wrong type goes": ({"type": "string", "minLength": "1"}, STRING),
}


@pytest.mark.parametrize(("schema", "cleaned"), EQUAL.values(), ids=EQUAL)
def test_what_means_the_same(schema, cleaned):
    result = clean_schema(inside(schema), "p")
    assert result.schema["properties"]["x"] == cleaned
    assert not result.is_lossy


@pytest.mark.parametrize(("schema", "cleaned"), LOSSY.values(), ids=LOSSY)
def test_what_means_less(schema, cleaned):
    result = clean_schema(inside(schema), "p")
    assert result.schema["properties"]["x"] == cleaned
    assert result.is_lossy


def test_an_array_without_items_gets_strings():
    result = clean_schema(inside({"type": "array"}), "p")
    assert result.schema["properties"]["x"] == {"type": "array", "items": STRING}


def test_references_are_put_in_place():
    schema = {
        "type": "object",
        "properties": {
            "a": {"$ref": "#/$defs/P", "description": "here"},
            "b": {"allOf": [{"$ref": "#/$defs/P"}]},
            "c": {"$ref": "#/$defs/odd~1na~0me"},
        },
        "$defs": {"P": {"type": "integer", "title": "P"}, "odd/na~me": STRING},
    }
    result = clean_schema(schema, "p")
    assert result.schema["properties"] == {
        "a": {"type": "integer", "description": "here"},
        "b": {"type": "integer"},
        "c": STRING,
    }
    assert not result.is_lossy


@pytest.mark.parametrize("link", [{"$ref": "#/$defs/N"}, {"allOf": [{"$ref": "#/$defs/N"}]}])
def test_recursion_is_cut(link):
    node = {"type": "object", "properties": {"next": link, "value": STRING}}
    result = clean_schema({"$ref": "#/$defs/N", "$defs": {"N": node}}, "p")
    assert result.is_lossy
    level, depth = result.schema, 0
    while level["properties"]:
        level, depth = level["properties"]["next"], depth + 1
    assert depth == 3


@pytest.mark.parametrize("reference", ["#", "#/properties/x", "#/$defs/A", "#/allOf/0"], ids=str)
def test_a_reference_to_itself_ends(reference):
    schema = {
        "type": "object",
        "properties": {"x": {"$ref": reference}},
        "$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"$ref": "#/$defs/A"}},
        "allOf": [{"properties": {"y": {"$ref": "#"}}}],
    }
    assert clean_schema(schema, "p").schema["type"] == "object"


@pytest.mark.parametrize(
    "reference",
    ["https://example.org/x.json", "other.json#/a", "#/$defs/missing", "#anchor", "#/enum/7"],
)
def test_a_reference_that_leads_out_or_nowhere_is_refused(reference):
    with pytest.raises(InvalidRequest) as caught:
        clean_schema({"type": "object", "properties": {"a": {"$ref": reference}}}, "the.path")
    assert caught.value.param == "the.path"


def nested(levels):
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return inside(schema)


def test_nesting_is_bounded():
    assert clean_schema(nested(90), "p").schema["type"] == "object"
    with pytest.raises(InvalidRequest, match="100 levels"):
        clean_schema(nested(101), "p")
    with pytest.raises(InvalidRequest, match="100 levels"):
        clean_schema(nested(100_000), "p")


def test_a_chain_of_references_is_as_deep_as_nesting():
    defs = {f"d{n}": {"type": "array", "items": {"$ref": f"#/$defs/d{n + 1}"}} for n in range(300)}
    schema = {"$ref": "#/$defs/d0", "$defs": {**defs, "d300": STRING}}
    with pytest.raises(InvalidRequest, match="100 levels"):
        clean_schema(schema, "p")


def test_references_that_multiply_are_bounded():
    defs: dict[str, Any] = {
        f"d{n}": {
            "type": "object",
            "properties": {key: {"$ref": f"#/$defs/d{n + 1}"} for key in "abcdefghij"},
        }
        for n in range(30)
    }
    schema = {"$ref": "#/$defs/d0", "$defs": {**defs, "d30": STRING}}
    result = clean_schema(schema, "p")
    assert result.is_lossy
    assert len(encode(result.schema)) < 200_000


def test_a_recursive_union_of_many_is_bounded():
    links = {f"p{n}": {"$ref": "#/$defs/N"} for n in range(40)}
    node = {"type": "object", "properties": links}
    result = clean_schema({"$ref": "#/$defs/N", "$defs": {"N": node}}, "p")
    assert len(encode(result.schema)) < 400_000


def test_the_callers_schema_is_left_alone():
    schema = {
        "allOf": [
            {"properties": {"a": STRING}, "required": ["a"]},
            {"properties": {"b": STRING}, "required": ["b"]},
        ],
    }
    before = copy.deepcopy(schema)
    clean_schema(schema, "p")
    assert schema == before


WHOLE = {
    "type": "object",
    "properties": {"a": {"anyOf": [{"$ref": "#/$defs/A"}, {"type": "null"}]}},
    "$defs": {"A": {"type": "string", "format": "date", "default": "x", "minLength": 1}},
    "additionalProperties": False,
}


def test_what_is_lost_is_told_by_name():
    assert clean_schema(WHOLE, "p").lost == ("additionalProperties", "null")
    odd = {"type": "object", "x-evil;\r\n": 1, "propertyNames": {}, "\u0436": 1}
    assert clean_schema(odd, "p").lost == ("other", "propertyNames")


def test_the_full_level_leaves_everything():
    assert clean_schema(WHOLE, "p", SchemaLevel.FULL) == Cleaned(WHOLE)
    assert clean_schema({"title": "T"}, "p", SchemaLevel.FULL).schema == {
        "type": "object",
        "title": "T",
        "properties": {},
    }
    for schema in ({"$ref": "https://x/y.json"}, {"$ref": "#/$defs/none"}, nested(101)):
        with pytest.raises(InvalidRequest):
            clean_schema(schema, "p", SchemaLevel.FULL)


def test_the_minimal_level_says_in_words_what_it_leaves_out():
    cleaned = clean_schema(WHOLE, "p", SchemaLevel.MINIMAL)
    assert cleaned.schema["properties"]["a"] == {
        "description": 'Format: date. default: "x". minLength: 1.',
        "type": "string",
    }
    assert cleaned.lost == ("additionalProperties", "null", "format", "default", "minLength")


def test_a_remark_has_a_bound():
    cleaned = clean_schema(inside({"enum": list(range(10_000))}), "p")
    assert len(cleaned.schema["properties"]["x"]["description"]) <= LONGEST_REMARK


WORDS = st.sampled_from(
    [
        *(
            "type",
            "properties",
            "items",
            "anyOf",
            "oneOf",
            "allOf",
            "enum",
            "const",
            "required",
            "$ref",
        ),
        *(
            "format",
            "description",
            "nullable",
            "additionalProperties",
            "x",
            "string",
            "object",
            "null",
        ),
        *("#", "#/x", "#/properties/x", "array"),
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=25,
)


def follows_the_subset(schema: dict[str, Any]) -> bool:
    kind = schema["type"]
    below: list[Any] = []
    if kind == "object":
        below = list(schema["properties"].values())
    elif kind == "array":
        below = [schema["items"]]
    allowed = isinstance(kind, str) and not {"$ref", "anyOf", "oneOf", "allOf", "const"} & set(
        schema
    )
    strings = all(isinstance(value, str) for value in schema.get("enum", []))
    return allowed and strings and all(follows_the_subset(each) for each in below)


@given(JSON, st.sampled_from([SchemaLevel.REDUCED, SchemaLevel.MINIMAL]))
def test_whatever_comes_the_result_follows_the_subset_or_is_refused(value, level):
    try:
        cleaned = clean_schema(inside(value), "p", level).schema
    except InvalidRequest:
        return
    assert follows_the_subset(cleaned)
