"""Writing and taking back: exactly, in one step, and never over somebody's changes."""

import os
import stat

import pytest

from dragoman.connect.catalogue import CannotConnect
from dragoman.connect.files import LARGEST, undo, write

OLD = b"# mine\r\nold = \xd0\xb4\xd0\xb0\n"


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "settings.txt"
    file.write_bytes(OLD)
    return file


def add(text):
    return text + "new\n"


def names(path):
    return sorted(one.name for one in path.parent.iterdir())


def test_what_was_written_can_be_taken_back_exactly(path):
    assert write(path, "zed", add)
    assert path.read_bytes() == OLD + b"new\n"
    undo(path, "zed")
    assert path.read_bytes() == OLD
    assert names(path) == ["settings.txt"]


def test_a_file_that_was_not_there_is_removed_again(tmp_path):
    path = tmp_path / "deep" / "er" / "settings.txt"
    assert write(path, "zed", add)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    undo(path, "zed")
    assert names(path) == []


def test_what_is_so_already_is_not_written(path):
    assert not write(path, "zed", lambda text: text)
    assert names(path) == ["settings.txt"]


def test_two_writings_are_taken_back_as_one(path):
    write(path, "zed", add)
    write(path, "zed", add)
    undo(path, "zed")
    assert path.read_bytes() == OLD


def test_two_writings_of_a_new_file_are_taken_back_as_one(tmp_path):
    path = tmp_path / "settings.txt"
    write(path, "zed", add)
    write(path, "zed", add)
    undo(path, "zed")
    assert names(path) == []


def test_changes_made_since_are_not_lost(path):
    write(path, "zed", add)
    path.write_bytes(b"changed\n")
    with pytest.raises(CannotConnect, match=r"changed since.*before-dragoman"):
        undo(path, "zed")
    assert path.read_bytes() == b"changed\n"
    assert (path.parent / "settings.txt.before-dragoman").read_bytes() == OLD


def test_writing_over_changes_keeps_both_copies(path):
    write(path, "zed", add)
    path.write_bytes(b"changed\n")
    write(path, "zed", add)
    assert (path.parent / "settings.txt.before-dragoman-1").read_bytes() == OLD
    undo(path, "zed")
    assert path.read_bytes() == b"changed\n"


def test_a_file_that_is_back_by_itself_only_needs_tidying(path):
    write(path, "zed", add)
    path.write_bytes(OLD)
    undo(path, "zed")
    assert names(path) == ["settings.txt"]


def test_without_its_copy_nothing_is_taken_back(path):
    write(path, "zed", add)
    (path.parent / "settings.txt.before-dragoman").unlink()
    with pytest.raises(CannotConnect, match="is gone"):
        undo(path, "zed")
    assert path.read_bytes() == OLD + b"new\n"


@pytest.mark.parametrize("app", ["zed", "aider"])
def test_there_may_be_nothing_to_take_back(path, app):
    if app == "aider":
        write(path, "zed", add)
    with pytest.raises(CannotConnect, match="nothing to take back"):
        undo(path, "aider")


def test_a_receipt_that_cannot_be_read_counts_as_none(path):
    write(path, "zed", add)
    (path.parent / "settings.txt.dragoman.json").write_bytes(b"{")
    with pytest.raises(CannotConnect, match="nothing to take back"):
        undo(path, "zed")


def test_rights_and_links_stay(path):
    path.chmod(0o640)
    link = path.parent / "link"
    link.symlink_to(path)
    write(link, "zed", add)
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert stat.S_IMODE((path.parent / "settings.txt.before-dragoman").stat().st_mode) == 0o640
    undo(link, "zed")
    assert (link.is_symlink(), path.read_bytes()) == (True, OLD)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * (LARGEST + 1)])
def test_what_is_no_settings_file_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(CannotConnect):
        write(path, "zed", add)
    assert path.read_bytes() == content


def test_an_edit_that_refuses_leaves_no_trace(path):
    def refuse(_text):
        raise CannotConnect("no")

    with pytest.raises(CannotConnect):
        write(path, "zed", refuse)
    assert names(path) == ["settings.txt"]


def test_a_full_disk_leaves_the_old_file(path, monkeypatch):
    write(path, "zed", add)
    written = path.read_bytes()

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotConnect, match="No space left"):
        write(path, "zed", add)
    with pytest.raises(CannotConnect, match="No space left"):
        undo(path, "zed")
    assert path.read_bytes() == written
    assert not [name for name in names(path) if name.startswith(".")]
