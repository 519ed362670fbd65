"""Values that satisfy a JSON schema, made of the words and numbers of a text.

Covers what tools and structured outputs use: ``type``, ``enum``, ``const``, ``properties``,
``required``, ``items``, ``prefixItems``, ``anyOf``/``oneOf``/``allOf``, local ``$ref``, formats,
and the bounds of numbers, strings and arrays. ``pattern`` is left alone.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from dragoman.simulators.refusals import Refusal

DEPTH_LIMIT: Final = 12
ITEMS_LIMIT: Final = 100
LENGTH_LIMIT: Final = 10_000
FORMATS: Final = {
    "date": "2026-01-02",
    "date-time": "2026-01-02T03:04:05Z",
    "time": "03:04:05Z",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_WORD = re.compile(r"[^\W\d_][\w'’-]*")  # noqa: RUF001 - both apostrophes occur in texts
_SENTENCE_START = re.compile(r"(?:^|[.!?…]\s+)\W*\Z")


class Source:
    """The words and numbers of a text, for the ``number``-th value made of it."""

    def __init__(self, text: str, number: int = 0) -> None:
        self.names = names_in(text)
        self._words = self.names or sorted(_WORD.findall(text), key=len, reverse=True)[:1]
        self._numbers = _NUMBER.findall(text)
        self._number = number

    def word(self) -> str:
        """A name of the text, else its longest word, else ``value``."""
        return self._words[self._number % len(self._words)] if self._words else "value"

    def figure(self) -> float | None:
        """A number of the text, if it has one."""
        return float(self._numbers[self._number % len(self._numbers)]) if self._numbers else None


def names_in(text: str) -> list[str]:
    """Capitalised words that do not begin a sentence, in order, each once."""
    found = [
        match[0]
        for match in _WORD.finditer(text)
        if match[0][0].isupper() and not _SENTENCE_START.search(text[: match.start()][-8:])
    ]
    return list(dict.fromkeys(name for name in found if name != "I"))


def value_for(schema: Any, source: Source) -> Any:
    """A value that the schema accepts; the same one for the same schema and source.

    Raises:
        Refusal: if a keyword of the schema has a value of the wrong type.
    """
    return _Maker(schema, source).make(schema, 0)


class _Node(msgspec.Struct, rename="camel"):
    """The keywords that are understood, with the types that they must have."""

    type: str | list[str] | None = None
    enum: list[Any] = []
    properties: dict[str, Any] = {}
    required: list[str] = []
    items: dict[str, Any] | bool | None = None
    prefix_items: list[Any] = []
    min_items: int = 0
    max_items: int | None = None
    any_of: list[dict[str, Any]] = []
    one_of: list[dict[str, Any]] = []
    all_of: list[dict[str, Any]] = []
    ref: str | None = msgspec.field(default=None, name="$ref")
    format: str | None = None
    min_length: int = 0
    max_length: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: float | None = None
    exclusive_maximum: float | None = None
    multiple_of: float | None = None


def _read(schema: dict[str, Any]) -> _Node:
    try:
        return msgspec.convert(schema, _Node)
    except msgspec.ValidationError as error:
        raise Refusal(400, f"Invalid schema: {error}") from None


class _Maker:
    def __init__(self, root: Any, source: Source) -> None:
        self._root = root
        self._source = source

    def make(self, schema: Any, depth: int) -> Any:
        if not isinstance(schema, dict) or depth > DEPTH_LIMIT:
            return self._source.word()
        schema = self._resolved(schema)
        node = _read(schema)
        if "const" in schema:
            return schema["const"]
        if node.enum:
            return node.enum[0]
        kind = _type_of(node)
        if kind == "object":
            properties = node.properties
            return {name: self.make(properties.get(name, {}), depth + 1) for name in node.required}
        if kind == "array":
            return self._array(node, depth)
        return self._scalar(kind, node)

    def _scalar(self, kind: str, node: _Node) -> Any:
        if kind in ("integer", "number"):
            value = self._number(node, 1 if kind == "integer" else 0)
            return int(value) if value == int(value) else value
        if kind in ("boolean", "null"):
            return True if kind == "boolean" else None
        return self._string(node)

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        for _ in range(DEPTH_LIMIT):
            node = _read(schema)
            if node.ref is not None:
                schema = self._target(node.ref)
            elif options := node.any_of or node.one_of:
                chosen = next((o for o in options if o.get("type") != "null"), options[0])
                schema = _without(schema, "anyOf", "oneOf") | chosen
            elif node.all_of:
                schema = _without(schema, "allOf")
                for part in node.all_of:
                    schema = _merged(schema, part)
            else:
                break
        return schema

    def _target(self, reference: str) -> dict[str, Any]:
        target = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            target = target.get(key, {}) if isinstance(target, dict) else {}
        return target if isinstance(target, dict) else {}

    def _array(self, node: _Node, depth: int) -> list[Any]:
        values = [self.make(item, depth + 1) for item in node.prefix_items]
        usual = 1 if node.max_items is None else min(1, node.max_items)
        wanted = min(max(node.min_items, usual), ITEMS_LIMIT)
        while len(values) < wanted:
            values.append(self.make(node.items or {}, depth + 1))
        return values

    def _number(self, node: _Node, step: float) -> float:
        figure = self._source.figure()
        value = 1.0 if figure is None else figure
        if node.multiple_of is not None and node.multiple_of > 0:
            step = node.multiple_of
        margin = step or 0.5
        floor, ceiling = node.minimum, node.maximum
        if node.exclusive_minimum is not None:
            floor = node.exclusive_minimum + margin
        if node.exclusive_maximum is not None:
            ceiling = node.exclusive_maximum - margin
        if step:
            value = value // step * step
        if ceiling is not None and value > ceiling:
            value = ceiling // step * step if step else ceiling
        if floor is not None and value < floor:
            value = -(-floor // step) * step if step else floor
        return value

    def _string(self, node: _Node) -> str:
        if node.format in FORMATS:
            return FORMATS[node.format]
        text = self._source.word().ljust(min(node.min_length, LENGTH_LIMIT), ".")
        return text if node.max_length is None else text[: max(node.max_length, 0)]


def _type_of(node: _Node) -> str:
    kind = node.type
    if isinstance(kind, list):
        kind = next((option for option in kind if option != "null"), "null")
    if kind is None:
        kind = "object" if node.properties else "string" if node.items is None else "array"
    return kind


def _without(schema: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name not in names}


def _merged(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    merged = first | second
    one, other = _read(first), _read(second)
    if one.properties or other.properties:
        merged["properties"] = one.properties | other.properties
    if one.required or other.required:
        merged["required"] = list(dict.fromkeys([*one.required, *other.required]))
    return merged
