"""JSON Schema cut down to what GigaChat's functions take (vendor errors 422 otherwise).

Objects get ``properties``, arrays ``items``; references are put in place; unions, type lists,
constants and boolean schemas become the nearest single type. What only annotates goes without
a word; what loses validation is listed in ``Reduction.lost`` and, where a sentence can carry it,
said in the description.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from msgspec.json import encode

from dragoman.errors import InvalidRequest

Schema = dict[str, Any]

DEEPEST: Final = 100
"""Levels of nesting, references included."""
RECURSIONS: Final = 3
"""Times that a reference may stand inside itself before an object of any shape replaces it."""
INLINED: Final = 50_000
"""Bytes that references may add to one schema; behind that they become objects of any shape."""
LONGEST_REMARK: Final = 500
"""Characters of one sentence that is added to a description."""

_NUMBER: Final = (int, float)
_BOUNDS: Final[dict[str, type | tuple[type, ...]]] = {
    "default": object,
    "minimum": _NUMBER,
    "maximum": _NUMBER,
    "exclusiveMinimum": _NUMBER,
    "exclusiveMaximum": _NUMBER,
    "multipleOf": _NUMBER,
    "minLength": int,
    "maxLength": int,
    "pattern": str,
    "minItems": int,
    "maxItems": int,
    "uniqueItems": bool,
    "minProperties": int,
    "maxProperties": int,
}
"""Members that are sent as they are, and the type that they must have."""
_ANNOTATIONS: Final = frozenset(
    {
        "$schema",
        "$id",
        "$anchor",
        "$comment",
        "$defs",
        "definitions",
        "title",
        "examples",
        "example",
        "deprecated",
        "readOnly",
        "writeOnly",
        "discriminator",
    }
)
_STRUCTURE: Final = frozenset({"type", "properties", "required", "items"})
"""Members that are read together, once the type is known."""
_SHAPES: Final = frozenset(
    {"type", "$ref", "properties", "items", "prefixItems", "enum", "const"}
    | {"allOf", "anyOf", "oneOf"}
)
"""Members that say what a value is; a branch with none of them only narrows what it is."""
_TYPES: Final = frozenset({"object", "array", "string", "integer", "number", "boolean"})
_PYTHON_TYPES: Final[dict[type, str]] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    dict: "object",
    list: "array",
}
_GATHERED: Final = frozenset({"properties", "required"})
_FORMATS: Final = frozenset({"date", "date-time", "time"})
_KEYWORD: Final = re.compile(r"[A-Za-z$][A-Za-z$-]{0,39}")


def too_deep(param: str) -> InvalidRequest:
    """The schema at ``param`` has too many levels."""
    return InvalidRequest(
        f"This schema is nested more than {DEEPEST} levels deep. Make it flatter.", param=param
    )


def led_astray(param: str) -> InvalidRequest:
    """The schema at ``param`` refers to something that it does not hold; nothing is fetched."""
    return InvalidRequest(
        "This schema has a $ref that leads out of it or nowhere. Put what it names under $defs"
        " and refer to it as #/$defs/NAME.",
        param=param,
    )


def resolved(root: Schema, reference: str) -> object | None:
    """RFC 6901: what ``#`` or ``#/a/b`` names in ``root``, with ``~1`` for a slash and ``~0`` for
    a tilde; ``None`` for nothing, and for a reference to another document.
    """
    if reference == "#":
        return root
    if not reference.startswith("#/"):
        return None
    found: object = root
    for step in reference.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and key in found:
            found = found[key]
        elif isinstance(found, list) and key.isdecimal() and int(key) < len(found):
            found = found[int(key)]
        else:
            return None
    return found


class Reduction:
    """Reduces one schema, whose references are known to lead somewhere in it."""

    def __init__(self, root: Schema, param: str, *, is_minimal: bool = False) -> None:
        self._root = root
        self._param = param
        self._is_minimal = is_minimal
        self._inside: Counter[str] = Counter()
        """Reference -> how often it is being put in place right now."""
        self._sizes: dict[str, int] = {}
        self._inlined = 0
        self.lost: dict[str, None] = {}
        """The words that lost their meaning, in the order in which they were met."""

    def node(self, schema: object, depth: int) -> Schema:
        """One schema; ``depth`` counts the levels above it. Raises ``InvalidRequest``."""
        if depth > DEEPEST:
            raise too_deep(self._param)
        if not isinstance(schema, dict):
            self._lose("untyped")
            return {"type": "string"}
        if isinstance(schema.get("$ref"), str) or isinstance(schema.get("allOf"), list):
            merged, references = self._together(schema)
            self._inside.update(references.keys())
            cleaned = self.node(merged, depth + 1)
            self._inside.subtract(references.keys())
            return cleaned
        for word in ("anyOf", "oneOf"):
            if isinstance(branches := schema.get(word), list):
                rest = {key: value for key, value in schema.items() if key != word}
                return self._any_of(rest, branches, word, depth + 1)
        return self._plain(schema, depth)

    def _lose(self, word: str) -> None:
        """Callers choose keywords, and this goes into a header."""
        self.lost[word if _KEYWORD.fullmatch(word) else "other"] = None

    def _together(self, schema: Schema) -> tuple[Schema, dict[str, None]]:
        """``schema`` joined with what its ``$ref`` and ``allOf`` name, and the references used."""
        merged: Schema = {}
        references: dict[str, None] = {}
        waiting: list[object] = [schema]
        while waiting:
            part = waiting.pop()
            if not isinstance(part, dict):
                continue
            for key, value in part.items():
                if key == "$ref" and isinstance(value, str):
                    waiting.append(self._enter(value, references))
                elif key == "allOf" and isinstance(value, list):
                    waiting += reversed(value)
                else:
                    self._join(merged, key, value)
        return merged, references

    def _enter(self, reference: str, references: dict[str, None]) -> object:
        """What ``reference`` names, or an object of any shape where it has been used enough."""
        if reference in references or self._inside[reference] >= RECURSIONS:
            self._lose("recursion")
            return {"type": "object"}
        if self._inlined >= INLINED:
            self._lose("$ref")
            return {"type": "object"}
        target = resolved(self._root, reference)
        if target is None:  # among what only a merge brought together
            raise led_astray(self._param)
        size = self._sizes.get(reference)
        if size is None:
            size = self._sizes[reference] = len(encode(target))
        self._inlined += size
        references[reference] = None
        return target

    def _any_of(self, rest: Schema, branches: list[Any], word: str, depth: int) -> Schema:
        """The only branch that is not null; a common enum; or the first and a remark."""
        real = [b for b in branches if not (isinstance(b, dict) and b.get("type") == "null")]
        if len(real) < len(branches):
            self._lose("null")
        shapes = [b for b in real if isinstance(b, dict) and not _SHAPES.isdisjoint(b)]
        if not shapes:
            if real:
                self._lose(word)
            return self.node(rest if real else {**rest, "type": "string"}, depth)
        words = [_string_values(branch) for branch in real]
        if len(real) > 1 and all(words):
            values = [value for group in words for value in group]
            return self.node({**rest, "type": "string", "enum": list(dict.fromkeys(values))}, depth)
        if rest.keys().isdisjoint(shapes[0]):
            cleaned = self.node({**rest, **shapes[0]}, depth)
        else:
            cleaned = self.node({**rest, "allOf": [shapes[0]]}, depth)
        if len(real) > 1:
            self._lose(word)
            kinds = dict.fromkeys(_kind(branch) for branch in real)
            _remark(cleaned, f"May also be of another type: {', '.join(kinds)}.")
        return cleaned

    def _join(self, merged: Schema, key: str, value: object) -> None:
        known = merged.get(key)
        if key not in merged:
            # A copy of what is added to below: the caller's own schema stays as it is.
            merged[key] = value.copy() if key in _GATHERED and hasattr(value, "copy") else value
        elif isinstance(known, dict) and isinstance(value, dict) and key == "properties":
            for name, schema in value.items():
                known.setdefault(name, schema)
        elif isinstance(known, list) and isinstance(value, list) and key == "required":
            known += value
        elif known != value and key not in _ANNOTATIONS and key != "description":
            self._lose("allOf")

    def _plain(self, schema: Schema, depth: int) -> Schema:
        out: Schema = {}
        for key, value in schema.items():
            if key in _BOUNDS:
                self._bound(out, key, value)
            elif rule := _RULES.get(key):
                rule(self, out, value)
            elif key in _STRUCTURE:
                out[key] = value  # keeps its place until the type is known
            elif key not in _ANNOTATIONS:
                self._lose(key)
        kind = out["type"] = self._type(schema)
        for word in ("properties", "items"):
            out.pop(word, None)
        if kind == "object":
            self._object(out, schema, depth)
        else:
            out.pop("required", None)
        if kind == "array":
            self._array(out, schema, depth)
        if kind != "string" and out.pop("enum", None):
            self._lose("enum")
        return out

    def _bound(self, out: Schema, key: str, value: object) -> None:
        kinds = _BOUNDS[key]
        is_disguised = isinstance(value, bool) and kinds in (int, _NUMBER)
        if not isinstance(value, kinds) or is_disguised:
            self._lose(key)
        elif self._is_minimal:
            self._lose(key)
            _remark(out, f"{key}: {encode(value).decode()}.")
        else:
            out[key] = value

    def _type(self, schema: Schema) -> str:
        declared = schema.get("type")
        if isinstance(declared, list):
            real = [kind for kind in declared if isinstance(kind, str) and kind != "null"]
            if len(real) < len(declared):
                self._lose("null")
            if len(real) > 1:
                self._lose("type")
            declared = real[0] if real else None
        if isinstance(declared, str) and declared.lower() in _TYPES:  # Gemini shouts
            return declared.lower()
        if "properties" in schema:
            return "object"
        if "items" in schema or "prefixItems" in schema:
            return "array"
        values = [schema["const"]] if "const" in schema else schema.get("enum")
        if isinstance(values, list) and values:
            return _PYTHON_TYPES.get(type(values[0]), "string")
        self._lose("untyped" if declared is None else "type")
        return "string"

    def _object(self, out: Schema, schema: Schema, depth: int) -> None:
        declared = schema.get("properties")
        properties = declared if isinstance(declared, dict) else {}
        kept = {key: value for key, value in properties.items() if value is not False}
        out["properties"] = {key: self.node(value, depth + 1) for key, value in kept.items()}
        required = out.pop("required", None)
        if isinstance(required, list):
            names = [name for name in required if isinstance(name, str) and name in kept]
            if len(names) < len(required):
                self._lose("required")
            if names:
                out["required"] = list(dict.fromkeys(names))

    def _array(self, out: Schema, schema: Schema, depth: int) -> None:
        items = schema.get("items", schema.get("prefixItems"))
        if isinstance(items, list):
            self._lose("prefixItems")
            items = items[0] if items else None
        out["items"] = {"type": "string"} if items is None else self.node(items, depth + 1)

    def description(self, out: Schema, value: object) -> None:
        """Words; a remark may stand there already."""
        if isinstance(value, str):
            remarks = out.get("description")
            out["description"] = f"{value} {remarks}" if value and remarks else remarks or value

    def enum(self, out: Schema, values: object) -> None:
        """Strings stay; other values move to the description."""
        if not isinstance(values, list) or not values:
            self._lose("enum")
            return
        words = [value for value in values if isinstance(value, str)]
        if words and len(words) == len([value for value in values if value is not None]):
            out["enum"] = words
        else:
            _remark(out, f"One of: {', '.join(encode(value).decode() for value in values)}.")
        if len(words) < len(values):
            self._lose("null" if words else "enum")

    def const(self, out: Schema, value: object) -> None:
        """An enum of one."""
        self.enum(out, [value])

    def format(self, out: Schema, value: object) -> None:
        """The three that GigaChat knows."""
        if isinstance(value, str) and value in _FORMATS and not self._is_minimal:
            out["format"] = value
        elif isinstance(value, str):
            self._lose("format")
            _remark(out, f"Format: {value}.")

    def nullable(self, _out: Schema, value: object) -> None:
        """OpenAPI's way to say that null is allowed."""
        if value is True:
            self._lose("null")

    def additional(self, out: Schema, value: object) -> None:
        """Anything goes is what GigaChat assumes; a narrower rule is lost."""
        if value is True or value == {}:
            return
        self._lose("additionalProperties")
        if isinstance(value, dict) and isinstance(value.get("type"), str):
            _remark(out, f"Further members have values of type {value['type']}.")


_RULES: Final[dict[str, Callable[[Reduction, Schema, object], None]]] = {
    "description": Reduction.description,
    "enum": Reduction.enum,
    "const": Reduction.const,
    "format": Reduction.format,
    "nullable": Reduction.nullable,
    "additionalProperties": Reduction.additional,
}


def _remark(schema: Schema, words: str) -> None:
    before = schema.get("description")
    words = words if len(words) <= LONGEST_REMARK else words[: LONGEST_REMARK - 1] + "…"
    schema["description"] = f"{before} {words}" if isinstance(before, str) and before else words


def _string_values(branch: object) -> list[str]:
    """The values of a branch that is nothing but a list of strings."""
    if not isinstance(branch, dict):
        return []
    values = [branch["const"]] if "const" in branch else branch.get("enum")
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        return []
    return values


def _kind(branch: object) -> str:
    if isinstance(branch, dict):
        for word in ("type", "$ref", "const"):
            if isinstance(branch.get(word), str):
                return str(branch[word]).rsplit("/", 1)[-1]
    return "any"
