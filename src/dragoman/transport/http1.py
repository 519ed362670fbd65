"""One HTTP/1.1 connection, callbacks only.

``Connection.send`` writes a call; what the socket brings is told to a ``Sink``: ``head`` once,
then per read at most one ``data`` or one ``end``; or ``lost``. The connection knows exactly which
byte ends an answer (``answer``): one byte too many, before, behind or between answers, and it is
closed and never used again, for that byte might belong to another caller's answer.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol, cast

from dragoman.clock import Timer
from dragoman.errors import UpstreamBroken, UpstreamError, UpstreamUnavailable
from dragoman.framing.repetition import Repetition
from dragoman.transport.answer import AnswerReader
from dragoman.transport.calls import Call, Head
from dragoman.transport.heads import Misframed, read_keep_alive, read_whole

JOINED_WRITE: Final = 64 * 1024
"""Calls with bodies up to this size go out as one block; of larger ones only the head is
joined."""

_H: Final = ord("H")
_HAS_BODY: Final = (b"POST ", b"PUT ", b"PATCH ")


class Sink(Protocol):
    """Told what becomes of one call on a connection."""

    def head(self, head: Head, *, whole: bool) -> None:
        """The answer's head; ``whole`` if ``end`` follows at once."""
        ...

    def data(self, block: bytes) -> None:
        """Bytes of the body."""
        ...

    def end(self, block: bytes) -> None:
        """The answer is complete; ``Connection.alive`` says whether another call may follow."""
        ...

    def lost(self, error: UpstreamError, *, unanswered: bool) -> None:
        """No (more) answer comes; ``unanswered`` if not one byte of it came. The connection is
        dead.
        """
        ...

    def expire(self) -> None:
        """The connection's timer fired while the call was on it."""
        ...


class Keeper(Protocol):
    """Who holds connections while nobody uses them."""

    def gone(self, connection: Connection) -> None:
        """The connection is dead; told once, in use or not."""
        ...


class Connection(asyncio.Protocol):
    """One socket to an upstream and at most one call on it."""

    __slots__ = (
        "_has_no_body",
        "_keeper",
        "_reader",
        "_repeated",
        "_repetition",
        "_sink",
        "_transport",
        "dead",
        "fresh",
        "keep_for",
        "served",
        "timer",
    )

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._transport: asyncio.Transport | None = None
        self._sink: Sink | None = None
        self._reader: AnswerReader | None = None
        self._has_no_body = False
        self._repetition = Repetition()
        self._repeated: Head | None = None
        """The head that this connection may repeat, but for its length."""
        self.dead = False
        """It will never carry a call again."""
        self.served = 0
        """Answers read to their end."""
        self.fresh = True
        """It has served no call and never lain idle: nobody can have closed it as idle."""
        self.timer: Timer | None = None
        """One for all its life: its deadline is the flight's affair while there is a call, and
        the pool's while it lies idle."""
        self.keep_for: float | None = None
        """Seconds that the last answer allows the connection to rest, if it said so."""

    @property
    def alive(self) -> bool:
        """A call can be put on it, as far as is known."""
        transport = self._transport
        return not self.dead and transport is not None and not transport.is_closing()

    def send(self, call: Call, sink: Sink) -> None:
        """Write ``call`` and tell ``sink`` what comes back. Only while ``alive`` and idle."""
        transport = self._transport
        if transport is None or self._sink is not None:
            raise RuntimeError("a call was put on a connection that is not idle")
        head = call.head
        body = call.body
        self._sink = sink
        self._has_no_body = head[0] == _H and head.startswith(b"HEAD ")
        size = len(body[0]) if len(body) == 1 else sum(map(len, body))
        if size or head.startswith(_HAS_BODY):
            head += b"content-length: %d\r\n\r\n" % size
        else:
            head += b"\r\n"
        if size > JOINED_WRITE:
            transport.writelines((head, *body))
        elif len(body) == 1:
            transport.write(head + body[0])
        else:
            transport.write(b"".join((head, *body)))

    def pause(self) -> None:
        """Read no more until ``resume``."""
        if self.alive and self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self.alive and self._transport is not None:
            self._transport.resume_reading()

    def abort(self) -> None:
        """Close the socket at once; the sink hears nothing more, the keeper does."""
        self._sink = None
        self._die()

    def give_up(self, error: UpstreamError) -> None:
        """Close the socket at once; the sink, if there is one, hears why."""
        sink = self._sink
        self.abort()
        if sink is not None:
            sink.lost(error, unanswered=False)

    def expire(self) -> None:
        """The timer fired."""
        if self._sink is None:
            self._die()
        else:
            self._sink.expire()

    # What the event loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is connected and, where wanted, its TLS handshake done."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """One read."""
        sink = self._sink
        reader = self._reader
        if sink is None:
            self._die()
            return
        if reader is None:
            whole = None if self._has_no_body else self._read_whole(data)
            if whole is not None:
                self._answer(sink, *whole)
                return
            reader = self._reader = AnswerReader(has_no_body=self._has_no_body)
        head_is_told = reader.head is not None
        try:
            block = reader.feed(data)
        except Misframed as error:
            self._break(error)
            return
        if not head_is_told:
            if reader.head is None:
                return
            sink.head(reader.head, whole=reader.complete)
            if self._sink is not sink:
                return
        if reader.complete:
            self._end(sink, reader, block)
        elif block:
            sink.data(block)

    def eof_received(self) -> None:
        """The upstream sends nothing more; nor shall we."""
        sink = self._sink
        reader = self._reader
        if sink is not None and reader is not None:
            try:
                if reader.finish():
                    self._end(sink, reader, b"")
                    return
            except Misframed as error:
                self._break(error)
                return
        self._close(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        self._close(exc)

    def _read_whole(self, data: bytes) -> tuple[Head, bytes] | None:
        """See ``heads.read_whole``."""
        repeated = self._repeated
        if repeated is not None:
            body = self._repetition.body_of(data)
            if body is not None:
                return repeated.with_length(len(body)), body
        whole = read_whole(data)
        if whole is not None:
            self._repeated = whole[0] if self._repetition.learn(data) else None
        return whole

    def _answer(self, sink: Sink, head: Head, body: bytes) -> None:
        """A plain answer, whole in one read."""
        sink.head(head, whole=True)
        if self._sink is sink:
            self._free(reusable=True, keep_for=read_keep_alive(head.headers))
            sink.end(body)

    def _end(self, sink: Sink, reader: AnswerReader, block: bytes) -> None:
        self._free(reusable=reader.keeps_alive and not reader.excess, keep_for=reader.keep_for)
        sink.end(block)

    def _free(self, *, reusable: bool, keep_for: float | None) -> None:
        """The answer was read to its end."""
        self._sink = None
        if self._reader is not None:
            self._reader.let_go()
            self._reader = None
        self.served += 1
        self.fresh = False
        self.keep_for = keep_for
        transport = self._transport
        # A request that is still being written when its answer is over leaves bytes on the wire
        # that the next answer would be mistaken for an answer to.
        if not reusable or transport is None or transport.get_write_buffer_size():
            self._die()

    def _break(self, error: Misframed) -> None:
        self.give_up(
            UpstreamBroken("The provider's answer breaks the HTTP protocol.", detail=str(error))
        )

    def _close(self, exc: Exception | None) -> None:
        sink = self._sink
        unanswered = self._reader is None
        self._sink = None
        self._die()
        if sink is None:
            return
        how = "before it answered" if unanswered else "in the middle of its answer"
        cause = f": {type(exc).__name__}: {exc}" if exc is not None else ""
        sink.lost(
            UpstreamUnavailable(
                f"The provider closed the connection {how}.",
                detail=f"connection closed {how}{cause}",
            ),
            unanswered=unanswered,
        )

    def _die(self) -> None:
        if self._reader is not None:
            self._reader.let_go()
            self._reader = None
        if self.dead:
            return
        self.dead = True
        if self._transport is not None:
            self._transport.abort()
        self._keeper.gone(self)
