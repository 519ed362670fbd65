"""Marks in the text, pages behind it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.dialects.gigachat.v2.citations import Citations, WireSource

ONE = WireSource("https://one.example/a(b)", "The [first]\n page")
TWO = WireSource("http://two.example/?q=1", None)


def read(pieces, sources):
    """What readers see, and which words cite which address."""
    citations = Citations()
    text = "".join(citations.text(piece) for piece in pieces)
    citations.learn(sources)
    text += citations.close()
    return text, [(text[c.start : c.end], c.url) for c in citations.found()]


def test_marks_become_numbers_and_pages_a_list():
    text, cited = read(["A [sources=[2]]. B [sources=[1, 2]]!"], {"1": ONE, "2": TWO})
    assert text == (
        "A [2]. B [1][2]!\n\nSources:"
        "\n- [2] [http://two.example/?q=1](http://two.example/?q=1)"
        "\n- [1] [The (first) page](https://one.example/a%28b%29)"
    )
    assert cited == [
        ("[2]", "http://two.example/?q=1"),
        ("[1]", "https://one.example/a%28b%29"),
        ("[2]", "http://two.example/?q=1"),
    ]


def test_pages_that_no_mark_names_are_listed_and_cited_by_the_list():
    text, cited = read(["A."], {"2": TWO})
    assert text.endswith("Sources:\n- [2] [http://two.example/?q=1](http://two.example/?q=1)")
    assert cited == [("[2]", "http://two.example/?q=1")]


@pytest.mark.parametrize(
    "source",
    [
        WireSource(None, "x"),
        WireSource("javascript:alert(1)", "x"),
        WireSource("https://a b", "x"),
        WireSource("file:///etc/passwd", "x"),
    ],
)
def test_what_is_no_page_is_not_linked(source):
    assert read(["A [sources=[1]]"], {"1": source}) == ("A [1]", [])


@pytest.mark.parametrize(
    "text",
    ["[1] [link](x) [[a]]", "[sources=1]", "[sources=[]]", "[sources=[x]]", "[sources=[1", "a ["],
)
def test_other_brackets_stay(text):
    assert read([text], {}) == (text, [])
    assert read(list(text), {}) == (text, [])


PIECES = st.sampled_from(
    ["[sources=[1]]", "[sources=[2,1]]", "[", "[sources=[", "sources", "]", "слово ", "1,", "🙂"]
)


@given(st.lists(PIECES, max_size=12).map("".join), st.data())
def test_however_the_text_is_cut_it_reads_the_same(text, data):
    sources = {"1": ONE, "2": TWO}
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert read(pieces, sources) == read([text], sources)
    for words, _ in read(pieces, sources)[1]:
        assert words in {"[1]", "[2]"}


def test_an_endless_mark_is_not_held_for_ever():
    citations = Citations()
    said = citations.text("[sources=[") + "".join(citations.text("1,") for _ in range(500))
    assert len(said) > 500
