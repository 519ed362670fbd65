"""How a table of fates is run over a request; each version of the API has a table of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import structs

from dragoman.canonical.request import ChatRequest

Rule = Callable[[Any, Any], None]
"""Takes the draft of its version and the value, where the caller gave one."""

_FIELDS: Final = structs.fields(ChatRequest)[2:]
"""Those that have a fate: the first two are ``model`` and ``messages``."""
_GROUP_SIZE: Final = 10

_Group = tuple[slice, tuple[Any, ...], tuple[Rule, ...]]
"""Neighbouring fields: their place in a request, what says nothing in each, and their rules."""


class FateTable:
    """Runs the rules of the fields in which a request says something, in the fields' order."""

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        """``rules``: field of ``ChatRequest`` -> rule; a field without one is passed over."""
        rows = [(rules.get(field.name, _nothing), _silence(field)) for field in _FIELDS]
        self._groups: list[_Group] = []
        for begin in range(0, len(rows), _GROUP_SIZE):
            group = rows[begin : begin + _GROUP_SIZE]
            place = slice(begin + 2, begin + 2 + len(group))
            silence = tuple(silent for _, silent in group)
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


def _nothing(draft: Any, value: Any) -> None:
    """The rule of a field that has none."""
