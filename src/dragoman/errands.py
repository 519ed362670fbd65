"""One call upstream that is not part of a conversation, from its key to its answer.

A ``Messenger`` runs errands at one provider under the same rules as conversations: a key of the
pool, or a place in its queue; a fresh token after a 401; another key after what may be the key's
fault, until the attempts are used up; the key goes back exactly once. Nothing is tried again once
an answer has begun. These calls are few and wait for whole answers or stream whole files, so that
this is plain asyncio around the callbacks of pool and transport.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, Protocol, TypeVar

from msgspec import Struct

from dragoman.dialects.base import Headers
from dragoman.errors import GatewayError, UpstreamBroken, UpstreamRejectedKey
from dragoman.pool.leases import Lease, Ticket, Waiter
from dragoman.pool.scheduler import NO_KEYS, AllBut
from dragoman.providers.signing import authorized
from dragoman.transport.calls import Call, Flight, Head, Origin

ERROR_BODY_LIMIT: Final = 256 * 1024
"""Bytes of an error answer that are read."""
HIGH_WATER: Final = 512 * 1024
"""Bytes of an answer that wait for their reader before the upstream is paused."""
T = TypeVar("T")


class Errand(Struct, frozen=True, kw_only=True):
    """One call, ready but for its signature."""

    head: bytes
    body: Sequence[bytes] = ()
    read_error: Callable[[int, Headers, bytes], GatewayError]
    idempotent: bool = False
    """See ``Call``."""
    key_id: str | None = None
    """The only key that will do; then there is no second try with another."""


class Trail(Protocol):
    """Where a messenger notes what it does."""

    caller: str
    attempts: int


class Pool(Protocol):
    """What a messenger needs of its provider's broker."""

    def acquire(
        self, caller: str, waiter: Waiter, *, excluded: AbstractSet[str] = NO_KEYS
    ) -> Lease | Ticket:
        """A key at once, or a place in the queue."""
        ...


class Messenger:
    """Runs errands at one provider."""

    def __init__(
        self,
        pool: Pool,
        origin: Origin,
        attempts: int,
        told: Callable[[GatewayError], GatewayError] | None = None,
    ) -> None:
        """``attempts``: calls for one errand, at most. ``told``: how failures are told to whoever
        sent the messenger, where that is not as they are.
        """
        self._told = told
        self._pool = pool
        self._origin = origin
        self._attempts = attempts

    async def ask(self, errand: Errand, trail: Trail, *, limit: int) -> bytes:
        """The whole body of a successful answer, of at most ``limit`` bytes. Raises
        ``GatewayError``.
        """
        return await self._telling(self._run(errand, trail, lambda answer: answer.whole(limit)))

    async def open(self, errand: Errand, trail: Trail) -> Incoming:
        """A successful answer that has begun; whoever gets it reads it or closes it. Raises
        ``GatewayError``.
        """
        return await self._telling(self._run(errand, trail, _as_it_is))

    async def _telling(self, running: Awaitable[T]) -> T:
        try:
            return await running
        except GatewayError as error:
            if self._told is None:
                raise
            raise self._told(error) from error

    async def _run(
        self, errand: Errand, trail: Trail, finish: Callable[[Incoming], Awaitable[T]]
    ) -> T:
        """What ``finish`` makes of a successful answer; when that fails, it may be tried again."""
        if errand.key_id is not None:
            lease = await self._lease(trail.caller, AllBut(errand.key_id))
            return await finish(await self._call(errand, lease, trail))
        excluded: AbstractSet[str] = NO_KEYS
        failure: GatewayError | None = None
        for attempt in range(1, self._attempts + 1):
            try:
                lease = await self._lease(trail.caller, excluded)
            except GatewayError as error:
                # That no key is left for another try says less than why the last one failed.
                raise failure or error from None
            try:
                return await finish(await self._call(errand, lease, trail))
            except GatewayError as error:
                if not error.retryable or attempt == self._attempts:
                    raise
                failure = error
                excluded |= {lease.key_id}
        raise AssertionError("every attempt returns or raises")

    async def _lease(self, caller: str, excluded: AbstractSet[str]) -> Lease:
        waiter = _Waiting()
        loan = self._pool.acquire(caller, waiter, excluded=excluded)
        if isinstance(loan, Lease):
            return loan
        try:
            return await waiter.lease
        except asyncio.CancelledError:
            waiter.leave(loan)
            raise

    async def _call(self, errand: Errand, lease: Lease, trail: Trail) -> Incoming:
        """An answer with a success's status. Raises ``GatewayError``; the lease is back then."""
        signer = lease.credential.signer
        try:
            try:
                return await self._send(errand, lease, trail)
            except UpstreamRejectedKey:
                if not signer.rejected(lease.authorization):
                    raise
                return await self._send(errand, lease, trail)
        except GatewayError as error:
            lease.release(error)
            raise
        except BaseException:
            lease.release()
            raise

    async def _send(self, errand: Errand, lease: Lease, trail: Trail) -> Incoming:
        trail.attempts += 1
        lease.authorization = await authorized(lease.credential.signer)
        call = Call(errand.head + lease.authorization, errand.body, errand.idempotent)
        answer = Incoming(lease)
        answer.flight = self._origin.send(call, answer)
        try:
            head = await answer.begun()
            if 200 <= head.status < 300:
                return answer
            body = await answer.beginning(ERROR_BODY_LIMIT)
        except BaseException:
            answer.flight.abort()
            raise
        answer.flight.abort()
        raise errand.read_error(head.status, head.headers, body)


class Incoming:
    """An answer as it comes: a ``Listener`` for the transport, read by one coroutine.

    Holds the lease of its call from the moment it is handed out until it is read or closed.
    """

    flight: Flight
    head_: Head | None = None

    def __init__(self, lease: Lease) -> None:
        self._lease: Lease | None = lease
        self.key_id = lease.key_id
        self._blocks: deque[bytes] = deque()
        self._waiting = 0
        self._is_paused = False
        self._news = asyncio.Event()
        self._has_ended = False
        self._error: GatewayError | None = None

    # Told by the transport.

    def head(self, head: Head) -> None:
        """See ``Listener``."""
        self.head_ = head
        self._news.set()

    def data(self, block: bytes) -> None:
        """See ``Listener``."""
        self._blocks.append(block)
        self._waiting += len(block)
        if self._waiting > HIGH_WATER and not self._is_paused:
            self._is_paused = True
            self.flight.pause()
        self._news.set()

    def end(self, block: bytes) -> None:
        """See ``Listener``."""
        self._has_ended = True
        if block:
            self._blocks.append(block)
        self._news.set()

    def lost(self, error: GatewayError) -> None:
        """See ``Listener``."""
        self._error = error
        self._news.set()

    # Read by one coroutine.

    @property
    def headers(self) -> Headers:
        """Of the answer; names in lower case."""
        return self.head_.headers if self.head_ is not None else {}

    async def begun(self) -> Head:
        """The head. Raises ``UpstreamError``."""
        while self.head_ is None:
            if self._error is not None:
                raise self._error
            await self._news.wait()
            self._news.clear()
        return self.head_

    async def blocks(self) -> AsyncGenerator[bytes]:
        """The body, block by block; at its end, or when the reader stops, the key goes back.
        Raises ``UpstreamError`` for a body that breaks off.
        """
        try:
            while (block := await self._next()) is not None:
                yield block
        except GatewayError as error:
            self.close(error)
            raise
        finally:
            self.close()

    async def whole(self, limit: int) -> bytes:
        """The body. Raises ``UpstreamError``, and ``UpstreamBroken`` beyond ``limit`` bytes."""
        try:
            body = await self.beginning(limit + 1)
            if len(body) > limit:
                raise UpstreamBroken(f"The provider's answer is larger than {limit} bytes.")
        except GatewayError as error:
            self.close(error)
            raise
        finally:
            self.close()
        return body

    async def beginning(self, limit: int) -> bytes:
        """The body, or about its first ``limit`` bytes where it is longer."""
        parts: list[bytes] = []
        size = 0
        while size < limit and (block := await self._next()) is not None:
            parts.append(block)
            size += len(block)
        return b"".join(parts)

    def close(self, error: GatewayError | None = None) -> None:
        """Read no more; the key goes back, once."""
        lease, self._lease = self._lease, None
        if lease is not None:
            self.flight.abort()
            lease.release(error)

    async def _next(self) -> bytes | None:
        while not self._blocks:
            if self._error is not None:
                raise self._error
            if self._has_ended:
                return None
            if self._is_paused:
                self._is_paused = False
                self.flight.resume()
            self._news.clear()
            await self._news.wait()
        block = self._blocks.popleft()
        self._waiting -= len(block)
        return block


async def _as_it_is(answer: Incoming) -> Incoming:
    return answer


class _Waiting:
    """A ``Waiter`` for one coroutine."""

    def __init__(self) -> None:
        self.lease: asyncio.Future[Lease] = asyncio.get_running_loop().create_future()

    def granted(self, lease: Lease) -> None:
        if self.lease.done():
            lease.release()
        else:
            self.lease.set_result(lease)

    def refused(self, error: GatewayError) -> None:
        if not self.lease.done():
            self.lease.set_exception(error)

    def leave(self, ticket: Ticket) -> None:
        """The coroutine was cancelled; a key granted in the same instant goes back."""
        ticket.cancel()
        if self.lease.done() and not self.lease.cancelled() and not self.lease.exception():
            self.lease.result().release()
