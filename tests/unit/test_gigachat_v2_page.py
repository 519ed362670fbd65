"""``docs/gigachat-v2.md`` says where version 2 differs; the code's own table is the judge."""

import re
from pathlib import Path

import pytest

from dragoman.dialects.gigachat import fates as v1
from dragoman.dialects.gigachat.v2.built_in import built_in_name
from dragoman.dialects.gigachat.v2.fates import FIELDS, OPENAI_MEMBERS

PAGE = (Path(__file__).parents[2] / "docs" / "gigachat-v2.md").read_text(encoding="utf-8")
CALLERS_WORD = {"max_output_tokens": "max_completion_tokens", "output_format": "response_format"}
WORDS = {
    "mapped": "sent",
    "own": "sent",
    "bounded": "sent",
    "dropped": "dropped",
    "refused": "refused",
    "silent": "no effect",
}


def section(title):
    return PAGE.partition(f"## {title}")[2].partition("\n## ")[0]


def fates_in_the_code():
    """Of the members whose rule is not that of version 1."""
    fields = {CALLERS_WORD.get(name, name): rule for name, rule in FIELDS.items()}
    older = {CALLERS_WORD.get(name, name): rule for name, rule in v1.FIELDS.items()}
    named, known = {**OPENAI_MEMBERS, **fields}, {**v1.OPENAI_MEMBERS, **older}
    del named["extras"]
    kinds = {
        name: rule.__qualname__.partition(".")[0]
        for name, rule in named.items()
        if rule is not known.get(name)
    }
    return {name: WORDS.get(kind, "approximated") for name, kind in kinds.items()}


FATES = dict(
    re.findall(
        r"^\| `(\w+)` \| ([a-z ]+) \|", section("Members of the request"), flags=re.MULTILINE
    )
)


def test_every_member_that_differs_is_on_the_page():
    assert set(FATES) == set(fates_in_the_code())


@pytest.mark.parametrize("member", sorted(fates_in_the_code()))
def test_the_page_tells_the_true_fate_of(member):
    assert FATES.get(member) == fates_in_the_code()[member]


def test_the_page_tells_how_built_in_tools_are_called():
    rows = re.findall(r"^\| (`.*) \| `(\w+)` \|$", section("Tools that"), flags=re.MULTILINE)
    assert len(rows) == 5
    for callers, name in rows:
        assert {built_in_name(word) for word in re.findall(r"`(\w+)`", callers)} == {name}
