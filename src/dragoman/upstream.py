"""One provider as exchanges see it: its dialect, its address, its keys and its connections.

The whole life of a call is here: write the request (or pass it on, where both sides speak the
same dialect), sign it, waiting for a token if need be, and send it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Final, Protocol

from msgspec import structs

from dragoman.canonical.fidelity import Fidelity, Grade
from dragoman.errors import GatewayError, UnsupportedByTarget, UpstreamError, UpstreamUnavailable
from dragoman.pool.leases import Lease, Ticket, Waiter
from dragoman.providers.base import Provider
from dragoman.relay import Passed, Relay, Translated
from dragoman.sides import Prepared, Question
from dragoman.transport.calls import Call, Flight, Listener, Origin

MODELS_KEPT: Final = 1024
UNTOUCHED: Final = Fidelity()
"""Of every request that passes as it came; nobody writes into it."""


class Pool(Protocol):
    """What an upstream needs of its provider's broker."""

    def acquire(
        self, caller: str, waiter: Waiter, *, excluded: frozenset[str] = frozenset()
    ) -> Lease | Ticket:
        """A key at once, or a place in the queue."""
        ...


class _Model:
    """What is the same for every request to one model."""

    __slots__ = ("dialect", "facts", "head", "stream_head")

    def __init__(self, provider: Provider, name: str) -> None:
        self.dialect = provider.dialect(name)
        self.facts = provider.facts(name)
        self.head = provider.head(name, stream=False)
        self.stream_head = provider.head(name, stream=True)


class Upstream:
    """Implements ``UpstreamSide`` for one provider."""

    def __init__(
        self, provider: Provider, pool: Pool, origin: Origin, passed: Collection[bytes] = ()
    ) -> None:
        """``passed``: headers of the client that go on to this provider, in lower case."""
        self._provider = provider
        self._passed = frozenset(passed)
        self._pool = pool
        self._origin = origin
        self._models: dict[str, _Model] = {}

    def acquire(self, caller: str, waiter: Waiter, excluded: frozenset[str]) -> Lease | Ticket:
        """A key at once, or a place in the queue."""
        return self._pool.acquire(caller, waiter, excluded=excluded)

    def prepare(self, model: str, question: Question) -> Prepared:
        """The request as ``model`` will get it. Raises ``GatewayError``."""
        known = self._models.get(model) or self._learn(model)
        dialect = known.dialect
        client, request = question.dialect, question.request
        head = known.stream_head if request.stream else known.head
        if question.passed:
            head += self._passed_on(question.passed)
        if dialect.name == client.name:
            body = request.forwarded(model)
            relay: Callable[[], Relay] = partial(Passed, client, request)
            return Prepared(head, body, UNTOUCHED, relay, dialect.read_error)
        conversation = structs.replace(request.conversation(), model=model)
        written = dialect.write_request(conversation, known.facts)
        fidelity = written.fidelity
        if question.reject_unsupported and fidelity.grade is not Grade.EXACT:
            raise UnsupportedByTarget(
                "This model cannot take the request exactly as it stands"
                f" ({fidelity.header().decode()}), and x-dragoman-on-unsupported: reject was"
                " sent. Leave those fields out or choose another model.",
                code="unsupported_parameter",
            )
        relay = partial(Translated, dialect, written, client, request, question.facts)
        return Prepared(head, written.body, fidelity, relay, dialect.read_error)

    def send(self, prepared: Prepared, lease: Lease, listener: Listener) -> Flight:
        """Sign and send; where a token has to be fetched first, the flight begins with that."""
        authorization = lease.credential.signer.authorization()
        if authorization is None:
            return _Departure(self._origin, prepared, lease, listener)
        lease.authorization = authorization
        return self._origin.send(Call(prepared.head + authorization, prepared.body), listener)

    def _passed_on(self, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
        """The lines for what of ``headers`` this provider gets; of repeated ones the last."""
        return b"".join(
            b"%b: %b\r\n" % header for header in dict(headers).items() if header[0] in self._passed
        )

    def _learn(self, name: str) -> _Model:
        """Callers choose model names, so what is kept of them has a bound."""
        if len(self._models) >= MODELS_KEPT:
            self._models.clear()
        model = self._models[name] = _Model(self._provider, name)
        return model


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
        call = Call(self._prepared.head + authorization, self._prepared.body)
        self._flight = self._origin.send(call, self._listener)
        if self._is_paused:
            self._flight.pause()


def _as_upstream(error: GatewayError | None) -> UpstreamError:
    if isinstance(error, UpstreamError):
        return error
    why = "it had expired when it came" if error is None else str(error)
    return UpstreamUnavailable("The provider gave no access token. Try again.", detail=why)
