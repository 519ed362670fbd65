"""What an exchange deals with: the values it carries and the two narrow sides it speaks to.

Values that are made for every request are built by position there: a dozen names cost what a
whole request may not.

``ClientSide`` is implemented by the server's connection (and by the ASGI fallback),
``UpstreamSide`` by ``upstream.py``, one object a provider. Both are small enough to be faked,
which is how ``exchange.py`` is proved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Protocol

from msgspec import Struct

from dragoman.canonical.fidelity import Fidelity
from dragoman.canonical.usage import Usage
from dragoman.dialects.base import AnswerFacts, ClientDialect, Headers, ReadRequest
from dragoman.errors import GatewayError, UpstreamLostFile, UpstreamRejectedKey
from dragoman.media.luggage import Luggage
from dragoman.pool.leases import Lease, Ticket, Waiter
from dragoman.relay import Relay
from dragoman.transport.calls import Flight, Listener


class Question(Struct, frozen=True):
    """A request as it was read, and who asks."""

    dialect: ClientDialect
    request: ReadRequest
    facts: AnswerFacts
    caller: str
    """Id of the caller, for fairness in the queue and for the ledger."""
    reject_unsupported: bool = False
    """``x-dragoman-on-unsupported: reject``: refuse what cannot be carried over exactly."""
    passed: Sequence[tuple[bytes, bytes]] = ()
    """Headers that some provider lets through: names in lower case, values checked."""
    api: str | None = None
    """Version of the provider's API to use; ``None`` leaves it to the provider."""


class Answer(Struct, frozen=True):
    """What the head of an answer to the client says."""

    status: int
    target: str | None = None
    attempts: int = 0
    fidelity: Fidelity | None = None
    retry_after: float | None = None


class ClientSide(Protocol):
    """What an exchange may ask of the client's connection.

    Either ``reply`` once, or ``open`` once, ``write`` any number of times and ``close`` once.
    """

    def reply(self, answer: Answer, body: bytes) -> None:
        """A whole answer."""
        ...

    def open(self, answer: Answer, block: bytes) -> None:
        """The head of a stream and its first bytes, in one write."""
        ...

    def write(self, block: bytes) -> None:
        """More of the stream."""
        ...

    def close(self, block: bytes) -> None:
        """The stream's last bytes."""
        ...


class Prepared(Struct, frozen=True):
    """A request as one target will get it."""

    head: bytes
    body: Sequence[bytes]
    fidelity: Fidelity
    relay: Callable[[], Relay]
    """A fresh relay for each attempt: what one try has said must not colour the next."""
    read_error: Callable[[int, Headers, bytes], GatewayError]
    luggage: Luggage | None = None
    """Media that must be at the provider before the call; ``body`` is incomplete then."""

    def is_mended(self, error: GatewayError, lease: Lease) -> bool:
        """After ``error`` the same call under the same lease may succeed: with a fresh token, or
        with its files uploaded anew.
        """
        if isinstance(error, UpstreamRejectedKey):
            return lease.credential.signer.rejected(lease.authorization)
        if isinstance(error, UpstreamLostFile) and self.luggage is not None:
            return self.luggage.forget()
        return False


class Passenger(Listener, Protocol):
    """A listener for calls that may fail before they are sent."""

    def lost(self, error: GatewayError) -> None:
        """There will be no (more) answer: see ``Listener``, or what the call waited for could not
        be had, which may be the caller's own fault.
        """
        ...


class UpstreamSide(Protocol):
    """What an exchange may ask of one provider."""

    def prepare(self, model: str, question: Question) -> Prepared:
        """Write the request for ``model``. Raises ``GatewayError``."""
        ...

    def send(self, prepared: Prepared, lease: Lease, listener: Passenger) -> Flight:
        """Sign and send."""
        ...

    def acquire(self, caller: str, waiter: Waiter, excluded: frozenset[str]) -> Lease | Ticket:
        """Ask the provider's pool for a key, best one that is not ``excluded``."""
        ...


class Target(Struct, frozen=True):
    """Provider and model to try."""

    label: str
    """``provider/model``, as the caller may see it."""
    model: str
    side: UpstreamSide


class Outcome(Struct):
    """How an exchange ended; what the ledger, the log and the metrics are written from."""

    status: int = 0
    """What the client saw; 0 if it left before it saw anything."""
    error: GatewayError | None = None
    usage: Usage | None = None
    target: str | None = None
    attempts: int = 0
    fidelity: Fidelity | None = None
    client_left: bool = False
    """The client went away before the answer was complete."""


class State(Enum):
    """Where an exchange is; see the picture in exchange.py."""

    WAITING = auto()
    CALLING = auto()
    COLLECTING = auto()
    HOLDING = auto()
    RELAYING = auto()
    OVER = auto()
