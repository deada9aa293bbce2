"""The circuit breaker under virtual time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from auditor.model.breaker import SPREAD, Breaker, BreakerState


def breaker(**changes: float) -> Breaker:
    return Breaker(
        **{"failures_to_open": 3, "first_seconds": 30.0, "longest_seconds": 900.0, **changes}  # type: ignore[arg-type]
    )


def fail(one: Breaker, now: float, *, wait: float | None = None, chance: float = 0.5) -> None:
    assert one.wait(now) is None
    one.failed(now, chance, probe=one.enter(), wait=wait)


def opened(now: float = 0.0) -> Breaker:
    one = breaker()
    for _ in range(3):
        fail(one, now)
    return one


def test_it_opens_after_failures_in_a_row_only() -> None:
    one = breaker()
    for now in (1.0, 2.0):
        fail(one, now)
    assert not one.enter()
    one.succeeded()
    for now in (3.0, 4.0):
        fail(one, now)
    assert one.state(4.0) is BreakerState.CLOSED
    fail(one, 5.0)
    assert one.state(5.0) is BreakerState.OPEN
    assert one.wait(10.0) == 25.0


def test_after_the_cool_down_exactly_one_call_probes() -> None:
    one = opened()
    assert one.wait(29.9) is not None
    assert one.state(30.0) is BreakerState.HALF_OPEN
    assert one.wait(30.0) is None
    assert one.enter()
    assert one.wait(31.0) is not None
    assert one.state(31.0) is BreakerState.OPEN
    one.succeeded()
    assert one.wait(31.0) is None
    assert one.state(31.0) is BreakerState.CLOSED


def test_each_failed_probe_doubles_the_cool_down_up_to_the_longest() -> None:
    one, now = opened(), 0.0
    waits = []
    for _ in range(8):
        wait = one.wait(now)
        assert wait is not None
        waits.append(wait)
        now += wait
        fail(one, now)
    assert waits == [30.0, 60.0, 120.0, 240.0, 480.0, 900.0, 900.0, 900.0]


def test_a_success_forgets_how_long_it_had_been_open() -> None:
    one = opened()
    fail(one, 30.0)
    one.enter()
    one.succeeded()
    for _ in range(3):
        fail(one, 100.0)
    assert one.wait(100.0) == 30.0


def test_a_cancelled_probe_lets_the_next_call_probe() -> None:
    one = opened()
    probe = one.enter()
    one.released(probe=probe)
    assert one.wait(30.0) is None
    assert one.enter()


def test_a_call_from_before_the_opening_does_not_end_anothers_probe() -> None:
    one = breaker()
    before = one.enter()
    for _ in range(3):
        fail(one, 0.0)
    assert one.enter()
    one.released(probe=before)
    assert one.wait(31.0) is not None
    one.failed(31.0, 0.5, probe=before)
    assert one.wait(31.0) is not None


def test_calls_that_fail_while_it_is_open_do_not_prolong_it() -> None:
    one = opened()
    one.failed(1.0, 0.5, probe=False)
    one.failed(2.0, 0.5, probe=False)
    assert one.wait(2.0) == 28.0


def test_a_wait_that_the_server_asks_for_opens_it_at_once_and_is_bounded() -> None:
    one = breaker()
    fail(one, 0.0, wait=100.0)
    assert one.wait(0.0) == 100.0
    one = breaker()
    fail(one, 0.0, wait=1e9)
    assert one.wait(0.0) == 900.0


def test_a_wait_of_nothing_opens_nothing() -> None:
    one = breaker()
    fail(one, 0.0, wait=0.0)
    assert one.state(0.0) is BreakerState.CLOSED
    fail(one, 0.0)
    assert one.state(0.0) is BreakerState.CLOSED


@given(st.floats(0.0, 1.0))
def test_cool_downs_are_spread_within_their_bounds(chance: float) -> None:
    one = breaker(failures_to_open=1)
    fail(one, 0.0, chance=chance)
    wait = one.wait(0.0)
    assert wait is not None
    assert 30.0 * SPREAD[0] <= wait <= 30.0 * SPREAD[1]


@given(st.lists(st.tuples(st.floats(0.0, 500.0), st.sampled_from(["good", "bad", "cancelled"])), max_size=60))
def test_it_never_stays_shut_for_ever(steps: list[tuple[float, str]]) -> None:
    one, now = breaker(), 0.0
    for seconds, outcome in steps:
        now += seconds
        if one.wait(now) is not None:
            continue
        probe = one.enter()
        if outcome == "good":
            one.succeeded()
        elif outcome == "bad":
            one.failed(now, 0.5, probe=probe)
        else:
            one.released(probe=probe)
    assert one.wait(now + 900.0 * SPREAD[1]) is None
