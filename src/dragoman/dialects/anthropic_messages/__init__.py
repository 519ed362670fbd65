"""Anthropic's Messages API, as Claude speaks it on every cloud, as we speak it to a provider.

Read ``fates`` first: the table of what becomes of each member of a request. ``reasoning``,
``tools`` (with ``schemas``), ``messages`` (with ``turns`` and ``media``) and ``marks`` write what
is more than a member, ``requests`` puts it together. ``answers`` and ``stream`` read what comes
back, ``errors`` what comes instead, ``wire`` what these share.
"""

from __future__ import annotations

from dragoman.dialects.anthropic_messages.answers import read_response
from dragoman.dialects.anthropic_messages.errors import read_error
from dragoman.dialects.anthropic_messages.requests import write_request
from dragoman.dialects.anthropic_messages.stream import MessagesStreamReader
from dragoman.dialects.anthropic_messages.wire import NAME
from dragoman.dialects.base import UpstreamDialect
from dragoman.framing.sse import SseDecoder

UPSTREAM = UpstreamDialect(
    name=NAME,
    framing=SseDecoder,
    write_request=write_request,
    read_response=read_response,
    read_error=read_error,
    stream_reader=MessagesStreamReader,
    signs_thoughts=True,
)
