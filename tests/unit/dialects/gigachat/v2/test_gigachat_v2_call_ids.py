"""Ids of calls that carry a state and the call's own id."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.dialects.gigachat.state_ids import call_id as call_id_of_v1
from dragoman.dialects.gigachat.state_ids import state_id
from dragoman.dialects.gigachat.v2.call_ids import PREFIX, CallOrigin, call_id, origin_of

STATE = "019e8373-dc9a-7883-af60-ebb20b79e1e1"
OWN = "f4b17167-3fa4-40aa-80c6-c737ee40d961"
ids = st.uuids().map(str) | st.text(min_size=1, max_size=4) | st.just("")


@given(state=ids, own=ids, number=st.integers(0, 255))
def test_what_goes_in_comes_out(state, own, number):
    origin = CallOrigin(state, own, number)
    spelled = call_id(origin)
    if not (state or own):
        assert spelled is None
        return
    assert origin_of(spelled) == origin
    assert len(spelled) <= 64
    assert spelled.replace("_", "").replace("-", "").isalnum()


def test_calls_of_one_answer_have_different_ids():
    assert len({call_id(CallOrigin(STATE, "", number)) for number in range(256)}) == 256


def test_two_uuids_fit_and_a_long_own_id_is_left_out_for_the_state():
    assert origin_of(call_id(CallOrigin(STATE, OWN, 3))) == CallOrigin(STATE, OWN, 3)
    assert origin_of(call_id(CallOrigin(STATE, "x" * 40, 3))) == CallOrigin(STATE, "", 3)


@pytest.mark.parametrize(
    "origin", [CallOrigin("x" * 60, "", 0), CallOrigin("", "x" * 60, 0), CallOrigin(STATE, "", 256)]
)
def test_what_cannot_be_carried_has_no_id(origin):
    assert call_id(origin) is None


@pytest.mark.parametrize(
    "foreign",
    [
        "",
        "call_1",
        "toolu_01A09q90qw90lq917835lq9",
        STATE,
        call_id_of_v1(STATE),
        PREFIX,
        PREFIX + "!!!!",
        PREFIX + "AAAA",
        PREFIX + "A" * 40,
        call_id(CallOrigin(STATE, OWN, 0))[:-1],
        call_id(CallOrigin(STATE, OWN, 0)) + "A",
        call_id(CallOrigin(STATE, "", 0)).replace(PREFIX, PREFIX.upper()),
    ],
)
def test_an_id_that_is_not_ours_carries_nothing(foreign):
    assert origin_of(foreign) is None


@given(st.text(max_size=70))
def test_any_text_is_read_without_a_fault(text):
    assert origin_of(text) is None
    origin_of(PREFIX + text)


@given(st.integers(0, 54), st.characters(codec="ascii"))
def test_one_wrong_character_makes_an_id_foreign(at, character):
    good = call_id(CallOrigin(STATE, OWN, 1))
    at = min(at + len(PREFIX), len(good) - 1)
    spoiled = good[:at] + character + good[at + 1 :]
    assert (origin_of(spoiled) is None) == (spoiled != good)


def test_version_1_takes_no_state_from_an_id_of_version_2():
    assert state_id(call_id(CallOrigin(str(uuid.UUID(int=7)), "", 0))) is None
