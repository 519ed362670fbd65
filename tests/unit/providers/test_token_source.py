"""Tokens: one fetch for all, ahead of need."""

import asyncio
import math

import pytest

from dragoman.errors import (
    ShuttingDown,
    UpstreamRejectedKey,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from dragoman.providers.tokens import ASSUMED_LIFE, Token, TokenSource
from support.fake_clock import FakeClock

LIFE = 1800.0


class Endpoint:
    """A token endpoint that answers when it is told to."""

    def __init__(self, clock, life=LIFE):
        self.clock = clock
        self.life = life
        self.fetched = 0
        self.failure = None
        self.asked_again = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self):
        self.fetched += 1
        number = self.fetched
        if number > 1:
            self.asked_again.set()
        await self.open.wait()
        if self.failure is not None:
            raise self.failure
        return Token(f"t{number}", None if self.life is None else self.clock.wall() + self.life)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def endpoint(clock):
    return Endpoint(clock)


@pytest.fixture
async def source(clock, endpoint):
    source = TokenSource(endpoint, clock)
    yield source
    await source.close()


async def ready(source):
    """Wait as an exchange does; gives the error, if any."""
    told = asyncio.get_running_loop().create_future()
    source.when_ready(told.set_result)
    return await asyncio.wait_for(told, 5)


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


async def test_the_first_wish_fetches_and_later_ones_do_not(source, endpoint):
    assert source.current() is None
    assert await ready(source) is None
    assert source.current() == "t1"
    assert await ready(source) is None
    assert endpoint.fetched == 1


async def test_a_thousand_who_wait_at_expiry_cause_one_fetch(source, endpoint, clock):
    await ready(source)
    clock.advance(LIFE)
    assert source.current() is None
    endpoint.open.clear()
    waiting = [asyncio.ensure_future(ready(source)) for _ in range(1000)]
    await settle()
    endpoint.open.set()
    assert await asyncio.gather(*waiting) == [None] * 1000
    assert endpoint.fetched == 2
    assert source.current() == "t2"


async def test_a_token_is_renewed_ahead_while_the_old_one_serves(source, endpoint, clock):
    await ready(source)
    clock.advance(LIFE - 61)
    assert source.current() == "t1"
    await settle()
    assert endpoint.fetched == 1
    endpoint.open.clear()
    clock.advance(2)
    assert source.current() == "t1"
    await settle()
    assert endpoint.fetched == 2
    assert [source.current() for _ in range(3)] == ["t1"] * 3
    endpoint.open.set()
    await settle()
    assert source.current() == "t2"
    assert endpoint.fetched == 2


async def test_a_token_is_renewed_without_anybody_asking(clock):
    endpoint = Endpoint(clock, life=0.2)
    source = TokenSource(endpoint, clock, ahead=0.15)
    await ready(source)
    clock.advance(0.15)
    async with asyncio.timeout(5):
        await endpoint.asked_again.wait()
    await source.close()


async def test_a_token_of_short_life_is_not_renewed_at_once(clock):
    endpoint = Endpoint(clock, life=30)
    source = TokenSource(endpoint, clock)
    await ready(source)
    clock.advance(14)
    source.current()
    await settle()
    assert endpoint.fetched == 1
    clock.advance(2)
    source.current()
    await settle()
    assert endpoint.fetched == 2
    await source.close()


@pytest.mark.parametrize("life", [None, -5.0, 0.0])
async def test_an_unknown_or_odd_end_is_assumed(clock, life):
    endpoint = Endpoint(clock, life)
    source = TokenSource(endpoint, clock)
    await ready(source)
    clock.advance(ASSUMED_LIFE - 61)
    assert source.current() == "t1"
    clock.advance(61)
    assert source.current() is None
    await source.close()


async def test_a_token_without_end_is_never_renewed(clock):
    endpoint = Endpoint(clock, math.inf)
    source = TokenSource(endpoint, clock)
    await ready(source)
    clock.advance(10_000)
    assert source.current() == "t1"
    await settle()
    assert endpoint.fetched == 1
    await source.close()


async def test_a_failed_renewal_keeps_the_old_token_and_backs_off(source, endpoint, clock):
    await ready(source)
    endpoint.failure = UpstreamUnavailable("down")
    clock.advance(LIFE - 59)
    attempts = []
    for _ in range(70):
        source.current()
        await settle()
        attempts.append(endpoint.fetched - 1)
        clock.advance(0.5)
    assert source.current() == "t1"
    assert attempts[0] == 1
    assert attempts[-1] <= 7, "1, 2, 4, 8, 15 seconds between attempts"
    endpoint.failure = None
    clock.advance(16)
    assert source.current() == "t1"
    await settle()
    assert source.current() not in {None, "t1"}


async def test_who_waits_is_told_the_failure(source, endpoint, clock):
    endpoint.failure = UpstreamTimeout("slow", detail="why")
    error = await ready(source)
    assert type(error) is UpstreamUnavailable
    assert error.detail == "why"
    assert endpoint.fetched == 1
    again = await ready(source)
    assert again is error
    assert again.retry_after == 1
    assert endpoint.fetched == 1, "not in the pause"
    endpoint.failure = None
    clock.advance(1.1)
    assert await ready(source) is None


async def test_a_bad_credential_is_told_as_such(source, endpoint):
    endpoint.failure = UpstreamRejectedKey("no")
    assert await ready(source) is endpoint.failure
    assert source.rejected("t0") is False


async def test_a_bug_in_the_fetch_leaves_nobody_waiting(source, endpoint):
    endpoint.failure = ValueError("bug")
    error = await ready(source)
    assert type(error) is UpstreamUnavailable
    assert "bug" in (error.detail or "")


async def test_a_rejected_token_is_dropped(source, endpoint):
    await ready(source)
    assert source.rejected("t1") is True
    assert source.current() is None
    assert await ready(source) is None
    assert source.current() == "t2"


async def test_a_late_rejection_spares_the_new_token(source, endpoint):
    await ready(source)
    source.rejected("t1")
    await ready(source)
    assert source.rejected("t1") is True
    assert source.current() == "t2"
    assert endpoint.fetched == 2


async def test_a_withdrawn_wish_is_not_told(source, endpoint):
    told = []
    endpoint.open.clear()
    withdraw = source.when_ready(told.append)
    await settle()
    withdraw()
    withdraw()
    endpoint.open.set()
    await settle()
    assert told == []
    withdraw = source.when_ready(told.append)
    withdraw()
    await settle()
    assert told == []


async def test_nobody_is_told_before_the_wish_is_returned(source):
    await ready(source)
    told = []
    source.when_ready(told.append)
    assert told == []
    await settle()
    assert told == [None]


async def test_closing_tells_those_who_wait(clock, endpoint):
    source = TokenSource(endpoint, clock)
    endpoint.open.clear()
    waiting = asyncio.ensure_future(ready(source))
    await settle()
    await source.close()
    assert isinstance(await waiting, ShuttingDown)
    assert isinstance(await ready(source), ShuttingDown)
    assert endpoint.fetched == 1


def test_a_token_cannot_be_printed():
    assert "secret" not in f"{Token('secret', 1.0)} {Token('secret', 1.0)!r}"
