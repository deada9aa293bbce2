"""What the tests of a metric say of each window: alone, with the few minutes before it, and in sequence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.detection.windows import Floats


class Test(IntEnum):
    """The tests of one metric in one direction."""

    WINDOW = 0
    FEW = 1
    """The four windows that end with this one."""
    QUARTER = 2
    """The quarter of an hour that ends with it."""
    SEQUENCE = 3
    """All the evidence since it was last spent."""


SPANS: Final = (Test.FEW, Test.QUARTER)
WIDTH: Final[Mapping[Test, int]] = {Test.WINDOW: 1, Test.FEW: 4, Test.QUARTER: 15}
"""Windows in a span."""
LEAST_KNOWN: Final[Mapping[Test, int]] = {Test.FEW: 3, Test.QUARTER: 8}
"""Windows of a span that must say something."""
LEAD: Final = max(WIDTH.values()) - 1
"""Windows before the first that its spans reach back to."""


@dataclass(frozen=True, slots=True)
class Spanned:
    """One metric's spans; every array has shape (n,), NaN where too little is known.

    `low` and `high` are one-sided p-values, 1 where the span is within one and a half deviations of what was expected or its newest
    window lies on the other side of that: what is over is not news. `value` and `expected` are on the metric's own scale,
    `weight` the operations behind them, `variance` the part that is not counting, `windows` those that said something.
    """

    low: Floats
    high: Floats
    value: Floats
    expected: Floats
    weight: Floats
    variance: Floats
    windows: Floats


@dataclass(frozen=True, slots=True)
class Tested:
    """One metric's windows tested; every array has shape (n,), NaN where there is no evidence.

    Parameters
    ----------
    value, expected
        In the metric's own scale: rates 0..1, counts, milliseconds, entries.
    low, high
        One-sided p-values of the window: of something as low, and as high.
    weight
        Operations behind the value.
    centre, variance
        Location of the predictive distribution on the link scale, and the part of its variance that is not counting.
    spans
        `Spanned` by `Test.FEW` and `Test.QUARTER`.
    fall, rise
        Log e-values of a lasting change; see `sequential`. None of a metric that has no such test.
    doubt
        How far on the link scale the value may be off for want of knowing the days of the week; None of a metric that they do not move.
    fewer
        Where unusually few lookups leave less expected; None where that has not been looked at. See `response`.
    """

    value: Floats
    expected: Floats
    low: Floats
    high: Floats
    weight: Floats
    centre: Floats
    variance: Floats
    spans: Mapping[Test, Spanned]
    fall: Floats | None = None
    rise: Floats | None = None
    doubt: Floats | None = None
    fewer: np.typing.NDArray[np.bool_] | None = None

    @property
    def doubtful(self) -> np.typing.NDArray[np.bool_]:
        """Where the value is no further off than the doubt, which is then not nought."""
        if self.doubt is None:
            return np.zeros(len(self.value), dtype=np.bool_)
        least = np.maximum(self.expected, 1e-12)
        return (
            (np.maximum(self.value, 1e-12) <= least * np.exp(self.doubt))
            & (self.value >= least * np.exp(-self.doubt))
            & (self.doubt > 0.0)
        )
