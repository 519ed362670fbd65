"""The session id of a conversation, for GigaChat's prompt cache.

The vendor's documentation has requests of one conversation carry the same ``X-Session-ID``: then
what was read once need not be read (and paid for) again. Clients do not know that header, but
their requests begin alike: a conversation is told by its instructions and its first words, which
stay when it grows. Who asks is part of the id, so that no two callers share a session.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from dragoman.canonical.conversation import Media, Role, Text
from dragoman.canonical.request import ChatRequest

PREFIX: Final = 16_384
"""Characters of each text that count: it is a name, and need not cost more than that."""

_INSTRUCTING: Final = (Role.SYSTEM, Role.DEVELOPER)


def session_id(request: ChatRequest, caller: str) -> str:
    """A UUID (RFC 9562, version 8) that stays the same while a conversation of ``caller`` grows."""
    said = [caller, request.model]
    for message in request.messages:
        for part in message.parts:
            if type(part) is Text:
                said.append(part.text[:PREFIX])
            elif type(part) is Media:
                said.append((part.data or part.url or part.file_id or "")[:PREFIX])
        if message.role not in _INSTRUCTING:
            break
    # Ids of callers hold no NUL, so that whatever the others hold, no two callers meet.
    digits = blake2b("\0".join(said).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-8{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def session_line(request: ChatRequest, caller: str) -> bytes:
    """The header line, ended by CRLF."""
    return f"x-session-id: {session_id(request, caller)}\r\n".encode()
