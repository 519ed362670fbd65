"""The new text of a program's settings file, from its old one. Pure: text in, text out.

What is not ours stays: names that we do not know, their order, comments. The new text is read back
and compared with what was wanted before anybody may write it.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString
from ruamel.yaml.util import load_yaml_guess_indent

from dragoman.connect import jsonc
from dragoman.connect.catalogue import (
    CannotConnect,
    Edit,
    Endpoint,
    SettingsFile,
    filled,
    filled_value,
)

_WIDTH: Final = 100_000
"""Columns; lines of a user's file are not folded."""


def edited(text: str, file: SettingsFile, endpoint: Endpoint) -> str:
    """``text``, the file's content or nothing, with the settings for ``endpoint`` in it.

    The same text where they stand there already. Raises ``CannotConnect`` if the file is not what
    its program would read.
    """
    values = endpoint.values
    edits = [_filled_edit(edit, values) for edit in file.edits]
    if not text.strip():
        edits = [*(Edit(at=(name,), value=value) for name, value in file.new.items()), *edits]
    try:
        before = _read(text, file.format)
        wanted = _applied(before, edits)
        if before == wanted and text.strip():
            return text
        new = _json_text(text, edits) if file.format == "json" else _yaml_text(text, edits)
        found = _read(new, file.format)
    except (jsonc.NotJson, YAMLError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise CannotConnect(
            f"it is not the {file.format.upper()} that was expected: {reason}"
        ) from error
    if found != wanted:
        raise CannotConnect("it holds something that cannot be kept while changing it")
    return new


def sample(file: SettingsFile, endpoint: Endpoint) -> str:
    """What a file that did not exist would hold."""
    return edited("", file, endpoint)


def _filled_edit(edit: Edit, values: dict[str, str]) -> Edit:
    at = tuple(filled(name, values) for name in edit.at)
    return Edit(at=at, value=filled_value(edit.value, values), item=edit.item)


def _read(text: str, form: str) -> Any:
    """The document as plain values; ``None`` if there is nothing in it."""
    if form == "json":
        return jsonc.parse(text).decoded() if text.strip("\ufeff \t\r\n") else None
    return YAML(typ="safe", pure=True).load(text)


def _applied(document: Any, edits: Sequence[Edit]) -> Any:
    """What the document should mean afterwards. Raises ``TypeError`` where an edit has no place."""
    for edit in edits:
        document = _set(document, edit.at, edit)
    return document


def _set(document: Any, at: Sequence[str], edit: Edit) -> Any:
    """``document``, changed below ``at``; new containers where there were none."""
    if at:
        table = {} if document is None else document
        if not isinstance(table, dict):
            raise TypeError(f"there is no place for `{'.'.join(edit.at)}`")
        return {**table, at[0]: _set(table.get(at[0]), at[1:], edit)}
    if not edit.item:
        return edit.value
    items = [] if document is None else document
    if not isinstance(items, list):
        raise TypeError(f"`{'.'.join(edit.at) or 'the document'}` is no list")
    place = _place_in(items, edit)
    return [*items[:place], edit.value, *items[place + 1 :]]


def _place_in(items: Sequence[Any], edit: Edit) -> int:
    """Index of the item that ``edit`` replaces, or of the end."""
    for index, item in enumerate(items):
        if isinstance(item, dict) and item.get(edit.item) == edit.value[edit.item]:
            return index
    return len(items)


def _json_text(text: str, edits: Sequence[Edit]) -> str:
    for edit in edits:
        text = jsonc.put(text, edit.at, edit.value)
    return text


def _yaml_text(text: str, edits: Sequence[Edit]) -> str:
    _, indent, offset = load_yaml_guess_indent(text)
    yaml = YAML(typ="rt", pure=True)
    yaml.preserve_quotes = True
    yaml.width = _WIDTH
    yaml.indent(mapping=indent or 2, sequence=indent or 2, offset=offset or 0)
    document = yaml.load(text)
    for edit in edits:
        quoted = Edit(at=edit.at, value=_quoted(edit.value), item=edit.item)
        document = _place(document, quoted)
    stream = StringIO(newline="")
    yaml.dump(document, stream)
    written = stream.getvalue()
    return written.replace("\n", "\r\n") if "\r\n" in text else written


def _quoted(value: Any) -> Any:
    """``value`` with its texts marked for quotes: a key such as ``0123`` or ``yes`` is no text
    without them to readers of YAML 1.1, which Python's are.
    """
    match value:
        case str():
            return DoubleQuotedScalarString(value)
        case list():
            return [_quoted(item) for item in value]
        case dict():
            return {name: _quoted(item) for name, item in value.items()}
    return value


def _place(document: Any, edit: Edit) -> Any:
    """The same as ``_set``, in place, so that what carries the comments stays."""
    if not edit.at:
        items = [] if document is None else document
        _put_item(items, edit)
        return items
    document = {} if document is None else document
    table = document
    for name in edit.at[:-1]:
        if table.get(name) is None:
            table[name] = {}
        table = table[name]
    last = edit.at[-1]
    if not edit.item:
        table[last] = edit.value
        return document
    if table.get(last) is None:
        table[last] = []
    _put_item(table[last], edit)
    return document


def _put_item(items: list[Any], edit: Edit) -> None:
    place = _place_in(items, edit)
    items[place : place + 1] = [edit.value]
