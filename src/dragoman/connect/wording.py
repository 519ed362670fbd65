"""What a user is told about connecting a program: on the terminal and on its page."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from dragoman.connect import editing
from dragoman.connect.catalogue import (
    API_NAMES,
    SERVED,
    App,
    CannotConnect,
    Endpoint,
    SettingsFile,
    filled,
)

QUOTING: Final[dict[str, Callable[[str], str]]] = {
    "sh": shlex.quote,
    "python": json.dumps,
    "typescript": json.dumps,
    "yaml": json.dumps,
    "json": json.dumps,
    "text": str,
}


def refuse_unserved(app: App) -> None:
    """Raises ``CannotConnect`` if ``app`` speaks an API that is not served."""
    if app.api not in SERVED:
        raise CannotConnect(
            f"{app.title} speaks the {API_NAMES[app.api]} API only, which this version does not "
            "serve; it can be connected when that API comes"
        )


def place_of(file: SettingsFile, home: Path, config: Path, platform: str) -> Path | None:
    """Where the program keeps its settings; ``None`` where only its owner knows.

    ``config`` is the folder for settings (``~/.config``), ``platform`` as ``sys.platform``.
    """
    path = file.macos if platform == "darwin" and file.macos else file.path
    return Path(filled(path, {"home": str(home), "config": str(config)})) if path else None


def instructions(app: App, endpoint: Endpoint, place: str) -> Iterator[tuple[str, str, str]]:
    """What to set, as ``(title, language, text)``; titles and steps are Markdown.

    ``place`` names the settings file. Steps to do by hand have the language ``steps``.
    """
    values = endpoint.values
    if app.env:
        lines = (
            f"export {name}={filled(text, values, shlex.quote)}\n" for name, text in app.env.items()
        )
        yield "Variables:", "sh", "".join(lines)
    if app.file is not None:
        yield f"In `{place}`:", app.file.format, editing.sample(app.file, endpoint)
    if app.steps:
        lines = (f"{n}. {filled(step, values)}\n" for n, step in enumerate(app.steps, start=1))
        yield "By hand:", "steps", "".join(lines)
    for snippet in app.snippets:
        text = filled(snippet.text, values, QUOTING[snippet.language])
        yield snippet.title, snippet.language, text


def on_terminal(app: App, name: str, endpoint: Endpoint, place: str) -> str:
    """The settings of ``app``, to read and to paste."""
    parts = [f"{app.title}: {app.about}\n"]
    for title, _, text in instructions(app, endpoint, place):
        parts.append(f"{title}\n\n{text}" if title else text)
    if app.file is not None:
        parts.append(f"`dragoman connect {name} --write` does it, `--undo` takes it back.\n")
    parts += [f"Note: {filled(note, endpoint.values)}\n" for note in app.notes]
    return "\n".join(parts)
