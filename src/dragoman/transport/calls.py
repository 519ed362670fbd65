"""What the house sees of the transport: callbacks in, callbacks out, nothing to await.

An exchange hands a ``Call`` and itself (a ``Listener``) to an ``Origin``'s ``send`` and gets a
``Flight``. The listener is told, in this order and always from the event loop:

``head`` once, then ``data`` any number of times, then ``end`` once; or ``lost`` once at any
point, after which nothing follows. After ``Flight.abort`` nothing follows either. Whatever one
read of the socket brings is delivered as at most one ``data`` or one ``end``, so that one read
upstream becomes one write to the client.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from dragoman.errors import UpstreamError


class Timeouts(Struct, frozen=True, kw_only=True):
    """Seconds."""

    connect: float = 10.0
    """From the wish for a new connection to the end of its TLS handshake, name look-up and
    proxy included; also the longest wait for a connection where the origin's limit is reached."""
    first_byte: float = 300.0
    """From the last byte of the request to the first byte of the answer."""
    idle: float = 120.0
    """Between two reads of the answer, while nobody has paused it."""
    total: float = 1800.0
    """The whole call."""


class Call(Struct, frozen=True):
    """One HTTP request, ready for the wire but for its framing."""

    head: bytes
    """Request line and headers, each line ended by CRLF, ``host`` included, without the framing
    headers (``content-length``) and without the empty line: the transport adds those."""
    body: Sequence[bytes]
    """Sent one behind the other, without being joined."""
    idempotent: bool = False
    """May be sent again even if the upstream may have begun to work on it."""


class Head(Struct, frozen=True):
    """Status and headers of an answer."""

    status: int
    headers: dict[str, str]
    """Names in lower case, values decoded as Latin-1; of repeated headers the last, joined by
    ``, `` where several are legal."""

    def with_length(self, size: int) -> Head:
        """The same head before a body of ``size`` bytes."""
        return Head(self.status, {**self.headers, "content-length": f"{size}"})


class Listener(Protocol):
    """Told what becomes of a call."""

    def head(self, head: Head) -> None:
        """The answer's head (never a 1xx)."""
        ...

    def data(self, block: bytes) -> None:
        """Bytes of the body, unframed."""
        ...

    def end(self, block: bytes) -> None:
        """The answer is complete; ``block`` holds its last bytes, often none."""
        ...

    def lost(self, error: UpstreamError) -> None:
        """There will be no (more) answer: ``UpstreamUnavailable`` (refused, reset, closed
        early), ``UpstreamTimeout`` or ``UpstreamBroken`` (misframed).
        """
        ...


class Flight(Protocol):
    """A call under way."""

    def pause(self) -> None:
        """Read no more until ``resume``; the idle time-out rests meanwhile."""
        ...

    def resume(self) -> None:
        """Read on."""
        ...

    def abort(self) -> None:
        """Close the connection at once; the listener hears nothing more. Harmless at any time,
        also twice and after the end.
        """
        ...


class Origin(Protocol):
    """One upstream host with its connections."""

    def send(self, call: Call, listener: Listener) -> Flight:
        """Put ``call`` on a connection: an idle one at once, else as soon as there is one."""
        ...
