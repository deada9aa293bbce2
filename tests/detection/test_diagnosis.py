"""The ranking of causes, held to a cache that really evicts and expires and to faults that really happened in it."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.detection.catalogue import CATALOGUE
from auditor.detection.diagnosis.ranking import rank_causes
from auditor.detection.signature import CAUSES, SIGNALS, Cause, IncidentSignature, Signal
from tests.detection.cache_faults import FAULTS, Trial, run_fault
from tests.detection.cache_physics import SHAPES, warm_world
from tests.detection.signatures import UNKNOWN, signature_after

SPLIT = ("avg_hit_response_time_ms", "avg_miss_response_time_ms")
EVERYTHING = (*SPLIT, "cache_size", "sets", "evictions")


pytestmark = pytest.mark.xdist_group("diagnosis")  # the trials are lived once, by one worker


@pytest.fixture(scope="module")
def trials() -> list[tuple[float, Trial]]:
    """Four trials of every fault in every traffic shape, from 4 to 1200 lookups a minute, with their rates; two in the large shapes."""
    lived: list[tuple[float, Trial]] = []
    for shape in SHAPES:
        for seed in range(1 if shape.rate > 400 else 2):
            world, before = warm_world(shape, 700 + seed)
            lived += [
                (shape.rate, run_fault(world, before, cause, 1000 * seed + i, 18))
                for cause in FAULTS
                for i in range(2)
            ]
    return lived


def _tellable(rate: float, trial: Trial, windows: int) -> bool:
    """Whether the windows can hold the answer: enough lookups, and a new time to live that has run out once.

    Until then a shorter time to live that drops the older entries at once is a flush of those entries.
    """
    return rate >= 20 and not (trial.cause == "ttl_cut" and float(trial.detail.split()[1]) > windows)


def _material(trial: Trial, windows: int, hidden: tuple[str, ...] = ()) -> IncidentSignature | None:
    """The signature, where the fault moved something besides the traffic (or is a change of the traffic)."""
    signature = signature_after(trial, windows, hidden)
    if signature is None or not signature.flagged:
        return None
    return None if trial.cause != "unknown" and set(signature.flagged) <= {"throughput"} else signature


@cache
def _ranked(trial: Trial, windows: int, hidden: tuple[str, ...] = ()) -> tuple[Cause, ...] | None:
    """The causes of a material trial, the likeliest first."""
    signature = _material(trial, windows, hidden)
    return None if signature is None else tuple(rank_causes(signature))


def _graded(
    trials: list[tuple[float, Trial]], windows: int, hidden: tuple[str, ...] = (), *, tellable: bool = False
) -> tuple[float, float, Counter[tuple[str, str]]]:
    """(share right, share confidently wrong, what was taken for what) of the material trials."""
    wrong: Counter[tuple[str, str]] = Counter()
    right = confident = count = 0
    for rate, trial in trials:
        ranked = _ranked(trial, windows, hidden)
        if ranked is None or (tellable and not _tellable(rate, trial, windows)):
            continue
        top = ranked[0]
        count += 1
        right += top.cause == trial.cause
        if top.cause != trial.cause:
            wrong[trial.cause, top.cause] += 1
            confident += top.confidence > 0.8
    assert count > 100
    return right / count, confident / count, wrong


def test_the_first_cause_is_right_after_three_windows(trials: list[tuple[float, Trial]]) -> None:
    right, confident, wrong = _graded(trials, 3, tellable=True)
    assert right >= 0.95, wrong.most_common(8)
    assert confident <= 0.03, wrong.most_common(8)


def test_the_first_cause_is_right_after_ten_windows_even_at_four_lookups_a_minute(
    trials: list[tuple[float, Trial]],
) -> None:
    right, confident, wrong = _graded(trials, 10)
    assert right >= 0.95, wrong.most_common(8)
    assert confident <= 0.02, wrong.most_common(8)


@pytest.mark.parametrize("hidden", [(), SPLIT, ("cache_size",), ("sets", "evictions"), EVERYTHING], ids=str)
def test_one_window_or_missing_signals_are_seldom_confidently_wrong(
    trials: list[tuple[float, Trial]], hidden: tuple[str, ...]
) -> None:
    for windows in (1, 3):
        _, confident, wrong = _graded(trials, windows, hidden)
        assert confident <= 0.1, (windows, wrong.most_common(8))


def test_hits_and_misses_not_timed_apart_cost_little(trials: list[tuple[float, Trial]]) -> None:
    right, _, wrong = _graded(trials, 10, SPLIT)
    assert right >= 0.93, wrong.most_common(8)


@pytest.mark.parametrize("hidden", [("evictions",), ("sets", "evictions")], ids=str)
def test_a_cache_that_counts_no_evictions_or_no_sets_is_read_by_its_size(
    trials: list[tuple[float, Trial]], hidden: tuple[str, ...]
) -> None:
    right, _, wrong = _graded(trials, 10, hidden)
    assert right >= 0.9, wrong.most_common(8)


def test_every_cause_of_the_physics_is_found_in_most_of_its_trials(trials: list[tuple[float, Trial]]) -> None:
    for cause in FAULTS:
        tops = [
            ranked[0].cause
            for _, trial in trials
            if trial.cause == cause and (ranked := _ranked(trial, 10)) is not None
        ]
        assert len(tops) >= 5
        assert tops.count(cause) >= 0.8 * len(tops), (cause, Counter(tops))


def test_fewer_known_signals_never_make_a_right_answer_much_surer(trials: list[tuple[float, Trial]]) -> None:
    surer = total = 0
    for _, trial in trials:
        whole, bare = _ranked(trial, 3), _ranked(trial, 3, EVERYTHING)
        if whole is None or bare is None:
            continue
        confidence = {cause.cause: cause.confidence for cause in whole}.get(trial.cause, 0.0)
        total += 1
        surer += {c.cause: c.confidence for c in bare}.get(trial.cause, 0.0) > confidence + 0.1
    assert total > 100
    assert surer <= 0.1 * total


def _healthy(**changes: Signal) -> dict[str, Signal]:
    levels = {
        "hit_rate": 0.75,
        "error_rate": 0.001,
        "throughput": 150.0,
        "hits": 75.0,
        "misses": 25.0,
        "sets": 25.0,
        "evictions": 20.0,
        "avg_response_time_ms": 23.0,
        "p95_response_time_ms": 120.0,
        "p99_response_time_ms": 180.0,
        "avg_hit_response_time_ms": 0.6,
        "avg_miss_response_time_ms": 90.0,
        "cache_size": 1000.0,
    }
    return {name: _steady(level) for name, level in levels.items()} | changes


def _steady(expected: float, observed: float | None = None, z: float = 0.0) -> Signal:
    level = expected if observed is None else observed
    return Signal(expected, level, level, level, level, level, z)


def _signature(signals: dict[str, Signal], flagged: dict[str, str], windows: int = 5) -> IncidentSignature:
    return IncidentSignature(windows, signals, flagged, 1000.0, 1000.0, 0)  # type: ignore[arg-type]


def _top(signature: IncidentSignature) -> Cause:
    return rank_causes(signature)[0]


def test_silence_and_a_collector_fault_are_reported_as_what_they_are() -> None:
    nothing = dict.fromkeys(SIGNALS, UNKNOWN)
    assert _top(_signature(nothing, {"silence": "absent"})).cause == "silence"
    assert _top(_signature(nothing, {"window_validity": "invalid"})).cause == "collector_fault"
    both = _signature(_healthy(hit_rate=_steady(0.75, 0.3, -20.0)), {"window_validity": "invalid"})
    assert _top(both).cause == "collector_fault"


def test_traffic_alone_has_no_cause_in_the_cache() -> None:
    half = {
        name: _steady(level, level / 2) for name, level in [("hits", 75.0), ("misses", 25.0), ("sets", 25.0)]
    }
    top = _top(_signature(_healthy(throughput=_steady(150.0, 75.0, -9.0), **half), {"throughput": "drop"}))
    assert top.cause == "unknown"
    assert any("traffic" in sentence for sentence in top.for_)


def test_nothing_moved_is_unknown_or_unsure() -> None:
    top = _top(_signature(_healthy(), {"hit_rate": "drop"}))
    assert top.cause == "unknown" or top.confidence < 0.5


def test_a_slow_backend_grows_more_certain_the_slower_it_gets() -> None:
    confidences = []
    for factor in (1.1, 1.3, 1.6, 2.5, 5.0):
        signals = _healthy(
            avg_miss_response_time_ms=_steady(90.0, 90.0 * factor, 10 * math.log(factor)),
            avg_response_time_ms=_steady(23.0, 0.6 + 22.4 * factor, 10 * math.log(factor)),
        )
        ranked = rank_causes(_signature(signals, {"avg_response_time_ms": "rise"}))
        confidences.append({cause.cause: cause.confidence for cause in ranked}.get("backend_slow", 0.0))
    assert confidences == sorted(confidences)
    assert confidences[-1] > 0.9


def test_a_lag_shared_by_hits_and_misses_is_the_cache_and_not_the_backend() -> None:
    signals = _healthy(
        avg_hit_response_time_ms=_steady(0.6, 60.6, 30.0),
        avg_miss_response_time_ms=_steady(90.0, 150.0, 5.0),
        avg_response_time_ms=_steady(23.0, 83.0, 15.0),
    )
    assert _top(_signature(signals, {"avg_response_time_ms": "rise"})).cause == "cache_slow"


def test_without_apart_times_a_slower_average_at_the_same_hit_rate_is_the_backend() -> None:
    signals = _healthy(
        avg_hit_response_time_ms=UNKNOWN,
        avg_miss_response_time_ms=UNKNOWN,
        avg_response_time_ms=_steady(23.0, 60.0, 12.0),
        p95_response_time_ms=_steady(120.0, 400.0, 12.0),
    )
    assert _top(_signature(signals, {"avg_response_time_ms": "rise"})).cause == "backend_slow"


def test_more_misses_alone_never_read_as_a_slow_backend() -> None:
    signals = _healthy(
        hit_rate=_steady(0.75, 0.4, -15.0),
        hits=_steady(75.0, 40.0),
        misses=_steady(25.0, 60.0),
        sets=_steady(25.0, 60.0),
        evictions=_steady(20.0, 55.0),
        avg_response_time_ms=_steady(23.0, 54.0, 12.0),
        avg_hit_response_time_ms=UNKNOWN,
        avg_miss_response_time_ms=UNKNOWN,
        cache_size=_steady(1000.0, 400.0, -20.0),
    )
    ranked = rank_causes(_signature(signals, {"hit_rate": "drop", "avg_response_time_ms": "rise"}))
    assert ranked[0].cause == "capacity_cut"
    assert all(cause.cause != "backend_slow" for cause in ranked)


def test_sentences_carry_numbers_and_each_cause_says_how_to_rule_it_out() -> None:
    size = Signal(1000.0, 80.0, 120.0, 150.0, 40.0, 220.0, -30.0)
    signals = _healthy(
        hit_rate=Signal(0.75, 0.2, 0.3, 0.4, 0.15, 0.45, -20.0),
        hits=_steady(75.0, 30.0),
        misses=_steady(25.0, 70.0),
        sets=_steady(25.0, 70.0),
        evictions=_steady(20.0, 0.0),
        cache_size=size,
    )
    ranked = rank_causes(_signature(signals, {"hit_rate": "drop"}, 3))
    assert ranked[0].cause == "flush"
    assert "The cache size fell to 40 entries from 1,000." in ranked[0].for_
    for cause in ranked:
        assert cause.refute.endswith(".")
        for text in (*cause.for_, *cause.against):
            assert text.endswith(".")
            assert "  " not in text


_odd = st.one_of(
    st.just(math.nan),
    st.just(0.0),
    st.floats(0, 1e9),
    st.floats(0, 1),
    st.sampled_from([1e-300, 1e300, -1.0]),
)
_signals = st.builds(
    Signal,
    *[_odd] * 6,
    st.one_of(st.just(math.nan), st.floats(-1e6, 1e6)),
    st.one_of(st.just(math.nan), st.integers(0, 1000).map(float)),
)
_names = [metric.name for metric in CATALOGUE] + ["window_validity", "baseline"]
_signatures = st.builds(
    IncidentSignature,
    windows=st.integers(1, 10_000),
    signals=st.fixed_dictionaries({name: st.one_of(st.just(UNKNOWN), _signals) for name in SIGNALS}),
    flagged=st.dictionaries(
        st.sampled_from(_names), st.sampled_from(["drop", "rise", "absent", "invalid", "moved"]), max_size=5
    ),
    size_before=_odd,
    size_highest_known=_odd,
    lead_in=st.integers(0, 1000),
    size_earlier=_odd,
)


@settings(max_examples=150, deadline=None)
@given(_signatures)
def test_whatever_the_signature_the_ranking_is_whole_and_readable(signature: IncidentSignature) -> None:
    ranked = rank_causes(signature)
    assert 1 <= len(ranked) <= 5
    assert [cause.confidence for cause in ranked] == sorted((c.confidence for c in ranked), reverse=True)
    assert sum(cause.confidence for cause in ranked) <= 1.001
    assert len({cause.cause for cause in ranked}) == len(ranked)
    for cause in ranked:
        assert cause.cause in CAUSES
        assert 0.0 <= cause.confidence <= 1.0
        for text in (*cause.for_, *cause.against, cause.refute):
            assert text.endswith(".")
            assert not any(word in text.lower().split() for word in ("nan", "inf", "none", "-inf"))


@settings(max_examples=40, deadline=None)
@given(_signatures, st.sampled_from(SIGNALS))
def test_the_same_signature_ranks_the_same_whatever_order_its_signals_come_in(
    signature: IncidentSignature, name: str
) -> None:
    others = {key: signal for key, signal in signature.signals.items() if key != name}
    turned = replace(signature, signals={**others, name: signature.signals[name]})
    assert rank_causes(turned) == rank_causes(signature)
