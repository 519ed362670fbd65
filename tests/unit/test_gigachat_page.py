"""``docs/gigachat.md`` says what becomes of each member; the code's own table is the judge."""

import re
from pathlib import Path

import pytest

from dragoman.dialects.gigachat.fates import FIELDS, OPENAI_MEMBERS

PAGE = Path(__file__).parents[2] / "docs" / "gigachat.md"
CALLERS_WORD = {
    "max_output_tokens": "max_completion_tokens",
    "output_format": "response_format",
    "legacy_functions": "functions",
}
WRITTEN_ELSEWHERE = {"model": "sent", "messages": "sent", "stream": "sent"}
WORDS = {
    "mapped": "sent",
    "own": "sent",
    "bounded": "sent",
    "dropped": "dropped",
    "refused": "refused",
    "silent": "no effect",
}


def fates_in_the_code():
    fields = {CALLERS_WORD.get(name, name): rule for name, rule in FIELDS.items()}
    named = {**OPENAI_MEMBERS, **fields}  # what could not be read as a field is among the members
    del named["extras"]
    kinds = {name: rule.__qualname__.partition(".")[0] for name, rule in named.items()}
    return {
        name: WORDS.get(kind, "approximated") for name, kind in kinds.items()
    } | WRITTEN_ELSEWHERE


def fates_on_the_page():
    section = PAGE.read_text(encoding="utf-8").partition("## Members of the request")[2]
    section = section.partition("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| ([a-z ]+) \|", section, flags=re.MULTILINE))


def test_every_member_is_on_the_page():
    assert set(fates_on_the_page()) == set(fates_in_the_code())


@pytest.mark.parametrize("member", sorted(fates_in_the_code()))
def test_the_page_tells_the_true_fate_of(member):
    assert fates_on_the_page().get(member) == fates_in_the_code()[member]
