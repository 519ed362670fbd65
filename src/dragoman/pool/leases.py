"""What the rest of the house holds of the pool: a lease, a ticket, and who waits with it."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Final, Protocol

from dragoman.errors import GatewayError, UpstreamRejectedKey
from dragoman.pool.keys import Key
from dragoman.pool.scheduler import Place
from dragoman.providers.base import Credential

SHORTEST_SECRET: Final = 8
"""Characters; a shorter credential would be found in ordinary words."""


class Lease:
    """The loan of a credential for one call. Whoever holds it calls ``release`` once."""

    __slots__ = ("_key", "_take_back", "authorization", "credential", "key_id")

    def __init__(
        self,
        credential: Credential,
        key: Key,
        take_back: Callable[[Key | None, GatewayError | None], None],
    ) -> None:
        self.credential: Final = credential
        self.key_id: Final = key.id
        self.authorization = b""
        """Header lines that the call was signed with, to be told apart from newer ones when the
        upstream rejects them."""
        self._key: Key | None = key
        self._take_back = take_back

    def release(self, error: GatewayError | None = None) -> None:
        """The call is over, its stream included; ``error`` is how it failed, ``None`` if it did
        not or if it was not the provider's doing. A second release is a bug of the holder; it
        changes nothing (see ``Broker.strict``).

        What ``error`` repeats of the credential is taken out of it, so that it may be told; the
        credential's own advice is put into one that rejects it.
        """
        if isinstance(error, UpstreamRejectedKey) and error.advice is None:
            error.advice = self.credential.advice
            error.detail = f"{self.key_id}: {error.advice} ({error.detail})"
        if error is not None and self.authorization:
            secret = self.authorization.rsplit(None, 1)[-1]
            if len(secret) >= SHORTEST_SECRET:
                error.hide(secret.decode("latin-1"))
        key, self._key = self._key, None
        self._take_back(key, error)


class Waiter(Protocol):
    """Told once, from the event loop, how a ticket fared; never after ``Ticket.cancel``."""

    def granted(self, lease: Lease) -> None:
        """The wait is over; ``lease`` is the waiter's to release."""
        ...

    def refused(self, error: GatewayError) -> None:
        """Nothing will come of it."""
        ...


class Ticket(Place):
    """A place in the queue, and the one who waits there."""

    __slots__ = ("_error", "_key", "_lender", "_waiter")

    def __init__(
        self,
        caller: str,
        waiter: Waiter,
        lender: Lender,
        *,
        deadline: float,
        excluded: AbstractSet[str],
    ) -> None:
        super().__init__(caller, deadline=deadline, excluded=excluded)
        self._waiter: Waiter | None = waiter
        self._lender = lender
        self._key: Key | None = None
        self._error: GatewayError | None = None

    def cancel(self) -> None:
        """Wait no longer. A key granted in the meantime goes back; harmless at any time."""
        if self._waiter is not None:
            self._waiter = None
            self._lender.withdraw(self, self._key)

    def decided(self, key: Key | None, error: GatewayError | None) -> None:
        """The broker's affair: note how it fared, to be told by ``tell``."""
        self._key = key
        self._error = error

    def tell(self) -> None:
        """The broker's affair: tell the waiter, unless it has left in the meantime."""
        waiter, self._waiter = self._waiter, None
        if waiter is None:
            return
        if self._key is not None:
            waiter.granted(self._lender.lend(self._key))
        elif self._error is not None:
            waiter.refused(self._error)


class Lender(Protocol):
    """What a ticket needs of its broker."""

    def lend(self, key: Key) -> Lease:
        """The lease of a key that was granted to the ticket."""
        ...

    def withdraw(self, ticket: Ticket, key: Key | None) -> None:
        """The ticket is cancelled; ``key`` goes back if it was granted already."""
        ...
