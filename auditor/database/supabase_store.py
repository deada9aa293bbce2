"""The store on a Supabase project: the same SQL functions, one request each; between pull and commit nothing is held."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any, Final

import structlog

from auditor.database import rest_failures, wire
from auditor.database.rest_failures import RestFailure

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from auditor.database.rest import SupabaseCalls
    from auditor.database.store import Committed, Pull, Verdicts
    from auditor.detection.answers import Answer

_log = structlog.get_logger(__name__)

WINDOWS_AT_MOST: Final = 5_000
"""Windows of one pull at first: Supabase ends a statement after 8 s."""
WINDOWS_AT_LEAST: Final = 60
_TOO_LONG: Final = "57014"
_MAINTAINED_BY: Final = (
    "enable pg_cron and run the migrations again: then the database does it by itself, without a time limit"
)


class SupabaseStore:
    """The `Store` of a Supabase project, for one worker at a time.

    A pull or a commit that the project's statement timeout ends is followed by one of half as much, and later ones stay that
    small until the backlog is done.

    Parameters
    ----------
    calls
        The project's functions; closed with the store.
    worker
        This auditor's name in the leases.
    """

    def __init__(self, calls: SupabaseCalls, *, worker: str) -> None:
        self._calls = calls
        self._worker = worker
        self.windows_at_most = WINDOWS_AT_MOST

    async def lease(self, *, lease_seconds: int, max_caches: int) -> tuple[str, ...]:
        """Renew this worker's leases, take its fair share of the free ones, and name the caches it now holds."""
        answer = await self._calls.call(
            "auditor_lease",
            {"worker": self._worker, "lease_seconds": lease_seconds, "max_caches": max_caches},
        )
        return tuple(answer["held"])

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[SupabaseTurn]:
        """One turn; its commit is one request and so one transaction, accepted only under the pull's fencing tokens."""
        yield SupabaseTurn(self, self._calls, self._worker)

    async def release(self) -> None:
        """Give up every lease of this worker, so that another takes over at once."""
        await self._calls.call("auditor_release", {"worker": self._worker})

    async def maintain(self, *, events_days: int, minutes_days: int, hours_days: int) -> dict[str, Any]:
        """Roll up finished hours and purge what has expired; {} where another worker is doing so, or where it has to wait.

        What a statement's timeout ends, or a passing trouble, is left to the next time and to pg_cron: windows are not kept waiting for it.
        """
        kept = {"events_days": events_days, "minutes_days": minutes_days, "hours_days": hours_days}
        try:
            answer: dict[str, Any] | None = await self._calls.call_once("auditor_maintain", kept)
        except RestFailure as failure:
            if not failure.is_passing:
                raise rest_failures.explain(failure, self._calls.url, "auditor_maintain") from None
            _log.warning("maintenance_put_off", reason=str(failure), mend=_MAINTAINED_BY)
            return {}
        return answer or {}

    async def close(self) -> None:
        """Close the connections; safe to call twice."""
        await self._calls.close()

    def asks_for_less(self, windows: int) -> bool:
        """Have the next pulls ask for half of so many windows, which took too long; False where there is no less."""
        if windows <= WINDOWS_AT_LEAST:
            return False
        self.windows_at_most = max(WINDOWS_AT_LEAST, windows // 2)
        _log.warning("statement_took_too_long", next_windows=self.windows_at_most)
        return True


class SupabaseTurn:
    """The `Turn` of a store on Supabase."""

    def __init__(self, store: SupabaseStore, calls: SupabaseCalls, worker: str) -> None:
        self._store = store
        self._calls = calls
        self._worker = worker

    async def pull(
        self,
        *,
        settle_seconds: float,
        max_windows_per_cache: int,
        max_windows: int,
        known: Mapping[str, int],
        horizon_minute: int | None = None,
    ) -> Pull:
        """The settled and the late windows of every cache leased to this worker."""
        store = self._store
        while True:
            at_most = min(max_windows, store.windows_at_most)
            request = {
                "settle_seconds": settle_seconds,
                "max_windows_per_cache": min(max_windows_per_cache, at_most),
                "max_windows": at_most,
                "known": dict(known),
                "horizon_minute": horizon_minute,
            }
            arguments = {"worker": self._worker, "request": request}
            try:
                answer = await self._calls.call_once("auditor_pull", arguments)
            except RestFailure as failure:
                if failure.code == _TOO_LONG and store.asks_for_less(at_most):
                    continue
                if not failure.is_passing:
                    raise rest_failures.explain(failure, self._calls.url, "auditor_pull") from None
                answer = await self._calls.call("auditor_pull", arguments)
            return wire.read_pull(answer)

    async def answers(self, pull: Pull) -> Mapping[str, tuple[Answer, ...]]:
        """What engineers have answered to the observations of the pulled caches, as long as it stands; caches without an answer are left out."""
        return wire.read_answers(await self._calls.call("auditor_answers", wire.ask_answers(pull)))

    async def commit(self, pull: Pull, results: Sequence[Verdicts]) -> dict[str, Committed]:
        """Write the results; each cache's stand or fall by its own lease and cursor. A repeated commit does nothing.

        Raises
        ------
        DependencyUnreachable
            If the project does not take them; where that was for their number, the next pull is smaller.
        """
        arguments = {
            "worker": self._worker,
            "watermark": pull.watermark,
            "results": json.loads(wire.write_results(results)),
        }
        try:
            answer = await self._calls.call_once("auditor_commit", arguments)
        except RestFailure as failure:
            smaller = failure.code == _TOO_LONG and self._store.asks_for_less(_windows(results))
            if smaller or not failure.is_passing:
                raise rest_failures.explain(failure, self._calls.url, "auditor_commit") from None
            answer = await self._calls.call("auditor_commit", arguments)
        if not pull.more:
            self._store.windows_at_most = WINDOWS_AT_MOST
        return wire.read_outcomes(answer)


def _windows(results: Sequence[Verdicts]) -> int:
    blocks = [result.pulled.block for result in results]
    return sum(len(block) for block in blocks if block is not None) + sum(len(r.late) for r in results)
