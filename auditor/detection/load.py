"""The lookups behind what is normal, and what fewer or more of them may do to a cache whose entries expire.

An entry that lives a fixed time T, of a key asked for at random a times in T, is there with probability h = a / (1 + a) whenever it
is asked for. Over all keys, that makes log size and the logit of the hit rate rise with the logarithm of the lookups by

    d log size  = sum h (1 - h) / sum h                  and    d logit H = sum q h (1 - h) / (H (1 - H)),

with q the share of lookups that ask for a key and H = sum q h. Both lie between 0 and 1: the first because h is a probability, the second by
Jensen's inequality, for h (1 - h) is concave. A cache that evicts before anything expires does not respond at all. So when lookups are f times
as many as those that the expectation was learned at, a healthy cache is anywhere between that expectation and f times its odds of a hit, or
f times its size. What that explains is no finding; without unusual traffic, nothing is explained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.hours import robust_centre
from auditor.detection.signals import AT
from auditor.detection.tails.elementary import exact_exp, exact_log

if TYPE_CHECKING:
    from auditor.detection.windows import Floats

RESPONDING: Final = ("hit_rate", "cache_size")
"""What responds to the number of lookups."""
RESPONDING_AT: Final = np.array([AT[name] for name in RESPONDING])
BEHIND: Final = np.array([AT["throughput"], AT["get_share"]])
"""What lookups are made of: the operations, and the share of them that are lookups."""


def levels_behind(level: Floats, error: Floats, half_life: Floats, drift: Floats) -> Floats:
    """The levels of operations and of lookups' share at which the levels of what responds were learned.

    Weighted by hour as the exponentially weighted means of `profile.follow` weigh the hours of what responds; the
    median where that does not move.

    Parameters
    ----------
    level
        Shape (hours, 2): of `BEHIND` without their shapes, NaN where an hour says nothing.
    error
        Shape (hours, 2): the forecast errors of `RESPONDING`, NaN where unknown.
    half_life, drift
        Shape (2,): of `RESPONDING`.

    Returns
    -------
    behind
        Shape (2, 2): by `RESPONDING` and by `BEHIND`.
    """
    known = np.isfinite(level).all(axis=1, keepdims=True)
    moved = np.where(known, share_moved(error, half_life, drift), 0.0)
    kept = np.cumprod((1.0 - moved)[::-1], axis=0)[::-1]
    weight = moved * np.concatenate([kept[1:], np.ones((1, kept.shape[1]))])
    weighed = (weight[:, :, None] * np.nan_to_num(level)[:, None, :]).sum(axis=0)
    behind: Floats = weighed + (1.0 - weight.sum(axis=0))[:, None] * robust_centre(level)
    return behind


def share_moved(innovation: Floats, half_life: Floats, drift: Floats) -> Floats:
    """How much of the way to what an hour showed a level goes (`profile.follow`); 0 where it showed nothing."""
    gain = 1.0 - 0.5 ** (1.0 / half_life)
    size = np.maximum(np.abs(innovation), 1e-12)
    share: Floats = np.where(np.isfinite(size), gain * np.minimum(1.0, 3.0 * np.sqrt(drift) / size), 0.0)
    return share


def log_lookups(operations: Floats, share: Floats) -> Floats:
    """The logarithm of lookups a minute, of the links of operations and of the share of them that are lookups."""
    return operations - exact_log(1.0 + exact_exp(-share))
