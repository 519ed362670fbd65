"""One line for each finished request, at next to no cost for the request.

``append`` puts the record on a bounded deque; a timer writes what has gathered, a few hundred
records with one write, so that no turn of the event loop is held up for long. What does not
fit, or cannot be written, is counted and left out: a log never slows or fails a request.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, Literal, TextIO

import msgspec
from msgspec import Struct

from dragoman.telemetry.logging import Format
from dragoman.telemetry.masking import Masker
from dragoman.telemetry.records import RequestRecord

Wanted = Literal["all", "errors", "none"]

INTERVAL: Final = 0.25
"""Seconds between flushes."""
BATCH: Final = 256
"""Records formatted in one turn of the loop; about a millisecond."""
_BACKLOG_INTERVAL: Final = 0.01
"""Seconds to the next batch while records are left over."""
_REMEMBERED: Final = 4096
"""Masked texts that are kept."""


class _Line(Struct, omit_defaults=True, gc=False):
    """A record as it is written; durations in milliseconds."""

    time: str
    level: str
    event: str
    method: str
    path: str
    request_id: str
    status: int
    attempts: int
    duration_ms: float
    fidelity: str
    caller: str = ""
    target: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    first_byte_ms: float | None = None
    error: str | None = None
    client_left: bool = False


class RequestLog:
    """Gathers records and writes them to ``stream`` in batches."""

    def __init__(
        self,
        stream: TextIO,
        masker: Masker,
        *,
        wanted: Wanted = "all",
        format: Format = "json",  # noqa: A002 - what the setting is called
        bound: int = 20_000,
    ) -> None:
        self._stream = stream
        self._masker = masker
        self._wanted = wanted
        self._write_lines: Callable[[Sequence[RequestRecord]], str] = (
            self._json_lines if format == "json" else self._console_lines
        )
        self._bound = bound
        self._records: deque[RequestRecord] = deque()
        self._masked: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._encoder = msgspec.json.Encoder()
        self._second = -1
        self._second_text = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.dropped = 0
        """Records that did not fit or could not be written."""

    def append(self, record: RequestRecord) -> None:
        """Note a finished request; never waits, never raises."""
        if self._wanted == "none" or (self._wanted == "errors" and not record.failed):
            return
        if len(self._records) >= self._bound:
            self.dropped += 1
            return
        self._records.append(record)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Flush on ``loop`` from now on."""
        self._loop = loop
        if self._timer is None:
            self._timer = loop.call_later(INTERVAL, self._tick)

    def stop(self) -> None:
        """Write what is left and flush no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._loop = None
        self.flush()

    def flush(self) -> None:
        """Write everything that has gathered."""
        while self._records:
            self._write_batch()

    def _tick(self) -> None:
        self._write_batch()
        if self._loop is not None:
            pause = _BACKLOG_INTERVAL if self._records else INTERVAL
            self._timer = self._loop.call_later(pause, self._tick)

    def _write_batch(self) -> None:
        records = self._records
        batch = [records.popleft() for _ in range(min(BATCH, len(records)))]
        if not batch:
            return
        try:
            self._stream.write(self._write_lines(batch))
            self._stream.flush()
        except (OSError, ValueError):
            # The reader has gone, the disk is full or the stream is closed.
            self.dropped += len(batch)

    def _json_lines(self, batch: Sequence[RequestRecord]) -> str:
        return self._encoder.encode_lines([self._line(record) for record in batch]).decode()

    def _line(self, record: RequestRecord) -> _Line:
        """Built by position: at full load this is a noticeable part of a request's cost."""
        texts = (record.method, record.path, record.caller, record.target, record.fidelity)
        method, path, caller, target, fidelity = self._masked.get(texts) or self._mask_all(texts)
        first_byte, error = record.first_byte, record.error
        second, milliseconds = divmod(int(record.time * 1000), 1000)
        if second != self._second:
            self._second = second
            self._second_text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return _Line(
            f"{self._second_text}.{milliseconds:03}Z",
            "info" if error is None and record.status < 400 else "warning",
            "request",
            method,
            path,
            record.request_id,
            record.status,
            record.attempts,
            round(record.duration * 1000, 1),
            fidelity,
            caller,
            target,
            record.tokens_in,
            record.tokens_out,
            record.tokens_cached,
            None if first_byte is None else round(first_byte * 1000, 1),
            None if error is None else self._masker.mask(error),
            record.client_left,
        )

    def _console_lines(self, batch: Sequence[RequestRecord]) -> str:
        return "".join(self._console_line(record) for record in batch)

    def _console_line(self, record: RequestRecord) -> str:
        words = [
            datetime.fromtimestamp(record.time, UTC).strftime("%H:%M:%S"),
            str(record.status),
            self._mask(record.method),
            self._mask(record.path),
        ]
        if record.target:
            words.append(f"-> {self._mask(record.target)}")
        words.append(f"{record.duration * 1000:.0f} ms")
        if record.first_byte is not None:
            words.append(f"(first byte {record.first_byte * 1000:.0f} ms)")
        if record.tokens_in or record.tokens_out:
            words.append(f"{record.tokens_in}+{record.tokens_out} tokens")
        if record.attempts > 1:
            words.append(f"{record.attempts} attempts")
        if record.fidelity != "exact":
            words.append(self._mask(record.fidelity))
        if record.error is not None:
            words.append(self._mask(record.error))
        if record.client_left:
            words.append("client left")
        if record.caller:
            words.append(f"by {self._mask(record.caller)}")
        words.append(record.request_id)
        # One record is one line, whatever a client puts into its path.
        return " ".join(words).replace("\n", " ").replace("\r", " ") + "\n"

    def _mask_all(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        """Remembered, because paths, callers and targets repeat."""
        if len(self._masked) >= _REMEMBERED:
            self._masked.clear()
        masked = self._masked[texts] = tuple(self._mask(text) for text in texts)
        return masked

    def _mask(self, text: str) -> str:
        if not text.isascii():
            # A lone surrogate, of a path that is no UTF-8, cannot be written.
            text = text.encode("utf-8", "backslashreplace").decode()
        return self._masker.mask(text)
