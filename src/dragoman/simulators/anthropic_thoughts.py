"""Signatures of the Anthropic simulator's thoughts: only it can make them, and it checks them."""

from __future__ import annotations

import base64
import hashlib
from typing import Any, Final

from dragoman.simulators.refusals import Refusal

_SECRET: Final = b"only the simulator knows"
REDACT: Final = "ANTHROPIC_MAGIC_STRING_TRIGGER_REDACTED_THINKING"
"""A user text that holds it is thought about in secret (vendor documentation)."""


def signature_of(text: str) -> str:
    """The proof that the simulator thought ``text``."""
    digest = hashlib.blake2b(text.encode(), key=_SECRET, digest_size=48).digest()
    return base64.b64encode(b"simulated:" + digest).decode()


def thought(text: str, *, is_shown: bool, is_redacted: bool) -> dict[str, Any]:
    """The block of a thought."""
    if is_redacted:
        data = f"{signature_of(text)}.{base64.b64encode(text.encode()).decode()}"
        return {"type": "redacted_thinking", "data": data}
    shown = text if is_shown else ""
    return {"type": "thinking", "thinking": shown, "signature": signature_of(shown)}


def check_thought(block: dict[str, Any], place: str) -> None:
    """Raises ``Refusal`` for a thought that is not the simulator's own."""
    if block["type"] == "redacted_thinking":
        mac, _, text = str(block.get("data", "")).partition(".")
        try:
            is_own = mac == signature_of(base64.b64decode(text, validate=True).decode())
        except ValueError:
            is_own = False
        if not is_own:
            raise Refusal(400, f"{place}: Invalid `data` in `redacted_thinking` block")
        return
    shown, proof = block.get("thinking"), block.get("signature")
    if not isinstance(shown, str) or not isinstance(proof, str):
        raise Refusal(400, f"{place}.thinking.signature: Field required")
    if proof != signature_of(shown):
        raise Refusal(400, f"{place}: Invalid `signature` in `thinking` block")
