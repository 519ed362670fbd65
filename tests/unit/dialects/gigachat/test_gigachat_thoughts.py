"""Thoughts that stand in tags ahead of the answer."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.canonical.conversation import Reasoning, Text
from dragoman.canonical.events import PartKind
from dragoman.dialects.gigachat.thoughts import BLANKS, ThoughtSplitter, split_thoughts

CASES = {
    "no tags": ("plain", [Text("plain")]),
    "a thought and an answer": (
        "<think>hm</think>yes",
        [Reasoning("hm"), Text("yes")],
    ),
    "blanks around a block belong to the tags": (
        "\n <think>\nhm \n</think>\n\nyes \n",
        [Reasoning("hm"), Text("yes \n")],
    ),
    "several blocks in a row": (
        "<think>a</think> <think>b</think>c",
        [Reasoning("a"), Reasoning("b"), Text("c")],
    ),
    "a thought without end": ("<think>hm", [Reasoning("hm")]),
    "a thought without an answer": ("<think>hm</think>\n", [Reasoning("hm")]),
    "no thought at all": ("<think> </think>yes", [Text("yes")]),
    "nothing but a tag": ("<think>", []),
    "the answer is about tags": (
        "Write <think>x</think>.",
        [Text("Write <think>x</think>.")],
    ),
    "a later tag is the answer's": (
        "<think>hm</think>a <think>b</think>",
        [Reasoning("hm"), Text("a <think>b</think>")],
    ),
    "half a tag": ("<thi", [Text("<thi")]),
    "a single angle": ("<", [Text("<")]),
    "something like a tag": ("<thinking>x", [Text("<thinking>x")]),
    "something like its end": ("<think>a</thin b</think>c", [Reasoning("a</thin b"), Text("c")]),
    "blanks ahead of an answer stay": ("\n\nyes", [Text("\n\nyes")]),
    "nothing but blanks": ("\n", [Text("\n")]),
    "too many blanks": (
        " " * (BLANKS + 1) + "<think>a</think>",
        [Text(" " * (BLANKS + 1) + "<think>a</think>")],
    ),
}


def streamed(pieces):
    splitter = ThoughtSplitter()
    found = [piece for words in pieces for piece in splitter.feed(words)] + splitter.close()
    assert all(text for _, text in found)
    return found


def joined(found):
    """Neighbours of one kind are one."""
    texts = [[], []]
    for kind, text in found:
        texts[kind is PartKind.TEXT].append(text)
    return ["".join(each) for each in texts]


def said(parts):
    return [
        "".join(part.text for part in parts if isinstance(part, kind)) for kind in (Reasoning, Text)
    ]


@pytest.mark.parametrize(("words", "parts"), CASES.values(), ids=CASES)
def test_a_whole_answer(words, parts):
    assert split_thoughts(words) == parts


@pytest.mark.parametrize(("words", "parts"), CASES.values(), ids=CASES)
def test_letter_by_letter(words, parts):
    assert joined(streamed(words)) == said(parts)


TAGGED = st.lists(
    st.sampled_from(["<think>", "</think>", "<", "</", "</thi", "think>", " ", "\n", "a", "ж"]),
    max_size=12,
).map("".join)


@given(TAGGED, st.lists(st.integers(0, 60), max_size=6))
def test_however_it_is_cut(words, places):
    cuts = sorted({0, len(words), *(place for place in places if place < len(words))})
    pieces = [words[begin:end] for begin, end in pairwise(cuts)]
    assert joined(streamed(pieces)) == said(split_thoughts(words))


def test_nothing_is_held_once_the_answer_has_begun():
    splitter = ThoughtSplitter()
    assert splitter.feed("<thi") == []
    assert splitter.feed("s is") == [(PartKind.TEXT, "<this is")]
    assert splitter.is_talking
    assert splitter.feed("<think>") == [(PartKind.TEXT, "<think>")]


def test_thoughts_are_passed_on_as_they_come():
    splitter = ThoughtSplitter()
    assert splitter.feed("<think>one ") == [(PartKind.REASONING, "one")]
    assert splitter.feed("two<") == [(PartKind.REASONING, " two")]
    assert splitter.feed("3") == [(PartKind.REASONING, "<3")]
