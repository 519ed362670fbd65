"""What the Messages API answers instead of an answer.

``{"type": "error", "error": {"type", "message"}}`` on every surface; the type decides, the status
where there is none (source: Anthropic's API reference, "Errors"; a stream brings the same body in
an ``error`` event, where only the type is left to go by).
"""

from __future__ import annotations

import re
from typing import Final

import msgspec
from msgspec import Struct

from dragoman.dialects.base import Headers
from dragoman.errors import (
    GatewayError,
    UpstreamBroken,
    UpstreamForbidden,
    UpstreamOutOfCredit,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamRejectedKey,
    UpstreamUnavailable,
)

LONGEST: Final = 500
"""Characters of an upstream's message that are passed on."""

_STATUS: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""Type -> status that it goes with."""

_SECRETS: Final = re.compile(r"\b(?:sk-ant-|Bearer )\S+", re.IGNORECASE)
_CONTEXT: Final = re.compile(
    r"prompt is too long|input length and `?max_tokens`? exceed|context window", re.IGNORECASE
)
_CREDIT: Final = re.compile(r"credit balance is too low", re.IGNORECASE)


class _Said(Struct, frozen=True):
    type: str = ""
    message: str = ""


class _Body(Struct, frozen=True):
    error: _Said = _Said()
    request_id: str | None = None


_decode: Final = msgspec.json.Decoder(_Body).decode


def read_error(status: int, headers: Headers, body: bytes) -> GatewayError:
    """``status`` is the HTTP status; with 200 the body itself is asked for one."""
    try:
        told = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        told = _Body()
    kind = told.error.type
    message = _SECRETS.sub("***", told.error.message)[:LONGEST].strip()
    request_id = headers.get("request-id") or told.request_id
    detail = f"HTTP {status}: {kind} {message}" + (f" ({request_id})" if request_id else "")
    if status < 400:
        status = _STATUS.get(kind, status)
    if status < 400:
        return UpstreamBroken(
            "The provider answered something that is no answer. Try again.", detail=detail
        )
    wait = _retry_after(headers)
    if _CREDIT.search(message):
        status = 402
    if status in {401, 402, 403, 429}:
        return _about_the_credential(status, wait, detail)
    if status == 408 or status >= 500:
        return UpstreamUnavailable(
            "The provider is not available at the moment. Try again later.",
            retry_after=wait,
            detail=detail,
        )
    return _refusal(status, kind, message, detail)


def _about_the_credential(status: int, wait: float | None, detail: str) -> GatewayError:
    if status == 401:
        return UpstreamRejectedKey(
            "The provider does not accept the gateway's credential. The operator has to renew it.",
            detail=detail,
        )
    if status == 402:
        return UpstreamOutOfCredit(
            "The gateway's credit at the provider is used up. The operator has to buy more.",
            code="insufficient_quota",
            detail=detail,
        )
    if status == 403:
        return UpstreamForbidden(
            "The gateway's credential may not do this. The operator has to look at its rights.",
            detail=detail,
        )
    return UpstreamRateLimited(
        "The provider takes no more requests at the moment. Try again later.",
        retry_after=wait,
        detail=detail,
    )


def _refusal(status: int, kind: str, message: str, detail: str) -> GatewayError:
    words = message or "no reason given"
    if status == 413 or _CONTEXT.search(message):
        return UpstreamRefused(
            f"The request is longer than the model's context. Make it shorter. It said: {words}",
            status=400,
            param="messages",
            code="context_length_exceeded",
            detail=detail,
        )
    unknown_model = kind == "not_found_error" and message.startswith("model")
    return UpstreamRefused(
        f"The provider refused the request: {words}",
        status=status,
        code="model_not_found" if unknown_model else None,
        detail=detail,
    )


def _retry_after(headers: Headers) -> float | None:
    """Seconds."""
    try:
        value = float(headers.get("retry-after", ""))
    except ValueError:
        return None
    return value if 0 <= value < 86_400 else None
