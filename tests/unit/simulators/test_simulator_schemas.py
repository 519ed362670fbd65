"""Values made for schemas, and functions chosen for texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.simulators.schemas import Source, names_in, value_for
from dragoman.simulators.selection import Offer, choose_one, choose_several, wanted_count

TEXT = "Please compare Paris and Нижний for 12 days"

VALUES = {
    "a string": ({"type": "string"}, "Paris"),
    "a short string": ({"type": "string", "maxLength": 2}, "Pa"),
    "a long string": ({"type": "string", "minLength": 7}, "Paris.."),
    "a date": ({"type": "string", "format": "date"}, "2026-01-02"),
    "an integer": ({"type": "integer"}, 12),
    "a bounded integer": ({"type": "integer", "maximum": 10}, 10),
    "an integer from a bound": ({"type": "integer", "minimum": 20}, 20),
    "an integer above a bound": ({"type": "integer", "exclusiveMinimum": 12}, 13),
    "an integer below a bound": ({"type": "integer", "exclusiveMaximum": 12}, 11),
    "a multiple": ({"type": "integer", "multipleOf": 5}, 10),
    "a number": ({"type": "number", "maximum": 0.5}, 0.5),
    "a boolean": ({"type": "boolean"}, True),
    "null": ({"type": "null"}, None),
    "an enum": ({"enum": ["b", "a"]}, "b"),
    "a constant": ({"const": 5}, 5),
    "a list": ({"type": "array", "items": {"type": "integer"}}, [12]),
    "a longer list": ({"type": "array", "minItems": 2, "items": {"type": "null"}}, [None, None]),
    "a list that must be empty": ({"type": "array", "maxItems": 0, "items": {}}, []),
    "required properties only": (
        {"type": "object", "properties": {"a": {"type": "null"}, "b": {}}, "required": ["a"]},
        {"a": None},
    ),
    "a list of types": ({"type": ["null", "integer"]}, 12),
    "anyOf": ({"anyOf": [{"type": "null"}, {"type": "boolean"}]}, True),
    "allOf": (
        {"allOf": [{"type": "object", "required": ["a"]}, {"properties": {"a": {"const": 1}}}]},
        {"a": 1},
    ),
    "a reference": (
        {"$defs": {"x": {"type": "boolean"}}, "type": "array", "items": {"$ref": "#/$defs/x"}},
        [True],
    ),
    "no schema at all": (True, "Paris"),
}


@pytest.mark.parametrize(("schema", "value"), VALUES.values(), ids=VALUES)
def test_a_value_satisfies_its_schema(schema, value):
    assert value_for(schema, Source(TEXT)) == value


def test_a_schema_that_holds_itself_ends():
    schema = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}
    value = value_for(schema, Source("x"))
    for _ in range(5):
        value = value["next"]
    assert value_for({"$ref": "#"}, Source("x")) is not None


@given(st.text(), st.integers(0, 5), st.integers(-100, 100), st.integers(0, 50))
def test_numbers_stay_within_their_bounds(text, number, low, width):
    source = Source(text, number)
    for kind in ("integer", "number"):
        schema = {"type": kind, "minimum": low, "maximum": low + width}
        assert low <= value_for(schema, source) <= low + width


def test_later_values_use_later_names():
    assert [value_for({"type": "string"}, Source(TEXT, n)) for n in range(3)] == [
        "Paris",
        "Нижний",
        "Paris",
    ]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("What is the weather in Paris? And in Rome.", ["Paris", "Rome"]),
        ("Hello. I am here", []),
        ("Погода в Москве", ["Москве"]),
        ("", []),
    ],
)
def test_names_are_capitalised_words_within_a_sentence(text, names):
    assert names_in(text) == names


@pytest.mark.parametrize(
    ("text", "count"),
    [("weather", 1), ("both", 2), ("three of them", 3), ("in Rome and Oslo", 2), ("две", 2)],
)
def test_the_text_says_how_many_things_it_wants(text, count):
    assert wanted_count(text) == count


def test_a_name_weighs_more_than_a_description():
    offers = [Offer("other", "all about the weather"), Offer("getWeather", "nothing")]
    choice = choose_one("What is the weather?", offers, must=False)
    assert choice is not None
    assert choice.offer.name == "getWeather"
    assert choose_one("Good morning", offers, must=False) is None
    assert choose_several("Good morning", offers, must=False) == []
    assert choose_several("Good morning", offers, must=True)[0].offer.name == "other"
    assert choose_several("Good morning", [], must=True) == []
