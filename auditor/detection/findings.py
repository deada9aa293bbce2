"""From tests to findings: what is both improbable and large enough to matter."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from auditor.detection.budget import CALIBRATED
from auditor.detection.signals import AT
from auditor.detection.tails.calibrated import slowed
from auditor.detection.tails.count import count_tails
from auditor.detection.tails.elementary import exact_exp
from auditor.detection.tested import METRICS, ROW, SEQUENCES, Test

if TYPE_CHECKING:
    from auditor.detection.budget import Levels
    from auditor.detection.policy import Floor, Policy
    from auditor.detection.profile import Profile
    from auditor.detection.signature import Direction
    from auditor.detection.tested import Tested
    from auditor.detection.windows import Floats

Mask = np.typing.NDArray[np.bool_]

LEAST_OPERATIONS: Final = 10
"""Fewer operations than this are no evidence of a rate, whatever they show."""
LEAST_SPAN_TIMED: Final = 100
"""Operations of a span below which its high percentiles are a handful of draws from a heavy tail."""
LEAST_SPAN_AVERAGED: Final = 30
"""Operations of a span below which its average is."""
LEAST_EXCESS: Final = 5
"""Misses, or errors, beyond what was expected, below which a rate is not worth waking anyone."""
SETTLED_HOURS: Final = 24
"""Hours of history before a rise of the cache's size is anything but the cache filling, and traffic anything but the time of day."""
LEAK_RATIO: Final = 1.5
TRAFFIC_FLOOR: Final = 0.5
"""Relative change of the traffic that is worth an info."""
LEANING: Final = 0.5
"""Share of the least effect that the newest window must show for the quarter of an hour behind it to be news."""
BOTH: Final[tuple[Direction, Direction]] = ("drop", "rise")
LATENCIES: Final = ("avg_response_time_ms", "p95_response_time_ms", "p99_response_time_ms")
HITS_LATENCY: Final = "avg_hit_response_time_ms"
LEAST_LATER_MS: Final = 1.0
"""Milliseconds that hits have to take longer: a cache within the process takes twice as long when the processor is busy, and nobody waits for it."""
BETTER: Final = 1e-3
"""The p-value of a rise of the hit rate from which on a smaller cache hurts nobody: fewer misses fill it with less."""
BOTH_PARTS: Final = 2
"""Hits and misses are timed apart, and both are learned."""
PERCENTILE: Final = {"p95_response_time_ms": 0.95, "p99_response_time_ms": 0.99}

INFO, WARNING, CRITICAL = 1, 2, 3
"""Levels of a finding; 0 is none. CRITICAL means that the effect is: how long it has to last is the incident's business."""


@dataclass(frozen=True, slots=True)
class Side:
    """One metric's findings in one direction; arrays of shape (n,).

    `level` is 0 where there is none; `p` the one-sided p-value as calibrated, `value` and `expected` what the effect is of: of the window
    or the span whose test found it (`test`, by `Test`; a sequence shows its quarter of an hour). `improbable` is where a test
    rejects on enough operations, however small the effect; `returned` where it is only what the days before were like.
    """

    metric: str
    direction: Direction
    level: np.typing.NDArray[np.int8]
    p: Floats
    value: Floats
    expected: Floats
    test: np.typing.NDArray[np.int8]
    improbable: Mask
    returned: Mask | None = None

    @property
    def any(self) -> bool:
        """Whether there is anything to say at all."""
        return bool(self.level.any() or self.improbable.any())

    def at(self, i: int) -> dict[str, Any]:
        """The finding of window i as plain JSON."""
        value, expected = float(self.value[i]), float(self.expected[i])
        return {
            "metric": self.metric,
            "direction": self.direction,
            "level": int(self.level[i]),
            "p": float(self.p[i]),
            "value": value,
            "expected": expected,
            "absolute": value - expected,
            "relative": (value - expected) / expected if expected else 0.0,
        } | ({"returned": True} if self.returned is not None and self.returned[i] else {})


@dataclass(frozen=True, slots=True)
class _Effect:
    """How large an effect has to be: `least` of what was expected (or absolutely), on so many operations, with so much excess."""

    least: float
    relative: bool = True
    operations: float = 0.0
    span_operations: float = 0.0
    excess: float = 0.0

    def size(self, sign: float, value: Floats, expected: Floats) -> Floats:
        """The effect in this direction, in the measure of `least`."""
        shift = sign * (value - expected)
        return shift / np.maximum(expected, 1e-12) if self.relative else shift

    def reached(self, sign: float, value: Floats, expected: Floats, weight: Floats, least: float) -> Mask:
        """Where the effect is at least `least`, with enough excess."""
        return (self.size(sign, value, expected) >= least) & self.excessive(sign, value, expected, weight)

    def excessive(self, sign: float, value: Floats, expected: Floats, weight: Floats) -> Mask:
        """Where enough events stand behind the effect."""
        shift = sign * (value - expected)
        return (shift > 0.0) & (shift * weight >= self.excess)


def find(profile: Profile, tested: Tested, levels: Levels, policy: Policy) -> list[Side]:
    """Every metric's findings in every direction that has one."""
    with np.errstate(invalid="ignore"):
        rejects = _rejections(tested, levels)
        if not rejects:
            return []
        sides: list[Side] = []
        for name in _ORDER:
            if name in rejects:
                judged = _Judged(name, tested, levels, rejects[name])
                sides += _sides(judged, profile, policy)
    return [side for side in sides if side.any]


_ORDER: Final = (
    "hit_rate",
    "error_rate",
    "eviction_rate",
    "throughput",
    "p95_response_time_ms",
    "p99_response_time_ms",
    "cache_size",
    "avg_response_time_ms",
    "avg_hit_response_time_ms",
)
"""In which an incident lists what was found in the same minute."""


def _rejections(tested: Tested, levels: Levels) -> dict[str, set[Direction]]:
    """On which sides of which metrics any test rejects at all; most blocks have none."""
    found: dict[str, set[Direction]] = {}
    below = tested.tails <= levels.alpha[: Test.SEQUENCE, :, None]
    # the exact comparison is that of `side`
    beyond = tested.evidence >= levels.of_sequences - 0.01
    if not (below.any() or beyond.any()):
        return found
    for of_direction, direction in enumerate(BOTH):
        rows = np.flatnonzero(below[of_direction].any(axis=(0, 2))).tolist()
        sequences = np.flatnonzero(beyond[of_direction].any(axis=1)).tolist()
        for name in {*(METRICS[row] for row in rows), *(SEQUENCES[row] for row in sequences)}:
            if direction in CALIBRATED[name]:
                found.setdefault(name, set()).add(direction)
    return found


def _sides(judged: _Judged, profile: Profile, policy: Policy) -> list[Side]:
    name = judged.name
    match name:
        case "hit_rate":
            sides = _hit_rate(judged, policy.hit_rate)
        case "error_rate":
            sides = [_error_rate(judged, policy.error_rate)]
        case "eviction_rate":
            sides = [_eviction_rate(judged, policy.eviction_rate, profile)]
        case "throughput":
            sides = _throughput(judged, profile)
        case "cache_size":
            sides = _cache_size(judged, policy.cache_size, profile)
        case "avg_hit_response_time_ms":
            sides = [_hits_latency(judged, policy.hit_response_time)]
        case _:
            sides = _latency(judged, policy.response_time)
    return sides


@dataclass(frozen=True, slots=True)
class _Judged:
    """One metric's tests with their levels, and the sides on which any of them rejects; `side` looks at them from one direction."""

    name: str
    tested: Tested
    levels: Levels
    rejecting: set[Direction]

    def side(self, direction: Direction, effect: _Effect) -> tuple[Mask, Mask, Side]:
        """Where a test rejects with an effect, where a sequence rejects with too small a one, and the side without its levels.

        The first test to reject, in the order of `Test`, tells value, expectation and p.
        """
        window = self.tested.shown(Test.WINDOW, self.name)
        sign = -1.0 if direction == "drop" else 1.0
        count = len(window.value)
        found, improbable, slight = np.zeros((3, count), dtype=np.bool_)
        p, value, expected = np.full(count, np.nan), window.value.copy(), window.expected.copy()
        which = np.zeros(count, dtype=np.int8)
        for test in Test if direction in self.rejecting else ():
            tail, level = self._tail(test, direction), self.levels.of(self.name, test)
            alpha = math.exp(-level)
            if tail is None or not (tail <= alpha).any():
                continue
            shown = self.tested.shown(test, self.name)
            rejects = (tail <= alpha) & self._least(test, effect, shown.weight)
            improbable |= rejects
            if not rejects.any():
                continue
            reaches = effect.reached(sign, shown.value, shown.expected, shown.weight, effect.least)
            if test is not Test.WINDOW:
                reaches &= effect.size(sign, window.value, window.expected) >= LEANING * effect.least
            if test is Test.SEQUENCE:
                few = self.tested.shown(Test.FEW, self.name)
                slight = rejects & effect.excessive(sign, shown.value, shown.expected, shown.weight)
                slight &= sign * (few.value - few.expected) > 0.0
            first = ((rejects & reaches) | slight) & ~found
            p[first] = slowed(tail[first], level, self.levels.nominal)
            value[first], expected[first], which[first] = shown.value[first], shown.expected[first], test
            found |= rejects & reaches
        side = Side(self.name, direction, found.astype(np.int8), p, value, expected, which, improbable)
        return found, slight & ~found, side

    def _tail(self, test: Test, direction: Direction) -> Floats | None:
        tested = self.tested
        falls = direction == "drop"
        if test is Test.SEQUENCE:
            if self.name not in SEQUENCES:
                return None
            return exact_exp(-tested.evidence[0 if falls else 1, SEQUENCES.index(self.name)])
        tail: Floats = tested.tails[0 if falls else 1, test, ROW[self.name]]
        return tail

    def _least(self, test: Test, effect: _Effect, weight: Floats) -> Mask:
        return weight >= (effect.operations if test is Test.WINDOW else effect.span_operations)


def _levelled(side: Side, found: Mask, warning: Mask, critical: Mask, *, settled: bool = True) -> Side:
    if not (side.level.any() or side.improbable.any()):
        return side
    level = np.where(found, np.where(critical, CRITICAL, np.where(warning, WARNING, INFO)), 0)
    return replace(side, level=level.astype(np.int8), improbable=side.improbable & settled)


def _relative(value: Floats, expected: Floats) -> Floats:
    return (value - expected) / np.maximum(expected, 1e-12)


def _hit_rate(judged: _Judged, floor: Floor) -> list[Side]:
    effect = _Effect(floor.warning, operations=LEAST_OPERATIONS, excess=LEAST_EXCESS)
    sides = []
    for direction in BOTH:
        found, slight, side = judged.side(direction, effect)
        drops = direction == "drop"
        critical = found & drops & (_relative(side.value, side.expected) <= -floor.critical)
        sides.append(_levelled(side, found | slight, found & drops, critical))
    return sides


def _error_rate(judged: _Judged, floor: Floor) -> Side:
    effect = _Effect(floor.warning, relative=False, operations=LEAST_OPERATIONS, excess=LEAST_EXCESS)
    found, slight, side = judged.side("rise", effect)
    critical = found & (side.value - side.expected >= floor.critical)
    return _levelled(side, found | slight, found, critical)


def _eviction_rate(judged: _Judged, floor: Floor, profile: Profile) -> Side:
    """Evictions alone hurt nobody: what they cost shows in the hit rate, which leads; alone they are an info."""
    effect = _Effect(floor.warning, operations=LEAST_OPERATIONS, excess=LEAST_EXCESS)
    found, _, side = judged.side("rise", effect)
    settled = bool(profile.hours[AT["eviction_rate"]] >= SETTLED_HOURS)
    never = np.zeros_like(found)
    return _levelled(side, found & settled, never, never, settled=settled)


def _throughput(judged: _Judged, profile: Profile) -> list[Side]:
    """Traffic is the users' business: a finding explains others and is an info by itself."""
    sides = []
    window = judged.tested.shown(Test.WINDOW, judged.name)
    enough = np.fmax(window.expected, window.value) >= LEAST_OPERATIONS
    enough &= bool(profile.hours[AT["throughput"]] >= SETTLED_HOURS)
    enough &= ~judged.tested.doubtful
    never = np.zeros_like(enough)
    for direction in BOTH:
        found, _, side = judged.side(direction, _Effect(TRAFFIC_FLOOR))
        side = replace(side, improbable=side.improbable & enough)
        sides.append(_levelled(side, found & enough, never, never))
    return sides


def _latency(judged: _Judged, floor: Floor) -> list[Side]:
    average = judged.name == "avg_response_time_ms"
    timed = LEAST_SPAN_AVERAGED if average else LEAST_SPAN_TIMED
    effect = _Effect(floor.warning, operations=LEAST_OPERATIONS, span_operations=timed)
    sides = []
    for direction in BOTH:
        found, slight, side = judged.side(direction, effect)
        rises = direction == "rise"
        if not average and side.any:
            keep = (
                ~_explained_by_mix(judged.name, judged.tested) if rises else _parts_are_faster(judged.tested)
            )
            found, side = found & keep, replace(side, improbable=side.improbable & keep)
        critical = found & rises & (_relative(side.value, side.expected) >= floor.critical)
        sides.append(_levelled(side, found | slight, found & rises, critical))
    return sides


def _hits_latency(judged: _Judged, floor: Floor) -> Side:
    """The cache itself has become slow, which the average may hide: where misses take a hundred times as long, hits are next to nothing in it."""
    effect = _Effect(floor.warning, operations=LEAST_OPERATIONS, span_operations=LEAST_SPAN_AVERAGED)
    found, _, side = judged.side("rise", effect)
    later = side.value - side.expected >= LEAST_LATER_MS
    found, side = found & later, replace(side, improbable=side.improbable & later)
    critical = found & (_relative(side.value, side.expected) >= floor.critical)
    return _levelled(side, found, found, critical)


def _explained_by_mix(name: str, tested: Tested) -> Mask:
    """Where a high percentile is what more misses give, and neither hits nor misses are slow.

    Either the hit rate is down, or the percentile, usually a hit's latency, is that of a miss by its rank.
    """
    explained = _either(tested.low[:, ROW["hit_rate"]], 0.02)
    if tested.fewer is not None:
        explained |= tested.fewer
    explained |= _crossed(name, tested)
    for part in tested.of_parts:
        explained &= ~_either(part.high[:, 0], 0.001)
    return explained


def _crossed(name: str, tested: Tested) -> Mask:
    """Where a percentile that is usually a hit's falls among the misses that the window has.

    It is usually a hit's where it is nearer to a hit's latency than to a miss's, or, where they are not timed apart, where the misses are too few.
    """
    rate, share = ROW["hit_rate"], PERCENTILE[name]
    if len(tested.of_parts) == BOTH_PARTS:
        hit, miss = tested.of_parts
        of_hits: Mask = tested.expected[ROW[name]] ** 2 < hit.expected[0] * miss.expected[0]
        of_hits &= hit.there[0] & miss.there[0]
    else:
        of_hits = tested.expected[rate] > share
    of_misses: Mask = tested.value[rate] <= share
    return of_hits & of_misses


def _parts_are_faster(tested: Tested) -> Mask:
    """Where hits or misses are faster themselves: a high percentile falls by right when there are fewer misses."""
    faster = np.zeros(tested.low.shape[-1], dtype=np.bool_)
    for part in tested.of_parts:
        faster |= _either(part.low[:, 0], 0.001)
    return faster


def _either(tails: Floats, most: float) -> Mask:
    """Where the window, or the quarter of an hour, has a tail of at most so much; `tails` has shape (3, n), by `Test`."""
    either: Mask = (tails[Test.WINDOW] <= most) | (tails[Test.QUARTER] <= most)
    return either


def _cache_size(judged: _Judged, floor: Floor, profile: Profile) -> list[Side]:
    """A fall is a flush or a cut; a rise is the cache filling, unless it goes far beyond all it has ever held."""
    found, _, side = judged.side("drop", _Effect(floor.warning))
    never = np.zeros_like(found)
    better = _either(judged.tested.high[:, ROW["hit_rate"]], BETTER)
    dropped = _levelled(side, found, found & ~better, never)
    found, _, side = judged.side("rise", _Effect(floor.warning))
    settled = bool(profile.hours[AT["cache_size"]] >= SETTLED_HOURS)
    size = judged.tested.shown(Test.WINDOW, judged.name).value
    leak = found & (size >= LEAK_RATIO * np.exp(profile.highest[AT["cache_size"]]))
    return [dropped, _levelled(side, found & settled, leak & settled, never, settled=settled)]


def silence_probability(profile: Profile, expected: Floats, minutes: Floats) -> Floats:
    """The probability that nothing comes in as much time as so many `minutes` are worth that each expect `expected` lookups.

    What follows a miss, a set or an eviction, is no further chance to be heard. Of the negative binomial with the throughput's drift shared by all the minutes and its spread averaging out.
    """
    at = AT["throughput"]
    size = 1.0 / np.expm1(profile.drift[at] + profile.spread[at] / np.maximum(minutes, 1.0))
    low, _ = count_tails(np.zeros(len(minutes)), np.maximum(expected * minutes, 1e-9), size)
    return low
