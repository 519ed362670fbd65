"""OpenAI's files: the forms that they are uploaded as, and the objects that describe them.

A form is written anew around the pieces that came (see ``uploads``): neither the file nor the form
ever exists twice.

Source: OpenAI's API reference, Files; RFC 7578 (``multipart/form-data``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from msgspec.json import Decoder

from dragoman.canonical.fidelity import Fidelity
from dragoman.dialects.openai_chat.errors import read_error
from dragoman.dialects.operations import FilesApi, Upload
from dragoman.errors import UpstreamBroken

File = dict[str, Any]
"""A file object, of which only ``id``, ``filename`` and ``created_at`` are ever looked at."""

_FILE: Final = Decoder(File)
_ENCODE: Final = msgspec.json.Encoder().encode


def written(upload: Upload, boundary: str) -> list[bytes]:
    """The body of a form that holds ``upload``, in pieces."""
    pieces: list[bytes] = []
    for name, value in upload.fields.items():
        pieces.append(_part_head(boundary, name) + b"\r\n" + value.encode() + b"\r\n")
    head = _part_head(boundary, "file", upload.filename)
    pieces.append(b"%bcontent-type: %b\r\n\r\n" % (head, upload.media_type.encode("latin-1")))
    pieces += upload.pieces
    pieces.append(b"\r\n--%b--\r\n" % boundary.encode())
    return pieces


def _part_head(boundary: str, name: str, filename: str | None = None) -> bytes:
    line = f'--{boundary}\r\ncontent-disposition: form-data; name="{_quoted(name)}"'
    if filename is not None:
        line += f'; filename="{_quoted(filename)}"'
    return f"{line}\r\n".encode()


def _quoted(text: str) -> str:
    """As browsers do it, see RFC 7578, section 2."""
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def read_file(body: bytes) -> File:
    """A file object of an upstream. Raises ``UpstreamBroken``."""
    try:
        file = _FILE.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _broken(str(error)) from None
    return _checked(file)


class _List(Struct):
    data: list[File]


def read_files(body: bytes) -> Sequence[File]:
    """An upstream's list. Raises ``UpstreamBroken``."""
    try:
        return [_checked(file) for file in msgspec.json.decode(body, type=_List).data]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _broken(str(error)) from None


def _checked(file: File) -> File:
    if not isinstance(file.get("id"), str):
        raise _broken("a file has no id")
    return file


def _broken(detail: str) -> UpstreamBroken:
    return UpstreamBroken("The provider's answer describes no file.", detail=detail)


def write_file(file: Mapping[str, Any]) -> bytes:
    """A file object for a caller; every upload that was accepted is ready for use."""
    return _ENCODE({"object": "file", "status": "processed", **file})


def write_files(files: Iterable[Mapping[str, Any]], *, has_more: bool) -> bytes:
    """A page of a list."""
    data = [{"object": "file", "status": "processed", **file} for file in files]
    ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {}
    return _ENCODE({"object": "list", "data": data, **ends, "has_more": has_more})


def write_deleted(file_id: str) -> bytes:
    """What a deletion is answered with."""
    return _ENCODE({"id": file_id, "object": "file", "deleted": True})


def _as_it_is(upload: Upload) -> tuple[Upload, Fidelity]:
    return upload, Fidelity()


API: Final = FilesApi(
    path="/files",
    prepare=_as_it_is,
    deletion=("DELETE", ""),
    content_type=None,
    read_error=read_error,
)
