"""From what a caller gave to bytes that an upstream takes: decoded or fetched, told by their
content, converted where need be.

Work that would hold the loop up for more than a moment runs in two threads of its own, so that
a hundred pictures do not keep name look-ups waiting.
"""

from __future__ import annotations

import asyncio
import binascii
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import sha256
from typing import Final, Protocol, TypeVar

from msgspec import Struct

from dragoman.canonical.conversation import Media, MediaKind
from dragoman.dialects.base import Attachment, ModelFacts
from dragoman.errors import (
    InvalidRequest,
    RequestTooLarge,
    UnsupportedByTarget,
    foremost,
)
from dragoman.media.limits import MediaLimits, Weight, check_loaded_kind, check_weights
from dragoman.media.pictures import Unconvertible, converted
from dragoman.media.sniffing import kind_of, sniffed
from dragoman.providers.base import Attached
from dragoman.transport.outside import VisitFailed

T = TypeVar("T")

QUICK: Final = 64 * 1024
"""Bytes that are decoded on the loop; more go to a thread."""
_BLANKS: Final = str.maketrans("", "", " \t\r\n")
_ENDINGS: Final = {
    "application/pdf": "pdf",
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "image/jpeg": "jpg",
    "image/png": "png",
    "text/plain": "txt",
}


class Visits(Protocol):
    """What fetches URLs: ``transport.outside.Outside``."""

    async def get(self, url: str, limit: int) -> bytes:
        """The content. Raises ``VisitFailed``."""
        ...

    def close(self) -> None:
        """Nothing more will be fetched; harmless when repeated."""
        ...


class Loaded(Struct, frozen=True):
    """One medium, ready to be uploaded."""

    upload: Attached
    kind: MediaKind
    path: str
    digest: bytes
    """SHA-256 of the bytes as the caller gave them."""
    adapted: tuple[str, str] | None = None
    """Media types before and after, where the content had to change."""


class Loader:
    """Loads media for one provider. Belongs to one event loop."""

    def __init__(
        self, visits: Visits, limits: MediaLimits, types: Mapping[str, str], *, max_pixels: int
    ) -> None:
        """``types`` is ``FileStore.types``; ``max_pixels`` is the largest picture that is
        converted.
        """
        self._visits = visits
        self._limits = limits
        self._types = types
        self._max_pixels = max_pixels
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="media")

    async def load(self, attachments: Sequence[Attachment], facts: ModelFacts) -> Sequence[Loaded]:
        """All of them, fetched side by side. Raises ``GatewayError``."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._load(each, facts)) for each in attachments]
        except ExceptionGroup as failures:
            raise foremost(failures) from failures
        loaded = [task.result() for task in tasks]
        check_weights(
            [Weight(each.kind, len(each.upload.content), each.path) for each in loaded],
            self._limits,
        )
        return loaded

    def close(self) -> None:
        """Nothing more will be loaded."""
        self._visits.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _load(self, attachment: Attachment, facts: ModelFacts) -> Loaded:
        media, path = attachment.media, attachment.path
        if media.url is not None:
            content = await self._fetched(media, path)
        else:
            content = await self._decoded(media.data or "", path)
        if not content:
            raise _invalid(path, "it holds nothing")
        look = partial(sniffed, content, media.media_type, media.name)
        media_type = await self._apart(len(content), look)
        if media_type is None:
            raise _invalid(path, "these bytes are of no known kind of file")
        kind = kind_of(media_type)
        check_loaded_kind(kind, media.kind, path, facts, self._limits)
        check_weights([Weight(kind, len(content), path)], self._limits)
        digest = await self._apart(len(content), lambda: sha256(content).digest())
        adapted = _as_plain_text(media.media_type, media_type)
        name = media.name
        if media_type not in self._types:
            was, name = media_type, None
            content, media_type = await self._converted(content, was, path)
            adapted = (was, media_type)
        name = _named(name, media_type)
        upload = Attached(content, self._types[media_type], name)
        return Loaded(upload, kind, path, digest, adapted)

    async def _decoded(self, text: str, path: str) -> bytes:
        try:
            return await self._apart(len(text), partial(_base64, text))
        except (binascii.Error, ValueError):
            raise _invalid(path, "it is not valid base64") from None

    async def _fetched(self, media: Media, path: str) -> bytes:
        try:
            return await self._visits.get(media.url or "", self._limits.of(media.kind))
        except VisitFailed as failed:
            why = f"'{path}' could not be fetched: {failed}. Send it as base64, or another URL."
            if failed.is_too_large:
                raise RequestTooLarge(why, param=path) from None
            raise InvalidRequest(why, param=path, code="invalid_url") from None

    async def _converted(self, content: bytes, media_type: str, path: str) -> tuple[bytes, str]:
        if kind_of(media_type) is not MediaKind.IMAGE:
            raise UnsupportedByTarget(
                f"This provider does not take files of type {media_type}. Send another format.",
                param=path,
            )
        work = partial(converted, content, media_type, max_pixels=self._max_pixels)
        try:
            picture = await self._apart(QUICK + 1, work)
        except Unconvertible as error:
            raise _invalid(path, str(error)) from None
        return picture.content, picture.media_type

    async def _apart(self, size: int, work: Callable[[], T]) -> T:
        """``work`` on ``size`` bytes, in a thread if it is much."""
        if size <= QUICK:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _base64(text: str) -> bytes:
    """Blanks and line ends are the only liberty that encoders take."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        return binascii.a2b_base64(text.translate(_BLANKS), strict_mode=True)


def _as_plain_text(declared: str | None, found: str) -> tuple[str, str] | None:
    """Markdown, CSV, source code: what upstreams know of them is that they are text."""
    claim = (declared or found).partition(";")[0].strip().lower()[:100]
    if found != "text/plain" or claim in {found, "application/octet-stream"}:
        return None
    return claim, found


def _named(name: str | None, media_type: str) -> str:
    """A name that the upstream can show; where the caller gave none, one that says the type."""
    plain = (name or "").replace("\\", "/").rpartition("/")[2].strip()[:200]
    if plain and plain.isprintable():
        return plain
    ending = _ENDINGS.get(media_type) or media_type.rpartition("/")[2].rpartition(".")[2]
    return f"file.{ending}"


def _invalid(path: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"Invalid value for '{path}': {why}.", param=path, code="invalid_value")
