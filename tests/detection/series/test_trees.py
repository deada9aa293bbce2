"""Trees against hand-made ones, and against going through their nodes one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.detection.series.trees import MOST_LEAVES, Tree, margin

SMALL = {
    "feature": [0, -1, 1, -1, -1],
    "threshold": [0.5, 0.0, 2.0, 0.0, 0.0],
    "left": [1, 0, 3, 0, 0],
    "right": [2, 0, 4, 0, 0],
    "value": [0.0, 10.0, 0.0, 20.0, 40.0],
}


def columns(*rows: tuple[float, float]) -> list[np.typing.NDArray[np.float32]]:
    return [np.array(column, dtype=np.float32) for column in zip(*rows, strict=True)]


def test_a_tree_of_two_splits_does_as_its_drawing_says() -> None:
    found = margin([Tree.from_json(SMALL)], 1.0, columns((0.5, 9.0), (0.6, 2.0), (0.6, 2.1)))
    assert found.tolist() == [11.0, 21.0, 41.0]


def _grown(rng: np.random.Generator, leaves: int) -> dict[str, list[Any]]:
    """A random tree: leaves are split one after the other."""
    tree: dict[str, list[Any]] = {
        "feature": [-1],
        "threshold": [0.0],
        "left": [0],
        "right": [0],
        "value": [0.0],
    }
    while (np.array(tree["feature"]) < 0).sum() < leaves:
        node = int(rng.choice(np.flatnonzero(np.array(tree["feature"]) < 0)))
        size = len(tree["feature"])
        tree["feature"][node], tree["threshold"][node] = int(rng.integers(3)), float(rng.normal())
        tree["left"][node], tree["right"][node] = size, size + 1
        for name, value in (("feature", -1), ("threshold", 0.0), ("left", 0), ("right", 0)):
            tree[name] += [value, value]
        tree["value"] += rng.normal(size=2).tolist()
    return tree


def _walked(tree: dict[str, list[Any]], row: list[float]) -> float:
    node = 0
    while tree["feature"][node] >= 0:
        right = row[tree["feature"][node]] > np.float32(tree["threshold"][node])
        node = tree["right" if right else "left"][node]
    return float(tree["value"][node])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, MOST_LEAVES), st.integers(1, 4))
def test_columns_at_once_are_rows_one_by_one(seed: int, leaves: int, trees: int) -> None:
    rng = np.random.default_rng(seed)
    grown = [_grown(rng, leaves) for _ in range(trees)]
    points = rng.normal(size=(9000, 3)).astype(np.float32)
    found = margin([Tree.from_json(tree) for tree in grown], 0.5, list(points.T))
    for i in (0, 1, 8191, 8192, 8999):
        wanted = 0.5 + sum(_walked(tree, points[i].tolist()) for tree in grown)
        assert found[i] == pytest.approx(wanted, rel=1e-12)


def test_a_tree_with_too_many_leaves_is_refused() -> None:
    with pytest.raises(ValueError, match="16 leaves"):
        Tree.from_json(_grown(np.random.default_rng(1), MOST_LEAVES + 1))
