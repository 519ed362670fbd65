"""What tools answer becomes exactly one JSON document, an object."""

import ast
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.dialects.gigachat.results import LONGEST_LITERAL, document

DOCUMENTS = {
    "an object stays as it is": ('{"r": 1.0}', '{"r": 1.0}'),
    "blanks around it do not matter": (' {"a":1}\n', ' {"a":1}\n'),
    "an array goes under result": ("[1, 2]", '{"result":[1, 2]}'),
    "a number too": ("42", '{"result":42}'),
    "a number keeps its spelling": ("1.50e3", '{"result":1.50e3}'),
    "a JSON string is its text": ('"x"', '{"result":"x"}'),
    "null": ("null", '{"result":null}'),
    "plain text": ("plain", '{"result":"plain"}'),
    "text that is not English": ("солнце", '{"result":"солнце"}'),
    "nothing": ("", "{}"),
    "blanks": (" \n", "{}"),
    "a dict of Python's": ("{'py': True}", '{"py":true}'),
    "a list of Python's": ("['a', None, (1, 2), -0.5]", '{"result":["a",null,[1,2],-0.5]}'),
    "a comma at the end": ("{'a': (1,), 'b': [2,],}", '{"a":[1],"b":[2]}'),
    "both kinds of quotes": ("{'a': \"it's\"}", '{"a":"it\'s"}'),
    "escapes": ("{'a': '\\n\\x41\\u0416\\U0001f600'}", '{"a":"\\nAЖ😀"}'),
    "two documents are words": (
        '{"a":1}\n{"b":2}',
        '{"result":"{\\"a\\":1}\\n{\\"b\\":2}"}',
    ),
    "broken JSON is words": ("{broken", '{"result":"{broken"}'),
    "a set has no counterpart": ("{1, 2}", '{"result":"{1, 2}"}'),
    "nor have bytes": ("{'a': b'x'}", "{\"result\":\"{'a': b'x'}\"}"),
    "nor has a key that is no string": ("{1: 2}", '{"result":"{1: 2}"}'),
    "nor has NaN": ("[NaN]", '{"result":"[NaN]"}'),
    "an escape that Python does not write": ("['\\d']", '{"result":"[\'\\\\d\']"}'),
    "half a pair": ("['\\ud83d']", '{"result":"[\'\\\\ud83d\']"}'),
    "words in brackets": ("[see above]", '{"result":"[see above]"}'),
    "words in parentheses": ("(1)", '{"result":"(1)"}'),
}


@pytest.mark.parametrize(("text", "sent"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_result_is_exactly_one_object(text, sent):
    assert document(text) == sent
    assert isinstance(json.loads(sent), dict)


@pytest.mark.parametrize(
    "text",
    ["[" * 200_000, "{'a': " * 3_000, "[" * 5_000 + "]" * 5_000, "['" + "\\" * 99_999],
    ids=["open JSON", "open literal", "closed JSON", "open text"],
)
def test_absurd_nesting_is_sent_as_words(text):
    assert json.loads(document(text)) == {"result": text}


def test_a_literal_beyond_the_bound_is_sent_as_words():
    text = "['" + "a" * LONGEST_LITERAL + "']"
    assert json.loads(document(text)) == {"result": text}


LITERALS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(LITERALS)
def test_what_python_prints_is_read_as_python_would(value):
    shown = repr(value)
    sent = json.loads(document(shown))
    if isinstance(value, dict):
        assert sent == value
    elif isinstance(value, list):
        assert sent == {"result": ast.literal_eval(shown)}
    else:
        assert set(sent) == {"result"}


@given(st.text(alphabet="{}[]()'\"\\,: \nabTrueNone01.-"))
def test_whatever_comes_is_one_object(text):
    assert isinstance(json.loads(document(text)), dict)
