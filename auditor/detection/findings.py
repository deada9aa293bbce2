"""From tests to findings: what is both improbable and large enough to matter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from auditor.detection.catalogue import CATALOGUE
from auditor.detection.signals import AT
from auditor.detection.tails.calibrated import inflated
from auditor.detection.tails.count import count_tails

if TYPE_CHECKING:
    from auditor.detection.policy import Floor, Policy
    from auditor.detection.profile import Profile
    from auditor.detection.scoring import Tested
    from auditor.detection.signature import Direction
    from auditor.detection.windows import Floats

Mask = np.typing.NDArray[np.bool_]

MINUTES_A_WEEK: Final = 10_080
TESTS_A_WINDOW: Final = 2 * len(CATALOGUE)
LEAST_OPERATIONS: Final = 10
"""Fewer operations than this are no evidence of a rate, whatever they show."""
LEAST_SPAN_TIMED: Final = 100
"""Operations in a quarter of an hour below which its latencies are a handful of draws from a heavy tail."""
LEAST_EXCESS: Final = 5
"""Misses, or errors, beyond what was expected, below which a rate is not worth waking anyone."""
SETTLED_HOURS: Final = 24
"""Hours of history before a rise of the cache's size is anything but the cache filling."""
LEAK_RATIO: Final = 1.5
TRAFFIC_FLOOR: Final = 0.5
"""Relative change of the traffic that is worth an info."""
LEANING: Final = 0.5
"""Share of the least effect that the newest window must show for the quarter of an hour behind it to be news."""
LATENCIES: Final = ("avg_response_time_ms", "p95_response_time_ms", "p99_response_time_ms")

INFO, WARNING, CRITICAL = 1, 2, 3
"""Levels of a finding; 0 is none. CRITICAL means that the effect is: how long it has to last is the incident's business."""


@dataclass(frozen=True, slots=True)
class Side:
    """One metric's findings in one direction; arrays of shape (n,).

    `level` is 0 where there is none; `p` the one-sided p-value, `relative` and `absolute` the signed effect and `value`,
    `expected` what it is the effect of: the window, or (`by_span`) the quarter of an hour where only that was improbable.
    """

    metric: str
    direction: Direction
    level: np.typing.NDArray[np.int8]
    p: Floats
    value: Floats
    expected: Floats
    by_span: Mask

    @property
    def any(self) -> bool:
        """Whether there is a finding at all."""
        return bool(self.level.any())

    def at(self, i: int) -> dict[str, Any]:
        """The finding of window i as plain JSON."""
        value, expected = float(self.value[i]), float(self.expected[i])
        return {
            "metric": self.metric,
            "direction": self.direction,
            "level": int(self.level[i]),
            "p": float(self.p[i]),
            "value": value,
            "expected": expected,
            "absolute": value - expected,
            "relative": (value - expected) / expected if expected else 0.0,
        }


def alpha_of(policy: Policy) -> float:
    """The probability that one test of one window may be wrong with, for the budget to hold.

    The budget is split evenly over every test of every minute of a week (Bonferroni), the window's and the span's.
    """
    return policy.false_alarms_per_week / (MINUTES_A_WEEK * TESTS_A_WINDOW)


def find(profile: Profile, tests: dict[str, Tested], policy: Policy) -> list[Side]:
    """Every metric's findings in every direction that has one."""
    alpha = alpha_of(policy)
    sides: list[Side] = []
    for name, tested in tests.items():
        if name == "hit_rate":
            sides += _hit_rate(profile, tested, policy.hit_rate, alpha)
        elif name == "error_rate":
            sides += _error_rate(profile, tested, policy.error_rate, alpha)
        elif name == "eviction_rate":
            sides.append(_eviction_rate(profile, tested, policy.eviction_rate, alpha))
        elif name == "throughput":
            sides += _throughput(profile, tested, alpha)
        elif name in LATENCIES:
            sides += _latency(profile, name, tests, policy.response_time, alpha)
        elif name == "cache_size":
            sides += _cache_size(profile, tested, policy.cache_size, alpha)
    return [side for side in sides if side.any]


def _side(
    profile: Profile,
    name: str,
    tested: Tested,
    direction: Direction,
    alpha: float,
    reach: tuple[Mask, Mask, Mask],
) -> tuple[Mask, Side]:
    """Where the window, or else its span, is improbable and reaches far enough.

    `reach` says where the window does, where the span does, and where the window still leans far enough for its span
    to count: what is over is not news.
    """
    low = direction == "drop"
    inflation = float(profile.inflation[AT[name]])
    p = inflated(tested.low if low else tested.high, inflation)
    span_p = inflated(tested.span_low if low else tested.span_high, inflation)
    with np.errstate(invalid="ignore"):
        by_window = (p <= alpha) & reach[0]
        by_span = (span_p <= alpha) & reach[1] & reach[2] & ~by_window
    found = by_window | by_span
    return found, Side(
        name,
        direction,
        found.astype(np.int8),
        np.where(by_span, span_p, p),
        np.where(by_span, tested.span_value, tested.value),
        np.where(by_span, tested.span_expected, tested.expected),
        by_span,
    )


def _levelled(side: Side, found: Mask, warning: Mask, critical: Mask) -> Side:
    level = np.where(found, np.where(critical, CRITICAL, np.where(warning, WARNING, INFO)), 0)
    return replace(side, level=level.astype(np.int8))


def _relative(value: Floats, expected: Floats) -> Floats:
    return (value - expected) / np.maximum(expected, 1e-12)


def _hit_rate(profile: Profile, tested: Tested, floor: Floor, alpha: float) -> list[Side]:
    sides = []
    directions: tuple[Direction, Direction] = ("drop", "rise")
    for direction in directions:
        sign = -1.0 if direction == "drop" else 1.0
        with np.errstate(invalid="ignore"):
            shift = sign * (tested.value - tested.expected)
            span_shift = sign * (tested.span_value - tested.span_expected)
            window = (shift >= floor.warning * tested.expected) & (tested.weight >= LEAST_OPERATIONS)
            window &= shift * tested.weight >= LEAST_EXCESS
            span = span_shift >= floor.warning * tested.span_expected
            span &= span_shift * tested.span_weight >= LEAST_EXCESS
            leaning = shift >= LEANING * floor.warning * tested.expected
        found, side = _side(profile, "hit_rate", tested, direction, alpha, (window, span, leaning))
        drop = found & (direction == "drop")
        with np.errstate(invalid="ignore"):
            critical = drop & (_relative(side.value, side.expected) <= -floor.critical)
        sides.append(_levelled(side, found, drop, critical))
    return sides


def _error_rate(profile: Profile, tested: Tested, floor: Floor, alpha: float) -> list[Side]:
    with np.errstate(invalid="ignore"):
        shift = tested.value - tested.expected
        span_shift = tested.span_value - tested.span_expected
        window = (shift >= floor.warning) & (tested.weight >= LEAST_OPERATIONS)
        window &= shift * tested.weight >= LEAST_EXCESS
        span = (span_shift >= floor.warning) & (span_shift * tested.span_weight >= LEAST_EXCESS)
        leaning = shift >= LEANING * floor.warning
    found, side = _side(profile, "error_rate", tested, "rise", alpha, (window, span, leaning))
    with np.errstate(invalid="ignore"):
        critical = found & (side.value - side.expected >= floor.critical)
    return [_levelled(side, found, found, critical)]


def _eviction_rate(profile: Profile, tested: Tested, floor: Floor, alpha: float) -> Side:
    """Evictions alone hurt nobody: what they cost shows in the hit rate, which leads; alone they are an info."""
    with np.errstate(invalid="ignore"):
        shift = tested.value - tested.expected
        span_shift = tested.span_value - tested.span_expected
        window = (shift >= floor.warning * tested.expected) & (tested.weight >= LEAST_OPERATIONS)
        window &= shift * tested.weight >= LEAST_EXCESS
        span = (span_shift >= floor.warning * tested.span_expected) & (
            span_shift * tested.span_weight >= LEAST_EXCESS
        )
        leaning = shift >= LEANING * floor.warning * tested.expected
    found, side = _side(profile, "eviction_rate", tested, "rise", alpha, (window, span, leaning))
    settled = found & bool(profile.hours[AT["eviction_rate"]] >= SETTLED_HOURS)
    never = np.zeros_like(found)
    return _levelled(side, settled, never, never)


def _throughput(profile: Profile, tested: Tested, alpha: float) -> list[Side]:
    """Traffic is the users' business: a finding explains others and is an info by itself."""
    sides = []
    directions: tuple[Direction, Direction] = ("drop", "rise")
    for direction in directions:
        sign = -1.0 if direction == "drop" else 1.0
        with np.errstate(invalid="ignore"):
            enough = np.fmax(tested.expected, tested.value) >= LEAST_OPERATIONS
            effect = sign * _relative(tested.value, tested.expected)
            window = (effect >= TRAFFIC_FLOOR) & enough
            span = (sign * _relative(tested.span_value, tested.span_expected) >= TRAFFIC_FLOOR) & enough
        found, side = _side(
            profile, "throughput", tested, direction, alpha, (window, span, effect >= LEANING * TRAFFIC_FLOOR)
        )
        never = np.zeros_like(found)
        sides.append(_levelled(side, found, never, never))
    return sides


def _latency(profile: Profile, name: str, tests: dict[str, Tested], floor: Floor, alpha: float) -> list[Side]:
    tested = tests[name]
    sides = []
    directions: tuple[Direction, Direction] = ("rise", "drop")
    for direction in directions:
        sign = 1.0 if direction == "rise" else -1.0
        with np.errstate(invalid="ignore"):
            effect = sign * _relative(tested.value, tested.expected)
            window = effect >= floor.warning
            span = sign * _relative(tested.span_value, tested.span_expected) >= floor.warning
            window &= tested.weight >= LEAST_OPERATIONS
            span &= tested.span_weight >= LEAST_SPAN_TIMED
        found, side = _side(
            profile, name, tested, direction, alpha, (window, span, effect >= LEANING * floor.warning)
        )
        if name != "avg_response_time_ms":
            found &= (
                ~_explained_by_mix(tests, len(found))
                if direction == "rise"
                else _parts_are_faster(tests, len(found))
            )
        rise = found & (direction == "rise")
        with np.errstate(invalid="ignore"):
            critical = rise & (_relative(side.value, side.expected) >= floor.critical)
        sides.append(_levelled(side, found, rise, critical))
    return sides


def _explained_by_mix(tests: dict[str, Tested], count: int) -> Mask:
    """Where a high percentile is what more misses give: the hit rate is down and neither hits nor misses are slow."""
    rate = tests.get("hit_rate")
    if rate is None:
        return np.zeros(count, dtype=np.bool_)
    with np.errstate(invalid="ignore"):
        explained = (rate.low <= 0.02) | (rate.span_low <= 0.02)
        for part in ("avg_hit_response_time_ms", "avg_miss_response_time_ms"):
            if part in tests:
                explained &= ~((tests[part].high <= 0.001) | (tests[part].span_high <= 0.001))
    return explained


def _parts_are_faster(tests: dict[str, Tested], count: int) -> Mask:
    """Where hits or misses are faster themselves: a high percentile falls by right when there are fewer misses."""
    faster = np.zeros(count, dtype=np.bool_)
    for part in ("avg_hit_response_time_ms", "avg_miss_response_time_ms"):
        if part in tests:
            with np.errstate(invalid="ignore"):
                faster |= (tests[part].low <= 0.001) | (tests[part].span_low <= 0.001)
    return faster


def _cache_size(profile: Profile, tested: Tested, floor: Floor, alpha: float) -> list[Side]:
    """A fall is a flush or a cut; a rise is the cache filling, unless it goes far beyond all it has ever held."""
    with np.errstate(invalid="ignore"):
        effect = _relative(tested.value, tested.expected)
        span_effect = _relative(tested.span_value, tested.span_expected)
        fall = (-effect >= floor.warning, -span_effect >= floor.warning, -effect >= LEANING * floor.warning)
        rise = (effect >= floor.warning, span_effect >= floor.warning, effect >= LEANING * floor.warning)
    found, side = _side(profile, "cache_size", tested, "drop", alpha, fall)
    never = np.zeros_like(found)
    dropped = _levelled(side, found, found, never)
    found, side = _side(profile, "cache_size", tested, "rise", alpha, rise)
    found &= bool(profile.hours[AT["cache_size"]] >= SETTLED_HOURS)
    with np.errstate(invalid="ignore"):
        leak = found & (tested.value >= LEAK_RATIO * np.exp(profile.highest[AT["cache_size"]]))
    return [dropped, _levelled(side, found, leak, never)]


def silence_probability(profile: Profile, expected: Floats, run: Floats) -> Floats:
    """The probability that nothing comes for `run` minutes in a row, each expecting `expected` operations.

    Of the negative binomial with the throughput's drift shared by all the minutes and its spread averaging out.
    """
    at = AT["throughput"]
    minutes = np.maximum(run, 1.0)
    size = 1.0 / np.expm1(profile.drift[at] + profile.spread[at] / minutes)
    low, _ = count_tails(np.zeros(len(run)), np.maximum(expected * minutes, 1e-9), size)
    return np.where(run > 0, low, 1.0)
