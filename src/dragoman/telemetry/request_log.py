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
from typing import Final, Literal

import msgspec
from msgspec import Struct

from dragoman.telemetry.logging import Format, Stream
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
"""Runs of members that are kept, because paths, callers and targets repeat."""


_THOUSANDTHS: Final = tuple(f".{number:03}" for number in range(1000))
_TENTHS: Final = tuple(f".{number}" for number in range(10))

_Repeated = tuple[str, str, str, str, str, int, int, str | None]
"""What many records have in common."""


class _Common(Struct, omit_defaults=True):
    """Its members in a line of JSON."""

    level: str
    event: str
    method: str
    path: str
    status: int
    attempts: int
    fidelity: str
    caller: str = ""
    target: str = ""
    error: str | None = None


class RequestLog:
    """Gathers records and writes them to ``stream`` in batches."""

    def __init__(
        self,
        stream: Stream,
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
        self._spelled: dict[_Repeated, str] = {}
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
        return "".join(map(self._json_line, batch))

    def _json_line(self, record: RequestRecord) -> str:
        """Put together from what repeats and what does not, because at full load this is a
        noticeable part of a request's cost. Durations are in milliseconds.
        """
        # fmt: off
        common: _Repeated = (
            record.method, record.path, record.caller, record.target, record.fidelity,
            record.status, record.attempts, record.error,
        )
        # fmt: on
        spelled = self._spelled.get(common) or self._spell(common)
        milliseconds = int(record.time * 1000)
        second = milliseconds // 1000
        if second != self._second:
            self._second = second
            self._second_text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        line = (
            f'{{"time":"{self._second_text}{_THOUSANDTHS[milliseconds % 1000]}Z",{spelled},'
            f'"request_id":"{record.request_id}","duration_ms":{_milliseconds(record.duration)}'
        )
        if record.tokens_in:
            line += f',"tokens_in":{record.tokens_in}'
        if record.tokens_out:
            line += f',"tokens_out":{record.tokens_out}'
        if record.tokens_cached:
            line += f',"tokens_cached":{record.tokens_cached}'
        if record.first_byte is not None:
            line += f',"first_byte_ms":{_milliseconds(record.first_byte)}'
        if record.client_left:
            line += ',"client_left":true'
        return line + "}\n"

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

    def _spell(self, common: _Repeated) -> str:
        """``common`` as members of a line; remembered."""
        if len(self._spelled) >= _REMEMBERED:
            self._spelled.clear()
        *texts, status, attempts, error = common
        method, path, caller, target, fidelity = map(self._mask, texts)
        level = "info" if error is None and status < 400 else "warning"
        shown = None if error is None else self._masker.mask(error)
        members = _Common(
            level, "request", method, path, status, attempts, fidelity, caller, target, shown
        )
        spelled = self._spelled[common] = self._encoder.encode(members).decode()[1:-1]
        return spelled

    def _mask(self, text: str) -> str:
        if not text.isascii():
            # A lone surrogate, of a path that is no UTF-8, cannot be written.
            text = text.encode("utf-8", "backslashreplace").decode()
        return self._masker.mask(text)


def _milliseconds(seconds: float) -> str:
    """To one decimal; a third of what formatting a number costs."""
    tenths = int(seconds * 10_000 + 0.5)
    return f"{tenths // 10}{_TENTHS[tenths % 10]}"
