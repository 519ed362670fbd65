"""Where settings come from: ``dragoman.toml``, ``.env``, the environment, flags, in rising order.

``load`` gathers them into one draft, which remembers the origin of each value, resolves the
secrets given as ``env:NAME`` or ``file:PATH``, builds the tree and reports every mistake together.
Nothing else in the house reads the environment.

Variables are named ``DRAGOMAN_`` and the path in capitals with ``__`` between its parts. A few
well-known names work without any file; the tables below list them.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from dragoman.settings.checks import is_own_address
from dragoman.settings.container import open_container
from dragoman.settings.draft import Draft, Origin, build
from dragoman.settings.server import ServerSettings
from dragoman.settings.tree import PROVIDER_KINDS, SECRET_FIELDS, Settings
from dragoman.settings.values import Mistake, Place, dotted

DEFAULT_FILE: Final = "dragoman.toml"
DEFAULT_ENV_FILE: Final = ".env"

_PREFIX: Final = "DRAGOMAN_"
_OTHER_NAMES: Final = frozenset({"DRAGOMAN_CONFIG", "DRAGOMAN_CONTAINER", "DRAGOMAN_GOLDEN_UPDATE"})
_ORCHESTRATOR: Final = re.compile(r"DRAGOMAN_(.*_)?(SERVICE|PORT)(_|\Z)")
"""What Kubernetes sets in every pod beside a service called ``dragoman``."""

_FLAGS: Final[Mapping[str, tuple[str, ...]]] = {
    "--host": ("server", "host"),
    "--port": ("server", "port"),
    "--api-key": ("server", "api_keys"),
    "--insecure-public": ("server", "insecure_public"),
    "--log-level": ("log", "level"),
}
_SERVER_NAMES: Final = (
    ("GPT2GIGA_HOST", "host"),
    ("BIND_ADDRESS", "host"),
    ("GPT2GIGA_PORT", "port"),
    ("PORT", "port"),
)
"""Names that other programs and hosting services use; of two for one setting the later counts."""

_GIGACHAT_NAMES: Final = {
    "GIGACHAT_CREDENTIALS": "credentials",
    "GIGACHAT_ACCESS_TOKEN": "access_token",
    "GIGACHAT_USER": "user",
    "GIGACHAT_PASSWORD": "password",
    "GIGACHAT_CERT_FILE": "client_certificate",
    "GIGACHAT_KEY_FILE": "client_key",
    "GIGACHAT_KEY_FILE_PASSWORD": "client_key_password",
    "GIGACHAT_SCOPE": "scope",
    "GIGACHAT_BASE_URL": "base_url",
    "GIGACHAT_AUTH_URL": "auth_url",
    "GIGACHAT_CA_BUNDLE_FILE": "ca_bundle",
    "GIGACHAT_VERIFY_SSL_CERTS": "verify_tls",
    "GIGACHAT_MODEL": "models",
}
_GIGACHAT_PROOFS: Final = (
    "GIGACHAT_CREDENTIALS",
    "GIGACHAT_ACCESS_TOKEN",
    "GIGACHAT_USER",
    "GIGACHAT_PASSWORD",
    "GIGACHAT_CERT_FILE",
)
_OPENAI_NAMES: Final = {"OPENAI_API_KEY": "credentials", "OPENAI_BASE_URL": "base_url"}

_SECRET_LISTS: Final = frozenset({"api_keys", "credentials"})
_UNKNOWN_SECRET: Final = "unresolved"  # noqa: S105 - stands for a secret that was not found


def load(
    flags: Mapping[str, Any],
    *,
    config: Path | None = None,
    env_file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Settings:
    """The settings, from everywhere.

    ``flags`` maps ``--host``, ``--port``, ... to values; ``None`` means not given. Without
    ``config`` and ``env_file``, ``dragoman.toml`` and ``.env`` in ``cwd`` are read if they exist.
    Raises ``SettingsError`` with all mistakes.
    """
    here = cwd or Path.cwd()
    draft, known = _gathered(flags, config, env_file, environ, here)
    _take_usual_providers(draft, known, here)
    _name_kinds(draft)
    _resolve_secrets(draft, known)
    return build(draft)


def load_server(
    *,
    config: Path | None = None,
    env_file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> ServerSettings:
    """Where ``load`` would have the gateway listen, whatever is wrong with the other settings.

    A ``[server]`` that cannot be read counts as one that says nothing.
    """
    draft, _ = _gathered({}, config, env_file, environ, cwd or Path.cwd())
    try:
        return ServerSettings.model_validate(draft.tree.get("server", {}))
    except ValidationError:
        return ServerSettings()


def _gathered(
    flags: Mapping[str, Any],
    config: Path | None,
    env_file: Path | None,
    environ: Mapping[str, str] | None,
    here: Path,
) -> tuple[Draft, dict[str, str]]:
    """What all sources say, and the variables that they may refer to."""
    variables = _filled(os.environ if environ is None else environ)
    draft = Draft()
    named = config or (
        Path(variables["DRAGOMAN_CONFIG"]) if "DRAGOMAN_CONFIG" in variables else None
    )
    _take_file(draft, here / (named or DEFAULT_FILE), must_exist=named is not None)
    dotenv_path = here / (env_file or DEFAULT_ENV_FILE)
    dotenv = _read_env_file(draft, dotenv_path, must_exist=env_file is not None)
    _take_variables(draft, dotenv, dotenv_path.name, dotenv_path.parent)
    _take_variables(draft, variables, "the environment", here)
    for flag, value in flags.items():
        if value is not None and value != []:
            draft.put(_FLAGS[flag], value, Origin(flag, here))
    open_container(draft)
    return draft, {**dotenv, **variables}


def load_translated(
    translate: Callable[[Draft, Mapping[str, str], Mapping[str, str]], None],
    *,
    config: Path | None,
    env_file: Path | None,
    environ: Mapping[str, str] | None,
    cwd: Path,
) -> Settings:
    """As ``load``, for a command that takes the names of another program.

    Our own file (only if ``config`` names it) and our own variables come first; then ``translate``
    puts into the draft what the variables of ``env_file`` and those of the environment mean. Both
    know no other names of ours. Raises ``SettingsError`` with all mistakes.
    """
    variables = _filled(os.environ if environ is None else environ)
    draft = Draft()
    if config is not None:
        _take_file(draft, cwd / config, must_exist=True)
    dotenv: dict[str, str] = {}
    if env_file is not None:
        dotenv = _read_env_file(draft, env_file, must_exist=True, interpolate=True)
        _take_own_names(draft, dotenv, env_file.name, env_file.parent)
    _take_own_names(draft, variables, "the environment", cwd)
    translate(draft, dotenv, variables)
    open_container(draft)
    _name_kinds(draft)
    _resolve_secrets(draft, {**dotenv, **variables})
    return build(draft)


def _filled(variables: Mapping[str, str | None]) -> dict[str, str]:
    """Variables that hold something; compose files set unused ones to nothing."""
    return {name: value for name, value in variables.items() if value}


def _take_file(draft: Draft, path: Path, *, must_exist: bool) -> None:
    if not path.is_file():
        if must_exist:
            draft.mistakes.append(Mistake((), f"there is no file {path}", "correct the path"))
        return
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        wrong = f"{path} cannot be read: {error}"
        draft.mistakes.append(Mistake((), wrong, "correct the file; it must be TOML in UTF-8"))
        return
    origin = Origin(path.name, path.parent, is_file=True)
    for place, value in _leaves(content):
        draft.put(place, value, origin)


def _leaves(
    table: Mapping[str, Any], around: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in table.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*around, name))
        else:
            yield (*around, name), value


def _read_env_file(
    draft: Draft, path: Path, *, must_exist: bool, interpolate: bool = False
) -> dict[str, str]:
    if not path.is_file():
        if must_exist:
            draft.mistakes.append(Mistake((), f"there is no file {path}", "correct the path"))
        return {}
    from dotenv import dotenv_values  # noqa: PLC0415 - most starts have no such file

    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        wrong = f"{path} cannot be read: {error}"
        draft.mistakes.append(Mistake((), wrong, "save it as UTF-8"))
        return {}
    return _filled(dotenv_values(stream=StringIO(text), interpolate=interpolate))


def _take_variables(draft: Draft, variables: Mapping[str, str], origin: str, folder: Path) -> None:
    for name, setting in _SERVER_NAMES:
        if name in variables and not variables[name].startswith("tcp://"):
            place = ("server", setting)
            draft.put(place, variables[name], Origin(f"{name} in {origin}", folder))
    _take_own_names(draft, variables, origin, folder)


def _take_own_names(draft: Draft, variables: Mapping[str, str], origin: str, folder: Path) -> None:
    def take(name: str, place: tuple[str, ...], value: Any) -> None:
        draft.put(place, value, Origin(f"{name} in {origin}", folder))

    if "DRAGOMAN_CONTAINER" in variables:
        take("DRAGOMAN_CONTAINER", ("server", "container"), variables["DRAGOMAN_CONTAINER"])
    for name, value in sorted(variables.items()):
        if not name.startswith(_PREFIX) or name in _OTHER_NAMES:
            continue
        if "__" in name:
            place = _place_of(name, draft.tree)
            take(name, place, _parsed(place, value))
        elif not _ORCHESTRATOR.match(name):
            draft.warnings.append(
                f"{name}: this variable means nothing; settings have two underscores between "
                "their parts, as in DRAGOMAN_SERVER__PORT"
            )


def _place_of(name: str, tree: Mapping[str, Any]) -> tuple[str, ...]:
    """The setting that a variable means; names already in the tree keep their own spelling."""
    place: list[str] = []
    table: Any = tree
    for part in name.removeprefix(_PREFIX).split("__"):
        known = {_plain(key): key for key in table} if isinstance(table, dict) else {}
        key = known.get(_plain(part), part.lower())
        place.append(key)
        table = table.get(key) if isinstance(table, dict) else None
    return tuple(place)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "_", name.lower())


def _parsed(place: tuple[str, ...], value: str) -> Any:
    """Lists and tables may be written as JSON."""
    opening = "[" if place[-1] in SECRET_FIELDS - {"headers"} else "[{"
    if value[0] in opening:
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _take_usual_providers(draft: Draft, variables: Mapping[str, str], folder: Path) -> None:
    """Where no provider is configured, the variables of the official SDKs make one."""
    if draft.tree.get("providers"):
        return
    if any(name in variables for name in _GIGACHAT_PROOFS):
        for name, setting in _GIGACHAT_NAMES.items():
            if name in variables:
                place = ("providers", "gigachat", setting)
                draft.put(place, variables[name], Origin(name, folder))
    if all(name in variables for name in _OPENAI_NAMES):
        if _points_here(draft, variables["OPENAI_BASE_URL"]):
            draft.warnings.append(
                "OPENAI_BASE_URL: it holds this gateway's own address, which is for clients, so "
                "no provider is made of it"
            )
            return
        origin = Origin("OPENAI_API_KEY and OPENAI_BASE_URL", folder)
        draft.put(("providers", "openai", "kind"), "openai_compatible", origin)
        for name, setting in _OPENAI_NAMES.items():
            draft.put(("providers", "openai", setting), variables[name], Origin(name, folder))


def _points_here(draft: Draft, address: str) -> bool:
    given = draft.tree.get("server")
    server = given if isinstance(given, dict) else {}
    try:
        trial = Settings.model_validate(
            {
                "server": {key: server[key] for key in ("host", "port") if key in server},
                "providers": {"openai": {"kind": "openai_compatible", "base_url": address}},
            }
        )
    except ValidationError:
        return False
    return is_own_address(trial.providers["openai"], trial.server)


def _name_kinds(draft: Draft) -> None:
    """A provider that is called like a kind is of that kind unless it says otherwise."""
    providers = draft.tree.get("providers")
    if isinstance(providers, dict):
        for name, provider in providers.items():
            if name in PROVIDER_KINDS and isinstance(provider, dict):
                provider.setdefault("kind", name)


def _resolve_secrets(draft: Draft, variables: Mapping[str, str]) -> None:
    for place, origin in list(draft.origins.items()):
        names = place[2:] if place[0] == "providers" else place[1:]
        if not SECRET_FIELDS.intersection(names):
            continue
        *around, last = place
        table: Any = draft.tree
        for part in around:
            table = table.get(part) if isinstance(table, dict) else None
        if isinstance(table, dict) and last in table:
            table[last] = _resolved(draft, place, table[last], origin, variables)


def _resolved(
    draft: Draft, place: Place, value: Any, origin: Origin, variables: Mapping[str, str]
) -> Any:
    if place[-1] in _SECRET_LISTS:
        pieces = value.split(",") if isinstance(value, str) else value
        if not isinstance(pieces, list):
            return value
        found = [_secret(draft, place, piece, origin, variables) for piece in pieces]
        return [one for piece in found for one in _separate(piece)]
    return _secret(draft, place, value, origin, variables)


def _separate(secret: Any) -> list[Any]:
    """A variable or a file may hold several secrets, with commas or on lines of their own."""
    if isinstance(secret, str):
        return [piece.strip() for piece in re.split(r"[,\n]", secret) if piece.strip()]
    return [secret]


def _secret(
    draft: Draft, place: Place, value: Any, origin: Origin, variables: Mapping[str, str]
) -> Any:
    if not isinstance(value, str):
        return value
    how, _, rest = value.strip().partition(":")
    if how == "env":
        if rest in variables:
            return variables[rest].strip()
        wrong, remedy = (
            f"the variable {rest} is not set",
            f"set {rest} in the environment or in .env",
        )
    elif how == "file":
        path = origin.folder / rest
        try:
            return path.read_text(encoding="utf-8-sig").strip()
        except (OSError, ValueError) as error:
            wrong, remedy = (
                f"{path} cannot be read: {error}",
                "correct the path or the file's rights",
            )
    else:
        if origin.is_file and place[-1] not in {"proxy", "user"} and "headers" not in place:
            draft.warnings.append(
                f"{dotted(place)}: the secret itself stands in {origin.source}; write env:NAME or "
                "file:PATH, so that the file can be shown"
            )
        return value.strip()
    draft.mistakes.append(Mistake(place, wrong, remedy, origin.source))
    return _UNKNOWN_SECRET
