"""One simulator and one gateway for the whole session; each test begins with clean ones."""

import pytest

from dragoman.simulators.options import GIGACHAT_KEYS
from support.gateway import running_gateway
from support.simulator import running_simulator

SETTINGS = """
[log]
level = "error"
requests = "none"

[queue]
max_wait = 5

[providers.gigachat.limits]
in_flight = 0
"""

V2 = """
[providers.gigachat2]
kind = "gigachat"
api = "v2"
base_url = "{url}/gigachat/api/v1"
auth_url = "{url}/gigachat/oauth"
credentials = ["{key}"]
models = ["served-by-v2-alone"]
limits = {{ in_flight = 0 }}
"""
"""The same service, by its newer API."""


@pytest.fixture(scope="session")
def session_simulator():
    with running_simulator() as simulator:
        yield simulator


@pytest.fixture(scope="session")
def session_gateway(session_simulator, tmp_path_factory):
    server = session_simulator.server
    toml = server.config_toml() + SETTINGS + V2.format(url=server.url, key=GIGACHAT_KEYS[0])
    with running_gateway(toml, tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


@pytest.fixture
def simulator(session_simulator):
    session_simulator.reset()
    return session_simulator


@pytest.fixture
def gateway(session_gateway, simulator):
    for broker in session_gateway.house.brokers.values():
        for key in session_gateway.ask_loop(broker.snapshot).keys:
            session_gateway.ask_loop(lambda broker=broker, key=key: broker.enable(key.id))
    yield session_gateway
    session_gateway.ended_well()
