from dragoman.pool.agenda import Agenda


def test_what_is_due_comes_out_in_order_and_once():
    agenda = Agenda(lambda _moment, _item: True)
    for moment, item in ((3.0, "c"), (1.0, "a"), (2.0, "b"), (9.0, "z")):
        agenda.add(moment, item)
    assert agenda.first() == 1.0
    assert list(agenda.due(3.0)) == ["a", "b", "c"]
    assert list(agenda.due(3.0)) == []
    assert agenda.first() == 9.0


def test_what_was_called_off_is_not_due():
    on = {"a", "c"}
    agenda = Agenda(lambda _moment, item: item in on)
    for moment, item in enumerate("abc"):
        agenda.add(moment, item)
    on.discard("a")
    assert agenda.first() == 2
    assert list(agenda.due(10)) == ["c"]
    assert agenda.first() is None


def test_called_off_entries_do_not_pile_up():
    on = set()
    agenda = Agenda(lambda _moment, item: item in on)
    agenda.add(0.0, -1)
    on.add(-1)
    for item in range(10_000):
        on.add(item)
        agenda.add(1.0 + item, item)
        on.discard(item)
        assert len(agenda) <= 64
    assert agenda.first() == 0.0
