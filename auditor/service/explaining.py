"""The side task that has incidents explained: woken by what was found and by the clock, it never makes the audit wait."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Final

import structlog

from auditor.errors import AuditorError
from auditor.service.teller import Ending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.database.explanations import Claim, Claimed, Explanations, Waiting
    from auditor.service.teller import Teller, Told
    from auditor.service.turn import TurnSummary
    from auditor.service.vitals import ExplainingVitals

_log = structlog.get_logger(__name__)

POLL_SECONDS: Final = 15.0
FIRST_OUTAGE_WAIT_SECONDS: Final = 1.0
LONGEST_OUTAGE_WAIT_SECONDS: Final = 60.0
CAP_TOLD_SECONDS: Final = 3600.0


class Explainer:
    """Asks a model about the incidents that wait, a few at a time.

    What waits is kept by the database: here there are never more than `concurrency` explanations under way. An outage of the database
    or of the model costs words, never a finding; an explanation that fails for a reason nobody foresaw is logged and settled, and the
    others go on.

    Parameters
    ----------
    database
        Its own connection, closed when the task ends.
    teller
        Has one incident explained.
    waiting
        Which incidents wait.
    concurrency
        The most explanations at a time.
    vitals
        Where it counts.
    poll_seconds
        The longest wait between two looks.
    """

    def __init__(
        self,
        database: Explanations,
        teller: Teller,
        waiting: Waiting,
        *,
        concurrency: int,
        vitals: ExplainingVitals,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._database = database
        self._teller = teller
        self._waiting = waiting
        self._concurrency = concurrency
        self._vitals = vitals
        self._poll_seconds = poll_seconds
        self._woken = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._outage = 0.0
        self._told_caps: dict[str, float] = {}

    def note_turn(self, summary: TurnSummary) -> None:
        """Look at the database now, if the turn wrote observations."""
        if summary.observations:
            self._woken.set()

    async def run(self) -> None:
        """Explain until cancelled; what is under way is then cancelled too, and taken up again by whoever runs next."""
        try:
            while True:
                self._woken.clear()
                await self._take_up()
                if self._outage:
                    await asyncio.sleep(self._outage)
                    continue
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), self._poll_seconds)
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)
            await self._database.close()

    async def run_once(self) -> int:
        """Explain all that waits, then end; the number of incidents that were taken up."""
        taken = 0
        try:
            while claims := await self._take_up():
                taken += len(claims)
                while self._running:
                    await asyncio.wait(self._running)
        finally:
            await self._database.close()
        return taken

    async def _take_up(self) -> Sequence[Claim]:
        room = self._concurrency - len(self._running)
        if room <= 0:
            return ()
        claimed = await self._claim(room)
        if claimed is None:
            return ()
        self._vitals.coalesced += claimed.coalesced
        if claimed.coalesced:
            _log.warning("incidents_told_together", incidents=claimed.coalesced + 1)
        for claim in claimed.claims:
            task = asyncio.create_task(self._tell(claim), name=f"explain {claim.fingerprint}")
            self._running.add(task)
            task.add_done_callback(self._ended)
        return claimed.claims

    async def _claim(self, room: int) -> Claimed | None:
        try:
            claimed = await self._database.claim(self._waiting, most=room)
        except AuditorError as error:
            self._outage = min(2 * self._outage or FIRST_OUTAGE_WAIT_SECONDS, LONGEST_OUTAGE_WAIT_SECONDS)
            _log.error("explaining_paused", reason=str(error), again_in_seconds=self._outage)
            return None
        self._outage = 0.0
        return claimed

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._woken.set()

    async def _tell(self, claim: Claim) -> None:
        try:
            told = await self._teller.tell_incident(claim)
        except AuditorError as error:  # its claim runs out, and it is taken up again
            _log.error("explanation_interrupted", cache=claim.implementation_type, reason=str(error))
            return
        except Exception:  # noqa: BLE001 - one incident that cannot be explained must not keep the others from it
            _log.exception(
                "explanation_broke", cache=claim.implementation_type, fingerprint=claim.fingerprint
            )
            self._vitals.endings[Ending.FAILED] += 1
            with contextlib.suppress(AuditorError):
                await self._teller.give_up(claim, "an error of the auditor's own")
            return
        self._vitals.endings[told.ending] += 1
        self._report(claim, told)

    def _report(self, claim: Claim, told: Told) -> None:
        if told.ending is Ending.CAPPED:
            self._report_cap(told.cap or "")
            return
        failed = told.ending in {Ending.FAILED, Ending.PUT_OFF, Ending.REJECTED}
        tell = _log.warning if failed else _log.info
        checks = (told.explanation or {}).get("checks", {})
        tell(
            "incident_explained" if not failed else "incident_not_explained",
            cache=claim.implementation_type,
            purpose=str(claim.purpose),
            fingerprint=claim.fingerprint,
            ending=str(told.ending),
            attached=told.attached,
            failure=checks.get("failure"),
            detail=None if told.asked is None else told.asked.detail or None,
            rejected=len(checks.get("rejected") or ()),
        )

    def _report_cap(self, cap: str) -> None:
        now = time.monotonic()
        if now - self._told_caps.get(cap, -CAP_TOLD_SECONDS) >= CAP_TOLD_SECONDS:
            self._told_caps[cap] = now
            _log.warning("model_cap_reached", cap=cap, consequence="incidents keep their deterministic text")
