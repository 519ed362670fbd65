"""What the Messages API refuses of a conversation.

Source: Anthropic's API reference and the messages of its refusals: who speaks first, where results
stand, what is empty, which thoughts are missing.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Final

from dragoman.simulators.anthropic_models import Model
from dragoman.simulators.anthropic_thoughts import check_thought
from dragoman.simulators.refusals import Refusal

_ID = re.compile(r"[a-zA-Z0-9_-]+")
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_USERS: Final = frozenset({"text", "image", "document", "tool_result", "search_result"})
_MODELS: Final = frozenset({"text", "thinking", "redacted_thinking", "tool_use"})
_SHOWN: Final = frozenset({"text", "image", "document", "search_result"})
_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
)
FILES_BETA: Final = "files-api-2025-04-14"


class Conversation:
    """Checks the messages of one request."""

    def __init__(self, model: Model, betas: frozenset[str]) -> None:
        self._model = model
        self._betas = betas
        self._ids: set[str] = set()

    def check(self, messages: Any) -> list[dict[str, Any]]:
        """The messages, each with its content as blocks. Raises ``Refusal``."""
        if not isinstance(messages, list):
            raise Refusal(400, "messages: Input should be a valid list")
        if not messages:
            raise Refusal(400, "messages: at least one message is required")
        checked = [self._message(message, at) for at, message in enumerate(messages)]
        if checked[0]["role"] != "user":
            raise Refusal(400, 'messages: first message must use the "user" role')
        self._check_system_turns(checked)
        joined = _joined(checked)
        for at, message in enumerate(joined):
            following = joined[at + 1] if at + 1 < len(joined) else None
            _check_results(message, joined[at - 1] if at else None, at)
            _check_calls(message, following, at)
        self._check_end(joined)
        return joined

    def _message(self, message: Any, at: int) -> dict[str, Any]:
        place = f"messages.{at}"
        if not isinstance(message, dict) or set(message) - {"role", "content"}:
            raise Refusal(400, f"{place}: Extra inputs are not permitted")
        role, content = message.get("role"), message.get("content")
        roles = ("user", "assistant", "system")
        if role not in roles or (role == "system" and self._model.system_turns == "refused"):
            raise Refusal(400, f"{place}.role: Input should be 'user' or 'assistant'")
        if isinstance(content, str):
            content = [{"type": "text", "text": content}]
        if not isinstance(content, list) or not content:
            raise Refusal(400, f"{place}: all messages must have non-empty content")
        for number, block in enumerate(content):
            self._block(block, role, f"{place}.content.{number}")
        return {"role": role, "content": content}

    def _block(self, block: Any, role: str, place: str) -> None:
        known = {"user": _USERS, "assistant": _MODELS, "system": frozenset({"text"})}[role]
        if not isinstance(block, dict) or block.get("type") not in known:
            raise Refusal(400, f"{place}: Input tag does not match any of the expected tags")
        match block["type"]:
            case "text":
                check_text(block, place)
            case "thinking" | "redacted_thinking":
                if "cache_control" in block:
                    raise Refusal(400, f"{place}.cache_control: Extra inputs are not permitted")
                check_thought(block, place)
            case "tool_use":
                self._call(block, place)
            case "tool_result":
                self._result(block, place)
            case _:
                self._shown(block, place)

    def _call(self, block: dict[str, Any], place: str) -> None:
        if not isinstance(block.get("id"), str) or not _ID.fullmatch(block["id"]):
            raise Refusal(400, f"{place}.tool_use.id: String should match '^[a-zA-Z0-9_-]+$'")
        if block["id"] in self._ids:
            raise Refusal(400, f"{place}: `tool_use` ids must be unique")
        self._ids.add(block["id"])
        if not isinstance(block.get("name"), str) or not _NAME.fullmatch(block["name"]):
            raise Refusal(400, f"{place}.tool_use.name: String should match a pattern")
        if not isinstance(block.get("input"), dict):
            raise Refusal(400, f"{place}.tool_use.input: Input should be a valid dictionary")
        _no_others(block, {"type", "id", "name", "input", "cache_control", "caller"}, place)

    def _result(self, block: dict[str, Any], place: str) -> None:
        if not isinstance(block.get("tool_use_id"), str):
            raise Refusal(400, f"{place}.tool_result.tool_use_id: Field required")
        _no_others(block, {"type", "tool_use_id", "content", "is_error", "cache_control"}, place)
        content = block.get("content", "")
        if isinstance(content, str):
            return
        if not isinstance(content, list) or not content:
            raise Refusal(400, f"{place}.tool_result.content: should not be an empty list")
        for number, inner in enumerate(content):
            where = f"{place}.tool_result.content.{number}"
            if not isinstance(inner, dict) or inner.get("type") not in _SHOWN:
                raise Refusal(400, f"{where}: Input tag does not match any of the expected tags")
            self._block(inner, "user", where)

    def _shown(self, block: dict[str, Any], place: str) -> None:
        source = block.get("source")
        if not isinstance(source, dict):
            raise Refusal(400, f"{place}.{block['type']}.source: Field required")
        kind = source.get("type")
        if kind == "file" and FILES_BETA not in self._betas:
            raise Refusal(400, f"{place}.{block['type']}.source: Input tag 'file' is unknown")
        if kind == "url" and not str(source.get("url", "")).startswith("https://"):
            raise Refusal(400, f"{place}.source.url: Only HTTPS URLs are supported")
        if block["type"] == "image":
            _no_others(block, {"type", "source", "cache_control"}, place)
            if kind == "base64":
                _check_image(source, place)
        elif not self._model.documents:
            raise Refusal(400, f"{place}: '{self._model.name}' does not support PDF input.")
        elif kind == "base64":
            _check_pdf(source, place)
        elif kind == "text" and not str(source.get("data", "")).strip():
            raise Refusal(400, f"{place}.document.source.data: must be non-empty")

    def _check_system_turns(self, messages: list[dict[str, Any]]) -> None:
        for at, message in enumerate(messages):
            if message["role"] != "system":
                continue
            after = messages[at + 1]["role"] if at + 1 < len(messages) else "assistant"
            if at == 0 or messages[at - 1]["role"] != "user" or after != "assistant":
                raise Refusal(400, f"messages.{at}: a system message is not allowed here")

    def _check_end(self, messages: list[dict[str, Any]]) -> None:
        last = messages[-1]
        if last["role"] != "assistant":
            return
        if not self._model.prefill:
            raise Refusal(
                400,
                "This model does not support assistant message prefill. The conversation must end"
                " with a user message.",
            )
        final = last["content"][-1]
        if final["type"] == "text" and final["text"] != final["text"].rstrip():
            raise Refusal(
                400, "messages: final assistant content cannot end with trailing whitespace"
            )
        if final["type"] in {"thinking", "redacted_thinking"}:
            raise Refusal(
                400, "messages: The final block in an assistant message cannot be thinking"
            )


def check_text(block: dict[str, Any], place: str) -> None:
    """Raises ``Refusal`` for a text that is none, or says nothing."""
    if not isinstance(block.get("text"), str):
        raise Refusal(400, f"{place}.text.text: Field required")
    if not block["text"]:
        raise Refusal(400, f"{place}: text content blocks must be non-empty")
    if not block["text"].strip():
        raise Refusal(400, f"{place}: text content blocks must contain non-whitespace text")
    _no_others(block, {"type", "text", "cache_control", "citations"}, place)


def check_thinking_turns(messages: list[dict[str, Any]]) -> None:
    """With a budget, the calls that are being answered have to follow the thoughts behind them."""
    spoken = [message for message in messages if message["role"] == "assistant"]
    if not spoken:
        return
    kinds = [block["type"] for block in spoken[-1]["content"]]
    if "tool_use" in kinds and kinds[0] not in {"thinking", "redacted_thinking"}:
        at = max(at for at, message in enumerate(messages) if message is spoken[-1])
        raise Refusal(
            400,
            f"messages.{at}.content.0.type: Expected `thinking` or `redacted_thinking`, but found"
            f" `{kinds[0]}`. When `thinking` is enabled, a final `assistant` message must start"
            " with a thinking block (preceeding the lastmost set of `tool_use` and `tool_result`"
            " blocks).",
        )


def _joined(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As the real service: neighbours of one role are one message; instructions stand aside."""
    joined: list[dict[str, Any]] = []
    for message in messages:
        if joined and joined[-1]["role"] == message["role"]:
            joined[-1]["content"] = [*joined[-1]["content"], *message["content"]]
        elif message["role"] != "system":
            joined.append(dict(message))
    return joined


def _check_calls(message: dict[str, Any], following: dict[str, Any] | None, at: int) -> None:
    calls = [block["id"] for block in message["content"] if block["type"] == "tool_use"]
    blocks = following["content"] if following else []
    answered = {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"}
    missing = [call for call in calls if call not in answered]
    if missing:
        raise Refusal(
            400,
            f"messages.{at}: `tool_use` ids were found without `tool_result` blocks immediately"
            f" after: {', '.join(missing)}.",
        )


def _check_results(message: dict[str, Any], before: dict[str, Any] | None, at: int) -> None:
    results = [block for block in message["content"] if block["type"] == "tool_result"]
    asked = {b["id"] for b in (before["content"] if before else []) if b["type"] == "tool_use"}
    ids = [block["tool_use_id"] for block in results]
    unknown = [one for one in ids if one not in asked]
    if unknown:
        raise Refusal(
            400, f"messages.{at}: unexpected `tool_use_id` found in `tool_result`: {unknown[0]}"
        )
    if len(set(ids)) < len(ids):
        raise Refusal(400, f"messages.{at}: each `tool_use` must have a single result")
    kinds = [block["type"] for block in message["content"][: len(results)]]
    if any(kind != "tool_result" for kind in kinds):
        raise Refusal(400, f"messages.{at}: `tool_result` blocks must come before other content")


def _check_image(source: dict[str, Any], place: str) -> None:
    data = _decoded(source, f"{place}.image.source.base64")
    found = next((kind for magic, kind in _MAGIC if data.startswith(magic)), None)
    if found is None:
        raise Refusal(400, f"{place}.image.source.base64: Could not process image")
    if found != source.get("media_type"):
        raise Refusal(
            400,
            f"{place}.image.source.base64: The image was specified using the"
            f" {source.get('media_type')} media type, but the image appears to be a {found} image",
        )


def _check_pdf(source: dict[str, Any], place: str) -> None:
    is_pdf = source.get("media_type") == "application/pdf"
    if not is_pdf or not _decoded(source, f"{place}.document").startswith(b"%PDF-"):
        raise Refusal(400, f"{place}.document.source.base64: The PDF specified was not valid.")


def _decoded(source: dict[str, Any], place: str) -> bytes:
    try:
        return base64.b64decode(source.get("data") or "", validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(400, f"{place}: invalid base64 data") from None


def _no_others(block: dict[str, Any], known: set[str], place: str) -> None:
    others = sorted(set(block) - known)
    if others:
        raise Refusal(400, f"{place}.{others[0]}: Extra inputs are not permitted")
