"""Causes of an incident, best first: soft naive Bayes over the clues, against an unknown cause that may show anything.

Each picture's score is ln prior + sum over the clues measured of w ln(P(measured | cause) / P(measured)), each
term clipped, so that one clue alone can neither prove nor exclude a cause; w below 1 allows for clues that repeat each other
(tempered likelihood; Bissiri, Holmes and Walker 2016). Confidence is the softmax over causes, the unknown one among
them, whose score is 0: weak evidence reads as low confidence. A clue that is missing adds nothing to any score.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from auditor.detection.diagnosis.latency_clues import latency_clues
from auditor.detection.diagnosis.levels import possible
from auditor.detection.diagnosis.pictures import ANYTHING, DECISIVE, UNKNOWN_PRIOR, Picture
from auditor.detection.diagnosis.sentences import refutation, sentences, unknown_sentences
from auditor.detection.diagnosis.size_clues import size_clues
from auditor.detection.diagnosis.traffic_clues import traffic_clues
from auditor.detection.diagnosis.traffic_pictures import ALL_PICTURES
from auditor.detection.signature import CAUSES, Cause

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.detection.diagnosis.readings import Reading
    from auditor.detection.signature import IncidentSignature

TEMPER: Final = 0.8
MOST_FOR: Final = 2.0
MOST_AGAINST: Final = -3.5
LEAST_CONFIDENCE: Final = 0.03
MOST_CAUSES: Final = 5


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
    best = _best_pictures(readings)
    confidences = _confidences({cause: score for cause, (score, _) in best.items()})
    order = sorted(confidences, key=lambda cause: (-confidences[cause], CAUSES.index(cause)))
    kept = [cause for cause in order if confidences[cause] >= LEAST_CONFIDENCE][:MOST_CAUSES] or order[:1]
    return tuple(_cause(cause, confidences[cause], best[cause][1], readings, signature) for cause in kept)


def read(signature: IncidentSignature) -> dict[str, Reading]:
    """Measure every clue that the signature allows, by name."""
    clues = (*traffic_clues(signature), *size_clues(signature), *latency_clues(signature))
    return {reading.clue: reading for reading in clues if reading is not None}


def _best_pictures(readings: Mapping[str, Reading]) -> dict[str, tuple[float, Picture]]:
    best: dict[str, tuple[float, Picture]] = {}
    for picture in ALL_PICTURES:
        score = math.log(picture.prior) + sum(weigh(picture, reading) for reading in readings.values())
        if picture.cause not in best or score > best[picture.cause][0]:
            best[picture.cause] = (score, picture)
    return best


def weigh(picture: Picture, reading: Reading) -> float:
    """By how much one clue speaks for a picture (above 0) or against it, in nats."""
    shows = picture.shows.get(reading.clue)
    if shows is None:
        return 0.0
    base = ANYTHING[reading.clue]
    likelihoods = reading.likelihoods()
    under_picture = sum(likelihood * shows[kind] for kind, likelihood in likelihoods.items())
    ratio = under_picture / sum(likelihood * base[kind] for kind, likelihood in likelihoods.items())
    if reading.clue in DECISIVE:
        return math.log(ratio) * 2.0
    return min(MOST_FOR, max(MOST_AGAINST, TEMPER * math.log(ratio)))


def _confidences(scores: Mapping[str, float]) -> dict[str, float]:
    weights = {cause: math.exp(min(score, 50.0)) for cause, score in scores.items()}
    weights["unknown"] = UNKNOWN_PRIOR + weights["unknown"]
    total = sum(weights.values())
    return {cause: round(weight / total, 4) for cause, weight in weights.items()}


def _cause(
    cause: str,
    confidence: float,
    picture: Picture,
    readings: Mapping[str, Reading],
    signature: IncidentSignature,
) -> Cause:
    if cause == "unknown":
        return Cause(cause, confidence, unknown_sentences(readings, signature), (), refutation(cause))
    weights = {clue: weigh(picture, reading) for clue, reading in readings.items()}
    supports, opposes = sentences(picture, weights, readings, signature)
    return Cause(cause, confidence, supports, opposes, refutation(cause))
