"""Train the weights that `auditor score` ships with, from labelled series: `SERIES_DIR=... python -m benchmarks.series_training [FILE]`.

It needs LightGBM besides the project's own packages; `make weights` makes an environment for it. Everything is seeded: the same
series and versions give the same file. The p-values are of margins that were found out of fold, by trees that had not seen the series.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from auditor.detection.series.features import NAMES, RISING, describe
from auditor.detection.series.grid import lay_out
from auditor.detection.series.model import MODEL_VERSION, Model
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
    "objective": "binary",
    "learning_rate": 0.06,
    "num_leaves": 15,
    "min_data_in_leaf": 100,
    "lambda_l2": 5.0,
    "seed": 0,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}
SHARE: Final = 0.15
"""Share of the ordinary points that is learned from; the rest are like them."""
LONG_EVENT: Final = 30
"""Points of an event that count in full; of a longer one they share this weight."""
MORE_OF_LONG: Final = 1.0
"""For the traces the points of longer events weigh more: by so much of the mean weight of the series' labelled points each."""
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
KNOTS: Final = 40
MINUTE, HOUR = 60.0, 3600.0
_INTERVALS: Final = ((MINUTE, 0.0, 900.0), (HOUR, 900.0, np.inf))

Columns = dict[str, "NDArray[np.float32]"]


def described(series: Series) -> Columns:
    """The features of every row of a series."""
    grid = lay_out(series.timestamp, series.value)
    features = describe(grid).features
    return {name: features[name].astype(np.float32)[grid.row] for name in NAMES}


def sampled(
    series: Series, columns: Columns, rng: np.random.Generator
) -> tuple[NDArray[np.float32], Floats, Floats, Floats]:
    """Rows to learn from, whether they are of an event, and their weights for alarms and for traces."""
    started = columns["age"] > STARTED
    eventful = np.flatnonzero((series.label > 0) & started)
    ordinary = np.flatnonzero(~series.near_an_event & started)
    hard = columns["on"][ordinary] > 1.2
    all_of = min(1.0, 5.0 * SHARE)
    taken = [
        rng.choice(part, int(len(part) * share), replace=False)
        for part, share in ((ordinary[hard], all_of), (ordinary[~hard], SHARE))
    ]
    by_event, by_point = _event_weights(series.label, eventful)
    few = HOURLY if series.seconds >= HOUR else 1.0
    rows = np.concatenate([eventful, *taken])
    ordinary_weights = [
        np.full(len(taken[0]), ORDINARY / all_of),
        np.full(len(taken[1]), ORDINARY / SHARE),
    ]
    truth = np.concatenate([np.ones(len(eventful)), np.zeros(len(rows) - len(eventful))])
    return (
        np.column_stack([columns[name][rows] for name in NAMES]),
        truth,
        few * np.concatenate([by_event, *ordinary_weights]),
        few * np.concatenate([by_point, *ordinary_weights]),
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
    parts = [sampled(one, of_one, rng) for one, of_one in zip(series, columns, strict=True)]
    features, truth, by_event, by_point = (np.concatenate([part[i] for part in parts]) for i in range(4))
    lightgbm = importlib.import_module("lightgbm")
    rising = [int(name in RISING) for name in NAMES]
    settings = {**SETTINGS, "monotone_constraints": rising}
    data = lightgbm.Dataset(features, truth, free_raw_data=False)
    trees = {
        kind: lightgbm.train(settings, data.set_weight(weight), TREES[kind]).dump_model()["tree_info"]
        for kind, weight in (("alarms", by_event), ("traces", by_point))
    }
    return {
        "version": MODEL_VERSION,
        "features": list(NAMES),
        **{kind: [_tree(tree["tree_structure"]) for tree in grown] for kind, grown in trees.items()},
        "reference": {"seconds": [MINUTE, HOUR], "margins": [0.0, 1.0], "rates": [[1.0, 0.1], [1.0, 0.1]]},
    }


def _tree(root: Mapping[str, Any]) -> dict[str, list[float]]:
    """Nested nodes as lists by node, the first the root."""
    stored: dict[str, list[float]] = {name: [] for name in ("feature", "threshold", "left", "right", "value")}

    def put(node: Mapping[str, Any]) -> int:
        at = len(stored["feature"])
        stored["feature"].append(node.get("split_feature", -1))
        stored["threshold"].append(float(f"{node.get('threshold', 0.0):.6g}"))
        stored["value"].append(float(f"{node.get('leaf_value', 0.0):.5g}"))
        stored["left"].append(0)
        stored["right"].append(0)
        if "split_feature" in node:
            stored["left"][at] = put(node["left_child"])
            stored["right"][at] = put(node["right_child"])
        return at

    put(root)
    return stored


def scores_of(model: Model, columns: Columns) -> Floats:
    """The scores of a series by its features."""
    return model.scores({name: column.astype(np.float64) for name, column in columns.items()})


def out_of_fold(series: Sequence[Series], columns: Sequence[Columns]) -> list[Floats]:
    """Margins of every series by trees fitted without it, -inf where the gate is shut."""
    margins: list[Floats] = [np.zeros(0)] * len(series)
    for fold in range(FOLDS):
        within = [i for i in range(len(series)) if i % FOLDS != fold]
        model = Model.from_json(fit([series[i] for i in within], [columns[i] for i in within], fold))
        for i in range(fold, len(series), FOLDS):
            score = scores_of(model, columns[i])
            margins[i] = np.where(score >= 1.0, score - 1.0 + model.lowest, -np.inf)
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
            above = np.flatnonzero((margin > knot) & ordinary)
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
    print(HEAD)
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
    _print_unseen(whole, by_family, series, margins)
    written.write_text(json.dumps(whole, separators=(",", ":")) + "\n")
    print(f"Written to {written}: {written.stat().st_size} bytes.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
