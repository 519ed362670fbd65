"""Uploads as they arrive: forms taken apart without a copy of what they hold.

Source: RFC 7578 (``multipart/form-data``).
"""

from __future__ import annotations

from typing import Final, cast

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from dragoman.dialects.operations import Upload
from dragoman.errors import InvalidRequest

FIELD_LIMIT: Final = 4096
"""Bytes of a field that is no file."""
MOST_PARTS: Final = 16

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
            if not name:
                raise _malformed("a part has no name")
            filename = options.get(b"filename")
            if filename is None:
                fields[name] = b"".join(part.pieces).decode("utf-8", "replace")
            elif name == "file" and file is None:
                media_type = part.headers.get("content-type", b"").decode("latin-1")
                if not media_type.isprintable():
                    raise _malformed("the file's type holds control characters")
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
        disposition = part.headers.get("content-disposition", b"")
        if part.size > FIELD_LIMIT and b"filename" not in disposition:
            raise _malformed(f"a field is longer than {FIELD_LIMIT} bytes")
        whole = start == 0 and end == len(block)
        part.pieces.append(block if whole else cast("bytes", memoryview(block)[start:end]))

    def _end(self) -> None:
        self._is_complete = True


def _malformed(why: str) -> InvalidRequest:
    return InvalidRequest(f"The form could not be read: {why}.", code="invalid_form")
