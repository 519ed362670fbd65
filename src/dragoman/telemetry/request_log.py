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
"""Masked texts, and repeated parts of lines, that are kept."""


class _Labels(Struct, omit_defaults=True, kw_only=True, gc=False):
    """The part of a line that repeats from request to request."""

    level: str
    event: str
    method: str
    path: str
    caller: str = ""
    target: str = ""
    fidelity: str
    error: str | None = None


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
        self._masked: dict[str, str] = {}
        self._labels: dict[tuple[object, ...], str] = {}
        self._encode = msgspec.json.Encoder().encode
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
        return "".join([self._json_line(record) for record in batch])

    def _json_line(self, record: RequestRecord) -> str:
        """Put together from the part that repeats, encoded and masked once, and the few members
        that do not.
        """
        key = (
            record.method,
            record.path,
            record.caller,
            record.target,
            record.fidelity,
            record.error,
            record.failed,
        )
        labels = self._labels.get(key) or self._labels_of(record, key)
        second, milliseconds = divmod(int(record.time * 1000), 1000)
        if second != self._second:
            self._second = second
            self._second_text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        line = (
            f'{{"time":"{self._second_text}.{milliseconds:03}Z",{labels},"request_id":"{record.request_id}"'
            f',"status":{record.status},"attempts":{record.attempts}'
            f',"duration_ms":{record.duration * 1000:.1f}'
        )
        if record.first_byte is not None:
            line += f',"first_byte_ms":{record.first_byte * 1000:.1f}'
        if record.tokens_in or record.tokens_out:
            line += (
                f',"tokens_in":{record.tokens_in},"tokens_out":{record.tokens_out}'
                f',"tokens_cached":{record.tokens_cached}'
            )
        return line + (',"client_left":true}\n' if record.client_left else "}\n")

    def _labels_of(self, record: RequestRecord, key: tuple[object, ...]) -> str:
        """The JSON members of ``record`` that repeat, masked; remembered under ``key``."""
        error = record.error
        labels = _Labels(
            level="warning" if record.failed else "info",
            event="request",
            method=self._mask(record.method),
            path=self._mask(record.path),
            caller=self._mask(record.caller),
            target=self._mask(record.target),
            fidelity=self._mask(record.fidelity),
            error=None if error is None else self._mask(error),
        )
        if len(self._labels) >= _REMEMBERED:
            self._labels.clear()
        text = self._labels[key] = self._encode(labels).decode()[1:-1]
        return text

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

    def _mask_once(self, text: str) -> str:
        if not text.isascii():
            # A lone surrogate, of a path that is no UTF-8, cannot be written.
            text = text.encode("utf-8", "backslashreplace").decode()
        return self._masker.mask(text)

    def _mask(self, text: str) -> str:
        """Like ``_mask_once``, remembered: paths, callers and targets repeat."""
        masked = self._masked.get(text)
        if masked is None:
            if len(self._masked) >= _REMEMBERED:
                self._masked.clear()
            masked = self._masked[text] = self._mask_once(text)
        return masked
