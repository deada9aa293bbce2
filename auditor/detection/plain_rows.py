"""One window's metrics in plain floats: the operations of `proportions`, `counts`, `gauges` and `mix`, in their order."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import ndtr, stdtr

from auditor.detection.gauges import LEAST_VARIANCE, MOST_DEGREES
from auditor.detection.mix import MOST_FOLLOW_UPS
from auditor.detection.signals import AT, LATENCY_OFFSET
from auditor.detection.spans import FAR, FEW, NEAR
from auditor.detection.tails.count import outer_tails_of_one
from auditor.detection.tails.elementary import bare_exp, bare_log
from auditor.detection.tails.proportion import tails_of_one
from auditor.detection.tails.skewed import (
    LEAST_CONCENTRATION,
    MIDDLING,
    MOST_SKEWED,
    beta_binomial_skewness,
    normal_deviate,
)
from auditor.detection.tested import LEAST_KNOWN, WIDTH

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from auditor.detection.ahead import Ahead, Row
    from auditor.detection.tested import Test

Tails = tuple[float, float]
Mixed = tuple[float, float, float, float]

GAUGES: Final = (*range(AT["avg_response_time_ms"], AT["cache_size"] + 1), AT["avg_hit_response_time_ms"])
OFFSETS: Final = np.array([1.0 if at == AT["cache_size"] else LATENCY_OFFSET for at in GAUGES])
NOTHING: Final = (math.nan, math.nan)
_BOTH: Final = (1.0, 1.0)
_NO_COUNT: Final = (0.0, 0.0, 0.0)
_NO_GAUGE: Final = (0.0, 0.0, 0.0, 0.0)
_NO_AVERAGE: Final = (*_NO_GAUGE, 0.0, 0.0, 0.0)
_CAUTION: Final = 1.0 - 1e-9
"""What is this near to being unusual may be so by another logarithm's last bit."""
_THROUGHPUT: Final = AT["throughput"]
_HIT_MS: Final = AT["avg_hit_response_time_ms"]
_MISS_MS: Final = AT["avg_miss_response_time_ms"]
_AVERAGE: Final = AT["avg_response_time_ms"]
_SIZE: Final = AT["cache_size"]
_GETS: Final = AT["get_share"]


class Window:
    """A window's signals, and what is expected of its minute, the one at `at` of the hour."""

    __slots__ = ("ahead", "at", "drift", "link", "value", "weight")

    def __init__(self, ahead: Ahead, value: Row, weight: Row, at: int) -> None:
        self.ahead, self.at = ahead, at
        self.value, self.weight = value, weight
        self.link, self.drift = ahead.link[at], ahead.drift[at]

    def spread_at(self, signal: int, weight: float) -> float:
        """`Profile.spread_at`."""
        ratio = self.ahead.weight[signal] / (max(1e-09, weight))
        return self.ahead.spread[signal] * (ratio if ratio > 1.0 else 0.5 + 0.5 * ratio)


@dataclass(slots=True)
class PlainRow:
    """One metric's window. Gauges have logarithms for value and expectation.

    `exact` gives its tails of the numbers `given`; where it is `far` out `outer` does, and near by they are the normal's. `of_span` gives those of a
    span from the sums of what is `gathered`.
    """

    there: bool
    value: float
    expected: float
    weight: float
    centre: float
    variance: float
    z: float
    shared: float
    far: bool
    outer: Callable[..., Tails]
    exact: Callable[..., Tails]
    given: Sequence[float]
    gathered: Sequence[float]
    drift: float
    spread: float
    of_span: Callable[[PlainRow, Row, Test], Tails]

    @property
    def exact_tails(self) -> Tails:
        """Those of the window, near and far."""
        return self.exact(*self.given) if self.there else NOTHING


def rate_row(window: Window, row: int) -> PlainRow:
    """One of `proportions_tested`."""
    n, p = window.weight[row], window.ahead.rate[window.at][row]
    drift, spread = window.drift[row], window.ahead.spread[row]
    variance = drift + spread
    if not (n > 0.0 and window.ahead.learned[row]):
        return _absent(p, window.link[row], variance, _NO_GAUGE, drift, spread, _rate_span)
    k = window.value[row]
    concentration = _concentration(p, variance)
    z, far = _rate_away(k, n, p, concentration)
    shared = _rate_drift(n, p, concentration, drift)
    gathered = (n, k, 1.0, n * p)
    value, given = k / (max(1.0, n)), (k, n, p, concentration)
    numbers = (value, p, n, window.link[row], variance, z, shared)
    return PlainRow(
        True, *numbers, far, _far_rate_tails, _rate_tails, given, gathered, drift, spread, _rate_span
    )


def _rate_span(row: PlainRow, sums: Row, test: Test) -> Tails:
    n, k, said, expected = sums
    if said < LEAST_KNOWN[test]:
        return NOTHING
    if (k - expected) * row.z <= 0.0:
        return _BOTH
    mean = expected / (max(1e-300, n))
    concentration = _concentration(mean, row.drift + row.spread / said)
    z, far = _rate_away(k, n, mean, concentration)
    if far and z * row.z > 0.0:
        return _far_rate_tails(k, n, mean, concentration)
    return _near_tails(z, row)


def _far_rate_tails(k: float, n: float, mean: float, concentration: float) -> Tails:
    """`proportions._far_tails`."""
    deviation = _rate_deviation(n, mean, concentration)
    z = (k - n * mean) / deviation
    skewness = beta_binomial_skewness(n, mean, concentration, deviation)
    if abs(z) <= MIDDLING and abs(skewness) <= MOST_SKEWED and concentration >= LEAST_CONCENTRATION:
        return _normal_tails(normal_deviate(z - math.copysign(0.5 / deviation, z), skewness))
    return _rate_tails(k, n, mean, concentration)


def _rate_tails(k: float, n: float, mean: float, concentration: float) -> Tails:
    low, high, _ = tails_of_one(k, n, mean, concentration)
    return low, high


def _concentration(mean: float, variance: float) -> float:
    concentration = 1.0 / (mean * (1.0 - mean) * variance) - 1.0
    return max(1.0, concentration)


def _rate_away(k: float, n: float, mean: float, concentration: float) -> tuple[float, bool]:
    expected, deviation = n * mean, _rate_deviation(n, mean, concentration)
    far = _is_far_below(k, expected, deviation) or _is_far_below(n - k, n - expected, deviation)
    return (k - expected) / deviation, far


def _rate_deviation(n: float, mean: float, concentration: float) -> float:
    variance = n * mean * (1.0 - mean) * (1.0 + (n - 1.0) / (concentration + 1.0))
    return math.sqrt(max(1e-300, variance))


def _rate_drift(n: float, mean: float, concentration: float, drift: float) -> float:
    own = n * mean * (1.0 - mean) / (1.0 + (n - 1.0) / (concentration + 1.0))
    return math.sqrt(max(0.0, own) * drift)


def _near_tails(z: float, row: PlainRow) -> Tails:
    """`spans.worth_tails` of a span that is not far out."""
    if not (abs(z) > NEAR and z * row.z > 0.0):
        return _BOTH
    return _normal_tails(z)


def _normal_tails(z: float) -> Tails:
    small = float(ndtr(-abs(z)))
    return (small, 1.0 - small) if z <= 0.0 else (1.0 - small, small)


def tails_of(rows: Sequence[PlainRow]) -> list[Tails]:
    """Those of the windows."""
    small = ndtr(-np.abs(np.array([row.z for row in rows]))).tolist()
    return [_of_window(row, near) for row, near in zip(rows, small, strict=True)]


def _of_window(row: PlainRow, near: float) -> Tails:
    if not row.there:
        return NOTHING
    if row.far:
        return row.outer(*row.given)
    return (near, 1.0 - near) if row.z <= 0.0 else (1.0 - near, near)


def _is_far_below(count: float, expected: float, deviation: float) -> bool:
    """`spans.far_below`."""
    reach = FAR * deviation
    return (count * (expected + reach) < expected * expected and expected >= FEW) or count < expected - reach


def count_row(window: Window) -> PlainRow:
    """`operations_tested`."""
    count, ahead = window.value[_THROUGHPUT], window.ahead
    drift, spread = window.drift[_THROUGHPUT], ahead.spread[_THROUGHPUT]
    link = window.link[_THROUGHPUT] + _follow_ups(window)
    mean, size = float(np.exp(link)), ahead.size[window.at]
    variance = drift + spread
    if not (window.weight[_THROUGHPUT] > 0.0 and ahead.learned[_THROUGHPUT]):
        return _absent(mean, link, variance, _NO_COUNT, drift, spread, _count_span)
    deviation = math.sqrt(max(1e-300, mean + mean * mean / size))
    z, far = _count_away(count, mean, deviation)
    shared, given, gathered = mean * math.sqrt(drift) / deviation, (count, mean, size), (1.0, mean, count)
    numbers = (count, mean, count, link, variance, z, shared)
    both = (outer_tails_of_one, outer_tails_of_one)
    return PlainRow(True, *numbers, far, *both, given, gathered, drift, spread, _count_span)


def _absent(
    expected: float,
    link: float,
    variance: float,
    gathered: Sequence[float],
    drift: float,
    spread: float,
    of_span: Callable[[PlainRow, Row, Test], Tails],
) -> PlainRow:
    """What says nothing of a rate, or of the operations."""
    numbers = (0.0, expected, 0.0, link, variance, 0.0, 0.0)
    return PlainRow(False, *numbers, False, *_STUDENT, (), gathered, drift, spread, of_span)


def _count_away(count: float, mean: float, deviation: float) -> tuple[float, bool]:
    z = (count - mean) / deviation
    return z, z > FAR or _is_far_below(count, mean, deviation)


def _count_span(row: PlainRow, sums: Row, test: Test) -> Tails:
    said, expected, count = sums
    if said < LEAST_KNOWN[test]:
        return NOTHING
    mean = max(1e-09, expected)
    if (count - mean) * row.z <= 0.0:
        return _BOTH
    size = 1.0 / float(np.expm1(row.drift + row.spread / said))
    z, far = _count_away(count, mean, math.sqrt(mean + mean * mean / size))
    if far and z * row.z > 0.0:
        return outer_tails_of_one(count, mean, size)
    return _near_tails(z, row)


def _follow_ups(window: Window) -> float:
    """`mix.follow_ups`."""
    gets, total = window.value[_GETS], window.weight[_GETS]
    if not (total > 0.0 and gets > 0.0 and window.ahead.learned[_GETS]):
        return 0.0
    more = float(np.log(total / gets)) - window.ahead.usual[window.at]
    return min(max(more, -MOST_FOLLOW_UPS), MOST_FOLLOW_UPS)


def gauge_row(window: Window, signal: int) -> PlainRow:
    """One of `gauges_tested`."""
    learned = window.ahead.learned
    if signal == _AVERAGE and learned[_AVERAGE]:
        centre, variance, drift, weight = _mixed(window)
    else:
        centre, drift, weight = window.link[signal], window.drift[signal], window.weight[signal]
        variance = drift + window.spread_at(signal, weight)
    variance = max(LEAST_VARIANCE, variance)
    of_span = _average_span if signal == _AVERAGE else _gauge_span
    if not (weight > 0.0 and learned[signal]):
        gathered = _NO_AVERAGE if signal == _AVERAGE else _NO_GAUGE
        numbers = (centre, centre, weight, centre, variance, 0.0, 0.0)
        return PlainRow(False, *numbers, False, *_STUDENT, (), gathered, drift, 0.0, of_span)
    away, beyond = window.value[signal] - centre, variance - drift
    gathered = (1.0, away, beyond, weight)
    if signal == _AVERAGE:
        cost = weight * float(np.exp(centre))
        gathered = (*gathered, cost, cost * away, cost * cost * beyond)
    behind = MOST_DEGREES if signal == _SIZE else min(weight, MOST_DEGREES)
    scale = math.sqrt(variance)
    z, shared = away / scale, math.sqrt(drift) / scale
    numbers = (window.value[signal], centre, weight, centre, variance, z, shared)
    far, given = abs(z) > FAR, (z, 4.0 + behind)
    # the degrees of freedom that operations give take the place of the spread
    return PlainRow(True, *numbers, far, *_STUDENT, given, gathered, drift, behind, of_span)


def _gauge_span(row: PlainRow, sums: Row, test: Test) -> Tails:
    said, away, beyond, _ = sums
    if said < LEAST_KNOWN[test]:
        return NOTHING
    return _student(row, away / said, row.drift + beyond / (said * said), test)


def _average_span(row: PlainRow, sums: Row, test: Test) -> Tails:
    """Both ways of weighing its windows; see `gauges`."""
    alike = _gauge_span(row, sums[:4], test)
    if alike is NOTHING:
        return NOTHING
    cost, away, beyond = sums[4:]
    cost = cost if cost > 0.0 else 1.0
    by_cost = _student(row, away / cost, row.drift + beyond / (cost * cost), test)
    low, high = min(alike[0], by_cost[0]), min(alike[1], by_cost[1])
    return min(1.0, 2.0 * low), min(1.0, 2.0 * high)


def _student(row: PlainRow, away: float, variance: float, test: Test) -> Tails:
    if away * row.z <= 0.0:
        return _BOTH
    z = away / math.sqrt(max(LEAST_VARIANCE, variance))
    if not (abs(z) > FAR and z * row.z > 0.0):
        return _near_tails(z, row)
    return _student_tails(z, 3.0 + WIDTH[test] + row.spread)


def _student_tails(z: float, degrees: float) -> Tails:
    small = float(stdtr(degrees, -abs(z)))
    return (small, 1.0 - small) if z <= 0.0 else (1.0 - small, small)


_STUDENT: Final = (_student_tails, _student_tails)


def _mixed(window: Window) -> Mixed:
    """`mix.average_by_mix`: centre, variance, drift and weight."""
    learned = window.ahead.learned
    return _of_parts(window) if learned[_HIT_MS] and learned[_MISS_MS] else _scaled(window)


def _of_parts(window: Window) -> Mixed:
    value, at, ahead = window.value, window.at, window.ahead
    gets = window.weight[0]
    hits = value[0] if value[0] == value[0] else 0.0
    misses = max(gets - hits, 0.0)
    of_hits, of_misses = hits * ahead.of_hits[at], misses * ahead.of_misses[at]
    mixed = max(of_hits + of_misses, 1e-9)
    hit_ms, miss_ms = bare_exp(np.array([value[_HIT_MS], value[_MISS_MS]])).tolist()
    timed = (hits * hit_ms if hits > 0.0 else 0.0) + (misses * miss_ms if misses > 0.0 else 0.0)
    by_hits, by_misses = of_hits / mixed, of_misses / mixed
    by_hits, by_misses = by_hits * by_hits, by_misses * by_misses
    drift = by_hits * window.drift[_HIT_MS] + by_misses * window.drift[_MISS_MS]
    beyond = by_hits * window.spread_at(_HIT_MS, hits) * (hits > 0.0)
    beyond = beyond + by_misses * window.spread_at(_MISS_MS, misses) * (misses > 0.0)
    average = value[_AVERAGE]
    if not (gets > 0.0 and math.isfinite(timed) and math.isfinite(average) and timed > 0.0):
        return 0.0, drift + beyond, drift, 0.0
    behind = max(gets, 1.0)
    of_timed, of_mixed = bare_log(np.array([timed / behind, mixed / behind])).tolist()
    return of_mixed + (average - of_timed), drift + beyond, drift, gets


def _scaled(window: Window) -> Mixed:
    ahead, weight = window.ahead, window.weight[_AVERAGE]
    gets, drift = window.weight[0], window.drift[_AVERAGE]
    excess = 1.0
    if gets > 0.0:
        misses = 1.0 - window.value[0] / max(gets, 1.0)
        usual = ahead.misses[window.at] if ahead.learned[0] else 1.0
        excess = max(misses / max(usual, 1e-9), 1.0)
    centre = window.link[_AVERAGE] + float(np.log(excess))
    return centre, drift + window.spread_at(_AVERAGE, weight), drift, weight


def lookups_gathered(window: Window) -> Row:
    """`response.lookups_gathered`, of one metric after the other."""
    gets = window.value[_GETS]
    gathered: Row = []
    for expected in window.ahead.asked[window.at]:
        known = math.isfinite(gets) and not math.isnan(expected)
        gathered += (1.0, gets, expected) if known else (0.0, 0.0, 0.0)
    return gathered


def may_be_unusual(window: Window, sums: Sequence[Row]) -> bool:
    """Whether lookups may be unusual by sums of `lookups_gathered` over the window and over its spans (`response.unusual_lookups`)."""
    drift, spread = window.drift[_THROUGHPUT], window.ahead.spread[_THROUGHPUT]
    least = _CAUTION * window.ahead.unusual * window.ahead.unusual
    for of_test in sums:
        for at in range(0, len(of_test), 3):
            said, seen, normal = of_test[at : at + 3]
            away = math.log((seen + 0.5) / (normal + 0.5))
            variance = drift + spread / max(1.0, said) + 1.0 / (min(seen, normal) + 0.5)
            if away * away >= least * variance:
                return True
    return False
