"""What has been learned from labelled series: how the features of a point weigh together, and how rare each sum is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from auditor.detection.series.features import NAMES
from auditor.detection.series.filters import ewma
from auditor.detection.series.trees import Tree, margin
from auditor.detection.tails.elementary import exact_exp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from auditor.detection.windows import Floats

MODEL_VERSION: Final = 2
GATE: Final[Mapping[str, float]] = {
    "dm10": 0.7, "seas_e": 0.7, "lev_e": 0.7, "levslow_e": 0.7, "held_e": 1.3, "held15": 1.8,
}  # fmt: skip
"""Features of which one at least is raised in all that is strange, however little. Points with none above its level are ordinary, and not looked
at further."""
LEAST_RATE: Final = 1e-12
RULE_WEIGHT: Final = 1.5
"""What the rule counts beside the trees: they know more, it errs otherwise, and together they err less than either."""
MOST_OF_TRACE: Final = 4.0
"""The margin above which only the trees for alarms are believed: flags of one a week begin above it."""
RECENT_POINTS: Final = 960
"""Points that the recent margin is the decayed mean of, about: two thirds of a day of minutes."""
LEAST_RECENT: Final = -4.0
"""Margins below this, and of points that are not looked at, count as this: ordinary."""
NO_NEWS: Final = 0.3
"""Of the recent margin's height above the ordinary, what is taken off an alarm: what has begun before is less of a beginning."""
RULE_ONSET: Final = 2.5
MOST_OF_RULE: Final = 4.0


Beside: TypeAlias = "Callable[[Callable[[], bytes]], Callable[[], bytes]]"
"""Begins work that something else can do meanwhile, and returns what waits for its result."""


@dataclass(frozen=True, slots=True)
class Model:
    """Trees and the table that turns their sum into a p-value.

    Parameters
    ----------
    alarms
        Trees that tell events from ordinary points, every event counting. Their sum and the weighted `rule` is the margin of a point.
    traces
        Trees that order the points of a series, labelled ones above others. Where their sum and the weighted rule is the larger it is the
        margin instead, up to `MOST_OF_TRACE`: they order what lies below alarms.
    lowest
        The margin that no point is below.
    seconds
        Shape (intervals,), rising: the intervals of the series that the table was made of.
    margins
        Shape (knots,), rising.
    rates
        Shape (intervals, knots): for each point of ordinary series how often the margin rises above a knot, ten points in a row being one
        rise; found with the series' own labels and weights that had not seen them.
    """

    alarms: tuple[Tree, ...]
    traces: tuple[Tree, ...]
    lowest: float
    seconds: Floats
    margins: Floats
    rates: Floats

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Model:
        """Read what the training has written.

        Raises
        ------
        ValueError
            If it is of another version, or of other features.
        """
        if stored["version"] != MODEL_VERSION or tuple(stored["features"]) != NAMES:
            raise ValueError("the model is not of this version of the auditor")
        alarms, traces = (
            tuple(Tree.from_json(tree) for tree in stored[kind]) for kind in ("alarms", "traces")
        )
        reference = stored["reference"]
        return cls(
            alarms,
            traces,
            sum(float(tree.value.min()) for tree in alarms),
            np.array(reference["seconds"]),
            np.array(reference["margins"]),
            np.array(reference["rates"]),
        )

    def scores(self, features: Mapping[str, Floats], first: int = 0, beside: Beside | None = None) -> Floats:
        """Shape (n,), above 0 and rising with the strangeness: below 1 where the gate is shut, else 1 and the margin above the lowest.

        It is shut too for what comes before position `first`. The points are to be in the order of time: an alarm counts by how far it stands
        out from the margins of the points before it, though never for less than a trace. `beside` begins what can be done meanwhile.
        """
        raised = np.maximum.reduce([features[name] - level for name, level in GATE.items()])
        looked_at = first + np.flatnonzero(raised[first:] > 0.0)
        found = 1.0 / (1.0 + exact_exp(-raised))
        if len(looked_at):
            earlier, later = np.array_split(looked_at, 2)
            of_later = (beside or _in_turn)(lambda: self._margin(features, later).tobytes())
            either = np.concatenate([self._margin(features, earlier), np.frombuffer(of_later())])
            height = np.zeros(len(raised))
            height[looked_at] = np.maximum(either - LEAST_RECENT, 0.0)
            news = either - NO_NEWS * _mean_before(height)[looked_at]
            found[looked_at] = 1.0 + np.maximum(news, np.minimum(either, MOST_OF_TRACE)) - self.lowest
        return found

    def _margin(self, features: Mapping[str, Floats], points: NDArray[np.intp]) -> Floats:
        """Of an alarm, or of a trace up to `MOST_OF_TRACE` where that is the larger, for each of the points by itself."""
        columns = [features[name][points].astype(np.float32) for name in NAMES]
        by_rule = RULE_WEIGHT * rule(*(features[name][points] for name in ("on", "dm10", "seas_e")))
        alarm = margin(self.alarms, 0.0, columns) + by_rule
        trace = margin(self.traces, 0.0, columns) + by_rule
        return np.asarray(np.maximum(alarm, np.minimum(trace, MOST_OF_TRACE)))

    def p_values(self, scores: Floats, seconds: float) -> Floats:
        """How often a point of an ordinary series begins something as strange, shape (n,), 0..1; `seconds` is the interval.

        Between the intervals and the knots of the table lines are drawn on the logarithmic scale; beyond the last knot its slope goes on.
        """
        at = float(np.log(np.clip(seconds, self.seconds[0], self.seconds[-1])))
        logs = np.array([np.interp(at, np.log(self.seconds), column) for column in np.log(self.rates).T])
        place = scores - 1.0 + self.lowest
        slope = (logs[-1] - logs[-2]) / (self.margins[-1] - self.margins[-2])
        beyond = slope * np.maximum(place - self.margins[-1], 0.0)
        p = np.maximum(exact_exp(np.interp(place, self.margins, logs) + beyond), LEAST_RATE)
        return np.where((scores < 1.0) | (place < self.margins[0]), 1.0, p)


def _in_turn(work: Callable[[], bytes]) -> Callable[[], bytes]:
    return work


def _mean_before(height: Floats) -> Floats:
    """The decayed mean of the points before each, from nought."""
    return np.concatenate([[0.0], ewma(height, 2.0 / (RECENT_POINTS + 1))[:-1]])


def rule(onset: Floats, recent: Floats, off_season: Floats) -> Floats:
    """How strange a point is by three features alone, 0..4: its onset where that is clear, else a capped trace of what has just been.

    Parameters
    ----------
    onset, recent, off_season
        Shape (n,): the mean size of the fast and the level residual, its falling maximum, and the recent mean of the seasonal residual's size.
    """
    span = 0.5 * (np.maximum(recent, 0.0) + np.maximum(off_season, 0.0))
    trace = RULE_ONSET * span / (RULE_ONSET + span)
    return np.asarray(np.clip(np.where(onset > RULE_ONSET, onset, trace), 0.0, MOST_OF_RULE))
