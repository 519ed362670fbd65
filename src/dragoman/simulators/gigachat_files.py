"""GigaChat's files: upload, list, get, content, delete; and what a chat may attach.

A file belongs to the authorization key whose token uploaded it, and to the ``X-Client-ID`` that
was sent along: another key does not find it (404), another client id is denied it (403).
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from dragoman.clock import Clock
from dragoman.simulators.chatter import Identity
from dragoman.simulators.delivery import Answer, House, json_answer
from dragoman.simulators.faults import Plan
from dragoman.simulators.journal import Call
from dragoman.simulators.multipart import Malformed, read_form
from dragoman.simulators.refusals import Refusal

_MB: Final = 1024 * 1024
SIZES: Final = {"text": 40 * _MB, "image": 15 * _MB, "audio": 35 * _MB}
"""Kind -> bytes of a file at most."""
HEARD_AND_SEEN_AT_MOST: Final = 80 * _MB
"""Bytes of all pictures and recordings of one request."""
IMAGES_AT_MOST: Final = 10
"""Pictures of one request."""
PURPOSES: Final = frozenset({"general", "assistant", "assistants"})
_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
KINDS: Final = {
    "text/plain": "text",
    "application/msword": "text",
    _OFFICE + "wordprocessingml.document": "text",
    _OFFICE + "presentationml.presentation": "text",
    _OFFICE + "spreadsheetml.sheet": "text",
    "application/pdf": "text",
    "application/epub": "text",
    "application/epub+zip": "text",
    "application/ppt": "text",
    "application/pptx": "text",
    "application/vnd.ms-powerpoint": "text",
    "application/vnd.ms-excel": "text",
    "image/jpeg": "image",
    "image/png": "image",
    "image/tiff": "image",
    "image/bmp": "image",
    "audio/mp4": "audio",
    "audio/mp3": "audio",
    "audio/mpeg": "audio",
    "audio/x-m4a": "audio",
    "audio/wav": "audio",
    "audio/x-wav": "audio",
    "audio/wave": "audio",
    "audio/webm": "audio",
    "audio/ogg": "audio",
    "audio/x-ogg": "audio",
    "audio/opus": "audio",
}
"""Media type -> kind; every other type is refused, ``application/octet-stream`` included."""
_SIGNATURES: Final[dict[str, tuple[bytes, ...]]] = {
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/tiff": (b"II*\x00", b"MM\x00*"),
    "image/bmp": (b"BM",),
    "application/pdf": (b"%PDF-",),
    "audio/wav": (b"RIFF",),
    "audio/mpeg": (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"),
    _OFFICE + "wordprocessingml.document": (b"PK",),
    _OFFICE + "spreadsheetml.sheet": (b"PK",),
}
"""Media type -> how such a file begins."""
_FILES_KEPT: Final = 1000
_BYTES_KEPT: Final = 512 * _MB
_BLIND: Final = frozenset({"GigaChat", "GigaChat-2", "GigaChat-Plus"})
"""Models that take no pictures; the larger ones of each generation do."""


class StoredFile(msgspec.Struct, frozen=True):
    """One upload."""

    id: str
    key: str
    client_id: str | None
    name: str
    media_type: str
    purpose: str
    created_at: int
    content: bytes

    @property
    def kind(self) -> str:
        """``text``, ``image`` or ``audio``."""
        return KINDS[self.media_type]

    def described(self) -> str:
        """What a model without eyes says of it: type, size and the beginning of its digest."""
        digest = hashlib.sha256(self.content).hexdigest()[:12]
        return f"{self.media_type} of {len(self.content)} bytes, sha256 {digest}"

    def view(self) -> dict[str, Any]:
        """The file object of the API."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": len(self.content),
            "created_at": self.created_at,
            "filename": self.name,
            "purpose": self.purpose,
            "access_policy": "private",
        }


class Files:
    """Everything that was uploaded and not deleted; the oldest goes when there is too much."""

    def __init__(self, house: House, clock: Clock) -> None:
        self._house = house
        self._clock = clock
        self._count = 0
        self._size = 0
        self._stored: OrderedDict[str, StoredFile] = OrderedDict()

    def forget_all(self) -> None:
        """Every id ceases to be known."""
        self._stored.clear()
        self._size = 0

    # The endpoints; each is told the key behind the caller's token.

    def upload(self, call: Call, plan: Plan, key: str) -> Answer:
        """``POST /files``."""
        del plan
        try:
            form = read_form(call.header("content-type"), call.body)
        except Malformed as error:
            raise Refusal(400, "Invalid multipart form", reason=str(error)) from None
        unknown = sorted(form.keys() - {"file", "purpose"})
        if unknown:
            raise Refusal(422, f"Invalid params: unknown field '{unknown[0]}'")
        purpose, file = form.get("purpose"), form.get("file")
        if purpose is None or purpose.content.decode(errors="replace") not in PURPOSES:
            raise Refusal(400, "Invalid params: field 'purpose' is invalid")
        if file is None or not file.filename:
            raise Refusal(400, "Invalid params: field 'file' is required and must have a name")
        media_type = file.media_type or ""
        _check_content(media_type, file.content)
        self._count += 1
        identity = Identity(f"{self._count} {key}".encode() + file.content[:4096])
        stored = StoredFile(
            identity.uuid("file"),
            key,
            call.header("x-client-id"),
            file.filename,
            media_type,
            purpose.content.decode(),
            int(self._clock.wall()),
            file.content,
        )
        self._keep(stored)
        return json_answer(stored.view())

    def listing(self, call: Call, plan: Plan, key: str) -> Answer:
        """``GET /files``: the caller's own."""
        del plan
        client_id = call.header("x-client-id")
        mine = [
            file.view()
            for file in self._stored.values()
            if file.key == key and file.client_id == client_id
        ]
        return json_answer({"object": "list", "data": mine})

    def get(self, call: Call, plan: Plan, key: str) -> Answer:
        """``GET /files/{file}``."""
        del plan
        return json_answer(self._asked(call, key).view())

    def content(self, call: Call, plan: Plan, key: str) -> Answer:
        """``GET /files/{file}/content``."""
        del plan
        file = self._asked(call, key)
        return Answer(headers={"content-type": file.media_type}, body=file.content)

    def delete(self, call: Call, plan: Plan, key: str) -> Answer:
        """``POST /files/{file}/delete``: a POST, not a DELETE."""
        del plan
        file = self._asked(call, key)
        self._drop(file.id)
        return json_answer({"id": file.id, "deleted": True})

    # For chats.

    def attached(
        self, groups: Iterable[list[str]], call: Call, key: str, model: str
    ) -> list[StoredFile]:
        """The files with these ids, each group being those of one message.

        Raises:
            Refusal: an id that is unknown or another's, too many pictures, too many bytes, or a
                model that takes no pictures.
        """
        found: list[StoredFile] = []
        for group in groups:
            files = [self._file(identity, call, key) for identity in group]
            images = sum(file.kind == "image" for file in files)
            if images > self._house.options.gigachat_images_per_message:
                raise Refusal(422, "Invalid params: too many images in one message")
            found += files
        if sum(file.kind == "image" for file in found) > IMAGES_AT_MOST:
            raise Refusal(422, "Invalid params: too many images")
        if sum(len(file.content) for file in found if file.kind != "text") >= (
            HEARD_AND_SEEN_AT_MOST
        ):
            raise Refusal(413, "Payload too large")
        name = model.partition(":")[0].removesuffix("-preview")
        if name in _BLIND and any(file.kind == "image" for file in found):
            raise Refusal(422, "Requested model does not support images")
        return found

    def _asked(self, call: Call, key: str) -> StoredFile:
        return self._file(call.path_parameters["file"], call, key)

    def _file(self, identity: str, call: Call, key: str) -> StoredFile:
        file = self._stored.get(identity)
        if file is None or file.key != key:
            raise Refusal(404, f"File '{identity}' not found")
        if file.client_id != call.header("x-client-id"):
            raise Refusal(403, f"Access to file '{identity}' is denied")
        return file

    def _keep(self, file: StoredFile) -> None:
        self._stored[file.id] = file
        self._size += len(file.content)
        while len(self._stored) > _FILES_KEPT or self._size > _BYTES_KEPT:
            self._drop(next(iter(self._stored)))

    def _drop(self, identity: str) -> None:
        self._size -= len(self._stored.pop(identity).content)


def _check_content(media_type: str, content: bytes) -> None:
    kind = KINDS.get(media_type)
    if kind is None:
        raise Refusal(400, f"Unsupported file type: '{media_type}'")
    if not content:
        raise Refusal(400, "Invalid params: the file is empty")
    if len(content) > SIZES[kind]:
        raise Refusal(413, "Payload too large")
    begins = _SIGNATURES.get(media_type)
    if begins is not None and not content.startswith(begins):
        raise Refusal(400, f"File content does not match its type '{media_type}'")
    if media_type == "text/plain":
        try:
            content.decode()
        except UnicodeDecodeError:
            raise Refusal(400, "File content does not match its type 'text/plain'") from None
