"""Names, several addresses, and who wins."""

import asyncio
import socket

import pytest

from dragoman.errors import UpstreamTimeout, UpstreamUnavailable
from dragoman.transport.addresses import Address
from dragoman.transport.dialing import Dialer, Place, in_turn, race
from dragoman.transport.http1 import Connection
from support.descriptors import descriptors_come_back
from support.scripted_upstream import ScriptedUpstream, answering, ok, refusing_port

FOUR, SIX = socket.AF_INET, socket.AF_INET6


class Nobody:
    def gone(self, connection):
        pass


def make():
    return Connection(Nobody())


def test_families_take_turns():
    six = [Place(SIX, (f"::{n}", 1, 0, 0)) for n in range(3)]
    four = [Place(FOUR, (f"10.0.0.{n}", 1)) for n in range(2)]
    assert in_turn([*six, *four]) == [six[0], four[0], six[1], four[1], six[2]]
    assert in_turn(four) == four
    assert in_turn([]) == []


async def test_a_dead_address_is_passed_over():
    async with ScriptedUpstream() as upstream, refusing_port() as dead, descriptors_come_back():
        places = [Place(FOUR, ("127.0.0.1", port)) for port in (dead, dead, upstream.port)]
        sock = await race(places)
        assert sock.getpeername()[1] == upstream.port
        sock.close()


async def test_a_silent_address_is_overtaken(monkeypatch):
    monkeypatch.setattr("dragoman.transport.dialing.NEXT_ADDRESS_AFTER", 0.02)
    silent = socket.socket()
    filler = [socket.socket() for _ in range(8)]
    try:
        # A full backlog: the kernel drops further SYNs, as a black hole would.
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        for sock in filler:
            sock.settimeout(0)
            sock.connect_ex(silent.getsockname())
        await asyncio.sleep(0.01)
        async with ScriptedUpstream() as upstream, descriptors_come_back():
            places = [Place(FOUR, silent.getsockname()), Place(FOUR, ("127.0.0.1", upstream.port))]
            sock = await asyncio.wait_for(race(places), 5)
            assert sock.getpeername()[1] == upstream.port
            sock.close()
    finally:
        for sock in (silent, *filler):
            sock.close()


async def test_when_none_answers_the_first_reason_is_told():
    async with refusing_port() as dead, descriptors_come_back():
        with pytest.raises(ConnectionRefusedError):
            await race([Place(FOUR, ("127.0.0.1", dead))] * 3)
    with pytest.raises(OSError, match="no address"):
        await race([])


async def test_a_name_is_looked_up_once_for_all_and_again_after_a_failure(monkeypatch):
    loop = asyncio.get_running_loop()
    asked = []

    async with ScriptedUpstream(answering(ok())) as upstream:

        class Looking:
            """The loop, with a name server of its own."""

            def __getattr__(self, name):
                return getattr(loop, name)

            async def getaddrinfo(self, host, port, **options):
                asked.append(host)
                await asyncio.sleep(0)
                return [(FOUR, 1, 6, "", ("127.0.0.1", target))]

        real = asyncio.get_running_loop
        dialer = Dialer(Address("http", "upstream.invalid", 80))
        target = upstream.port
        monkeypatch.setattr("dragoman.transport.dialing.asyncio.get_running_loop", Looking)
        connections = await asyncio.gather(*(dialer.dial(make) for _ in range(5)))
        assert asked == ["upstream.invalid"]
        async with refusing_port() as dead:
            target = dead
            dialer._places_until = 0.0
            with pytest.raises(UpstreamUnavailable):
                await dialer.dial(make)
        target = upstream.port
        connections.append(await dialer.dial(make))
        assert len(asked) == 3
        monkeypatch.setattr("dragoman.transport.dialing.asyncio.get_running_loop", real)
        for connection in connections:
            connection.abort()
        await asyncio.sleep(0.01)


class NameServer:
    """The loop, with a name server that answers when it is let through."""

    def __init__(self, error=None):
        self.error = error
        self.asked = 0
        self.let_through = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def __call__(self):
        return self

    def __getattr__(self, name):
        return getattr(self._loop, name)

    async def getaddrinfo(self, host, port, **options):
        self.asked += 1
        await self.let_through.wait()
        if self.error is not None:
            raise self.error
        return [(FOUR, 1, 6, "", ("127.0.0.1", port))]


async def test_a_look_up_that_takes_long_goes_on_for_those_who_come_later(monkeypatch):
    """It holds a thread of the loop's few, whatever becomes of who asked."""
    async with ScriptedUpstream(answering(ok())) as upstream:
        names = NameServer()
        monkeypatch.setattr("dragoman.transport.dialing.asyncio.get_running_loop", names)
        dialer = Dialer(Address("http", "upstream.invalid", upstream.port), timeout=0.02)
        for _ in range(3):
            with pytest.raises(UpstreamTimeout):
                await dialer.dial(make)
        assert names.asked == 1
        names.let_through.set()
        dialer._timeout = 5
        connection = await dialer.dial(make)
        assert names.asked == 1
        connection.abort()
        await asyncio.sleep(0.01)


async def test_an_unknown_name_is_unavailable_and_named_only_in_the_detail(monkeypatch):
    names = NameServer(socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
    names.let_through.set()
    monkeypatch.setattr("dragoman.transport.dialing.asyncio.get_running_loop", names)
    dialer = Dialer(Address("http", "nowhere.invalid", 80), timeout=5)
    with pytest.raises(UpstreamUnavailable) as raised:
        await dialer.dial(make)
    assert "nowhere" not in raised.value.message
    assert "nowhere.invalid" in raised.value.detail
