"""A run of consecutive one-minute windows of one cache, one array per column."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Floats = NDArray[np.float64]

COLUMNS: Final = (
    "total_operations",
    "hits",
    "misses",
    "sets",
    "evictions",
    "errors",
    "avg_response_time_ms",
    "p50_response_time_ms",
    "p95_response_time_ms",
    "p99_response_time_ms",
    "max_response_time_ms",
    "avg_cache_size",
    "max_cache_size",
    "hit_rate",
    "avg_hit_response_time_ms",
    "avg_miss_response_time_ms",
)
"""The columns of `monitoring.cache_metrics_1min` that the detector reads."""


def as_reported(values: Sequence[Any]) -> Floats:
    """A column as rows hold it, shape (n,): None is unknown, so NaN here; NaN is no number, and made infinite, as which no value passes for right."""
    numbers = np.array(values, dtype=np.float64)
    for at in np.flatnonzero(np.isnan(numbers)).tolist():
        if values[at] is not None:
            numbers[at] = math.inf
    return numbers


@dataclass(frozen=True, slots=True)
class WindowBlock:
    """Consecutive minutes of one cache, with none left out: a minute without a row is there as absent.

    Parameters
    ----------
    implementation_type
        The name of the cache.
    first_minute
        The first window's start, in whole minutes since 1970-01-01 UTC.
    values
        float64 array of shape (columns, n), its rows in the order of `COLUMNS`; NaN where the value is unknown, infinite where the row has
        one that is no number.
    present
        Boolean array of shape (n,): whether the minute has a row at all.
    revision
        int64 array of shape (n,): the transaction that last wrote the row; 0 where unknown or absent.
    """

    implementation_type: str
    first_minute: int
    values: Floats
    present: NDArray[np.bool_]
    revision: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.present)

    @property
    def columns(self) -> dict[str, Floats]:
        """The rows of `values` by name, not copied."""
        return dict(zip(COLUMNS, self.values, strict=True))

    @property
    def last_minute(self) -> int:
        """The last window's start, in minutes since 1970; first_minute - 1 where the block is empty."""
        return self.first_minute + len(self.present) - 1

    @classmethod
    def from_rows(
        cls,
        implementation_type: str,
        minutes: Sequence[int] | NDArray[np.int64],
        columns: Mapping[str, ArrayLike],
        *,
        first_minute: int,
        last_minute: int,
        revision: Sequence[int] | NDArray[np.int64] | None = None,
    ) -> Self:
        """Lay rows out over first_minute..last_minute inclusive, absent minutes filled as absent.

        Rows may come in any order; None and NaN mean unknown; a column that is not given is unknown throughout.

        Raises
        ------
        ValueError
            If a minute comes twice or lies outside the span, or a column's length is not the number of rows.
        """
        at = np.asarray(minutes, dtype=np.int64) - first_minute
        count = last_minute - first_minute + 1
        if len(at) and (at.min() < 0 or at.max() >= count):
            raise ValueError(f"a window of {implementation_type} lies outside its block")
        if len(np.unique(at)) != len(at):
            raise ValueError(f"a minute of {implementation_type} comes twice in one block")
        laid = np.full((len(COLUMNS), count), np.nan)
        for row, name in enumerate(COLUMNS):
            if name in columns:
                values = np.asarray(columns[name], dtype=np.float64)
                if values.shape != at.shape:
                    raise ValueError(f"column {name} has {values.size} values for {at.size} windows")
                laid[row, at] = values
        present = np.zeros(count, dtype=np.bool_)
        present[at] = True
        revisions = np.zeros(count, dtype=np.int64)
        if revision is not None:
            revisions[at] = np.asarray(revision, dtype=np.int64)
        return cls(implementation_type, first_minute, laid, present, revisions)

    def slice(self, start: int, stop: int) -> WindowBlock:
        """The windows at positions start..stop-1, as a block of their own."""
        return WindowBlock(
            self.implementation_type,
            self.first_minute + start,
            self.values[:, start:stop],
            self.present[start:stop],
            self.revision[start:stop],
        )
