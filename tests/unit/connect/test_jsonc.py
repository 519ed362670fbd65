"""Splicing into JSON with comments: what is there stays, what is put there can be read."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.connect.jsonc import DEEPEST, NotJson, parse, put

KEPT = {"x": [1, {"y": "z"}]}


@pytest.mark.parametrize(
    ("before", "path", "value", "after"),
    [
        ("", ("a",), 1, '{\n  "a": 1\n}\n'),
        ("\n", ("a", "b"), 1, '\n{\n  "a": {\n    "b": 1\n  }\n}\n'),
        ("{}", ("a",), 1, '{\n  "a": 1\n}'),
        ("{ // mine\n}\n", ("a",), 1, '{ // mine\n  "a": 1\n}\n'),
        ('{"a": 1}', ("b",), [2], '{"a": 1, "b": [2]}'),
        ('{ "a": 1, }', ("b",), 2, '{ "a": 1, "b": 2 }'),
        ('{"a": 1}', ("a",), 2, '{"a": 2}'),
        ('{\n  "a": 1 // one\n}\n', ("b",), 2, '{\n  "a": 1, // one\n  "b": 2\n}\n'),
        ('{\n  "a": 1, // one\n}\n', ("b",), 2, '{\n  "a": 1, // one\n  "b": 2\n}\n'),
        ('{\n  "a": 1\n  // end\n}\n', ("b",), 2, '{\n  "a": 1,\n  // end\n  "b": 2\n}\n'),
        ('{\n\t"a": {}\n}\n', ("a", "b"), 1, '{\n\t"a": {\n\t\t"b": 1\n\t}\n}\n'),
        ('{\r\n  "a": 1\r\n}\r\n', ("b",), {}, '{\r\n  "a": 1,\r\n  "b": {}\r\n}\r\n'),
        (
            '{\n    "a": 1\n}',
            ("b",),
            {"c": 2},
            '{\n    "a": 1,\n    "b": {\n      "c": 2\n    }\n}',
        ),
        ('{"a": {"b": 1}, "c": 2}', ("a", "d"), 3, '{"a": {"b": 1, "d": 3}, "c": 2}'),
        ('\ufeff{"a": 1}', ("a",), 2, '\ufeff{"a": 2}'),
        ('{"a": 1, "a": 2}', ("a",), 3, '{"a": 1, "a": 3}'),
        ('{"a": /* { */ "}" }', ("b",), 1, '{"a": /* { */ "}", "b": 1 }'),
        ('{"a": "\\"//"}', ("b",), 1, '{"a": "\\"//", "b": 1}'),
    ],
)
def test_a_value_is_put_where_it_belongs(before, path, value, after):
    assert put(before, path, value) == after


def test_what_stands_there_already_is_not_touched():
    text = '{ /* odd */ "a" :[ 1,2 , ], }'
    assert put(text, ("a",), [1, 2]) == text


@pytest.mark.parametrize(
    "text",
    [
        "[1]",
        "1",
        "{",
        "{,}",
        '{"a" 1}',
        '{"a": }',
        '{"a": 1 "b": 2}',
        "{a: 1}",
        "{'a': 1}",
        '{"a": 01}',
        '{"a": "\n"}',
        '{"a": "\\x"}',
        '{"a": 1} {}',
        '{"a": 1} /*',
        '{"a": 1',
    ],
)
def test_what_is_no_table_of_json_is_refused(text):
    with pytest.raises(NotJson):
        put(text, ("a", "b"), 1)


def test_the_line_of_a_mistake_is_named():
    with pytest.raises(NotJson, match="line 3"):
        parse('{\n  "a": 1,\n  b: 2\n}')


def test_nesting_has_a_bound():
    parse("[" * DEEPEST + "]" * DEEPEST)
    with pytest.raises(NotJson, match="deeper"):
        parse("[" * 100_000)


def test_a_table_is_not_made_of_something_else():
    with pytest.raises(NotJson, match=r"`a\.b` is no table"):
        put('{"a": {"b": 1}}', ("a", "b", "c"), 1)


names = st.text(max_size=4)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    scalars.filter(lambda value: value not in (float("inf"), float("-inf"))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
tables = st.dictionaries(names, values, max_size=4)
gaps = st.lists(
    st.sampled_from([" ", "\n", "\t", "\r\n", "// }{,\n", '/* " ] */', "/**/"]), max_size=3
).map("".join)


@st.composite
def documents(draw):
    """A table, and a text for it with remarks and trailing commas between its tokens."""
    table = draw(tables)
    tokens = re.findall(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^"{}\[\],:\s]+', json.dumps(table))
    pieces = [draw(gaps)]
    for token, before in zip(tokens, ["", *tokens], strict=False):
        if token in "}]" and before not in "{[" and draw(st.booleans()):
            pieces.append("," + draw(gaps))
        pieces += [token, draw(gaps)]
    return table, "".join(pieces)


@given(documents())
def test_every_document_is_read(document):
    table, text = document
    assert parse(text).decoded() == table


@given(documents(), st.lists(names, min_size=1, max_size=3), values)
def test_one_value_is_put_and_every_other_one_stays(document, path, value):
    table, text = document
    wanted, inner = json.loads(json.dumps(table)), None
    try:
        inner = wanted
        for name in path[:-1]:
            inner = inner.setdefault(name, {})
        inner[path[-1]] = value
    except (AttributeError, TypeError):
        with pytest.raises(NotJson):
            put(text, tuple(path), value)
        return
    new = put(text, tuple(path), value)
    assert parse(new).decoded() == wanted
    assert put(new, tuple(path), value) == new
