"""What a profile expects of an hour, minute by minute, for windows that are tested one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.hours import MINUTES
from auditor.detection.signals import AT
from auditor.detection.tails.elementary import bare_exp, bare_log
from auditor.detection.tested import SEQUENCES

if TYPE_CHECKING:
    from auditor.detection.profile import Profile

Row = list[float]

RATES: Final = 3
"""The rates come first among the signals."""
_THROUGHPUT: Final = AT["throughput"]


@dataclass(frozen=True, slots=True)
class Ahead:
    """What a profile expects of every minute of an hour, worked out together: lists by minute, of floats by signal or of one signal.

    `rate` is the expected rates, `usual` the logarithm of the operations expected for each get, `misses` the expected share of misses, `of_hits` and `of_misses`
    the latencies, `traffic` the operations, `size` their negative binomial's, `asked` the lookups by `load.RESPONDING` (NaN where unknown), `short` whether those of
    the last hours were unusually few, `unusual` from how many deviations on they are; `learned` is by signal, `learned_sequences` by `SEQUENCES`.
    """

    profile: Profile
    hour_start: int
    link: list[Row]
    drift: list[Row]
    rate: list[Row]
    usual: Row
    misses: Row
    of_hits: Row
    of_misses: Row
    traffic: Row
    size: Row
    asked: list[Row]
    short: bool
    unusual: float
    spread: Row
    weight: Row
    learned: list[bool]
    learned_sequences: list[bool]

    @classmethod
    def of(cls, profile: Profile, hour_start: int) -> Ahead:
        """Of the hour that begins at `hour_start`, by the level of now."""
        outlook = profile.outlook(np.arange(hour_start, hour_start + MINUTES), hour_start)
        link, drift = outlook.link, outlook.drift
        spread = profile.spread[_THROUGHPUT]
        with np.errstate(all="ignore"):
            return cls(
                profile,
                hour_start,
                link.T.tolist(),
                drift.T.tolist(),
                (1.0 / (1.0 + bare_exp(-link[:RATES]))).T.tolist(),
                (-bare_log(1.0 / (1.0 + bare_exp(-link[AT["get_share"]])))).tolist(),
                (1.0 / (1.0 + bare_exp(link[0].copy()))).tolist(),
                bare_exp(link[AT["avg_hit_response_time_ms"]].copy()).tolist(),
                bare_exp(link[AT["avg_miss_response_time_ms"]].copy()).tolist(),
                bare_exp(link[_THROUGHPUT].copy()).tolist(),
                (1.0 / np.expm1(drift[_THROUGHPUT] + spread)).tolist(),
                np.where(np.isfinite(outlook.lookups), bare_exp(outlook.lookups), np.nan).T.tolist(),
                bool(outlook.short.any()),
                profile.unusual,
                profile.spread.tolist(),
                profile.weight.tolist(),
                (profile.hours > 0.0).tolist(),
                [bool(profile.hours[AT[name]] > 0.0) for name in SEQUENCES],
            )
