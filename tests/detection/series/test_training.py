"""How the weights come about and are judged, where that needs no fitting."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from auditor.detection.series.trees import Tree, margin
from benchmarks.series_data import Series
from benchmarks.series_judging import PROMPT, judged
from benchmarks.series_training import LONG_EVENT, _event_weights, _tree


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
