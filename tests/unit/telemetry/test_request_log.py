import asyncio
import io
import json

import pytest

from dragoman.telemetry.masking import MASK, Masker
from dragoman.telemetry.records import RequestRecord
from dragoman.telemetry.request_log import BATCH, RequestLog

CANARY = "canary-7f3a-secret-value"


def record(**fields):
    known = {
        "time": 1_800_000_000.1234,
        "request_id": "r1",
        "method": "POST",
        "path": "/v1/chat/completions",
        "status": 200,
    }
    return RequestRecord(**(known | fields))


FULL = {
    "caller": "alice",
    "target": "giga/GigaChat-2",
    "attempts": 2,
    "duration": 0.81234,
    "first_byte": 0.23,
    "tokens_in": 120,
    "tokens_out": 48,
    "tokens_cached": 100,
    "error": "upstream_broken",
    "fidelity": "lossy",
    "client_left": True,
}


def test_a_record_is_one_line_of_json():
    stream = io.StringIO()
    log = RequestLog(stream, Masker())
    log.append(record(**FULL))
    log.append(record(duration=0.001))
    log.flush()
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert first == {
        "time": "2027-01-15T08:00:00.123Z",
        "level": "warning",
        "event": "request",
        "request_id": "r1",
        "caller": "alice",
        "method": "POST",
        "path": "/v1/chat/completions",
        "status": 200,
        "target": "giga/GigaChat-2",
        "attempts": 2,
        "duration_ms": 812.3,
        "first_byte_ms": 230.0,
        "tokens_in": 120,
        "tokens_out": 48,
        "tokens_cached": 100,
        "error": "upstream_broken",
        "fidelity": "lossy",
        "client_left": True,
    }
    assert (second["level"], second["duration_ms"], second["fidelity"]) == ("info", 1.0, "exact")
    assert "target" not in second


def test_a_record_is_one_short_line_to_read():
    stream = io.StringIO()
    log = RequestLog(stream, Masker(), format="console")
    log.append(record(**FULL))
    log.append(record(path="/v1/\nforged\r line", duration=0.001))
    log.flush()
    assert stream.getvalue().splitlines() == [
        (
            "08:00:00 200 POST /v1/chat/completions -> giga/GigaChat-2 812 ms (first byte 230 ms)"
            " 120+48 tokens 2 attempts lossy upstream_broken client left by alice r1"
        ),
        "08:00:00 200 POST /v1/ forged  line 1 ms r1",
    ]


@pytest.mark.parametrize(
    ("wanted", "statuses"), [("all", [200, 200, 429]), ("errors", [200, 429]), ("none", [])]
)
def test_the_level_chooses_the_records(wanted, statuses):
    stream = io.StringIO()
    log = RequestLog(stream, Masker(), wanted=wanted)
    log.append(record())
    log.append(record(error="upstream_broken"))
    log.append(record(status=429))
    log.flush()
    assert [json.loads(line)["status"] for line in stream.getvalue().splitlines()] == statuses


def test_what_does_not_fit_is_counted_and_left_out():
    stream = io.StringIO()
    log = RequestLog(stream, Masker(), bound=3)
    for number in range(5):
        log.append(record(request_id=f"r{number}"))
    log.flush()
    assert log.dropped == 2
    assert [json.loads(line)["request_id"] for line in stream.getvalue().splitlines()] == [
        "r0",
        "r1",
        "r2",
    ]


class Broken(io.StringIO):
    def write(self, text):
        raise BrokenPipeError("the reader has gone")


def test_records_that_cannot_be_written_are_counted():
    log = RequestLog(Broken(), Masker())
    log.append(record())
    log.flush()
    closed = io.StringIO()
    closed.close()
    other = RequestLog(closed, Masker())
    other.append(record())
    other.flush()
    assert (log.dropped, other.dropped) == (1, 1)


class CountingStream(io.StringIO):
    def __init__(self, lines):
        super().__init__()
        self.writes = 0
        self.missing = lines
        self.complete = asyncio.Event()

    def write(self, text):
        self.writes += 1
        self.missing -= text.count("\n")
        if not self.missing:
            self.complete.set()
        return super().write(text)


async def test_records_are_written_in_the_background_a_batch_with_one_write():
    stream = CountingStream(BATCH + 5)
    log = RequestLog(stream, Masker())
    log.start(asyncio.get_running_loop())
    log.start(asyncio.get_running_loop())
    for _ in range(BATCH + 5):
        log.append(record())
    assert stream.writes == 0
    async with asyncio.timeout(10):
        await stream.complete.wait()
    assert stream.writes == 2
    log.append(record())
    log.stop()
    assert stream.getvalue().count("\n") == BATCH + 6


async def test_a_log_that_has_stopped_keeps_no_timer():
    log = RequestLog(io.StringIO(), Masker())
    log.stop()
    log.start(asyncio.get_running_loop())
    log.stop()
    assert log._timer is None


@pytest.mark.parametrize("format_", ["json", "console"])
def test_a_registered_secret_never_comes_out(format_):
    stream = io.StringIO()
    log = RequestLog(stream, Masker([CANARY]), format=format_)
    for field in ("method", "path", "caller", "target", "error", "fidelity"):
        log.append(record(**{field: f"/{CANARY}"}))
    log.append(record(path="/v1/models?key=something"))
    log.flush()
    written = stream.getvalue()
    assert CANARY not in written
    assert "something" not in written
    assert written.count(MASK) == 7


def test_paths_without_end_do_not_fill_the_memory():
    log = RequestLog(io.StringIO(), Masker())
    for number in range(10_000):
        log.append(record(path=f"/{number}"))
    log.flush()
    assert len(log._spelled) <= 4096


@pytest.mark.parametrize("format_", ["json", "console"])
def test_text_that_is_no_unicode_is_written_all_the_same(format_):
    stream = io.StringIO()
    log = RequestLog(stream, Masker(), format=format_)
    log.append(record(path="/\udcff/\u00fc", caller="\u0430\u043d\u044f"))
    log.flush()
    assert log.dropped == 0
    line = stream.getvalue()
    line.encode()
    assert "udcff/\u00fc" in line
    assert "\u0430\u043d\u044f" in line
