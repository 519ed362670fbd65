"""Calls that wait before they fly, seen from the exchange and from what they wait for."""

import asyncio

import pytest

from dragoman.canonical.fidelity import Fidelity
from dragoman.departures import LadenDeparture, TokenDeparture
from dragoman.errors import (
    InternalError,
    InvalidRequest,
    ShuttingDown,
    UpstreamLostFile,
    UpstreamRejectedKey,
    UpstreamUnavailable,
)
from dragoman.pool.keys import Key
from dragoman.pool.leases import Lease
from dragoman.providers.base import Credential
from dragoman.sides import Prepared
from support.exchange_fakes import FakeOrigin, FakeSigner

LINE = b"authorization: Bearer x\r\n"


class Luggage:
    """Loads when it is told to."""

    def __init__(self):
        self.asked = []
        self.cancelled = 0
        self.result = asyncio.get_running_loop().create_future()
        self.forgets = [True, False]

    async def load(self, credential, authorization):
        self.asked.append((credential.id, authorization))
        try:
            return await asyncio.shield(self.result)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    def forget(self):
        return self.forgets.pop(0)


class Listener:
    def __init__(self):
        self.errors = []

    def lost(self, error):
        self.errors.append(error)


@pytest.fixture
async def luggage():
    return Luggage()


@pytest.fixture
def signer():
    return FakeSigner()


@pytest.fixture
def lease(signer):
    credential = Credential("fake/0", signer)
    return Lease(credential, Key("fake/0", 1), lambda key, error: None)


def prepared(luggage=None):
    return Prepared(b"POST / HTTP/1.1\r\n", [b"empty"], Fidelity(), None, None, luggage)


@pytest.fixture
def origin():
    return FakeOrigin()


@pytest.fixture
def listener():
    return Listener()


@pytest.fixture
async def departure(origin, luggage, lease, listener):
    return LadenDeparture(origin, prepared(luggage), luggage, lease, listener)


async def turns(count=6):
    for _ in range(count):
        await asyncio.sleep(0)


async def test_the_body_is_what_was_loaded_under_the_leases_credential(
    departure, origin, luggage, lease
):
    await turns()
    assert luggage.asked == [("fake/0", LINE)]
    assert origin.flights == []
    luggage.result.set_result([b"whole"])
    await turns()
    (flight,) = origin.flights
    assert flight.call.head == b"POST / HTTP/1.1\r\n" + LINE
    assert flight.call.body == [b"whole"]
    assert lease.authorization == LINE
    departure.pause()
    assert flight.is_paused
    departure.resume()
    assert not flight.is_paused
    departure.abort()
    assert flight.is_over


async def test_a_token_is_waited_for_first(origin, luggage, lease, listener, signer):
    signer.is_fresh = False
    LadenDeparture(origin, prepared(luggage), luggage, lease, listener)
    await turns()
    assert luggage.asked == []
    signer.is_fresh = True
    signer.waiting.pop()(None)
    await turns()
    assert luggage.asked == [("fake/0", LINE)]


async def test_a_pause_lasts_beyond_the_wait(departure, origin, luggage):
    departure.pause()
    luggage.result.set_result([b"whole"])
    await turns()
    assert origin.flights[0].is_paused


async def test_who_aborts_ends_the_loading_and_hears_nothing(departure, origin, luggage, listener):
    await turns()
    departure.abort()
    departure.abort()
    await turns()
    assert luggage.cancelled == 1
    assert (origin.flights, listener.errors) == ([], [])


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (InvalidRequest("bad"), InvalidRequest),
        (UpstreamUnavailable("no"), UpstreamUnavailable),
        (ShuttingDown("stop"), UpstreamUnavailable),
        (ZeroDivisionError("bug"), InternalError),
    ],
)
async def test_failures_are_typed(departure, luggage, listener, error, told):
    luggage.result.set_exception(error)
    await turns()
    assert [type(each) for each in listener.errors] == [told]


async def test_a_bug_leaves_its_traceback_in_the_log_only(departure, luggage, listener):
    luggage.result.set_exception(ZeroDivisionError("secret"))
    await turns()
    (error,) = listener.errors
    assert "secret" in error.detail
    assert "secret" not in error.message


async def test_a_call_that_waits_for_a_token_only_goes_with_its_own_body(
    origin, lease, listener, signer
):
    signer.is_fresh = False
    TokenDeparture(origin, prepared(), lease, listener)
    signer.is_fresh = True
    signer.waiting.pop()(None)
    assert origin.flights[0].call.body == [b"empty"]


async def test_a_lost_file_is_mended_as_often_as_its_luggage_says(luggage, lease):
    laden = prepared(luggage)
    assert laden.is_mended(UpstreamLostFile("gone"), lease)
    assert not laden.is_mended(UpstreamLostFile("gone"), lease)
    assert not prepared().is_mended(UpstreamLostFile("gone"), lease)
    assert laden.is_mended(UpstreamRejectedKey("no"), lease)
    assert not laden.is_mended(UpstreamUnavailable("no"), lease)
