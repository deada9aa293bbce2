"""The load follows from the seed and the minute alone, and has the shapes that it says."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from auditor.demo.load import NORMAL, Condition, Load, Traffic

MINUTE = 29_000_400
"""The origin."""
DAY = 1440


def test_the_same_seed_gives_the_same_lookups_whatever_was_drawn_before() -> None:
    one, other = Load(Traffic(), 7, origin=MINUTE), Load(Traffic(), 7, origin=MINUTE)
    other.minute(MINUTE - 5, Condition(surplus=2.0))
    assert one.minute(MINUTE) == other.minute(MINUTE)
    assert one.minute(MINUTE) != Load(Traffic(), 8, origin=MINUTE).minute(MINUTE)
    assert one.minute(MINUTE) != one.minute(MINUTE + 1)


def test_lookups_lie_within_their_minute_in_order_of_time() -> None:
    for condition in (NORMAL, Condition(surplus=1.0), Condition(crowd=20)):
        at = np.array(Load(Traffic(), 1, origin=MINUTE).minute(MINUTE, condition).at)
        assert (np.diff(at) >= 0).all()
        assert at[0] >= 60 * MINUTE
        assert at[-1] < 60 * (MINUTE + 1)


def test_the_day_swings_about_its_mean_and_peaks_three_hours_after_the_origin() -> None:
    traffic = Traffic(per_minute=100.0, daily=0.45)
    load = Load(traffic, 1, origin=MINUTE)
    means = np.array([load.expected_lookups(MINUTE + i) for i in range(DAY)])
    assert means.mean() == pytest.approx(100.0)
    assert [int(means.argmin()), int(means.argmax())] == [15 * 60, 3 * 60]
    assert (means.min(), means.max()) == (pytest.approx(55.0), pytest.approx(145.0))
    counted = np.mean([len(load.minute(MINUTE + i).at) for i in range(0, DAY, 5)])
    assert counted == pytest.approx(100.0, rel=0.04)


def test_bursts_are_rare_short_and_moderate() -> None:
    load = Load(Traffic(), 3, origin=MINUTE)
    factors = np.array([load.burst(MINUTE + i) for i in range(20 * DAY)])
    assert 0.005 < (factors > 1.0).mean() < 0.03
    assert factors.max() < 1.4


def test_few_questions_are_asked_often_and_many_seldom() -> None:
    load = Load(Traffic(keys=20_000, exponent=1.1), 1, origin=MINUTE)
    asked = Counter(key for i in range(600) for key in load.minute(MINUTE + i).key)
    shares = np.array(sorted(asked.values(), reverse=True)) / sum(asked.values())
    assert 0.08 < shares[0] < 0.2
    assert 0.3 < shares[:10].sum() < 0.6
    assert sum(count == 1 for count in asked.values()) > len(asked) / 3


def test_questions_are_replaced_slowly() -> None:
    load = Load(Traffic(keys=2000, key_lifetime_minutes=4 * DAY), 1, origin=MINUTE)
    now = [load.key(rank, MINUTE) for rank in range(2000)]
    an_hour_on = [load.key(rank, MINUTE + 60) for rank in range(2000)]
    much_later = [load.key(rank, MINUTE + 4 * DAY) for rank in range(2000)]
    changed = np.mean([a != b for a, b in zip(now, an_hour_on, strict=True)])
    assert 0.003 < changed < 0.02
    assert not set(now) & set(much_later)


def test_conditions_change_what_they_say() -> None:
    load = Load(Traffic(per_minute=300.0), 1, origin=MINUTE)
    usual = load.minute(MINUTE)
    assert load.minute(MINUTE, Condition(backend_factor=3.0)).backend_ms == pytest.approx(
        [3.0 * ms for ms in usual.backend_ms], abs=0.01
    )
    assert np.mean(load.minute(MINUTE, Condition(failing=0.4)).fails) == pytest.approx(0.4, abs=0.1)
    unstable = load.minute(MINUTE, Condition(unstable_keys=True)).key
    assert len(set(unstable)) == len(unstable)
    wide = load.minute(MINUTE, Condition(strangers=0.5)).key
    assert np.mean([a != b for a, b in zip(wide, usual.key, strict=True)]) == pytest.approx(0.5, abs=0.12)
    surplus = load.minute(MINUTE, Condition(surplus=2.0)).key
    assert sum(key.startswith("crawl:") for key in surplus) == pytest.approx(
        2 * load.expected_lookups(MINUTE), rel=0.2
    )
    crowded = load.minute(MINUTE, Condition(crowd=25))
    assert len(crowded.at) == len(usual.at) + 75
    assert len(crowded.expiries) == 3
