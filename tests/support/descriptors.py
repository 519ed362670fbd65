"""Counting open files."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from support.polling import until

FOLDER = next(folder for folder in (Path("/proc/self/fd"), Path("/dev/fd")) if folder.is_dir())


def open_descriptors() -> int:
    return len(list(FOLDER.iterdir()))


@asynccontextmanager
async def descriptors_come_back(seconds: float = 5.0) -> AsyncIterator[None]:
    """What the block opens is closed again, soon after it at the latest."""
    before = open_descriptors()
    yield
    await until(lambda: open_descriptors() <= before, seconds)
