"""Rates tested: successes of trials against the overdispersed proportion that the profile predicts."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.spans import enough_known, far_below, span_sums, worth_tails
from auditor.detection.tails.elementary import bare_exp
from auditor.detection.tails.gauge import normal_tails
from auditor.detection.tails.proportion import proportion_tails
from auditor.detection.tails.skewed import (
    LEAST_CONCENTRATION,
    MIDDLING,
    MOST_SKEWED,
    beta_binomial_skewness,
    normal_deviate,
)
from auditor.detection.tested import Family, Shown

if TYPE_CHECKING:
    from auditor.detection.profile import Outlook, Profile
    from auditor.detection.signals import Signals
    from auditor.detection.tested import Test
    from auditor.detection.windows import Floats

PROPORTIONS: Final = ("hit_rate", "error_rate", "eviction_rate")
"""They come first among the signals and among the metrics."""
_ALL: Final = slice(0, len(PROPORTIONS))

Mask = np.typing.NDArray[np.bool_]


def concentration_of(mean: Floats, variance: Floats | float) -> Floats:
    """Beta concentration whose variance is that of a logit-scale `variance` about `mean`, by the delta method."""
    return np.maximum(1.0 / (mean * (1.0 - mean) * variance) - 1.0, 1.0)


def proportions_tested(profile: Profile, signals: Signals, outlook: Outlook, lead: int) -> Family:
    """The three rates of windows `lead`..; arguments as of `scoring.score`."""
    trials = signals.weight[_ALL]
    known = trials > 0.0
    p = 1.0 / (1.0 + bare_exp(-outlook.link[_ALL]))
    gathered = np.empty((4, *trials.shape))
    gathered[0], gathered[1], gathered[2] = trials, np.where(known, signals.value[_ALL], 0.0), known
    np.multiply(trials, p, out=gathered[3])
    n, k, there, mean = gathered[0, :, lead:], gathered[1, :, lead:], known[:, lead:], p[:, lead:]
    drift, spread = outlook.drift[_ALL, lead:], profile.spread[_ALL, None]
    variance = drift + spread
    concentration = concentration_of(mean, variance)
    z, far = _away(k, n, mean, concentration)
    span_n, span_k, said, expected = span_sums(gathered, lead).swapaxes(0, 1)
    span_mean = np.where(span_n > 0.0, expected / np.maximum(span_n, 1e-300), mean)
    span_variance = drift + spread / np.maximum(said, 1.0)
    concentrations = concentration_of(span_mean, span_variance)
    enough = enough_known(there, said)
    span_z, far_spans = _away(span_k, span_n, span_mean, concentrations)
    worth, *span_tails = worth_tails(far_spans, span_z, z, enough)
    low, high = (np.concatenate(tails) for tails in zip(_of_one(normal_tails(z)), span_tails, strict=True))
    at = np.concatenate([far[None], worth])
    if at.any():
        spans = (span_k, span_n, span_mean, concentrations)
        windows = (k, n, mean, concentration)
        both = (np.concatenate([one[far], many[worth]]) for one, many in zip(windows, spans, strict=True))
        low[at], high[at] = _far_tails(*both)
    return Family(
        there=there,
        value=k / np.maximum(n, 1.0),
        expected=mean,
        low=low,
        high=high,
        weight=n,
        centre=outlook.link[_ALL, lead:],
        variance=variance,
        z=z,
        shared=proportion_drift(n, mean, concentration, drift),
        gathered=(gathered,),
        span=partial(_shown, enough, span_k, span_n, span_mean, span_variance, said),
        exact=partial(_exact, k, n, mean, concentration),
    )


def _shown(
    enough: np.typing.NDArray[np.bool_],
    k: Floats,
    n: Floats,
    mean: Floats,
    variance: Floats,
    said: Floats,
    test: Test,
    row: int,
) -> Shown:
    at = (test - 1, row)
    value = np.where(enough[at], k[at] / np.maximum(n[at], 1.0), np.nan)
    return Shown(value, np.where(enough[at], mean[at], np.nan), n[at], variance[at], said[at])


def _exact(k: Floats, n: Floats, mean: Floats, concentration: Floats) -> tuple[Floats, Floats]:
    low, high = proportion_tails(k.ravel(), n.ravel(), mean.ravel(), concentration.ravel())
    return low.reshape(k.shape), high.reshape(k.shape)


def quick_tails(k: Floats, n: Floats, mean: Floats, concentration: Floats) -> tuple[Floats, Floats]:
    """`proportion_tails` as windows are judged by: exact far out, shape (m,)."""
    z, far = _away(k, n, mean, concentration)
    low, high = normal_tails(z)
    if far.any():
        low[far], high[far] = _far_tails(k[far], n[far], mean[far], concentration[far])
    return low, high


def _of_one(tails: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    low, high = tails
    return low[None], high[None]


def _far_tails(k: Floats, n: Floats, mean: Floats, concentration: Floats) -> tuple[Floats, Floats]:
    """`proportion_tails` of what is far out; where it is not very far, and nearly normal, by its skewness."""
    deviation = _deviation(n, mean, concentration)
    z = (k - n * mean) / deviation
    skewness = beta_binomial_skewness(n, mean, concentration, deviation)
    exact = ~(
        (np.abs(z) <= MIDDLING) & (np.abs(skewness) <= MOST_SKEWED) & (concentration >= LEAST_CONCENTRATION)
    )
    low, high = normal_tails(normal_deviate(z - np.copysign(0.5 / deviation, z), skewness))
    if exact.any():
        low[exact], high[exact] = proportion_tails(k[exact], n[exact], mean[exact], concentration[exact])
    return low, high


def _away(k: Floats, n: Floats, mean: Floats, concentration: Floats) -> tuple[Floats, Mask]:
    """`proportion_z`, and where successes or failures are far fewer than expected."""
    expected, deviation = n * mean, _deviation(n, mean, concentration)
    far = far_below(k, expected, deviation) | far_below(n - k, n - expected, deviation)
    return (k - expected) / deviation, far


def proportion_z(k: Floats, n: Floats, mean: Floats, concentration: Floats) -> Floats:
    """How many deviations k successes of n are from what the beta-binomial expects; arrays of one shape."""
    return (k - n * mean) / _deviation(n, mean, concentration)


def _deviation(n: Floats, mean: Floats, concentration: Floats) -> Floats:
    variance = n * mean * (1.0 - mean) * (1.0 + (n - 1.0) / (concentration + 1.0))
    return np.sqrt(np.maximum(variance, 1e-300))


def proportion_drift(n: Floats, mean: Floats, concentration: Floats, drift: Floats) -> Floats:
    """A deviation of the drift, in deviations of a window of n; arrays of one shape."""
    own = n * mean * (1.0 - mean) / (1.0 + (n - 1.0) / (concentration + 1.0))
    return np.sqrt(np.maximum(own, 0.0) * drift)
