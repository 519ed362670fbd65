"""GigaChat's chat API, version 2, as we speak it to the provider.

The same house as version 1 next door, whose rules, names and schemas it shares. Read ``fates``
first: what differs in a request. ``tools`` (with ``built_in``) and ``messages`` write what is more
than a member, ``requests`` puts it together. ``answers`` and ``stream`` read what comes back, with
``calls``, ``words`` and ``citations``; ``call_ids`` makes ids that carry the state of an answer
through the client and back.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Final

from dragoman.dialects.base import UpstreamDialect
from dragoman.dialects.gigachat.errors import read_error
from dragoman.dialects.gigachat.preferences import STANDARD, Preferences
from dragoman.dialects.gigachat.session_ids import session_line
from dragoman.dialects.gigachat.v2.answers import read_response
from dragoman.dialects.gigachat.v2.requests import write_request
from dragoman.dialects.gigachat.v2.stream import GigaChatV2StreamReader
from dragoman.framing.sse import SseDecoder


@cache
def upstream(preferences: Preferences) -> UpstreamDialect:
    """The dialect as one provider's operator prefers it."""
    return UpstreamDialect(
        name="gigachat_v2",
        framing=SseDecoder,
        write_request=partial(write_request, preferences=preferences),
        read_response=read_response,
        read_error=read_error,
        stream_reader=GigaChatV2StreamReader,
        session_line=session_line if preferences.session_ids else None,
    )


UPSTREAM: Final = upstream(STANDARD)
