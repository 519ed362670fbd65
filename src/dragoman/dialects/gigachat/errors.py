"""What GigaChat answers instead of an answer.

The API says ``{"status": int, "message": str}``, its token endpoint ``{"code", "message"}``, the
proxy in front of both HTML. The status decides; words are looked at only where one status has
several causes.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from dragoman.dialects.base import Headers
from dragoman.errors import (
    GatewayError,
    UpstreamBroken,
    UpstreamError,
    UpstreamForbidden,
    UpstreamLostFile,
    UpstreamOutOfCredit,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamRejectedKey,
    UpstreamUnavailable,
)

LONGEST: Final = 500
"""Characters of an upstream's message that are passed on."""

_SECRETS: Final = re.compile(r"\b(bearer|basic)\s+\S+|\beyJ[\w.-]{16,}", re.IGNORECASE)
_MEMBERS: Final = {
    "response_format": "response_format",
    "reasoning_effort": "reasoning_effort",
    "function_call": "tool_choice",
    "functions": "tools",
    "messages": "messages",
    "temperature": "temperature",
    "top_p": "top_p",
    "max_tokens": "max_completion_tokens",
    "repetition_penalty": "repetition_penalty",
}
"""GigaChat's word for a member -> the caller's."""
_MEMBER: Final = re.compile(rf"\b({'|'.join(_MEMBERS)})\b")
_ADVICE: Final = {
    "response_format": (
        " Use a model of generation 3, or ask the operator to set structured_output to function."
    ),
    "reasoning_effort": " Leave reasoning_effort out or use a model that reasons.",
    "tools": " Leave tools and response_format out or use another model.",
}
"""What to do about a member that the model turns out not to have."""
_CONTEXT: Final = re.compile(
    r"maximum context length|prompt is too long|input is too long|context window|too many tokens"
    r"|exceeds? the (?:maximum|model|context)|context length|token count",
    re.IGNORECASE,
)

_FILE: Final = re.compile(r"\b(?:file|attachment)s?\b", re.IGNORECASE)


def read_error(status: int, headers: Headers, body: bytes) -> GatewayError:
    """``status`` is the HTTP status; with 200 the body itself is asked for one."""
    message, own_status = _said(body)
    if status < 400 and own_status is not None and 400 <= own_status <= 599:
        status = own_status
    detail = _detail(status, headers, message, body)
    if status < 400:
        return UpstreamBroken(
            "GigaChat answered something that is no answer. Try again.", detail=detail
        )
    if status >= 500:
        return UpstreamUnavailable(
            "GigaChat is not available at the moment. Try again later.",
            answered=status,
            retry_after=_retry_after(headers),
            detail=detail,
        )
    return _refusal(status, headers, message, detail)


_OURS: Final[dict[int, tuple[type[UpstreamError], str]]] = {
    401: (
        UpstreamRejectedKey,
        "GigaChat does not accept the gateway's credential. The operator has to renew it.",
    ),
    402: (
        UpstreamOutOfCredit,
        "The gateway's GigaChat tokens are used up. The operator has to buy more.",
    ),
    403: (
        UpstreamForbidden,
        (
            "The gateway's GigaChat credential may not do this. The operator has to look at its"
            " tariff and scope."
        ),
    ),
    429: (
        UpstreamRateLimited,
        "GigaChat takes no more requests at the moment. Try again later.",
    ),
}
"""Status -> what it says about the gateway's credential."""


def _refusal(status: int, headers: Headers, message: str, detail: str) -> GatewayError:
    if status in {403, 404} and _FILE.search(message):
        return UpstreamLostFile(
            "GigaChat does not know this file. Send the file itself again.",
            status=404,
            code="file_not_found",
            detail=detail,
        )
    if status in _OURS:
        kind, words = _OURS[status]
        code = "insufficient_quota" if status == 402 else None
        return kind(words, code=code, retry_after=_retry_after(headers), detail=detail)
    if status == 413 or (status in {400, 422} and _CONTEXT.search(message)):
        return _too_long(message, detail)
    unknown_model = status == 404 and "model" in message.lower()
    words = message or "no reason given"
    named = _MEMBER.search(message) if status in {400, 422} else None
    param = _MEMBERS[named[1]] if named else None
    lacking = "not support" in message
    return UpstreamRefused(
        f"GigaChat refused the request: {words}" + (_ADVICE.get(param or "", "") * lacking),
        status=status,
        param=param,
        code="model_not_found" if unknown_model else None,
        detail=detail,
    )


def _too_long(message: str, detail: str) -> GatewayError:
    """OpenAI's status for it is 400, and the code is what clients look at."""
    return UpstreamRefused(
        "The request is longer than the model's context. Make it shorter."
        + (f" GigaChat said: {message}" if message else ""),
        status=400,
        param="messages",
        code="context_length_exceeded",
        detail=detail,
    )


def _said(body: bytes) -> tuple[str, int | None]:
    """The message and the status that the body gives; empty for what is no JSON object."""
    try:
        value: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "", None
    if isinstance(value, dict) and isinstance(value.get("error"), dict | str):
        value = value["error"]
    if isinstance(value, str):
        return _clean(value), None
    if not isinstance(value, dict):
        return "", None
    message = value.get("message")
    status = value.get("status", value.get("code"))
    return (
        _clean(message) if isinstance(message, str) else "",
        status if isinstance(status, int) and not isinstance(status, bool) else None,
    )


def _clean(message: str) -> str:
    """Without what an upstream may echo of a credential."""
    return _SECRETS.sub("***", message)[:LONGEST].strip()


def _detail(status: int, headers: Headers, message: str, body: bytes) -> str:
    said = message or _clean(body[:200].decode("utf-8", "replace"))
    request_id = headers.get("x-request-id")
    return f"HTTP {status}: {said}" + (f" (x-request-id {request_id})" if request_id else "")


def _retry_after(headers: Headers) -> float | None:
    """Seconds; GigaChat sends no dates."""
    try:
        value = float(headers.get("retry-after", ""))
    except ValueError:
        return None
    return value if 0 <= value < 86_400 else None
