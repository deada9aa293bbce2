"""The records of what was strange: which of it comes again as a rule, and how they are kept."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.detection.episodes import DAY as DAY_OF_SLOTS
from auditor.detection.episodes import MINUTES, MOST, SILENT_DAYS, STEP, Episodes

SLOT = 4_833_360


def _minute(day: int, slot: int = 12) -> int:
    return (SLOT + day * DAY_OF_SLOTS + slot) * MINUTES


def _at(*minutes: int) -> np.typing.NDArray[np.int64]:
    return np.array(minutes, dtype=np.int64)


def _records(side: int, *minutes: int, depth: float = 1.0) -> Episodes:
    return Episodes.none().with_found(side, _at(*minutes), np.full(len(minutes), depth))


def test_the_hours_to_which_something_comes_back_are_known_and_none_where_they_are_many() -> None:
    nightly = _records(3, _minute(0), _minute(2), _minute(5, 80))
    assert nightly.hours(3) == [2]
    assert nightly.hours(4) == []
    hourly = _records(3, *(_minute(day, slot) for day in (0, 1) for slot in range(0, DAY_OF_SLOTS, 6)))
    assert hourly.hours(3) == []


@pytest.mark.parametrize("first", range(40))
def test_what_the_hour_itself_has_shown_changes_no_rule_of_hours(first: int) -> None:
    earlier = [_minute(0, slot) for slot in range(first, 102) if slot % 6 != 2]
    within = [_minute(0, slot) for slot in range(102, 108)]
    told, later = (
        _records(3, *slots).usual(3, _at(*within)).tolist() for slots in (earlier, earlier + within)
    )
    assert any(told)
    assert told == later


def test_hours_count_up_to_the_hour_that_began_last_and_what_fills_them_does_not() -> None:
    hourly = _records(3, *(_minute(0, slot) for slot in (13, 19, 25)))
    around = hourly.usual(3, _at(*(_minute(0, slot) for slot in (29, 30, 31, 32, 33))))
    assert around.tolist() == [0, 1, 1, 1, 0]
    assert not hourly.usual(3, _at(_minute(0, 26))).any()
    of_the_same_hour = _records(3, *(_minute(0, slot) for slot in (17, 23, 30)))
    assert not of_the_same_hour.usual(3, _at(_minute(0, 35))).any()
    filled = _records(3, *(_minute(0, slot) for slot in range(12, 30)))
    assert not filled.usual(3, _at(_minute(0, 30))).any()
    for_hours = _records(3, *(_minute(0, slot) for slot in range(6, 20)))
    assert not for_hours.usual(3, _at(_minute(0, 31), _minute(0, 32), _minute(0, 33))).any()


def test_four_days_of_seven_make_a_rule_within_ten_minutes() -> None:
    records = _records(3, *(_minute(day) for day in range(4)))
    around = records.usual(3, _at(*(_minute(6, slot) for slot in range(9, 16))))
    assert around.tolist() == [0, 0, 1, 1, 1, 0, 0]
    assert records.usual(3, _at(_minute(3), _minute(8))).tolist() == [0, 0]


def test_silence_of_two_days_of_three_is_a_rule() -> None:
    records = _records(3, _minute(0), _minute(1))
    assert records.usual(3, _at(_minute(2), _minute(4)), SILENT_DAYS).tolist() == [1, 0]


def test_what_is_usual_goes_as_far_as_half_of_the_visits_did() -> None:
    records = Episodes.none().with_found(
        3, _at(*(_minute(day) for day in range(5))), np.array([1.0, 5.0, 2.0, 3.0, 1.0])
    )
    assert records.usual(3, _at(_minute(5))).tolist() == [2.0]


def test_a_side_that_has_taken_no_part_is_not_usual() -> None:
    records = _records(3, *(_minute(day) for day in range(6)))
    assert records.usual(3, _at(_minute(6))).tolist() == [1.0]
    once = records.with_found(4, _at(_minute(5)), np.array([2.0]))
    assert once.usual(4, _at(_minute(6))).tolist() == [0]


def test_what_was_found_on_the_same_day_is_no_rule() -> None:
    records = _records(3, _minute(1), _minute(2, 11), _minute(2, 12))
    assert records.usual(3, _at(_minute(2, 12))).tolist() == [0]


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 5000), st.floats(0.0, 20.0)), min_size=1, max_size=40
    ),
    st.integers(1, 39),
)
def test_the_records_do_not_hang_on_the_blocks_they_came_in(
    found: list[tuple[int, int, float]], split: int
) -> None:
    found.sort(key=lambda one: one[1])

    def recorded(parts: list[list[tuple[int, int, float]]]) -> Episodes:
        records = Episodes.none()
        for part in parts:
            for side in range(4):
                own = [one for one in part if one[0] == side]
                records = records.with_found(
                    side, _at(*(minute for _, minute, _ in own)), np.array([deep for *_, deep in own])
                )
        return records

    together, apart = recorded([found]), recorded([found[:split], found[split:]])
    assert together.as_json() == apart.as_json() == Episodes.from_json(together.as_json()).as_json()
    assert together.depth.max() >= min(max(deep for *_, deep in found) / STEP, 255) - 1e-6


def test_the_newest_records_of_four_weeks_are_kept() -> None:
    many = _at(*(MINUTES * slot for slot in range(0, 10_000, 3)))
    kept = Episodes.none().with_found(1, many, np.ones(len(many))).newest(MINUTES * 10_000)
    assert len(kept.slot) == MOST
    assert len(json.dumps(kept.as_json())) < 5400
    assert kept.slot[-1] == 9_999
    old = kept.newest(MINUTES * (10_000 + 27 * DAY_OF_SLOTS))
    assert old.slot[0] >= 10_000 - DAY_OF_SLOTS


def test_of_what_lasts_every_third_record_is_kept_and_of_what_comes_and_goes_each() -> None:
    weekend = [_minute(0, slot) for slot in range(2 * DAY_OF_SLOTS)]
    records = _records(3, *weekend, _minute(4, 30), _minute(4, 31))
    kept = records.newest(_minute(6, 0))
    assert len(kept.slot) == 2 * DAY_OF_SLOTS // 3 + 2
    assert kept.newest(_minute(7, 0)).as_json() == kept.as_json()
    assert kept.depth.max() == records.depth.max()


def test_a_state_of_the_same_days_of_two_weeks_is_usual_in_the_third_at_any_time_of_theirs() -> None:
    weekends = [_minute(day, slot) for day in (0, 1, 7, 8) for slot in range(DAY_OF_SLOTS)]
    records = _records(3, *weekends).newest(_minute(13, 0))
    third = records.usual(3, _at(*(_minute(14, slot) for slot in range(DAY_OF_SLOTS))))
    assert (third == 1.0).all()
    assert records.usual(3, _at(_minute(16, 70), _minute(13, 70), _minute(9, 70))).tolist() == [0, 0, 0]


def test_a_state_of_every_day_for_three_weeks_is_no_matter_of_the_weekday() -> None:
    records = _records(3, *(_minute(day, slot) for day in range(15) for slot in range(DAY_OF_SLOTS)))
    assert records.newest(_minute(15, 0)).usual(3, _at(_minute(15, 70))).tolist() == [0]
