"""The load: who asks for what and when, minute by minute; everything follows from the seed and the minute alone.

Minutes are counted from an origin, so that a seed gives the same load whatever the time of day it is shown at.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from auditor.detection.windows import Floats

_BEFORE_ORIGIN: Final = 1_000_000
"""Minutes before the origin for which there is a load."""
_HOURS_TO_PEAK: Final = 3
_KEYS: Final = 0
_BURST: Final = 1
_MINUTE: Final = 2
_BURST_SLOT_MINUTES: Final = 30
_CROWDS: Final = 3
_CROWD_SECONDS: Final = 0.3


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the cache's users do on any day.

    Parameters
    ----------
    per_minute
        Lookups a minute, averaged over the day.
    daily
        How far the day's shape swings about 1: the factor runs from 1 - daily to 1 + daily, its peak three hours after
        the origin.
    keys, exponent
        How many questions there are, and the exponent of Zipf's law by which they are asked.
    key_lifetime_minutes
        After so long a question has been replaced by a new one of the same popularity: the slow drift.
    hit_ms, set_ms, backend_ms
        Medians of what a lookup, a set and the backend take; hit_sigma, backend_sigma their spread (lognormal).
    failing
        The share of the backend's calls that fail.
    """

    per_minute: float = 75.0
    daily: float = 0.45
    keys: int = 20_000
    exponent: float = 1.1
    key_lifetime_minutes: int = 4 * 1440
    hit_ms: float = 2.0
    set_ms: float = 3.0
    hit_sigma: float = 0.45
    backend_ms: float = 420.0
    backend_sigma: float = 0.5
    failing: float = 0.002


@dataclass(frozen=True, slots=True)
class Condition:
    """What is different from any day; a fault changes it, and the end of the fault puts it back.

    Parameters
    ----------
    backend_factor, failing
        The backend takes so many times as long; so large a share of its calls fails.
    lookup_lag_ms
        Added to each lookup of the cache.
    unstable_keys
        A changing part has got into the key, so that no key comes twice.
    strangers
        The share of lookups that ask for something from a far wider set of questions.
    surplus
        Additional lookups for new keys, as a multiple of the normal ones.
    crowd
        Three times a minute a popular entry expires, and so many users ask for it at once.
    """

    backend_factor: float = 1.0
    failing: float = 0.0
    lookup_lag_ms: float = 0.0
    unstable_keys: bool = False
    strangers: float = 0.0
    surplus: float = 0.0
    crowd: int = 0


NORMAL: Final = Condition()


@dataclass(frozen=True, slots=True)
class Lookups:
    """The lookups of one minute in order of time; lists of one length.

    `at` in seconds since 1970; `lookup_ms`, `set_ms` and `backend_ms` are what each step would take on an idle system;
    `fails` whether the backend would fail. `expiries` are (time, key) of entries that expire out of turn.
    """

    at: list[float]
    key: list[str]
    lookup_ms: list[float]
    set_ms: list[float]
    backend_ms: list[float]
    fails: list[bool]
    expiries: list[tuple[float, str]]


class Load:
    """Draws the lookups of any minute.

    Parameters
    ----------
    traffic
        The users' habits.
    seed
        The same seed gives the same lookups in the same minutes, whatever was drawn before.
    origin
        Minutes since 1970 from which the others are counted.
    """

    def __init__(self, traffic: Traffic, seed: int, *, origin: int) -> None:
        self.traffic = traffic
        self.seed = seed
        self._epoch = origin - _BEFORE_ORIGIN
        weights = np.arange(1, traffic.keys + 1, dtype=np.float64) ** -traffic.exponent
        self._cumulative = np.cumsum(weights / weights.sum())
        self._phases = np.random.default_rng([seed, _KEYS]).integers(
            0, traffic.key_lifetime_minutes, traffic.keys
        )

    def expected_lookups(self, minute: int) -> float:
        """The mean number of lookups in a minute (since 1970) of any day, bursts apart."""
        to_peak = self._epoch + _BEFORE_ORIGIN + 60 * _HOURS_TO_PEAK - minute
        return self.traffic.per_minute * (1 + self.traffic.daily * math.cos(2 * math.pi * to_peak / 1440))

    def burst(self, minute: int) -> float:
        """The factor of the burst that is under way; 1 where none is. One half-hour in eight has one of a few minutes."""
        slot, within = divmod(minute - self._epoch, _BURST_SLOT_MINUTES)
        random = np.random.default_rng([self.seed, _BURST, slot])
        if random.random() > 1 / 8:
            return 1.0
        lasts = int(random.integers(2, 6))
        starts = int(random.integers(0, _BURST_SLOT_MINUTES - lasts))
        return float(random.uniform(1.1, 1.35)) if starts <= within < starts + lasts else 1.0

    def minute(self, minute: int, condition: Condition = NORMAL) -> Lookups:
        """The lookups of a minute, given in minutes since 1970."""
        random = np.random.default_rng([self.seed, _MINUTE, minute - self._epoch])
        mean = self.expected_lookups(minute) * self.burst(minute) * random.gamma(400.0, 1 / 400.0)
        count = int(random.poisson(mean))
        at = 60.0 * minute + 60.0 * np.sort(random.random(count))
        keys = self._keys(random, minute, count, condition)
        drawn = self._dressed(random, at, keys, condition, [])
        if condition.surplus > 0.0:
            drawn = _merged(drawn, self._surplus(random, minute, condition))
        if condition.crowd > 0:
            drawn = _merged(drawn, self._crowds(random, minute, condition))
        return drawn

    def key(self, rank: int, minute: int) -> str:
        """The question that holds a place (0 is the most popular) in a minute."""
        generation = (minute - self._epoch + int(self._phases[rank])) // self.traffic.key_lifetime_minutes
        return f"answer:{rank}.{generation % 1000}"

    def _keys(self, random: np.random.Generator, minute: int, count: int, condition: Condition) -> list[str]:
        ranks = np.searchsorted(self._cumulative, random.random(count))
        ranks = np.minimum(ranks, self.traffic.keys - 1)
        generations = (minute - self._epoch + self._phases[ranks]) // self.traffic.key_lifetime_minutes % 1000
        keys = [
            f"answer:{rank}.{generation}"
            for rank, generation in zip(ranks.tolist(), generations.tolist(), strict=True)
        ]
        strange = random.random(count) < condition.strangers
        wide = (random.random(count) * 20 * self.traffic.keys).astype(np.int64)
        for i in np.flatnonzero(strange).tolist():
            keys[i] = f"answer:wide.{wide[i]}"
        if condition.unstable_keys:
            return [f"{key}:{minute - self._epoch}.{i}" for i, key in enumerate(keys)]
        return keys

    def _dressed(
        self,
        random: np.random.Generator,
        at: Floats,
        keys: list[str],
        condition: Condition,
        expiries: list[tuple[float, str]],
    ) -> Lookups:
        """The lookups with what each step takes; a condition draws as much as none does, so that only it differs."""
        t, count = self.traffic, len(keys)
        lag = condition.lookup_lag_ms * random.lognormal(0.0, 0.3, count)
        lookup = t.hit_ms * random.lognormal(0.0, t.hit_sigma, count) + lag
        failing = max(t.failing, condition.failing)
        return Lookups(
            at=at.tolist(),
            key=keys,
            lookup_ms=lookup.round(4).tolist(),
            set_ms=(t.set_ms * random.lognormal(0.0, t.hit_sigma, count)).round(4).tolist(),
            backend_ms=(
                t.backend_ms * condition.backend_factor * random.lognormal(0.0, t.backend_sigma, count)
            )
            .round(3)
            .tolist(),
            fails=(random.random(count) < failing).tolist(),
            expiries=expiries,
        )

    def _surplus(self, random: np.random.Generator, minute: int, condition: Condition) -> Lookups:
        """A crawler: new keys, hardly any of them twice."""
        count = int(random.poisson(self.expected_lookups(minute) * condition.surplus))
        at = 60.0 * minute + 60.0 * np.sort(random.random(count))
        wide = (random.random(count) * 1e6).astype(np.int64).tolist()
        return self._dressed(random, at, [f"crawl:{n}" for n in wide], condition, [])

    def _crowds(self, random: np.random.Generator, minute: int, condition: Condition) -> Lookups:
        starts = 60.0 * minute + 20.0 * np.arange(_CROWDS) + 15.0 * random.random(_CROWDS)
        keys = [self.key(int(rank), minute) for rank in random.integers(0, 8, _CROWDS)]
        delays = np.sort(_CROWD_SECONDS * random.random((_CROWDS, condition.crowd)), axis=1)
        at = (starts[:, None] + 1e-3 + delays).ravel()
        asked = [key for key in keys for _ in range(condition.crowd)]
        return self._dressed(random, at, asked, condition, list(zip(starts.tolist(), keys, strict=True)))


def _merged(one: Lookups, other: Lookups) -> Lookups:
    order = np.argsort(np.asarray(one.at + other.at), kind="stable").tolist()
    return replace(
        one,
        **{
            name: [(getattr(one, name) + getattr(other, name))[i] for i in order]
            for name in ("at", "key", "lookup_ms", "set_ms", "backend_ms", "fails")
        },
        expiries=sorted(one.expiries + other.expiries),
    )
