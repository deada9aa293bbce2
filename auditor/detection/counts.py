"""Operations tested: the count of a window against the overdispersed count that the profile predicts."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.mix import follow_ups
from auditor.detection.signals import AT
from auditor.detection.spans import FAR, enough_known, far_below, span_sums, worth_tails
from auditor.detection.tails.count import outer_count_tails
from auditor.detection.tails.elementary import bare_exp, exact_exp
from auditor.detection.tails.gauge import normal_tails
from auditor.detection.tested import Family, Shown

if TYPE_CHECKING:
    from auditor.detection.profile import Outlook, Profile
    from auditor.detection.signals import Signals
    from auditor.detection.tested import Test
    from auditor.detection.windows import Floats

_AT: Final = AT["throughput"]
_ONE: Final = slice(_AT, _AT + 1)


def operations_tested(profile: Profile, signals: Signals, outlook: Outlook, lead: int) -> Family:
    """The operations of windows `lead`.., in one row; arguments as of `scoring.score`."""
    known = signals.weight[_ONE] > 0.0
    link = outlook.link[_ONE] + follow_ups(profile, signals, outlook.link)
    means = bare_exp(link)
    gathered = np.empty((3, *known.shape))
    gathered[0], gathered[1] = known, np.where(known, means, 0.0)
    gathered[2] = np.where(known, signals.value[_ONE], 0.0)
    count, mean, there = gathered[2, :, lead:], means[:, lead:], known[:, lead:]
    drift, spread = outlook.drift[_ONE, lead:], profile.spread[_AT]
    variance = drift + spread
    size = 1.0 / np.expm1(variance)
    deviation = np.sqrt(np.maximum(mean + mean * mean / size, 1e-300))
    z, far = _away(count, mean, deviation)
    low, high = normal_tails(z)
    if far.any():
        low[far], high[far] = outer_count_tails(count[far], mean[far], size[far])
    said, expected, span_count = span_sums(gathered, lead).swapaxes(0, 1)
    span_mean = np.maximum(expected, 1e-9)
    windows = np.maximum(said, 1.0)
    span_variance = drift + spread / windows
    span_size = 1.0 / np.expm1(span_variance)
    enough = enough_known(there, said)
    span_deviation = np.sqrt(span_mean + span_mean * span_mean / span_size)
    span_z, far = _away(span_count, span_mean, span_deviation)
    worth, span_low, span_high = worth_tails(far, span_z, z, enough)
    if worth.any():
        one = (span_count[worth], span_mean[worth], span_size[worth])
        span_low[worth], span_high[worth] = outer_count_tails(*one)
    return Family(
        there=there,
        value=count,
        expected=mean,
        low=np.concatenate([low[None], span_low]),
        high=np.concatenate([high[None], span_high]),
        weight=count,
        centre=link[:, lead:],
        variance=variance,
        z=z,
        shared=mean * np.sqrt(drift) / deviation,
        gathered=(gathered,),
        span=partial(_shown, enough, span_count, span_mean, span_variance, windows),
        exact=partial(_exact, count, mean, size),
    )


def _away(count: Floats, mean: Floats, deviation: Floats) -> tuple[Floats, np.typing.NDArray[np.bool_]]:
    """How many deviations counts are from their means, and where they are far out."""
    z = (count - mean) / deviation
    return z, (z > FAR) | far_below(count, mean, deviation)


def _exact(count: Floats, mean: Floats, size: Floats) -> tuple[Floats, Floats]:
    low, high = outer_count_tails(count[0], mean[0], size[0])
    return low[None], high[None]


def _shown(
    enough: np.typing.NDArray[np.bool_],
    count: Floats,
    mean: Floats,
    variance: Floats,
    windows: Floats,
    test: Test,
    row: int,
) -> Shown:
    at = (test - 1, row)
    value = np.where(enough[at], count[at] / windows[at], np.nan)
    expected = np.where(enough[at], mean[at] / windows[at], np.nan)
    return Shown(value, expected, count[at], variance[at], windows[at])


def doubts_of(profile: Profile, outlook: Outlook, mean: Floats, lead: int) -> Floats:
    """How far operations of which `mean` are expected may be off on the link scale where they are doubted, counting noise included.

    Shape (2, n), of a fall and of a rise; the noise of a fall is that of what may be left.
    """
    doubt = outlook.doubt[:, lead:]
    least = np.stack([mean * exact_exp(-doubt[0]), mean])
    noise = 6.0 / np.maximum(least, 1.0) + outlook.drift[_AT, lead:] + profile.spread[_AT]
    return np.where(doubt > 0.0, doubt + 4.0 * np.sqrt(noise), 0.0)
