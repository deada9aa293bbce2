"""The contract's client: what the service asks of the database, whatever transport carries it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from auditor.detection.answers import Answer
    from auditor.detection.judgement import LearnedBaseline, Ledger, State
    from auditor.detection.windows import WindowBlock


@dataclass(frozen=True, slots=True)
class Pulled:
    """One leased cache's share of a pull.

    Parameters
    ----------
    implementation_type, fencing_token
        The cache and the token under which its commit will be accepted.
    cursor
        Its last audited minute (minutes since 1970), or None before its first.
    state_version
        Counts the writes of the state; the caller that holds this version need not be sent the state again.
    state
        The committed state; None where there is none yet, or where the caller holds `state_version` already.
    block
        The settled minutes after the cursor, none left out; None where there are none.
    late
        Blocks of one minute each, at or before the cursor, that are new or changed since they were audited.
    """

    implementation_type: str
    fencing_token: int
    cursor: int | None
    state_version: int
    state: State | None
    block: WindowBlock | None
    late: tuple[WindowBlock, ...]


@dataclass(frozen=True, slots=True)
class Pull:
    """One pull: the watermark to commit with it, the last settled minute, and each cache's share.

    `more` is true where a limit cut the pull short, so that the next turn should follow at once.
    """

    watermark: str
    horizon_minute: int
    caches: tuple[Pulled, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Verdicts:
    """One cache's results, written together or not at all.

    `block` and `ledger` run over the same minutes; `late` pairs each late window with its ledger of one row;
    `observations` are rows of `cache_auditor_observations` by column name. `history_changed` is
    `Judgement.history_changed`.
    """

    pulled: Pulled
    state: State
    history_changed: bool
    ledger: Ledger | None
    late: tuple[tuple[WindowBlock, Ledger], ...]
    observations: Sequence[Mapping[str, Any]]
    baseline: LearnedBaseline | None
    config_hash: str


class CommitOutcome(StrEnum):
    """What became of one cache's results."""

    COMMITTED = "committed"
    REPEATED = "repeated"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Committed:
    """The outcome for one cache and the version of its state now in the database."""

    outcome: CommitOutcome
    state_version: int


class Turn(Protocol):
    """One pull and the commit of what was judged from it."""

    async def pull(
        self,
        *,
        settle_seconds: float,
        max_windows_per_cache: int,
        max_windows: int,
        known: Mapping[str, int],
        horizon_minute: int | None = None,
    ) -> Pull:
        """The settled and the late windows of every cache leased to this worker.

        `known` maps caches to the state versions the caller already holds. `horizon_minute` makes minutes after it wait even
        if settled. The cursor of a new cache stands before its first window.
        """
        ...

    async def answers(self, pull: Pull) -> Mapping[str, tuple[Answer, ...]]:
        """What engineers have answered to the observations of the pulled caches, as long as it stands; caches without an answer are left out."""
        ...

    async def commit(self, pull: Pull, results: Sequence[Verdicts]) -> dict[str, Committed]:
        """Write the results; each cache's stand or fall by its own lease and cursor."""
        ...


class Store(Protocol):
    """The database as the service sees it."""

    async def lease(self, *, lease_seconds: int, max_caches: int) -> tuple[str, ...]:
        """Renew this worker's leases, take its fair share of the free ones, and name the caches it now holds."""
        ...

    def turn(self) -> AbstractAsyncContextManager[Turn]:
        """Enter a turn; on PostgreSQL it is one transaction, rolled back where the body raises."""
        ...

    async def release(self) -> None:
        """Give up every lease of this worker, so that another takes over at once."""
        ...

    async def maintain(self, *, events_days: int, minutes_days: int, hours_days: int) -> dict[str, Any]:
        """Roll up finished hours and purge what has expired; a no-op where another worker is doing so."""
        ...

    async def close(self) -> None:
        """Close the connections; safe to call twice."""
        ...
