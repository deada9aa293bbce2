"""How the weights come about and are judged, where that needs no fitting."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from auditor.detection.series.model import Model
from auditor.detection.series.scoring import score_series
from auditor.detection.series.trees import Tree, margin
from auditor.resources import series_model_file
from benchmarks.series_data import Series
from benchmarks.series_judging import PROMPT, judged
from benchmarks.series_training import (
    HOURLY,
    LONG_EVENT,
    MOST_LABELLED,
    MOST_ORDINARY,
    Sample,
    _event_weights,
    _query,
    _rates,
    _tree,
    _trees,
    described,
    logistic,
    margins_of,
)


def nested(depth: int, path: int = 0) -> dict[str, Any]:
    """A full tree as LightGBM tells it: at each depth the feature of that number is asked; leaves are numbered from the left."""
    if depth == 3:
        return {"leaf_value": float(path)}
    return {
        "split_feature": depth,
        "threshold": 0.5,
        "left_child": nested(depth + 1, 2 * path),
        "right_child": nested(depth + 1, 2 * path + 1),
    }


def test_a_nested_tree_is_written_so_that_it_reads_back_the_same() -> None:
    tree = Tree.from_json(_tree(nested(0)))
    points = [[(leaf >> 2) & 1, (leaf >> 1) & 1, leaf & 1] for leaf in range(8)]
    columns = [np.array(column, dtype=np.float32) for column in zip(*points, strict=True)]
    assert margin([tree], 0.0, columns).tolist() == list(range(8))


class Fitted:
    """What LightGBM hands back, as far as it is read."""

    def dump_model(self) -> dict[str, Any]:
        return {"tree_info": [{"tree_structure": nested(0)}, {"tree_structure": nested(1)}]}


def test_trees_are_written_so_that_their_sum_is_a_line_in_that_of_the_fitted_ones() -> None:
    plain, moved = ([Tree.from_json(tree) for tree in _trees(Fitted(), line)] for line in ((0, 1), (-3.5, 7)))
    columns = [np.array([0.0, 1.0, 0.0, 1.0], dtype=np.float32)] * 3
    assert margin(moved, 0.0, columns).tolist() == (7 * margin(plain, 0.0, columns) - 3.5).tolist()


def test_the_line_of_the_log_odds_is_found_back() -> None:
    place = np.linspace(-0.5, 1.5, 101)
    chance = 1.0 / (1.0 + np.exp(3.0 - 7.0 * place))
    both = np.concatenate([place, place])
    truth = np.concatenate([np.ones(101), np.zeros(101)])
    found = logistic(both, truth, np.concatenate([chance, 1.0 - chance]))
    assert found == pytest.approx((-3.0, 7.0))


def test_the_order_is_learned_of_as_many_rows_as_fit_and_every_series_counts_the_same() -> None:
    count = MOST_LABELLED + MOST_ORDINARY + 500
    truth = (np.arange(count) < MOST_LABELLED + 100).astype(np.float64)
    sample = Sample(np.arange(count, dtype=np.float32)[:, None], truth, truth, truth, HOURLY)
    query = _query(sample, np.random.default_rng(0))
    assert int(query.truth.sum()) == MOST_LABELLED
    assert len(query.truth) == MOST_LABELLED + MOST_ORDINARY
    assert len(np.unique(query.features)) == len(query.truth)
    assert (query.weight == HOURLY).all()
    assert (truth[query.features[:, 0].astype(np.int64)] == query.truth).all()


def test_a_long_event_weighs_as_one_of_thirty_points_for_alarms_and_more_for_traces() -> None:
    label = np.zeros(1000)
    label[100:110] = 1.0
    label[300:900] = 1.0
    rows = np.flatnonzero(label)
    by_event, by_point = _event_weights(label, rows)
    long = rows >= 300
    assert by_event[~long].tolist() == [1.0] * 10
    assert by_event[long].sum() == pytest.approx(LONG_EVENT)
    assert by_point[~long].tolist() == by_event[~long].tolist()
    assert by_point[long].sum() > 2.0 * by_event[long].sum()


@pytest.mark.parametrize(("after", "prompt"), [(PROMPT, 1.0), (PROMPT + 1, 0.0)])
def test_an_event_is_found_promptly_up_to_the_seventh_point_after_its_start(
    after: int, prompt: float
) -> None:
    label, score = np.zeros(2000), np.zeros(2000)
    for start in (600, 1500):
        label[start : start + 40] = 1.0
        score[start + after] = 5.0
    series = Series("one", 60.0 * np.arange(2000, dtype=np.float64), np.zeros(2000), label)
    figures = judged([series], [score], [np.zeros(2000)])
    assert figures["event_f1"] == 1.0
    assert figures["prompt_f1"] == prompt


def test_the_table_is_of_the_margins_that_are_flagged_and_of_no_others() -> None:
    rng = np.random.default_rng(3)
    value = rng.normal(0.0, 1.0, 600)
    # nothing is flagged in the first two hours, however strange
    value[20], value[500] = 80.0, 80.0
    series = Series("one", 300.0 * np.arange(600, dtype=np.float64), value, np.zeros(600))
    model = Model.from_json(json.loads(series_model_file().read_text()))
    margins = margins_of(model, series, described(series))
    score = score_series(series.timestamp, series.value, model, 1.0).score
    assert np.isneginf(margins[:24]).all()
    assert margins[500] > 5.0
    looked_at = np.isfinite(margins)
    np.testing.assert_allclose(margins[looked_at], score[looked_at] - 1.0 + model.lowest, atol=1e-5)
    assert (score[~looked_at] < 1.0).all()


def test_a_rate_is_of_rises_as_high_as_the_knot_ten_points_being_one_away_from_events() -> None:
    margins, label = np.full(1000, -np.inf), np.zeros(1000)
    margins[[100, 105, 300]] = 4.0
    margins[700] = 5.0
    label[698:703] = 1.0
    series = Series("one", 60.0 * np.arange(1000, dtype=np.float64), np.zeros(1000), label)
    rates = _rates([series], [margins], np.array([3.0, 4.0, 5.0]))
    ordinary = 1000 - 5 - 2 * 5
    # half a rise is added, for what has not been seen is not impossible
    assert (rates * ordinary).tolist() == pytest.approx([2.5, 2.5, 0.5])
