"""One explanation from brief to row: looked up, else reserved, asked for and settled, so that nothing is paid twice or beyond the caps."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from auditor.database.explanations import Outcome, Planned
from auditor.explanation.attached import Spent, explained, unexplained

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auditor.database.explanations import Caps, Claim, Explanations, Reserved
    from auditor.explanation.brief import Brief, Purpose
    from auditor.model.asking import Asked
    from auditor.service.asker import Asker

GRACE_SECONDS: Final = 5.0
"""What is left to an asker whose own deadline has passed."""
UNANSWERED: Final = frozenset({"circuit_open", "busy", "unreachable", "rate_limited", "server_error"})
"""Failures of calls that nobody bills: the incident may be asked about later."""
RETRY_SECONDS: Final = 120.0


class Ending(StrEnum):
    """How an explanation ended."""

    EXPLAINED = "explained"
    CACHED = "cached"
    REJECTED = "rejected"
    """An answer came, and too little of it was so."""
    FAILED = "failed"
    PUT_OFF = "put_off"
    """The model could not be asked, and nothing was paid: it is tried again."""
    CAPPED = "capped"
    GONE = "gone"
    """There is no such incident any more, or another auditor has it."""


@dataclass(frozen=True, slots=True)
class Told:
    """What came of an explanation.

    Parameters
    ----------
    explanation
        The object that stands in `explanation`, or would; None where nothing was asked.
    attached
        Whether it stands beside its finding now.
    cap
        The cap that is reached, where one is.
    asked
        What the model did, where it was asked.
    """

    ending: Ending
    explanation: Mapping[str, Any] | None = None
    attached: bool = False
    cap: str | None = None
    asked: Asked | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be explained.

    Parameters
    ----------
    of
        What the finding was when the brief was made; None for what is beside no finding.
    claim
        The claim that it is for; None for a command, which asks outside the rule of one call for an incident.
    fingerprint, incident_id, implementation_type
        The finding that the words belong to; None for a digest.
    """

    brief: Brief
    of: Mapping[str, Any] | None = None
    claim: Claim | None = None
    fingerprint: str | None = None
    incident_id: str | None = None
    implementation_type: str | None = None

    @property
    def purpose(self) -> Purpose:
        """What it is for."""
        return self.brief.purpose


def job_of(asker: Asker, material: Mapping[str, Any], purpose: Purpose, claim: Claim | None = None) -> Job:
    """The job that an incident's material makes."""
    lead = material["rows"][0]
    return Job(
        brief=asker.incident_brief(material, purpose),
        of=material["of"],
        claim=claim,
        fingerprint=material["fingerprint"],
        incident_id=material["incident_id"],
        implementation_type=lead["implementation_type"],
    )


class Teller:
    """Has things explained.

    Parameters
    ----------
    database
        The ledger of calls, and the findings.
    asker
        The model and its prompts.
    caps
        What may be spent.
    deadline_seconds
        The longest that asking may take.
    """

    def __init__(self, database: Explanations, asker: Asker, caps: Caps, *, deadline_seconds: float) -> None:
        self._database = database
        self._asker = asker
        self._caps = caps
        self._deadline_seconds = deadline_seconds

    @property
    def claim_seconds(self) -> float:
        """How long a call may be under way before its auditor counts as gone."""
        return self._deadline_seconds + GRACE_SECONDS + 60.0

    async def tell_incident(self, claim: Claim) -> Told:
        """Explain a claimed incident."""
        material = await self._database.material(claim.fingerprint)
        if material is None:
            await self._database.settle(
                Outcome(claim.id, "failed", reason="the incident is there no longer", requests=0)
            )
            return Told(Ending.GONE)
        job = await asyncio.to_thread(job_of, self._asker, material, claim.purpose, claim)
        return await self.tell(job)

    async def tell(self, job: Job, *, anew: bool = False) -> Told:
        """Explain; with `anew` the model is asked although it has answered to this very evidence before.

        Raises
        ------
        DependencyUnreachable
            If the database goes away.
        """
        if not anew:
            known = await self._known(job)
            if known is not None:
                return known
        reserved = await self._reserve(job)
        if not reserved.granted or reserved.id is None:
            return Told(Ending.GONE if reserved.cap is None else Ending.CAPPED, cap=reserved.cap)
        asked = await self._ask(job.brief, may_repair=reserved.requests > 1)
        return await self._settle(job, reserved.id, asked)

    async def give_up(self, claim: Claim, reason: str) -> None:
        """Settle a claim that could not be explained for a reason of the auditor's own."""
        await self._database.settle(Outcome(claim.id, "failed", reason=reason))

    async def _known(self, job: Job) -> Told | None:
        origin = self._asker.origin(job.purpose)
        found = await self._database.cached(job.brief.hash, origin.prompt_hash, origin.model)
        if found is None:
            return None
        explanation = found | {"of": None if job.of is None else dict(job.of)}
        attached = False
        if job.claim is not None:
            outcome = Outcome(
                job.claim.id,
                "done",
                requests=0,
                input_tokens=0,
                output_tokens=0,
                cost=0.0,
                reason="answered before",
                explanation=explanation,
                evidence_hash=job.brief.hash,
                prompt_id=origin.prompt_id,
                prompt_hash=origin.prompt_hash,
                model=origin.model,
            )
            attached = (await self._database.settle(outcome)).attached
        return Told(Ending.CACHED, explanation, attached)

    async def _reserve(self, job: Job) -> Reserved:
        origin = self._asker.origin(job.purpose)
        tokens, cost = self._asker.estimate(job.brief)
        planned = Planned(
            purpose=job.purpose,
            evidence_hash=job.brief.hash,
            prompt_id=origin.prompt_id,
            prompt_hash=origin.prompt_hash,
            model=origin.model,
            estimated_tokens=tokens,
            estimated_cost=cost,
            claim_seconds=self.claim_seconds,
            id=None if job.claim is None else job.claim.id,
            incident_id=job.incident_id,
            fingerprint=job.fingerprint,
            implementation_type=job.implementation_type,
        )
        return await self._database.reserve(planned, self._caps)

    async def _ask(self, brief: Brief, *, may_repair: bool) -> Asked | None:
        """The answer; None where the asker outlived its own deadline."""
        try:
            async with asyncio.timeout(self._deadline_seconds + GRACE_SECONDS):
                return await self._asker.ask(brief, may_repair=may_repair)
        except TimeoutError:
            return None

    async def _settle(self, job: Job, call: str, asked: Asked | None) -> Told:
        explanation = self._explanation(job, asked)
        failure = "timeout" if asked is None else asked.failure
        status = "done" if failure is None else "refused" if _is_unpaid(asked) else "failed"
        outcome = Outcome(
            call,
            status,
            requests=None if asked is None else 1 + asked.repaired,
            reason=failure,
            retry_seconds=_retry_seconds(asked) if status == "refused" else None,
            explanation=explanation,
            **_used(asked),
        )
        settled = await self._database.settle(outcome)
        ending = {"refused": Ending.PUT_OFF, "failed": Ending.FAILED}.get(status, Ending.EXPLAINED)
        if ending is Ending.EXPLAINED and explanation["source"] == "template":
            ending = Ending.REJECTED
        return Told(ending, explanation, settled.attached, asked=asked)

    def _explanation(self, job: Job, asked: Asked | None) -> dict[str, Any]:
        origin = self._asker.origin(job.purpose)
        if asked is None:
            return unexplained("timeout", job.brief, job.of, origin, Spent())
        spent = Spent(asked.input_tokens, asked.output_tokens, asked.cost)
        if asked.checked is None:
            return unexplained(asked.failure or "failed", job.brief, job.of, origin, spent)
        return explained(asked.checked, job.brief, job.of, origin, spent)


def _used(asked: Asked | None) -> dict[str, Any]:
    """What the ledger is told of use: nothing where it is not known, so that the estimate goes on counting."""
    if asked is None or asked.uncertain:
        return {}
    return {
        "input_tokens": asked.input_tokens,
        "output_tokens": asked.output_tokens,
        "cost": asked.cost if asked.input_tokens or asked.output_tokens else 0.0,
    }


def _is_unpaid(asked: Asked | None) -> bool:
    """Whether the model could not be asked at all."""
    if asked is None or asked.uncertain or asked.input_tokens or asked.output_tokens:
        return False
    return asked.failure in UNANSWERED


def _retry_seconds(asked: Asked | None) -> float:
    wait = None if asked is None else asked.retry_after
    return max(RETRY_SECONDS, wait or 0.0)
