"""Gathered values on their way to a tree.

A ``Draft`` remembers where each value came from. ``build`` makes the tree; what is wrong is
reported and left out, until the rest can be built and checked as a whole: so one start shows
every mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dragoman.settings.checks import contradictions, did_you_mean, warnings
from dragoman.settings.meanings import meaning_of
from dragoman.settings.tree import (
    FILE_FIELDS,
    PROVIDER_KINDS,
    SECRET_FIELDS,
    Settings,
    block_at,
    with_warnings,
)
from dragoman.settings.values import Mistake, Place


class SettingsError(Exception):
    """The settings cannot be used; ``mistakes`` holds everything that is wrong with them."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("\n".join(told(mistake) for mistake in mistakes))
        self.mistakes = tuple(mistakes)


def told(mistake: Mistake) -> str:
    """One mistake as a sentence for people."""
    where = f"{mistake.path}: " if mistake.place else ""
    source = f" (from {mistake.source})" if mistake.source else ""
    return f"{where}{mistake.wrong}{source}; {mistake.remedy}"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from."""

    source: str
    """In words, for messages."""
    folder: Path
    """What a relative path counts from."""
    is_file: bool = False


@dataclass(slots=True)
class Draft:
    """Values that are not a tree of settings yet."""

    tree: dict[str, Any] = field(default_factory=dict)
    origins: dict[Place, Origin] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def put(self, place: tuple[str, ...], value: Any, origin: Origin) -> None:
        """Set one value, whatever stood there before."""
        is_file = place[-1] in FILE_FIELDS and "headers" not in place
        if is_file and isinstance(value, str):
            value = str(origin.folder / value)
        table = self.tree
        for part in place[:-1]:
            inner = table.get(part)
            if not isinstance(inner, dict):
                inner = table[part] = {}
            table = inner
        table[place[-1]] = value
        self.origins[place] = origin

    def source(self, place: Place) -> str:
        """Where the value at ``place``, or the nearest one around it, came from."""
        names = tuple(part for part in place if isinstance(part, str))
        for length in range(len(names), 0, -1):
            if (origin := self.origins.get(names[:length])) is not None:
                return origin.source
        inside = (o for key, o in self.origins.items() if names and key[: len(names)] == names)
        nearest = next(inside, None)
        return nearest.source if nearest else ""

    def kind_of(self, place: Place) -> str:
        """Kind of the provider that ``place`` is in; empty where it is in none."""
        if len(place) < 2 or place[0] != "providers":
            return ""
        provider = self.tree.get("providers", {}).get(place[1])
        return str(provider.get("kind", "")) if isinstance(provider, dict) else ""


def build(draft: Draft) -> Settings:
    """The tree. Raises ``SettingsError`` with all mistakes."""
    providers = draft.tree.get("providers")
    provider_names = set(providers) if isinstance(providers, dict) else set()
    bad: set[Place] = {mistake.place for mistake in draft.mistakes}
    while True:
        try:
            settings = Settings.model_validate(draft.tree)
            break
        except ValidationError as error:
            found = [
                _explain(details, draft.kind_of) for details in error.errors(include_url=False)
            ]
            for mistake in found:
                if mistake.place not in bad:
                    draft.mistakes.append(_with_source(draft, mistake))
                bad.add(mistake.place)
            for mistake in found:
                _leave_out(draft.tree, mistake.place)
    for mistake in contradictions(settings, provider_names):
        if not any(_touch(place, mistake.place) for place in bad if place):
            draft.mistakes.append(_with_source(draft, mistake))
    if draft.mistakes:
        raise SettingsError(draft.mistakes)
    return with_warnings(settings, (*dict.fromkeys(draft.warnings), *warnings(settings)))


def _with_source(draft: Draft, mistake: Mistake) -> Mistake:
    return replace(mistake, source=draft.source(mistake.place))


def _touch(one: Place, other: Place) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _leave_out(tree: dict[str, Any], place: Place) -> None:
    """Remove the value at ``place``; where there is none, the table that lacks it."""
    names = [part for part in place if isinstance(part, str)]
    table: dict[str, Any] = tree
    for depth, name in enumerate(names):
        inner = table.get(name)
        if depth == len(names) - 1 and name not in table:
            _leave_out(tree, tuple(names[:-1]))
        elif depth == len(names) - 1 or not isinstance(inner, dict):
            table.pop(name, None)
            return
        else:
            table = inner


def _explain(details: ErrorDetails, kind_of: Callable[[Place], str]) -> Mistake:
    """What pydantic found wrong, in the words of ``dragoman.toml``.

    ``kind_of`` tells the kind of the provider that a place is in.
    """
    place: Place = details["loc"]
    if place[:1] == ("providers",) and len(place) > 2 and place[2] in PROVIDER_KINDS:
        place = (*place[:2], *place[3:])  # pydantic names the kind that it chose on the way
    context = details.get("ctx", {})
    block = block_at(place[:-1], kind_of(place))
    known = block.model_fields if block else {}
    name = str(place[-1]) if place else ""
    meaning = _plain_text(meaning_of(block, name)) if block and name in known else ""
    match details["type"]:
        case "refusal":
            return Mistake(place, context["wrong"], context["remedy"])
        case "extra_forbidden":
            return Mistake(place, "there is no such setting", did_you_mean(str(place[-1]), known))
        case "missing":
            return Mistake(place, "this is required", f"set it: {meaning}")
        case "union_tag_not_found":
            kinds = ", ".join(PROVIDER_KINDS)
            return Mistake((*place, "kind"), "the kind is missing", f"choose one of: {kinds}")
        case "union_tag_invalid":
            kinds = ", ".join(PROVIDER_KINDS)
            wrong = f"there is no kind of provider called `{context['tag']}`"
            return Mistake((*place, "kind"), wrong, f"choose one of: {kinds}")
    given = details["input"]
    is_shown = isinstance(given, str | int | float) and not SECRET_FIELDS.intersection(place)
    wrong = (
        details["msg"][0].lower() + details["msg"][1:] + (f", not `{given}`" if is_shown else "")
    )
    return Mistake(place, wrong, meaning or "correct it")


def _plain_text(description: str) -> str:
    return " ".join(description.replace("`", "").split()).removesuffix(".")
