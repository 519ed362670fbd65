"""Callers who bring a credential of their own, and all that is kept for each.

A *guest* is such a credential at one provider. Its calls are signed with it and with nothing
else, on the first try and on every other: the pool in which it is the only key, its access token
and its list of models belong to it alone. What a provider says against it is said to the caller.

``Reception`` tells the credentials that callers bring from client keys, ``Guests`` keeps the
guests of one provider: those with a request under way, and a bounded number of others for a
bounded time. Nobody is looked up by a secret, only by its keyed hash.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Final, Protocol

from msgspec import Struct, structs

from dragoman.accounts.users import Caller, Keyring
from dragoman.clock import Clock, Timer, TimerWheel
from dragoman.dialects.base import Headers
from dragoman.errands import Messenger
from dragoman.errors import (
    Forbidden,
    GatewayError,
    InvalidRequest,
    OwnKeyNeeded,
    OwnKeyOutOfCredit,
    OwnKeyRejected,
    Unauthenticated,
    UpstreamForbidden,
    UpstreamOutOfCredit,
    UpstreamRejectedKey,
)
from dragoman.pool.broker import Broker
from dragoman.pool.leases import Lease, Ticket, Waiter
from dragoman.providers.base import Credential, Hosts, Proof
from dragoman.routing import Route, Router
from dragoman.sides import Passenger, Prepared, Question, Target
from dragoman.transport.calls import Flight
from dragoman.upstream import Upstream

ATTEMPTS: Final = 1
"""Calls for one errand: there is no other key to try."""
OpenPool = Callable[[Credential, Proof], Broker]
"""Makes the pool in which a credential is the only key."""

NEEDED: Final = (
    "This gateway has no credential of its own for this model. Send yours where the key stands, as"
    " in `Authorization: Bearer giga-cred-<authorization key>`."
)


class ReadBrought(Protocol):
    """Reads what a caller sent where client keys stand."""

    def __call__(self, sent: bytes, *, must: bool = False) -> Proof | None:
        """``None`` for what is no credential, unless it ``must`` be one. Raises
        ``InvalidRequest``.
        """
        ...


class Keeping(Struct, frozen=True, kw_only=True):
    """Bounds of what is kept for guests that have no request under way."""

    most: int = 32
    """The least recently used one goes when there are more."""
    idle: float = 1800.0
    """Seconds after the last request of one at which it goes in any case."""


class Guest:
    """One credential that callers bring, at one provider. Implements ``UpstreamSide``."""

    def __init__(self, name: str, credential: Credential, broker: Broker, way: Upstream) -> None:
        self.name: Final = name
        """Of the callers who bring it: a keyed hash, safe to show."""
        self.credential: Final = credential
        self.broker: Final = broker
        self.visits = 0
        """Requests under way."""
        self.idle_since = 0.0
        """Monotonic seconds; meaningful while there are none."""
        self._way = way

    @property
    def messenger(self) -> Messenger:
        """Runs errands with this credential."""
        told = partial(own, advice=self.credential.advice)
        return Messenger(self.broker, self._way.origin, ATTEMPTS, told)

    def prepare(self, model: str, question: Question) -> Prepared:
        """As for everybody, but that refusals are told to the one whose credential it is."""
        prepared = self._way.prepare(model, question)
        advice = self.credential.advice
        if prepared.luggage is not None:
            prepared.luggage.told = partial(own, advice=advice)
        return structs.replace(prepared, read_error=partial(_read, prepared.read_error, advice))

    def acquire(self, caller: str, waiter: Waiter, excluded: frozenset[str]) -> Lease | Ticket:
        """The guest's own credential, or a place in its own queue."""
        return self.broker.acquire(caller, waiter, excluded=excluded)

    def send(self, prepared: Prepared, lease: Lease, listener: Passenger) -> Flight:
        """Sign with the guest's own credential and send."""
        return self._way.send(prepared, lease, listener)


class Guests:
    """The guests of one provider."""

    def __init__(
        self,
        hosts: Hosts,
        way: Upstream,
        open_pool: OpenPool,
        keeping: Keeping,
        *,
        clock: Clock,
        wheel: TimerWheel,
    ) -> None:
        """``way`` leads to the provider; its own pool is never asked."""
        self.hosts: Final = hosts
        """The provider, without any credential of the gateway."""
        self._way = way
        self._open_pool = open_pool
        self._keeping = keeping
        self._clock = clock
        self._wheel = wheel
        self._known: dict[str, Guest] = {}
        self._idle: OrderedDict[str, Guest] = OrderedDict()  # longest idle first
        self._timer: Timer | None = None
        self.dismissed = 0
        """Guests of whom nothing is kept any more."""

    @property
    def busy(self) -> int:
        """Guests with requests under way."""
        return len(self._known) - len(self._idle)

    @property
    def idle(self) -> int:
        """Guests kept in case they come again."""
        return len(self._idle)

    def enter(self, name: str, proof: Proof) -> Guest:
        """The guest that ``proof`` makes, for a request that begins; ``leave`` ends it. Raises
        ``InvalidRequest`` where the provider does not take such a proof.
        """
        guest = self._known.get(name)
        if guest is None:
            credential = self.hosts.own_credential(f"{self.hosts.name}/{name}", proof)
            broker = self._open_pool(credential, proof)
            guest = self._known[name] = Guest(name, credential, broker, self._way)
        self._idle.pop(name, None)
        guest.visits += 1
        return guest

    def leave(self, guest: Guest) -> None:
        """A request of ``guest`` is over."""
        guest.visits -= 1
        if guest.visits:
            return
        guest.idle_since = self._clock.now()
        self._idle[guest.name] = guest
        while len(self._idle) > self._keeping.most:
            self._dismiss_first()
        if self._timer is None and self._idle:
            self._arm()

    async def models(self, name: str, proof: Proof) -> Sequence[str]:
        """What the provider serves to this credential. Raises ``GatewayError``."""
        guest = self.enter(name, proof)
        try:
            return await self.hosts.models_of(guest.credential)
        except GatewayError as error:
            raise own(error, guest.credential.advice) from error
        finally:
            self.leave(guest)

    def close(self) -> None:
        """Stop whatever runs for guests."""
        for guest in self._known.values():
            guest.credential.signer.stop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        first = next(iter(self._idle.values()))
        self._timer = self._wheel.at(first.idle_since + self._keeping.idle, self._look)

    def _look(self) -> None:
        """Some may have been idle for too long."""
        self._timer = None
        now = self._clock.now()
        while self._idle:
            first = next(iter(self._idle.values()))
            if first.idle_since + self._keeping.idle > now:
                self._arm()
                return
            self._dismiss_first()

    def _dismiss_first(self) -> None:
        name, guest = self._idle.popitem(last=False)
        del self._known[name]
        guest.credential.signer.stop()
        self.dismissed += 1


class GuestsOnly(Upstream):
    """A provider as those see it who bring no credential, where there is none but theirs."""

    def prepare(self, model: str, question: Question) -> Prepared:  # noqa: ARG002 - of UpstreamSide
        """Raises ``OwnKeyNeeded``."""
        raise OwnKeyNeeded(NEEDED, code="credential_required")


class Visit:
    """One request of a caller who has brought a credential."""

    __slots__ = ("_entered", "_guests", "_proof", "caller")

    def __init__(self, caller: Caller, proof: Proof, guests: Mapping[str, Guests]) -> None:
        self.caller: Final = caller
        self._proof = proof
        self._guests = guests
        self._entered: dict[str, Guest] = {}

    @property
    def providers(self) -> Collection[str]:
        """Those that take credentials of callers."""
        return self._guests.keys()

    def routes(self, router: Router, model: str, only: str | None) -> Sequence[Route]:
        """Where the request may go: to nobody who does not take the caller's credential. Raises
        ``GatewayError``.
        """
        return router.routes_among(self._guests, model, only=only)

    def plan(self, router: Router, model: str, only: str | None) -> list[Target]:
        """The same as targets. Raises ``GatewayError``."""
        return [
            Target(f"{route.provider}/{route.model}", route.model, self.at(route.provider))
            for route in self.routes(router, model, only)
        ]

    def at(self, provider: str) -> Guest:
        """The caller's credential at ``provider``, kept there until ``over``. Raises
        ``InvalidRequest`` where the provider does not take such a one.
        """
        guest = self._entered.get(provider)
        if guest is None and provider not in self._guests:
            raise InvalidRequest(
                f"{provider} takes no credential of the caller's own. Send the request without it.",
                code="invalid_credential",
            )
        if guest is None:
            guest = self._guests[provider].enter(self.caller.id, self._proof)
            self._entered[provider] = guest
        return guest

    def over(self) -> None:
        """The request has ended."""
        entered, self._entered = self._entered, {}
        for provider, guest in entered.items():
            self._guests[provider].leave(guest)


class Reception:
    """Who asks, where callers may bring credentials of their own."""

    def __init__(
        self,
        keyring: Keyring,
        guests: Mapping[str, Guests],
        read: ReadBrought,
        *,
        is_for_guests_only: bool = False,
    ) -> None:
        """``guests`` by provider. ``is_for_guests_only``: no provider has a credential of the
        gateway's own.
        """
        self._keyring = keyring
        self._guests = guests
        self._read = read
        self._is_for_guests_only = is_for_guests_only
        self._keyed = hashlib.blake2b(digest_size=16, key=secrets.token_bytes(32))

    def admit(self, tokens: tuple[bytes, ...]) -> tuple[Caller, Visit | None]:
        """Who brings ``tokens``, and the visit if one of them is a credential.

        Raises ``Unauthenticated`` as ``Keyring.admit``, and ``InvalidRequest`` for a credential
        that is none.
        """
        keys, brought = self._told_apart(tokens)
        if not brought:
            if self._keyring.is_open and keys:
                self._read(keys[0], must=True)
            caller = self._keyring.admit(keys)
            if self._is_for_guests_only:
                raise OwnKeyNeeded(NEEDED, code="credential_required")
            return caller, None
        if len(brought) > 1:
            raise InvalidRequest(
                "The request carries two different credentials. Send one, in one header.",
                code="invalid_credential",
            )
        if not self._keyring.is_open:
            self._check_key(keys)
        name, proof = brought.popitem()
        caller = Caller(name)
        return caller, Visit(caller, proof, self._guests)

    async def listed(self, tokens: tuple[bytes, ...], router: Router) -> list[tuple[str, Route]]:
        """The models that the caller may ask for, each with its route. Raises ``GatewayError``."""
        _, brought = self._told_apart(tokens)
        caller, visit = self.admit(tokens)
        if visit is None:
            return router.names()
        served: dict[str, Sequence[str]] = {}
        failure: GatewayError | None = None
        for provider, guests in self._guests.items():
            try:
                served[provider] = await guests.models(caller.id, brought[caller.id])
            except GatewayError as error:
                failure = failure or error
        if failure is not None and not served:
            raise failure
        return router.names_among(served)

    def _told_apart(self, tokens: tuple[bytes, ...]) -> tuple[tuple[bytes, ...], dict[str, Proof]]:
        """Client keys, and the credentials by the names of those who bring them."""
        keys: list[bytes] = []
        brought: dict[str, Proof] = {}
        for token in tokens:
            # A client key is one whatever it looks like.
            proof = None if self._keyring.knows(token) else self._read(token)
            if proof is None:
                keys.append(token)
            else:
                brought[self._name(proof)] = proof
        return tuple(keys), brought

    def _check_key(self, keys: tuple[bytes, ...]) -> None:
        if not keys:
            raise Unauthenticated(
                "This gateway asks for a key of its own beside the credential: send one of them as"
                " `Authorization: Bearer ...` and the other as `x-api-key`.",
                code="invalid_api_key",
            )
        self._keyring.admit(keys)

    def _name(self, proof: Proof) -> str:
        """The same for the same credential, for as long as the process lives."""
        keyed = self._keyed.copy()
        text = f"{proof.way}\0{proof.scope}\0{proof.secret.reveal()}"
        keyed.update(text.encode("utf-8", "surrogateescape"))
        return f"own-{keyed.hexdigest()}"


def _read(
    read_error: Callable[[int, Headers, bytes], GatewayError],
    advice: str,
    status: int,
    headers: Headers,
    body: bytes,
) -> GatewayError:
    return own(read_error(status, headers, body), advice)


def own(error: GatewayError, advice: str) -> GatewayError:
    """``error`` as it is told to the caller whose own credential it is about; ``advice`` is the
    credential's.
    """
    if isinstance(error, OwnKeyRejected | OwnKeyOutOfCredit):
        return error
    if isinstance(error, UpstreamRejectedKey):
        words = f"The provider does not accept the credential that you sent: {advice}."
        return OwnKeyRejected(words, detail=error.detail)
    if isinstance(error, UpstreamOutOfCredit):
        return OwnKeyOutOfCredit(
            "The tokens of the credential that you sent are used up. Buy more, or send another.",
            code=error.code,
            retry_after=error.retry_after,
            detail=error.detail,
        )
    if isinstance(error, UpstreamForbidden):
        return Forbidden(
            "The credential that you sent may not do this. Look at its tariff and scope.",
            code="permission_denied",
            detail=error.detail,
        )
    return error
