"""One provider as exchanges see it: its dialect, its address, its keys and its connections.

The whole life of a call is here: write the request (or pass it on, where both sides speak the
same dialect), sign it, waiting for a token if need be, and send it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from msgspec import structs

from dragoman.canonical.fidelity import Fidelity, Grade
from dragoman.errors import GatewayError, UnsupportedByTarget, UpstreamError, UpstreamUnavailable
from dragoman.pool.leases import Lease, Ticket, Waiter
from dragoman.providers.base import Provider
from dragoman.relay import Passed, Translated
from dragoman.sides import Prepared, Question
from dragoman.transport.calls import Call, Flight, Listener, Origin


class Pool(Protocol):
    """What an upstream needs of its provider's broker."""

    def acquire(
        self, caller: str, waiter: Waiter, *, excluded: frozenset[str] = frozenset()
    ) -> Lease | Ticket:
        """A key at once, or a place in the queue."""
        ...


class Upstream:
    """Implements ``UpstreamSide`` for one provider."""

    def __init__(self, provider: Provider, pool: Pool, origin: Origin) -> None:
        self._provider = provider
        self._pool = pool
        self._origin = origin
        self._heads: dict[tuple[str, bool], bytes] = {}

    def acquire(self, caller: str, waiter: Waiter, excluded: frozenset[str]) -> Lease | Ticket:
        """A key at once, or a place in the queue."""
        return self._pool.acquire(caller, waiter, excluded=excluded)

    def prepare(self, model: str, question: Question) -> Prepared:
        """The request as ``model`` will get it. Raises ``GatewayError``."""
        dialect = self._provider.dialect(model)
        client, request = question.dialect, question.request
        if dialect.name == client.name:
            return Prepared(
                head=self._head(model, stream=request.stream),
                body=request.forwarded(model),
                fidelity=Fidelity(),
                relay=partial(Passed, client, request),
                read_error=dialect.read_error,
            )
        conversation = structs.replace(request.conversation(), model=model)
        written = dialect.write_request(conversation, self._provider.facts(model))
        if question.reject_unsupported and written.fidelity.grade is not Grade.EXACT:
            raise UnsupportedByTarget(
                "This model cannot take the request exactly as it stands"
                f" ({written.fidelity.header().decode()}), and x-dragoman-on-unsupported: reject"
                " was sent. Leave those fields out or choose another model.",
                code="unsupported_parameter",
            )
        return Prepared(
            head=self._head(model, stream=request.stream),
            body=written.body,
            fidelity=written.fidelity,
            relay=partial(Translated, dialect, written, client, request, question.facts),
            read_error=dialect.read_error,
        )

    def send(self, prepared: Prepared, lease: Lease, listener: Listener) -> Flight:
        """Sign and send; where a token has to be fetched first, the flight begins with that."""
        authorization = lease.credential.signer.authorization()
        if authorization is None:
            return _Departure(self._origin, prepared, lease, listener)
        lease.authorization = authorization
        call = Call(head=prepared.head + authorization, body=prepared.body)
        return self._origin.send(call, listener)

    def _head(self, model: str, *, stream: bool) -> bytes:
        """Built once for each model. Callers choose model names, so the cache has a bound."""
        head = self._heads.get((model, stream))
        if head is None:
            if len(self._heads) >= 1024:
                self._heads.clear()
            head = self._heads[model, stream] = self._provider.head(model, stream=stream)
        return head


class _Departure:
    """A call that waits for its token and then becomes an ordinary flight."""

    def __init__(
        self, origin: Origin, prepared: Prepared, lease: Lease, listener: Listener
    ) -> None:
        self._origin = origin
        self._prepared = prepared
        self._lease = lease
        self._listener = listener
        self._flight: Flight | None = None
        self._is_paused = False
        self._is_aborted = False
        self._withdraw: Callable[[], None] = lease.credential.signer.when_ready(self._told)

    def pause(self) -> None:
        self._is_paused = True
        if self._flight is not None:
            self._flight.pause()

    def resume(self) -> None:
        self._is_paused = False
        if self._flight is not None:
            self._flight.resume()

    def abort(self) -> None:
        self._is_aborted = True
        if self._flight is not None:
            self._flight.abort()
        else:
            self._withdraw()

    def _told(self, error: GatewayError | None) -> None:
        if self._is_aborted:
            return
        authorization = self._lease.credential.signer.authorization()
        if error is not None or authorization is None:
            self._listener.lost(_as_upstream(error))
            return
        self._lease.authorization = authorization
        call = Call(head=self._prepared.head + authorization, body=self._prepared.body)
        self._flight = self._origin.send(call, self._listener)
        if self._is_paused:
            self._flight.pause()


def _as_upstream(error: GatewayError | None) -> UpstreamError:
    if isinstance(error, UpstreamError):
        return error
    why = "it had expired when it came" if error is None else str(error)
    return UpstreamUnavailable("The provider gave no access token. Try again.", detail=why)
