import pytest

from support.simulator import running_simulator


@pytest.fixture(scope="session")
def session_simulator():
    with running_simulator() as running:
        yield running


@pytest.fixture
def simulator(session_simulator):
    """The simulators as freshly started."""
    session_simulator.reset()
    return session_simulator
