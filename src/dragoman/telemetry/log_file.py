"""A file that grows by lines and is renamed when it is large, written by a worker's thread.

A disk that is full, a folder that has gone: the lines are counted and left out, the operator is
told once, and writing is tried again with the next line.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from logging.handlers import RotatingFileHandler
from pathlib import Path

from dragoman.telemetry.logging import Stream, get_logger
from dragoman.telemetry.worker import Worker

log = get_logger("dragoman.log_file")


class LogFile:
    """Appends to ``path``, which becomes ``path.1`` and so on at ``max_bytes``; ``keep`` of those
    remain. Also a ``Stream``.
    """

    def __init__(self, path: Path, worker: Worker, *, max_bytes: int, keep: int) -> None:
        self._path = path
        self._worker = worker
        self._file = _Rotation(
            path,
            maxBytes=max_bytes,
            backupCount=keep,
            encoding="utf-8",
            errors="backslashreplace",
            delay=True,
        )
        self._is_failing = False
        self._is_closed = False
        self.dropped = 0
        """Pieces of text that could not be written."""

    def write(self, text: str) -> int:
        """Append ``text`` soon; never waits, never raises."""
        self._worker.do(partial(self._append, text))
        return len(text)

    def append(self, text: Callable[[], str], weight: int = 0) -> None:
        """Append what ``text()`` gives, which is called in the worker's thread."""
        self._worker.do(lambda: self._append(text()), weight)

    def flush(self) -> None:
        """Every piece is flushed by itself."""

    def close(self) -> None:
        """After the worker has been stopped. What is still written opens the file for itself."""
        self._is_closed = True
        self._file.close()

    def _append(self, text: str) -> None:
        if self._is_failing:
            text = "\n" + text  # what was written of the last piece may end within a line
        record = logging.LogRecord("", 0, "", 0, text, None, None)
        try:
            self._file.emit(record)
        except OSError as error:
            self.dropped += 1
            with suppress(OSError):
                self._file.let_go()
            if not self._is_failing:
                self._is_failing = True
                log.warning(
                    "a log file cannot be written",
                    file=str(self._path),
                    error=error.strerror or str(error),
                    hint="Make room or correct the path and its rights; requests are served on.",
                )
        else:
            self._is_failing = False
            if self._is_closed:
                self._file.close()


class _Rotation(RotatingFileHandler):
    """The standard library's, which raises what goes wrong instead of printing it."""

    terminator = ""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - theirs
        """Called while the exception is being handled."""
        del record
        raise  # noqa: PLE0704 - see above

    def let_go(self) -> None:
        """Forget the open file with what is left in its buffers; the next record opens it anew."""
        stream, self.stream = self.stream, None
        if stream is not None:
            stream.close()


class Both:
    """Writes to two streams; what happens to one does not matter to the other."""

    def __init__(self, first: Stream, second: Stream) -> None:
        self._first = first
        self._second = second

    def write(self, text: str) -> int:
        """The first may not raise."""
        self._first.write(text)
        self._second.write(text)
        return len(text)

    def flush(self) -> None:
        self._first.flush()
        self._second.flush()
