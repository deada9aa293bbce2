"""Whether a fault matters, and since when: told from the simulation's own truth, never from the detector.

The truth is the fault-free twin: the same world with the same seed in the same minutes. A fault is material from the first window by
whose end the windows since it began (at most the last fifteen of them, or that window alone) differ from the twin by at least the
practical floor of the settings *and* by more than chance: so that a test which knew the twin's rates would be wrong once in a million. The
rules, with the twin's rates taken from the hour on either side:

- hit rate: down by the floor, relative; ten lookups and five misses too many at least; exact binomial tail.
- error rate: up by the floor, absolute; ten operations and five errors too many at least; exact binomial tail.
- response time: up by the floor against the twin's hits and misses in the fault's own mix, so that more misses alone are none; five standard
  errors, from the known spread of single calls.
- size: down by the floor and by five standard deviations of the twin's own.
- silence: two minutes without a row, where the twin's operations make that a matter of one in a million (Poisson).
- validity: any window that contradicts itself.

An improvement is material by the same rules with the signs turned: hit rate up, or response time down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import stats

from benchmarks.fault_condition import HIT_SIGMA, MISS_SIGMA

if TYPE_CHECKING:
    from auditor.detection.policy import Policy
    from benchmarks.fault_windows import Columns

SPAN: Final = 15
AROUND: Final = 60
CHANCE: Final = 1e-6
ERRORS: Final = 5.0
LEAST_OPERATIONS: Final = 10
LEAST_EXCESS: Final = 5


def material_since(
    twin: Columns, faulty: Columns, before: int, policy: Policy, *, better: bool = False
) -> tuple[int, str] | None:
    """The first window in which a fault is material, counted from the one it began in, and by what; None if it never is.

    Parameters
    ----------
    twin
        Columns of the fault-free windows, from `before` windows before the fault on.
    faulty
        Columns of the windows from the fault's beginning to its end.
    before
        Windows of the twin that come before.
    policy
        Whose floors hold.
    better
        Whether the fault is an improvement.
    """
    for last in range(len(faulty["hits"])):
        around = slice(max(0, before + last - AROUND), before + last + AROUND)
        normal = _Totals.of(twin, around)
        spans = [_Totals.of(faulty, slice(first, last + 1)) for first in (max(0, last + 1 - SPAN), last)]
        sign = -1.0 if better else 1.0
        moved = {
            "hit_rate": any(_hit_rate_moved(normal, seen, sign, policy) for seen in spans),
            "response_time": any(_response_time_moved(normal, seen, sign, policy) for seen in spans),
        }
        if not better:
            moved |= {
                "error_rate": any(_errors_rose(normal, seen, policy) for seen in spans),
                "cache_size": _shrank(twin["avg_cache_size"][around], faulty["avg_cache_size"][last], policy),
                "silence": _silent(normal, faulty["total_operations"][: last + 1]),
                "window_validity": spans[1].gets > spans[1].operations,
            }
        for name, has in moved.items():
            if has:
                return last, name
    return None


@dataclass(frozen=True, slots=True)
class _Totals:
    """What some windows came to; `hit_ms` and `miss_ms` are means, 0 where there were none."""

    windows: int
    hits: float
    misses: float
    errors: float
    operations: float
    hit_ms: float
    miss_ms: float

    @classmethod
    def of(cls, columns: Columns, which: slice) -> _Totals:
        part = {name: np.nan_to_num(column[which]) for name, column in columns.items()}
        hits, misses = float(part["hits"].sum()), float(part["misses"].sum())
        return cls(
            len(part["hits"]),
            hits,
            misses,
            float(part["errors"].sum()),
            float(part["total_operations"].sum()),
            float((part["avg_hit_response_time_ms"] * part["hits"]).sum()) / max(hits, 1.0),
            float((part["avg_miss_response_time_ms"] * part["misses"]).sum()) / max(misses, 1.0),
        )

    @property
    def gets(self) -> float:
        return self.hits + self.misses


def _hit_rate_moved(normal: _Totals, seen: _Totals, sign: float, policy: Policy) -> bool:
    rate = (normal.hits + 0.5) / (normal.gets + 1.0)
    lost = sign * (rate * seen.gets - seen.hits)
    if seen.gets < LEAST_OPERATIONS or lost < max(LEAST_EXCESS, policy.hit_rate.warning * rate * seen.gets):
        return False
    tail = (
        stats.binom.cdf(seen.hits, seen.gets, rate)
        if sign > 0
        else stats.binom.sf(seen.hits - 1, seen.gets, rate)
    )
    return bool(tail <= CHANCE)


def _errors_rose(normal: _Totals, seen: _Totals, policy: Policy) -> bool:
    rate = (normal.errors + 0.5) / (normal.operations + 1.0)
    more = seen.errors - rate * seen.operations
    if seen.operations < LEAST_OPERATIONS or more < max(
        LEAST_EXCESS, policy.error_rate.warning * seen.operations
    ):
        return False
    return bool(stats.binom.sf(seen.errors - 1, seen.operations, rate) <= CHANCE)


def _response_time_moved(normal: _Totals, seen: _Totals, sign: float, policy: Policy) -> bool:
    if seen.gets < LEAST_OPERATIONS:
        return False
    expected = seen.hits * normal.hit_ms + seen.misses * normal.miss_ms
    added = sign * (seen.hits * seen.hit_ms + seen.misses * seen.miss_ms - expected)
    if added < policy.response_time.warning * expected:
        return False
    variance = seen.hits * normal.hit_ms**2 * np.expm1(HIT_SIGMA**2)
    variance += seen.misses * normal.miss_ms**2 * np.expm1(MISS_SIGMA**2)
    return bool(added >= ERRORS * np.sqrt(variance))


def _shrank(twin: np.typing.NDArray[np.float64], size: float, policy: Policy) -> bool:
    logs = np.log(twin[np.isfinite(twin)] + 1.0)
    if not (len(logs) and np.isfinite(size)):
        return False
    away = float(np.median(logs) - np.log(size + 1.0))
    return bool(away >= max(-np.log(1.0 - policy.cache_size.warning), ERRORS * float(np.std(logs))))


def _silent(normal: _Totals, operations: np.typing.NDArray[np.float64]) -> bool:
    there = np.flatnonzero(operations > 0)
    run = len(operations) - (int(there[-1]) + 1 if len(there) else 0)
    return run >= 2 and run * normal.operations / normal.windows >= -np.log(CHANCE)
