"""Tails as this cache has shown them: how often an hour's largest surprise has gone how far.

Model p-values are too good to be true in the far tail of real data, and neighbouring windows are not independent: ten strange
minutes in a row are one alarm. So what is calibrated is the largest -ln p of an hour, a block maximum, which is its own
declustering. Above a high threshold block maxima follow a generalised Pareto distribution (Pickands, 1975, Annals of
Statistics 3:119; Balkema and de Haan, 1974, Annals of Probability 2:792), as used for streams by Siffer et al. (2017, KDD). Its
scale and shape come from the first two L-moments of the excesses (Hosking and Wallis, 1987, Technometrics 29:339, section 3),
shrunk towards the exponential tail that the model promises, the more so the fewer the hours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.tails.elementary import exact_exp, exact_log

if TYPE_CHECKING:
    from auditor.detection.windows import Floats

_Counts = np.typing.NDArray[np.intp]
EXCEEDING: Final = 0.2
"""Share of the hours that lie above a tail's threshold."""
PRIOR_HOURS: Final = 24.0
"""Hours that the model's own threshold counts for."""
PRIOR_EXCESSES: Final = 8.0
"""Excesses that the prior scale counts for."""
PRIOR_SHAPE_EXCESSES: Final = 80.0
"""Excesses that the exponential shape counts for."""
MOST_SHAPE: Final = 0.5
MOST_SURPRISE: Final = 600.0
"""No level is above it: p = 1e-260, beyond which tails and their intervals run out of floating point."""
_EXPONENTIAL: Final = 1e-3
"""Shapes below this are taken as the exponential case."""


@dataclass(frozen=True, slots=True)
class Tail:
    """P(an hour's largest surprise > s) = 0.2 (1 + shape (s - threshold) / scale)^(-1 / shape) for s above the threshold.

    A shape of nought is the exponential case; it is never below nought (bounded) nor above one half.
    """

    threshold: float
    scale: float
    shape: float

    def rarity(self, surprise: Floats) -> Floats:
        """-ln P(an hour's largest surprise > s), shape as given; below the threshold by the exponential case, at least 0."""
        return rarity(np.array([self.threshold, self.scale, self.shape]), surprise)


def rarity(tails: Floats, surprise: Floats) -> Floats:
    """`Tail.rarity` of many: `tails` has threshold, scale and shape on its last axis, the others broadcast with `surprise`."""
    threshold, scale, shape = tails[..., 0], tails[..., 1], tails[..., 2]
    away = (surprise - threshold) / scale
    bent = shape >= _EXPONENTIAL
    beyond = exact_log(1.0 + shape * np.maximum(away, 0.0)) / np.where(bent, shape, 1.0)
    return np.maximum(np.where(bent & (away > 0.0), beyond, away) - math.log(EXCEEDING), 0.0)


def tail_levels(tails: Floats, probability: float) -> Floats:
    """The surprise that an hour exceeds with a probability, taken at most 0.2.

    `tails` has threshold, scale and shape on its last axis, shape (..., 3); the result has shape (...).
    """
    threshold, scale, shape = tails[..., 0], tails[..., 1], tails[..., 2]
    odds = math.log(EXCEEDING / min(probability, EXCEEDING))
    bent = shape >= _EXPONENTIAL
    beyond = (exact_exp(shape * odds) - 1.0) / np.where(bent, shape, 1.0)
    return np.minimum(threshold + scale * np.where(bent, beyond, odds), MOST_SURPRISE)


def model_threshold(tests: float) -> float:
    """The threshold of a tail where the model is right: what the largest of so many independent -ln p exceeds with 0.2."""
    return -math.log(-math.expm1(math.log1p(-EXCEEDING) / tests))


def tail_from_block_maxima(maxima: Floats, threshold: float, scale: float) -> Tail:
    """Fit the tail of an hour's largest surprise.

    Parameters
    ----------
    maxima
        Shape (hours,): the largest surprise (-ln p, or a log e-value) of each hour. What is not finite is left out.
    threshold, scale
        What they are believed to be before any hour has shown it; for the threshold see `model_threshold`, a model that is right
        has scale 1.

    Returns
    -------
    tail
        Its threshold is the 0.8 quantile of the maxima, blended with the model's as if that were a day of hours. The scale is
        blended with the prior (eight excesses' worth), the shape with nought (eighty).

    Notes
    -----
    Discrete data have fewer excesses than 0.2 of the hours; the tail then promises too much, never too little. Consecutive
    hours that exceed together count apart, which promises too much as well.
    """
    tails = tails_from_block_maxima(maxima[None], np.array([threshold]), np.array([scale]))
    return Tail(*tails[0].tolist())


def tails_from_block_maxima(maxima: Floats, threshold: Floats, scale: Floats) -> Floats:
    """`tail_from_block_maxima` of several tests: maxima of shape (tests, hours), the others (tests,).

    The result has threshold, scale and shape on its last axis, shape (tests, 3).
    """
    tests, hours = maxima.shape
    ordered = np.full((tests, hours + 1), np.nan)
    np.copyto(ordered[:, :-1], maxima, where=np.isfinite(maxima))
    ordered.sort(axis=1)
    count = np.isfinite(ordered).sum(axis=1)
    seen = ordered[np.arange(tests), _quantiles_at(count)]
    excess = ordered - seen[:, None]
    first = (excess <= 0.0).sum(axis=1)
    number = count - first
    mean, shape = _moments(excess, first, count)
    mean = np.where(number > 0, mean, scale)
    trust = count / (count + PRIOR_HOURS)
    in_scale = number / (number + PRIOR_EXCESSES)
    blended_shape = np.minimum(np.maximum(shape, 0.0), MOST_SHAPE) * number / (number + PRIOR_SHAPE_EXCESSES)
    blended_mean = in_scale * mean + (1.0 - in_scale) * scale
    return np.stack(
        [
            np.where(count > 0, trust * seen + (1.0 - trust) * threshold, threshold),
            np.where(count > 0, np.maximum(blended_mean * (1.0 - blended_shape), 0.1), scale),
            blended_shape,
        ],
        axis=-1,
    )


def _quantiles_at(count: _Counts) -> _Counts:
    """Where the 0.8 quantile of so many in rising order is: the first that is no lower."""
    return np.ceil(np.maximum(count - 1, 0) * (1.0 - EXCEEDING)).astype(np.intp)


def _moments(excess: Floats, first: _Counts, end: _Counts) -> tuple[Floats, Floats]:
    """The mean and the shape by L-moments, of excesses in rising order from `first` up to `end`, a row for each test.

    The shape is nought where there are fewer than five. What stands before the first is nought, so that sums may begin there: what is
    added to it is added in the order in which a row alone would be.
    """
    tests, width = excess.shape
    start = np.arange(tests) * width
    ends = np.stack([start + np.maximum(first - 1, 0), start + end], axis=1).ravel()
    number = end - first
    rank = np.arange(width, dtype=np.float64) - first[:, None]
    total, ranked = (np.add.reduceat(of.ravel(), ends)[::2] for of in (excess, rank * excess))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / number
        half_gini = ranked / (number * (number - 1)) * 2.0 - mean
        shape = np.where((number >= 5) & (half_gini > 0.0), 2.0 - mean / half_gini, 0.0)
    return mean, shape


def multiplicity_of(rarest: Floats, prior: float) -> float:
    """How many independent tests the tests of an hour are worth, at least 1.

    Parameters
    ----------
    rarest
        Shape (hours,): the largest rarity of any test in each hour; what is not finite is left out.
    prior
        What is believed before anything is seen, counting for a day of hours on the logarithmic scale.

    Notes
    -----
    Were the tests independent and their tails right, P(rarest <= x) would be exp(-m exp(-x)) for m tests: their extremal
    coefficient (Coles, 2001, An Introduction to Statistical Modeling of Extreme Values, section 8.2.2), here read off at the 0.8 quantile. What is
    wrong in the single tails on average is put right by it too.
    """
    known = rarest[np.isfinite(rarest)]
    if not len(known):
        return prior
    at = float(np.sort(known)[_quantiles_at(np.array(len(known)))])
    seen = at + math.log(-math.log1p(-EXCEEDING))
    trust = len(known) / (len(known) + PRIOR_HOURS)
    return max(1.0, math.exp(trust * max(seen, 0.0) + (1.0 - trust) * math.log(prior)))


def slowed(p: Floats, level: float, nominal: float) -> Floats:
    """P with its -ln p slowed down so that what is at `level` is seen at `nominal`: both -ln p, above 0; never speeded up.

    0 stays 0, 1 stays 1, NaN stays NaN. Elementwise to the last bit.
    """
    if level <= nominal:
        return p
    return exact_exp(exact_log(p) * (nominal / level))
