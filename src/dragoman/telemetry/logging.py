"""Events for operators: structlog in front, the standard library's handlers behind.

``configure`` is called once, by ``app.py``; everyone else calls ``get_logger`` at import time.
An event is a short sentence with fields; the request id is one of them, passed by whoever
logs. Warnings and errors carry a ``hint``: what the operator can do. The last thing that
happens to an event before it becomes text is masking. Records of finished requests take
another way, see ``request_log``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping
from typing import Any, Final, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor

from dragoman.errors import GatewayError
from dragoman.telemetry.masking import Masker

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["json", "console"]

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


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """The logger of one module; good before ``configure`` has run."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(name)
    return logger


def configure(level: Level, format: Format, stream: TextIO, masker: Masker) -> None:  # noqa: A002 - what the setting is called
    """Send all events, the server's included, to ``stream``: JSON lines, or lines to read.

    May be called again, and then replaces what was.
    """
    number = getattr(logging, level.upper())
    structlog.configure(
        processors=[
            *_shared_processors(),
            _with_hint,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_shared_processors(),
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _masking(masker),
                _renderer(format, stream),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(number)
    for name in _OWN_SERVERS:
        server = logging.getLogger(name)
        server.handlers = []
        server.propagate = True
    # The request log has a better record of each request than the server's own line.
    logging.getLogger("uvicorn.access").propagate = False


def hint_for(error: GatewayError) -> str:
    """What the operator can do about ``error``."""
    return HINTS.get(error.kind, _NO_HINT)


def _shared_processors() -> list[Processor]:
    return [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]


def _with_hint(_logger: object, method: str, event: EventDict) -> EventDict:
    """A ``GatewayError`` under ``error`` becomes its kind, message and detail; every warning and
    error gets a hint unless it brings its own.
    """
    error = event.get("error")
    hint = _NO_HINT
    if isinstance(error, GatewayError):
        hint = hint_for(error)
        event["error"] = error.kind
        event.setdefault("error_message", error.message)
        if error.detail:
            event.setdefault("error_detail", error.detail)
    if method in {"warning", "warn", "error", "exception", "critical", "fatal"}:
        event.setdefault("hint", hint)
    return event


def _masking(masker: Masker) -> Processor:
    def mask_event(_logger: object, _method: str, event: EventDict) -> MutableMapping[str, Any]:
        return masker.mask_event(event)

    return mask_event


def _renderer(format: Format, stream: TextIO) -> Processor:  # noqa: A002 - as above
    if format == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(
        colors=stream.isatty(),
        timestamp_key="time",
        exception_formatter=structlog.dev.plain_traceback,
    )
