"""Tools that take free text (OpenAI's custom tools), where an API knows only functions.

Such a tool travels as a function with one string, ``input``, and a grammar that nobody there can
enforce is said in words.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw, Struct

from dragoman.canonical.fidelity import Fidelity
from dragoman.canonical.request import Tool


class _Grammar(Struct):
    syntax: str = ""
    definition: str = ""


class _Format(Struct):
    """Of OpenAI's two spellings one nests the grammar, the other does not."""

    grammar: _Grammar | None = None
    syntax: str = ""
    definition: str = ""


_input: Final = msgspec.json.Decoder(dict[str, Raw])
_string: Final = msgspec.json.Decoder(str)


def described(tool: Tool, fidelity: Fidelity) -> str | None:
    """The description of a free-text tool with its grammar; one that cannot be read is noted."""
    value = next((m["format"] for m in tool.extras.values() if "format" in m), None)
    if value is None:
        return tool.description
    try:
        if isinstance(value, Raw):
            layout = msgspec.json.decode(value, type=_Format)
        else:
            layout = msgspec.convert(value, _Format)
    except msgspec.DecodeError:
        fidelity.drop("tools[].format")
        return tool.description
    syntax = layout.grammar.syntax if layout.grammar else layout.syntax
    definition = layout.grammar.definition if layout.grammar else layout.definition
    if not definition:
        return tool.description
    rule = f"The input must match this {syntax or 'formal'} grammar:\n{definition}"
    return f"{tool.description}\n\n{rule}" if tool.description else rule


def free_text(arguments: str) -> str:
    """The text inside the arguments of such a call; the arguments where it is missing."""
    try:
        return _string.decode(_input.decode(arguments)["input"])
    except (msgspec.DecodeError, KeyError):
        return arguments
