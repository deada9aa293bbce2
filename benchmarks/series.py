"""Real labelled series: what `auditor score` ships with, judged. `SERIES_DIR` names the folder; see `series_data`.

The weights were trained on the three public families that the method names; on those these figures are in sample. The training prints those of
weights that had not seen the series.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from auditor.commands.score import load_model
from auditor.detection.series.scoring import score_series
from benchmarks.series_data import families, read_family
from benchmarks.series_judging import judged

if TYPE_CHECKING:
    from collections.abc import Mapping

HEAD = f"{'':12}{'series':>7}{'event F1':>10}{'by 7':>7}{'AP':>7}{'flag precision':>16}{'recall':>8}{'false a week':>14}"


def main(quick: bool = False) -> dict[str, Any]:
    """Judge every family; print a table."""
    model = load_model()
    print(HEAD)
    figures = {}
    for folder in families():
        series = read_family(folder)[: 6 if quick else None]
        scored = [score_series(one.timestamp, one.value, model, 1.0) for one in series]
        figures[folder.name] = judged(
            series, [one.score for one in scored], [one.flag.astype(np.float64) for one in scored]
        )
        print(row(folder.name, figures[folder.name]))
    return figures


def row(name: str, figures: Mapping[str, float]) -> str:
    """A line under `HEAD`."""
    return (
        f"{name:12}{figures['series']:7.0f}{figures['event_f1']:10.3f}{figures['prompt_f1']:7.3f}{figures['ap']:7.3f}"
        f"{figures['flag_precision']:16.3f}{figures['flag_recall']:8.3f}{figures['flag_false_a_week']:14.2f}"
    )


if __name__ == "__main__":
    main()
