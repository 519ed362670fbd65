"""Call ids that carry GigaChat's state."""

import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.dialects.gigachat.state_ids import call_id, derived_id, state_id

SAFE = re.compile(r"[A-Za-z0-9_-]{1,64}")


@given(st.uuids())
def test_a_uuid_makes_the_round_trip_exactly(value: UUID):
    spelled = call_id(str(value))
    assert spelled == f"call_gc_{value.hex}"
    assert state_id(spelled) == str(value)


@given(st.text(max_size=80) | st.from_regex(r"[A-Za-z0-9_-]{1,70}", fullmatch=True))
def test_every_state_makes_the_round_trip_or_is_given_up(value: str):
    spelled = call_id(value)
    if spelled is None:
        assert value == "" or len(value.encode("utf-8", "surrogatepass")) > 41
    else:
        assert SAFE.fullmatch(spelled)
        assert state_id(spelled) == value


@pytest.mark.parametrize("value", ["A" * 55, "é" * 20, "0199AAAA-BBBB-CCCC-DDDD-EEEEFFFF0000"])
def test_short_strings_of_any_kind_are_carried(value):
    assert state_id(call_id(value)) == value


@given(st.text(max_size=70))
def test_ids_of_clients_hold_no_state(value: str):
    if not value.startswith("call_gc"):
        assert state_id(value) is None


@pytest.mark.parametrize(
    "value",
    [
        "call_gc_",
        "call_gc_xyz",
        "call_gcs_",
        "call_gcb_",
        "call_gcb_A",
        "call_gcb__w",
        "call_gcd_00",
    ],
)
def test_damaged_ids_hold_no_state(value):
    assert state_id(value) is None


@given(st.lists(st.text()), st.lists(st.text()))
def test_derived_ids_differ_as_their_facts_do(one, other):
    assert SAFE.fullmatch(derived_id(*one))
    assert state_id(derived_id(*one)) is None
    assert (derived_id(*one) == derived_id(*other)) == (one == other)
