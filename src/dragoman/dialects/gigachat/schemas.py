"""JSON Schema cut down to what GigaChat's functions take (vendor errors 422 otherwise).

Objects get ``properties``, arrays ``items``; references are put in place; unions, type lists,
constants and boolean schemas become the nearest single type. What only annotates goes without
a word; what loses validation sets ``Cleaned.is_lossy``. Nesting is bounded, recursion is cut,
and what references may add is bounded too, so that the work grows with the schema's size.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct
from msgspec.json import encode

from dragoman.errors import InvalidRequest

Schema = dict[str, Any]

DEEPEST: Final = 100
"""Levels of nesting, references included."""
RECURSIONS: Final = 3
"""Times that a reference may stand inside itself before an object of any shape replaces it."""
INLINED: Final = 50_000
"""Bytes that references may add to one schema; behind that they become objects of any shape."""

_CARRIED: Final = frozenset(
    {
        "type",
        "description",
        "required",
        "default",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "pattern",
        "minItems",
        "maxItems",
        "uniqueItems",
        "minProperties",
        "maxProperties",
    }
)
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
_TYPES: Final[dict[type, str]] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    dict: "object",
    list: "array",
}
_GATHERED: Final = frozenset({"properties", "required"})
_FORMATS: Final = frozenset({"date", "date-time", "time"})


class Cleaned(Struct, frozen=True):
    """A schema that GigaChat takes."""

    schema: Schema
    is_lossy: bool
    """The original allowed or forbade something that this one does not."""


def clean_schema(schema: Schema, param: str) -> Cleaned:
    """``schema`` in the strict subset, its root an object with ``properties``.

    Raises ``InvalidRequest`` naming ``param`` for nesting beyond ``DEEPEST`` and for a reference
    that leads out of the schema or nowhere.
    """
    check_schema(schema, param)
    cleaner = _Cleaner(schema, param)
    cleaned = cleaner.node(schema, 0)
    return Cleaned(cleaned, cleaner.is_lossy)


def check_schema(schema: Schema, param: str) -> None:
    """Refuse what no schema may hold, cleaned or not. Raises ``InvalidRequest``."""
    level: list[Any] = [schema]
    depth = 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise _too_deep(param)
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                reference = value.get("$ref")
                if isinstance(reference, str) and not reference.startswith("#"):
                    raise _foreign(param)
                below += value.values()
            elif isinstance(value, list):
                below += value
        level = below


def _too_deep(param: str) -> InvalidRequest:
    return InvalidRequest(
        f"This schema is nested more than {DEEPEST} levels deep. Make it flatter.", param=param
    )


def _foreign(param: str) -> InvalidRequest:
    return InvalidRequest(
        "This schema has a $ref that leads out of it or nowhere. Put what it names under $defs"
        " and refer to it as #/$defs/NAME.",
        param=param,
    )


class _Cleaner:
    def __init__(self, root: Schema, param: str) -> None:
        self._root = root
        self._param = param
        self._inside: Counter[str] = Counter()
        """Reference -> how often it is being put in place right now."""
        self._sizes: dict[str, int] = {}
        self._inlined = 0
        self.is_lossy = False

    def node(self, schema: object, depth: int) -> Schema:
        """One schema; ``depth`` counts the levels above it."""
        if depth > DEEPEST:
            raise _too_deep(self._param)
        if not isinstance(schema, dict):
            self.is_lossy = True
            return {"type": "string"}
        if isinstance(schema.get("$ref"), str) or isinstance(schema.get("allOf"), list):
            merged, references = self._together(schema)
            self._inside.update(references)
            cleaned = self.node(merged, depth + 1)
            self._inside.subtract(references)
            return cleaned
        for word in ("anyOf", "oneOf"):
            if isinstance(branches := schema.get(word), list):
                rest = {key: value for key, value in schema.items() if key != word}
                return self.node(self._any_of(rest, branches), depth + 1)
        return self._plain(schema, depth)

    def _together(self, schema: Schema) -> tuple[Schema, list[str]]:
        """``schema`` joined with what its ``$ref`` and ``allOf`` name, and the references used."""
        merged: Schema = {}
        references: list[str] = []
        waiting: list[object] = [schema]
        while waiting:
            part = waiting.pop()
            if not isinstance(part, dict):
                continue
            for key, value in part.items():
                if key == "$ref" and isinstance(value, str):
                    target = self._enter(value, references)
                    waiting.append(target)
                elif key == "allOf" and isinstance(value, list):
                    waiting += reversed(value)
                else:
                    self._join(merged, key, value)
        return merged, references

    def _enter(self, reference: str, references: list[str]) -> object:
        """What ``reference`` names, or an object of any shape where it has been used enough."""
        spent = self._inside[reference] >= RECURSIONS or self._inlined >= INLINED
        if spent or reference in references:
            self.is_lossy = True
            return {"type": "object"}
        target = self._resolve(reference)
        size = self._sizes.get(reference)
        if size is None:
            size = self._sizes[reference] = len(encode(target))
        self._inlined += size
        references.append(reference)
        return target

    def _resolve(self, reference: str) -> object:
        """RFC 6901: ``#`` and ``#/a/b``, with ``~1`` for a slash and ``~0`` for a tilde."""
        found: object = self._root
        for step in reference.split("/")[1:] if reference.startswith("#/") else ():
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, dict) and key in found:
                found = found[key]
            elif isinstance(found, list) and key.isdecimal() and int(key) < len(found):
                found = found[int(key)]
            else:
                raise _foreign(self._param)
        if reference != "#" and not reference.startswith("#/"):
            raise _foreign(self._param)
        return found

    def _any_of(self, rest: Schema, branches: list[Any]) -> Schema:
        """The only branch that is not null; a common enum; or the first and a remark."""
        real = [b for b in branches if not (isinstance(b, dict) and b.get("type") == "null")]
        if len(real) < len(branches):
            self.is_lossy = True
        if not real:
            return {**rest, "type": "string"}
        words = [_string_values(branch) for branch in real]
        if len(real) > 1 and all(words):
            values = [value for group in words for value in group]
            return {**rest, "type": "string", "enum": list(dict.fromkeys(values))}
        first = real[0] if isinstance(real[0], dict) else {}
        merged = {**first, **rest}
        if len(real) > 1:
            self.is_lossy = True
            kinds = dict.fromkeys(_kind(branch) for branch in real)
            _remark(merged, f"May also be of another type: {', '.join(kinds)}.")
        return merged

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
            self.is_lossy = True

    def _plain(self, schema: Schema, depth: int) -> Schema:
        out: Schema = {}
        for key, value in schema.items():
            if key in _CARRIED:
                out[key] = value
            elif rule := _RULES.get(key):
                rule(self, out, value)
            elif key not in _ANNOTATIONS and key not in {"properties", "items"}:
                self.is_lossy = True
        kind = out["type"] = self._type(schema)
        if kind == "object":
            self._object(out, schema, depth)
        elif kind == "array":
            self._array(out, schema, depth)
        if kind != "string":
            out.pop("enum", None)
        if kind != "object":
            out.pop("required", None)
        return out

    def _type(self, schema: Schema) -> str:
        declared = schema.get("type")
        if isinstance(declared, list):
            real = [kind for kind in declared if isinstance(kind, str) and kind != "null"]
            if len(real) != 1 or len(declared) > 1:
                self.is_lossy = True
            declared = real[0] if real else None
        if isinstance(declared, str) and declared != "null":
            return declared
        if "properties" in schema:
            return "object"
        if "items" in schema or "prefixItems" in schema:
            return "array"
        values = [schema["const"]] if "const" in schema else schema.get("enum")
        if isinstance(values, list) and values:
            return _TYPES.get(type(values[0]), "string")
        self.is_lossy = True
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
                self.is_lossy = True
            if names:
                out["required"] = list(dict.fromkeys(names))

    def _array(self, out: Schema, schema: Schema, depth: int) -> None:
        items = schema.get("items", schema.get("prefixItems"))
        if isinstance(items, list):
            self.is_lossy = True
            items = items[0] if items else None
        out["items"] = {"type": "string"} if items is None else self.node(items, depth + 1)

    def enum(self, out: Schema, values: object) -> None:
        """Strings stay; other values move to the description."""
        if not isinstance(values, list):
            return
        words = [value for value in values if isinstance(value, str)]
        if words and len(words) == len([value for value in values if value is not None]):
            out["enum"] = words
        elif values:
            _remark(out, f"One of: {', '.join(encode(value).decode() for value in values)}.")
        if len(words) < len(values):
            self.is_lossy = True

    def const(self, out: Schema, value: object) -> None:
        """An enum of one."""
        self.enum(out, [value])

    def format(self, out: Schema, value: object) -> None:
        """The three that GigaChat knows."""
        if not isinstance(value, str):
            return
        if value in _FORMATS:
            out["format"] = value
        else:
            self.is_lossy = True
            _remark(out, f"Format: {value}.")

    def nullable(self, _out: Schema, value: object) -> None:
        """OpenAPI's way to say that null is allowed."""
        if value is True:
            self.is_lossy = True

    def additional(self, _out: Schema, value: object) -> None:
        """Anything goes is what GigaChat assumes; a narrower rule is lost."""
        if value is not True and value != {}:
            self.is_lossy = True


_RULES: Final[dict[str, Callable[[_Cleaner, Schema, object], None]]] = {
    "enum": _Cleaner.enum,
    "const": _Cleaner.const,
    "format": _Cleaner.format,
    "nullable": _Cleaner.nullable,
    "additionalProperties": _Cleaner.additional,
}


def _remark(schema: Schema, words: str) -> None:
    before = schema.get("description")
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
