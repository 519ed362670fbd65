"""Pictures and documents as content blocks.

What the bytes are counts, not what they were called: the API refuses a picture whose declared type
is not its own (source: Anthropic's documentation, "Vision" and "PDF support").
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from typing import Any, Final

from dragoman.canonical.conversation import Media, MediaKind
from dragoman.dialects.anthropic_messages.draft import Draft
from dragoman.errors import InvalidRequest, UnsupportedByTarget

IMAGES: Final = ("image/jpeg", "image/png", "image/gif", "image/webp")
PDF: Final = "application/pdf"
_TEXTS: Final = ("application/json", "application/xml", "application/yaml", "application/x-ndjson")
_SIGNATURES: Final = (
    (b"\xff\xd8\xff", 0, b"", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", 0, b"", "image/png"),
    (b"GIF8", 5, b"a", "image/gif"),
    (b"RIFF", 8, b"WEBP", "image/webp"),
    (b"%PDF-", 0, b"", PDF),
    (b"BM", 6, bytes(4), "image/bmp"),
    (b"II*\x00", 0, b"", "image/tiff"),
    (b"MM\x00*", 0, b"", "image/tiff"),
    (b"PK\x03\x04", 0, b"", "application/zip"),
)
"""First bytes, place and value of further ones, and what has them."""
_HEAD: Final = 24
"""Characters of base64 that hold every signature below."""

Block = dict[str, Any]


def media_block(draft: Draft, media: Media, path: str) -> Block:
    """The block that shows ``media``. Raises ``UnsupportedByTarget`` for what Claude cannot see."""
    if media.kind is MediaKind.IMAGE:
        if not draft.facts.images:
            raise UnsupportedByTarget(
                "This model sees no pictures. Leave it out or choose another model.", param=path
            )
        return {"type": "image", "source": _image_source(media, path)}
    if media.kind is MediaKind.DOCUMENT:
        return _document(draft, media, path)
    raise UnsupportedByTarget(
        f"Claude takes no {media.kind.value}. Leave it out or choose another model.", param=path
    )


def _image_source(media: Media, path: str) -> Block:
    if media.data is None:
        return _reference(media, path)
    media_type = sniffed(media.data, path) or (media.media_type or "").lower()
    if media_type == "image/jpg":
        media_type = "image/jpeg"
    if media_type not in IMAGES:
        raise UnsupportedByTarget(
            f"Claude takes pictures as JPEG, PNG, GIF or WebP, not as {media_type or 'this'}."
            " Convert it first.",
            param=path,
        )
    return {"type": "base64", "media_type": media_type, "data": media.data}


def _reference(media: Media, path: str) -> Block:
    if media.url is not None:
        if not media.url.lower().startswith("https://"):
            raise UnsupportedByTarget(
                "Claude fetches from https:// addresses only. Send the bytes as a data: URL.",
                param=path,
            )
        return {"type": "url", "url": media.url}
    file_id = media.file_id or ""
    if not file_id.startswith("file_"):
        raise UnsupportedByTarget(
            "This file is not kept at Anthropic. Send the file itself as file_data.", param=path
        )
    return {"type": "file", "file_id": file_id}


def _document(draft: Draft, media: Media, path: str) -> Block:
    title = {"title": media.name} if media.name else {}
    if media.data is None:
        return {"type": "document", "source": _reference(media, path), **title}
    media_type = (media.media_type or "").lower()
    found = sniffed(media.data, path)
    if found == PDF:
        if not draft.facts.documents:
            raise UnsupportedByTarget(
                "This model reads no PDF files. Send its text or choose another model.", param=path
            )
        source = {"type": "base64", "media_type": PDF, "data": media.data}
        return {"type": "document", "source": source, **title}
    if found is None and (not media_type or is_text(media_type)):
        text = _text(media.data, path)
        if draft.facts.documents:
            source = {"type": "text", "media_type": "text/plain", "data": text}
            return {"type": "document", "source": source, **title}
        draft.fidelity.adjust(path, "document", "text")
        return {"type": "text", "text": f"Document: {media.name or 'untitled'}\n{text}"}
    raise UnsupportedByTarget(
        "Claude reads PDF files and plain text. Convert this document first.", param=path
    )


def is_text(media_type: str) -> bool:
    """Whether a document of this type is words that can be read as they stand."""
    return media_type.startswith("text/") or media_type in _TEXTS


def _text(data: str, path: str) -> str:
    try:
        text = b64decode(data, validate=False).decode("utf-8-sig")
    except (Base64Error, ValueError):
        raise UnsupportedByTarget(
            "Claude reads PDF files and plain text in UTF-8. Convert this document first.",
            param=path,
        ) from None
    if not text.strip():
        raise InvalidRequest("This document is empty. Leave it out.", param=path)
    return text


def sniffed(data: str, path: str) -> str | None:
    """The type that the first bytes of base64 ``data`` show; ``None`` for one not known here."""
    head = data[:_HEAD]
    try:
        first = b64decode(head[: len(head) // 4 * 4], validate=True)
    except (Base64Error, ValueError):
        raise InvalidRequest("This is not base64.", param=path) from None
    for signature, at, second, media_type in _SIGNATURES:
        if first.startswith(signature) and first[at : at + len(second)] == second:
            return media_type
    return None
