"""The programs that can be set up, and what each of them needs, as data.

``{{url}}`` in a text stands for the base address with ``/v1``, ``{{root}}`` for the one without
it, ``{{key}}``, ``{{model}}`` and ``{{port}}`` for themselves.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from difflib import get_close_matches
from importlib import resources
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import msgspec

Api = Literal["chat", "responses", "messages", "gemini"]

SERVED: Final[frozenset[Api]] = frozenset({"chat"})
"""The APIs that clients of this version can use."""

API_NAMES: Final[dict[Api, str]] = {
    "chat": "Chat Completions",
    "responses": "Responses",
    "messages": "Messages",
    "gemini": "Gemini",
}

_PLACEHOLDER: Final = re.compile(r"\{\{(\w+)\}\}")


class CannotConnect(Exception):
    """The program was not set up; the text says why and what to do. Nothing was changed."""


class Endpoint(msgspec.Struct, frozen=True):
    """Where the gateway is, as its clients see it."""

    root: str
    """Address without ``/v1`` and without a slash at its end."""
    key: str
    model: str

    @property
    def values(self) -> dict[str, str]:
        """What the placeholders stand for."""
        parts = urlsplit(self.root)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return {
            "url": f"{self.root}/v1",
            "root": self.root,
            "key": self.key,
            "model": self.model,
            "port": str(port),
        }


class Edit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One change of a settings file."""

    at: tuple[str, ...]
    """Names of the tables on the way, and of the value itself; none for the document."""
    value: Any
    item: str = ""
    """If given, ``at`` is a list and ``value`` an item of it, in place of the item whose member
    of this name is the same."""


class SettingsFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The program's own settings file."""

    format: Literal["json", "yaml"]
    edits: tuple[Edit, ...]
    path: str = ""
    """With ``{{home}}`` or ``{{config}}``; empty where only its owner knows where it is."""
    macos: str = ""
    """The same on macOS, if it is another."""
    new: dict[str, str] = {}
    """What a file that did not exist has to hold besides."""


class Snippet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something to paste or to run. Placeholders are quoted as its language wants it."""

    language: Literal["sh", "python", "typescript", "yaml", "json", "text"]
    text: str
    title: str = ""


class App(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A program that can be a client."""

    title: str
    about: str
    """What it is, in a sentence."""
    api: Api = "chat"
    recorded: str = ""
    """Name and version of the program whose own requests are replayed in the tests."""
    captures: str = ""
    """Folder of these requests."""
    proven: tuple[str, ...] = ()
    """Their names."""
    tried: str = ""
    """Name and version of the program that was run with these settings, by hand."""
    file: SettingsFile | None = None
    env: dict[str, str] = {}
    """Variables that it reads."""
    snippets: tuple[Snippet, ...] = ()
    steps: tuple[str, ...] = ()
    """What to do by hand, in Markdown."""
    notes: tuple[str, ...] = ()
    """What a user should know, in Markdown."""


def names() -> list[str]:
    """The names of all programs, in order."""
    folder = resources.files("dragoman.connect") / "apps"
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    )


def canonical_name(name: str) -> str:
    """The name of a program as we write it. Raises ``CannotConnect`` where there is none."""
    known = names()
    wanted = re.sub(r"[\s_]+", "-", name.strip().lower())
    if wanted in known:
        return wanted
    close = get_close_matches(wanted, known, n=1)
    hint = f"did you mean {close[0]}?" if close else "`dragoman connect` lists what is known"
    raise CannotConnect(f"{name} is not known; {hint}")


def read(name: str) -> App:
    """The program that is called exactly ``name``."""
    entry = resources.files("dragoman.connect") / "apps" / f"{name}.toml"
    return msgspec.convert(tomllib.loads(entry.read_text(encoding="utf-8")), App)


def filled(text: str, values: dict[str, str], quoted: Callable[[str], str] = str) -> str:
    """``text`` with its placeholders replaced by ``values``, each ``quoted``."""
    return _PLACEHOLDER.sub(lambda found: quoted(values[found[1]]), text)


def filled_value(value: Any, values: dict[str, str]) -> Any:
    """The same for every text in a JSON value, names of members included."""
    match value:
        case str():
            return filled(value, values)
        case list():
            return [filled_value(item, values) for item in value]
        case dict():
            return {filled(k, values): filled_value(item, values) for k, item in value.items()}
    return value
