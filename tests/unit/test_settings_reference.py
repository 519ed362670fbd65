"""``docs/settings.md`` ends in a reference that is made from the models; this holds it to them.

``make golden-update`` writes it anew.
"""

import dataclasses
import inspect
import os
import re
import typing
from pathlib import Path

import annotated_types
from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from dragoman.settings.meanings import meaning_of
from dragoman.settings.tree import PROVIDER_KINDS, ModelSettings, ProviderBlock, block_at

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
BEGIN = "<!-- The rest of this page is made from the code: make golden-update -->\n"


def kind_of_value(annotation):
    """What may be written, in a word or two."""
    arguments = typing.get_args(annotation)
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        return " \\| ".join(f"`{value}`" for value in arguments)
    if origin is typing.Annotated:
        return kind_of_value(arguments[0])
    if type(None) in arguments:
        return kind_of_value(next(one for one in arguments if one is not type(None)))
    if origin is tuple:
        return f"list of {kind_of_value(arguments[0])}s"
    if origin is not None and "Mapping" in str(origin):
        return f"table of {kind_of_value(arguments[1])}s"
    names = {bool: "true \\| false", int: "whole number", float: "number", str: "text"}
    names |= {Path: "file", SecretStr: "secret"}
    return names[annotation]


def default_of(field):
    if field.is_required():
        return "required"
    value = field.default
    if value is PydanticUndefined or value is None or value == ():
        return "none"
    if isinstance(value, tuple):
        return ", ".join(f"`{item}`" for item in value)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def bounds_of(field):
    marks = {annotated_types.Ge: "at least", annotated_types.Gt: "more than"}
    marks |= {annotated_types.Le: "at most", annotated_types.Lt: "less than"}
    words = []
    for bound in field.metadata:
        if type(bound) in marks:
            (value,) = dataclasses.astuple(bound)
            words.append(f"{marks[type(bound)]} {value:,}")
    return ", ".join(words)


def rows(block, fields):
    yield "| setting | value | default | meaning |"
    yield "|---|---|---|---|"
    for name, field in fields.items():
        if meaning_of(block, name).startswith("See `["):
            continue
        value = ", ".join(filter(None, [kind_of_value(field.annotation), bounds_of(field)]))
        meaning = " ".join(meaning_of(block, name).split()).replace("|", "\\|")
        yield f"| `{name}` | {value} | {default_of(field)} | {meaning} |"


def reference():
    sections = []
    for table in ("server", "log", "traffic_log", "queue", "retry", "media"):
        block = block_at((table,), "")
        sections.append((f"`[{table}]`", block, block.model_fields))
    common = ProviderBlock.model_fields
    sections.append(("`[providers.NAME]`", ProviderBlock, common))
    for kind, block in PROVIDER_KINDS.items():
        own = {name: field for name, field in block.model_fields.items() if name not in common}
        sections.append((f'`[providers.NAME]` with `kind = "{kind}"`', block, own))
    for table in ("timeouts", "limits"):
        block = block_at((table,), "")
        sections.append((f"`[providers.NAME.{table}]`", block, block.model_fields))
    sections.append(("`[models.NAME]`", ModelSettings, ModelSettings.model_fields))
    parts = [
        f"### {title}\n\n{inspect.getdoc(block)}\n\n" + "\n".join(rows(block, fields))
        for title, block, fields in sections
    ]
    return "\n## Reference\n\n" + "\n\n".join(parts) + "\n"


def test_the_reference_is_what_the_code_says():
    written, _, documented = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    if os.environ.get("DRAGOMAN_GOLDEN_UPDATE") == "1":  # noqa: TID251 - set by make
        PAGE.write_text(written + BEGIN + reference(), encoding="utf-8")
        documented = reference()
    assert documented == reference()


def test_every_setting_has_an_effect():
    """A setting that nobody asks for would be a promise that is not kept."""
    sources = Path(__file__).parents[2] / "src" / "dragoman"
    # fmt: off
    builders = (
        "app.py", "settings/checks.py", "house/house.py", "house/guesthouse.py",
        "house/networks.py", "house/porters.py", "house/suppliers.py",
    )
    # fmt: on
    readers = [sources / name for name in builders]
    code = "\n".join(path.read_text(encoding="utf-8") for path in readers)
    for module in ("tree", "server"):
        code += (sources / "settings" / f"{module}.py").read_text(encoding="utf-8")
    tables = ("server", "log", "traffic_log", "queue", "retry", "media", "limits")
    blocks = [*PROVIDER_KINDS.values(), ModelSettings, *(block_at((name,), "") for name in tables)]
    names = {name for block in blocks for name in block.model_fields} - {"kind", "api"}
    used = set(re.findall(r"\.(\w+)\b", code))
    assert {name for name in names if name not in used} == set()
