"""What can be done for one program: show its settings, write them, take them back."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from dragoman.connect import editing, files, wording
from dragoman.connect.catalogue import (
    API_NAMES,
    SERVED,
    App,
    CannotConnect,
    Endpoint,
    SettingsFile,
    canonical_name,
    names,
    read,
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A program, and where its settings are on this machine."""

    name: str
    app: App
    place: Path | None

    def show(self, endpoint: Endpoint) -> str:
        """Its settings as text for people."""
        where = str(self.place) if self.place else "its settings file"
        return wording.on_terminal(self.app, self.name, endpoint, where)

    def write(self, endpoint: Endpoint) -> str:
        """Write its settings. Returns what was done; raises ``CannotConnect``."""
        file, place = self._file()
        try:
            is_new = files.write(
                place, self.name, lambda text: editing.edited(text, file, endpoint)
            )
        except CannotConnect as error:
            raise CannotConnect(f"{place}: {error}") from error
        if not is_new:
            return f"{place} says so already."
        return (
            f"{self.app.title} is connected by {place}.\n"
            f"`dragoman connect {self.name} --undo` takes it back."
        )

    def undo(self) -> str:
        """Take it back. Returns what was done; raises ``CannotConnect``."""
        _, place = self._file()
        try:
            files.undo(place, self.name)
        except CannotConnect as error:
            raise CannotConnect(f"{place}: {error}") from error
        return f"{place} is as it was before."

    def _file(self) -> tuple[SettingsFile, Path]:
        if self.app.file is None:
            raise CannotConnect(
                f"{self.app.title} is not set up by a file; `dragoman connect {self.name}` says how"
            )
        if self.place is None:
            raise CannotConnect(
                f"only you know where the settings file of {self.app.title} is; say --file PATH"
            )
        return self.app.file, self.place


def choose(name: str, file: Path | None, config_home: Path | None) -> Chosen:
    """The program called ``name``, with its settings in ``file`` or where usual.

    ``config_home`` replaces ``~/.config``. Raises ``CannotConnect`` if there is no such program,
    or if it speaks an API that is not served.
    """
    known = canonical_name(name)
    app = read(known)
    wording.refuse_unserved(app)
    place = file
    if place is None and app.file is not None:
        home = Path.home()
        place = wording.place_of(app.file, home, config_home or home / ".config", sys.platform)
    return Chosen(known, app, place)


def listing() -> str:
    """All programs, one a line."""
    known = [(name, read(name)) for name in names()]
    width = max(len(name) for name, _ in known)
    lines = []
    for name, app in known:
        api = "" if app.api in SERVED else f" (not yet: needs the {API_NAMES[app.api]} API)"
        lines.append(f"  {name.ljust(width)}  {app.about}{api}")
    return "Programs that can be set up as clients:\n\n" + "\n".join(lines) + "\n"


def root_of(address: str) -> str:
    """``address`` without ``/v1`` and slashes at its end.

    Raises ``CannotConnect`` if it is no address of a web server.
    """
    root = address.strip().rstrip("/").removesuffix("/v1").rstrip("/")
    try:
        parts = urlsplit(root)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        has_host = False
    if not has_host or parts.scheme not in {"http", "https"} or parts.query or parts.fragment:
        raise CannotConnect(f"{address} is no address; write one as in http://127.0.0.1:8090")
    return root
