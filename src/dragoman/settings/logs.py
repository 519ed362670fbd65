"""``[log]`` and ``[traffic_log]``: what is written down, and where."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dragoman.settings.block import Block
from dragoman.settings.values import FileToWrite


class LogSettings(Block):
    """What is written to standard error, and to a file beside it."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe record that is written."""
    format: Literal["auto", "console", "json"] = "auto"
    """`console` for people, `json` for machines, `auto` chooses by whether standard error is a
    terminal."""
    requests: Literal["all", "errors", "none"] = "all"
    """Which requests get a line of their own."""
    bodies: bool = False
    """Write requests and answers themselves too, at the level `debug`: secrets masked, long base64
    shortened, the first 256 KB of each."""
    file: FileToWrite | None = None
    """File that gets everything that standard error gets."""
    file_max_mb: float = Field(default=10, gt=0, le=100_000)
    """Megabytes after which `file` is renamed to `file.1` and begun anew."""
    file_keep: int = Field(default=7, ge=1, le=1000)
    """Renamed files that are kept; the oldest goes first."""


class TrafficLogSettings(Block):
    """A record of each conversation as a line of JSON, for other programs to read."""

    file: FileToWrite | None = None
    """File to append to; none keeps no records."""
    content: bool = False
    """Put requests and answers into the records: secrets masked, the first 256 KB of each."""
    queue: int = Field(default=10_000, ge=1, le=1_000_000)
    """Records that may wait to be written; more are left out and counted."""
    max_mb: float = Field(default=100, gt=0, le=100_000)
    """Megabytes after which `file` is renamed to `file.1` and begun anew."""
    keep: int = Field(default=7, ge=1, le=1000)
    """Renamed files that are kept; the oldest goes first."""
