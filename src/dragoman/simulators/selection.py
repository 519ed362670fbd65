"""Which functions a text asks for: those that share words with it, in name before description."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from dragoman.simulators.schemas import Source, names_in, value_for

MOST_CALLS: Final = 4
_STEM: Final = 5
_WORD = re.compile(r"[^\W\d_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_COMMON: Final = frozenset(
    """
    the and for you what with that this are was can from please give tell have has not but all any
    its how who when where why will would should could get set make use call function tool name
    text value string number list your about there them then than into just some here
    что как это для или все при мне дай если где когда чтобы
    """.split()  # noqa: SIM905 - sixty quoted words would fill the page
)
_COUNTS: Final = {
    "two": 2,
    "both": 2,
    "twice": 2,
    "three": 3,
    "four": 4,
    "два": 2,
    "две": 2,
    "обе": 2,  # noqa: RUF001 - Russian
    "оба": 2,  # noqa: RUF001 - Russian
    "три": 3,
    "четыре": 4,
}


class Offer(msgspec.Struct, frozen=True):
    """A function that may be called."""

    name: str
    description: str = ""
    schema: Any = None
    is_custom: bool = False
    """Takes plain text instead of JSON arguments."""


class Choice(msgspec.Struct, frozen=True):
    """A call: of what, and with which arguments (a JSON value, or text for custom tools)."""

    offer: Offer
    arguments: Any


def fitting(text: str, offers: Sequence[Offer]) -> list[Offer]:
    """The offers that share a word with the text, best first; equal ones as listed."""
    asked = _stems([text])
    scored = [(_score(asked, offer), offer) for offer in offers]
    return [offer for score, offer in sorted(scored, key=lambda pair: -pair[0]) if score]


def choose_one(text: str, offers: Sequence[Offer], *, must: bool) -> Choice | None:
    """One call that fits the text; the first offer if one must be made and none fits."""
    found = fitting(text, offers) or (list(offers[:1]) if must else [])
    return _call(found[0], text, 0) if found else None


def choose_several(text: str, offers: Sequence[Offer], *, must: bool) -> list[Choice]:
    """The calls that fit a text that may ask for several things.

    Several functions named in the text are each called; otherwise the best one is called as
    often as the text says (``both``, ``three``) or as it names things (``Paris and Rome``).
    """
    found = fitting(text, offers) or (list(offers[:1]) if must else [])
    if not found:
        return []
    asked = _stems([text])
    named = [offer for offer in found if asked & _stems(_CAMEL.split(offer.name))][:MOST_CALLS]
    count = wanted_count(text)
    if len(named) < 2:
        named = [found[0]] * count
    named += [named[-1]] * (count - len(named))
    seen: dict[str, int] = {}
    choices = []
    for offer in named:
        number = seen.get(offer.name, 0)
        seen[offer.name] = number + 1
        choices.append(_call(offer, text, number))
    return choices


def wanted_count(text: str) -> int:
    """How many things the text asks for, from 1 to ``MOST_CALLS``."""
    words = {word.casefold() for word in _WORD.findall(text)}
    said = max((count for word, count in _COUNTS.items() if word in words), default=1)
    return max(said, min(len(names_in(text)), MOST_CALLS), 1)


def _call(offer: Offer, text: str, number: int) -> Choice:
    if offer.is_custom:
        return Choice(offer, text)
    return Choice(offer, value_for(offer.schema or {"type": "object"}, Source(text, number)))


def _score(asked: set[str], offer: Offer) -> int:
    properties = offer.schema.get("properties") if isinstance(offer.schema, dict) else None
    if not isinstance(properties, dict):
        properties = {}
    return (
        4 * len(asked & _stems(_CAMEL.split(offer.name)))
        + 2 * len(asked & _stems([offer.description]))
        + len(asked & _stems(properties))
    )


def _stems(texts: Iterable[str]) -> set[str]:
    words = (word.casefold() for text in texts for word in _WORD.findall(text.replace("_", " ")))
    return {word[:_STEM] for word in words if len(word) > 2 and word not in _COMMON}
