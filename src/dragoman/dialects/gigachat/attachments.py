"""Pictures, documents and recordings, which GigaChat takes by the id of an uploaded file only.

The body of a request is written before its files are there: each id has a place that holds an
empty string until ``Slots.fill``. Version 1 names ids in ``attachments`` of a message, version 2 in
parts; a slot is any member of a list or an object.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from dragoman.canonical.conversation import Media, MediaKind, Message, Role
from dragoman.dialects.base import Attachment
from dragoman.errors import UnsupportedByTarget

_encode: Final = msgspec.json.Encoder().encode

ARTICLES: Final = {
    MediaKind.IMAGE: "an image",
    MediaKind.DOCUMENT: "a document",
    MediaKind.AUDIO: "a recording",
    MediaKind.VIDEO: "a video",
}


class Shown(Struct, frozen=True):
    """A medium of the conversation, and where the caller wrote it."""

    media: Media
    path: str


class Slots:
    """The places of one body that wait for file ids."""

    def __init__(self) -> None:
        self._places: list[tuple[Any, Any]] = []
        self.attachments: list[Attachment] = []
        """In the order of the places."""

    def reserve(self, holder: Any, key: int | str, shown: Shown, turn: int) -> None:
        """``holder[key]`` is the id of ``shown``, which message ``turn`` of the wire carries."""
        holder[key] = ""
        self._places.append((holder, key))
        self.attachments.append(Attachment(shown.media, shown.path, turn))

    def attach(self, message: dict[str, Any], shown: Sequence[Shown], turn: int) -> None:
        """Version 1: ``shown`` as attachments of ``message``, which is number ``turn``."""
        ids = message.setdefault("attachments", [])
        for each in shown:
            ids.append("")
            self.reserve(ids, len(ids) - 1, each, turn)

    def part(self, shown: Sequence[Shown], turn: int) -> dict[str, Any]:
        """Version 2: the content part that names ``shown`` in message ``turn``."""
        files: list[dict[str, str]] = [{} for _ in shown]
        for file, each in zip(files, shown, strict=True):
            self.reserve(file, "id", each, turn)
        return {"files": files}

    def fill(self, body: Any, media: Sequence[Media]) -> Sequence[bytes]:
        """The whole ``body`` with the ids of ``media``, which come in the order of
        ``attachments``. May be called again with others.
        """
        for (holder, key), each in zip(self._places, media, strict=True):
            holder[key] = each.file_id or ""
        return [_encode(body)]

    @property
    def hold_documents(self) -> bool:
        """GigaChat opens documents with a function of its own."""
        return any(each.media.kind is MediaKind.DOCUMENT for each in self.attachments)


def shown_by(message: Message, place: str) -> list[Shown]:
    """What a message at ``place`` shows. Raises ``UnsupportedByTarget`` for what GigaChat cannot
    take: a video, or anything that is not the user's.
    """
    found = []
    for number, part in enumerate(message.parts):
        if isinstance(part, Media):
            path = f"{place}.content[{number}]"
            if part.kind is MediaKind.VIDEO:
                raise UnsupportedByTarget(
                    "GigaChat takes no videos. Leave it out or choose another model.", param=path
                )
            if message.role is not Role.USER:
                raise UnsupportedByTarget(
                    "GigaChat takes pictures and files in the user's messages only. Move"
                    f" {ARTICLES[part.kind]} there.",
                    param=path,
                )
            found.append(Shown(part, path))
    return found
