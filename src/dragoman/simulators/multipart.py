"""``multipart/form-data`` (RFC 7578) as a strict server reads it.

Every part must be delimited by CRLF and the boundary, carry a ``content-disposition`` with a name,
and the body must end with the closing delimiter; anything else is malformed.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

PARTS_AT_MOST: Final = 16
_BOUNDARY: Final = re.compile(
    r"multipart/form-data\s*;.*?boundary=(?:\"([^\"]{1,70})\"|([^\s;\"]{1,70}))", re.IGNORECASE
)
_PARAMETER: Final = re.compile(r';\s*([a-z*]+)="((?:[^"\\]|\\.)*)"', re.IGNORECASE)


class Part(msgspec.Struct, frozen=True):
    """One field of a form."""

    name: str
    content: bytes
    filename: str | None = None
    media_type: str | None = None
    """As declared, without parameters, in lower case."""


class Malformed(Exception):
    """The body is no form; the text says why."""


def read_form(content_type: str | None, body: bytes) -> dict[str, Part]:
    """The fields by name. Raises ``Malformed``; a name that comes twice is malformed too."""
    found = _BOUNDARY.match(content_type or "")
    if found is None:
        raise Malformed("content-type must be multipart/form-data with a boundary")
    delimiter = b"--" + (found[1] or found[2]).encode()
    pieces = (b"\r\n" + body).split(b"\r\n" + delimiter)
    if pieces[0].strip() or len(pieces) < 3 or pieces[-1].strip() != b"--":
        raise Malformed("the body does not begin and end with its boundary")
    if len(pieces) > PARTS_AT_MOST + 2:
        raise Malformed("too many parts")
    form: dict[str, Part] = {}
    for piece in pieces[1:-1]:
        part = _read_part(piece)
        if part.name in form:
            raise Malformed(f"the field '{part.name}' comes twice")
        form[part.name] = part
    return form


def _read_part(piece: bytes) -> Part:
    head, separator, content = piece.partition(b"\r\n\r\n")
    if not separator or not head.startswith(b"\r\n"):
        raise Malformed("a part has no headers")
    headers: dict[str, str] = {}
    for line in head[2:].decode(errors="replace").split("\r\n"):
        name, colon, value = line.partition(":")
        if not colon:
            raise Malformed("a part has a broken header")
        headers[name.strip().lower()] = value.strip()
    disposition = headers.get("content-disposition", "")
    parameters = {key.lower(): value for key, value in _PARAMETER.findall(disposition)}
    if not disposition.lower().startswith("form-data") or not parameters.get("name"):
        raise Malformed("a part has no name")
    declared = headers.get("content-type")
    media_type = declared.partition(";")[0].strip().lower() if declared is not None else None
    return Part(parameters["name"], content, parameters.get("filename"), media_type)
