"""The thread that writes, and the file that it writes to."""

import logging
import threading
from pathlib import Path

import pytest

from dragoman.telemetry.log_file import Both, LogFile
from dragoman.telemetry.worker import HELD_BYTES, Worker


@pytest.fixture
def worker():
    worker = Worker("test")
    yield worker
    worker.stop()


def file_in(folder, worker, *, max_bytes=1_000_000, keep=3, name="log"):
    return LogFile(Path(folder, name), worker, max_bytes=max_bytes, keep=keep)


def test_lines_are_written_in_order_by_another_thread(tmp_path, worker):
    file = file_in(tmp_path, worker)
    wrote = []
    for number in range(100):
        file.write(f"line {number}\n")
    file.append(lambda: wrote.append(threading.current_thread().name) or "made there\n")
    worker.stop()
    file.close()
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines == [*(f"line {number}" for number in range(100)), "made there"]
    assert wrote == ["test"]


def test_a_large_file_is_renamed_and_the_oldest_goes(tmp_path, worker):
    file = file_in(tmp_path, worker, max_bytes=50, keep=2)
    for number in range(10):
        file.write(f"{number} " + "x" * 38 + "\n")
    worker.stop()
    file.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1", "log.2"]
    assert (tmp_path / "log").read_text().startswith("9 ")
    assert (tmp_path / "log.2").read_text().startswith("7 ")


def test_what_comes_after_the_end_is_written_at_once(tmp_path, worker):
    file = file_in(tmp_path, worker)
    file.write("before\n")
    worker.stop()
    file.close()
    file.write("after\n")
    assert (tmp_path / "log").read_text() == "before\nafter\n"


def test_a_full_disk_is_counted_told_once_and_survived(tmp_path, worker, caplog):
    caplog.set_level(logging.WARNING)
    target = tmp_path / "log"
    target.symlink_to("/dev/full")
    file = file_in(tmp_path, worker)
    for _ in range(3):
        file.write("lost\n")
    worker.do(target.unlink)
    file.write("found\n")
    worker.stop()
    file.close()
    assert file.dropped == 3
    told = [record for record in caplog.records if "cannot be written" in record.getMessage()]
    assert len(told) == 1
    assert target.read_text() == "\nfound\n"


def test_a_folder_that_is_not_there_is_survived(tmp_path, worker):
    file = file_in(tmp_path, worker, name="absent/log")
    file.write("lost\n")
    worker.stop()
    assert file.dropped == 1


def test_characters_that_are_no_text_are_written_somehow(tmp_path, worker):
    file = file_in(tmp_path, worker)
    file.write("lone \ud800 surrogate\n")
    worker.stop()
    file.close()
    assert (tmp_path / "log").read_text() == "lone \\ud800 surrogate\n"


def blocked(worker):
    """The worker busy with a job that ends when the event is set."""
    started, go_on = threading.Event(), threading.Event()
    worker.do(lambda: (started.set(), go_on.wait(10)))
    assert started.wait(10)
    return go_on


def test_what_does_not_fit_is_counted():
    worker, done = Worker("test", bound=2), []
    go_on = blocked(worker)
    for number in range(5):
        worker.do(lambda number=number: done.append(number))
    assert worker.dropped == 3
    go_on.set()
    worker.stop()
    assert done == [0, 1]


def test_what_would_keep_too_much_memory_is_counted():
    worker, done = Worker("test"), []
    go_on = blocked(worker)
    worker.do(lambda: done.append("large"), HELD_BYTES)
    worker.do(lambda: done.append("more"), 1)
    worker.do(lambda: done.append("light"))
    assert worker.dropped == 1
    go_on.set()
    worker.stop()
    assert done == ["large"] + ["light"] * (len(done) - 1)


def test_a_job_that_fails_does_not_end_the_thread():
    worker, done = Worker("test"), []
    worker.do(lambda: 1 / 0)
    worker.do(lambda: done.append("next"))
    worker.stop()
    assert (worker.dropped, done) == (1, ["next"])


def test_a_worker_without_work_has_no_thread():
    before = threading.active_count()
    worker = Worker("test")
    assert threading.active_count() == before
    worker.stop()


def test_both_streams_get_everything(tmp_path, worker):
    file = file_in(tmp_path, worker)
    file_of_two = file_in(tmp_path, worker, name="two")
    both = Both(file, file_of_two)
    both.write("x\n")
    both.flush()
    worker.stop()
    for one in (file, file_of_two):
        one.close()
    assert (tmp_path / "log").read_text() == (tmp_path / "two").read_text() == "x\n"
