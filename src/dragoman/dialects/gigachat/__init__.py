"""GigaChat's chat API, version 1, as we speak it to the provider.

Read ``fates`` first: the table of what becomes of each member of a request. ``messages``,
``results`` and ``functions`` (with ``schemas`` and ``names``) write what is more than a member,
``requests`` puts it together as the operator's ``preferences`` have it. ``answers`` and ``stream``
read what comes back (``thoughts`` tells thinking from talking), ``errors`` what comes instead.
``attachments`` keeps places for the ids of files, which are uploaded after the body is written.
``state_ids`` gives calls an id that carries GigaChat's own state through the client and back,
``session_ids`` names a conversation.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Final

from dragoman.dialects.base import UpstreamDialect
from dragoman.dialects.gigachat.answers import read_response
from dragoman.dialects.gigachat.errors import read_error
from dragoman.dialects.gigachat.preferences import STANDARD, Preferences
from dragoman.dialects.gigachat.requests import write_request
from dragoman.dialects.gigachat.session_ids import session_line
from dragoman.dialects.gigachat.stream import GigaChatStreamReader
from dragoman.framing.sse import SseDecoder


@cache
def upstream(preferences: Preferences) -> UpstreamDialect:
    """The dialect as one provider's operator prefers it."""
    return UpstreamDialect(
        name="gigachat",
        framing=SseDecoder,
        write_request=partial(write_request, preferences=preferences),
        read_response=read_response,
        read_error=read_error,
        stream_reader=GigaChatStreamReader,
        session_line=session_line if preferences.session_ids else None,
    )


UPSTREAM: Final = upstream(STANDARD)
