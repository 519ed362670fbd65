"""Writes another program's settings file so that it can be taken back.

Beside a file ``NAME`` that was changed stand ``NAME.before-dragoman``, what it held, byte for byte
(nothing where there was no file), and ``NAME.dragoman.json``, the receipt: who was connected, and
the hash of what was written. Taking back needs both, and that nobody changed the file since.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from dragoman.connect.catalogue import CannotConnect

LARGEST: Final = 5_000_000
"""Bytes; what is larger is no settings file."""
_OWNER_ONLY: Final = 0o600
"""Rights of files that we make: they hold a key."""


class Receipt(msgspec.Struct, frozen=True):
    """What was done to a file."""

    app: str
    existed: bool
    sha256: str


def write(path: Path, app: str, edit: Callable[[str], str]) -> bool:
    """Replace the content of ``path`` by ``edit(content)``; ``False`` where it is so already.

    The file is replaced in one step, through links to it and with its rights. Raises
    ``CannotConnect`` if it cannot be read as text or not be written.
    """
    try:
        target = path.resolve()
        before = _content(target)
        try:
            text = (before or b"").decode("utf-8")
        except UnicodeDecodeError:
            raise CannotConnect("it is not text in UTF-8") from None
        after = edit(text).encode("utf-8")
        if after == before:
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        _keep(target, before, app, after)
        _replace(target, after, _rights(target))
    except OSError as error:
        raise CannotConnect(f"it cannot be written: {error.strerror or error}") from error
    return True


def undo(path: Path, app: str) -> None:
    """Put back what ``path`` held before ``write``, exactly; remove it if there was no file.

    Raises ``CannotConnect`` if there is nothing to take back, or if the file was changed since.
    """
    try:
        target = path.resolve()
        receipt = _receipt(target)
        if receipt is None or receipt.app != app:
            raise CannotConnect("there is nothing to take back")
        now = _content(target)
        before = _content(_copy_of(target)) if receipt.existed else None
        if receipt.existed and before is None:
            raise CannotConnect(f"the copy of what it held, {_copy_of(target)}, is gone")
        if now != before:
            if _hash(now) != receipt.sha256:
                where = f"; what it held before is in {_copy_of(target)}" if receipt.existed else ""
                raise CannotConnect(f"it was changed since{where}")
            if before is None:
                target.unlink()
            else:
                _replace(target, before, _rights(target))
        _copy_of(target).unlink(missing_ok=True)
        _receipt_of(target).unlink()
    except OSError as error:
        raise CannotConnect(f"it cannot be put back: {error.strerror or error}") from error


def _keep(target: Path, before: bytes | None, app: str, after: bytes) -> None:
    """Make the copy and the receipt.

    Where the file still is as we wrote it the last time, the first copy stays, so that taking back
    leads to what the user had. Otherwise the older copy gets a number.
    """
    old = _receipt(target)
    copy = _copy_of(target)
    if old is not None and _hash(before) == old.sha256 and (copy.exists() or not old.existed):
        existed = old.existed
    else:
        existed = before is not None
        if copy.exists():
            copy.rename(_free_name(copy))
        if before is not None:
            _replace(copy, before, _rights(target))
    receipt = Receipt(app=app, existed=existed, sha256=_hash(after))
    _replace(_receipt_of(target), msgspec.json.encode(receipt) + b"\n", _OWNER_ONLY)


def _free_name(path: Path) -> Path:
    number = 1
    while (numbered := path.with_name(f"{path.name}-{number}")).exists():
        number += 1
    return numbered


def _copy_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.before-dragoman")


def _receipt_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.dragoman.json")


def _receipt(target: Path) -> Receipt | None:
    content = _content(_receipt_of(target))
    if content is None:
        return None
    try:
        return msgspec.json.decode(content, type=Receipt)
    except msgspec.DecodeError:
        return None


def _content(path: Path) -> bytes | None:
    try:
        if path.stat().st_size > LARGEST:
            raise CannotConnect("it is too large for a settings file")
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _rights(path: Path) -> int:
    try:
        return path.stat().st_mode & 0o7777
    except FileNotFoundError:
        return _OWNER_ONLY


def _hash(content: bytes | None) -> str:
    return hashlib.sha256(content).hexdigest() if content is not None else ""


def _replace(path: Path, content: bytes, rights: int) -> None:
    """Write ``content`` to ``path`` in one step: a reader sees the old file or the new one."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(rights)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
