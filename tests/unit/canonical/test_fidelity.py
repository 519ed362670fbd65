from hypothesis import given
from hypothesis import strategies as st

from dragoman.canonical.fidelity import HEADER_LIMIT, Fidelity, Grade


def test_the_header_lists_what_was_dropped_and_adjusted():
    record = Fidelity()
    assert record.grade is Grade.EXACT
    record.adjust("temperature", 1.6, 1)
    assert record.grade is Grade.ADAPTED
    record.drop("seed")
    record.drop("logit_bias")
    record.drop("seed")
    assert record.grade is Grade.LOSSY
    assert record.header() == b"dropped=seed,logit_bias; adjusted=temperature:1.6->1"


def test_records_do_not_share_their_lists():
    Fidelity().drop("a")
    assert Fidelity().dropped == []


@given(st.lists(st.text(min_size=1), max_size=400))
def test_the_header_is_short_printable_ascii_whatever_the_fields_are_called(names):
    record = Fidelity()
    for name in names:
        record.drop(name)
    value = record.header()
    assert len(value) <= HEADER_LIMIT
    assert all(0x20 <= byte < 0x7F for byte in value)
