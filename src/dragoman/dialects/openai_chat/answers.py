"""What a model said, read from wire members: shared by whole answers and streams.

``Pieces`` of one message come in the order in which a model makes them: thoughts, words, refusal,
pictures, calls. Servers that call themselves compatible differ most here, and all of it is read:
content as a list of parts (Mistral) or as a JSON object, thoughts under three names, arguments as
an object, ids that are missing or the same in every answer.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from msgspec import Raw

from dragoman.canonical.conversation import (
    NO_EXTRAS,
    CallKind,
    Extras,
    Media,
    Native,
)
from dragoman.canonical.events import PartKind, StopReason
from dragoman.dialects.openai_chat.read_messages import (
    derived_call_id,
    own_extras,
    read_image,
)
from dragoman.dialects.openai_chat.wire import (
    MEMBERS,
    NAME,
    NOTHING,
    NULL,
    TEXT,
    Answer,
    Call,
    Function,
    Members,
    Said,
    present,
)
from dragoman.errors import InvalidRequest, UpstreamBroken

STOP_REASONS: Final = {
    "stop": StopReason.END,
    "length": StopReason.MAX_TOKENS,
    "max_tokens": StopReason.MAX_TOKENS,
    "model_length": StopReason.MAX_TOKENS,
    "tool_calls": StopReason.TOOL_CALL,
    "function_call": StopReason.TOOL_CALL,
    "content_filter": StopReason.FILTERED,
    "refusal": StopReason.REFUSAL,
}
"""``finish_reason`` -> reason; every other word means that the model came to its end."""

_FINAL: Final = frozenset({StopReason.MAX_TOKENS, StopReason.FILTERED, StopReason.REFUSAL})
"""Reasons that stand even if the model called a tool."""

_KEPT: Final = (
    "service_tier",
    "system_fingerprint",
    "citations",
    "search_results",
    "moderation",
)
"""Members of an answer that have no canonical form and are kept as extras."""

_REUSED_ID: Final = re.compile(r"(?:call_?|tool_?)?\d{1,4}")
"""Ids that some servers give again in every answer."""

Piece = tuple[PartKind, str, Extras, Media | Native | None]
"""Kind, text, extras, and the whole part for what is no text."""


def stop_reason(word: str | int | None, *, called: bool) -> StopReason:
    """Why a choice ended. What the model did counts more than what the server says of it."""
    reason = STOP_REASONS.get(word, StopReason.END) if isinstance(word, str) else StopReason.END
    if called:
        return reason if reason in _FINAL else StopReason.TOOL_CALL
    return StopReason.END if reason is StopReason.TOOL_CALL else reason


def answer_extras(data: bytes) -> Extras:
    """The members of an answer or chunk that are kept as they are."""
    members = MEMBERS.decode(data)
    kept = {name: members[name] for name in _KEPT if present(members.get(name, NOTHING))}
    return own_extras(kept) if kept else NO_EXTRAS


def answer_id(answer: Answer) -> str:
    """The upstream's id, as text."""
    return "" if answer.id is None else str(answer.id)


def answer_created(answer: Answer) -> int:
    """Unix seconds; 0 when the upstream did not say."""
    return int(answer.created or 0)


def call_seed(answer: Answer) -> str:
    """What ids of calls are derived from where the upstream gives none."""
    return answer_id(answer) or f"{answer_created(answer)}:{answer.model}"


def call_id(given: str, seed: str, choice: int, number: int) -> str:
    """The id of a call: the upstream's, unless it is missing or not unique beyond its answer."""
    if given and not _REUSED_ID.fullmatch(given):
        return given
    return derived_call_id(seed, str(choice), str(number), given)


def id_text(call: Call) -> str:
    """The id as sent; empty when there is none."""
    return "" if call.id is None else str(call.id)


def call_head(call: Call) -> tuple[str, CallKind]:
    """Name (empty when this piece has none) and kind of a call."""
    if call.custom is not None:
        return call.custom.name or "", CallKind.CUSTOM
    name = call.function.name if call.function is not None else None
    return name or "", CallKind.FUNCTION


def call_arguments(call: Call) -> str:
    """The arguments in this piece. Raises ``UpstreamBroken``."""
    if call.custom is not None:
        return call.custom.input or ""
    return function_arguments(call.function) if call.function is not None else ""


def function_arguments(function: Function) -> str:
    """Arguments as text, also where the server sends the object itself."""
    raw = function.arguments
    if not present(raw):
        return ""
    if memoryview(raw)[0] == 0x22:
        return TEXT.decode(raw)
    return bytes(raw).decode()


def call_extras(call: Call) -> Extras:
    """Signatures that travel with a call (``extra_content``)."""
    if present(call.extra_content):
        return own_extras({"extra_content": call.extra_content})
    return NO_EXTRAS


def pieces(said: Said) -> list[Piece]:
    """What was said but for the calls. Raises ``msgspec.DecodeError`` for what is no JSON."""
    found: list[Piece] = []
    thought = _thought(said)
    if thought or said.reasoning_details:
        details = said.reasoning_details
        extras = own_extras({"reasoning_details": details}) if details else NO_EXTRAS
        found.append((PartKind.REASONING, thought, extras, None))
    content = said.content
    if isinstance(content, str):
        if content:
            found.append((PartKind.TEXT, content, NO_EXTRAS, None))
    elif content is not None:
        found += _content(content)
    if said.refusal:
        found.append((PartKind.REFUSAL, said.refusal, NO_EXTRAS, None))
    for image in said.images or ():
        found.append((PartKind.TEXT, "", NO_EXTRAS, _image(image)))
    return found


def _thought(said: Said) -> str:
    for value in (said.reasoning_content, said.reasoning):
        if isinstance(value, str):
            if value:
                return value
        elif value is not None:
            for name in ("text", "content"):
                if name in value and memoryview(value[name])[0] == 0x22:
                    return TEXT.decode(value[name])
    return "".join(_detail_text(detail) for detail in said.reasoning_details or ())


def _detail_text(detail: Raw) -> str:
    """The readable text of one of OpenRouter's ``reasoning_details``."""
    members = _object(detail)
    for name in ("text", "summary"):
        raw = members.get(name, NULL)
        if memoryview(raw)[0] == 0x22:
            return TEXT.decode(raw)
    return ""


def _object(raw: Raw) -> Members:
    return MEMBERS.decode(raw) if memoryview(raw)[0] == 0x7B else {}


def _content(content: list[Raw] | Members) -> list[Piece]:
    if isinstance(content, dict):  # an answer in JSON mode, not put into a string (Cloudflare)
        text = msgspec.json.encode(content).decode()
        return [(PartKind.TEXT, text, NO_EXTRAS, None)]
    found: list[Piece] = []
    for body in content:
        if memoryview(body)[0] == 0x22:
            found.append((PartKind.TEXT, TEXT.decode(body), NO_EXTRAS, None))
            continue
        found += _content_part(_object(body), body)
    return found


def _content_part(part: Members, body: Raw) -> list[Piece]:
    kind = TEXT.decode(part.get("type", Raw(b'""')))
    if kind in ("text", "output_text"):
        text = TEXT.decode(part.get("text", Raw(b'""')))
        return [(PartKind.TEXT, text, NO_EXTRAS, None)] if text else []
    if kind == "thinking":
        return [(PartKind.REASONING, text, NO_EXTRAS, None) for text in _thinking(part)]
    if kind == "refusal":
        text = TEXT.decode(part.get("refusal", Raw(b'""')))
        return [(PartKind.REFUSAL, text, NO_EXTRAS, None)] if text else []
    if kind == "image_url":
        return [(PartKind.TEXT, "", NO_EXTRAS, _image(body))]
    return [(PartKind.TEXT, "", NO_EXTRAS, Native(NAME, kind, body))]


def _thinking(part: Members) -> list[str]:
    """Mistral's thoughts: a string or a list of text parts."""
    value: Any = msgspec.json.decode(part.get("thinking", NULL))
    if isinstance(value, str):
        return [value] if value else []
    inner = value if isinstance(value, list) else []
    texts = [item.get("text") for item in inner if isinstance(item, dict)]
    return [text for text in texts if isinstance(text, str) and text]


def _image(body: Raw) -> Media | Native:
    payload = _object(body).get("image_url", NULL)
    try:
        media, _ = read_image(payload, "image_url")
    except InvalidRequest:
        return Native(NAME, "image", body)
    return media


def broken(what: str, cause: Exception | None = None) -> UpstreamBroken:
    """The upstream answers what its protocol forbids."""
    detail = f"{type(cause).__name__}: {cause}"[:300] if cause else None
    return UpstreamBroken(f"The provider's answer cannot be read: {what}.", detail=detail)
