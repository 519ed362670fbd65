"""An upstream that answers with what was recorded, on one loop with the gateways in front of it."""

import pytest

from support.gateway import gateway_thread
from support.replay_upstream import replay_upstream


@pytest.fixture(scope="module")
def thread():
    with gateway_thread() as thread:
        yield thread


@pytest.fixture(scope="module")
def upstream(thread):
    with replay_upstream(thread) as upstream:
        yield upstream
