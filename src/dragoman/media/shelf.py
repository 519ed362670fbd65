"""Which file id an upload got, so that a picture that comes again is not sent again.

An entry belongs to a credential, because file ids do; to its owner, because nobody may profit from
or learn of what another has sent; and to the bytes, by their SHA-256. Equal uploads at the same
time are one. Entries live for a while after their upload, and there is a bound: the least
recently used goes first. Whatever goes is told, so that the file can be deleted.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple

from msgspec import Struct

from dragoman.clock import Clock
from dragoman.providers.base import Credential

Upload = Callable[[], Awaitable[str]]


class Owner(NamedTuple):
    """Whose an upload is."""

    caller: str
    lines: bytes = b""
    """Header lines, each ended by CRLF, by which the provider tells owners under one credential
    apart (``FileStore.owner_headers``)."""


class Mark(NamedTuple):
    """What an id is remembered by."""

    credential: str
    owner: Owner
    digest: bytes
    media_type: str


class StoredFile(Struct):
    """A file at the provider."""

    credential: Credential
    owner: Owner
    id: str
    until: float
    """Monotonic seconds at which it is forgotten."""
    used: float
    """Monotonic seconds of its last use."""


class _Uploading:
    """An upload under way and how many wait for it."""

    def __init__(self, task: asyncio.Task[str]) -> None:
        self.task = task
        self.waiting = 0


class Shelf:
    """The files of one provider. Belongs to one event loop."""

    def __init__(
        self,
        clock: Clock,
        gone: Callable[[StoredFile], None],
        *,
        keep: float = 3600.0,
        most: int = 1000,
    ) -> None:
        """``gone`` is told of each file that nobody will name again; ``keep`` is in seconds."""
        self._clock = clock
        self._gone = gone
        self._keep = keep
        self._most = most
        self._files: OrderedDict[Mark, StoredFile] = OrderedDict()
        self._uploading: dict[Mark, _Uploading] = {}

    def __len__(self) -> int:
        return len(self._files)

    async def obtain(self, mark: Mark, credential: Credential, upload: Upload) -> str:
        """The id under ``mark``, uploaded if need be. Who is cancelled while waiting ends the
        upload only if nobody else waits for it. Raises what ``upload`` raises.
        """
        file = self._files.get(mark)
        if file is not None and file.until > self._clock.now():
            file.used = self._clock.now()
            self._files.move_to_end(mark)
            return file.id
        under_way = self._uploading.get(mark)
        if under_way is None:
            task = asyncio.get_running_loop().create_task(self._upload(mark, credential, upload))
            under_way = self._uploading[mark] = _Uploading(task)
        under_way.waiting += 1
        try:
            return await asyncio.shield(under_way.task)
        finally:
            under_way.waiting -= 1
            if not under_way.waiting and not under_way.task.done():
                del self._uploading[mark]
                under_way.task.cancel()

    def forget(self, mark: Mark, file_id: str) -> None:
        """The provider does not know ``file_id`` any more; there is nothing to delete."""
        file = self._files.get(mark)
        if file is not None and file.id == file_id:
            del self._files[mark]

    def expire(self) -> None:
        """Let go of what is too old."""
        now = self._clock.now()
        for mark in [mark for mark, file in self._files.items() if file.until <= now]:
            self._gone(self._files.pop(mark))

    def clear(self) -> Iterable[StoredFile]:
        """All files; the shelf is empty then, and uploads under way are ended."""
        for under_way in self._uploading.values():
            under_way.task.cancel()
        files = list(self._files.values())
        self._files.clear()
        return files

    async def _upload(self, mark: Mark, credential: Credential, upload: Upload) -> str:
        try:
            file_id = await upload()
        finally:
            under_way = self._uploading.get(mark)
            if under_way is not None and under_way.task is asyncio.current_task():
                del self._uploading[mark]
        now = self._clock.now()
        replaced = self._files.pop(mark, None)
        if replaced is not None:
            self._gone(replaced)
        self._files[mark] = StoredFile(credential, mark.owner, file_id, now + self._keep, now)
        if len(self._files) > self._most:
            self._gone(self._files.popitem(last=False)[1])
        return file_id
