"""A single window that nothing comes of: most of those that the service judges, minute by minute.

It does what the fold would do, to the same bits, without the arrays; whatever may be out of the ordinary is left to the fold.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from auditor.detection.budget import CAUTION, surprises_of_one
from auditor.detection.hours import MINUTES
from auditor.detection.incidents import TRACKS, is_open
from auditor.detection.reading import scores_of
from auditor.detection.rolling import peaks_after
from auditor.detection.scoring import Sequences, as_tested, evidence_of, plain_of
from auditor.detection.signals import signals_of
from auditor.detection.tested import SEQUENCES
from auditor.detection.validity import broken_identities

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.detection.budget import Levels
    from auditor.detection.judgement import Scores
    from auditor.detection.one_window import Plain
    from auditor.detection.policy import Policy
    from auditor.detection.state import Memory
    from auditor.detection.tested import Tested
    from auditor.detection.windows import WindowBlock

_LEARNED_FROM: Final = np.zeros(1, dtype=np.bool_)


def pass_quietly(
    memory: Memory, window: WindowBlock, policy: Policy
) -> Callable[[], dict[str, Scores]] | None:
    """Judge a window that nothing comes of, and remember it; gives the ledger's columns.

    None where something may come of it, an incident is open or what came before it was judged otherwise: then nothing has changed. An hour that
    ends with it is the fold's to close.
    """
    minute, profile = window.first_minute, memory.profile
    place = minute % MINUTES
    if profile is None or not window.present[0]:
        return None
    if any(is_open(memory.tracks, track) for track in TRACKS) or broken_identities(window)[0][0]:
        return None
    one = memory.one_window(profile, minute - place)
    plain = None if one is None else plain_of(one, signals_of(window), minute)
    if one is None or plain is None:
        return None
    levels, learned = memory.levels(profile, policy), one.ahead.learned_sequences
    falls, rises = evidence_of(plain, Sequences(memory.sequences, levels.most_evidence))
    surprise = surprises_of_one(plain.low, plain.high, falls, rises, learned)
    if (surprise >= levels.of_metrics - CAUTION).any():
        return None
    known = zip(SEQUENCES, falls, rises, learned, strict=True)
    memory.sequences = memory.sequences | {name: (fall, rise) for name, fall, rise, told in known if told}
    memory.peaks = peaks_after(memory.peaks, surprise)
    memory.remember(window, _LEARNED_FROM)
    memory.lead_signals = None
    memory.gathered_spans = (profile, minute - place, plain.gathered)
    memory.seen = min(memory.seen + 1, policy.learning_windows)
    memory.absent_run = 0
    return partial(_scores, plain, learned, levels)


def _scores(plain: Plain, learned: list[bool], levels: Levels) -> dict[str, Scores]:
    with np.errstate(all="ignore"):
        return scores_of(as_tested(plain, np.zeros((2, len(learned), 1)), learned, _not_asked), levels)


def _not_asked() -> Tested:
    raise AssertionError("the ledger looks at nothing but the windows")
