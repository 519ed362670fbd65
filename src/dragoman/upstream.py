"""One provider as exchanges see it: its dialect, its address, its keys and its connections.

Write the request (or pass it on, where both sides speak the same dialect), sign it and send it.
What has to wait for a token or for media to be uploaded is a departure (departures.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Final, Protocol

from msgspec import structs

from dragoman.canonical.fidelity import Fidelity
from dragoman.departures import LadenDeparture, TokenDeparture
from dragoman.dialects.base import WrittenRequest
from dragoman.errors import InternalError
from dragoman.media.luggage import Luggage, Porter
from dragoman.media.shelf import Owner
from dragoman.pool.leases import Lease, Ticket, Waiter
from dragoman.providers.base import Provider
from dragoman.recollection import Recollection
from dragoman.relay import Passed, Relay, Translated
from dragoman.sides import Passenger, Prepared, Question
from dragoman.transport.calls import Call, Flight, Origin

MODELS_KEPT: Final = 1024
SESSION: Final = b"\r\nx-session-id: "
"""In a head that names the session already."""
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

    def __init__(self, provider: Provider, name: str, api: str | None) -> None:
        self.dialect = provider.dialect(name, api)
        self.facts = provider.facts(name)
        self.head = provider.head(name, api, stream=False)
        self.stream_head = provider.head(name, api, stream=True)


class Upstream:
    """Implements ``UpstreamSide`` for one provider."""

    def __init__(
        self,
        provider: Provider,
        pool: Pool,
        origin: Origin,
        passed: Collection[bytes] = (),
        porter: Porter | None = None,
        recollection: Recollection | None = None,
    ) -> None:
        """``passed``: headers of the client that go on to this provider, in lower case.
        ``porter`` takes the media of providers that want them uploaded, ``recollection`` keeps
        what the callers of those that sign thoughts cannot give back.
        """
        self._recollection = recollection
        self._provider = provider
        self._passed = frozenset(passed)
        self._porter = porter
        self._pool = pool
        self.origin: Final = origin
        self._models: dict[str | tuple[str, str], _Model] = {}
        """By name, or by name and version of the API where the caller's path has chosen one."""

    def acquire(self, caller: str, waiter: Waiter, excluded: frozenset[str]) -> Lease | Ticket:
        """A key at once, or a place in the queue."""
        return self._pool.acquire(caller, waiter, excluded=excluded)

    def prepare(self, model: str, question: Question) -> Prepared:
        """The request as ``model`` will get it. Raises ``GatewayError``."""
        api = question.api
        key = model if api is None else (model, api)
        known = self._models.get(key) or self._learn(key, model, api)
        dialect = known.dialect
        client, request = question.dialect, question.request
        head = known.stream_head if request.stream else known.head
        if question.passed:
            head += _lines(question.passed, self._passed)
        if dialect.name == client.name:
            body = request.forwarded(model)
            relay: Callable[[], Relay] = partial(Passed, client, request)
            return Prepared(head, body, UNTOUCHED, relay, dialect.read_error)
        conversation = structs.replace(request.conversation(), model=model)
        recollection = self._recollection if dialect.signs_thoughts else None
        if recollection is not None:
            conversation = recollection.restored(question.caller, conversation)
        written = dialect.write_request(conversation, known.facts)
        fidelity = written.fidelity
        if question.reject_unsupported:
            fidelity.demand_exact()
        if dialect.session_line is not None and SESSION not in head:
            head += dialect.session_line(conversation, question.caller)
        relay = partial(Translated, dialect, written, client, request, question.facts)
        if written.attachments:
            luggage = self._check_in(written, known, question)
            return Prepared(head, written.body, fidelity, relay, dialect.read_error, luggage)
        if recollection is not None and written.wants_thoughts:
            caller = question.caller

            def relay() -> Relay:
                witness = recollection.witness(caller)
                return Translated(dialect, written, client, request, question.facts, witness)

        return Prepared(head, written.body, fidelity, relay, dialect.read_error)

    def send(self, prepared: Prepared, lease: Lease, listener: Passenger) -> Flight:
        """Sign and send; where something has to be there first, the flight begins with that."""
        luggage = prepared.luggage
        if luggage is not None:
            return LadenDeparture(self.origin, prepared, luggage, lease, listener)
        authorization = lease.credential.signer.authorization()
        if authorization is None:
            return TokenDeparture(self.origin, prepared, lease, listener)
        lease.authorization = authorization
        return self.origin.send(Call(prepared.head + authorization, prepared.body), listener)

    def _check_in(self, written: WrittenRequest, known: _Model, question: Question) -> Luggage:
        if self._porter is None:
            raise InternalError("The gateway has no place for this request's files.")
        telling = self._passed.intersection(self._porter.store.owner_headers)
        owner = Owner(question.caller, _lines(question.passed, telling))
        exactly = question.reject_unsupported
        return self._porter.check_in(written, known.facts, owner, exactly=exactly)

    def _learn(self, key: str | tuple[str, str], name: str, api: str | None) -> _Model:
        """Callers choose model names, so what is kept of them has a bound."""
        if len(self._models) >= MODELS_KEPT:
            self._models.clear()
        model = self._models[key] = _Model(self._provider, name, api)
        return model


def _lines(headers: Sequence[tuple[bytes, bytes]], wanted: frozenset[bytes]) -> bytes:
    """The header lines for what of ``headers`` is ``wanted``; of repeated ones the last."""
    return b"".join(
        b"%b: %b\r\n" % header for header in dict(headers).items() if header[0] in wanted
    )
