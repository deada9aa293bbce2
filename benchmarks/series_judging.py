"""How well scores find labelled events: average precision over points, and F1 over events at one threshold for a whole family.

Only the second half of each series is judged; the threshold is chosen on the first half, less its first quarter. An event is found if an alarm
falls within five points of it, and promptly if one does by the seventh point after its start; alarms elsewhere cost one false alarm for every
started ten points.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from benchmarks.series_data import TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.detection.windows import Floats
    from benchmarks.series_data import Series

TOGETHER: Final = 10
PROMPT: Final = 7
"""Points after an event's start by which it is to be found for the second F1."""
WEEK_SECONDS: Final = 604_800.0
THRESHOLDS: Final = 60


def judged(series: Sequence[Series], scores: Sequence[Floats], flags: Sequence[Floats]) -> dict[str, float]:
    """The figures of a family; `scores` (NaN counts as nought) and `flags` by row of each series."""
    clean = [np.nan_to_num(score) for score in scores]
    thresholds = np.unique(np.quantile(np.concatenate(clean), 1.0 - np.geomspace(0.2, 1e-5, THRESHOLDS)))
    chosen, tested = np.zeros((len(thresholds), 4)), np.zeros((len(thresholds), 4))
    flagged, weeks, precisions = np.zeros(4), 0.0, []
    for one, score, flag in zip(series, clean, flags, strict=True):
        half = len(score) // 2
        first, second = slice(half // 4, half), slice(half, None)
        for k, threshold in enumerate(thresholds):
            chosen[k] += _counts(one.label[first], score[first] > threshold)
            tested[k] += _counts(one.label[second], score[second] > threshold)
        flagged += _counts(one.label[second], flag[second] > 0)
        weeks += (len(score) - half) * one.seconds / WEEK_SECONDS
        if one.label[second].any():
            precisions.append(average_precision(one.label[second], score[second]))
    best = int(np.argmax([_f1(events, found, false) for events, found, _, false in chosen]))
    events, found, prompt, false = tested[best]
    f1, prompt_f1 = _f1(events, found, false), _f1(events, prompt, false)
    events, found, _, false = flagged
    return {
        "series": len(series),
        "ap": float(np.mean(precisions)) if precisions else float("nan"),
        "event_f1": f1,
        "prompt_f1": prompt_f1,
        "flag_precision": found / max(found + false, 1.0),
        "flag_recall": found / max(events, 1.0),
        "flag_false_a_week": false / weeks,
    }


def average_precision(label: Floats, score: Floats) -> float:
    """The mean precision at each point of an event, ties taken together."""
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(label[order] > 0)
    last = np.append(np.diff(score[order]) != 0.0, True)
    at, hits = np.flatnonzero(last) + 1, hits[last]
    return float(np.sum(np.diff(hits, prepend=0) * hits / at) / max(hits[-1], 1))


def _counts(label: Floats, alarmed: np.typing.NDArray[np.bool_]) -> Floats:
    """Events, those found, those found promptly, false alarms."""
    edges = np.diff(np.concatenate([[0], (label > 0).astype(np.int8), [0]]))
    starts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    near = np.zeros(len(label), dtype=np.bool_)
    found = prompt = 0
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        within = slice(max(0, start - TOLERANCE), stop + TOLERANCE)
        found += bool(alarmed[within].any())
        prompt += bool(alarmed[within.start : min(within.stop, start + PROMPT + 1)].any())
        near[within] = True
    false, last = 0, -TOGETHER
    for at in np.flatnonzero(alarmed & ~near).tolist():
        if at - last >= TOGETHER:
            false, last = false + 1, at
    return np.array([len(starts), found, prompt, false], dtype=np.float64)


def _f1(events: float, found: float, false: float) -> float:
    precision, recall = found / max(found + false, 1.0), found / max(events, 1.0)
    return 2.0 * precision * recall / (precision + recall) if found else 0.0
