"""Each window, and the spans that end with it, against what the profile predicts for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.mix import average_by_mix, follow_ups
from auditor.detection.sequential import evidence
from auditor.detection.signals import AT, LATENCY_OFFSET, Signals
from auditor.detection.tails.count import count_tails
from auditor.detection.tails.elementary import exact_exp
from auditor.detection.tails.gauge import gauge_tails
from auditor.detection.tails.proportion import proportion_tails
from auditor.detection.tested import LEAST_KNOWN, SPANS, WIDTH, Spanned, Test, Tested

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from auditor.detection.profile import Outlook, Profile
    from auditor.detection.windows import Floats

Mask = np.typing.NDArray[np.bool_]
Tails = tuple["Floats", "Floats"]

LEAST_VARIANCE: Final = 1e-8
"""On the log scale: no gauge is known to better than a hundredth of a percent."""
NEAR: Final = 1.5
"""Deviations within which a span is not looked at more closely."""

PROPORTIONS: Final = ("hit_rate", "error_rate", "eviction_rate")
GAUGES: Final = (
    "avg_hit_response_time_ms",
    "avg_miss_response_time_ms",
    "p95_response_time_ms",
    "p99_response_time_ms",
    "cache_size",
    "avg_response_time_ms",
)
MOST_DEGREES: Final = 8.0
"""How many operations behind a window make its latency more nearly normal: single ones are heavy-tailed, and so are short means of them."""
SEQUENCES: Final = ("hit_rate", "error_rate", "avg_response_time_ms")
"""Metrics in which a small change that lasts is looked for."""

_P_AT: Final = np.array([AT[name] for name in PROPORTIONS])
_G_AT: Final = np.array([AT[name] for name in GAUGES])
_OFFSET: Final = np.array([[1.0 if name == "cache_size" else LATENCY_OFFSET] for name in GAUGES])


@dataclass(frozen=True, slots=True)
class Sequences:
    """Where the sequential tests stand: log e-values of a fall and of a rise by metric, and how far each may grow."""

    started: Mapping[str, tuple[float, float]]
    most: Mapping[str, float]


def score(
    profile: Profile, signals: Signals, outlook: Outlook, lead: int, sequences: Sequences
) -> dict[str, Tested]:
    """Test windows `lead`.. of `signals`; those before them only complete the spans.

    Parameters
    ----------
    profile
        What is normal.
    signals
        The windows to be tested with up to 14 before them, masked where they say nothing.
    outlook
        What was expected of each window; arrays of shape (signals, lead + n).
    lead
        How many windows come before those to be tested.
    sequences
        Where the sequential tests stood before the first window to be tested.

    Returns
    -------
    tests
        `Tested` of shape (n,) for each signal with a learned normal and a test.
    """
    tests = _proportions(profile, signals, outlook, lead, sequences)
    if profile.hours[AT["throughput"]]:
        tests["throughput"] = _count(profile, signals, outlook, AT["throughput"], lead)
    return tests | _gauges(profile, signals, outlook, lead, sequences)


def sliding(values: Floats, lead: int, width: int) -> Floats:
    """Sums over the last `width` windows along the last axis, for windows `lead`.., added in one fixed order so that no split shows.

    Windows before the first given count as nothing.
    """
    count = values.shape[-1]
    padded = np.concatenate([np.zeros((*values.shape[:-1], width - 1)), values], axis=-1)
    total = padded[..., width - 1 + lead :].copy()
    for back in range(1, width):
        total += padded[..., width - 1 + lead - back : width - 1 + count - back]
    return total


def _near(z: Floats, window_z: Floats, enough: Mask) -> Mask:
    """Where a span is worth an exact tail: far out, and the newest window on the same side."""
    return enough & (np.abs(z) > NEAR) & (z * window_z > 0.0)


def _only(where: Mask, enough: Mask, tails: Callable[..., Tails], arguments: tuple[Floats, ...]) -> Tails:
    """Both tails where asked for, 1 elsewhere, NaN where too little is known."""
    low = np.where(enough, 1.0, np.nan)
    high = low.copy()
    if where.any():
        low[where], high[where] = tails(*(argument[where] for argument in arguments))
    return low, high


def degrees_of(name: str, weight: Floats, test: Test) -> Floats:
    """Degrees of freedom of a gauge's predictive distribution, shape as `weight`, the operations behind the newest window.

    The cache's size is no mean of operations, and tame.
    """
    behind = np.full_like(weight, MOST_DEGREES) if name == "cache_size" else np.minimum(weight, MOST_DEGREES)
    return 3.0 + WIDTH[test] + behind


def concentration_of(mean: Floats, variance: Floats | float) -> Floats:
    """Beta concentration whose variance is that of a logit-scale `variance` about `mean`, by the delta method."""
    return np.maximum(1.0 / (mean * (1.0 - mean) * variance) - 1.0, 1.0)


def proportion_z(k: Floats, n: Floats, mean: Floats, concentration: Floats) -> Floats:
    """How many deviations k successes of n are from what the beta-binomial expects; arrays of one shape."""
    variance = n * mean * (1.0 - mean) * (1.0 + (n - 1.0) / (concentration + 1.0))
    return (k - n * mean) / np.sqrt(np.maximum(variance, 1e-300))


def proportion_drift(n: Floats, mean: Floats, concentration: Floats, drift: Floats) -> Floats:
    """A deviation of the drift, in deviations of a window of n; arrays of one shape."""
    own = n * mean * (1.0 - mean) / (1.0 + (n - 1.0) / (concentration + 1.0))
    return np.sqrt(np.maximum(own, 0.0) * drift)


def _proportions(
    profile: Profile, signals: Signals, outlook: Outlook, lead: int, sequences: Sequences
) -> dict[str, Tested]:
    link, trials = outlook.link, signals.weight[_P_AT]
    known = trials > 0
    successes = np.where(known, signals.value[_P_AT], 0.0)
    p = 1.0 / (1.0 + exact_exp(-link[_P_AT]))
    drift, spread = outlook.drift[_P_AT][:, lead:], profile.spread[_P_AT][:, None]
    k, n, mean, there = (part[:, lead:] for part in (successes, trials, p, known))
    concentration = concentration_of(mean, drift + spread)
    low, high = (
        part.reshape(k.shape)
        for part in proportion_tails(*(np.ravel(part) for part in (k, n, mean, concentration)))
    )
    z = proportion_z(k, n, mean, concentration)
    gathered = np.stack([trials, successes, known, trials * p])
    spans = {}
    for test in SPANS:
        span_n, span_k, said, expected = sliding(gathered, lead, WIDTH[test])
        span_mean = np.where(span_n > 0, expected / np.maximum(span_n, 1e-300), mean)
        variance = drift + spread / np.maximum(said, 1.0)
        c = concentration_of(span_mean, variance)
        enough = there & (said >= LEAST_KNOWN[test])
        near = _near(proportion_z(span_k, span_n, span_mean, c), z, enough)
        one = (span_k, span_n, span_mean, c)
        span_low, span_high = _only(near, enough, proportion_tails, one)
        spans[test] = Spanned(
            span_low,
            span_high,
            np.where(enough, span_k / np.maximum(span_n, 1.0), np.nan),
            np.where(enough, span_mean, np.nan),
            span_n,
            variance,
            said,
        )
    whole = Tested(
        value=np.where(there, k / np.maximum(n, 1.0), np.nan),
        expected=np.where(there, mean, np.nan),
        low=np.where(there, low, np.nan),
        high=np.where(there, high, np.nan),
        weight=n,
        centre=link[_P_AT][:, lead:],
        variance=drift + spread,
        spans=spans,
    )
    shared = proportion_drift(n, mean, concentration, drift)
    return _apart(profile, whole, PROPORTIONS, (np.where(there, z, np.nan), shared), sequences)


def _apart(
    profile: Profile, whole: Tested, names: tuple[str, ...], away: tuple[Floats, Floats], sequences: Sequences
) -> dict[str, Tested]:
    """The rows of arrays of shape (signals, n), one `Tested` each, with its sequential tests.

    `away` is the windows' residuals and a deviation of the drift in the same measure: windows of an hour share their drift, so that
    a sequence must not sum it up. It is tested against a level that is off by as much.
    """
    z, shared = away
    tests = {}
    for row, name in enumerate(names):
        if not profile.hours[AT[name]]:
            continue
        spans = {
            test: Spanned(
                s.low[row],
                s.high[row],
                s.value[row],
                s.expected[row],
                s.weight[row],
                s.variance[row],
                s.windows[row],
            )
            for test, s in whole.spans.items()
        }
        tested = Tested(
            whole.value[row],
            whole.expected[row],
            whole.low[row],
            whole.high[row],
            whole.weight[row],
            whole.centre[row],
            whole.variance[row],
            spans,
        )
        if name in SEQUENCES:
            fall, rise = sequences.started.get(name, (0.0, 0.0))
            most = sequences.most[name]
            tested = replace(
                tested,
                fall=evidence(-z[row] - shared[row], fall, most),
                rise=evidence(z[row] - shared[row], rise, most),
            )
        tests[name] = tested
    return tests


def _count(profile: Profile, signals: Signals, outlook: Outlook, at: int, lead: int) -> Tested:
    known = signals.weight[at] > 0
    counts = np.where(known, signals.value[at], 0.0)
    link = outlook.link[at] + follow_ups(profile, signals, outlook.link)
    mean_all = exact_exp(link)
    drift, spread = outlook.drift[at][lead:], profile.spread[at]
    count, mean, there = counts[lead:], mean_all[lead:], known[lead:]
    doubt = outlook.doubt[lead:]
    size = 1.0 / np.expm1(drift + spread)
    low, high = count_tails(count, mean, size)
    z = (count - mean) / np.sqrt(np.maximum(mean + mean * mean / size, 1e-300))
    gathered = np.stack([known, np.where(known, mean_all, 0.0), counts])
    spans = {}
    for test in SPANS:
        said, expected, span_count = sliding(gathered, lead, WIDTH[test])
        span_mean = np.maximum(expected, 1e-9)
        windows = np.maximum(said, 1.0)
        variance = drift + spread / windows
        span_size = 1.0 / np.expm1(variance)
        enough = there & (said >= LEAST_KNOWN[test])
        deviation = np.sqrt(span_mean + span_mean * span_mean / span_size)
        near = _near((span_count - span_mean) / deviation, z, enough)
        one = (span_count, span_mean, span_size)
        span_low, span_high = _only(near, enough, count_tails, one)
        spans[test] = Spanned(
            span_low,
            span_high,
            np.where(enough, span_count / windows, np.nan),
            np.where(enough, span_mean / windows, np.nan),
            span_count,
            variance,
            said,
        )
    return Tested(
        value=np.where(there, count, np.nan),
        expected=np.where(there, mean, np.nan),
        low=np.where(there, low, np.nan),
        high=np.where(there, high, np.nan),
        weight=np.where(there, count, 0.0),
        centre=link[lead:],
        variance=drift + spread,
        spans=spans,
        doubt=np.where(doubt > 0.0, doubt + 4.0 * np.sqrt(6.0 / np.maximum(mean, 1.0) + drift + spread), 0.0),
    )


def _by_cost(
    span: Spanned, costly: Floats, least: int, newest: tuple[Floats, Floats, Floats, Floats]
) -> None:
    """Judge the average latency, the last row of a span, by what its windows should have cost too.

    At a few lookups a minute most windows have no miss and say nothing of the backend: weighed alike, they drown those that do. Weighed
    by cost, slow hits are drowned. So both are looked at, and the smaller p-value counts twice (Bonferroni).

    Parameters
    ----------
    span
        All gauges, arrays of shape (gauges, n); the last row is changed.
    costly
        Sums over the span, shape (4, n): windows that said something, milliseconds expected, those times the residuals, and squared
        times the variances.
    least
        How many windows have to have said something.
    newest
        Of the newest window, shape (n,) each: residual, drift, degrees of freedom and location.
    """
    z, drift, degrees, location = newest
    said, cost, away, beyond = costly
    cost = np.where(cost > 0.0, cost, 1.0)
    away = away / cost
    scale = np.sqrt(np.maximum(drift + beyond / (cost * cost), LEAST_VARIANCE))
    enough = np.isfinite(span.low[-1]) & (said >= least)
    near = _near(away / scale, z, enough)
    low, high = _only(near, enough, gauge_tails, (away, np.zeros_like(away), scale, degrees))
    with np.errstate(invalid="ignore"):
        telling = np.fmin(low, high) < np.fmin(span.low[-1], span.high[-1])
    for tail, ours in ((span.low, low), (span.high, high)):
        tail[-1] = np.minimum(1.0, 2.0 * np.fmin(tail[-1], ours))
    span.value[-1] = np.where(telling, exact_exp(location + away) - LATENCY_OFFSET, span.value[-1])
    span.variance[-1] = np.where(telling, scale * scale, span.variance[-1])


def _gauges(
    profile: Profile, signals: Signals, outlook: Outlook, lead: int, sequences: Sequences
) -> dict[str, Tested]:
    logs, weight, centre = signals.value[_G_AT], signals.weight[_G_AT].copy(), outlook.link[_G_AT].copy()
    drift = outlook.drift[_G_AT].copy()
    variance = drift + np.stack([profile.spread_at(AT[name], weight[row]) for row, name in enumerate(GAUGES)])
    if profile.hours[AT["avg_response_time_ms"]]:
        mix = average_by_mix(profile, signals, outlook)
        centre[-1], variance[-1], drift[-1], weight[-1] = mix.centre, mix.variance, mix.drift, mix.weight
    known = weight > 0
    variance = np.maximum(variance, LEAST_VARIANCE)
    location, scale, there = centre[:, lead:], np.sqrt(variance[:, lead:]), known[:, lead:]
    degrees = {
        test: np.stack([degrees_of(name, weight[row, lead:], test) for row, name in enumerate(GAUGES)])
        for test in (Test.WINDOW, *SPANS)
    }
    x = np.where(there, logs[:, lead:], location)
    low, high = gauge_tails(x, location, scale, degrees[Test.WINDOW])
    z = (x - location) / scale
    gathered = np.stack(
        [known, np.where(known, logs - centre, 0.0), np.where(known, variance - drift, 0.0), weight]
    )
    expected = exact_exp(location) - _OFFSET
    cost = np.where(known[-1], weight[-1] * exact_exp(centre[-1]), 0.0)  # in ms, of the average: the last row
    costly = np.stack([known[-1], cost, cost * gathered[1, -1], cost * cost * gathered[2, -1]])
    spans = {}
    for test in SPANS:
        said, away, beyond, span_weight = sliding(gathered, lead, WIDTH[test])
        number = np.maximum(said, 1.0)
        away = away / number
        span_variance = np.maximum(drift[:, lead:] + beyond / (number * number), LEAST_VARIANCE)
        enough = there & (said >= LEAST_KNOWN[test])
        span_scale = np.sqrt(span_variance)
        near = _near(away / span_scale, z, enough)
        one = (away, np.zeros_like(away), span_scale, degrees[test])
        span_low, span_high = _only(near, enough, gauge_tails, one)
        spans[test] = Spanned(
            span_low,
            span_high,
            np.where(enough, exact_exp(location + away) - _OFFSET, np.nan),
            np.where(enough, expected, np.nan),
            span_weight,
            span_variance,
            said,
        )
        newest = (z[-1], drift[-1, lead:], degrees[test][-1], location[-1])
        _by_cost(spans[test], sliding(costly, lead, WIDTH[test]), LEAST_KNOWN[test], newest)
    whole = Tested(
        value=np.where(there, exact_exp(x) - _OFFSET, np.nan),
        expected=np.where(there, expected, np.nan),
        low=np.where(there, low, np.nan),
        high=np.where(there, high, np.nan),
        weight=np.where(there, weight[:, lead:], 0.0),
        centre=location,
        variance=variance[:, lead:],
        spans=spans,
    )
    shared = np.sqrt(drift[:, lead:]) / scale
    return _apart(profile, whole, GAUGES, (np.where(there, z, np.nan), shared), sequences)
