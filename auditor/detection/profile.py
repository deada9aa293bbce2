"""What is normal for one cache: level, time-of-day shape and dispersion of every signal."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from auditor.detection.load import (
    RESPONDING_AT,
    UNUSUAL,
    UNUSUAL_AT_FIRST,
    Load,
    log_lookups,
    shapes_behind,
    share_moved,
)
from auditor.detection.minute_shape import MinuteShape, between_hours
from auditor.detection.seasons import (
    DAY,
    LEAST_DAYS,
    LEAST_WEEKS,
    WEEK,
    WEEK_DAYS,
    read_week,
    week_as_text,
)
from auditor.detection.signals import AT, SIGNALS
from auditor.detection.tails.elementary import exact_exp
from auditor.detection.tested import Test

if TYPE_CHECKING:
    from auditor.detection.windows import Floats

PROFILE_VERSION: Final = 3
HALF_LIVES: Final = (1.0, 4.0, 24.0, float("inf"))
"""Hours: how fast the local level may follow; the one that has predicted best is used."""
UNSEEN_WEEK: Final = 1.4
"""On the log scale, how far traffic may be off before two weeks have been seen: a day may be four times as busy as another."""
UNSEEN_WEEKEND: Final = 4.6
"""How far it may fall in what is a weekend somewhere: where offices are closed, a hundredth may be left."""
WEEKENDS: Final = (20, 106)
"""Hours of the week, counted from 1970-01-01: from Thursday 20:00 UTC, when Friday begins in the east of the Gulf, to Monday 10:00, when Sunday ends in Hawaii."""
_SIZE: Final = AT["cache_size"]
_THROUGHPUT: Final = AT["throughput"]
_PER_SIGNAL: Final = ("level", "level_before", "drift", "spread", "weight", "hours", "highest")


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is expected of n minutes, each array of shape (signals, n).

    `link` is the expectation on the link scale, `drift` the variance that neighbouring minutes share. `doubt`, of shape (2, n), is how
    far on the log scale the traffic may fall and rise while nights and the days of the week are not well known. `lookups`, of shape (responding, n), is the
    logarithm of the lookups that go with the expectations of `load.RESPONDING`, `short` how far they were below that in the last hours.
    """

    link: Floats
    drift: Floats
    doubt: Floats
    lookups: Floats
    short: Floats


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the level stands in an hour, shape (signals,), and the load behind it."""

    level: Floats
    load: Load


@dataclass(frozen=True)
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
    level_before
        The local level of the hour before; that of now where it was learned since.
    half_life
        Hours in which the level forgets half; infinite where it does not move between relearnings.
    season
        Shape (signals, 24): the level by UTC hour, relative to the daily median; noughts where the season does not help.
    week
        Shape (signals, 168): by hour of the week, counted from 1970-01-01, relative to the season and the week.
    week_since
        Hours since 1970 from when on windows were judged by the shape of the week; infinite where there is none.
    drift
        Variance of an hour's level about its forecast.
    spread
        Variance of a window about its hour: beyond counting noise for rates and counts, at `weight` for gauges.
    weight
        Typical trials or operations behind a window.
    hours
        Hours that say something of the signal; 0 means that it is not known.
    tails
        Shape (signals, tests, 3): threshold, scale and shape of the tail of each test's hourly maxima; see `budget`.
    multiplicity
        How many independent tests the tests of an hour are worth.
    highest
        The largest hourly level seen.
    load, load_before
        The lookups behind the levels, and behind those of the hour before.
    """

    learned_minute: int
    period_start_minute: int
    windows: int
    level: Floats
    level_before: Floats
    half_life: Floats
    season: Floats
    week: Floats
    week_since: Floats
    drift: Floats
    spread: Floats
    weight: Floats
    hours: Floats
    tails: Floats
    multiplicity: float
    highest: Floats
    load: Load
    load_before: Load

    @cached_property
    def _by_minute(self) -> MinuteShape | None:
        """The seasonal part minute by minute; None where no signal has one."""
        return (
            MinuteShape(self.season, self.week, self.drift) if self.season.any() or self.week.any() else None
        )

    def minutes_worth(self, minutes: np.typing.NDArray[np.int64], run: Floats) -> Floats:
        """How many minutes of its own traffic the `run` of minutes that end with each is worth, shape (n,); see `MinuteShape`."""
        return run if self._by_minute is None else self._by_minute.minutes_worth(minutes, run)

    def outlook(
        self, minutes: np.typing.NDArray[np.int64], hour_start: int, later: tuple[Standing, ...] = ()
    ) -> Outlook:
        """What is expected of each minute; drift is more where the season bends, and lines between hours miss it.

        Before `hour_start` it is by the level of the hour before, in the hour that begins there by the level of now, and in those after it
        as `later` has them.
        """
        levels = np.array([self.level_before, self.level, *(then.level for then in later)]).T
        loads = [self.load_before, self.load, *(then.load for then in later)]
        hour = np.minimum(np.maximum((minutes - hour_start) // 60, -1), len(later)) + 1
        link, drift = levels[:, hour], self.drift[:, None]
        if self._by_minute is None:
            drift = np.repeat(drift, len(minutes), axis=1)
        else:
            season, missed = self._by_minute.at(minutes)
            drift = drift + missed
            drift[_SIZE] += _entries(link[_SIZE], season[_SIZE])
            link = link + season
        behind = np.stack([load.behind for load in loads], axis=2)[:, :, hour]
        behind = behind + between_hours(self.load.shape, minutes)[0]
        return Outlook(
            link,
            drift,
            self._doubt_at(minutes),
            log_lookups(behind[:, 0], behind[:, 1]),
            np.stack([load.short for load in loads], axis=1)[:, hour],
        )

    @property
    def knows_nights(self) -> bool:
        """Whether so many whole days have been seen that a night can be told from a failure."""
        return self._whole_days >= LEAST_DAYS

    @property
    def unusual(self) -> float:
        """Deviations of the traffic from which on lookups are unusual."""
        return UNUSUAL if self.knows_nights else UNUSUAL_AT_FIRST

    @property
    def _whole_days(self) -> int:
        """Days of which every hour was seen: who began at five has not seen what the night is like that day."""
        return self.learned_minute // (60 * DAY) + -self.period_start_minute // (60 * DAY)

    def _doubt_at(self, minutes: np.typing.NDArray[np.int64]) -> Floats:
        weeks = self._whole_days // WEEK_DAYS
        if weeks < LEAST_WEEKS:
            doubt = np.full((2, len(minutes)), UNSEEN_WEEK)
            begins, ends = WEEKENDS
            hour = minutes // 60 % WEEK
            doubt[0, (begins <= hour) & (hour < ends)] = UNSEEN_WEEKEND
            if not self.knows_nights:
                doubt[0] = math.inf
            return doubt
        # the shape of the week is shrunk by weeks / (weeks + 1): half as much again as this is missing from it
        week, _ = between_hours(np.abs(self.week[_THROUGHPUT]), minutes)
        return np.array([1.5 * week / weeks] * 2)

    def spread_at(self, at: int | np.typing.NDArray[np.intp], weight: Floats) -> Floats:
        """A gauge's within-hour variance at a given number of operations, shape as `weight`; of several, they are its rows.

        Below the typical number all of it is taken to be sampling (it grows as 1/n); above it, only half: whichever
        share is right, the scale is not too small.
        """
        usual, spread = self.weight[at], self.spread[at]
        if not isinstance(at, int):
            usual, spread = usual[:, None], spread[:, None]
        ratio = usual / np.maximum(weight, 1e-9)
        variance: Floats = spread * np.where(ratio > 1.0, ratio, 0.5 + 0.5 * ratio)
        return variance

    def with_hour(self, hour: int, level: Floats) -> Profile:
        """The profile after an hour whose levels were `level` (NaN where it said nothing); see `follow`."""
        return self.standing_at(self.standings_after(hour, level[None]))

    def standings_after(self, hour: int, seen: Floats) -> list[Standing]:
        """Level and load after each of the hours from `hour` on, whose levels were `seen`, shape (hours, signals)."""
        if not len(seen):
            return []
        slots = hour + np.arange(len(seen))
        shown = seen - (self.week[:, slots % WEEK] + self.season[:, slots % DAY]).T
        levels = follow_through(self.level, shown, *gain_and_bound(self.half_life, self.drift))
        away = shown[:, RESPONDING_AT] - levels[:-1, RESPONDING_AT]
        share = share_moved(away, self.half_life[RESPONDING_AT], self.drift[RESPONDING_AT])
        loads = self.load.through(hour, seen, share, float(self.drift[_THROUGHPUT]))
        return [Standing(level, load) for level, load in zip(levels[1:], loads, strict=True)]

    def standing_at(self, standings: list[Standing]) -> Profile:
        """The profile once level and load have moved to these, one after the other."""
        if not standings:
            return self
        before, now = [Standing(self.level, self.load), *standings][-2:]
        return replace(
            self, level=now.level, level_before=before.level, load=now.load, load_before=before.load
        )

    def as_json(self) -> dict[str, Any]:
        """Plain JSON that `from_json` reads back bit for bit."""
        fields = {field: getattr(self, field).tolist() for field in (*_PER_SIGNAL, "half_life", "tails")}
        seasonal, weekly = (np.any(shape, axis=1).tolist() for shape in (self.season, self.week))
        signals: dict[str, dict[str, Any]] = {}
        for i, name in enumerate(SIGNALS):
            if not fields["hours"][i]:
                continue
            signal = {field: fields[field][i] for field in _PER_SIGNAL}
            half_life = fields["half_life"][i]
            signal["half_life"] = half_life if math.isfinite(half_life) else None
            signal["season"] = self.season[i].tolist() if seasonal[i] else None
            signal["week"] = week_as_text(self.week[i]) if weekly[i] else None
            if weekly[i]:
                signal["week_since"] = int(self.week_since[i])
            signal["tails"] = fields["tails"][i]
            signals[name] = signal
        return {
            "version": PROFILE_VERSION,
            "learned_minute": self.learned_minute,
            "period_start_minute": self.period_start_minute,
            "windows": self.windows,
            "multiplicity": self.multiplicity,
            "load": self.load.as_json(),
            "load_before": self.load_before.as_json(),
            "signals": signals,
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Profile:
        """The profile that `as_json` wrote."""
        count = len(SIGNALS)
        arrays = {
            "level": np.full(count, np.nan),
            "level_before": np.full(count, np.nan),
            "half_life": np.full(count, np.inf),
            "drift": np.ones(count),
            "spread": np.ones(count),
            "weight": np.ones(count),
            "hours": np.zeros(count),
            "highest": np.full(count, np.nan),
        }
        season, week = np.zeros((count, DAY)), np.zeros((count, WEEK))
        week_since = np.full(count, np.inf)
        tails = np.ones((count, len(Test), 3))
        for i, name in enumerate(SIGNALS):
            signal = stored["signals"].get(name)
            if signal is None:
                continue
            for field, array in arrays.items():
                if signal[field] is not None:
                    array[i] = signal[field]
            tails[i] = signal["tails"]
            if signal["season"] is not None:
                season[i] = signal["season"]
            if signal["week"] is not None:
                week[i] = read_week(signal["week"])
                # a profile that an older version learned does not tell: as if it had always been known
                week_since[i] = signal.get("week_since", 0)
        shapes = shapes_behind(season, week)
        return cls(
            stored["learned_minute"],
            stored["period_start_minute"],
            stored["windows"],
            season=season,
            week=week,
            week_since=week_since,
            tails=tails,
            multiplicity=stored["multiplicity"],
            load=Load.from_json(stored.get("load"), shapes),
            load_before=Load.from_json(stored.get("load_before"), shapes),
            **arrays,
        )


def _entries(level: Floats, season: Floats) -> Floats:
    """The variance of log size that a cache has beyond its usual one where it is smaller by its season; shape (n,).

    Entries are there or not independently of each other, so that the variance of their number is at most that number.
    """
    return np.nan_to_num(np.maximum(exact_exp(-(level + season)) - exact_exp(-level), 0.0))


def follow(level: Floats, seen: Floats, gain: Floats, bound: Floats) -> Floats:
    """Move a level towards what an hour showed, by at most three standard deviations' worth; see `gain_and_bound`.

    An exponentially weighted mean whose innovations are clipped (a Huber location; Gelper, Fried and Croux, 2010,
    Journal of Forecasting 29:285), so that one wild hour cannot carry normal away. NaN in `seen` moves nothing;
    NaN in `level` takes what is seen. All arrays broadcast together.
    """
    innovation = np.minimum(np.maximum(seen - level, -bound), bound)
    moved = np.where(np.isfinite(seen), level + gain * innovation, level)
    return np.where(np.isfinite(level), moved, seen)


def follow_through(level: Floats, seen: Floats, gain: Floats, bound: Floats) -> Floats:
    """The level before any hour and after each of them, shape (hours + 1, n), of what they showed, (hours, n); see `follow`."""
    levels = np.empty((len(seen) + 1, len(level)))
    levels[0] = level
    gaps = np.isnan(seen)
    uneven = _uneven(np.isnan(level), gaps) if gaps.any() else [True] + [False] * (len(seen) - 1)
    low, step, before = -bound, np.empty(len(level)), levels[0]
    subtract, maximum, minimum, multiply, add = np.subtract, np.maximum, np.minimum, np.multiply, np.add
    for by_parts, row, after in zip(uneven, seen, levels[1:], strict=True):
        if by_parts:
            after[:] = follow(before, row, gain, bound)
        else:
            subtract(row, before, step)
            maximum(step, low, out=step)
            minimum(step, bound, out=step)
            multiply(step, gain, step)
            add(before, step, after)
        before = after
    return levels


def _uneven(unknown: np.typing.NDArray[np.bool_], gaps: np.typing.NDArray[np.bool_]) -> list[bool]:
    """Which hours are not simply followed: the first, those that do not show what is or becomes known, and the next ones."""
    missing = np.any(gaps[:, ~(unknown & gaps.all(axis=0))], axis=1).tolist()
    return [True, *(now or before for before, now in itertools.pairwise(missing))]


def gain_and_bound(half_life: Floats, drift: Floats) -> tuple[Floats, Floats]:
    """The share of what an hour showed that a level takes, and how much it takes at most."""
    return 1.0 - 0.5 ** (1.0 / half_life), 3.0 * np.sqrt(drift)
