import math

import pytest

from dragoman import errors
from dragoman.pool.keys import SERVED, UNUSED, Key, KeyState, Pauses, Verdict, verdict_of

READY, COOLING, DISABLED = KeyState.READY, KeyState.COOLING, KeyState.DISABLED
PAUSES = Pauses(first=2, longest=60, longest_told=3600)
NOW = 100.0

COOL = Verdict(cool_until=NOW + 5, error="rate_limited")
DISABLE = Verdict(disable="It is revoked.", error="upstream_authentication")


def key_in(state):
    key = Key("k")
    if state is COOLING:
        key.begin_loan(0)
        key.end_loan(Verdict(cool_until=NOW + 1), 0)
    elif state is DISABLED:
        key.disable("An earlier reason.")
    key.begin_loan(NOW)
    return key


@pytest.mark.parametrize(
    ("before", "verdict", "after"),
    [
        (READY, SERVED, READY),
        (READY, UNUSED, READY),
        (READY, COOL, COOLING),
        (READY, DISABLE, DISABLED),
        (COOLING, SERVED, COOLING),
        (COOLING, UNUSED, COOLING),
        (COOLING, COOL, COOLING),
        (COOLING, DISABLE, DISABLED),
        (DISABLED, SERVED, DISABLED),
        (DISABLED, UNUSED, DISABLED),
        (DISABLED, COOL, DISABLED),
        (DISABLED, DISABLE, DISABLED),
    ],
)
def test_the_end_of_a_loan_moves_a_key_as_the_table_says(before, verdict, after):
    key = key_in(before)
    key.end_loan(verdict, NOW)
    assert key.state is after
    assert key.in_flight == 0


@pytest.mark.parametrize(
    ("before", "after_cooled", "after_enable"),
    [(READY, READY, READY), (COOLING, READY, READY), (DISABLED, DISABLED, READY)],
)
def test_time_and_the_operator_move_a_key_as_the_table_says(before, after_cooled, after_enable):
    key = key_in(before)
    key.cooled()
    assert key.state is after_cooled
    key = key_in(before)
    key.enable()
    assert (key.state, key.reason, key.strikes) == (after_enable, None, 0)


def test_the_first_reason_for_disabling_stays():
    key = key_in(DISABLED)
    key.end_loan(DISABLE, NOW)
    assert key.reason == "An earlier reason."


def test_of_a_burst_of_refusals_in_flight_together_one_counts_and_the_longest_pause_holds():
    key = Key("k")
    for _ in range(3):
        key.begin_loan(NOW)
    for pause in (5, 9, 1):
        key.end_loan(Verdict(cool_until=NOW + pause), NOW)
    assert key.strikes == 1
    assert key.until == NOW + 9


def test_strikes_survive_the_pause_and_end_with_a_call_that_goes_well():
    key = key_in(READY)
    key.end_loan(COOL, NOW)
    key.cooled()
    assert key.strikes == 1
    key.begin_loan(NOW)
    key.end_loan(Verdict(error="timeout"), NOW)
    assert key.strikes == 1
    key.begin_loan(NOW)
    key.end_loan(SERVED, NOW)
    assert key.strikes == 0
    assert (key.served, key.failed, key.last_error) == (1, 2, "timeout")


@pytest.mark.parametrize(
    ("state", "limit", "in_flight", "is_free"),
    [
        (READY, None, 1000, True),
        (READY, 2, 1, True),
        (READY, 2, 2, False),
        (COOLING, None, 0, False),
        (DISABLED, None, 0, False),
    ],
)
def test_a_key_is_free_when_it_is_ready_and_below_its_limit(state, limit, in_flight, is_free):
    key = Key("k", limit)
    key.state = state
    key.in_flight = in_flight
    assert key.is_free is is_free


def test_a_key_that_could_never_be_lent_is_refused():
    with pytest.raises(ValueError, match="limit of key k must be at least 1, not 0"):
        Key("k", 0)


@pytest.mark.parametrize(
    ("told", "strikes", "pause"),
    [
        (None, 0, 2),
        (None, 1, 4),
        (None, 3, 16),
        (None, 9, 60),
        (None, 100_000, 60),
        (0.5, 0, 0.5),
        (0, 0, 0),
        (0, 2, 8),
        (30, 2, 30),
        (86_400, 0, 3600),
        (math.inf, 0, 3600),
        (math.nan, 0, 2),
        (-5, 0, 2),
    ],
)
def test_a_rate_limited_key_cools_as_told_and_longer_with_each_refusal_in_a_row(
    told, strikes, pause
):
    error = errors.UpstreamRateLimited("slow down", retry_after=told)
    verdict = verdict_of(error, NOW, strikes, PAUSES)
    assert verdict == Verdict(cool_until=NOW + pause, error="rate_limited")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (errors.UpstreamRejectedKey("no", code="invalid_api_key"), "(invalid_api_key): replace"),
        (errors.UpstreamRejectedKey("no"), "does not accept it: replace"),
        (errors.UpstreamOutOfCredit("no", code="402"), "used up (402): top up"),
    ],
)
def test_a_key_that_cannot_serve_is_disabled_with_what_to_do(error, says):
    verdict = verdict_of(error, NOW, 0, PAUSES)
    assert verdict.disable is not None
    assert says in verdict.disable
    assert verdict.error == error.kind


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (None, SERVED),
        (errors.UpstreamUnavailable("down"), Verdict(error="upstream_unavailable")),
        (errors.UpstreamTimeout("slow"), Verdict(error="timeout")),
        (errors.UpstreamBroken("odd"), Verdict(error="upstream_broken")),
        (errors.UpstreamRefused("bad request"), UNUSED),
        (errors.InvalidRequest("bad request"), UNUSED),
        (errors.InternalError("a bug"), UNUSED),
    ],
)
def test_other_ends_of_a_loan_leave_the_key_as_it_is(error, verdict):
    assert verdict_of(error, NOW, 0, PAUSES) == verdict
