"""One simulator and one gateway for the whole session; each test begins with clean ones."""

import pytest

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


@pytest.fixture(scope="session")
def session_simulator():
    with running_simulator() as simulator:
        yield simulator


@pytest.fixture(scope="session")
def session_gateway(session_simulator, tmp_path_factory):
    toml = session_simulator.server.config_toml() + SETTINGS
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
