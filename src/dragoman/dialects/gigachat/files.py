"""GigaChat's files. Its own are of one purpose, have an exact type, and are deleted by a POST.

Source: GigaChat API reference, ``POST /files``, ``GET /files``, ``GET /files/{file}``,
``GET /files/{file}/content``, ``POST /files/{file}/delete``.
"""

from __future__ import annotations

from typing import Final

from msgspec import structs

from dragoman.canonical.fidelity import Fidelity
from dragoman.dialects.gigachat.errors import read_error
from dragoman.dialects.operations import FilesApi, Upload
from dragoman.errors import UnsupportedByTarget

_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
TYPES: Final = {
    "txt": "text/plain",
    "md": "text/plain",
    "doc": "application/msword",
    "docx": _OFFICE + "wordprocessingml.document",
    "pdf": "application/pdf",
    "epub": "application/epub",
    "ppt": "application/ppt",
    "pptx": "application/pptx",
    "xls": "application/vnd.ms-excel",
    "xlsx": _OFFICE + "spreadsheetml.sheet",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "bmp": "image/bmp",
    "mp4": "audio/mp4",
    "mp3": "audio/mp3",
    "m4a": "audio/x-m4a",
    "wav": "audio/wav",
    "weba": "audio/webm",
    "ogg": "audio/x-ogg",
    "opus": "audio/opus",
}
"""Ending of a name -> the type that GigaChat takes it for."""
_VAGUE: Final = frozenset({"", "application/octet-stream", "binary/octet-stream"})


def prepare(upload: Upload) -> tuple[Upload, Fidelity]:
    """The upload as GigaChat takes it. Raises ``UnsupportedByTarget``."""
    fidelity = Fidelity()
    purpose = upload.fields["purpose"]
    if purpose != "general":
        fidelity.adjust("purpose", purpose, "general")
    for name in upload.fields:
        if name != "purpose":
            fidelity.drop(name)
    media_type = upload.media_type.partition(";")[0].strip().lower()
    if media_type in _VAGUE:
        media_type = TYPES.get(upload.filename.rpartition(".")[2].lower(), "")
        if not media_type:
            raise UnsupportedByTarget(
                "GigaChat has to be told what kind of file this is. Send the part `file` with its"
                f" own Content-Type, or give its name one of the endings {', '.join(TYPES)}.",
                param="file",
            )
    fields = {"purpose": "general"}
    return structs.replace(upload, fields=fields, media_type=media_type), fidelity


API: Final = FilesApi(
    path="/files",
    prepare=prepare,
    deletion=("POST", "/delete"),
    content_type="application/jpg",
    read_error=read_error,
)
"""Whole files are asked for as ``application/jpg``, as the vendor's SDK does for every type."""
