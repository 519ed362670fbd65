"""GigaChat's chat API, version 1, as we speak it to the provider.

Read ``fates`` first: the table of what becomes of each member of a request. ``messages``,
``functions`` (with ``schemas`` and ``names``) write what is more than a member, ``requests``
puts it together. ``answers`` and ``stream`` read what comes back, ``errors`` what comes instead.
``attachments`` keeps places for the ids of files, which are uploaded after the body is written.
``state_ids`` gives calls an id that carries GigaChat's own state through the client and back.
"""

from __future__ import annotations

from dragoman.dialects.base import UpstreamDialect
from dragoman.dialects.gigachat.answers import read_response
from dragoman.dialects.gigachat.errors import read_error
from dragoman.dialects.gigachat.requests import write_request
from dragoman.dialects.gigachat.stream import GigaChatStreamReader
from dragoman.framing.sse import SseDecoder

UPSTREAM = UpstreamDialect(
    name="gigachat",
    framing=SseDecoder,
    write_request=write_request,
    read_response=read_response,
    read_error=read_error,
    stream_reader=GigaChatStreamReader,
)
