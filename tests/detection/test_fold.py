"""The laws of the fold: what it may not depend on, and what it owes."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from scipy.stats import poisson

from auditor.detection.fold import judge, judge_late
from auditor.detection.judgement import VERDICTS, Observation, Verdict
from auditor.detection.policy import Policy
from tests.detection.simulated import Course, windows

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.detection.windows import WindowBlock

POLICY = Policy()
Outcome = tuple[list[Any], dict[str, Observation], Any]


def _eventful() -> WindowBlock:
    def fault(plan: Course) -> None:
        plan.absent[400:409] = True
        plan.hit_rate[700:730] = 0.3
        plan.miss_ms[900:915] = 2400
        plan.errors[1100:1104] = 0.4

    block = windows(1300, fault=fault)
    block.columns["hits"][500] = 1e6
    return block


BLOCK = _eventful()


def _in_blocks(block: WindowBlock, sizes: list[int]) -> Outcome:
    state = None
    rows: list[Any] = []
    observations: dict[str, Observation] = {}
    position = 0
    for size in [*sizes, len(block)]:
        part = block.slice(position, min(position + size, len(block)))
        position += len(part)
        judgement = judge(state, part, POLICY)
        state = json.loads(json.dumps(judgement.state))
        rows += list(judgement.ledger.rows())
        observations |= {observation.fingerprint: observation for observation in judgement.observations}
    return rows, observations, state


@cache
def _whole() -> Outcome:
    return _in_blocks(BLOCK, [])


# no shrinking: a failure is a failure, and a smaller one would take minutes to find
PLAINLY = (Phase.explicit, Phase.reuse, Phase.generate)


@settings(max_examples=12, deadline=None, phases=PLAINLY, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from([1, 2, 3, 14, 15, 59, 60, 61, 240]), min_size=3, max_size=60))
def test_any_split_with_the_state_through_json_gives_the_same_ledger_observations_and_state(
    sizes: list[int],
) -> None:
    assert _in_blocks(BLOCK, sizes) == _whole()


def _eventful_days() -> WindowBlock:
    def fault(plan: Course) -> None:
        plan.hit_rate[2200:2225] = 0.3
        plan.absent[3000] = True
        plan.traffic[3100:3110] *= 12
        plan.absent[3500:3506] = True

    return windows(3 * 1440 + 300, fault=fault, daily=0.6, noise=0.12)


DAYS = _eventful_days()


@cache
def _whole_days() -> Outcome:
    return _in_blocks(DAYS, [])


@settings(max_examples=6, deadline=None, phases=PLAINLY)
@given(st.lists(st.integers(min_value=1, max_value=2500), min_size=1, max_size=8))
def test_hours_that_are_judged_together_are_judged_as_they_are_apart(sizes: list[int]) -> None:
    assert _in_blocks(DAYS, sizes) == _whole_days()


def test_hour_by_hour_gives_what_days_at_once_give() -> None:
    assert _in_blocks(DAYS, [60] * (len(DAYS) // 60)) == _whole_days()


@pytest.mark.parametrize("began", [5, 1087, 1439])
def test_a_first_day_from_any_time_of_the_day_is_learned_alike_hour_by_hour(began: int) -> None:
    block = DAYS.slice(began, began + 1800)
    whole = _in_blocks(block, [])
    assert _in_blocks(block, [60 - began % 60] + [60] * 30) == whole
    assert _in_blocks(block, [700, 1, 30]) == whole


def test_windows_one_at_a_time_give_what_one_block_gives() -> None:
    short = BLOCK.slice(0, 760)
    assert _in_blocks(short, [1] * 760) == _in_blocks(short, [])


@settings(max_examples=8, deadline=None, phases=PLAINLY)
@given(st.integers(min_value=1, max_value=len(BLOCK) - 1))
def test_a_prefix_is_judged_as_it_is_within_the_whole(length: int) -> None:
    rows, _, _ = _in_blocks(BLOCK.slice(0, length), [])
    assert rows == _whole()[0][:length]


def test_the_state_that_is_given_is_left_alone() -> None:
    state = judge(None, BLOCK.slice(0, 710), POLICY).state
    before = copy.deepcopy(state)
    judge(state, BLOCK.slice(710, 800), POLICY)
    assert state == before


def test_a_gap_between_the_state_and_the_block_is_refused() -> None:
    state = judge(None, BLOCK.slice(0, 10), POLICY).state
    with pytest.raises(ValueError, match="start at minute"):
        judge(state, BLOCK.slice(11, 12), POLICY)


def test_a_state_of_another_version_is_refused() -> None:
    state = judge(None, BLOCK.slice(0, 10), POLICY).state | {"version": 99}
    with pytest.raises(ValueError, match="version 99"):
        judge(state, BLOCK.slice(10, 11), POLICY)


def test_every_verdict_is_where_it_belongs() -> None:
    verdicts = [row[1] for row in _whole()[0]]
    assert set(verdicts[:60]) == {Verdict.LEARNING}
    assert set(verdicts[400:409]) == {Verdict.NO_DATA}
    assert verdicts[500] is Verdict.UNJUDGED
    assert set(verdicts[700:725]) == {Verdict.ANOMALOUS}
    assert verdicts.count(Verdict.NORMAL) > 1100


def test_each_fault_is_one_incident_with_its_metric_and_cause() -> None:
    leads = [o for o in _whole()[1].values() if o.evidence["lead"]]
    by_start = {o.window_start_minute - BLOCK.first_minute: o for o in leads if o.severity != "info"}
    assert {(start, o.metric_name, o.direction) for start, o in by_start.items()} == {
        (401, "silence", "absent"),
        (500, "window_validity", "invalid"),
        (700, "hit_rate", "drop"),
        (900, "avg_response_time_ms", "rise"),
        (1100, "error_rate", "rise"),
    }
    causes = {o.metric_name: o.evidence["causes"][0]["cause"] for o in by_start.values()}
    assert causes["silence"] == "silence"
    assert causes["window_validity"] == "collector_fault"
    assert causes["avg_response_time_ms"] == "backend_slow"
    assert causes["error_rate"] == "backend_errors"
    assert all(o.status == "resolved" for o in leads)


def test_a_broken_window_is_scored_no_further() -> None:
    assert _whole()[0][500][2] == {}


def test_one_incident_has_one_page_and_one_observation_a_metric() -> None:
    incidents: dict[str, list[Observation]] = {}
    for observation in _whole()[1].values():
        incidents.setdefault(observation.incident_id, []).append(observation)
    for members in incidents.values():
        assert sum(o.severity != "info" for o in members) <= 1
        keys = [(o.metric_name, o.direction) for o in members]
        assert len(keys) == len(set(keys))


def test_the_state_stays_small() -> None:
    state = judge(None, windows(28 * 1440 + 600, noise=0.05), POLICY).state
    assert len(json.dumps(state)) < 256 * 1024


@pytest.mark.parametrize("operations", [0.0, 3.0])
def test_a_minute_with_next_to_no_operations_pages_nobody(operations: float) -> None:
    block = windows(600)
    for name in ("total_operations", "misses", "errors"):
        block.columns[name][500:501] = operations
    for name in ("hits", "sets", "evictions"):
        block.columns[name][500:501] = 0.0
    block.columns["misses"][500:501] = 0.0
    block.columns["hit_rate"][500:501] = np.nan
    observations = judge(None, block, POLICY).observations
    assert [o for o in observations if o.severity != "info"] == []


@pytest.mark.parametrize("budget", [0.1, 1.0])
def test_a_sparse_cache_is_not_paged_for_beyond_the_budget(budget: float) -> None:
    seeds, days = 4, 4
    policy = replace(POLICY, false_alarms_per_week=budget)
    blocks = [windows(days * 1440, traffic=2.0, seed=seed, noise=0.3) for seed in range(seeds)]
    incidents = {o.incident_id for block in blocks for o in judge(None, block, policy).observations}
    assert len(incidents) <= poisson.ppf(0.999, budget * seeds * days / 7)


@pytest.mark.parametrize("seed", range(4))
def test_a_healthy_cache_pages_nobody(seed: int) -> None:
    observations = judge(None, windows(5 * 1440, seed=seed, noise=0.15), POLICY).observations
    assert [(o.metric_name, o.severity) for o in observations if o.severity != "info"] == []


def test_an_incident_that_flaps_is_reopened_and_not_opened_anew() -> None:
    def fault(plan: Course) -> None:
        for start in (600, 625, 650):
            plan.hit_rate[start : start + 5] = 0.2

    observations = judge(None, windows(900, fault=fault), POLICY).observations
    pages = [o for o in observations if o.severity != "info"]
    assert [(o.metric_name, o.status) for o in pages] == [("hit_rate", "resolved")]
    assert pages[0].window_end_minute - pages[0].window_start_minute >= 50


def test_an_open_incident_is_open_and_becomes_resolved_after_the_quiet_spell() -> None:
    def fault(plan: Course) -> None:
        plan.hit_rate[600:620] = 0.2

    block = windows(700, fault=fault)
    during = judge(None, block.slice(0, 610), POLICY)
    after = judge(during.state, block.slice(610, 660), POLICY)
    (open_one,) = [o for o in during.observations if o.metric_name == "hit_rate"]
    (resolved,) = [o for o in after.observations if o.metric_name == "hit_rate"]
    assert (open_one.status, resolved.status) == ("open", "resolved")
    assert open_one.fingerprint == resolved.fingerprint


def test_latency_that_only_follows_the_hit_rate_is_no_finding_of_latency() -> None:
    def fault(plan: Course) -> None:
        plan.hit_rate[1500:1530] = 0.3

    observations = judge(None, windows(1600, fault=fault), POLICY).observations
    assert {o.metric_name for o in observations if o.severity != "info"} == {"hit_rate"}
    assert not any("response_time" in o.metric_name for o in observations)


def test_the_recovery_does_not_change_what_the_onset_has_told() -> None:
    def fault(plan: Course) -> None:
        plan.hit_rate[600:640] = 0.1
        plan.hit_rate[640:700] = np.linspace(0.1, 0.75, 60)
        plan.size[600:640] = 1000
        plan.size[640:700] = np.linspace(50, 1000, 60)

    block = windows(800, fault=fault)
    early = {o.fingerprint: o for o in judge(None, block.slice(0, 616), POLICY).observations}
    late = {o.fingerprint: o for o in judge(None, block, POLICY).observations}
    shared = early.keys() & late.keys()
    assert shared
    for fingerprint in shared:
        causes = [found[fingerprint].evidence["causes"][0]["cause"] for found in (early, late)]
        assert causes[0] == causes[1] == "key_change"


def test_operations_that_only_follow_the_misses_are_no_finding_of_traffic() -> None:
    def fault(plan: Course) -> None:
        plan.hit_rate[1500:1530] = 0.05

    observations = judge(None, windows(1600, fault=fault, noise=0.03), POLICY).observations
    assert {o.metric_name for o in observations} == {"hit_rate"}


def test_two_days_of_incident_do_not_move_what_is_normal() -> None:
    def fault(plan: Course) -> None:
        plan.hit_rate[5 * 1440 : 7 * 1440] = 0.45

    judgement = judge(None, windows(9 * 1440, fault=fault), POLICY)
    baseline = judgement.baseline
    assert baseline is not None
    assert baseline.hit_rate == pytest.approx(75.0, abs=1.0)
    assert judgement.ledger.scores["hit_rate"].expected[-1] == pytest.approx(75.0, abs=1.5)


def test_a_decay_too_slow_for_any_day_is_reported_and_not_absorbed() -> None:
    def fault(plan: Course) -> None:
        plan.hit_rate[:] = np.interp(np.arange(len(plan.hit_rate)), [2 * 1440, 12 * 1440], [0.75, 0.60])

    observations = judge(None, windows(13 * 1440, fault=fault), POLICY).observations
    moved = [o for o in observations if o.direction == "moved" and o.metric_name == "hit_rate"]
    assert moved
    assert moved[0].severity == "warning"
    assert moved[0].baseline_value == pytest.approx(75, abs=1.5)


def test_the_few_hits_of_a_cache_that_hardly_has_any_do_not_move_what_is_normal() -> None:
    observations = judge(None, windows(14 * 1440, hit_rate=0.002, traffic=30.0), POLICY).observations
    assert not [o for o in observations if o.direction == "moved"]


def test_a_late_window_is_judged_against_the_state_of_the_moment() -> None:
    block = windows(200, fault=lambda plan: plan.hit_rate.__setitem__(150, 0.05))
    state = judge(None, block.slice(0, 140), POLICY).state
    before = copy.deepcopy(state)
    ledger = judge_late(state, block.slice(150, 152), POLICY)
    assert [VERDICTS[code] for code in ledger.verdict] == [Verdict.ANOMALOUS, Verdict.NORMAL]
    assert state == before


def _worse(step: int) -> Callable[[Course], None]:
    def fault(plan: Course) -> None:
        plan.hit_rate[600:603] = 0.75 - 0.15 * step

    return fault


def test_a_worse_window_is_never_judged_better() -> None:
    p_values = [
        judge(None, windows(603, fault=_worse(step)), POLICY).ledger.scores["hit_rate"].p_value[600]
        for step in range(1, 5)
    ]
    assert p_values == sorted(p_values, reverse=True)
