"""What a tool answered, as the one JSON document that GigaChat wants (anything else is 422).

An object stays as the tool wrote it, nothing at all is an empty object, and everything else goes
under ``result``: other JSON as the value it is, words as text. Tools written in Python often print
a dict instead of encoding it; what reads as such a literal is spelled as JSON.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from msgspec import Raw

from dragoman.canonical.conversation import Media, ToolResult, text_of
from dragoman.dialects.nesting import is_excessive

LONGEST_LITERAL: Final = 100_000
"""Characters of a Python literal that is respelled; a longer one is sent as text."""

_object: Final = msgspec.json.Decoder(dict[str, Raw])
_anything: Final = msgspec.json.Decoder(Raw)
_encode: Final = msgspec.json.Encoder().encode

_TOKEN: Final = re.compile(
    r"""
      \s*(?:
        (?P<text>'(?:[^'\\\n]|\\[^\n])*'|"(?:[^"\\\n]|\\[^\n])*")
      | (?P<word>True|False|None)\b
      | (?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![\w.])
      | (?P<comma>,)
      | (?P<mark>[\[\]{}():])
      )\s*
    """,
    re.VERBOSE,
)
_ESCAPE: Final = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))")
_WORDS: Final = {"True": "true", "False": "false", "None": "null"}
_MARKS: Final = {"(": "[", ")": "]"}
_PLAIN_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", '"': '"'}


class _NoLiteral(ValueError):
    """The text is not what Python's ``repr`` writes."""


def words_of(result: ToolResult) -> str:
    """GigaChat has no mark for a failed tool: the text says it. Media follow in a message."""
    text = text_of(result.parts)
    if not text and result.parts and isinstance(result.parts[-1], Media):
        return "See below."
    if result.is_error and not text.lower().startswith("error"):
        return f"Error: {text}"
    return text


def document(text: str) -> str:
    """``text`` as exactly one JSON document, an object."""
    bare = text.strip()
    if not bare:
        return "{}"
    if is_excessive(bare.encode("utf-8", "surrogatepass")):
        return _encode({"result": text}).decode()  # however deep this interpreter may follow it
    if bare[0] == "{" and _is_json(bare, _object):
        return text
    if _is_json(bare, _anything):
        return '{"result":' + bare + "}"
    if bare[0] in "{[" and len(bare) <= LONGEST_LITERAL:
        literal = _respelled(bare)
        if literal is not None:
            return literal if literal[0] == "{" else '{"result":' + literal + "}"
    return _encode({"result": text}).decode()


def _is_json(text: str, decoder: msgspec.json.Decoder[Any]) -> bool:
    try:
        decoder.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return False
    return True


def _respelled(text: str) -> str | None:
    """A Python literal as JSON; ``None`` for what is none, or has no counterpart (sets, bytes)."""
    out: list[str] = []
    at = 0
    try:
        while at < len(text):
            token = _TOKEN.match(text, at)
            if token is None:
                return None
            at = token.end()
            out.append(_spelled(token, out))
    except (_NoLiteral, OverflowError):
        return None
    spelled = "".join(out)
    return spelled if _is_json(spelled, _anything) else None


def _spelled(token: re.Match[str], before: list[str]) -> str:
    match token.lastgroup:
        case "text":
            words = _ESCAPE.sub(_unescaped, token["text"][1:-1])
            return _encode(words).decode()
        case "word":
            return _WORDS[token["word"]]
        case "mark":
            mark = _MARKS.get(token["mark"], token["mark"])
            if mark in "]}" and before[-1:] == [","]:  # Python allows a comma at the end
                before.pop()
            return mark
        case kind:
            return token[kind or 0]


def _unescaped(escape: re.Match[str]) -> str:
    digits = escape[1] or escape[2] or escape[3]
    if digits:
        code = int(digits, 16)
        if 0xD800 <= code <= 0xDFFF:  # half of a pair, which no JSON text may hold
            raise _NoLiteral
        return chr(code)
    plain = _PLAIN_ESCAPES.get(escape[4])
    if plain is None:
        raise _NoLiteral
    return plain
