"""JSON with comments and trailing commas, changed without touching a byte that need not change.

Editors and agents keep their settings in this form and their users' remarks in its comments, so a
document is not decoded and written anew: ``put`` finds the places of its values and splices.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

DEEPEST: Final = 100
"""Levels of nesting; no settings file has as many."""

_GAP: Final = re.compile(r"(?:[ \t\r\n]|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_STRING: Final = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_SCALAR: Final = re.compile(r"true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")


class NotJson(Exception):
    """The text is no JSON with comments; says where."""


@dataclass(slots=True)
class Node:
    """A value and its place in the text."""

    start: int
    end: int = 0
    members: dict[str, Node] | None = None
    """Of an object; the last one where a name comes twice."""
    items: list[Node] | None = None
    """Of an array."""
    value: Any = None
    """Of what is neither object nor array."""
    last_end: int = 0
    """Where the last member or item ends, its comma included; 0 where there is none."""
    has_comma: bool = False
    """There is a comma behind the last member or item."""

    def decoded(self) -> Any:
        """What it means."""
        if self.members is not None:
            return {name: node.decoded() for name, node in self.members.items()}
        return self.value if self.items is None else [node.decoded() for node in self.items]


def parse(text: str) -> Node:
    """The document's value. Raises ``NotJson``."""
    start = _after_gap(text, 1 if text.startswith("\ufeff") else 0)
    node = _value(text, start, 0)
    if _after_gap(text, node.end) != len(text):
        raise _wrong(text, node.end)
    return node


def put(text: str, path: tuple[str, ...], value: Any) -> str:
    """``text`` with ``value`` at ``path``; tables on the way are made where they are missing.

    An empty text counts as an empty object. Raises ``NotJson``, also where something that is no
    object stands on the way.
    """
    if not text.strip("\ufeff \t\r\n"):
        text += "{}\n"
    node, rest = parse(text), list(path)
    while rest and node.members is not None and rest[0] in node.members:
        node = node.members[rest.pop(0)]
    if not rest:
        if node.decoded() == value:
            return text
        return (
            text[: node.start]
            + _written(value, _indent_of(text, node.start), text)
            + text[node.end :]
        )
    if node.members is None:
        raise NotJson(f"`{'.'.join(path[: -len(rest)]) or 'the document'}` is no table")
    for name in reversed(rest[1:]):
        value = {name: value}
    return _inserted(text, node, rest[0], value)


def _inserted(text: str, node: Node, name: str, value: Any) -> str:
    """``text`` with one more member at the end of the object ``node``."""
    closing = node.end - 1
    place = len(text[:closing].rstrip(" \t\r\n"))
    outer = _indent_of(text, node.start)
    is_one_line = bool(node.members) and "\n" not in text[node.start : node.end]
    comma = "," if node.members and not node.has_comma else ""
    before, between = text[: node.last_end or place], text[node.last_end or place : place]
    if is_one_line:
        member = f"{json.dumps(name, ensure_ascii=False)}: {json.dumps(value, ensure_ascii=False)}"
        return f"{before}{comma}{between} {member}{text[place:]}"
    newline = "\r\n" if "\r\n" in text else "\n"
    inner = _indent_of(text, min(n.start for n in node.members.values())) if node.members else ""
    if len(inner) <= len(outer):
        inner = outer + ("\t" if outer.startswith("\t") else "  ")
    member = f"{json.dumps(name, ensure_ascii=False)}: {_written(value, inner, text)}"
    closing_line = "" if "\n" in text[place:closing] else newline + outer
    return f"{before}{comma}{between}{newline}{inner}{member}{closing_line}{text[place:]}"


def _written(value: Any, indent: str, text: str) -> str:
    """``value`` as JSON, its further lines below ``indent``, in the manner of ``text``."""
    step: str | int = "\t" if indent.startswith("\t") else 2
    newline = "\r\n" if "\r\n" in text else "\n"
    return json.dumps(value, indent=step, ensure_ascii=False).replace("\n", newline + indent)


def _indent_of(text: str, place: int) -> str:
    """The white space that the line of ``place`` begins with."""
    line = text[text.rfind("\n", 0, place) + 1 : place]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _value(text: str, start: int, depth: int) -> Node:
    if depth > DEEPEST:
        raise NotJson(f"nested deeper than {DEEPEST} levels")
    node = Node(start)
    opening = text[start : start + 1]
    if opening in {"{", "["}:
        _fill(text, node, depth)
    elif opening == '"':
        node.value, node.end = _string(text, start)
    else:
        found = _SCALAR.match(text, start)
        if found is None:
            raise _wrong(text, start)
        node.value, node.end = json.loads(found[0]), found.end()
    return node


def _fill(text: str, node: Node, depth: int) -> None:
    """Read the members of an object or the items of an array."""
    is_object = text[node.start] == "{"
    if is_object:
        node.members = {}
    else:
        node.items = []
    place = _after_gap(text, node.start + 1)
    while text[place : place + 1] != ("}" if is_object else "]"):
        if node.last_end and not node.has_comma:
            raise _wrong(text, place)
        name = ""
        if is_object:
            name, place = _name(text, place)
        inner = _value(text, place, depth + 1)
        if node.members is not None:
            node.members[name] = inner
        elif node.items is not None:
            node.items.append(inner)
        node.last_end = inner.end
        place = _after_gap(text, inner.end)
        node.has_comma = text[place : place + 1] == ","
        if node.has_comma:
            node.last_end = place + 1
            place = _after_gap(text, place + 1)
    node.end = place + 1


def _name(text: str, place: int) -> tuple[str, int]:
    """A member's name, and where its value begins."""
    if text[place : place + 1] != '"':
        raise _wrong(text, place)
    name, place = _string(text, place)
    place = _after_gap(text, place)
    if text[place : place + 1] != ":":
        raise _wrong(text, place)
    return name, _after_gap(text, place + 1)


def _string(text: str, start: int) -> tuple[str, int]:
    found = _STRING.match(text, start)
    if found is None:
        raise _wrong(text, start)
    try:
        return str(json.loads(found[0])), found.end()
    except ValueError:
        raise _wrong(text, start) from None


def _after_gap(text: str, place: int) -> int:
    found = _GAP.match(text, place)
    return found.end() if found else place


def _wrong(text: str, place: int) -> NotJson:
    line = text.count("\n", 0, place) + 1
    return NotJson(f"line {line} cannot be read")
