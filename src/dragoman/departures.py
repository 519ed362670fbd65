"""Calls that cannot be sent at once: each waits for something and then becomes a flight.

``TokenDeparture`` waits for an access token, ``LadenDeparture`` for one and for the request's
media, in one task. To the exchange both are flights from the first moment: to abort one ends what
it waits for.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Sequence

from dragoman.errors import (
    ClientError,
    GatewayError,
    InternalError,
    UpstreamError,
    UpstreamUnavailable,
)
from dragoman.media.luggage import Luggage
from dragoman.pool.leases import Lease
from dragoman.providers.signing import authorized
from dragoman.sides import Passenger, Prepared
from dragoman.transport.calls import Call, Flight, Origin


class _Departure:
    """What both have in common: a flight that is there or not yet."""

    _withdraw: Callable[[], object]
    """Ends the wait."""

    def __init__(
        self, origin: Origin, prepared: Prepared, lease: Lease, listener: Passenger
    ) -> None:
        self._origin = origin
        self._prepared = prepared
        self._lease = lease
        self._listener = listener
        self._flight: Flight | None = None
        self._is_paused = False
        self._is_aborted = False

    def pause(self) -> None:
        """See ``Flight``."""
        self._is_paused = True
        if self._flight is not None:
            self._flight.pause()

    def resume(self) -> None:
        """See ``Flight``."""
        self._is_paused = False
        if self._flight is not None:
            self._flight.resume()

    def abort(self) -> None:
        """See ``Flight``."""
        self._is_aborted = True
        if self._flight is not None:
            self._flight.abort()
        else:
            self._withdraw()

    def _leave(self, authorization: bytes, body: Sequence[bytes]) -> None:
        self._lease.authorization = authorization
        call = Call(self._prepared.head + authorization, body)
        self._flight = self._origin.send(call, self._listener)
        if self._is_paused:
            self._flight.pause()


class TokenDeparture(_Departure):
    """Waits for an access token."""

    def __init__(
        self, origin: Origin, prepared: Prepared, lease: Lease, listener: Passenger
    ) -> None:
        super().__init__(origin, prepared, lease, listener)
        self._withdraw = lease.credential.signer.when_ready(self._told)

    def _told(self, error: GatewayError | None) -> None:
        if self._is_aborted:
            return
        authorization = self._lease.credential.signer.authorization()
        if error is not None or authorization is None:
            self._listener.lost(_as_upstream(error))
        else:
            self._leave(authorization, self._prepared.body)


class LadenDeparture(_Departure):
    """Waits until the media of the request are at the provider, under the lease's credential."""

    def __init__(
        self,
        origin: Origin,
        prepared: Prepared,
        luggage: Luggage,
        lease: Lease,
        listener: Passenger,
    ) -> None:
        super().__init__(origin, prepared, lease, listener)
        self._luggage = luggage
        task = asyncio.get_running_loop().create_task(self._run())
        self._withdraw = task.cancel

    async def _run(self) -> None:
        """From here on cancelled if aborted, so whoever is told still listens."""
        credential = self._lease.credential
        try:
            authorization = self._lease.authorization = await authorized(credential.signer)
            body = await self._luggage.load(credential, authorization)
        except ClientError as error:
            self._listener.lost(error)
        except GatewayError as error:
            self._listener.lost(_as_upstream(error))
        except Exception:  # noqa: BLE001  # a task's outermost edge: log, answer 500
            self._listener.lost(
                InternalError(
                    "The gateway stumbled over the files of this request. Its log has the details.",
                    detail=traceback.format_exc(),
                )
            )
        else:
            # It may have taken so long that there is a newer token.
            self._leave(credential.signer.authorization() or authorization, body)


def _as_upstream(error: GatewayError | None) -> UpstreamError:
    if isinstance(error, UpstreamError):
        return error
    why = "it had expired when it came" if error is None else str(error)
    return UpstreamUnavailable("The provider gave no access token. Try again.", detail=why)
