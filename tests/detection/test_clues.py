"""Single clues, each by the case that it is there for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from auditor.detection.diagnosis.pictures import Picture
from auditor.detection.diagnosis.ranking import rank_causes, read
from auditor.detection.diagnosis.readings import Reading
from auditor.detection.diagnosis.sentences import sentences
from auditor.detection.signature import IncidentSignature, Signal

if TYPE_CHECKING:
    from auditor.detection.signature import Direction

LEVELS = {
    "hit_rate": 0.75,
    "error_rate": 0.001,
    "throughput": 600.0,
    "hits": 300.0,
    "misses": 100.0,
    "sets": 100.0,
    "evictions": 90.0,
    "avg_response_time_ms": 23.0,
    "p95_response_time_ms": 120.0,
    "p99_response_time_ms": 180.0,
    "avg_hit_response_time_ms": 0.6,
    "avg_miss_response_time_ms": 90.0,
    "cache_size": 1000.0,
}


def _steady(expected: float, observed: float, z: float = 0.0) -> Signal:
    return Signal(expected, observed, observed, observed, observed, observed, z)


def _signature(
    flagged: dict[str, Direction], windows: int, observed: dict[str, float], z: float = 12.0
) -> IncidentSignature:
    signals = {name: _steady(level, level) for name, level in LEVELS.items()}
    for name, level in observed.items():
        signals[name] = _steady(LEVELS[name], level, z if level > LEVELS[name] else -z)
    return IncidentSignature(windows, signals, flagged, 1000.0, 1000.0, 0)


def _top(signature: IncidentSignature) -> str:
    return rank_causes(signature)[0].cause


DIP = _signature(
    {"hit_rate": "drop"},
    2,
    {"hit_rate": 0.4, "hits": 160.0, "misses": 240.0, "sets": 240.0, "evictions": 240.0},
)


def test_a_dip_that_mends_itself_in_two_minutes_is_renamed_keys_and_one_that_goes_on_may_be_growth() -> None:
    confidence = {
        quiet: {c.cause: c.confidence for c in rank_causes(replace(DIP, quiet=quiet))} for quiet in (0, 10)
    }
    assert _top(replace(DIP, quiet=10)) == "key_change"
    assert confidence[10]["key_change"] > confidence[0]["key_change"] + 0.1
    assert confidence[10].get("working_set_growth", 0.0) < confidence[0]["working_set_growth"] - 0.1
    against = next(c.against for c in rank_causes(replace(DIP, quiet=10)) if c.cause == "working_set_growth")
    assert against[0].startswith("It was over after 2 minutes; ")


def test_quiet_minutes_of_a_cache_too_sparse_to_show_a_loss_in_one_window_say_nothing() -> None:
    counts = ("throughput", "hits", "misses", "sets", "evictions")
    sparse = {
        name: replace(signal, expected=signal.expected / 100, observed=signal.observed / 100)
        if name in counts
        else signal
        for name, signal in DIP.signals.items()
    }
    assert "brief" in read(replace(DIP, quiet=10))
    assert "brief" not in read(replace(DIP, signals=sparse, quiet=10))


@pytest.mark.parametrize("traffic", [0.4, 2.5])
@pytest.mark.parametrize(
    ("cause", "metric", "latencies"),
    [
        ("cache_slow", "avg_response_time_ms", {"avg_hit_response_time_ms": 30.0}),
        ("backend_slow", "avg_response_time_ms", {"avg_miss_response_time_ms": 300.0}),
    ],
)
def test_a_slow_part_is_named_in_half_and_in_twice_the_traffic(
    cause: str, metric: str, latencies: dict[str, float], traffic: float
) -> None:
    counts = {name: LEVELS[name] * traffic for name in ("throughput", "hits", "misses", "sets", "evictions")}
    side: Direction = "drop" if traffic < 1 else "rise"
    assert _top(_signature({metric: "rise", "throughput": side}, 10, counts | latencies)) == cause


def test_half_the_traffic_by_itself_still_has_no_cause_in_the_cache() -> None:
    counts = {name: LEVELS[name] * 0.4 for name in ("throughput", "hits", "misses", "sets", "evictions")}
    assert _top(_signature({"throughput": "drop"}, 10, counts)) == "unknown"


def test_an_unknown_lead_in_says_nothing_of_how_it_began() -> None:
    assert read(replace(DIP, lead_in=0))["onset"].kind == "sudden"
    assert "onset" not in read(replace(DIP, lead_in=-1))


def test_a_refill_is_measured_over_the_minutes_between_findings_too() -> None:
    size = Signal(1000.0, 150.0, 300.0, 420.0, 100.0, 450.0, -20.0)
    emptied = _signature(
        {"cache_size": "drop", "hit_rate": "drop"}, 6, {"sets": 60.0, "misses": 60.0, "evictions": 0.0}
    )
    emptied = replace(emptied, signals=dict(emptied.signals) | {"cache_size": size})
    close, spread = read(emptied)["refill"], read(replace(emptied, elapsed=14))["refill"]
    assert close.kind == "yes"
    assert spread.kind == "no"
    assert spread.value == pytest.approx((420.0 - 100.0) / (60.0 * 11.5), rel=0.02)


@pytest.mark.parametrize("lowest_at", range(3))
def test_a_refill_counts_from_the_window_in_which_the_cache_was_smallest(lowest_at: int) -> None:
    """A restart that took a minute: the rows of four windows in five minutes, the smallest of them wherever it is."""
    sizes = [1000.0] * lowest_at + [100.0 + 60.0 * since for since in range(5 - lowest_at)]
    size = Signal(
        1000.0, sizes[0], sum(sizes) / 5, sum(sizes[-3:]) / 3, 100.0, max(sizes), -20.0, 4.0 - lowest_at
    )
    emptied = _signature(
        {"cache_size": "drop", "hit_rate": "drop"}, 4, {"sets": 60.0, "misses": 60.0, "evictions": 0.0}
    )
    emptied = replace(emptied, signals=dict(emptied.signals) | {"cache_size": size}, elapsed=5)
    refill = read(emptied)["refill"]
    assert refill.kind == "yes"
    assert refill.value == pytest.approx(1.0, rel=0.02)


@pytest.mark.parametrize(("evictions", "kind"), [(0.0, "yes"), (100.0, "no")])
def test_what_is_left_after_a_flush_of_a_part_goes_on_expiring(evictions: float, kind: str) -> None:
    """A hundred sets a minute hold the cache at a thousand entries: by expiry, or by pushing others out."""
    size = Signal(1000.0, 510.0, 590.0, 680.0, 500.0, 730.0, -20.0, 5.0)
    halved = _signature({"cache_size": "drop", "hit_rate": "drop"}, 6, {"evictions": 0.0})
    signals = dict(halved.signals) | {"cache_size": size}
    signals["evictions"] = replace(signals["evictions"], expected=evictions)
    refill = read(replace(halved, signals=signals))["refill"]
    assert refill.kind == kind
    assert refill.value == pytest.approx(0.9 if kind == "yes" else 0.45)


def test_a_size_that_was_never_smaller_than_now_is_no_refill() -> None:
    size = Signal(1000.0, 800.0, 500.0, 300.0, 200.0, 900.0, -20.0, 0.0)
    shrinking = _signature({"cache_size": "drop"}, 8, {})
    shrinking = replace(shrinking, signals=dict(shrinking.signals) | {"cache_size": size})
    refill = read(shrinking)["refill"]
    assert (refill.kind, refill.value) == ("no", 0.0)


def _halved_hits(**observed: float) -> IncidentSignature:
    """A first window in which half of the hits are lost and most of the entries gone."""
    lost = {"hit_rate": 0.5, "hits": 200.0, "misses": 200.0, "cache_size": 200.0}
    return _signature({"cache_size": "drop", "hit_rate": "drop"}, 1, lost | observed)


@pytest.mark.parametrize(("earlier", "cause"), [(1000.0, "flush"), (500.0, "ttl_cut")])
def test_a_cache_that_was_smaller_minutes_before_the_alarm_was_not_flushed(
    earlier: float, cause: str
) -> None:
    first = _halved_hits(sets=200.0, evictions=0.0)
    assert _top(replace(first, size_before=310.0, size_earlier=earlier)) == cause


@pytest.mark.parametrize(("evicted", "cause"), [(900.0, "capacity_cut"), (0.0, "flush")])
def test_entries_counted_as_evictions_were_cut_and_others_were_not(evicted: float, cause: str) -> None:
    """The first window, in which nothing is set: where sets come in batches, the evictions a set tell nothing."""
    first = _halved_hits(sets=0.0, evictions=evicted)
    ranked = {found.cause: found for found in rank_causes(first)}
    assert next(iter(ranked)) == cause
    cut = ranked["capacity_cut"]
    verb, said = ("account", cut.for_) if evicted else ("do not account", cut.against)
    assert any(f"Evictions {verb} for the entries that are gone: " in sentence for sentence in said)


def test_no_hits_among_a_handful_of_lookups_are_weak_evidence_that_none_are_left() -> None:
    none = _signature({"hit_rate": "drop"}, 2, {"hit_rate": 0.0, "hits": 0.0, "misses": 400.0})
    handful = replace(
        none,
        signals=dict(none.signals) | {"hits": _steady(3.0, 0.0), "misses": _steady(1.0, 4.0)},
    )
    busy, sparse = read(none)["hits_left"], read(handful)["hits_left"]
    assert busy.kind == sparse.kind == "few"
    assert busy.value < -5.0
    assert -3.0 < sparse.value < -2.0


@pytest.mark.parametrize(("last", "cause"), [(150.0, "capacity_cut"), (175.0, "ttl_cut")])
def test_where_no_evictions_are_counted_a_size_that_stands_still_is_a_smaller_capacity(
    last: float, cause: str
) -> None:
    size = Signal(1000.0, 300.0, 160.0, last, 150.0, 400.0, -20.0)
    hurt = _signature(
        {"cache_size": "drop", "hit_rate": "drop"},
        10,
        {"hit_rate": 0.5, "hits": 200.0, "misses": 200.0, "sets": 200.0},
    )
    nothing = replace(size, expected=float("nan"), observed=float("nan"))
    hidden = replace(hurt, signals=dict(hurt.signals) | {"cache_size": size, "evictions": nothing})
    assert _top(hidden) == cause
    without_sets = replace(hidden, signals=dict(hidden.signals) | {"sets": nothing})
    assert _top(without_sets) == cause


def test_crowds_at_a_slow_backend_are_a_stampede_even_where_nobody_counts_sets() -> None:
    crowds = _signature(
        {"hit_rate": "drop", "avg_response_time_ms": "rise"},
        10,
        {
            "hit_rate": 0.5,
            "hits": 300.0,
            "misses": 300.0,
            "throughput": 800.0,
            "avg_miss_response_time_ms": 400.0,
            "avg_response_time_ms": 200.0,
        },
    )
    nothing = Signal(*[float("nan")] * 7)
    hidden = dict(crowds.signals) | {"sets": nothing, "evictions": nothing}
    assert _top(replace(crowds, signals=hidden)) == "stampede"


def test_a_slow_tail_of_nothing_has_no_shape() -> None:
    nothing = Signal(*[float("nan")] * 7)
    signature = _signature({"avg_response_time_ms": "rise"}, 5, {"avg_response_time_ms": 60.0})
    apart = {"avg_hit_response_time_ms": nothing, "avg_miss_response_time_ms": nothing}
    tail = {"p95_response_time_ms": _steady(0.0, 0.0)}
    assert "latency_shape" in read(replace(signature, signals=dict(signature.signals) | apart))
    assert "latency_shape" not in read(replace(signature, signals=dict(signature.signals) | apart | tail))


def test_sets_that_were_never_reported_did_not_fall() -> None:
    sets, misses = DIP.signals["sets"], DIP.signals["misses"]
    few = replace(sets, expected=0.5, observed=0.0, first=0.0, last=0.0, lowest=0.0, highest=0.0)
    assert "sets_per_miss" not in read(replace(DIP, signals={**DIP.signals, "sets": few, "misses": misses}))
    reported = replace(few, expected=20.0)
    assert "sets_per_miss" in read(replace(DIP, signals={**DIP.signals, "sets": reported, "misses": misses}))


@pytest.mark.parametrize(
    ("value", "other", "leans"),
    [
        (-0.15, "fell", True),
        (-0.05, "fell", False),
        (0.15, "rose", True),
        (0.15, "fell", False),
        (-0.3, "same", True),
        (-0.9, "same", False),
    ],
)
def test_what_is_almost_of_another_kind_is_no_evidence_against_it(
    value: float, other: str, leans: bool
) -> None:
    assert Reading("hits", value, 0.1).leans_to(other) == leans


@pytest.mark.parametrize(("value", "said"), [(-0.02, True), (-0.15, False)])
def test_hits_that_have_almost_fallen_are_not_held_against_what_lets_them_fall(
    value: float, said: bool
) -> None:
    picture = Picture("key_change", 1.0, {"hits": {"fell": 0.8, "same": 0.15, "rose": 0.05}})
    _, against = sentences(picture, {"hits": -0.5}, {"hits": Reading("hits", value, 0.1)}, DIP)
    assert bool(against) == said
