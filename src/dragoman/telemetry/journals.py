"""Where one process writes: standard error, a file beside it, the traffic log.

What writes files and bodies is imported when the settings ask for it: most gateways do not, and it
would delay the first answer of every start.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dragoman.telemetry.logging import Stream
from dragoman.telemetry.masking import Masker
from dragoman.telemetry.worker import Worker

if TYPE_CHECKING:
    from dragoman.telemetry.log_file import LogFile
    from dragoman.telemetry.traffic import BodyLog, TrafficLog


class Journals:
    """Files are opened, and threads started, with the first thing to write."""

    def __init__(self, stream: Stream, masker: Masker) -> None:
        self.stream = stream
        """For events and for the lines of requests."""
        self.readers: list[BodyLog | TrafficLog] = []
        """Who wants to know of whole conversations."""
        self._masker = masker
        self._worker = Worker("log")
        self._traffic_worker: Worker | None = None
        self._files: list[LogFile] = []
        self._traffic_file: LogFile | None = None

    def add_file(self, path: Path, *, max_bytes: int, keep: int) -> None:
        """Write to ``path`` what goes to the stream."""
        from dragoman.telemetry.log_file import Both, LogFile  # noqa: PLC0415 - see above

        file = LogFile(path, self._worker, max_bytes=max_bytes, keep=keep)
        self._files.append(file)
        self.stream = Both(self.stream, file)

    def add_bodies(self) -> None:
        """Log requests and answers themselves."""
        from dragoman.telemetry.traffic import BodyLog  # noqa: PLC0415 - see above

        self.readers.append(BodyLog(self._worker, self._masker))

    def add_traffic(
        self, path: Path, *, max_bytes: int, keep: int, queue: int, content: bool
    ) -> None:
        """Write a record of each conversation to ``path``; ``queue`` of them may wait."""
        from dragoman.telemetry.log_file import LogFile  # noqa: PLC0415 - see above
        from dragoman.telemetry.traffic import TrafficLog  # noqa: PLC0415 - see above

        self._traffic_worker = Worker("traffic-log", bound=queue)
        file = LogFile(path, self._traffic_worker, max_bytes=max_bytes, keep=keep)
        self._traffic_file = file
        self.readers.append(TrafficLog(file, self._masker, with_content=content))

    @property
    def dropped(self) -> int:
        """Pieces of the log that did not fit or could not be written."""
        return self._worker.dropped + sum(file.dropped for file in self._files)

    @property
    def traffic_dropped(self) -> int | None:
        """Records of the traffic log that did not; ``None`` where there is no such log."""
        if self._traffic_worker is None or self._traffic_file is None:
            return None
        return self._traffic_worker.dropped + self._traffic_file.dropped

    def close(self) -> None:
        """Write what waits, for a few seconds at most."""
        for worker in (self._traffic_worker, self._worker):
            if worker is not None:
                worker.stop()
        for file in (*self._files, self._traffic_file):
            if file is not None:
                file.close()
