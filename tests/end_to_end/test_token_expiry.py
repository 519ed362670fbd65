"""GigaChat's access token ends while a crowd is asking: one new token for all, no error for any."""

import asyncio

import pytest

from support.gateway import running_gateway
from support.many_clients import all_at_once, request_bytes
from support.raw_http import chat_body, send
from support.scale import scaled
from support.simulator import running_simulator
from support.target_gateways import QUIET

CROWD = scaled(1000, 3000)
MODEL = "gigachat/GigaChat-2"


@pytest.fixture(scope="module")
def own_simulator():
    with running_simulator() as simulator:
        yield simulator


@pytest.fixture
def gateway(own_simulator, tmp_path):
    """With one key only, so that there is one token."""
    own_simulator.reset()
    lines = own_simulator.server.config_toml().splitlines()
    first = next(line for line in lines if line.startswith("credentials"))
    one = first.split(",")[0] + "]" if "," in first else first
    toml = "\n".join(lines).replace(first, one) + QUIET
    with running_gateway(toml, tmp_path) as gateway:
        yield gateway
        gateway.ended_well()


async def a_crowd_is_served(gateway, **members):
    data = request_bytes(chat_body(MODEL, **members))
    answers = await all_at_once(gateway, data, CROWD)
    assert {status for status, _ in answers} == {200}
    if members.get("stream"):
        assert all(b"data: [DONE]" in body for _, body in answers)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_token_revoked_early_is_renewed_once(gateway, own_simulator, stream):
    assert send(gateway, chat_body(MODEL)).status == 200
    fetched = own_simulator.view()["token_fetches"]
    own_simulator.control(expire_tokens=True)
    await a_crowd_is_served(gateway, stream=stream)
    assert own_simulator.view()["token_fetches"] == fetched + 1


async def test_a_token_that_expires_by_the_clock_is_renewed_once(gateway, own_simulator):
    (credential,) = gateway.house.providers["gigachat"].credentials
    source = credential.signer.source
    assert send(gateway, chat_body(MODEL)).status == 200
    fetched = own_simulator.view()["token_fetches"]

    def expire():
        source._cancel_timer()
        source._expires_at = source._renew_at = gateway.house.clock.wall()

    gateway.ask_loop(expire)
    await a_crowd_is_served(gateway)
    assert own_simulator.view()["token_fetches"] == fetched + 1


async def test_tokens_that_live_for_a_moment_never_cost_an_answer(gateway, own_simulator):
    own_simulator.control(options={"token_lifetime": 1.0}, expire_tokens=True)
    fetched = own_simulator.view()["token_fetches"]
    data = request_bytes(chat_body(MODEL))
    statuses = []
    while own_simulator.view()["token_fetches"] - fetched < 3:
        statuses += [status for status, _ in await all_at_once(gateway, data, 20)]
        await asyncio.sleep(0.02)
    assert set(statuses) == {200}
    assert own_simulator.view()["token_fetches"] - fetched <= len(statuses) / 10
