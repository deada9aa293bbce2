"""History through the fold that the service uses: from an empty state at each cache's first window, in blocks."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from auditor.detection.fold import judge
from auditor.detection.judgement import VERDICTS
from auditor.explanation.template import observation_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from auditor.detection.answers import Answer
    from auditor.detection.judgement import Ledger, State
    from auditor.detection.policy import Policy
    from auditor.detection.windows import WindowBlock


@dataclass(slots=True)
class CacheReplay:
    """What replaying one cache came to.

    `ledgers` are in time order; `observations` are rows in their final state, in the order in which they opened; `verdicts` counts minutes.
    """

    implementation_type: str
    ledgers: list[Ledger] = field(default_factory=list)
    observations: list[dict[str, Any]] = field(default_factory=list)
    verdicts: Counter[str] = field(default_factory=Counter)
    windows: int = 0
    first_minute: int | None = None
    last_minute: int | None = None


def replay_cache(
    name: str, blocks: Iterable[WindowBlock], policy: Policy, answers: Sequence[Answer] = ()
) -> CacheReplay:
    """Judge one cache's blocks, each following the last, with the answers that engineers gave meanwhile."""
    outcome = CacheReplay(name)
    state: State | None = None
    observations: dict[str, Any] = {}
    for block in blocks:
        judgement = judge(state, block, policy, answers)
        state = judgement.state
        outcome.ledgers.append(judgement.ledger)
        outcome.windows += len(block)
        outcome.verdicts.update(VERDICTS[code] for code in judgement.ledger.verdict.tolist())
        outcome.first_minute = block.first_minute if outcome.first_minute is None else outcome.first_minute
        outcome.last_minute = block.last_minute
        for observation in judgement.observations:
            observations[observation.fingerprint] = observation
    rows = [observation_row(observation) for observation in observations.values()]
    outcome.observations = sorted(rows, key=lambda row: (row["timestamp"], row["fingerprint"]))
    return outcome


@dataclass(frozen=True, slots=True)
class _Task:
    read: Any
    policy: Policy
    answers: Mapping[str, Sequence[Answer]]

    def __call__(self, name: str) -> CacheReplay:
        return replay_cache(name, self.read(name), self.policy, self.answers.get(name, ()))


def replay_all(
    names: Sequence[str],
    read: Callable[[str], Iterable[WindowBlock]],
    policy: Policy,
    *,
    answers: Mapping[str, Sequence[Answer]] = MappingProxyType({}),
    jobs: int = 1,
) -> Iterator[CacheReplay]:
    """Replay caches one after another, in the order given.

    Parameters
    ----------
    names
        The caches.
    read
        Gives a cache's windows as blocks; has to survive pickling where `jobs` is more than 1.
    policy
        The settings.
    answers
        What engineers answered to the observations of each cache.
    jobs
        Processes to share the caches among; what comes out is the same for any number.
    """
    task = _Task(read, policy, dict(answers))
    if jobs == 1 or len(names) < 2:
        yield from map(task, names)
        return
    with ProcessPoolExecutor(max_workers=min(jobs, len(names))) as pool:
        yield from pool.map(task, names)
