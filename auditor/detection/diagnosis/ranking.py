"""Causes of an incident, best first: soft naive Bayes over the clues, against an unknown cause that may show anything.

Each picture's score is ln prior + sum over the clues measured of w ln(P(measured | cause) / P(measured)), each
term clipped, so that one clue alone can neither prove nor exclude a cause; w below 1 allows for clues that repeat each other
(tempered likelihood; Bissiri, Holmes and Walker 2016). Confidence is the softmax over causes, the unknown one among
them, whose score is 0: weak evidence reads as low confidence. A clue that is missing adds nothing to any score.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.diagnosis.latency_clues import latency_clues
from auditor.detection.diagnosis.levels import possible
from auditor.detection.diagnosis.pictures import ANYTHING, DECISIVE, UNKNOWN_PRIOR, Picture
from auditor.detection.diagnosis.readings import CUTS
from auditor.detection.diagnosis.sentences import refutation, sentences, unknown_sentences
from auditor.detection.diagnosis.size_clues import size_clues
from auditor.detection.diagnosis.traffic_clues import traffic_clues
from auditor.detection.diagnosis.traffic_pictures import ALL_PICTURES
from auditor.detection.signature import CAUSES, Cause
from auditor.detection.tails.elementary import exact_log

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.detection.diagnosis.readings import Reading
    from auditor.detection.signature import IncidentSignature
    from auditor.detection.windows import Floats

TEMPER: Final = 0.8
MOST_FOR: Final = 2.0
MOST_AGAINST: Final = -3.5
LEAST_CONFIDENCE: Final = 0.03
MOST_CAUSES: Final = 5
_LOG_PRIORS: Final = np.array([math.log(picture.prior) for picture in ALL_PICTURES])
_SPEAKING: Final = {
    clue: np.flatnonzero([clue in picture.shows for picture in ALL_PICTURES]) for clue in CUTS
}
"""Which pictures speak of each clue."""
_SHOWN: Final = {
    clue: np.array([[ALL_PICTURES[at].shows[clue][kind] for kind, _ in kinds] for at in _SPEAKING[clue]])
    for clue, (_, kinds) in CUTS.items()
}
"""How probable they call each of its kinds, shape (pictures that speak, kinds)."""
_BASE: Final = {
    clue: np.array([ANYTHING[clue][kind] for kind, _ in kinds]) for clue, (_, kinds) in CUTS.items()
}


def rank_causes(signature: IncidentSignature) -> tuple[Cause, ...]:
    """Rank what may have caused an incident, best first.

    Parameters
    ----------
    signature
        What every signal did. Missing signals (NaN) speak neither for nor against a cause.

    Returns
    -------
    tuple of Cause
        One to five, confidences falling and each at least 0.03 (but for the first, which is always there).
    """
    signature = possible(signature)
    readings = read(signature)
    weights = {clue: weigh(reading) for clue, reading in readings.items()}
    scores = sum(weights.values(), start=_LOG_PRIORS)
    best = _best_pictures(scores)
    confidences = _confidences({cause: float(scores[at]) for cause, at in best.items()})
    order = sorted(confidences, key=lambda cause: (-confidences[cause], CAUSES.index(cause)))
    kept = [cause for cause in order if confidences[cause] >= LEAST_CONFIDENCE][:MOST_CAUSES] or order[:1]
    return tuple(
        _cause(
            ALL_PICTURES[best[cause]],
            confidences[cause],
            {clue: float(weight[best[cause]]) for clue, weight in weights.items()},
            readings,
            signature,
        )
        for cause in kept
    )


def read(signature: IncidentSignature) -> dict[str, Reading]:
    """Measure every clue that the signature allows, by name."""
    clues = (*traffic_clues(signature), *size_clues(signature), *latency_clues(signature))
    return {reading.clue: reading for reading in clues if reading is not None}


def _best_pictures(scores: Floats) -> dict[str, int]:
    """The picture of each cause that fits best, by its place in `ALL_PICTURES`."""
    best: dict[str, int] = {}
    for at, picture in enumerate(ALL_PICTURES):
        if picture.cause not in best or scores[at] > scores[best[picture.cause]]:
            best[picture.cause] = at
    return best


def weigh(reading: Reading) -> Floats:
    """By how much one clue speaks for each of `ALL_PICTURES` (above 0) or against it, in nats; 0 where a picture says nothing of it."""
    likelihoods = np.array(list(reading.likelihoods().values()))
    ratio = _SHOWN[reading.clue] @ likelihoods / (_BASE[reading.clue] @ likelihoods)
    weights = np.zeros(len(ALL_PICTURES))
    if reading.clue in DECISIVE:
        weights[_SPEAKING[reading.clue]] = 2.0 * exact_log(ratio)
    else:
        weights[_SPEAKING[reading.clue]] = np.clip(TEMPER * exact_log(ratio), MOST_AGAINST, MOST_FOR)
    return weights


def _confidences(scores: Mapping[str, float]) -> dict[str, float]:
    weights = {cause: math.exp(min(score, 50.0)) for cause, score in scores.items()}
    weights["unknown"] = UNKNOWN_PRIOR + weights["unknown"]
    total = sum(weights.values())
    return {cause: round(weight / total, 4) for cause, weight in weights.items()}


def _cause(
    picture: Picture,
    confidence: float,
    weights: Mapping[str, float],
    readings: Mapping[str, Reading],
    signature: IncidentSignature,
) -> Cause:
    cause = picture.cause
    if cause == "unknown":
        return Cause(cause, confidence, unknown_sentences(readings, signature), (), refutation(cause))
    supports, opposes = sentences(picture, weights, readings, signature)
    return Cause(cause, confidence, supports, opposes, refutation(cause))
