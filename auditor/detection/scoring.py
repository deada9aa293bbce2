"""Each window, and each quarter of an hour, against what the profile predicts for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.mix import average_by_mix, follow_ups
from auditor.detection.signals import AT, LATENCY_OFFSET, Signals
from auditor.detection.tails.count import count_interval, count_tails
from auditor.detection.tails.elementary import exact_exp
from auditor.detection.tails.gauge import gauge_interval, gauge_tails
from auditor.detection.tails.proportion import proportion_interval, proportion_tails

if TYPE_CHECKING:
    from auditor.detection.profile import Profile
    from auditor.detection.windows import Floats

SPAN: Final = 15
"""Windows in the aggregate that is tested beside each single window."""
SPAN_LEAST: Final = 8
"""Windows of a span that must say something."""

LEAST_VARIANCE: Final = 1e-8
"""On the log scale: no gauge is known to better than a hundredth of a percent."""

PROPORTIONS: Final = ("hit_rate", "error_rate", "eviction_rate")
PLAIN_GAUGES: Final = (
    "avg_hit_response_time_ms",
    "avg_miss_response_time_ms",
    "p95_response_time_ms",
    "p99_response_time_ms",
    "cache_size",
)


@dataclass(frozen=True, slots=True)
class Tested:
    """One metric's windows tested; every array has shape (n,), NaN where there is no evidence.

    Parameters
    ----------
    value, expected
        In the metric's own scale: rates 0..1, counts, milliseconds, entries.
    low, high
        One-sided p-values of the window: of something as low, and as high.
    span_low, span_high
        The same of the quarter of an hour that ends with the window.
    span_value, span_expected
        What that quarter of an hour came to, on the same scale as `value`.
    weight, span_weight
        Operations behind the value, and behind the span's.
    centre, scale
        Location and scale of the predictive distribution on the link scale.
    variance, span_variance
        The part of it that is not counting, of a window and of its span.
    span_windows
        Windows of the span that said something.
    """

    value: Floats
    expected: Floats
    low: Floats
    high: Floats
    span_low: Floats
    span_high: Floats
    span_value: Floats
    span_expected: Floats
    weight: Floats
    span_weight: Floats
    centre: Floats
    scale: Floats
    variance: Floats
    span_variance: Floats
    span_windows: Floats


def score(
    profile: Profile, signals: Signals, minutes: np.typing.NDArray[np.int64], lead: int
) -> dict[str, Tested]:
    """Test windows `lead`.. of `signals`; those before them only complete the spans.

    Parameters
    ----------
    profile
        What is normal; its level is that of the hour the windows lie in.
    signals
        At least the windows to be tested, with up to 14 before them, masked where they say nothing.
    minutes
        Shape (lead + n,): the windows' minutes since 1970.
    lead
        How many windows come before those to be tested.

    Returns
    -------
    tests
        `Tested` of shape (n,) for each signal with a learned normal and a test.
    """
    link = profile.expected_link(minutes)
    tests: dict[str, Tested] = {}
    for name in PROPORTIONS:
        if profile.hours[AT[name]]:
            tests[name] = _proportion(profile, signals, link, AT[name], lead)
    if profile.hours[AT["throughput"]]:
        tests["throughput"] = _count(
            profile, signals, link + follow_ups(profile, signals, link), AT["throughput"], lead
        )
    for name in PLAIN_GAUGES:
        if profile.hours[AT[name]]:
            at = AT[name]
            variance = profile.drift[at] + profile.spread_at(at, signals.weight[at])
            offset = 1.0 if name == "cache_size" else LATENCY_OFFSET
            tests[name] = _gauge(
                signals.value[at], link[at], variance, profile.drift[at], signals.weight[at], offset, lead
            )
    average = _average(profile, signals, link, lead)
    if average is not None:
        tests["avg_response_time_ms"] = average
    return tests


def sliding(values: Floats, lead: int, width: int = SPAN) -> Floats:
    """Sums over the last `width` windows, for windows `lead`.., added in one fixed order so that no split shows.

    Windows before the first given count as nothing.
    """
    padded = np.concatenate([np.zeros(width - 1), values])
    count = len(values)
    total = np.zeros(count)
    for back in range(width):
        total = total + padded[width - 1 - back : width - 1 - back + count]
    return total[lead:]


def _proportion(profile: Profile, signals: Signals, link: Floats, at: int, lead: int) -> Tested:
    known = signals.weight[at] > 0
    successes = np.where(known, signals.value[at], 0.0)
    trials = signals.weight[at]
    p = 1.0 / (1.0 + exact_exp(-link[at]))
    drift, spread = profile.drift[at], profile.spread[at]
    k, n, mean = successes[lead:], trials[lead:], p[lead:]
    low, high = proportion_tails(k, n, mean, _concentration(mean, drift + spread))
    span_n = sliding(trials, lead)
    span_k = sliding(successes, lead)
    said = sliding(known.astype(np.float64), lead)
    span_mean = np.where(span_n > 0, sliding(trials * p, lead) / np.maximum(span_n, 1e-300), mean)
    span_variance = drift + spread / np.maximum(said, 1.0)
    span_low, span_high = proportion_tails(
        span_k, span_n, span_mean, _concentration(span_mean, span_variance)
    )
    there = known[lead:]
    enough = there & (said >= SPAN_LEAST)
    return Tested(
        value=np.where(there, k / np.maximum(n, 1.0), np.nan),
        expected=np.where(there, mean, np.nan),
        low=np.where(there, low, np.nan),
        high=np.where(there, high, np.nan),
        span_low=np.where(enough, span_low, np.nan),
        span_high=np.where(enough, span_high, np.nan),
        span_value=np.where(enough, span_k / np.maximum(span_n, 1.0), np.nan),
        span_expected=np.where(enough, span_mean, np.nan),
        weight=n,
        span_weight=span_n,
        centre=link[at][lead:],
        scale=np.sqrt(drift + spread + 1.0 / np.maximum(n * mean * (1.0 - mean), 1e-300)),
        variance=np.full(len(n), drift + spread),
        span_variance=span_variance,
        span_windows=said,
    )


def _concentration(mean: Floats, variance: Floats | float) -> Floats:
    """Beta concentration whose variance is that of a logit-scale `variance` about `mean`, by the delta method."""
    return np.maximum(1.0 / (mean * (1.0 - mean) * variance) - 1.0, 1.0)


def _count(profile: Profile, signals: Signals, link: Floats, at: int, lead: int) -> Tested:
    known = signals.weight[at] > 0
    counts = np.where(known, signals.value[at], 0.0)
    mean_all = exact_exp(link[at])
    drift, spread = profile.drift[at], profile.spread[at]
    mean = mean_all[lead:]
    size = 1.0 / np.expm1(drift + spread)
    low, high = count_tails(counts[lead:], mean, np.full(len(mean), size))
    said = sliding(known.astype(np.float64), lead)
    span_mean = np.maximum(sliding(np.where(known, mean_all, 0.0), lead), 1e-9)
    span_count = sliding(counts, lead)
    span_size = 1.0 / np.expm1(drift + spread / np.maximum(said, 1.0))
    span_low, span_high = count_tails(span_count, span_mean, span_size)
    there = known[lead:]
    enough = there & (said >= SPAN_LEAST)
    return Tested(
        value=np.where(there, counts[lead:], np.nan),
        expected=np.where(there, mean, np.nan),
        low=np.where(there, low, np.nan),
        high=np.where(there, high, np.nan),
        span_low=np.where(enough, span_low, np.nan),
        span_high=np.where(enough, span_high, np.nan),
        span_value=np.where(enough, span_count / np.maximum(said, 1.0), np.nan),
        span_expected=np.where(enough, span_mean / np.maximum(said, 1.0), np.nan),
        weight=np.where(there, counts[lead:], 0.0),
        span_weight=span_count,
        centre=link[at][lead:],
        scale=np.sqrt(drift + spread + 1.0 / np.maximum(mean, 1e-9)),
        variance=np.full(len(mean), drift + spread),
        span_variance=drift + spread / np.maximum(said, 1.0),
        span_windows=said,
    )


def _gauge(
    logs: Floats,
    centre: Floats,
    variance: Floats,
    drift: Floats | float,
    weight: Floats,
    offset: float,
    lead: int,
) -> Tested:
    known = weight > 0
    variance = np.maximum(variance, LEAST_VARIANCE)
    location, scale = centre[lead:], np.sqrt(variance[lead:])
    degrees = 4.0 + np.minimum(weight[lead:], 1e6)
    x = np.where(known[lead:], logs[lead:], location)
    low, high = gauge_tails(x, location, scale, degrees)
    said = sliding(known.astype(np.float64), lead)
    number = np.maximum(said, 1.0)
    away = sliding(np.where(known, logs - centre, 0.0), lead) / number
    beyond = sliding(np.where(known, variance - drift, 0.0), lead) / (number * number)
    shared = drift if isinstance(drift, float) or np.ndim(drift) == 0 else drift[lead:]
    span_scale = np.sqrt(np.maximum(shared + beyond, LEAST_VARIANCE))
    span_low, span_high = gauge_tails(
        away, np.zeros(len(away)), span_scale, 4.0 + 14.0 + np.minimum(weight[lead:], 1e6)
    )
    there = known[lead:]
    enough = there & (said >= SPAN_LEAST)
    expected = exact_exp(location) - offset
    return Tested(
        value=np.where(there, exact_exp(x) - offset, np.nan),
        expected=np.where(there, expected, np.nan),
        low=np.where(there, low, np.nan),
        high=np.where(there, high, np.nan),
        span_low=np.where(enough, span_low, np.nan),
        span_high=np.where(enough, span_high, np.nan),
        span_value=np.where(enough, exact_exp(location + away) - offset, np.nan),
        span_expected=np.where(enough, expected, np.nan),
        weight=np.where(there, weight[lead:], 0.0),
        span_weight=sliding(weight, lead),
        centre=location,
        scale=scale,
        variance=variance[lead:],
        span_variance=shared + beyond,
        span_windows=said,
    )


def _average(profile: Profile, signals: Signals, link: Floats, lead: int) -> Tested | None:
    at = AT["avg_response_time_ms"]
    if not profile.hours[at]:
        return None
    expected = average_by_mix(profile, signals, link)
    return _gauge(
        signals.value[at],
        expected.centre,
        expected.variance,
        expected.drift,
        expected.weight,
        LATENCY_OFFSET,
        lead,
    )


def interval(tested: Tested, name: str, alpha: float) -> tuple[Floats, Floats]:
    """The predictive interval at level `alpha` of each window, on the scale of `Tested.value`; NaN where not tested."""
    there = np.isfinite(tested.value)
    mean = np.where(there, tested.expected, 0.5)
    lower, upper = _interval(name, alpha, mean, tested.weight, tested.variance, tested.centre, tested.weight)
    return np.where(there, lower, np.nan), np.where(there, upper, np.nan)


def span_interval(tested: Tested, name: str, alpha: float, i: int) -> tuple[float, float]:
    """The predictive interval of the quarter of an hour that ends with window i, on the scale of `Tested.value`."""
    one = slice(i, i + 1)
    number = np.maximum(tested.span_windows[one], 1.0) if name == "throughput" else np.ones(1)
    lower, upper = _interval(
        name,
        alpha,
        tested.span_expected[one] * number,
        tested.span_weight[one],
        tested.span_variance[one],
        tested.centre[one],
        tested.weight[one] + 14.0,
    )
    return float((lower / number)[0]), float((upper / number)[0])


def _interval(
    name: str, alpha: float, mean: Floats, weight: Floats, variance: Floats, centre: Floats, behind: Floats
) -> tuple[Floats, Floats]:
    if name in PROPORTIONS:
        return proportion_interval(weight, mean, _concentration(mean, variance), alpha)
    if name == "throughput":
        return count_interval(mean, 1.0 / np.expm1(variance), alpha)
    offset = 1.0 if name == "cache_size" else LATENCY_OFFSET
    low, high = gauge_interval(centre, np.sqrt(variance), 4.0 + np.minimum(behind, 1e6), alpha)
    return np.maximum(exact_exp(low) - offset, 0.0), exact_exp(high) - offset
