"""What bytes are, by how they begin. Pure.

The declared type of a medium is a claim: clients call everything ``image/jpeg`` and servers
everything ``application/octet-stream``. Only where bytes have no mark of their own does the
claim decide.
"""

from __future__ import annotations

from typing import Final

from dragoman.canonical.conversation import MediaKind

_OPEN_XML: Final = "application/vnd.openxmlformats-officedocument."
_MARKS: Final = (
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"II*\x00", "image/tiff"),
    (0, b"MM\x00*", "image/tiff"),
    (8, b"WEBP", "image/webp"),
    (8, b"WAVE", "audio/wav"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftypheix", "image/heic"),
    (4, b"ftypmif1", "image/heic"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftypM4A", "audio/mp4"),
    (4, b"ftypqt", "video/quicktime"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/msword"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"fLaC", "audio/flac"),
    (28, b"OpusHead", "audio/opus"),
    (0, b"OggS", "audio/ogg"),
)
"""Offset, mark, media type; the first that fits."""
_BINARY_OFFICE: Final = {
    "application/vnd.ms-excel": (".xls",),
    "application/vnd.ms-powerpoint": (".ppt",),
}
_ZIPPED: Final = (
    (b"word/", _OPEN_XML + "wordprocessingml.document"),
    (b"xl/", _OPEN_XML + "spreadsheetml.sheet"),
    (b"ppt/", _OPEN_XML + "presentationml.presentation"),
    (b"application/epub+zip", "application/epub+zip"),
)
_EBML: Final = b"\x1a\x45\xdf\xa3"
_FRAME_SYNC: Final = (b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")
_SHOWS_AT_MOST: Final = 4096
"""Bytes that are looked at for a text."""


def sniffed(content: bytes, declared: str | None = None, name: str | None = None) -> str | None:
    """The media type of ``content``, in lower case; ``None`` for bytes of no known kind.

    ``declared`` and ``name`` decide between formats that look alike only.
    """
    claim = (declared or "").partition(";")[0].strip().lower()
    for offset, mark, media_type in _MARKS:
        if content.startswith(mark, offset) and (offset != 8 or content.startswith(b"RIFF")):
            return _old_office(claim, name) if media_type == "application/msword" else media_type
    if content.startswith(b"PK\x03\x04"):
        return _zipped(content)
    if content.startswith(_EBML):
        return claim if claim in {"audio/webm", "video/webm"} else "video/webm"
    if content.startswith(b"ftyp", 4):
        return "audio/mp4" if claim.startswith("audio/") else "video/mp4"
    return _without_mark(content)


def _without_mark(content: bytes) -> str | None:
    """Formats that begin with next to nothing, and plain text."""
    if content.startswith(_FRAME_SYNC):
        return "audio/mpeg"
    if content.startswith(b"BM") and len(content) >= 26 and _u32(content, 2) in {0, len(content)}:
        return "image/bmp"
    return "text/plain" if _is_text(content) else None


def kind_of(media_type: str) -> MediaKind:
    """What a medium of this type is to a conversation."""
    match media_type.partition("/")[0]:
        case "image":
            return MediaKind.IMAGE
        case "audio":
            return MediaKind.AUDIO
        case "video":
            return MediaKind.VIDEO
    return MediaKind.DOCUMENT


def _old_office(claim: str, name: str | None) -> str:
    """Word, Excel and PowerPoint of old share one container."""
    for media_type, endings in _BINARY_OFFICE.items():
        if claim == media_type or (name or "").lower().endswith(endings):
            return media_type
    return "application/msword"


def _zipped(content: bytes) -> str | None:
    for mark, media_type in _ZIPPED:
        if mark in content:
            return media_type
    return None


def _is_text(content: bytes) -> bool:
    beginning = content[:_SHOWS_AT_MOST]
    if not beginning or b"\x00" in beginning:
        return False
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _u32(content: bytes, offset: int) -> int:
    return int.from_bytes(content[offset : offset + 4], "little")
