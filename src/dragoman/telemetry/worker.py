"""A thread for what must not hold up the event loop: formatting bodies, writing files.

``do`` costs an append to a deque: no lock, no wake-up; the thread looks by itself, a few times a
second. What does not fit is counted and left out, because no log is worth a slow answer.
"""

from __future__ import annotations

import threading
import traceback
from collections import deque
from collections.abc import Callable
from typing import Final

from dragoman.telemetry.logging import get_logger

log = get_logger("dragoman.telemetry")

PAUSE: Final = 0.1
"""Seconds between two looks at an empty queue."""
HELD_BYTES: Final = 64 * 1024 * 1024
"""Bytes that waiting jobs may keep in memory together."""
_PATIENCE: Final = 5.0
"""Seconds that ``stop`` waits for the queue to empty; a disk may hang."""


class Worker:
    """Does jobs one after the other. The thread starts with the first one."""

    def __init__(self, name: str, bound: int = 20_000) -> None:
        """``bound``: jobs that may wait."""
        self._name = name
        self._bound = bound
        self._jobs: deque[tuple[Callable[[], None], int]] = deque()
        self._taken = 0  # weight of all jobs so far; written by those who call ``do``
        self._done = 0  # weight of all jobs that are done; written by the thread
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._has_told = False
        self.dropped = 0
        """Jobs that did not fit or failed."""

    def do(self, job: Callable[[], None], weight: int = 0) -> None:
        """Have ``job`` done soon; never waits, never raises. ``weight``: bytes it keeps alive."""
        if self._stopping.is_set():
            self._attempt(job)
            return
        if len(self._jobs) >= self._bound or self._taken - self._done + weight > HELD_BYTES:
            self.dropped += 1
            return
        if weight:
            self._taken += weight
        self._jobs.append((job, weight))
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Do what waits, for a few seconds at most. Later jobs are done at once by the caller."""
        thread = self._thread
        if thread is not None and not self._stopping.is_set():
            self._stopping.set()
            thread.join(_PATIENCE)
            self._thread = None

    def _work(self) -> None:
        while not self._stopping.is_set():
            self._drain()
            self._stopping.wait(PAUSE)
        self._drain()

    def _drain(self) -> None:
        while self._jobs:
            job, weight = self._jobs.popleft()
            self._attempt(job)
            self._done += weight

    def _attempt(self, job: Callable[[], None]) -> None:
        try:
            job()
        except Exception:  # noqa: BLE001  # a thread's outermost edge: the next job shall be done
            self.dropped += 1
            if not self._has_told:  # once: what goes wrong for one job does so for all of them
                self._has_told = True
                log.warning(
                    "a log could not be written; more of this is only counted",
                    worker=self._name,
                    detail=traceback.format_exc(),
                )
