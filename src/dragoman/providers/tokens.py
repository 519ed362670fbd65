"""Access tokens that expire: fetched once for all who wait, and ahead of their end.

A ``TokenSource`` begins to fetch with the first wish for a token and from then on renews it
before it expires, while the old one still serves: in steady state no request waits. When
fetching fails, it tries again in growing intervals as long as that can still help somebody.
"""

from __future__ import annotations

import asyncio
import math
import traceback
from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct

from dragoman.clock import Clock
from dragoman.errors import (
    GatewayError,
    ShuttingDown,
    UpstreamRejectedKey,
    UpstreamUnavailable,
)


class Token(Struct, frozen=True):
    """What a provider's token endpoint gives."""

    value: str
    expires_at: float | None
    """Wall-clock seconds; ``math.inf`` for never, ``None`` when the provider did not say."""

    def __repr__(self) -> str:
        return f"Token(***, {self.expires_at})"

    __str__ = __repr__


FetchToken = Callable[[], Awaitable[Token]]
"""Raises ``UpstreamRejectedKey`` for a credential that is no good, else ``UpstreamError``."""

ASSUMED_LIFE: Final = 25 * 60.0
"""Seconds that a token serves whose end is not known."""
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 15.0
"""Seconds between attempts after the first failure, and at most; each pause doubles the last."""
LONGEST_SLEEP: Final = 3600.0
"""Seconds between looks at the clock; event loops dislike timers of many years."""


class TokenSource:
    """The current token of one credential. Belongs to the event loop that first asks it."""

    def __init__(self, fetch: FetchToken, clock: Clock, *, ahead: float = 60.0) -> None:
        """``ahead``: seconds before the end of a token at which the next one is fetched."""
        self._fetch = fetch
        self._clock = clock
        self._ahead = ahead
        self._value: str | None = None
        self._expires_at = 0.0
        self._renew_at = 0.0
        self._waiting: dict[object, Callable[[GatewayError | None], None]] = {}
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._failure: GatewayError | None = None
        self._pause = 0.0
        self._retry_at = 0.0
        self._is_closed = False

    def current(self) -> str | None:
        """A token that is still good; ``None`` when one has to be fetched. Cheap."""
        if self._value is None:
            return None
        now = self._clock.wall()
        if now >= self._renew_at:
            if now >= self._expires_at:
                return None
            self._renew()
        return self._value

    def when_ready(self, told: Callable[[GatewayError | None], None]) -> Callable[[], None]:
        """Call ``told`` once, later, with ``None`` or with why there is no token. Returns a
        function that withdraws the wish.
        """
        wish = object()
        self._waiting[wish] = told
        if self._is_closed:
            self._tell(ShuttingDown("The gateway is stopping. Try again later."))
        elif self.current() is not None:
            self._tell(None)
        elif self._task is None:
            self._start_or_refuse()
        return lambda: self._forget(wish)

    def rejected(self, value: str) -> bool:
        """The provider answered 401 to ``value``. Whether a fresh token may mend that: always,
        unless the last attempt to get one said that the credential itself is no good.
        """
        if self._value == value:
            self._value = None
            self._cancel_timer()
        return not isinstance(self._failure, UpstreamRejectedKey)

    def stop(self) -> None:
        """Stop renewing; whoever waits is told that the gateway stops."""
        self._is_closed = True
        self._cancel_timer()
        self._tell(ShuttingDown("The gateway is stopping. Try again later."))
        if self._task is not None:
            self._task.cancel()

    async def close(self) -> None:
        """``stop``, and wait until nothing runs."""
        task = self._task
        self.stop()
        if task is not None:
            await asyncio.wait([task])

    def _start_or_refuse(self) -> None:
        """Fetch for those who wait, but not in the pause after a failure."""
        remaining = self._retry_at - self._clock.now()
        if self._failure is not None and remaining > 0:
            self._failure.retry_after = math.ceil(remaining)
            self._tell(self._failure)
        else:
            self._start()

    def _renew(self) -> None:
        """Fetch ahead of need, if that is not under way and not pausing."""
        if self._task is None and self._clock.now() >= self._retry_at and not self._is_closed:
            self._start()

    def _start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        error: GatewayError | None = None
        try:
            self._take(await self._fetch())
        except UpstreamRejectedKey as rejected:
            error = rejected
        except GatewayError as failed:
            error = _unavailable(failed.detail or failed.message)
        except Exception:  # noqa: BLE001 - a background task's end: a bug in `fetch` must not leave waiters waiting
            error = _unavailable(traceback.format_exc())
        finally:
            self._task = None
        if error is None:
            self._failure, self._pause, self._retry_at = None, 0.0, 0.0
        else:
            self._failure = error
            self._pause = min(max(self._pause * 2, FIRST_PAUSE), LONGEST_PAUSE)
            self._retry_at = self._clock.now() + self._pause
        self._tell(error)
        self._arm()

    def _take(self, token: Token) -> None:
        now = self._clock.wall()
        expires_at = token.expires_at
        if expires_at is None or expires_at <= now:
            # A fresh token that seems old already means that two clocks differ.
            expires_at = now + ASSUMED_LIFE
        self._value = token.value
        self._expires_at = expires_at
        self._renew_at = expires_at - min(self._ahead, (expires_at - now) / 2)

    def _arm(self) -> None:
        """Set the timer for the next renewal, or for the next attempt at it."""
        self._cancel_timer()
        if self._is_closed or self._value is None or math.isinf(self._renew_at):
            return
        now = self._clock.wall()
        if now >= self._expires_at:
            return  # Nobody is served any more; the next wish starts anew.
        pause = self._retry_at - self._clock.now()
        delay = min(max(self._renew_at - now, pause, 0.0), LONGEST_SLEEP)
        self._timer = asyncio.get_running_loop().call_later(delay, self._due)

    def _due(self) -> None:
        """The loop's clock and the injected one may differ: look again."""
        self._timer = None
        if self._clock.wall() >= self._renew_at:
            self._renew()
        if self._task is None:
            self._arm()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tell(self, error: GatewayError | None) -> None:
        """Each in a turn of the loop of its own, so that one who fails harms no other."""
        loop = asyncio.get_running_loop()
        for wish in self._waiting:
            loop.call_soon(self._tell_one, wish, error)

    def _tell_one(self, wish: object, error: GatewayError | None) -> None:
        told = self._waiting.pop(wish, None)
        if told is not None:
            told(error)

    def _forget(self, wish: object) -> None:
        self._waiting.pop(wish, None)


def _unavailable(detail: str) -> UpstreamUnavailable:
    return UpstreamUnavailable(
        "The provider gives no access token at the moment. Try again later.", detail=detail
    )
