"""Single values: where a setting stands, what is wrong with it, what its text must look like."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_core import PydanticCustomError

PERSONAL_SCOPE: Final = "GIGACHAT_API_PERS"
_SCOPES: Final = {
    "PERS": PERSONAL_SCOPE,
    "B2B": "GIGACHAT_API_B2B",
    "CORP": "GIGACHAT_API_CORP",
}
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+\Z")

Place = tuple[str | int, ...]
"""Where a setting stands: the names of its tables, its own, and a number inside a list."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong with the settings."""

    place: Place
    """The setting; empty when it is about none."""
    wrong: str
    remedy: str
    source: str = ""
    """Where the value came from, in words; empty when nothing was given."""

    @property
    def path(self) -> str:
        """``place`` as TOML writes it: ``models."gpt-4.1".targets[0]``."""
        return dotted(self.place)


def dotted(place: Place) -> str:
    """``place`` as TOML writes it."""
    path = ""
    for part in place:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += ("." if path else "") + (part if _BARE_KEY.match(part) else f'"{part}"')
    return path


def refusal(wrong: str, remedy: str) -> PydanticCustomError:
    """An error that a validator raises; both sentences reach the operator."""
    return PydanticCustomError("refusal", "{wrong}", {"wrong": wrong, "remedy": remedy})


def _split(value: Any) -> Any:
    """A list may also be written as one string with commas."""
    if isinstance(value, str):
        return [piece.strip() for piece in value.split(",") if piece.strip()]
    return value


def _sendable(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if not text:
        raise refusal("the secret is empty", "remove the entry or give the secret")
    if not text.isascii() or not text.isprintable():
        raise refusal(
            "the secret holds a line break or a character that no HTTP header may carry",
            "copy it again, without quotes and line breaks",
        )
    return secret


def _filled(secret: SecretStr) -> SecretStr:
    """For what is not sent as it is: a password may hold any letters."""
    if not secret.get_secret_value():
        raise refusal("the secret is empty", "remove the entry or give the secret")
    return secret


def _full_scope(value: Any) -> Any:
    """A scope may be written by its last word."""
    return _SCOPES.get(value.strip().upper(), value.strip()) if isinstance(value, str) else value


def _gigachat_credential(secret: SecretStr) -> SecretStr:
    way, colon, rest = secret.get_secret_value().partition(":")
    if not colon or way == "token":
        return secret
    if way == "user":
        if not all(rest.partition(":")):
            raise refusal("user and password are incomplete", "write user:NAME:PASSWORD")
    elif _full_scope(rest) not in _SCOPES.values():
        raise refusal(
            "what follows the authorization key is no scope",
            "write KEY:PERS, KEY:B2B or KEY:CORP, or the key alone",
        )
    return secret


def _web_address(value: str) -> str:
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in {"http", "https"} or not host:
        raise refusal("this is no address", "write http://HOST[:PORT]/PATH or https://...")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise refusal(
            "the address holds a user name, a query or a fragment",
            "leave only scheme, host, port and path; secrets go to credentials",
        )
    return value.rstrip("/")


def _proxy_address(secret: SecretStr) -> SecretStr:
    parts = urlsplit(secret.get_secret_value())
    if parts.scheme not in {"http", "socks5", "socks5h"} or not parts.hostname:
        raise refusal(
            "this is no proxy that the gateway can use",
            "write http://[USER:PASSWORD@]HOST:PORT or socks5://...",
        )
    return secret


def _existing_file(path: Path) -> Path:
    if not path.is_file():
        raise refusal(f"there is no file {path}", "correct the path; ~ is not expanded")
    return path


def _file_to_write(path: Path) -> Path:
    if path.is_dir():
        raise refusal(f"{path} is a folder", "name a file in it")
    if not path.parent.is_dir():
        raise refusal(f"there is no folder {path.parent}", "make it or correct the path")
    return path


Secrets = Annotated[
    tuple[Annotated[SecretStr, AfterValidator(_sendable)], ...], BeforeValidator(_split)
]
Secret = Annotated[SecretStr, AfterValidator(_sendable)]
GigaChatCredentials = Annotated[
    tuple[
        Annotated[SecretStr, AfterValidator(_sendable), AfterValidator(_gigachat_credential)], ...
    ],
    BeforeValidator(_split),
]
Password = Annotated[SecretStr, AfterValidator(_filled)]
Scope = Annotated[
    Literal["GIGACHAT_API_PERS", "GIGACHAT_API_B2B", "GIGACHAT_API_CORP"],
    BeforeValidator(_full_scope),
]
Names = Annotated[tuple[str, ...], BeforeValidator(_split)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
ProxyAddress = Annotated[SecretStr, AfterValidator(_proxy_address)]
ExistingFile = Annotated[Path, AfterValidator(_existing_file)]
FileToWrite = Annotated[Path, AfterValidator(_file_to_write)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
