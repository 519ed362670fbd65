"""``dragoman gpt2giga``: started with gpt2giga's own flags, variables and ``.env``.

Reference points are its releases 0.0.14 and 0.3.0, which spell flags in three ways and disagree in
some defaults. ``names`` lists every setting that either has, ``command_line`` reads the flags,
``translation`` puts what they mean into our tree of settings; what means nothing any more is
accepted and said so, what never was is warned about with the nearest name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dragoman.compat.gpt2giga.command_line import read_command_line
from dragoman.compat.gpt2giga.translation import translate
from dragoman.settings import Settings
from dragoman.settings_sources import DEFAULT_ENV_FILE, load_translated


@dataclass(frozen=True, slots=True)
class Start:
    """What a command line asks for."""

    settings: Settings
    inspect_only: bool
    """Print the settings and end."""


def read(
    arguments: Sequence[str], environ: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Start:
    """Read flags, environment and ``.env`` as gpt2giga does: a flag wins over a variable of the
    environment, and that over the file. Raises ``SettingsError`` with all mistakes.
    """
    here = cwd or Path.cwd()
    line = read_command_line(arguments)
    settings = load_translated(
        partial(translate, line, here),
        config=line.config,
        env_file=here / line.env_path if line.env_path else _env_file_above(here),
        environ=environ,
        cwd=here,
    )
    return Start(settings, line.inspect_only)


def _env_file_above(folder: Path) -> Path | None:
    """The nearest ``.env`` in ``folder`` or above it."""
    candidates = (place / DEFAULT_ENV_FILE for place in (folder, *folder.parents))
    return next((path for path in candidates if path.is_file()), None)
