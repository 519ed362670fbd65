"""Which JSON Schema GigaChat takes as a function's parameters: a small subset."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from dragoman.simulators.options import SimulatorOptions
from dragoman.simulators.refusals import Refusal

DEPTH_LIMIT: Final = 100
TYPES: Final = frozenset({"object", "array", "string", "integer", "number", "boolean"})
FORMATS: Final = frozenset({"date", "date-time", "time"})
REFUSED: Final = ("$ref", "$defs", "definitions", "anyOf", "oneOf")
REPORTED: Final = (
    "nullable",
    "$schema",
    "$id",
    "title",
    "additionalProperties",
    "discriminator",
    "const",
    "patternProperties",
)
"""Refused by some backends, by the word of single projects."""


def check_schema(schema: Any, path: str, options: SimulatorOptions, warnings: Counter[str]) -> None:
    """Refuse a schema outside the subset.

    Raises:
        Refusal: 422, naming the place.
    """
    if options.gigachat_takes_full_schemas:
        return
    pending = [(schema, path, 0)]
    while pending:
        node, at, depth = pending.pop()
        if not isinstance(node, dict):
            raise Refusal(422, f"Invalid params: field '{at}' must be an object")
        if depth > DEPTH_LIMIT:
            raise Refusal(422, f"Invalid params: field '{at}' is nested too deeply")
        _check_keywords(node, at)
        for keyword in REPORTED:
            if keyword in node:
                _report(f"{at}.{keyword}", keyword, options, warnings)
        pending += [(child, f"{at}.{name}", depth + 1) for name, child in _children(node, at)]


def _check_keywords(node: dict[str, Any], at: str) -> None:
    for keyword in REFUSED:
        if keyword in node:
            raise Refusal(422, f"Invalid params: '{at}.{keyword}' is not supported")
    parts = node.get("allOf", [{}])
    if not isinstance(parts, list) or len(parts) != 1:
        raise Refusal(422, f"Invalid params: '{at}.allOf' must have a single element")
    if "allOf" not in node and str(node.get("type")) not in TYPES:
        raise Refusal(422, f"Invalid params: field '{at}.type' is invalid")
    enum = node.get("enum")
    if enum is not None and not _holds_strings(enum):
        raise Refusal(422, f"Invalid params: field '{at}.enum' must hold strings")
    if "format" in node and str(node["format"]) not in FORMATS:
        raise Refusal(422, f"Invalid params: field '{at}.format' is invalid")


def _holds_strings(values: Any) -> bool:
    return (
        isinstance(values, list)
        and len(values) > 0
        and all(isinstance(value, str) for value in values)
    )


def _children(node: dict[str, Any], at: str) -> list[tuple[str, Any]]:
    children = [("allOf[0]", part) for part in node.get("allOf", [])]
    if node.get("type") == "object":
        properties = node.get("properties")
        if not isinstance(properties, dict):
            raise Refusal(422, f"Field '{at}.properties' is missing")
        children += [(f"properties.{name}", child) for name, child in properties.items()]
    if node.get("type") == "array":
        if "items" not in node:
            raise Refusal(422, f"Field '{at}.items' is missing")
        children.append(("items", node["items"]))
    return children


def _report(at: str, keyword: str, options: SimulatorOptions, warnings: Counter[str]) -> None:
    if options.gigachat_refuses_reported_keywords:
        raise Refusal(422, f"Invalid params: '{at}' is not supported")
    warnings[f"schema_keyword:{keyword}"] += 1
