"""A single window tested in plain floats is tested to the very bits that arrays give."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor.detection.ahead import Ahead
from auditor.detection.fold import judge
from auditor.detection.hours import MINUTES
from auditor.detection.one_window import GATHERED
from auditor.detection.policy import Policy
from auditor.detection.scoring import OneWindow, Sequences, score, score_one
from auditor.detection.signals import signals_of
from auditor.detection.state import Memory
from auditor.detection.tested import LEAD, METRICS, SEQUENCES, SPANS
from auditor.detection.validity import broken_identities
from auditor.detection.windows import COLUMNS
from tests.detection.simulated import FIRST_MINUTE, Course, windows

if TYPE_CHECKING:
    from auditor.detection.profile import Profile
    from auditor.detection.tested import Tested
    from auditor.detection.windows import WindowBlock

DAYS = 3
START = FIRST_MINUTE + DAYS * 1440
KINDS = {
    "everything": (),
    "hits and misses not timed apart": ("avg_hit_response_time_ms", "avg_miss_response_time_ms"),
    "no evictions, no size": ("evictions", "avg_cache_size", "max_cache_size"),
    "few lookups in the last hours": (),
    "in its first day": (),
    "operations alone": tuple(name for name in COLUMNS if name != "total_operations"),
}


def _without(block: WindowBlock, names: tuple[str, ...]) -> WindowBlock:
    for name in names:
        block.columns[name][:] = np.nan
    return block


@cache
def _profile(kind: str) -> Profile:
    block = _without(windows(DAYS * 1440, daily=0.6, noise=0.12), KINDS[kind])
    memory = Memory.from_json(judge(None, block, Policy()).state, "answers")
    profile = memory.profile
    assert profile is not None
    if kind == "few lookups in the last hours":
        return replace(profile, load=replace(profile.load, short=np.array([-0.3, -0.3])))
    if kind == "in its first day":
        return replace(profile, period_start_minute=profile.learned_minute - 1000)
    return profile


def _strange(seed: int) -> WindowBlock:
    """A quarter of an hour in which anything may happen."""
    rng = np.random.default_rng(seed)

    def fault(plan: Course) -> None:
        if rng.random() < 0.3:
            plan.traffic[:] *= rng.choice([0.0, 0.02, 0.6, 1.0, 40.0], LEAD + 1)
        plan.hit_rate[:] = rng.choice([0.001, 0.3, 0.75, 0.75, 0.999], LEAD + 1)
        plan.errors[:] = rng.choice([0.0, 0.001, 0.4], LEAD + 1)
        plan.miss_ms[:] *= rng.choice([0.2, 1.0, 1.0, 9.0], LEAD + 1)
        plan.size[:] *= rng.choice([0.1, 1.0, 1.0, 3.0])
        plan.absent[:] = rng.random(LEAD + 1) < 0.1

    block = windows(LEAD + 1, seed=seed, fault=fault, first=START, noise=0.2)
    unknown = rng.random(block.values.shape) < rng.choice([0.0, 0.05])
    block.values[unknown] = np.nan
    return block


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**31), lead=st.sampled_from([0, 1, 3, 7, LEAD]))
def test_a_window_by_itself_is_tested_as_arrays_test_it(kind: str, seed: int, lead: int) -> None:
    profile = _profile(kind)
    block = _without(_strange(seed), KINDS[kind]).slice(LEAD - lead, LEAD + 1)
    signals = signals_of(block).masked(block.present)
    minutes = block.first_minute + np.arange(len(block))
    outlook = profile.outlook(minutes, START)
    sequences = Sequences(dict.fromkeys(SEQUENCES, (0.5, 2.0)), dict.fromkeys(METRICS, 9.0))
    with np.errstate(all="ignore"):
        arrays = score(profile, signals, outlook, lead, sequences)
        before = (
            score(
                profile, signals.slice(0, lead), profile.outlook(minutes[:-1], START), 0, sequences
            ).gathered()
            if lead
            else np.zeros((0, GATHERED))
        )
        full = partial(score, profile, signals, outlook, lead, sequences)
        plain = score_one(
            OneWindow(Ahead.of(profile, START), before), signals, block.last_minute, sequences, full
        )
        for name in ("value", "expected", "tails", "evidence"):
            np.testing.assert_array_equal(getattr(plain, name), getattr(arrays, name), err_msg=name)
        there = np.isfinite(arrays.expected)
        for name in ("weight", "centre", "variance"):
            np.testing.assert_array_equal(
                getattr(plain, name)[there], getattr(arrays, name)[there], err_msg=name
            )
        rows = np.append(np.repeat(there[:, 0], [4, 4, 4, 3, 7, 4, 4, 4, 4]), [True] * 6)
        newest = plain.gathered()[0], arrays.gathered()[0]
        np.testing.assert_array_equal(newest[0][rows], newest[1][rows])
        for test in SPANS:
            np.testing.assert_array_equal(plain.spans(test, 0).value, arrays.spans(test, 0).value)


@pytest.mark.parametrize("kind", ["everything", "no evictions, no size"])
def test_an_ordinary_window_is_tested_without_arrays(kind: str) -> None:
    def arrays() -> Tested:
        raise AssertionError("the arrays were asked")

    block = _without(windows(1, first=START), KINDS[kind])
    one = OneWindow(Ahead.of(_profile(kind), START), np.zeros((0, GATHERED)))
    sequences = Sequences({}, dict.fromkeys(METRICS, 9.0))
    with np.errstate(all="ignore"):
        tested = score_one(one, signals_of(block), START, sequences, arrays)
    assert np.isfinite(tested.value[0]).all()


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_signals_and_identities_of_one_window_are_those_it_has_in_a_block(seed: int) -> None:
    rng = np.random.default_rng(seed)
    block = _strange(seed)
    wrong = rng.random(block.values.shape) < rng.choice([0.0, 0.02])
    with np.errstate(all="ignore"):
        block.values[wrong] *= rng.choice([-1.0, 0.5, 1.001, np.inf], np.count_nonzero(wrong))
        signals, (broken, reasons) = signals_of(block), broken_identities(block)
        for at in range(len(block)):
            one = block.slice(at, at + 1)
            np.testing.assert_array_equal(signals_of(one).value[:, 0], signals.value[:, at])
            np.testing.assert_array_equal(signals_of(one).weight[:, 0], signals.weight[:, at])
            alone, why = broken_identities(one)
            assert (alone[0], why.get(0)) == (broken[at], reasons.get(at))


@pytest.mark.parametrize("name", ["hits", "misses", "sets", "evictions", "errors"])
def test_a_count_that_is_not_whole_is_seen_in_a_window_by_itself(name: str) -> None:
    block = windows(1, first=START)
    for changed in (name, "total_operations"):
        block.columns[changed][:] += 0.5
    block.columns["hit_rate"][:] = (
        100.0 * block.columns["hits"] / (block.columns["hits"] + block.columns["misses"])
    )
    broken, reasons = broken_identities(block)
    assert broken[0]
    assert any(sentence.startswith(f"{name} is") for sentence in reasons[0])


def test_the_hour_ahead_is_what_is_expected_of_its_minutes() -> None:
    profile = _profile("everything")
    ahead = Ahead.of(profile, START)
    outlook = profile.outlook(np.arange(START, START + MINUTES), START)
    assert ahead.link == outlook.link.T.tolist()
    assert ahead.drift == outlook.drift.T.tolist()
