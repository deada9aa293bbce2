"""One window tested in plain floats, as the service does minute by minute.

The operations are those of `proportions`, `counts`, `gauges` and `mix` in the same order, with the same routines for the transcendental
ones, so the bits are the same: `scoring` takes either way. Arrays of one element cost ten times as much.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.ahead import RATES
from auditor.detection.load import RESPONDING
from auditor.detection.plain_rows import (
    GAUGES,
    NOTHING,
    OFFSETS,
    Window,
    count_row,
    gauge_row,
    lookups_gathered,
    may_be_unusual,
    rate_row,
    tails_of,
)
from auditor.detection.spans import newest_sums
from auditor.detection.tails.elementary import bare_exp
from auditor.detection.tested import LEAD, SPANS, Test

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.detection.ahead import Ahead, Row
    from auditor.detection.plain_rows import PlainRow, Tails
    from auditor.detection.windows import Floats

GATHERED: Final = 44
"""Numbers of a window that its spans are sums of: four of each rate, three of the operations, four of each gauge and three more of the
average, four of the hits' latency, three of the lookups for each metric that responds to them."""
_ASKED: Final = GATHERED - 3 * len(RESPONDING)
_BEFORE_GAUGES: Final = RATES + 1


@dataclass(frozen=True, slots=True)
class Plain:
    """One window tested, lists by metric in the order of `METRICS`; see `Tested`.

    `low` and `high` hold three such lists, by test; `gathered`, of shape (15, 44), what its spans are sums of, the newest window first; `exact` gives the
    window's tails near and far, shape (2, metrics, 1).
    """

    value: Row
    expected: Row
    low: list[Row]
    high: list[Row]
    weight: Row
    centre: Row
    variance: Row
    z: Row
    shared: Row
    gathered: Floats
    exact: Callable[[], Floats]


def one_window_tested(ahead: Ahead, before: Floats, value: Row, weight: Row, minute: int) -> Plain | None:
    """Test the window at `minute`, of the hour that lies ahead; None where lookups may be unusual, to which more than this responds.

    Parameters
    ----------
    ahead
        What is expected.
    before
        Shape (up to 14, 44): what was gathered of the windows before it, the newest first.
    value, weight
        Its signals.

    Raises
    ------
    ZeroDivisionError, OverflowError
        Where arrays would go on with an infinity.
    """
    at = minute - ahead.hour_start
    window = Window(ahead, value, weight, at)
    rows = [
        *(rate_row(window, row) for row in range(RATES)),
        count_row(window),
        *(gauge_row(window, signal) for signal in GAUGES),
    ]
    gathered = np.zeros((LEAD + 1, GATHERED))
    gathered[0, :_ASKED] = [number for row in rows for number in row.gathered]
    gathered[0, _ASKED:] = lookups_gathered(window)
    gathered[1 : 1 + len(before)] = before
    sums = [of_test.tolist() for of_test in (gathered[0], *newest_sums(gathered))]
    asked = [of_test[_ASKED:] for of_test in sums]
    if ahead.short or may_be_unusual(window, asked):
        return None
    spans = [_span_tails(rows, of_test, test) for test, of_test in zip(SPANS, sums[1:], strict=True)]
    others, gauges = rows[:_BEFORE_GAUGES], rows[_BEFORE_GAUGES:]
    logs = np.array([[row.value for row in gauges], [row.expected for row in gauges]])
    values, means = (bare_exp(logs) - OFFSETS).tolist()
    tails = tails_of(rows)
    return Plain(
        value=_where_there(rows, [*(row.value for row in others), *values]),
        expected=_where_there(rows, [*(row.expected for row in others), *means]),
        low=[[low for low, _ in of_test] for of_test in (tails, *spans)],
        high=[[high for _, high in of_test] for of_test in (tails, *spans)],
        weight=[row.weight for row in rows],
        centre=[row.centre for row in rows],
        variance=[row.variance for row in rows],
        z=_where_there(rows, [row.z for row in rows]),
        shared=[row.shared for row in rows],
        gathered=gathered,
        exact=partial(_exact, rows),
    )


def _exact(rows: list[PlainRow]) -> Floats:
    return np.array([row.exact_tails for row in rows]).T[:, :, None]


def _where_there(rows: list[PlainRow], numbers: Row) -> Row:
    return [number if row.there else math.nan for row, number in zip(rows, numbers, strict=True)]


def _span_tails(rows: list[PlainRow], sums: Row, test: Test) -> list[Tails]:
    tails, at = [], 0
    for row in rows:
        own = sums[at : at + len(row.gathered)]
        at += len(own)
        tails.append(row.of_span(row, own, test) if row.there else NOTHING)
    return tails
