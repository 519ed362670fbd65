"""Who gets which key of one provider, and when. Pure: time comes in, decisions go out.

The straight way is ``try_grant``: a free key, no place in the queue. What cannot be served at
once is a ``Place``: callers take turns, the places of one caller are served in their order, and
a place is refused as soon as it is certain that no key will be ready within its time.

What always holds between two calls: no waiting place could take any free key. That is why
``try_grant`` need not look at the queue.
"""

from __future__ import annotations

import math
import sys
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, Generic, TypeVar

from msgspec import Struct

from dragoman.errors import GatewayError
from dragoman.pool import refusals
from dragoman.pool.agenda import Agenda
from dragoman.pool.choice import choice_among
from dragoman.pool.keys import Key, KeyState, Verdict
from dragoman.pool.snapshot import KeySnapshot, PoolSnapshot

NO_KEYS: Final[frozenset[str]] = frozenset()
_READY: Final = KeyState.READY
_PACE_WEIGHT: Final = 0.2
"""Share of the newest interval in the pace; about the last ten releases count."""


class AllBut(AbstractSet[str]):
    """Every id but one: to exclude this is to want that one key, however long the others wait."""

    __slots__ = ("_id",)

    def __init__(self, key_id: str) -> None:
        self._id = key_id

    def __contains__(self, key_id: object) -> bool:
        return key_id != self._id

    def __iter__(self) -> Iterator[str]:
        raise TypeError("there is no end of other ids")

    def __len__(self) -> int:
        return sys.maxsize


class Place:
    """What the scheduler must know of a ticket: whose it is, its limits, whether it waits."""

    __slots__ = ("caller", "deadline", "excluded", "is_waiting")

    def __init__(
        self, caller: str, *, deadline: float = math.inf, excluded: AbstractSet[str] = NO_KEYS
    ) -> None:
        self.caller: Final = caller
        self.deadline: Final = deadline
        """Monotonic seconds; refused if nothing was granted until then."""
        self.excluded: Final = excluded
        """Ids of keys to avoid for as long as another key is ready; ``AllBut`` one for ever."""
        self.is_waiting = False


P = TypeVar("P", bound=Place)


class Granted(Struct, Generic[P], frozen=True):
    """``place`` has left the queue and holds a loan of ``key``."""

    place: P
    key: Key


class Refused(Struct, Generic[P], frozen=True):
    """``place`` has left the queue with nothing."""

    place: P
    error: GatewayError


class Scheduler(Generic[P]):
    """The keys of one provider and those who wait for them."""

    def __init__(self, provider: str, keys: Iterable[Key], *, max_queue: int = 1000) -> None:
        self.provider: Final = provider
        self._max_queue = max_queue
        self._keys: dict[str, Key] = {}
        self._count = dict.fromkeys(KeyState, 0)
        self._cooling: Agenda[Key] = Agenda(
            lambda until, key: key.state is KeyState.COOLING and key.until == until
        )
        # Callers in the order of their turns, each with its places in theirs.
        self._lines: OrderedDict[str, OrderedDict[P, None]] = OrderedDict()
        self._waiting = 0
        self._deadlines: Agenda[P] = Agenda(lambda _, place: place.is_waiting)
        self._pace = 0.0
        self._last_release: float | None = None
        for key in keys:
            if key.id in self._keys:
                raise ValueError(f"two keys of provider {provider} have the id {key.id}")
            self._keys[key.id] = key
            self._count[key.state] += 1
        self._free = choice_among(list(self._keys.values()))
        self._only = next(iter(self._keys.values())) if len(self._keys) == 1 else None
        """The key of a provider that has one: the straight way looks at nothing else."""

    def try_grant(self, now: float, excluded: AbstractSet[str] = NO_KEYS) -> Key | None:
        """Lend the best free key at once, or nothing."""
        key = self._only
        if key is not None:
            if key.state is _READY and (key.limit is None or key.in_flight < key.limit):
                key.begin_loan(now)
                return key
            return None
        key = self._free.first(excluded)
        if key is None:
            if not excluded or self._another_is_ready(excluded):
                return None
            key = self._free.first(NO_KEYS)
            if key is None:
                return None
        self._free.remove(key)
        key.begin_loan(now)
        if key.is_free:
            self._free.add(key)
        return key

    def submit(self, place: P, now: float) -> list[Granted[P] | Refused[P]]:
        """Grant, refuse or queue ``place``; the decisions may concern others as well."""
        decisions = self.advance(now)
        key = self.try_grant(now, place.excluded)
        if key is not None:
            decisions.append(Granted(place, key))
            return decisions
        error = self._reason_to_refuse(place, now)
        if error is not None:
            decisions.append(Refused(place, error))
            return decisions
        place.is_waiting = True
        line = self._lines.get(place.caller)
        if line is None:
            line = self._lines[place.caller] = OrderedDict()
        line[place] = None
        self._waiting += 1
        if place.deadline < math.inf:
            self._deadlines.add(place.deadline, place)
        return decisions

    def cancel(self, place: P) -> None:
        """``place`` waits no longer; harmless when it has been decided on."""
        if place.is_waiting:
            self._leave(place)

    def took_back(self, key: Key, now: float) -> bool:
        """The straight way of ``release``: the only key, ready, served well, nobody waiting."""
        if key is not self._only or key.state is not _READY or self._waiting:
            return False
        key.end_loan_well(now)
        self._last_release = None
        return True

    def release(self, key: Key, verdict: Verdict, now: float) -> Sequence[Granted[P] | Refused[P]]:
        """A loan of ``key`` is over."""
        was = key.state
        if key.is_free:
            self._free.remove(key)
        key.end_loan(verdict, now)
        if key.state is KeyState.READY:
            self._free.add(key)
        else:
            self._sort_in(key, was)
        if not self._waiting:
            self._last_release = None
            return ()
        self._measure_pace(now)
        return self._decide(now)

    def advance(self, now: float) -> list[Granted[P] | Refused[P]]:
        """Time has passed: end what cooling is over, serve, refuse those whose time is up."""
        for key in self._cooling.due(now):
            key.cooled()
            self._sort_in(key, KeyState.COOLING)
        return self._decide(now) if self._waiting else []

    def enable(self, key_id: str, now: float) -> Sequence[Granted[P] | Refused[P]]:
        """Make a key ready whatever it was. Raises ``KeyError`` for an unknown id."""
        key = self._keys[key_id]
        was = key.state
        if key.is_free:
            self._free.remove(key)
        key.enable()
        self._sort_in(key, was)
        return self._decide(now)

    def disable(self, key_id: str, reason: str, now: float) -> Sequence[Granted[P] | Refused[P]]:
        """Lend a key no more; ``reason`` is a sentence for the operator. Raises ``KeyError``."""
        key = self._keys[key_id]
        was = key.state
        if key.is_free:
            self._free.remove(key)
        key.disable(reason)
        self._sort_in(key, was)
        return self._decide(now)

    def waiting(self) -> list[P]:
        """Everyone in the queue, caller by caller in the order of their turns."""
        return [place for line in self._lines.values() for place in line]

    def next_wakeup(self) -> float | None:
        """When to call ``advance`` if nothing else happens; ``None``: no need."""
        cooled = self._cooling.first()
        expired = self._deadlines.first()
        if cooled is None or (expired is not None and expired < cooled):
            return expired
        return cooled

    def expected_wait(self, now: float) -> float:
        """Seconds that a place taken now would wait, by the pace of late; 0 if none is known."""
        estimate = self._waiting * self._pace
        if self._count[KeyState.READY]:
            return estimate
        return max(estimate, self._first_cooled() - now)

    def snapshot(self, now: float) -> PoolSnapshot:
        """All there is to see, as frozen values."""
        return PoolSnapshot(
            provider=self.provider,
            ready=self._count[KeyState.READY],
            cooling=self._count[KeyState.COOLING],
            disabled=self._count[KeyState.DISABLED],
            in_flight=sum(key.in_flight for key in self._keys.values()),
            waiting=self._waiting,
            waiting_callers=len(self._lines),
            expected_wait=self.expected_wait(now) if self._waiting else 0.0,
            keys=tuple(_key_snapshot(key, now) for key in self._keys.values()),
        )

    def _decide(self, now: float) -> list[Granted[P] | Refused[P]]:
        """Restore what always holds, and refuse those who would wait in vain."""
        decisions: list[Granted[P] | Refused[P]] = []
        while self._waiting and self._free:
            granted = self._grant_next(now)
            if granted is None:
                break
            decisions.append(granted)
        if self._waiting:
            decisions.extend(self._refuse_hopeless(now))
        return decisions

    def _grant_next(self, now: float) -> Granted[P] | None:
        """Serve the first place, in the order of turns, that may take a free key.

        Only places that exclude keys are ever passed over, so this looks at one place as a rule
        and at the whole queue, which has a bound, at worst.
        """
        for caller, line in self._lines.items():
            for place in line:
                key = self.try_grant(now, place.excluded)
                if key is not None:
                    self._leave(place)
                    if caller in self._lines:
                        self._lines.move_to_end(caller)
                    return Granted(place, key)
        return None

    def _refuse_hopeless(self, now: float) -> list[Granted[P] | Refused[P]]:
        if not self._has_enabled_key():
            hopeless = self.waiting()
        elif self._count[KeyState.READY]:
            hopeless = list(self._deadlines.due(now))
        else:
            just_before = math.nextafter(self._first_cooled(), -math.inf)
            hopeless = list(self._deadlines.due(max(now, just_before)))
        decisions: list[Granted[P] | Refused[P]] = [
            Refused(place, self._why_hopeless(now)) for place in hopeless
        ]
        for place in hopeless:
            self._leave(place)
        return decisions

    def _reason_to_refuse(self, place: P, now: float) -> GatewayError | None:
        """Why ``place`` need not even begin to wait."""
        if not self._has_enabled_key():
            return self._why_hopeless(now)
        none_ready = not self._count[KeyState.READY]
        if place.deadline <= now or (none_ready and place.deadline < self._first_cooled()):
            return self._why_hopeless(now)
        if self._waiting >= self._max_queue:
            return refusals.queue_full(self.provider, self.expected_wait(now))
        return None

    def _why_hopeless(self, now: float) -> GatewayError:
        if not self._has_enabled_key():
            return refusals.every_key_disabled(self.provider, self._keys.values())
        if not self._count[KeyState.READY]:
            return refusals.every_key_cools(self.provider, self._first_cooled() - now)
        return refusals.waited_too_long(self.provider, self.expected_wait(now))

    def _has_enabled_key(self) -> bool:
        return self._count[KeyState.DISABLED] < len(self._keys)

    def _another_is_ready(self, excluded: AbstractSet[str]) -> bool:
        """Some key outside ``excluded`` is ready, free or busy."""
        if isinstance(excluded, AllBut):
            return True  # nothing else will do
        avoided = sum(
            1
            for key_id in excluded
            if key_id in self._keys and self._keys[key_id].state is KeyState.READY
        )
        return self._count[KeyState.READY] > avoided

    def _first_cooled(self) -> float:
        """Monotonic seconds at which the first cooling key is ready; 0 if none cools."""
        return self._cooling.first() or 0.0

    def _sort_in(self, key: Key, was: KeyState) -> None:
        """Put ``key``, out of ``_free`` until now and ``was`` in that state, where it belongs."""
        if key.is_free:
            self._free.add(key)
        if key.state is not was:
            self._count[was] -= 1
            self._count[key.state] += 1
        if key.state is KeyState.COOLING:
            self._cooling.add(key.until, key)

    def _leave(self, place: P) -> None:
        place.is_waiting = False
        line = self._lines[place.caller]
        del line[place]
        if not line:
            del self._lines[place.caller]
        self._waiting -= 1

    def _measure_pace(self, now: float) -> None:
        """Smooth the seconds between releases, but only over times in which somebody waited."""
        if self._last_release is not None:
            interval = now - self._last_release
            weight = _PACE_WEIGHT if self._pace else 1.0
            self._pace += (interval - self._pace) * weight
        self._last_release = now


def _key_snapshot(key: Key, now: float) -> KeySnapshot:
    until = key.until if key.state is KeyState.COOLING else None
    return KeySnapshot(
        id=key.id,
        state=key.state.value,
        until=until,
        cools_for=None if until is None else max(0.0, until - now),
        reason=key.reason,
        in_flight=key.in_flight,
        limit=key.limit,
        served=key.served,
        failed=key.failed,
        last_error=key.last_error,
        last_used=key.last_used,
    )
