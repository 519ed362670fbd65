"""Events for operators, over the standard library's logging.

``configure`` is called once, by ``app.py``; everyone else calls ``get_logger`` at import time.
An event is a short sentence with fields; the request id is one of them, passed by whoever
logs. Warnings and errors carry a ``hint``: what the operator can do. The last thing that
happens to an event before it becomes text is masking. Records of finished requests take
another way, see ``request_log``. Why there is no logging library in front:
``docs/decisions/0012-standard-logging.md``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, Protocol

import msgspec

from dragoman.errors import GatewayError
from dragoman.telemetry.masking import Masker

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["json", "console"]


class Stream(Protocol):
    """What events and records are written to."""

    def write(self, text: str, /) -> object: ...
    def flush(self) -> None: ...


HINTS: Final[Mapping[str, str]] = {
    "internal": "This is a bug of the gateway: report it with the traceback and the request id.",
    "queue_full": "More requests wait than the queue may hold: add credentials or raise its bound.",
    "queue_timeout": "Credentials are too few for this load: add some or let requests wait longer.",
    "models_unknown": "The provider gives no list of models: check its credential and address, or"
    " name its models in the settings.",
    "no_credential": "Every credential is disabled: `dragoman keys` shows why.",
    "upstream": "Look at the provider's status page; `dragoman keys` checks the credentials.",
    "rate_limited": "The provider limits this credential: add another or ask for a higher limit.",
    "out_of_credit": "Top up the provider's account, then enable the credential.",
    "unauthenticated": "Only the caller can mend the key or the credential that it brings.",
    "upstream_authentication": "Replace the credential in the settings, then enable it.",
    "upstream_forbidden": "The credential is good but may not do this: look at its scope, tariff"
    " and region, or at the model's name.",
    "upstream_unavailable": "Check the network, the proxy and `base_url` of this provider.",
    "timeout": "Raise `timeouts` of this provider if it needs longer.",
    "upstream_broken": "Something between here and the provider answers in its place, or the"
    " provider has changed its protocol: check `base_url` and proxies.",
    "refused": "The provider calls the request itself bad: `dragoman explain` shows what is sent.",
}
"""What an operator can do about an error, by ``GatewayError.kind``."""

_NO_HINT: Final = "Set the log level to debug for more; report it if it stays."
_OWN_SERVERS: Final = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi")
_FIELDS: Final = "event_fields"
"""Attribute of a log record that holds the fields of one of our own events."""


class EventLogger:
    """Logs sentences with fields; ``bind`` gives one that adds the same fields to each."""

    def __init__(self, name: str, bound: Mapping[str, Any] | None = None) -> None:
        self._logger = logging.getLogger(name)
        self._bound = dict(bound or {})

    def bind(self, **fields: Any) -> EventLogger:
        """A logger of the same name that adds ``fields`` to every event."""
        return EventLogger(self._logger.name, {**self._bound, **fields})

    def debug(self, event: str, **fields: Any) -> None:
        """For whoever looks for the cause of something."""
        self._log(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: Any) -> None:
        """Something that an operator may want to know."""
        self._log(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Something that an operator should look at. ``error`` may be a ``GatewayError``."""
        self._log(logging.WARNING, event, _with_hint(fields))

    def error(self, event: str, **fields: Any) -> None:
        """Something that does not work until an operator mends it."""
        self._log(logging.ERROR, event, _with_hint(fields))

    def exception(self, event: str, **fields: Any) -> None:
        """As ``error``, with the traceback of the exception that is being handled."""
        self._log(logging.ERROR, event, _with_hint(fields), exc_info=True)

    def _log(
        self, level: int, event: str, fields: dict[str, Any], *, exc_info: bool = False
    ) -> None:
        if self._logger.isEnabledFor(level):
            extra = {_FIELDS: {**self._bound, **fields}}
            self._logger.log(level, "%s", event, extra=extra, exc_info=exc_info)


def get_logger(name: str) -> EventLogger:
    """The logger of one module; good before ``configure`` has run."""
    return EventLogger(name)


def configure(level: Level, format: Format, stream: Stream, masker: Masker) -> None:  # noqa: A002 - what the setting is called
    """Send all events, the server's included, to ``stream``: JSON lines, or lines to read.

    May be called again, and then replaces what was.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_JsonLines(masker) if format == "json" else _ConsoleLines(masker))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _OWN_SERVERS:
        server = logging.getLogger(name)
        server.handlers = []
        server.propagate = True
    # The request log has a better record of each request than the server's own line.
    logging.getLogger("uvicorn.access").propagate = False


def hint_for(error: GatewayError) -> str:
    """What the operator can do about ``error``."""
    return HINTS.get(error.kind, _NO_HINT)


def _with_hint(fields: dict[str, Any]) -> dict[str, Any]:
    """A ``GatewayError`` under ``error`` becomes its kind, message and detail; a hint is added
    unless the event brings its own.
    """
    error = fields.get("error")
    hint = _NO_HINT
    if isinstance(error, GatewayError):
        hint = hint_for(error)
        fields["error"] = error.kind
        fields.setdefault("error_message", error.message)
        if error.detail:
            fields.setdefault("error_detail", error.detail)
    fields.setdefault("hint", hint)
    return fields


class _JsonLines(logging.Formatter):
    """One JSON object a line."""

    def __init__(self, masker: Masker) -> None:
        super().__init__()
        self._masker = masker

    def format(self, record: logging.LogRecord) -> str:
        event = self.masked(record)
        return msgspec.json.encode(event, enc_hook=str).decode()

    def masked(self, record: logging.LogRecord) -> dict[str, Any]:
        """The record as an event, without secrets."""
        time = datetime.fromtimestamp(record.created, UTC)
        event = {
            "time": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **getattr(record, _FIELDS, {}),
        }
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        return self._masker.mask_event(event)


class _ConsoleLines(_JsonLines):
    """Lines for people: time, level, sentence, fields; a traceback below."""

    def format(self, record: logging.LogRecord) -> str:
        event = self.masked(record)
        moment = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        exception = event.pop("exception", None)
        for name in ("time", "logger"):
            del event[name]
        words = [f"{moment} {event.pop('level'):<7} {event.pop('event')}"]
        words += [f"{name}={value}" for name, value in event.items()]
        line = " ".join(words).replace("\n", " ").replace("\r", " ")
        return line if exception is None else f"{line}\n{exception}"
