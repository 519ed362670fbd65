"""Admission and settlement: once for every operation, whatever happens to it."""

import asyncio

import pytest

from dragoman.accounts.ledger import Ledger
from dragoman.accounts.users import Keyring
from dragoman.canonical.fidelity import Fidelity
from dragoman.canonical.usage import Usage
from dragoman.clock import SystemClock
from dragoman.errors import (
    InternalError,
    ShuttingDown,
    Unauthenticated,
    UnsupportedByTarget,
    UpstreamTimeout,
)
from dragoman.operations.desk import Departed, Desk, Operation, record_of
from dragoman.routing import Router


@pytest.fixture
def desk():
    desk = Desk(Keyring(["client-key"]), Router({}, []), {}, {}, Ledger(), SystemClock())
    desk.seen = []
    desk.observers.append(lambda operation, seconds: desk.seen.append(operation))
    return desk


def operation(*tokens, **members):
    return Operation("POST", "/v1/embeddings", "id", tokens or (b"client-key",), **members)


def test_what_went_well_is_settled_once(desk):
    one = operation()
    with desk.serving(one):
        assert desk.in_flight == 1
        one.target, one.usage, one.attempts = "p/m", Usage(input=3), 2
    assert desk.in_flight == 0
    assert desk.seen == [one]
    totals = desk._ledger.totals()[("key-1", "p/m")]
    assert (totals.requests, totals.failures, totals.input) == (1, 0, 3)
    record = record_of(one, 1.0, 0.5)
    assert (record.status, record.tokens_in, record.attempts, record.error) == (200, 3, 2, None)


@pytest.mark.parametrize(
    ("raised", "seen", "status"),
    [
        (UpstreamTimeout("late"), UpstreamTimeout, 504),
        (ValueError("a bug"), InternalError, 500),
        (Departed(), Departed, 0),
        (asyncio.CancelledError(), asyncio.CancelledError, 0),
    ],
)
def test_what_went_wrong_is_settled_once(desk, raised, seen, status):
    one = operation()
    with pytest.raises(seen), desk.serving(one):
        raise raised
    assert desk.in_flight == 0
    assert desk.seen == [one]
    assert one.status == record_of(one, 1.0, 0.5).status == status
    assert one.client_left is (status == 0)
    assert desk._ledger.totals()[("key-1", "")].failures == (status > 0)


def test_a_bug_is_told_to_the_log_and_not_to_the_caller(desk):
    with pytest.raises(InternalError) as caught, desk.serving(operation()):
        raise ValueError("a bug")
    assert "a bug" not in caught.value.message
    assert "a bug" in caught.value.detail


@pytest.mark.parametrize("tokens", [(b"",), (b"wrong",), (b"client-key", b"other")])
def test_who_is_not_known_is_not_served(desk, tokens):
    with pytest.raises(Unauthenticated), desk.serving(operation(*tokens)):
        raise AssertionError("nothing is done")
    assert desk.seen[0].status == 401


def test_nothing_is_taken_on_any_more_when_the_gateway_stops(desk):
    desk.stopping = True
    with pytest.raises(ShuttingDown), desk.serving(operation()):
        raise AssertionError("nothing is done")


def test_who_wants_no_compromise_gets_none():
    lossy = Fidelity(dropped=["user"])
    Desk.accept(operation(), lossy)
    strict = operation(reject_unsupported=True)
    Desk.accept(strict, Fidelity())
    with pytest.raises(UnsupportedByTarget) as caught:
        Desk.accept(strict, lossy)
    assert "user" in caught.value.message
