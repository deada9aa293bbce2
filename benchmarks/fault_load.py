"""Who asks the simulated cache for what and when: traffic shapes from 4 to 1200 lookups a minute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from benchmarks.fault_condition import HIT_MS, HIT_SIGMA, MISS_MS, MISS_SIGMA

if TYPE_CHECKING:
    from auditor.detection.windows import Floats
    from benchmarks.fault_condition import Condition

Integers = np.typing.NDArray[np.int64]

DAY: Final = 1440
RENAMED, STRANGERS, SURPLUS, UNSTABLE = 1 << 40, 1 << 42, 1 << 44, 1 << 50
"""Where keys of each kind begin; those of the usual load lie below."""
KEY_AGE_SLOTS: Final = 50
"""Half-hours after which a key has been replaced by a new one of the same popularity: the slow drift of any real load."""
BURST_SLOT: Final = 30
HOTTEST: Final = 5
CROWDS_A_MINUTE: Final = 3


@dataclass(frozen=True, slots=True)
class Shape:
    """A traffic shape and the cache that it meets.

    Parameters
    ----------
    name
        In words.
    rate
        Lookups a minute, averaged over a weekday.
    daily
        How far the day swings about 1.
    weekend
        The factor of Saturdays and Sundays.
    bursts
        The share of half-hours that have a burst of a few minutes, of up to twice the traffic.
    keys, exponent
        How many keys there are, and the exponent of Zipf's law by which they are asked for.
    capacity, ttl
        Entries, and minutes that an entry lives.
    """

    name: str
    rate: float
    daily: float
    weekend: float
    bursts: float
    keys: int
    exponent: float
    capacity: int
    ttl: float


SHAPES: Final = (
    Shape("4/min flat", 4, 0.0, 1.0, 0.0, 80, 1.0, 400, 120),
    Shape("20/min, quiet nights", 20, 0.85, 1.0, 0.0, 300, 1.0, 1000, 60),
    Shape("60/min daily", 60, 0.5, 1.0, 0.0, 2000, 1.1, 300, 1440),
    Shape("300/min, weekends a third", 300, 0.6, 1 / 3, 0.0, 4000, 1.0, 1200, 45),
    Shape("300/min flat Zipf, low hit rate", 300, 0.3, 1.0, 0.0, 20000, 0.7, 3000, 240),
    Shape("1200/min bursty", 1200, 0.4, 1.0, 1 / 8, 20000, 1.0, 2500, 300),
)


@dataclass(frozen=True, slots=True)
class Lookups:
    """Lookups in the order of time, arrays of one length.

    `at` in minutes since 1970; `key` below nought where that key only expires; `wait` the minutes until the backend's answer is set,
    below nought where it fails; `lookup_ms` and `backend_ms` what each step takes.
    """

    at: Floats
    key: Integers
    wait: Floats
    lookup_ms: Floats
    backend_ms: Floats

    def until(self, when: float) -> Lookups:
        """Those before a time."""
        return self._taken(np.flatnonzero(self.at < when))

    def since(self, when: float) -> Lookups:
        """Those from a time on."""
        return self._taken(np.flatnonzero(self.at >= when))

    def then(self, other: Lookups) -> Lookups:
        """These and others after them."""
        return Lookups(
            np.concatenate([self.at, other.at]),
            np.concatenate([self.key, other.key]),
            np.concatenate([self.wait, other.wait]),
            np.concatenate([self.lookup_ms, other.lookup_ms]),
            np.concatenate([self.backend_ms, other.backend_ms]),
        )

    def _taken(self, rows: np.typing.NDArray[np.intp]) -> Lookups:
        return Lookups(
            self.at[rows], self.key[rows], self.wait[rows], self.lookup_ms[rows], self.backend_ms[rows]
        )


class Load:
    """Draws the lookups of any minutes; the same seed gives the same ones, whatever the world has come to."""

    def __init__(self, shape: Shape, seed: int) -> None:
        self.shape = shape
        self.seed = seed
        weights = np.arange(1, shape.keys + 1, dtype=np.float64) ** -shape.exponent
        self.cumulative = np.cumsum(weights / weights.sum())

    def lookups(self, start: int, minutes: int, condition: Condition) -> Lookups:
        """The lookups of the minutes from `start`, all of them under one condition."""
        random = np.random.default_rng([self.seed, start, minutes])
        by_minute = random.poisson(self._mean(start, minutes, random) * condition.rate)
        count = int(by_minute.sum())
        at = np.sort(np.repeat(np.arange(start, start + minutes), by_minute) + random.random(count))
        ranks = np.searchsorted(self.cumulative, random.random(count) * condition.narrow)
        lookup_ms, backend_ms = (
            random.lognormal(0.0, HIT_SIGMA, count),
            random.lognormal(0.0, MISS_SIGMA, count),
        )
        fails = random.random(count)
        extra = np.random.default_rng([self.seed, start, minutes, 1])
        key = self._keys(at, ranks, condition, start, extra)
        if condition.surplus or condition.crowd:
            more_at, more_key = self._more(start, minutes, condition, extra)
            order = np.argsort(np.concatenate([at, more_at]), kind="stable")
            at, key = np.concatenate([at, more_at])[order], np.concatenate([key, more_key])[order]
            more = len(more_at)
            lookup_ms = np.concatenate([lookup_ms, extra.lognormal(0.0, HIT_SIGMA, more)])[order]
            backend_ms = np.concatenate([backend_ms, extra.lognormal(0.0, MISS_SIGMA, more)])[order]
            fails = np.concatenate([fails, extra.random(more)])[order]
        failed = fails < condition.failing
        backend_ms = MISS_MS * condition.backend * backend_ms
        backend_ms = np.where(failed, backend_ms * (10.0 if condition.slowly else 0.1), backend_ms)
        wait = np.where(failed, -1.0, backend_ms / 60_000.0)
        return Lookups(at, key, wait, HIT_MS * lookup_ms + condition.lag_ms, backend_ms)

    def _mean(self, start: int, minutes: int, random: np.random.Generator) -> Floats:
        """The expected lookups of each minute: the shape of the day and week, bursts, and a spread of 7 %."""
        minute = np.arange(start, start + minutes)
        shape = self.shape
        mean = shape.rate * (1.0 - shape.daily * np.cos(2 * np.pi * minute / DAY))
        weekday = (minute // DAY + 3) % 7
        mean = mean * np.where(weekday >= 5, shape.weekend, 1.0)
        return np.asarray(mean * self._bursts(minute) * random.gamma(200.0, 1 / 200.0, minutes))

    def _bursts(self, minute: Integers) -> Floats:
        factor = np.ones(len(minute))
        if not self.shape.bursts:
            return factor
        for slot in np.unique(minute // BURST_SLOT).tolist():
            random = np.random.default_rng([self.seed, slot, 0, 2])
            if random.random() < self.shape.bursts:
                first = slot * BURST_SLOT + int(random.integers(0, BURST_SLOT - 5))
                within = (minute >= first) & (minute < first + int(random.integers(2, 6)))
                factor[within] = random.uniform(1.2, 2.0)
        return factor

    def usual_key(self, at: Floats, rank: Integers) -> Integers:
        """The key of a rank at a time; each is replaced once a day or so."""
        age = (at.astype(np.int64) // 30 + rank) // KEY_AGE_SLOTS
        return np.asarray(1 + rank + (age % 4096) * self.shape.keys, dtype=np.int64)

    def _keys(
        self, at: Floats, rank: Integers, condition: Condition, start: int, extra: np.random.Generator
    ) -> Integers:
        key = self.usual_key(at, rank)
        if condition.unstable:
            return UNSTABLE + start * (1 << 20) + np.arange(len(key))
        if condition.renamed:
            key = key + RENAMED
        if condition.strangers:
            wide = (extra.random(len(key)) ** 2 * self.shape.keys * 8).astype(np.int64)
            key = np.where(extra.random(len(key)) < condition.strangers, STRANGERS + wide, key)
        return key

    def _more(
        self, start: int, minutes: int, condition: Condition, extra: np.random.Generator
    ) -> tuple[Floats, Integers]:
        """Lookups on top of the usual ones: for new keys, and of crowds that ask for a popular one which has just expired."""
        count = int(extra.poisson(self.shape.rate * condition.surplus * minutes))
        at = [start + extra.random(count) * minutes]
        key = [SURPLUS + (extra.random(count) * self.shape.keys * 20).astype(np.int64)]
        for _ in range(CROWDS_A_MINUTE * minutes if condition.crowd else 0):
            when = np.array([start + extra.random() * minutes])
            hot = self.usual_key(when, extra.integers(0, HOTTEST, 1))
            at += [when, when + 1e-6 * np.arange(1, condition.crowd + 1)]
            key += [-hot, np.repeat(hot, condition.crowd)]
        return np.concatenate(at), np.concatenate(key)
