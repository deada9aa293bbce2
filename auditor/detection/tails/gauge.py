"""Tails of the positive gauge: Student's t about its location on the log scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scipy.special import stdtr, stdtrit

if TYPE_CHECKING:
    from auditor.detection.windows import Floats


def gauge_tails(x: Floats, location: Floats, scale: Floats, degrees: Floats) -> tuple[Floats, Floats]:
    """P(X <= x) and P(X >= x) of location + scale * t, shape (m,) each.

    `scale` is above 0, `degrees` (of freedom) above 0. The upper tail is the lower one of the mirrored value, so neither cancels.
    """
    z = (x - location) / scale
    return stdtr(degrees, z), stdtr(degrees, -z)


def gauge_interval(location: Floats, scale: Floats, degrees: Floats, alpha: float) -> tuple[Floats, Floats]:
    """The equal-tailed predictive interval, shape (m,) each, on the scale of `location`."""
    reach = -stdtrit(degrees, alpha / 2.0) * scale
    return location - reach, location + reach
