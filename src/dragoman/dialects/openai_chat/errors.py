"""Errors in both directions.

``write_error`` and ``stream_error`` say to a caller what went wrong; ``read_error`` and
``read_reported_error`` make one of our errors of what an upstream says, by its status and codes.
English text is looked at only where there is no code.

Source: OpenAI's API reference (error object), the error bodies of Mistral, Azure and OpenRouter.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from dragoman.dialects.base import Headers
from dragoman.dialects.openai_chat.redaction import LONGEST, masked
from dragoman.errors import (
    GatewayError,
    UpstreamBroken,
    UpstreamForbidden,
    UpstreamOutOfCredit,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamRejectedKey,
    UpstreamTimeout,
    UpstreamUnavailable,
)

_REQUEST: Final = "invalid_request_error"
_SERVER: Final = "server_error"

_SPELLINGS: Final[dict[str, tuple[str, str | None]]] = {
    "internal": (_SERVER, None),
    "invalid_request": (_REQUEST, None),
    "unsupported_by_target": (_REQUEST, "unsupported_parameter"),
    "request_too_large": (_REQUEST, "request_too_large"),
    "head_too_large": (_REQUEST, "request_too_large"),
    "request_timeout": (_REQUEST, "request_timeout"),
    "unauthenticated": (_REQUEST, "invalid_api_key"),
    "forbidden": ("permission_error", "model_not_allowed"),
    "not_found": (_REQUEST, None),
    "model_not_found": (_REQUEST, "model_not_found"),
    "method_not_allowed": (_REQUEST, "method_not_allowed"),
    "unsupported_encoding": (_REQUEST, "unsupported_media_type"),
    "queue_full": ("requests", "rate_limit_exceeded"),
    "queue_timeout": (_SERVER, "no_available_target"),
    "no_credential": (_SERVER, "no_available_target"),
    "models_unknown": (_SERVER, "no_available_target"),
    "shutting_down": (_SERVER, "no_available_target"),
    "upstream": (_SERVER, "upstream_error"),
    "rate_limited": ("requests", "rate_limit_exceeded"),
    "out_of_credit": ("insufficient_quota", "insufficient_quota"),
    "upstream_authentication": (_SERVER, "upstream_authentication"),
    "upstream_forbidden": (_SERVER, "upstream_authentication"),
    "upstream_unavailable": (_SERVER, "upstream_error"),
    "timeout": (_SERVER, "timeout"),
    "upstream_broken": (_SERVER, "upstream_error"),
    "refused": (_REQUEST, None),
}
"""Kind of error -> OpenAI's type and default code."""

_ENCODE: Final = msgspec.json.Encoder().encode


def write_error(error: GatewayError) -> bytes:
    """The body of an error answer: always all four members."""
    kind, code = _spelling(error)
    body = {
        "message": error.message,
        "type": kind,
        "param": error.param,
        "code": error.code or code,
    }
    return _ENCODE({"error": body})


def _spelling(error: GatewayError) -> tuple[str, str | None]:
    if error.kind == "refused" and error.status == 409:
        return "conflict_error", None
    known = _SPELLINGS.get(error.kind)
    if known is not None:
        return known
    if error.status == 429:
        return "requests", "rate_limit_exceeded"
    return (_SERVER if error.status >= 500 else _REQUEST), None


def stream_error(error: GatewayError) -> bytes:
    """The event that ends a stream that failed; no ``[DONE]`` follows it."""
    return b"data: " + write_error(error) + b"\n\n"


_NO_CREDIT: Final = frozenset(
    {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_not_active",
        "insufficient_balance",
        "credits_exhausted",
    }
)
_STATUS_BY_WORD: Final = {
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "requests": 429,
    "tokens": 429,
    "server_error": 502,
    "internal_error": 502,
    "internal_server_error": 502,
    "api_error": 502,
    "overloaded_error": 503,
    "service_unavailable": 503,
    "service_unavailable_error": 503,
    "engine_overloaded": 503,
    "timeout": 504,
    "invalid_api_key": 401,
    "authentication_error": 401,
    "invalid_request_error": 400,
    "context_length_exceeded": 400,
    "content_filter": 400,
    "model_not_found": 404,
}
_TOO_LONG: Final = re.compile(
    r"maximum context length|max context length|prompt is too long|prompt too long|"
    r"input is too long|input length and `max_tokens` exceed|context window|too many tokens|"
    r"exceeds the maximum number of tokens|token count\b.{0,40}\bexceeds|model_max_prompt_tokens",
    re.IGNORECASE,
)
_LONGEST_WAIT: Final = 24 * 3600.0


class _Said:
    """What an upstream's error body says, whatever its shape."""

    __slots__ = ("code", "message", "param", "status", "words")

    def __init__(self, value: Any) -> None:
        if isinstance(value, list) and value:
            value = value[0]  # Google's compatible endpoint answers a list of one
        inner = value.get("error", value) if isinstance(value, dict) else value
        members = inner if isinstance(inner, dict) else {}
        self.message = _first_text(members, inner)
        self.param = _text_or_none(members.get("param"))
        code = members.get("code")
        self.status = _status_of(code) or _status_of(members.get("status_code"))
        """A status among the members; 0 without one."""
        self.code = None if _status_of(code) else _text_or_none(code)
        kind = _text_or_none(members.get("type"))
        self.words = {word for word in (self.code, kind) if word}
        if isinstance(members.get("detail"), list):
            self._read_details(members["detail"])
        if self.code is None and _TOO_LONG.search(self.message[:LONGEST]):
            self.code = "context_length_exceeded"

    def _read_details(self, details: list[Any]) -> None:
        """Mistral's (FastAPI's) list of what is wrong; the first tells enough."""
        first = details[0] if details else None
        if isinstance(first, dict):
            self.message = str(first.get("msg", self.message))
            place = first.get("loc")
            if isinstance(place, list):
                self.param = _path([step for step in place if step != "body"]) or None


def _path(steps: list[Any]) -> str:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return path.removeprefix(".")


def _first_text(members: dict[str, Any], inner: Any) -> str:
    for name in ("message", "detail", "msg", "error"):
        text = members.get(name)
        if isinstance(text, str) and text:
            return text
    return inner if isinstance(inner, str) else ""


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _status_of(code: Any) -> int:
    """An HTTP status given as a code, number or digits; 0 for any other code."""
    if isinstance(code, str) and code.isascii() and code.isdigit() and len(code) == 3:
        code = int(code)
    is_status = isinstance(code, int) and not isinstance(code, bool) and 400 <= code < 600
    return code if is_status else 0


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def read_error(status: int, headers: Headers, body: bytes) -> GatewayError:
    """Our error for an upstream's error answer. HTML and empty bodies say nothing more."""
    return _error(status, _Said(_decoded(body)), _wait(headers))


def read_reported_error(data: bytes) -> GatewayError:
    """Our error for an error that comes inside a 200: as an event of a stream or as its body."""
    said = _Said(_decoded(data))
    status = said.status
    if not status:
        known = sorted(_STATUS_BY_WORD.get(word, 0) for word in said.words)
        status = known[-1] if known and known[-1] else 502
    return _error(status, said, None)


def _error(status: int, said: _Said, wait: float | None) -> GatewayError:
    words = masked(said.message)
    code = masked(said.code) if said.code else None
    detail = f"upstream status {status}, code {code}: {words}"
    if status in (401, 402, 403) or (status == 429 and said.words & _NO_CREDIT):
        return _credential_error(status, said, detail)
    if status == 429:
        message = words or "The provider has too many requests; try again later."
        return UpstreamRateLimited(message, retry_after=wait, detail=detail)
    if status == 504:
        return UpstreamTimeout("The provider did not answer in time.", detail=detail)
    if status == 408 or status >= 500:
        message = "The provider could not answer" + (f": {words}" if words else ".")
        return UpstreamUnavailable(message, answered=status, retry_after=wait, detail=detail)
    if status >= 400:
        message = words or f"The provider refused the request with status {status}."
        return UpstreamRefused(message, status=status, param=said.param, code=code, detail=detail)
    return UpstreamBroken("The provider answered in an unexpected way.", detail=detail)


def _credential_error(status: int, said: _Said, detail: str) -> GatewayError:
    if status == 402 or said.words & _NO_CREDIT:
        return UpstreamOutOfCredit(
            "The provider's credit for this model is used up; the gateway's operator has to top "
            "it up.",
            detail=detail,
        )
    if status == 403:
        return UpstreamForbidden(
            "The provider does not let the gateway's credential do this; the gateway's operator"
            " has to look at what it may use.",
            detail=detail,
        )
    return UpstreamRejectedKey(
        "The provider does not accept the gateway's credential; the gateway's operator has "
        "to renew it.",
        detail=detail,
    )


def _wait(headers: Headers) -> float | None:
    """Seconds that the upstream asks us to wait; dates are not understood."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return min(seconds, _LONGEST_WAIT)
    return None
