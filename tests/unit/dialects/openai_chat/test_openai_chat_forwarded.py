"""The caller's own bytes, but for what has to change."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.dialects.openai_chat import CLIENT

MESSAGES = b'"messages":[{"role":"user","content":"hi"}]'


def forwarded(body, model):
    return b"".join(CLIENT.read_request(body).forwarded(model))


SPLICES = [
    (b'{"model":"a",%b}', b'{"model":"new",%b}'),
    (b'{%b,"model":"a"}', b'{%b,"model":"new"}'),
    (b"{%b}", b'{"model":"new",%b}'),
    (b"{ %b }", b'{"model":"new", %b }'),
    (b'{"model":null,%b}', b'{"model":"new",%b}'),
    (
        b' {\n "model" :\t"a" , "x": 1.50e1,%b }\n',
        b' {\n "model" :\t"new" , "x": 1.50e1,%b }\n',
    ),
    (b'{"model":"a","metadata":{"model":"a"},%b}', b'{"model":"new","metadata":{"model":"a"},%b}'),
    (
        b'{"stream":true,"model":"a",%b}',
        b'{"stream_options":{"include_usage":true},"stream":true,"model":"new",%b}',
    ),
    (
        b'{"stream":true,"stream_options":{},"model":"a",%b}',
        b'{"stream":true,"stream_options":{"include_usage":true},"model":"new",%b}',
    ),
    (
        b'{"stream":true,"stream_options":null,"model":"a",%b}',
        b'{"stream":true,"stream_options":{"include_usage":true},"model":"new",%b}',
    ),
    (
        b'{"stream":true,"stream_options":{"x": [1.0],"include_usage":false},"model":"a",%b}',
        b'{"stream":true,"stream_options":{"x":[1.0],"include_usage":true},"model":"new",%b}',
    ),
    (
        b'{"stream":true,"stream_options": {"include_usage" : true},"model":"a",%b}',
        b'{"stream":true,"stream_options": {"include_usage" : true},"model":"new",%b}',
    ),
    (
        b'{"model": "a", "stream": true, "x": {"y": [1, 2.50]}, %b}',
        (
            b'{"stream_options":{"include_usage":true},"model": "new", "stream": true,'
            b' "x": {"y": [1, 2.50]}, %b}'
        ),
    ),
    (b'{"mod\\u0065l":"a",%b}', b'{"model":"new",%b}'),
    (b'{"model":"b",%b,"model":"a"}', b'{"model":"new",%b}'),
    (b'{"model":"a",%b,"model":"a"}', b'{"model":"new",%b}'),
    (b'{"model":"a","x":1,"x":[2],%b}', b'{"model":"new","x":[2],%b}'),
]


@pytest.mark.parametrize(("sent", "expected"), SPLICES, ids=[str(s[0]) for s in SPLICES])
def test_only_what_must_change_changes(sent, expected):
    assert forwarded(sent % MESSAGES, "new") == expected % MESSAGES


@pytest.mark.parametrize(
    "sent",
    [
        b'{"model":"a",%b}',
        b' { "model" : "a" ,%b } ',
        b'{"stream":true,"stream_options":{"include_usage":true},"model":"a",%b}',
    ],
)
def test_nothing_to_change_gives_the_very_same_bytes(sent):
    body = sent % MESSAGES
    (piece,) = CLIENT.read_request(body).forwarded("a")
    assert piece is body


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (" ,", " :")])
@pytest.mark.parametrize("size", [1, 100_000])
@pytest.mark.parametrize("first", ["model", "messages"])
def test_all_spellings_and_sizes_keep_the_rest(separators, size, first):
    members = {"messages": [{"role": "user", "content": "\u044f" * size}], "model": "a", "n": 1}
    members = {first: None, **members}

    def spelled(model):
        document = {**members, "model": model}
        return json.dumps(document, separators=separators, ensure_ascii=False).encode()

    assert forwarded(spelled("a"), "new") == spelled("new")


def test_a_model_given_twice_leaves_no_second_one_behind():
    body = forwarded(b'{"model":"a",%b,"model":"a"}' % MESSAGES, "a")
    assert body.count(b'"model"') == 1


def test_names_are_written_as_json():
    body = forwarded(b'{"model":"a",%b}' % MESSAGES, 'x"\u044f')
    assert json.loads(body)["model"] == 'x"\u044f'


def test_a_large_body_is_not_copied():
    content = "x" * 200_000
    body = json.dumps({"model": "a", "messages": [{"role": "user", "content": content}]}).encode()
    pieces = CLIENT.read_request(body).forwarded("new")
    assert memoryview(pieces[-1]).obj is body
    assert json.loads(b"".join(pieces))["messages"][0]["content"] == content


blanks = st.text(" \t\r\n", max_size=2)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text('abc\\"{', max_size=3), inner)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text('xyz\\"\u044f:,{', min_size=1, max_size=4), values, max_size=4),
    st.integers(0, 4),
    st.lists(blanks, min_size=4, max_size=4),
    st.booleans(),
)
def test_any_body_keeps_everything_but_the_name(others, place, gaps, ascii_only):
    members = list(others.items())
    members.insert(place, ("model", "a"))
    members.append(("messages", [{"role": "user", "content": "x"}]))
    a, b, c, d = gaps
    text = ",".join(
        f"{a}{json.dumps(name, ensure_ascii=ascii_only)}{b}:{c}{json.dumps(value)}{d}"
        for name, value in members
    )
    body = f"{a}{{{text}}}{d}".encode()
    assert json.loads(forwarded(body, "new")) == {**dict(members), "model": "new"}
