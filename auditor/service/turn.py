"""One turn of the audit: pull what is settled, judge it, commit the verdicts, all in one transaction of the store."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import structlog

from auditor.database.store import CommitOutcome, Verdicts
from auditor.detection.fold import judge, judge_late
from auditor.explanation.template import observation_row

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from auditor.database.store import Committed, Pull, Pulled, Store
    from auditor.detection.answers import Answer
    from auditor.detection.judgement import Judgement, State
    from auditor.detection.policy import Policy

_log = structlog.get_logger(__name__)

WINDOWS_PER_CACHE: Final = 1440
WINDOWS_PER_TURN: Final = 20_000
STATES_KEPT: Final = 1000
FIRST_BACKOFF_SECONDS: Final = 30.0
LAST_BACKOFF_SECONDS: Final = 1800.0


@dataclass(frozen=True, slots=True)
class TurnSummary:
    """What a turn did.

    `present` counts those of the windows that had a row; `observations` are the rows written, `baselines` the caches whose normal was learned, `stale` the caches whose commit was refused.
    """

    horizon_minute: int
    windows: int = 0
    present: int = 0
    late: int = 0
    caches: int = 0
    more: bool = False
    seconds: float = 0.0
    observations: tuple[Mapping[str, Any], ...] = ()
    baselines: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()


@dataclass(slots=True)
class _Trouble:
    """A cache that could not be judged, and when to try it again."""

    wait: float
    until: float


@dataclass(slots=True)
class Turns:
    """Runs turns against a store and remembers the states that it committed, so that they need not be sent again.

    Parameters
    ----------
    store, policy
        The database and the settings of detection.
    windows_per_cache, windows_per_turn
        Bounds of one turn's work, so that a backlog is committed in steps that fit well into a lease.
    """

    store: Store
    policy: Policy
    windows_per_cache: int = WINDOWS_PER_CACHE
    windows_per_turn: int = WINDOWS_PER_TURN
    _states: OrderedDict[str, tuple[int, State | None]] = field(default_factory=OrderedDict)
    _troubles: dict[str, _Trouble] = field(default_factory=dict)

    async def take(self, *, settle_seconds: float, horizon_minute: int | None = None) -> TurnSummary:
        """Take one turn; whatever happens, either all of a cache's results are in the database or none.

        Raises
        ------
        DependencyUnreachable
            If the database goes away; the states are forgotten, for whether the commit stood is not known.
        """
        started = time.monotonic()
        try:
            async with self.store.turn() as turn:
                pull = await turn.pull(
                    settle_seconds=settle_seconds,
                    max_windows_per_cache=self.windows_per_cache,
                    max_windows=self.windows_per_turn,
                    known={name: version for name, (version, _) in self._states.items()},
                    horizon_minute=horizon_minute,
                )
                if not pull.caches:
                    return TurnSummary(pull.horizon_minute, more=pull.more)
                answers = await turn.answers(pull)
                judged = await asyncio.to_thread(self._judge_all, pull, answers)
                outcomes = await turn.commit(pull, [verdicts for verdicts, _ in judged]) if judged else {}
        except BaseException:  # cancelled too: whether the commit stood is not known
            self._states.clear()
            raise
        self._remember(judged, outcomes)
        return _summary(pull, judged, outcomes, time.monotonic() - started)

    def forget(self) -> None:
        """Forget all states, so that the next turn takes them from the database."""
        self._states.clear()

    def _judge_all(
        self, pull: Pull, answers: Mapping[str, Sequence[Answer]]
    ) -> list[tuple[Verdicts, Judgement | None]]:
        judged: list[tuple[Verdicts, Judgement | None]] = []
        for pulled in pull.caches:
            trouble = self._troubles.get(pulled.implementation_type)
            if trouble is not None and time.monotonic() < trouble.until:
                continue
            try:
                judged.append(self._judge(pulled, answers.get(pulled.implementation_type, ())))
            except Exception:  # noqa: BLE001 - one bad cache must not blind the auditor to the rest
                self._put_off(pulled.implementation_type, trouble)
            else:
                self._troubles.pop(pulled.implementation_type, None)
        return judged

    def _judge(self, pulled: Pulled, answers: Sequence[Answer]) -> tuple[Verdicts, Judgement | None]:
        name = pulled.implementation_type
        state = pulled.state
        held = self._states.get(name)
        if state is None and held is not None and held[0] == pulled.state_version:
            state = held[1]
        judgement = None if pulled.block is None else judge(state, pulled.block, self.policy, answers)
        after = state if judgement is None else judgement.state
        late = tuple((block, judge_late(after, block, self.policy)) for block in pulled.late)
        assert after is not None, "late windows are those before a cursor, and a cursor has a state"
        verdicts = Verdicts(
            pulled=pulled,
            state=after,
            history_changed=judgement is not None and (judgement.history_changed or state is None),
            ledger=None if judgement is None else judgement.ledger,
            late=late,
            observations=() if judgement is None else tuple(map(observation_row, judgement.observations)),
            baseline=None if judgement is None else judgement.baseline,
            config_hash=self.policy.config_hash(),
        )
        return verdicts, judgement

    def _put_off(self, name: str, trouble: _Trouble | None) -> None:
        wait = FIRST_BACKOFF_SECONDS if trouble is None else min(2 * trouble.wait, LAST_BACKOFF_SECONDS)
        self._troubles[name] = _Trouble(wait, time.monotonic() + wait)
        _log.exception("cache_not_judged", cache=name, again_in_seconds=wait)

    def _remember(
        self, judged: list[tuple[Verdicts, Judgement | None]], outcomes: Mapping[str, Committed]
    ) -> None:
        for verdicts, _ in judged:
            name = verdicts.pulled.implementation_type
            outcome = outcomes[name]
            self._states.pop(name, None)
            if outcome.outcome is CommitOutcome.COMMITTED:
                self._states[name] = (outcome.state_version, verdicts.state)
        while len(self._states) > STATES_KEPT:
            self._states.popitem(last=False)


def _summary(
    pull: Pull,
    judged: list[tuple[Verdicts, Judgement | None]],
    outcomes: Mapping[str, Committed],
    seconds: float,
) -> TurnSummary:
    stood = [
        verdicts
        for verdicts, _ in judged
        if outcomes[verdicts.pulled.implementation_type].outcome is CommitOutcome.COMMITTED
    ]
    return TurnSummary(
        horizon_minute=pull.horizon_minute,
        windows=sum(len(verdicts.ledger) for verdicts in stood if verdicts.ledger is not None),
        present=sum(int(v.pulled.block.present.sum()) for v in stood if v.pulled.block is not None),
        late=sum(len(verdicts.late) for verdicts in stood),
        caches=len(stood),
        more=pull.more and bool(stood),
        seconds=seconds,
        observations=tuple(row for verdicts in stood for row in verdicts.observations),
        baselines=tuple(v.pulled.implementation_type for v in stood if v.baseline is not None),
        stale=tuple(name for name, outcome in outcomes.items() if outcome.outcome is CommitOutcome.STALE),
    )
