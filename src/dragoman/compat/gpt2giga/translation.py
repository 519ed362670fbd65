"""What gpt2giga's settings mean in our tree."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from dragoman.compat.gpt2giga.command_line import CommandLine, json_list, take_config
from dragoman.compat.gpt2giga.names import (
    ALIASES,
    OFF,
    ON,
    REMARKS,
    Name,
    named_by_variable,
    nearest_variable,
)
from dragoman.settings import Mistake, ServerSettings
from dragoman.settings.draft import Draft, Origin
from dragoman.settings.tree import block_at
from dragoman.settings.values import Place, dotted

PROVIDER: Final = "gigachat"
DEFAULT_MODEL: Final = "GigaChat"
DEFAULT_LOG: Final = "gpt2giga.log"
MEGABYTE: Final = 1024 * 1024

_ORCHESTRATOR: Final = re.compile(r"(GPT2GIGA|GIGACHAT)_(.*_)?(SERVICE|PORT)_")
"""What Kubernetes and Docker's links set beside a service of that name."""

_LEVELS: Final = {
    "trace": "debug", "debug": "debug", "info": "info", "warn": "warning", "warning": "warning",
    "error": "error", "critical": "error", "fatal": "error",
}  # fmt: skip

_SAME: Final[Mapping[Name, tuple[str, ...]]] = {
    Name("gpt2giga", "host"): ("server", "host"),
    Name("gpt2giga", "port"): ("server", "port"),
    Name("gpt2giga", "shutdown_timeout_seconds"): ("server", "shutdown_grace"),
    Name("gpt2giga", "pass_token"): ("providers", PROVIDER, "callers_credentials"),
    Name("gpt2giga", "pass_token_client_cache_size"): ("providers", PROVIDER, "callers_kept"),
    Name("gpt2giga", "embeddings"): ("providers", PROVIDER, "embeddings_model"),
    Name("gpt2giga", "gigachat_api_mode"): ("providers", PROVIDER, "api"),
    Name("gpt2giga", "default_max_tokens"): ("providers", PROVIDER, "default_max_tokens"),
    Name("gpt2giga", "enable_images"): ("media", "images"),
    Name("gpt2giga", "traffic_log_capture_content"): ("traffic_log", "content"),
    Name("gpt2giga", "traffic_log_queue_size"): ("traffic_log", "queue"),
    Name("gigachat", "base_url"): ("providers", PROVIDER, "base_url"),
    Name("gigachat", "auth_url"): ("providers", PROVIDER, "auth_url"),
    Name("gigachat", "credentials"): ("providers", PROVIDER, "credentials"),
    Name("gigachat", "scope"): ("providers", PROVIDER, "scope"),
    Name("gigachat", "access_token"): ("providers", PROVIDER, "access_token"),
    Name("gigachat", "user"): ("providers", PROVIDER, "user"),
    Name("gigachat", "password"): ("providers", PROVIDER, "password"),
    Name("gigachat", "ca_bundle_file"): ("providers", PROVIDER, "ca_bundle"),
    Name("gigachat", "cert_file"): ("providers", PROVIDER, "client_certificate"),
    Name("gigachat", "key_file"): ("providers", PROVIDER, "client_key"),
    Name("gigachat", "key_file_password"): ("providers", PROVIDER, "client_key_password"),
    Name("gigachat", "verify_ssl_certs"): ("providers", PROVIDER, "verify_tls"),
}
"""Settings that have a counterpart which takes the same value."""

_WHOLE_SECRETS: Final = frozenset({"access_token", "password", "user", "client_key_password"})
"""Taken as they are, whatever they begin with and hold."""
_SIZES: Final = {
    Name("gpt2giga", "max_request_body_bytes"): ("server", "max_body_mb"),
    Name("gpt2giga", "max_audio_file_size_bytes"): ("media", "max_audio_mb"),
    Name("gpt2giga", "max_image_file_size_bytes"): ("media", "max_image_mb"),
    Name("gpt2giga", "max_text_file_size_bytes"): ("media", "max_document_mb"),
    Name("gpt2giga", "max_audio_image_total_size_bytes"): ("media", "max_total_mb"),
    Name("gpt2giga", "log_max_size"): ("log", "file_max_mb"),
}
"""Settings in bytes that we have in megabytes."""


def translate(
    line: CommandLine,
    folder: Path,
    draft: Draft,
    dotenv: Mapping[str, str],
    environment: Mapping[str, str],
) -> None:
    """Put into ``draft`` what flags, environment and ``.env`` say, in falling order of weight.
    Relative paths count from ``folder``.
    """
    translation = _Translation(folder, draft)
    translation.take_variables(dotenv, ".env")
    translation.take_variables(environment, "the environment")
    translation.take(line.given)
    draft.warnings += line.warnings
    draft.mistakes += line.mistakes
    translation.put_all()


class _Translation:
    """Gathers what was given, then puts it subject by subject."""

    def __init__(self, folder: Path, draft: Draft) -> None:
        self._folder = folder
        self._draft = draft
        self._given: dict[Name, tuple[str, str]] = {}
        """Setting -> value and where it came from, in words."""

    # Gathering.

    def take_variables(self, variables: Mapping[str, str], where: str) -> None:
        """Those of both families; a name that neither has is warned about."""
        found = {}
        for variable, value in sorted(variables.items()):
            if not variable.upper().startswith(("GPT2GIGA_", "GIGACHAT_")):
                continue
            if variable.upper() == "GPT2GIGA_CONFIG":
                self._take_config(variable, Path(value))
            elif (name := named_by_variable(variable)) is not None:
                if not value.startswith("tcp://"):
                    found[name] = (value, f"{name.variable} in {where}")
            elif not _ORCHESTRATOR.match(variable.upper()):
                self._warn(
                    f"{variable} in {where}: there is no such variable, so it does nothing; "
                    f"{nearest_variable(variable)}"
                )
        self.take(found)

    def take(self, given: Mapping[Name, tuple[str, str]]) -> None:
        """What is given here wins over what was before; a second name counts less."""
        for name, value in given.items():
            if name in ALIASES and ALIASES[name] not in given:
                self._given[ALIASES[name]] = value
        self._given.update({name: one for name, one in given.items() if name not in ALIASES})

    def _take_config(self, variable: str, path: Path) -> None:
        warning = take_config(CommandLine(), path) or (
            f"{path}: name your settings file with --config instead"
        )
        self._warn(f"{variable} {warning}")

    # Putting.

    def put_all(self) -> None:
        """Everything that was given, and the old program's defaults where they differ from ours."""
        self._put_default(("providers", PROVIDER, "kind"), "gigachat")
        for name, place in _SAME.items():
            text = self._text(name)
            self._put_known(place, SecretStr(text) if place[-1] in _WHOLE_SECRETS else text, name)
        for name, place in _SIZES.items():
            if name in self._given:
                self._put_known(place, self._number(name) / MEGABYTE, name)
        self._server()
        self._web_pages_and_keys()
        self._https()
        self._models()
        self._reasoning_and_structure()
        self._times_and_limits()
        self._log()
        self._traffic_log()
        for name, remark in REMARKS.items():
            if name in self._given and self._text(name).lower() not in remark.usual:
                self._warn(f"{self._source(name)} does nothing: {remark.text}")

    def _server(self) -> None:
        self._put_default(("server", "any_prefix"), True)  # noqa: FBT003 - a setting's value
        self._put_default(("server", "shutdown_grace"), 10)
        if has_setting(("server", "api_by_path")):
            self._put_default(("server", "api_by_path"), True)  # noqa: FBT003 - same
        host = Name("gpt2giga", "host")
        if host in self._given and not ServerSettings(host=self._text(host)).is_loopback:
            # The old program listens where it is told; that nobody has to show a key is warned
            # about by the settings themselves.
            self._put(("server", "insecure_public"), True, host)  # noqa: FBT003 - same

    def _web_pages_and_keys(self) -> None:
        mode, key = Name("gpt2giga", "mode"), Name("gpt2giga", "api_key")
        text = self._text(mode, "DEV").upper()
        if text not in {"DEV", "PROD"}:
            self._mistake(mode, f"`{text}` is no mode", "write DEV or PROD")
        is_open = text != "PROD"
        for name, field in (("origins", "cors_origins"), ("methods", "cors_methods"),
                            ("headers", "cors_headers")):  # fmt: skip
            setting = Name("gpt2giga", f"cors_allow_{name}")
            values = list(json_list(self._text(setting, "*")))
            if not is_open and name == "origins":
                values = [value for value in values if value != "*"]
            self._put_default(("server", field), values)
        self._put_default(("server", "cors_credentials"), is_open)
        wanted = Name("gpt2giga", "enable_api_key_auth")
        if not is_open or self._is_on(wanted):
            if key in self._given:
                self._put(("server", "api_keys"), [SecretStr(self._text(key))], key)
            elif "api_keys" not in self._draft.tree.get("server", {}):
                asker = mode if not is_open else wanted
                self._mistake(asker, "a key is asked for and none is set", "set GPT2GIGA_API_KEY")
        elif key in self._given:
            self._warn(
                f"{self._source(key)} does nothing: no key is asked for; "
                "GPT2GIGA_ENABLE_API_KEY_AUTH=True does that"
            )

    def _https(self) -> None:
        wanted = Name("gpt2giga", "use_https")
        files = {
            "tls_certificate": Name("gpt2giga", "https_cert_file"),
            "tls_key": Name("gpt2giga", "https_key_file"),
        }
        for field, name in files.items():
            if self._is_on(wanted) and name in self._given:
                self._put(("server", field), self._text(name), name)
            elif self._is_on(wanted):
                self._mistake(wanted, f"{name.variable} is missing", "set it to a PEM file")
            elif name in self._given:
                self._warn(f"{self._source(name)} does nothing without GPT2GIGA_USE_HTTPS=True")

    def _models(self) -> None:
        """Which model answers. Neither way of naming one is lost where nothing was said: GigaChat's
        own names are passed on, any other means the configured model.
        """
        model, passed = Name("gigachat", "model"), Name("gpt2giga", "pass_model")
        configured = self._text(model, DEFAULT_MODEL)
        self._put_default(("server", "default_model"), configured)
        if passed not in self._given:
            aliases = {
                "Giga*": "Giga*",
                "Embeddings*": "Embeddings*",
                "openai/Giga*": "Giga*",
                "*": configured,
            }
        elif self._is_on(passed):
            aliases = {"*": "*"}
        else:
            aliases = {"*": configured}
        for alias, target in aliases.items():
            self._put_default(("models", alias, "targets"), [f"{PROVIDER}/{target}"])

    def _reasoning_and_structure(self) -> None:
        more, none = Name("gpt2giga", "enable_reasoning"), Name("gpt2giga", "disable_reasoning")
        if self._is_on(more):
            place = ("providers", PROVIDER, "default_reasoning_effort")
            self._put_known(place, "high", more)
        if self._is_on(none):
            self._put_known(("providers", PROVIDER, "reasoning"), value=False, name=none)
        structure = Name("gpt2giga", "structured_output_mode")
        text = self._text(structure).lower()
        place = ("providers", PROVIDER, "structured_output")
        self._put_known(place, "function" if text == "function_call" else text, structure)
        session = Name("gigachat", "session_id")
        if session in self._given:
            headers = ("providers", PROVIDER, "headers", "X-Session-ID")
            self._put(headers, SecretStr(self._text(session)), session)
            if has_setting(ids := ("providers", PROVIDER, "session_ids")):
                self._put(ids, value=False, name=session)

    def _times_and_limits(self) -> None:
        timeout = Name("gigachat", "timeout")
        if timeout in self._given:
            seconds = self._number(timeout)
            for field, value in (("connect", min(seconds, 10)), ("first_byte", seconds),
                                 ("idle", seconds)):  # fmt: skip
                self._put(("providers", PROVIDER, "timeouts", field), value, timeout)
        retries = Name("gigachat", "max_retries")
        if retries in self._given:
            self._put(("retry", "attempts"), int(self._number(retries)) + 1, retries)
        for name in (Name("gigachat", "max_connections"),
                     Name("gpt2giga", "model_max_connections_default")):  # fmt: skip
            if name in self._given:
                place = ("providers", PROVIDER, "limits", "in_flight")
                self._put(place, self._text(name), name)
        wait = Name("gpt2giga", "model_max_connections_acquire_timeout")
        if wait in self._given and self._number(wait) > 0:
            self._put(("queue", "max_wait"), self._text(wait), wait)
        elif wait in self._given:
            self._put(("queue", "max_length"), 0, wait)
        by_model = Name("gpt2giga", "model_max_connections")
        if self._text(by_model, "{}").strip() != "{}":
            self._warn(
                f"{self._source(by_model)} does nothing: limits are for each credential over all "
                "models; GPT2GIGA_MODEL_MAX_CONNECTIONS_DEFAULT sets one"
            )

    def _log(self) -> None:
        level, verbose = Name("gpt2giga", "log_level"), Name("gpt2giga", "verbose")
        text = self._text(level, "DEBUG" if self._is_on(verbose) else "INFO").lower()
        self._put_default(("log", "level"), _LEVELS.get(text, text))
        if level in self._given:
            self._put(("log", "level"), _LEVELS.get(text, text), level)
        self._put_default(("log", "bodies"), True)  # noqa: FBT003 - shown at DEBUG only
        file = Name("gpt2giga", "log_filename")
        if file in self._given:
            self._put(("log", "file"), self._text(file), file)
        elif os.access(self._folder, os.W_OK):
            self._put_default(("log", "file"), DEFAULT_LOG)

    def _traffic_log(self) -> None:
        enabled = Name("gpt2giga", "traffic_log_enabled")
        sinks = {
            sink
            for name in ("traffic_log_sink", "traffic_log_sinks")
            for sink in json_list(self._text(Name("gpt2giga", name), ""))
        } - {"noop"}
        if not self._is_on(enabled) or not sinks:
            return
        others = sorted(sinks - {"jsonl"})
        if others:
            self._warn(
                f"GPT2GIGA_TRAFFIC_LOG_SINK: nothing is written to {' or '.join(others)}; the "
                "traffic log is written as JSONL"
            )
        path = Name("gpt2giga", "traffic_log_jsonl_path")
        self._put(("traffic_log", "file"), self._text(path, "traffic_logs.jsonl"), enabled)

    # Single values.

    def _text(self, name: Name, default: str = "") -> str:
        return self._given[name][0] if name in self._given else default

    def _source(self, name: Name) -> str:
        return self._given[name][1]

    def _is_on(self, name: Name) -> bool:
        text = self._text(name, "false").strip().lower()
        if text not in {*ON, *OFF}:
            self._mistake(name, f"`{text}` is neither yes nor no", "write true or false")
        return text in ON

    def _number(self, name: Name) -> float:
        try:
            return float(json.loads(self._text(name)))
        except (ValueError, TypeError):
            self._mistake(name, f"`{self._text(name)}` is no number", "write a number")
            return 1.0

    def _put(self, place: tuple[str, ...], value: Any, name: Name) -> None:
        source = self._source(name) if name in self._given else name.variable
        self._draft.put(place, value, Origin(source, self._folder))

    def _put_known(self, place: tuple[str, ...], value: Any, name: Name) -> None:
        """If it was given, and if this version has the setting."""
        if name not in self._given:
            return
        if has_setting(place):
            self._put(place, value, name)
        else:
            self._warn(f"{self._source(name)} does nothing: this version has no {dotted(place)}")

    def _put_default(self, place: tuple[str, ...], value: Any) -> None:
        """Unless our own settings say otherwise."""
        if place not in self._draft.origins:
            self._draft.put(place, value, Origin("gpt2giga's defaults", self._folder))

    def _warn(self, text: str) -> None:
        self._draft.warnings.append(text)

    def _mistake(self, name: Name, wrong: str, remedy: str) -> None:
        place: Place = ()
        source = self._source(name) if name in self._given else name.variable
        mistake = Mistake(place, f"{name.variable}: {wrong}", remedy, source)
        if mistake not in self._draft.mistakes:
            self._draft.mistakes.append(mistake)


def has_setting(place: tuple[str, ...]) -> bool:
    """Our tree has a setting at ``place``."""
    block = block_at(place[:-1], PROVIDER)
    return block is not None and place[-1] in block.model_fields
