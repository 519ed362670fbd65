"""What happens to an answer's bytes between the upstream and the client. Pure.

Two relays with one face. ``Passed`` is for the same dialect on both sides: bytes go on as they
came and are read beside. ``Translated`` is for two dialects: block -> frames -> events ->
bytes, one block at a time, so that one read becomes one write.

A relay is fed blocks of a stream (``feed``, then ``close``) or one whole body (``whole``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dragoman.canonical.events import Delta, Event, Failed, Finished, Started
from dragoman.canonical.fold import unfold
from dragoman.canonical.response import ChatResponse
from dragoman.canonical.stop import StopCutter
from dragoman.canonical.usage import Usage
from dragoman.dialects.base import (
    AnswerFacts,
    ClientDialect,
    ReadRequest,
    UpstreamDialect,
    WrittenRequest,
)
from dragoman.errors import GatewayError, UpstreamBroken
from dragoman.framing import FramingError

CHARACTERS_PER_TOKEN = 4
"""For estimates, where a stream ends before the provider has counted."""
BYTES_PER_CHUNK = 250
"""Of Chat Completions, which bring about a token each; for estimates too."""
BYTES_PER_TOKEN = 4
"""Of a request's body, for estimates."""

EVENT_STARTS = (b"data:", b"event:", b":")
"""How a stream begins, and JSON does not: some servers call their streams JSON."""


class Relay(Protocol):
    """The attributes say what has been seen so far."""

    usage: Usage | None
    begun: bool
    """Something meaningful was seen; from here on the client may see bytes."""
    over: bool
    """Nothing of the answer is still to come: the upstream has said its last word, or the gateway
    had ``enough``."""
    enough: bool
    """The gateway itself ended the answer; what the upstream still says is not wanted."""
    error: GatewayError | None
    """The answer will never be whole."""

    def feed(self, block: bytes) -> bytes:
        """The client's bytes for the next block of a stream."""
        ...

    def close(self) -> bytes:
        """The upstream's stream has ended. Sets ``error`` if it had not said its last word."""
        ...

    def fail(self, error: GatewayError) -> bytes:
        """The client's bytes that report ``error`` inside a stream that has begun."""
        ...

    def whole(self, body: bytes) -> bytes:
        """The client's body for a whole answer. Raises ``GatewayError``."""
        ...

    def unfolded(self, body: bytes) -> bytes:
        """The client's stream for an upstream that answers whole although asked to stream, or
        calls its stream JSON; ``error`` is set as by ``close``. Raises ``GatewayError``.
        """
        ...

    def estimate(self) -> int:
        """Tokens of answer seen so far, roughly."""
        ...


def counted(relay: Relay, body: Sequence[bytes]) -> Usage | None:
    """The provider's count, or what was seen of an answer to the request ``body`` that nobody
    finished counting.
    """
    if relay.usage is not None or not relay.begun:
        return relay.usage
    size = sum(map(len, body))
    return Usage(input=size // BYTES_PER_TOKEN, output=relay.estimate(), estimated=True)


class Witness(Protocol):
    """Somebody who wants to know what an answer says."""

    def see(self, events: Sequence[Event]) -> None:
        """The next events of the answer."""
        ...


class Passed:
    """Same dialect on both sides."""

    usage: Usage | None = None
    begun = False
    over = False
    enough = False
    error: GatewayError | None = None
    _bytes = 0

    def __init__(self, client: ClientDialect, request: ReadRequest) -> None:
        self._client = client
        self._passage = client.passage(request) if request.stream else None

    def feed(self, block: bytes) -> bytes:
        passage = self._passage
        assert passage is not None  # a whole answer goes to whole()  # noqa: S101
        self._bytes += len(block)
        out = passage.feed(block)
        self.usage = passage.usage
        self.begun = passage.begun
        self.over = passage.complete
        self.error = passage.error
        return out

    def close(self) -> bytes:
        passage = self._passage
        assert passage is not None  # noqa: S101
        out = passage.close()
        self.usage = passage.usage
        self.begun = passage.begun
        self.error = passage.error
        return out

    def fail(self, error: GatewayError) -> bytes:
        return self._client.stream_error(error)

    def whole(self, body: bytes) -> bytes:
        self.usage = self._client.read_usage(body)
        return body

    def unfolded(self, body: bytes) -> bytes:
        if body.startswith(EVENT_STARTS):
            return self.feed(body) + self.close()
        self.whole(body)
        raise UpstreamBroken("The upstream did not stream its answer although it was asked to.")

    def estimate(self) -> int:
        return self._bytes // BYTES_PER_CHUNK


class Translated:
    """Two dialects: the upstream's events become the client's."""

    def __init__(
        self,
        upstream: UpstreamDialect,
        written: WrittenRequest,
        client: ClientDialect,
        request: ReadRequest,
        facts: AnswerFacts,
        witness: Witness | None = None,
    ) -> None:
        self._witness = witness
        self._upstream = upstream
        self._written = written
        self._client = client
        self._request = request
        self._facts = facts
        self._characters = 0
        self._cutter = StopCutter(written.stop) if written.stop else None
        if request.stream:
            self._decoder = upstream.framing()
            self._reader = upstream.stream_reader(written)
            self._writer = client.stream_writer(request, facts)
        self.usage: Usage | None = None
        self.begun = False
        self.over = False
        self.enough = False
        self.error: GatewayError | None = None

    def feed(self, block: bytes) -> bytes:
        try:
            frames = self._decoder.feed(block)
        except FramingError as error:
            broken = UpstreamBroken("The upstream's stream is garbled.", detail=str(error))
            return self._write([Failed(broken)])
        return self._write(self._reader.read_all(frames)) if frames else b""

    def close(self) -> bytes:
        events: list[Event] = []
        if not self.over:
            for frame in self._decoder.close():
                events += self._reader.read(frame.data, frame.event)
            events += self._reader.close()
        out = self._write(events)
        if not self.over and self.error is None:
            self.error = UpstreamBroken("The upstream's stream ended before the answer did.")
        return out

    def fail(self, error: GatewayError) -> bytes:
        return self._writer.write([Failed(error)])

    def whole(self, body: bytes) -> bytes:
        response = self._read(body)
        if self._witness is not None:
            self._witness.see(unfold(response))
        return self._client.write_response(response, self._request, self._facts)

    def unfolded(self, body: bytes) -> bytes:
        if body.startswith(EVENT_STARTS):
            return self.feed(body) + self.close()
        return self._write(unfold(self._read(body)))

    def estimate(self) -> int:
        return self._characters // CHARACTERS_PER_TOKEN

    def _read(self, body: bytes) -> ChatResponse:
        response = self._upstream.read_response(body, self._written)
        if self._cutter is not None:
            response = self._cutter.cut(response)
        self.usage = response.usage
        return response

    def _write(self, events: list[Event]) -> bytes:
        if self._witness is not None:
            self._witness.see(events)
        if self._cutter is not None and events:
            events = self._cutter.filter(events)
            self.enough = self._cutter.over
        if not events:
            return b""
        self._look(events)
        if self.enough:
            self._count(events)
        if self.error is not None:
            events = events[:-1]
        return self._writer.write(events)

    def _count(self, events: list[Event]) -> None:
        """The upstream is hung up on before it has counted; callers who asked still get counts."""
        last = events[-1]
        if type(last) is Finished and last.usage is None:
            self.usage = counted(self, self._written.body)
            events[-1] = Finished(self.usage, last.extras)

    def _look(self, events: list[Event]) -> None:
        """Note what the block brought; an end of the stream can only be its last event."""
        last = events[-1]
        if type(last) is Finished:
            self.over = True
            self.usage = last.usage
        elif type(last) is Failed:
            self.error = last.error
        for event in events:
            if type(event) is Delta:
                self._characters += len(event.text)
                self.begun = True
            elif not self.begun and type(event) is not Started and type(event) is not Failed:
                self.begun = True
