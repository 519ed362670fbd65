"""OpenAI Chat Completions, spoken to callers (``CLIENT``) and to upstreams (``UPSTREAM``).

``requests`` checks and forwards a caller's request, with ``fields`` (the table of members),
``read_messages`` and ``tools`` for its translation; ``write_request`` and ``write_messages`` go
the other way. ``responses`` has whole answers in both directions, ``stream_reader`` and
``stream_writer`` streamed ones, ``answers`` what the readers share, ``passage`` the same dialect
on both sides, ``errors`` and ``usage`` what their names say. ``wire`` holds the words,
``nesting`` and ``redaction`` the guards.
"""

from __future__ import annotations

from typing import Final

from dragoman.dialects.base import ClientDialect, UpstreamDialect
from dragoman.dialects.openai_chat.errors import read_error, stream_error, write_error
from dragoman.dialects.openai_chat.passage import ChatPassage
from dragoman.dialects.openai_chat.requests import read_request
from dragoman.dialects.openai_chat.responses import read_response, read_usage
from dragoman.dialects.openai_chat.stream_reader import ChatStreamReader
from dragoman.dialects.openai_chat.stream_writer import ChatStreamWriter
from dragoman.dialects.openai_chat.wire import NAME
from dragoman.dialects.openai_chat.write_request import write_request
from dragoman.dialects.openai_chat.write_response import write_response
from dragoman.framing.sse import SseDecoder

CLIENT: Final = ClientDialect(
    name=NAME,
    read_request=read_request,
    write_response=write_response,
    write_error=write_error,
    stream_writer=ChatStreamWriter,
    stream_error=stream_error,
    passage=ChatPassage,
    read_usage=read_usage,
)

UPSTREAM: Final = UpstreamDialect(
    name=NAME,
    framing=SseDecoder,
    write_request=write_request,
    read_response=read_response,
    read_error=read_error,
    stream_reader=ChatStreamReader,
)
