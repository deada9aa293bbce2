"""What is normal for one cache: level, time-of-day shape and dispersion of every signal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from auditor.detection.signals import SIGNALS

if TYPE_CHECKING:
    from auditor.detection.windows import Floats

PROFILE_VERSION: Final = 1
HALF_LIVES: Final = (1.0, 4.0, 24.0, float("inf"))
"""Hours: how fast the local level may follow; the one that has predicted best is used."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A learned normal; all arrays have shape (signals,) but `season`, all on the signals' link scales.

    Parameters
    ----------
    learned_minute
        When it was learned: the end of the last window it has seen, minutes since 1970.
    period_start_minute
        The start of the first hour it has seen.
    windows
        How many windows it was learned from.
    level
        The local level now; moves at the end of each hour.
    half_life
        Hours in which the level forgets half; infinite where it does not move between relearnings.
    season
        Shape (signals, 24): the level by UTC hour, relative to the daily median; noughts where the season does not help.
    drift
        Variance of an hour's level about its forecast.
    spread
        Variance of a window about its hour: beyond counting noise for rates and counts, at `weight` for gauges.
    weight
        Typical trials or operations behind a window.
    hours
        Hours that say something of the signal; 0 means that it is not known.
    inflation
        By how much the model's -ln p runs ahead of what this cache has shown, at least 1.
    highest
        The largest hourly level seen.
    """

    learned_minute: int
    period_start_minute: int
    windows: int
    level: Floats
    half_life: Floats
    season: Floats
    drift: Floats
    spread: Floats
    weight: Floats
    hours: Floats
    inflation: Floats
    highest: Floats

    def season_at(self, minutes: np.typing.NDArray[np.int64]) -> Floats:
        """The seasonal part at each minute, shape (signals, n): straight lines between the middles of hours."""
        of_day = (minutes - 30) % 1440
        slot = of_day // 60
        share = (of_day % 60) / 60.0
        return self.season[:, slot] * (1.0 - share) + self.season[:, (slot + 1) % 24] * share

    def expected_link(self, minutes: np.typing.NDArray[np.int64]) -> Floats:
        """The expected link at each minute, shape (signals, n)."""
        return self.level[:, None] + self.season_at(minutes)

    def spread_at(self, at: int, weight: Floats) -> Floats:
        """A gauge's within-hour variance at a given number of operations, shape as `weight`.

        Below the typical number all of it is taken to be sampling (it grows as 1/n); above it, only half: whichever
        share is right, the scale is not too small.
        """
        ratio = self.weight[at] / np.maximum(weight, 1e-9)
        variance: Floats = self.spread[at] * np.where(ratio > 1.0, ratio, 0.5 + 0.5 * ratio)
        return variance

    def with_hour(self, hour: int, level: Floats) -> Profile:
        """The profile after an hour whose levels were `level` (NaN where it said nothing); see `follow`."""
        season = self.season[:, hour % 24]
        return replace(self, level=follow(self.level, level - season, self.half_life, self.drift))

    def as_json(self) -> dict[str, Any]:
        """Plain JSON that `from_json` reads back bit for bit."""
        signals: dict[str, dict[str, Any]] = {}
        for i, name in enumerate(SIGNALS):
            if not self.hours[i]:
                continue
            signals[name] = {
                field: float(getattr(self, field)[i])
                for field in ("level", "drift", "spread", "weight", "hours", "inflation", "highest")
            }
            half_life = float(self.half_life[i])
            signals[name]["half_life"] = half_life if np.isfinite(half_life) else None
            season = self.season[i]
            signals[name]["season"] = season.tolist() if season.any() else None
        return {
            "version": PROFILE_VERSION,
            "learned_minute": self.learned_minute,
            "period_start_minute": self.period_start_minute,
            "windows": self.windows,
            "signals": signals,
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Profile:
        """The profile that `as_json` wrote."""
        count = len(SIGNALS)
        arrays = {
            "level": np.full(count, np.nan),
            "half_life": np.full(count, np.inf),
            "drift": np.ones(count),
            "spread": np.ones(count),
            "weight": np.ones(count),
            "hours": np.zeros(count),
            "inflation": np.ones(count),
            "highest": np.full(count, np.nan),
        }
        season = np.zeros((count, 24))
        for i, name in enumerate(SIGNALS):
            signal = stored["signals"].get(name)
            if signal is None:
                continue
            for field, array in arrays.items():
                if signal[field] is not None:
                    array[i] = signal[field]
            if signal["season"] is not None:
                season[i] = signal["season"]
        return cls(
            stored["learned_minute"],
            stored["period_start_minute"],
            stored["windows"],
            season=season,
            **arrays,
        )


def follow(level: Floats, seen: Floats, half_life: Floats, drift: Floats) -> Floats:
    """Move a level towards what an hour showed, by at most three standard deviations' worth.

    An exponentially weighted mean whose innovations are clipped (a Huber location; Gelper, Fried and Croux, 2010,
    Journal of Forecasting 29:285), so that one wild hour cannot carry normal away. NaN in `seen` moves nothing;
    NaN in `level` takes what is seen. All arrays broadcast together.
    """
    gain = 1.0 - 0.5 ** (1.0 / half_life)
    bound = 3.0 * np.sqrt(drift)
    innovation = np.clip(seen - level, -bound, bound)
    moved = np.where(np.isfinite(seen), level + gain * innovation, level)
    return np.where(np.isfinite(level), moved, seen)
