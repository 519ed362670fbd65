"""Whole conversations, written down where the settings ask for it.

Two readers: the log at the level ``debug`` (``BodyLog``), for whoever looks for the cause of
something, and a file with a line of JSON for each conversation (``TrafficLog``), for other
programs. Masking and formatting happen in a worker's thread.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from dragoman.telemetry.bodies import shown
from dragoman.telemetry.log_file import LogFile
from dragoman.telemetry.logging import get_logger
from dragoman.telemetry.masking import Masker
from dragoman.telemetry.worker import Worker

SHOWN_HEADERS: Final = (
    b"accept",
    b"anthropic-beta",
    b"anthropic-version",
    b"content-type",
    b"openai-beta",
    b"origin",
    b"referer",
    b"traceparent",
    b"user-agent",
    b"x-client-id",
    b"x-dragoman-on-unsupported",
    b"x-request-id",
    b"x-session-id",
    b"x-stainless-lang",
    b"x-stainless-package-version",
    b"x-trace-id",
)
"""Headers of requests that are written down; any other may hold a secret of anybody's."""

log = get_logger("dragoman.traffic")


class Conversation(Struct):
    """What was noted of one conversation. Times are Unix seconds, durations seconds."""

    time: float
    request_id: str
    route: str
    protocol: str
    headers: Sequence[tuple[bytes, bytes]]
    """Names in lower case."""
    request: bytes = b""
    """Its beginning, and only if somebody wants it; so for the answer."""
    request_size: int = 0
    """Bytes of all of it."""
    peer: str = ""
    """Address of the client."""
    token: bytes = b""
    """The client's key."""
    caller: str = ""
    model: str = ""
    """As asked for."""
    target: str = ""
    """``provider/model`` that answered, or was asked last."""
    status: int = 0
    seconds: float = 0.0
    error: str | None = None
    tokens: Mapping[str, int] | None = None
    client_left: bool = False
    answer: bytes = b""
    answer_size: int = 0

    def header(self, name: bytes) -> str | None:
        """The value of one header, or ``None``."""
        value = next((value for other, value in self.headers if other == name), None)
        return None if value is None else value.decode("latin-1")


class BodyLog:
    """Requests as they begin and answers as they end, as events of the log."""

    wants_bodies = True

    def __init__(self, worker: Worker, masker: Masker) -> None:
        self._worker = worker
        self._masker = masker

    def began(self, conversation: Conversation) -> None:
        """The request is complete."""
        self._say("request received", conversation, conversation.request, conversation.request_size)

    def ended(self, conversation: Conversation) -> None:
        """The answer is."""
        self._say("answer sent", conversation, conversation.answer, conversation.answer_size)

    def _say(self, event: str, conversation: Conversation, body: bytes, size: int) -> None:
        request_id, route = conversation.request_id, conversation.route

        def say() -> None:
            text = shown(body, size, self._masker)
            log.debug(event, request_id=request_id, route=route, body=text)

        self._worker.do(say, len(body))


class TrafficLog:
    """A line of JSON for each conversation."""

    def __init__(self, file: LogFile, masker: Masker, *, with_content: bool) -> None:
        self.wants_bodies = with_content
        self._file = file
        self._masker = masker
        self._hash_key = secrets.token_bytes(32)
        """Of this run: hashes can be compared within it and reveal nothing outside."""

    def began(self, conversation: Conversation) -> None:
        """Nothing is written before the end."""

    def ended(self, conversation: Conversation) -> None:
        """Write the record soon."""
        weight = len(conversation.request) + len(conversation.answer)
        self._file.append(partial(self._line, conversation), weight)

    def _line(self, conversation: Conversation) -> str:
        return msgspec.json.encode(self._record(conversation)).decode() + "\n"

    def _record(self, done: Conversation) -> dict[str, Any]:
        provider, _, model = done.target.partition("/")
        time = datetime.fromtimestamp(done.time, UTC).isoformat(timespec="milliseconds")
        told = {name.decode(): done.header(name) for name in SHOWN_HEADERS if done.header(name)}
        record: dict[str, Any] = {
            "id": f"traffic-{done.request_id}",
            "request_id": done.request_id,
            "trace_id": done.header(b"x-trace-id") or done.header(b"traceparent"),
            "created_at": time.replace("+00:00", "Z"),
            "method": "POST",
            "route": done.route,
            "protocol": done.protocol,
            "provider": provider or None,
            "status_code": done.status,
            "latency_ms": round(done.seconds * 1000, 1),
            "error_type": done.error,
            "model_requested": done.model or None,
            "model_effective": model or None,
            "usage": done.tokens,
            "client_left": done.client_left,
            "caller": done.caller,
            "client_ip_hash": self._hash(done.peer.encode()),
            "api_key_hash": self._hash(done.token),
            "request_headers_redacted": told,
        }
        record = self._masker.mask_event(record)
        if self.wants_bodies:
            record["request_body_redacted"] = self._content(done.request, done.request_size)
            record["response_body_redacted"] = self._content(done.answer, done.answer_size)
        return record

    def _hash(self, value: bytes) -> str | None:
        """16 hexadecimal digits; ``None`` for nothing."""
        if not value:
            return None
        return hmac.new(self._hash_key, value, hashlib.sha256).hexdigest()[:16]

    def _content(self, body: bytes, size: int) -> Raw | str | None:
        """JSON where it is some, else text."""
        text = str(shown(body, size, self._masker))
        try:
            msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            return text or None
        return Raw(text.encode())
