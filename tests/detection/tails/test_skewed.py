"""Tails by their skewness against the exact ones, and the skewness against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import betabinom

from auditor.detection.tails.proportion import proportion_tails
from auditor.detection.tails.skewed import (
    LEAST_CONCENTRATION,
    MIDDLING,
    MOST_SKEWED,
    beta_binomial_skewness,
    normal_deviate,
)


@pytest.mark.parametrize(
    ("n", "mean", "concentration"), [(10, 0.3, 4.0), (1500, 0.75, 130.0), (80_000, 0.002, 9e3), (1, 0.5, 1e6)]
)
def test_the_skewness_is_the_beta_binomials(n: int, mean: float, concentration: float) -> None:
    of = betabinom(n, mean * concentration, (1.0 - mean) * concentration)
    found = beta_binomial_skewness(float(n), mean, concentration, float(of.std()))
    assert found == pytest.approx(float(of.stats(moments="s")), rel=1e-9, abs=1e-12)


def test_where_it_is_used_the_tail_is_that_of_the_exact_sum_to_a_few_hundredths() -> None:
    rng = np.random.default_rng(5)
    n = np.rint(np.exp(rng.uniform(np.log(10), np.log(50_000), 60_000)))
    mean = 1.0 / (1.0 + np.exp(rng.uniform(-6.0, 6.0, len(n))))
    concentration = 1.0 / (mean * (1.0 - mean) * np.exp(rng.uniform(-9.0, -1.0, len(n)))) - 1.0
    deviation = np.sqrt(n * mean * (1.0 - mean) * (1.0 + (n - 1.0) / (concentration + 1.0)))
    k = np.rint(n * mean + deviation * rng.uniform(2.0, MIDDLING, len(n)) * rng.choice([-1.0, 1.0], len(n)))
    z = (k - n * mean) / deviation
    skewness = beta_binomial_skewness(n, mean, concentration, deviation)
    used = (np.abs(skewness) <= MOST_SKEWED) & (concentration >= LEAST_CONCENTRATION)
    used &= (np.abs(z) <= MIDDLING) & (np.abs(z) > 2.0) & (k >= 0) & (k <= n)
    lower, upper = proportion_tails(k, n, mean, concentration)
    exact = np.where(z < 0.0, lower, upper)
    by_skewness = ndtr(-np.abs(normal_deviate(z - np.copysign(0.5 / deviation, z), skewness)))
    off = np.abs(np.log(by_skewness[used] / exact[used]))
    assert used.sum() > 10_000
    assert np.median(off) < 0.01
    assert np.quantile(off, 0.95) < 0.1
    assert off.max() < 0.7
