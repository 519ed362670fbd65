"""Those who wait for a key, and a next turn of the loop that comes when the test says so."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from dragoman.errors import GatewayError
from dragoman.pool.leases import Lease


class RecordingWaiter:
    """Remembers how its ticket fared."""

    def __init__(self) -> None:
        self.lease: Lease | None = None
        self.error: GatewayError | None = None
        self.told = 0

    def granted(self, lease: Lease) -> None:
        self.told += 1
        self.lease = lease

    def refused(self, error: GatewayError) -> None:
        self.told += 1
        self.error = error


class NextTurn:
    """Stands in for ``loop.call_soon``: keeps the calls until ``run``."""

    def __init__(self) -> None:
        self.calls: deque[Callable[[], None]] = deque()

    def __call__(self, call: Callable[[], None]) -> None:
        self.calls.append(call)

    def run(self) -> None:
        while self.calls:
            self.calls.popleft()()
