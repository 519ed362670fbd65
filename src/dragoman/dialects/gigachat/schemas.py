"""JSON Schema for GigaChat's functions: what no schema may hold, and how much of one is sent.

``check_schema`` refuses what could not be worked on, ``clean_schema`` brings a schema to a
``SchemaLevel``; ``schema_reduction`` does the cutting. Nesting is bounded, recursion is cut, and
what references may add is bounded too, so that the work grows with the schema's size.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

from dragoman.dialects.gigachat.schema_reduction import (
    DEEPEST,
    Reduction,
    Schema,
    led_astray,
    resolved,
    too_deep,
)

__all__ = ["DEEPEST", "Cleaned", "Schema", "SchemaLevel", "check_schema", "clean_schema"]

_COMPOUND: Final = ("$ref", "allOf", "anyOf", "oneOf")


class SchemaLevel(StrEnum):
    """How much of a function's JSON Schema is sent. Which backends take how much is not settled:
    most are seen to answer 422 outside a subset, the newest are said to take everything.
    """

    FULL = "full"
    """As the caller wrote it."""
    REDUCED = "reduced"
    """Types, texts, bounds and lists of strings, without references and unions."""
    MINIMAL = "minimal"
    """Types, texts and lists of strings; bounds, formats and defaults become words."""


class Cleaned(Struct, frozen=True):
    """A schema that GigaChat takes."""

    schema: Schema
    lost: tuple[str, ...] = ()
    """The words of JSON Schema whose meaning the original had and this one has not."""

    @property
    def is_lossy(self) -> bool:
        """The original allowed or forbade something that this one does not."""
        return bool(self.lost)


def clean_schema(schema: Schema, param: str, level: SchemaLevel = SchemaLevel.REDUCED) -> Cleaned:
    """``schema`` at ``level``. The root has a type, which the caller may have to look at, and
    ``properties`` if it is an object.

    Raises ``InvalidRequest`` naming ``param`` for nesting beyond ``DEEPEST`` and for a reference
    that leads out of the schema or nowhere.
    """
    check_schema(schema, param)
    if level is SchemaLevel.FULL:
        return Cleaned(_with_root(schema))
    reduction = Reduction(schema, param, is_minimal=level is SchemaLevel.MINIMAL)
    reduced = reduction.node(schema, 0)
    return Cleaned(reduced, tuple(reduction.lost))


def check_schema(schema: Schema, param: str) -> None:
    """Refuse what no schema may hold, cleaned or not. Raises ``InvalidRequest``."""
    level: list[Any] = [schema]
    depth = 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise too_deep(param)
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                reference = value.get("$ref")
                if isinstance(reference, str):
                    _check_reference(schema, reference, param)
                below += value.values()
            elif isinstance(value, list):
                below += value
        level = below


def _check_reference(schema: Schema, reference: str, param: str) -> None:
    if resolved(schema, reference) is None:
        raise led_astray(param)


def _with_root(schema: Schema) -> Schema:
    """``schema`` as it is, but for the two members that every backend insists on."""
    if schema.get("type", "object") != "object":
        return schema
    root = {"type": "object", **schema}
    if not any(word in schema for word in _COMPOUND):
        root.setdefault("properties", {})
    return root
