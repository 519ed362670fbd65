"""Deletes files at the provider that nobody will name again: later, and as well as it can.

A call that began before its file was let go of may still need it, so a file is deleted some
minutes after its last use, and at once only when the gateway stops. What cannot be deleted is
logged and left.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Final

from dragoman.clock import Clock
from dragoman.errors import GatewayError
from dragoman.media.shelf import StoredFile
from dragoman.providers.base import FileStore
from dragoman.providers.signing import authorized
from dragoman.telemetry.logging import get_logger

GRACE: Final = 300.0
"""Seconds after its last use before which no file is deleted."""
AT_ONCE: Final = 8
"""Deletions side by side when the gateway stops."""
LAST_SECONDS: Final = 5.0
"""That the gateway takes for it then."""

log = get_logger("dragoman.media")


class Tidying:
    """What is to be deleted at one provider."""

    def __init__(self, store: FileStore, clock: Clock, provider: str, *, most: int = 1000) -> None:
        """``most`` files wait to be deleted; beyond that the oldest are left where they are."""
        self._store = store
        self._clock = clock
        self._provider = provider
        self._most = most
        self._waiting: deque[StoredFile] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, file: StoredFile) -> None:
        """Delete ``file`` when its last user is through."""
        self._waiting.append(file)
        if len(self._waiting) > self._most:
            left = self._waiting.popleft()
            log.warning("a file is left at the provider", provider=self._provider, file=left.id)

    async def run(self) -> None:
        """Delete what is due, one after the other."""
        for _ in range(len(self._waiting)):
            file = self._waiting.popleft()
            if file.used + GRACE > self._clock.now():
                self._waiting.append(file)
            else:
                await self._delete(file)

    async def finish(self, files: Iterable[StoredFile]) -> None:
        """The gateway stops: delete ``files`` and what waits, for a few seconds at most."""
        left = deque(files)
        left.extend(self._waiting)
        self._waiting.clear()

        async def work() -> None:
            while left:
                await self._delete(left.popleft())

        try:
            async with asyncio.timeout(LAST_SECONDS), asyncio.TaskGroup() as group:
                for _ in range(min(AT_ONCE, len(left))):
                    group.create_task(work())
        except TimeoutError:
            log.warning("files are left at the provider", provider=self._provider, count=len(left))

    async def _delete(self, file: StoredFile) -> None:
        try:
            authorization = await authorized(file.credential.signer)
            await self._store.delete(authorization + file.owner.lines, file.id)
        except GatewayError as error:
            log.warning(
                "could not delete a file", provider=self._provider, file=file.id, error=error
            )
