"""A crowd of real clients that hang up at random moments: afterwards nothing is left of them."""

import asyncio
import gc
import os
import random
import socket
import struct
from contextlib import suppress
from pathlib import Path

import pytest

from support.gateway import running_gateway
from support.many_clients import request_bytes
from support.raw_http import chat_body, send
from support.scale import scaled
from support.simulator import running_simulator
from support.target_gateways import served_by

CROWD = scaled(300, 2000)
AT_ONCE = 100
MEGABYTE = 1024 * 1024
HAS_PROC = Path("/proc/self/fd").exists()

TEXT = "Tell a story [[chunks:20]] [[pace:10ms]]"
REQUESTS = [
    chat_body(model, TEXT, stream=stream)
    for model in ("openai/gpt-4o", "gigachat/GigaChat-2")
    for stream in (True, True, False)
] + [chat_body("openai/gpt-4o", "Slow [[fault:slow seconds=60]]")]
PATIENCE = {len(REQUESTS) - 1: 0.2}
"""Seconds that a client of that request waits at most, where its answer takes for ever."""


@pytest.fixture(scope="module", params=["callbacks", "asgi"])
def world(request, tmp_path_factory):
    with running_simulator() as simulator:
        toml = simulator.server.config_toml() + served_by(request.param)
        with running_gateway(toml, tmp_path_factory.mktemp("departing")) as gateway:
            yield gateway, simulator


def hang_up(writer, dice):
    """Politely, or with a reset."""
    if dice.random() < 0.5:
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def depart(gateway, number):
    """One client; where it leaves is told by its number."""
    dice = random.Random(number)
    data = request_bytes(REQUESTS[number % len(REQUESTS)])
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    moment = number % 5
    patience = asyncio.timeout(PATIENCE.get(number % len(REQUESTS)))
    with suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError):
        async with patience:
            await part_of_the_way(reader, writer, data, dice, moment)
    hang_up(writer, dice)


async def part_of_the_way(reader, writer, data, dice, moment):
    """Before the body is complete, while waiting, at the head, in the middle, after the end."""
    if moment == 0:
        writer.write(data[: dice.randrange(len(data))])
        await asyncio.sleep(dice.random() * 0.02)
    else:
        writer.write(data)
    if moment == 1:
        await asyncio.sleep(dice.random() * 0.05)
    elif moment == 2:
        await reader.readuntil(b"\r\n\r\n")
    elif moment == 3:
        for _ in range(dice.randrange(1, 8)):
            await reader.read(dice.randrange(1, 400))
    elif moment == 4:
        await reader.read()


async def a_crowd_departs(gateway, size):
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number):
        async with gate:
            await depart(gateway, number)

    await asyncio.gather(*[one(number) for number in range(size)])


def descriptors():
    return len(os.listdir("/proc/self/fd")) if HAS_PROC else 0  # noqa: PTH208 - the count alone


def resident():
    if not HAS_PROC:
        return 0
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def tasks(gateway):
    return gateway.ask_loop(lambda: len(asyncio.all_tasks()))


def close_idle(gateway):
    """Give up what the gateway keeps for reuse, so that what remains can be counted."""

    def close():
        for origin in gateway.house.origins.values():
            for connection in list(origin._idle):
                connection.abort()

    gateway.ask_loop(close)


async def settled(condition):
    """Whether ``condition`` comes to hold within some seconds."""
    for _ in range(500):
        if condition():
            return True
        await asyncio.sleep(0.01)
    return False


async def test_nothing_is_left_of_clients_that_hang_up(world):
    gateway, simulator = world
    for body in REQUESTS[:-1]:
        assert send(gateway, body).status == 200
    await a_crowd_departs(gateway, 100)  # caches and pools have their size
    await settled(lambda: gateway.ask_loop(lambda: gateway.house.pipeline.in_flight) == 0)
    simulator.control(reset=True)
    idle = {"tasks": tasks(gateway), "memory": resident()}

    await a_crowd_departs(gateway, CROWD)

    assert await settled(lambda: gateway.ask_loop(lambda: gateway.house.pipeline.in_flight) == 0)
    gateway.ended_well()
    # A slow answer would take the simulator a minute: its caller's departure has ended it.
    assert await settled(lambda: not any(simulator.view()["in_flight"].values()))
    assert simulator.view()["disconnects"] > CROWD / 20
    assert await settled(lambda: tasks(gateway) <= idle["tasks"])
    assert not gateway.ask_loop(lambda: [o for o in gateway.house.origins.values() if o.in_use])
    gc.collect()
    assert resident() - idle["memory"] < 15 * MEGABYTE


@pytest.mark.skipif(not HAS_PROC, reason="open files are counted in /proc")
async def test_every_descriptor_comes_back(world):
    gateway, simulator = world
    assert await settled(lambda: not any(simulator.view()["in_flight"].values()))
    close_idle(gateway)
    await asyncio.sleep(0.1)
    before = descriptors()
    await a_crowd_departs(gateway, 100)
    assert await settled(lambda: gateway.ask_loop(lambda: gateway.house.pipeline.in_flight) == 0)

    def back():
        close_idle(gateway)
        return descriptors() <= before + 2

    assert await settled(back), (before, descriptors())
