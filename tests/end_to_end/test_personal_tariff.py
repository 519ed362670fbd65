"""One GigaChat credential that serves one request at a time, fifty callers at once, real sockets.

The simulator refuses a second parallel request with 429, as the real service does.
"""

import asyncio

import pytest

from support.gateway import running_gateway
from support.many_clients import exchange, request_bytes
from support.own_credentials import CHOICES, KEYS, SERVERS_KEY, settings
from support.polling import until
from support.raw_http import chat_body
from support.simulator import running_simulator

CALLERS = 50
KEYRING = [f"client-key-{number}" for number in range(CALLERS)]


@pytest.fixture(scope="module")
def simulator():
    with running_simulator() as simulator:
        simulator.control(options={**CHOICES, "gigachat_in_flight": 1})
        yield simulator


@pytest.fixture
def gateway(simulator, tmp_path):
    listed = ", ".join(f'"{key}"' for key in KEYRING)
    toml = settings(simulator, rest=f"[server]\napi_keys = [{listed}]")
    toml = toml.replace("max_wait = 5", "max_wait = 60")
    with running_gateway(toml, tmp_path) as gateway:
        gateway.wait_until_discovered()
        simulator.control(reset=True)
        yield gateway
        gateway.ended_well()


async def all_callers(gateway, number_each=1, **members):
    data = [
        request_bytes(
            chat_body("GigaChat-2", **members),
            "/v1/chat/completions",
            f"authorization: Bearer {key}",
        )
        for key in KEYRING
        for _ in range(number_each)
    ]
    return await asyncio.gather(*[exchange(gateway, one) for one in data])


@pytest.mark.parametrize("stream", [False, True])
async def test_fifty_callers_share_one_slot_and_none_is_refused(gateway, simulator, stream):
    answers = await all_callers(gateway, stream=stream)
    assert {status for status, _ in answers} == {200}
    view = simulator.view()
    assert "429" not in view["statuses"], "the service has never seen two calls at once"
    assert view["asked_by"] == {SERVERS_KEY: {"GigaChat-2": CALLERS}}


async def test_a_burst_of_one_does_not_starve_the_others(gateway, simulator):
    order = []

    async def one(key, name):
        data = request_bytes(
            chat_body("GigaChat-2"), "/v1/chat/completions", f"authorization: Bearer {key}"
        )
        status, _ = await exchange(gateway, data)
        assert status == 200
        order.append(name)

    def waiting():
        return gateway.ask_loop(gateway.house.brokers["gigachat"].snapshot).waiting

    simulator.control(
        faults=[{"fault": "slow:800ms", "simulator": "gigachat", "on": "completions"}]
    )
    burst = [asyncio.ensure_future(one(KEYRING[0], "burst")) for _ in range(30)]
    await until(lambda: waiting() == 29)
    others = [asyncio.ensure_future(one(key, "other")) for key in KEYRING[1:6]]
    await until(lambda: waiting() == 34)
    await asyncio.gather(*burst, *others)
    last_other = max(index for index, name in enumerate(order) if name == "other")
    assert last_other < 15, order


async def test_callers_with_their_own_credential_queue_for_it_alone(gateway, simulator):
    async def crowd(key, header):
        data = request_bytes(
            chat_body("GigaChat-2"),
            "/v1/chat/completions",
            f"authorization: Bearer {KEYRING[0]}",
            *([f"x-api-key: {header}"] if header else []),
        )
        return await asyncio.gather(*[exchange(gateway, data) for _ in range(20)])

    answers = await asyncio.gather(
        crowd(KEYS[0], f"giga-cred-{KEYS[0]}"),
        crowd(KEYS[1], f"giga-cred-{KEYS[1]}"),
        crowd(SERVERS_KEY, None),
    )
    assert {status for group in answers for status, _ in group} == {200}
    asked = simulator.view()["asked_by"]
    assert {key: asked[key]["GigaChat-2"] for key in asked} == dict.fromkeys(
        (KEYS[0], KEYS[1], SERVERS_KEY), 20
    )
