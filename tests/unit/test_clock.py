from hypothesis import given
from hypothesis import strategies as st

from dragoman.clock import TimerWheel


def test_a_timer_fires_once_and_never_early():
    wheel = TimerWheel(0.0, tick=0.1)
    fired = []
    wheel.at(1.0, lambda: fired.append("a"))
    wheel.advance(1.0)
    assert fired == []
    wheel.advance(1.2)
    assert fired == ["a"]
    wheel.advance(5.0)
    assert fired == ["a"]


def test_a_moved_deadline_fires_at_its_new_time():
    wheel = TimerWheel(0.0, tick=0.1)
    fired = []
    timer = wheel.at(1.0, lambda: fired.append("a"))
    timer.deadline = 3.0
    wheel.advance(2.9)
    assert fired == []
    wheel.advance(3.2)
    assert fired == ["a"]


def test_a_timer_moves_earlier_and_later_and_back_on_the_wheel():
    wheel = TimerWheel(0.0, tick=0.1)
    fired = []
    timer = wheel.at(5.0, lambda: fired.append("a"))
    wheel.move(timer, 1.0)
    wheel.move(timer, 3.0)
    wheel.move(timer, 2.0)
    wheel.advance(1.95)
    assert fired == []
    wheel.advance(2.3)
    assert fired == ["a"]
    wheel.move(timer, 4.0)
    wheel.advance(6.0)
    assert fired == ["a", "a"]
    assert len(wheel) == 0


def test_a_cancelled_timer_is_forgotten_at_once():
    wheel = TimerWheel(0.0)
    timers = [wheel.at(600.0, lambda: None) for _ in range(1000)]
    for timer in timers:
        timer.cancel()
        timer.cancel()
    assert len(wheel) == 0


def test_a_timer_may_be_set_and_cancelled_from_a_timer():
    wheel = TimerWheel(0.0, tick=0.1)
    fired = []
    other = wheel.at(1.05, lambda: fired.append("other"))

    def first():
        fired.append("first")
        other.cancel()
        wheel.at(1.0, lambda: fired.append("late"))

    wheel.at(0.95, first)
    wheel.advance(1.01)
    wheel.advance(2.0)
    assert fired == ["first", "late"]


def test_a_deadline_in_the_past_fires_at_the_next_tick():
    wheel = TimerWheel(100.0, tick=0.1)
    fired = []
    wheel.at(3.0, lambda: fired.append("a"))
    wheel.advance(100.25)
    assert fired == ["a"]


@given(
    st.lists(st.tuples(st.floats(0, 50), st.floats(0, 50), st.booleans()), max_size=30),
    st.lists(st.floats(0, 3), min_size=1, max_size=60),
)
def test_every_timer_fires_within_two_ticks_of_its_deadline_or_not_at_all(timers, steps):
    wheel = TimerWheel(0.0, tick=0.5)
    now = [0.0]
    fired: dict[int, float] = {}
    handles = []
    for number, (deadline, moved, _) in enumerate(timers):
        handle = wheel.at(deadline, lambda number=number: fired.setdefault(number, now[0]))
        handle.deadline = max(deadline, moved)
        handles.append(handle)
    for handle, (_, _, cancelled) in zip(handles, timers, strict=True):
        if cancelled:
            handle.cancel()
    for step in [*steps, 60.0]:
        before = now[0]
        now[0] += step
        wheel.advance(now[0])
        for number, (deadline, moved, cancelled) in enumerate(timers):
            due = max(deadline, moved)
            assert number not in fired or (not cancelled and fired[number] >= due)
            if not cancelled and due + 1.0 < before:
                assert number in fired
