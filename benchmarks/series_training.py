"""Train the weights that `auditor score` ships with, from labelled series: `SERIES_DIR=... python -m benchmarks.series_training [FILE]`.

It needs LightGBM besides the project's own packages; `make weights` makes an environment for it. Everything is seeded: the same
series and versions give the same file. The p-values are of margins that were found out of fold, by trees that had not seen the series.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from auditor.detection.series.features import NAMES, RISING, describe
from auditor.detection.series.grid import lay_out
from auditor.detection.series.model import MODEL_VERSION, Model
from auditor.detection.series.scoring import learning_points
from auditor.resources import series_model_file
from benchmarks.series import HEAD, row
from benchmarks.series_data import Series, families, read_family, uneventful
from benchmarks.series_judging import WEEK_SECONDS, judged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from auditor.detection.windows import Floats

FOLDS: Final = 5
TREES: Final[Mapping[str, int]] = {"alarms": 150, "traces": 100}
SETTINGS: Final[Mapping[str, Any]] = {
    "learning_rate": 0.06,
    "num_leaves": 15,
    "min_data_in_leaf": 50,
    "max_bin": 127,
    "seed": 0,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}
TELLING: Final[Mapping[str, Any]] = {"objective": "binary", "lambda_l2": 5.0}
"""Alarms are told from ordinary points, of all series together."""
ORDERING: Final[Mapping[str, Any]] = {
    "objective": "rank_xendcg",
    "lambda_l2": 0.02,
    "min_sum_hessian_in_leaf": 1e-6,
}
"""Traces order the points of each series (Bruch, 2021, WWW, XE-NDCG); the sums of its gradients are of the order of one."""
MOST_LABELLED, MOST_ORDINARY = 1500, 8400
"""Rows of a series whose order is learned; LightGBM takes 10,000 of one query at most."""
SHARE: Final = 0.05
HARD_SHARE: Final = 0.75
"""Shares of the ordinary points that are learned from, and of those with an onset; the rest are like them."""
HARD_ONSET: Final = 1.2
LONG_EVENT: Final = 30
"""Points of an event that count in full; of a longer one they share this weight."""
MORE_OF_LONG: Final = 1.0
"""For the scale of the traces the points of longer events weigh more: by so much of the mean weight of the series' labelled points each."""
MOST_OF_A_SERIES: Final = 150.0
"""Weight of a series' events beyond which they count by its square root, so that one series does not rule."""
ORDINARY: Final = 0.1
"""Weight of an ordinary point against one of an event."""
HOURLY: Final = 0.1
"""Weight of a point of a series with few points a day: those families are small, and labelled otherwise."""
STARTED: Final = 0.3
"""Periods before which nothing is learned of a series, or counted."""
TOGETHER: Final = 10
"""Points within which alarms are one."""
KNOTS: Final = 80
MINUTE, HOUR = 60.0, 3600.0
_INTERVALS: Final = ((MINUTE, 0.0, 900.0), (HOUR, 900.0, np.inf))

NEWTON_STEPS: Final = 30

Columns = dict[str, "NDArray[np.float32]"]


class Sample(NamedTuple):
    """Rows of one series to learn from.

    Parameters
    ----------
    features
        Shape (rows, features).
    truth
        Shape (rows,): 1 within events.
    weight, of_points
        Shape (rows,) each: what they weigh where every event counts, and where the points of long events count more.
    few
        What any row of the series weighs where all of its rows are alike.
    """

    features: NDArray[np.float32]
    truth: Floats
    weight: Floats
    of_points: Floats
    few: float


def described(series: Series) -> Columns:
    """The features of every row of a series."""
    grid = lay_out(series.timestamp, series.value)
    features = describe(grid).features
    return {name: features[name].astype(np.float32)[grid.row] for name in NAMES}


def sampled(series: Series, columns: Columns, rng: np.random.Generator) -> Sample:
    """Rows to learn from; ordinary points weigh what they stand for."""
    started = columns["age"] > STARTED
    eventful = np.flatnonzero((series.label > 0) & started)
    ordinary = np.flatnonzero(~series.near_an_event & started)
    hard = columns["on"][ordinary] > HARD_ONSET
    rows, weights = [eventful], []
    for part, share in ((ordinary[hard], HARD_SHARE), (ordinary[~hard], SHARE)):
        taken = rng.choice(part, int(len(part) * share), replace=False)
        rows.append(taken)
        weights.append(np.full(len(taken), ORDINARY / share))
    every = np.concatenate(rows)
    by_event, by_point = _event_weights(series.label, eventful)
    few = HOURLY if series.seconds >= HOUR else 1.0
    return Sample(
        np.column_stack([columns[name][every] for name in NAMES]),
        np.concatenate([np.ones(len(eventful)), np.zeros(len(every) - len(eventful))]),
        few * np.concatenate([by_event, *weights]),
        few * np.concatenate([by_point, *weights]),
        few,
    )


def _event_weights(label: Floats, rows: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """What the labelled rows weigh where events count, and where points of long events count more."""
    edges = np.diff(np.concatenate([[0], (label > 0).astype(np.int8), [0]]))
    weights = np.ones(len(label))
    for start, stop in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
        length = int(stop) - int(start)
        weights[start:stop] = min(length, LONG_EVENT) / length
    by_event = weights[rows]
    of_long = by_event < 1.0
    total = by_event.sum()
    if total > MOST_OF_A_SERIES:
        by_event = by_event * np.sqrt(MOST_OF_A_SERIES / total)
    return by_event, by_event + MORE_OF_LONG * by_event.sum() / max(len(rows), 1) * of_long


def fit(series: Sequence[Series], columns: Sequence[Columns], seed: int) -> dict[str, Any]:
    """Fit the trees; what `Model.from_json` reads, with a table that says nothing yet."""
    rng = np.random.default_rng(seed)
    samples = [sampled(one, of_one, rng) for one, of_one in zip(series, columns, strict=True)]
    all_of = _together(samples)
    lightgbm = importlib.import_module("lightgbm")
    settings = {**SETTINGS, "monotone_constraints": [int(name in RISING) for name in NAMES]}
    data = lightgbm.Dataset(all_of.features, all_of.truth, weight=all_of.weight)
    alarms = lightgbm.train({**settings, **TELLING}, data, TREES["alarms"])
    queries = [_query(sample, rng) for sample in samples if sample.truth.any()]
    asked = _together(queries)
    sizes = [len(query.truth) for query in queries]
    data = lightgbm.Dataset(asked.features, asked.truth, weight=asked.weight, group=sizes)
    traces = lightgbm.train({**settings, **ORDERING}, data, TREES["traces"])
    # an order has no scale: the line that makes a margin of it
    line = logistic(traces.predict(all_of.features, raw_score=True), all_of.truth, all_of.of_points)
    return {
        "version": MODEL_VERSION,
        "features": list(NAMES),
        "alarms": _trees(alarms, (0.0, 1.0)),
        "traces": _trees(traces, line),
        "reference": {"seconds": [MINUTE, HOUR], "margins": [0.0, 1.0], "rates": [[1.0, 0.1], [1.0, 0.1]]},
    }


def _together(samples: Sequence[Sample]) -> Sample:
    """The rows of all."""
    features, truth, weight, of_points, _ = zip(*samples, strict=True)
    return Sample(
        np.concatenate(features),
        np.concatenate(truth),
        np.concatenate(weight),
        np.concatenate(of_points),
        1.0,
    )


def _query(sample: Sample, rng: np.random.Generator) -> Sample:
    """The rows of a series whose order is learned; every series counts the same, hourly ones less."""
    rows = np.concatenate(
        [
            rng.choice(part, min(len(part), most), replace=False)
            for part, most in (
                (np.flatnonzero(sample.truth > 0), MOST_LABELLED),
                (np.flatnonzero(sample.truth == 0), MOST_ORDINARY),
            )
        ]
    )
    alike = np.full(len(rows), sample.few)
    return Sample(sample.features[rows], sample.truth[rows], alike, alike, sample.few)


def logistic(place: Floats, truth: Floats, weight: Floats) -> tuple[float, float]:
    """The line in `place` that is the log of the odds of `truth`: what it is at 0, and its slope; by Newton's method."""
    line = np.array([0.0, 1.0])
    terms = np.stack([np.ones(len(place)), place])
    for _ in range(NEWTON_STEPS):
        chance = 1.0 / (1.0 + np.exp(-(line @ terms)))
        curvature = (terms * (weight * chance * (1.0 - chance))) @ terms.T
        line += np.linalg.solve(curvature, terms @ (weight * (truth - chance)))
    return float(line[0]), float(line[1])


def _trees(fitted: Any, line: tuple[float, float]) -> list[dict[str, list[float]]]:
    """The trees whose sum is a line in that of the fitted ones."""
    at_nought, slope = line
    return [
        _tree(tree["tree_structure"], at_nought if not k else 0.0, slope)
        for k, tree in enumerate(fitted.dump_model()["tree_info"])
    ]


def _tree(root: Mapping[str, Any], added: float = 0.0, factor: float = 1.0) -> dict[str, list[float]]:
    """Nested nodes as lists by node, the first the root; the leaves times a factor, and something added to each."""
    stored: dict[str, list[float]] = {name: [] for name in ("feature", "threshold", "left", "right", "value")}

    def put(node: Mapping[str, Any]) -> int:
        at = len(stored["feature"])
        stored["feature"].append(node.get("split_feature", -1))
        stored["threshold"].append(float(f"{node.get('threshold', 0.0):.6g}"))
        stored["value"].append(float(f"{added + factor * node.get('leaf_value', 0.0):.5g}"))
        stored["left"].append(0)
        stored["right"].append(0)
        if "split_feature" in node:
            stored["left"][at] = put(node["left_child"])
            stored["right"][at] = put(node["right_child"])
        return at

    put(root)
    return stored


def margins_of(model: Model, series: Series, columns: Columns) -> Floats:
    """The margins of a series by its features, -inf where the gate is shut, and while the series is too young for anything to be flagged."""
    learning = learning_points(lay_out(series.timestamp, series.value))
    score = model.scores({name: column.astype(np.float64) for name, column in columns.items()}, learning)
    return np.where(score >= 1.0, score - 1.0 + model.lowest, -np.inf)


def out_of_fold(series: Sequence[Series], columns: Sequence[Columns]) -> list[Floats]:
    """Margins of every series by trees fitted without it; see `margins_of`."""
    margins: list[Floats] = [np.zeros(0)] * len(series)
    for fold in range(FOLDS):
        within = [i for i in range(len(series)) if i % FOLDS != fold]
        model = Model.from_json(fit([series[i] for i in within], [columns[i] for i in within], fold))
        for i in range(fold, len(series), FOLDS):
            margins[i] = margins_of(model, series[i], columns[i])
    return margins


def out_of_family(
    by_family: Mapping[str, Sequence[int]], series: Sequence[Series], columns: Sequence[Columns]
) -> list[Floats]:
    """Margins of every series by trees fitted without any of its family; see `margins_of`."""
    margins: list[Floats] = [np.zeros(0)] * len(series)
    for members in by_family.values():
        others = [i for family in by_family.values() if family is not members for i in family]
        model = Model.from_json(fit([series[i] for i in others], [columns[i] for i in others], FOLDS))
        for i in members:
            margins[i] = margins_of(model, series[i], columns[i])
    return margins


def reference_of(
    by_family: Mapping[str, Sequence[int]], series: Sequence[Series], margins: Sequence[Floats]
) -> dict[str, Any]:
    """How often ordinary points begin a rise above each knot: of each interval's families the one with most."""
    finite = np.concatenate([margin[np.isfinite(margin)] for margin in margins])
    knots = np.unique(np.quantile(finite, 1.0 - np.geomspace(0.9, 3e-5, KNOTS)))
    rates = []
    for _, least, most in _INTERVALS:
        found = [
            _rates([series[i] for i in members], [margins[i] for i in members], knots)
            for members in (
                [i for i in family if least < series[i].seconds <= most] for family in by_family.values()
            )
            if members
        ]
        together = np.maximum.accumulate(np.maximum.reduce(found)[::-1])[::-1]
        rates.append(np.maximum(together, 1e-9).tolist())
    return {"seconds": [seconds for seconds, _, _ in _INTERVALS], "margins": knots.tolist(), "rates": rates}


def _rates(series: Sequence[Series], margins: Sequence[Floats], knots: Floats) -> Floats:
    rises, points = np.full(len(knots), 0.5), 0
    for one, margin in zip(series, margins, strict=True):
        ordinary = ~one.near_an_event
        points += int(ordinary.sum())
        for k, knot in enumerate(knots):
            above = np.flatnonzero((margin >= knot) & ordinary)
            last = -TOGETHER
            for at in above.tolist():
                if at - last >= TOGETHER:
                    rises[k] += 1.0
                    last = at
    return np.asarray(rises / points)


def _print_unseen(
    whole: Mapping[str, Any],
    by_family: Mapping[str, Sequence[int]],
    series: Sequence[Series],
    margins: Sequence[Floats],
) -> None:
    """What weights that had not seen a series make of it, with the table's p-values; ties where the gate is shut."""
    model = Model.from_json(whole)
    for name, members in by_family.items():
        scores = [np.where(np.isfinite(margins[i]), 1.0 + margins[i] - model.lowest, 0.5) for i in members]
        flags = [
            (model.p_values(score, series[i].seconds) <= series[i].seconds / WEEK_SECONDS).astype(np.float64)
            for i, score in zip(members, scores, strict=True)
        ]
        print(row(name, judged([series[i] for i in members], scores, flags)))


def main(arguments: list[str]) -> int:
    """Write the weights; the exit code."""
    written = Path(arguments[0]) if arguments else series_model_file()
    series: list[Series] = []
    by_family: dict[str, list[int]] = {}
    for folder in families():
        of_family = read_family(folder)
        by_family[folder.name] = list(range(len(series), len(series) + len(of_family)))
        series += of_family
    invented = uneventful(seed=1)
    by_family["uneventful"] = list(range(len(series), len(series) + len(invented)))
    series += invented
    columns = [described(one) for one in series]
    print(f"{len(series)} series, {sum(len(one.value) for one in series)} points", flush=True)
    margins = out_of_fold(series, columns)
    whole = fit(series, columns, seed=FOLDS)
    whole["reference"] = reference_of(by_family, series, margins)
    print(f"By weights that had not seen the series\n{HEAD}")
    _print_unseen(whole, by_family, series, margins)
    print(f"By weights that had seen no series of the family\n{HEAD}", flush=True)
    _print_unseen(whole, by_family, series, out_of_family(by_family, series, columns))
    written.write_text(json.dumps(whole, separators=(",", ":")) + "\n")
    print(f"Written to {written}: {written.stat().st_size} bytes.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
