"""How a table of fates is run over a request, and the rules that such tables share.

A table says what becomes of each field of a ``ChatRequest`` in one upstream dialect. A rule maps,
approximates (and says so), drops (and says so), passes over what cannot change the answer, or
refuses what the caller would miss.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Raw, structs

from dragoman.canonical.request import ChatRequest
from dragoman.errors import UnsupportedByTarget

Rule = Callable[[Any, Any], None]
"""Takes the dialect's draft and the value, where the caller gave one."""

_FIELDS: Final = structs.fields(ChatRequest)[2:]
"""Those that have a fate: the first two are ``model`` and ``messages``."""
_GROUP_SIZE: Final = 10

_Group = tuple[slice, tuple[Any, ...], tuple[Rule, ...]]
"""Neighbouring fields: their place in a request, what says nothing in each, and their rules."""


class FateTable:
    """Runs the rules of the fields in which a request says something, in the fields' order."""

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        """``rules``: field of ``ChatRequest`` -> rule; a field without one is passed over."""
        rows = [(rules.get(field.name, silent), _silence(field)) for field in _FIELDS]
        self._groups: list[_Group] = []
        for begin in range(0, len(rows), _GROUP_SIZE):
            group = rows[begin : begin + _GROUP_SIZE]
            place = slice(begin + 2, begin + 2 + len(group))
            silence = tuple(silent_value for _, silent_value in group)
            self._groups.append((place, silence, tuple(rule for rule, _ in group)))

    def apply(self, draft: Any) -> None:
        """Run the table over ``draft.request``. Raises ``InvalidRequest``.

        One comparison tells that none of a group is set; a look at each field would cost far more.
        """
        request = structs.astuple(draft.request)
        for place, silence, rules in self._groups:
            values = request[place]
            if values != silence:
                for at, value in enumerate(values):
                    if value is not None and value is not silence[at]:
                        rules[at](draft, value)


def _silence(field: structs.FieldInfo) -> Any:
    """The value of a field that says nothing."""
    return False if field.required else field.default


def mapped(wire: str) -> Rule:
    """Sent as it is, under the name ``wire``."""

    def rule(draft: Any, value: Any) -> None:
        draft.body[wire] = value

    return rule


def dropped(name: str, neutral: tuple[object, ...] = ()) -> Rule:
    """Left out and noted, unless the value changes nothing anyway."""

    def rule(draft: Any, value: Any) -> None:
        if value not in neutral:
            draft.fidelity.drop(name)

    return rule


def silent(draft: Any, value: Any) -> None:
    """Passed over: it has no bearing on the answer."""


def refused(name: str, advice: str, harmless: tuple[object, ...] = ()) -> Rule:
    """A 400, unless the value asks for nothing special."""

    def rule(_draft: Any, value: Any) -> None:
        if value not in harmless:
            raise UnsupportedByTarget(advice, param=name)

    return rule


def members_of(table: Mapping[str, Rule], owner: str) -> Rule:
    """The rule of ``extras``: ``table`` has a rule for each known member of the dialect ``owner``;
    all others are dropped by name.
    """

    def rule(draft: Any, value: Mapping[str, Mapping[str, Any]]) -> None:
        for dialect, members in value.items():
            for member, content in members.items():
                if content is None or (isinstance(content, Raw) and bytes(content) == b"null"):
                    continue
                fate = table.get(member) if dialect == owner else None
                if fate is None:
                    draft.fidelity.drop(member)
                else:
                    fate(draft, content)

    return rule
