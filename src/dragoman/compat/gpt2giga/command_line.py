"""Reads gpt2giga's flags, in the three styles that its releases and pages have used.

``--pass-model``, ``--proxy-pass-model`` and ``--proxy.pass-model`` are one; so are ``-`` and ``_``,
``--flag VALUE`` and ``--flag=VALUE``. A switch needs no value. Whole families may be given as JSON:
``--proxy '{"port": 8090}'``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from dragoman.compat.gpt2giga.names import KINDS, OFF, ON, Name, named_by_flag, nearest_flag
from dragoman.settings import Mistake

_BARE: Final = {Name("gpt2giga", "log_level"): "DEBUG"}
"""What a flag means that stands alone although it is no switch: its README has such an example."""
_TOML: Final = ".toml"


@dataclass(slots=True)
class CommandLine:
    """What was found."""

    given: dict[Name, tuple[str, str]] = field(default_factory=dict)
    """Setting -> value and flag."""
    env_path: Path | None = None
    config: Path | None = None
    inspect_only: bool = False
    warnings: list[str] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)


def read_command_line(arguments: Sequence[str]) -> CommandLine:
    """Everything that ``arguments`` say; what is wrong with them is in the answer too."""
    line = CommandLine()
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            line.warnings.append(f"{word}: only flags are understood, so this does nothing")
            continue
        flag, equals, text = word.partition("=")
        value = text if equals else None
        match flag.lower().replace("_", "-"):
            case "--inspect-config":
                line.inspect_only = _is_on(line, flag, _value(value, rest, is_switch=True))
            case "--env-path":
                line.env_path = _path(line, flag, _value(value, rest))
            case "--config":
                _take_config(line, _path(line, flag, _value(value, rest)))
            case "--proxy" | "--gigachat":
                _take_json(line, flag, _value(value, rest))
            case _:
                _take_flag(line, flag, value, rest)
    return line


def take_config(line: CommandLine, path: Path) -> str | None:
    """Use ``path`` if it is a settings file of ours; otherwise say why it does nothing."""
    if path.suffix.lower() == _TOML:
        line.config = line.config or path
        return None
    return (
        f"{path}: provider profiles of gpt2giga are not read; write the providers into a "
        "dragoman.toml and name that instead"
    )


def _take_config(line: CommandLine, path: Path | None) -> None:
    if path is not None and (warning := take_config(line, path)):
        line.warnings.append(f"--config {warning}")


def _take_flag(line: CommandLine, flag: str, value: str | None, rest: list[str]) -> None:
    name = named_by_flag(flag[2:])
    if name is None:
        _value(value, rest)
        line.warnings.append(
            f"{flag}: there is no such flag, so it does nothing; {nearest_flag(flag[2:])}"
        )
        return
    kind = KINDS[name]
    found = _value(value, rest, is_switch=kind == "switch")
    if found is None:
        found = "true" if kind == "switch" else _BARE.get(name)
    if found is None:
        line.mistakes.append(Mistake((), f"{flag} has no value", f"write {flag} VALUE"))
        return
    if kind == "secret":
        line.warnings.append(
            f"{flag}: everybody on this machine can read it in the list of processes; write "
            f"{name.variable} into .env instead"
        )
    line.given[name] = (found, flag)


def _take_json(line: CommandLine, flag: str, text: str | None) -> None:
    try:
        found = json.loads(text or "")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        line.mistakes.append(
            Mistake((), f"{flag} has no JSON object", f'write {flag} \'{{"name": "value"}}\'')
        )
        return
    for key, value in found.items():
        _take_flag(line, f"{flag}.{key}", as_text(value), [])


def as_text(value: Any) -> str:
    """A JSON value as an environment variable would hold it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _value(value: str | None, rest: list[str], *, is_switch: bool = False) -> str | None:
    """What belongs to a flag: behind its ``=``, or the next word if that is no flag (and, for a
    switch, says yes or no).
    """
    if value is not None or not rest or rest[0].startswith("--"):
        return value
    if is_switch and rest[0].lower() not in {*ON, *OFF}:
        return None
    return rest.pop(0)


def _is_on(line: CommandLine, flag: str, value: str | None) -> bool:
    if value is not None and value.lower() not in {*ON, *OFF}:
        line.mistakes.append(Mistake((), f"{flag} is `{value}`", "write true or false"))
    return value is None or value.lower() in ON


def _path(line: CommandLine, flag: str, value: str | None) -> Path | None:
    if not value:
        line.mistakes.append(Mistake((), f"{flag} has no value", f"write {flag} PATH"))
        return None
    return Path(value)


def json_list(text: str) -> Iterator[str]:
    """The items of a JSON array, or of words with commas between them."""
    try:
        found = json.loads(text)
    except ValueError:
        found = text.split(",")
    items = found if isinstance(found, list) else [found]
    return (item for item in (str(one).strip() for one in items) if item)
