"""OpenAI's files: uploads as forms, and the objects that describe them.

A form is taken apart without a copy of what it holds, and written anew around the same pieces:
neither the file nor the form ever exists twice.

Source: OpenAI's API reference, Files; RFC 7578 (``multipart/form-data``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

import msgspec
from msgspec import Struct
from msgspec.json import Decoder
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from dragoman.canonical.fidelity import Fidelity
from dragoman.dialects.openai_chat.errors import read_error
from dragoman.dialects.operations import FilesApi, Upload
from dragoman.errors import InvalidRequest, UpstreamBroken

FIELD_LIMIT: Final = 4096
"""Bytes of a field that is no file."""
MOST_PARTS: Final = 16

File = dict[str, Any]
"""A file object, of which only ``id``, ``filename`` and ``created_at`` are ever looked at."""

_FILE: Final = Decoder(File)
_ENCODE: Final = msgspec.json.Encoder().encode
_UNTYPED: Final = "application/octet-stream"


class _Part:
    """One field of a form, as it is read."""

    def __init__(self) -> None:
        self.names: list[bytes] = []
        self.headers: dict[str, bytes] = {}
        self.value = b""
        self.pieces: list[bytes] = []
        self.size = 0


class UploadReader:
    """A form as it arrives. Raises ``InvalidRequest`` from every method."""

    def __init__(self, content_type: bytes) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise InvalidRequest(
                "Files are uploaded as multipart/form-data with a boundary.",
                code="unsupported_media_type",
            )
        self._parts: list[_Part] = []
        self._name = b""
        self._is_complete = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._header_field,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_end,
                    "on_part_data": self._data,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise _malformed(str(error)) from None

    def feed(self, block: bytes) -> None:
        """More of the body; ``block`` is kept, not copied."""
        try:
            self._parser.write(block)
        except FormParserError as error:
            raise _malformed(str(error)) from None

    def close(self) -> Upload:
        """The body has ended: what it holds."""
        if not self._is_complete:
            raise _malformed("its last boundary is missing")
        fields: dict[str, str] = {}
        file: Upload | None = None
        for part in self._parts:
            _, options = parse_options_header(part.headers.get("content-disposition"))
            name = options.get(b"name", b"").decode("utf-8", "replace")
            filename = options.get(b"filename")
            if filename is None:
                fields[name] = b"".join(part.pieces).decode("utf-8", "replace")
            elif name == "file" and file is None:
                media_type = part.headers.get("content-type", b"").decode("latin-1")
                file = Upload(
                    filename=filename.decode("utf-8", "replace"),
                    media_type=media_type or _UNTYPED,
                    pieces=part.pieces,
                    fields=fields,
                )
            else:
                raise InvalidRequest(
                    "A form has one file, `file`.", param=name, code="invalid_value"
                )
        if file is None:
            raise InvalidRequest(
                "Missing required parameter: 'file'.",
                param="file",
                code="missing_required_parameter",
            )
        if not fields.get("purpose"):
            raise InvalidRequest(
                "Missing required parameter: 'purpose'.",
                param="purpose",
                code="missing_required_parameter",
            )
        return file

    def _begin(self) -> None:
        if len(self._parts) >= MOST_PARTS:
            raise _malformed(f"it has more than {MOST_PARTS} parts")
        self._parts.append(_Part())

    def _header_field(self, block: bytes, start: int, end: int) -> None:
        self._name += block[start:end]

    def _header_value(self, block: bytes, start: int, end: int) -> None:
        self._parts[-1].value += block[start:end]

    def _header_end(self) -> None:
        part = self._parts[-1]
        part.headers[self._name.decode("latin-1").lower()] = part.value
        self._name = part.value = b""

    def _data(self, block: bytes, start: int, end: int) -> None:
        part = self._parts[-1]
        part.size += end - start
        if part.size > FIELD_LIMIT and b"filename" not in part.headers["content-disposition"]:
            raise _malformed(f"a field is longer than {FIELD_LIMIT} bytes")
        whole = start == 0 and end == len(block)
        part.pieces.append(block if whole else cast("bytes", memoryview(block)[start:end]))

    def _end(self) -> None:
        self._is_complete = True


def _malformed(why: str) -> InvalidRequest:
    return InvalidRequest(f"The form could not be read: {why}.", code="invalid_form")


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
