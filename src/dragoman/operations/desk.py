"""What every operation needs: admission, a route, a messenger there, and one settlement.

The same rules as for conversations, for requests that are not: the same client keys, routes, keys
of the pool, ledger, log and metrics.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from msgspec import Struct, structs

from dragoman.accounts.ledger import Ledger
from dragoman.accounts.users import Keyring
from dragoman.canonical.fidelity import Fidelity, Grade
from dragoman.canonical.usage import Usage
from dragoman.clock import Clock
from dragoman.errands import Messenger
from dragoman.errors import (
    GatewayError,
    InternalError,
    OwnKeyNeeded,
    ShuttingDown,
)
from dragoman.guests import NEEDED, Reception, Visit
from dragoman.providers.base import Credential, Provider
from dragoman.routing import Route, Router
from dragoman.telemetry.records import RequestRecord


class Operation(Struct):
    """One request that is not a conversation, from its arrival to its end."""

    method: str
    path: str
    """In its usual spelling, without what a caller puts into it: ``/v1/files/{id}``."""
    request_id: str
    tokens: tuple[bytes, ...] = ()
    """Every client key that the request carried."""
    provider: str | None = None
    """The only provider that may answer, from ``/{provider}/v1/...``."""
    reject_unsupported: bool = False
    """``x-dragoman-on-unsupported: reject``."""
    started: float = 0.0
    """Monotonic seconds."""
    caller: str = ""
    tenant: bytes = b""
    """See ``Caller.tenant``."""
    visit: Visit | None = None
    """Where the caller brings a credential of its own."""
    target: str | None = None
    """``provider/model``, or the provider alone where no model is asked for."""
    attempts: int = 0
    """Calls made upstream."""
    usage: Usage | None = None
    fidelity: Fidelity | None = None
    status: int = 200
    """What the client sees; 0 if it left before."""
    error: GatewayError | None = None
    client_left: bool = False


class Departed(Exception):
    """The client has left; nobody waits for an answer any more."""


Observer = Callable[[Operation, float], None]
"""Told of every finished operation and its duration in seconds; must not raise."""


class Place(Struct, frozen=True):
    """A provider and the model to ask for there."""

    provider: Provider
    messenger: Messenger
    credentials: Sequence[Credential]
    """Those that the messenger signs with."""
    model: str = ""
    """Empty where the provider itself is asked."""


class Desk:
    """Where operations are taken on and settled."""

    def __init__(
        self,
        keyring: Keyring,
        router: Router,
        providers: Mapping[str, Provider],
        messengers: Mapping[str, Messenger],
        ledger: Ledger,
        clock: Clock,
    ) -> None:
        self.keyring = keyring
        self.router = router
        self.providers = providers
        self._messengers = messengers
        self.clock = clock
        self.observers: list[Observer] = []
        self.in_flight = 0
        """Operations that have begun and not ended."""
        self.stopping = False
        """Take nothing on any more."""
        self._ledger = ledger
        self.reception: Reception | None = None
        """Where callers may bring credentials of their own."""

    @contextmanager
    def serving(self, operation: Operation) -> Iterator[None]:
        """Around everything that is done for ``operation``: admits it, and settles it once.

        Raises ``GatewayError`` and nothing else but ``Departed`` or a cancellation.
        """
        operation.started = self.clock.now()
        self.in_flight += 1
        try:
            self._admit(operation)
            yield
        except GatewayError as error:
            self._failed(operation, error)
            raise
        except (asyncio.CancelledError, Departed):
            operation.client_left, operation.status = True, 0
            raise
        except Exception as bug:
            internal = InternalError(
                "The gateway stumbled over this request. Its log has the details under the"
                " request id.",
                detail=traceback.format_exc(),
            )
            self._failed(operation, internal)
            raise internal from bug
        finally:
            self.in_flight -= 1
            self._settle(operation)
            if operation.visit is not None:
                operation.visit.over()

    async def names(self, tokens: tuple[bytes, ...]) -> list[tuple[str, Route]]:
        """The models that whoever brings ``tokens`` may ask for. Raises ``GatewayError``."""
        if self.reception is not None:
            return await self.reception.listed(tokens, self.router)
        self.keyring.admit(tokens)
        return self.router.names()

    def routes(self, operation: Operation, model: str) -> Sequence[Route]:
        """Where ``model`` may be asked for ``operation``. Raises ``GatewayError``."""
        if operation.visit is None:
            return self.router.routes(model, only=operation.provider)
        return operation.visit.routes(self.router, model, operation.provider)

    def place(self, operation: Operation, route: Route) -> Place:
        """Where ``route`` leads, noted as the operation's target."""
        place = self.place_of(operation, self.providers[route.provider])
        operation.target = f"{route.provider}/{route.model}"
        return structs.replace(place, model=route.model)

    def place_of(self, operation: Operation, provider: Provider) -> Place:
        """The same where no model is asked for."""
        operation.target = provider.name
        if operation.visit is None:
            if not provider.credentials:
                raise OwnKeyNeeded(NEEDED, code="credential_required")
            return Place(provider, self._messengers[provider.name], provider.credentials)
        guest = operation.visit.at(provider.name)
        return Place(provider, guest.messenger, (guest.credential,))

    @staticmethod
    def accept(operation: Operation, fidelity: Fidelity) -> None:
        """Note what the target makes of the request. Raises ``UnsupportedByTarget`` where the
        caller wants no compromise.
        """
        operation.fidelity = fidelity
        if operation.reject_unsupported:
            fidelity.demand_exact()

    def _admit(self, operation: Operation) -> None:
        if self.stopping:
            raise ShuttingDown("The gateway is restarting. Send the request again.")
        if self.reception is None:
            caller = self.keyring.admit(operation.tokens)
        else:
            caller, operation.visit = self.reception.admit(operation.tokens)
        operation.caller, operation.tenant = caller.id, caller.tenant

    @staticmethod
    def _failed(operation: Operation, error: GatewayError) -> None:
        operation.error, operation.status = error, error.status

    def _settle(self, operation: Operation) -> None:
        self._ledger.settle(
            operation.caller,
            operation.target or "",
            operation.usage,
            failed=operation.error is not None,
        )
        seconds = self.clock.now() - operation.started
        for observe in self.observers:
            observe(operation, seconds)


def record_of(operation: Operation, began: float, seconds: float) -> RequestRecord:
    """What the log and the metrics keep; ``began`` in Unix seconds."""
    usage, fidelity = operation.usage, operation.fidelity
    return RequestRecord(
        time=began,
        request_id=operation.request_id,
        method=operation.method,
        path=operation.path,
        status=operation.status,
        caller=operation.caller,
        target=operation.target or "",
        attempts=operation.attempts,
        duration=seconds,
        tokens_in=usage.input_total if usage is not None else 0,
        error=operation.error.kind if operation.error is not None else None,
        fidelity=fidelity.grade.value if fidelity is not None else Grade.EXACT.value,
        client_left=operation.client_left,
    )
