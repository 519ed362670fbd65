"""JSON Schema as the API takes it.

A tool's schema needs an object at its root and is otherwise free. Structured output takes a subset:
objects name all their members, and most limits of values are not enforced; these go into the
description, where the model at least reads them (source: Anthropic's documentation, "Structured
outputs", and its SDKs, which do the same).
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from dragoman.errors import InvalidRequest, UnsupportedByTarget

Schema = dict[str, Any]

DEEPEST: Final = 100
_KEPT: Final = ("type", "enum", "const", "title", "description", "default", "examples")
_FORMATS: Final = frozenset(
    {
        "date",
        "date-time",
        "duration",
        "email",
        "hostname",
        "ipv4",
        "ipv6",
        "time",
        "uri",
        "uuid",
    }
)
_ANNOTATIONS: Final = frozenset({"$schema", "$id", "$comment", "definitions"})
_COMPOUND: Final = ("allOf", "anyOf", "oneOf")


def rooted(schema: Schema | None, param: str) -> Schema:
    """The schema of a tool, with an object at its root. Raises ``UnsupportedByTarget``."""
    if not schema:
        return {"type": "object", "properties": {}}
    if any(word in schema for word in _COMPOUND):
        raise UnsupportedByTarget(
            "Claude's tools take no choice of schemas at the root. Put it into a property.",
            param=param,
        )
    kind = schema.get("type", "object")
    if kind == "object" or (isinstance(kind, list) and "object" in kind):
        if kind == "object" and "type" in schema:
            return schema
        return {**schema, "type": "object"}
    raise UnsupportedByTarget(
        "Claude's tools take an object of named arguments. Make the root of this schema an object"
        ' ("type": "object").',
        param=param,
    )


def accepts_any_member(schema: Any, depth: int = 0) -> bool:
    """Some object of ``schema`` is a table with members of any name."""
    if depth > DEEPEST:
        return False  # ``reduced`` refuses it
    if isinstance(schema, list):
        return any(accepts_any_member(item, depth + 1) for item in schema)
    if not isinstance(schema, dict):
        return False
    more = schema.get("additionalProperties")
    if more is True or isinstance(more, dict) or "patternProperties" in schema:
        return True
    if schema.get("type") == "object" and "properties" not in schema and more is not False:
        return True
    return any(
        accepts_any_member(value, depth + 1)
        for word, value in schema.items()
        if word not in {"default", "examples", "enum", "const", "required"}
    )


def is_strict(schema: Schema) -> bool:
    """``schema`` is within the subset as it stands, as ``strict`` wants it."""
    try:
        return _is_closed(schema) and not reduced(schema, "")[1]
    except InvalidRequest:
        return False


def _is_closed(schema: Any, depth: int = 0) -> bool:
    """Every object allows no members but its own."""
    if depth > DEEPEST:
        return False
    if isinstance(schema, list):
        return all(_is_closed(item, depth + 1) for item in schema)
    if not isinstance(schema, dict):
        return True
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        return False
    return all(
        _is_closed(value, depth + 1)
        for word, value in schema.items()
        if word not in {"default", "examples", "enum", "const", "required"}
    )


def reduced(schema: Schema, param: str) -> tuple[Schema, list[str]]:
    """``schema`` within the subset, and the words of it that are no longer enforced. Raises
    ``InvalidRequest`` for what is no schema.
    """
    lost: list[str] = []
    return _reduced(schema, param, lost, 0), list(dict.fromkeys(lost))


def _reduced(schema: Any, param: str, lost: list[str], depth: int) -> Any:
    if not isinstance(schema, dict):
        raise InvalidRequest(
            "Each schema within this one has to be an object that says more than true or false.",
            param=param,
        )
    if depth > DEEPEST:
        raise InvalidRequest("This schema is nested too deep.", param=param)

    def inner(value: Any) -> Any:
        return _reduced(value, param, lost, depth + 1)

    out: Schema = {}
    for word in ("$defs", "definitions"):
        if isinstance(schema.get(word), dict):
            out[word] = {name: inner(value) for name, value in schema[word].items()}
    if "$ref" in schema:
        return {**out, "$ref": schema["$ref"]}
    out |= {word: schema[word] for word in _KEPT if word in schema}
    for word in _COMPOUND:
        if isinstance(schema.get(word), list):
            out["allOf" if word == "allOf" else "anyOf"] = [inner(one) for one in schema[word]]
    _add_members(schema, out, inner)
    rest = {word: value for word, value in schema.items() if _is_lost(word, value, out)}
    if rest:
        lost += rest
        out["description"] = _with_limits(out.get("description"), rest)
    return out


def _with_limits(description: str | None, limits: Schema) -> str:
    said = ", ".join(f"{k}: {msgspec.json.encode(v).decode()}" for k, v in limits.items())
    return "\n\n".join(filter(None, [description, f"{{{said}}}"]))


def _add_members(schema: Schema, out: Schema, inner: Any) -> None:
    """What objects and lists hold."""
    if schema.get("type") == "object" or "properties" in schema:
        members = schema.get("properties")
        members = members if isinstance(members, dict) else {}
        out["properties"] = {name: inner(value) for name, value in members.items()}
        out["additionalProperties"] = False
        if "required" in schema:
            out["required"] = schema["required"]
    if isinstance(schema.get("items"), dict):
        out["items"] = inner(schema["items"])
    if schema.get("minItems") in (0, 1):
        out["minItems"] = schema["minItems"]
    if schema.get("format") in _FORMATS:
        out["format"] = schema["format"]


def _is_lost(word: str, value: Any, out: Schema) -> bool:
    if word in out or word in _ANNOTATIONS or (word == "oneOf" and "anyOf" in out):
        return False
    return not (word == "additionalProperties" and value is False)
