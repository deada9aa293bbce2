"""What explaining asks of the database: which incidents wait, what may be told of them, what may be spent, and the words put beside them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import psycopg
import stamina

from auditor.database import rest_failures
from auditor.database.named import SHORTEST, only
from auditor.database.rest_failures import RestFailure
from auditor.errors import AuditorError, DependencyUnreachable
from auditor.explanation.brief import Purpose

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from auditor.database.calls import Calls

PATIENCE_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """Which incidents wait for words.

    Parameters
    ----------
    severities
        Those that are worth a call.
    after_seconds
        How long ago an incident must have begun.
    backlog_seconds
        How long ago it may have ended.
    storm
        Where more wait, one tells of all of them.
    claim_seconds
        How long a claim is this worker's alone.
    """

    severities: tuple[str, ...]
    after_seconds: float
    backlog_seconds: float
    storm: int
    claim_seconds: float


@dataclass(frozen=True, slots=True)
class Claim:
    """An incident that this worker alone asks about, by the id of its call; `fingerprint` is its leading finding's."""

    id: str
    incident_id: str
    fingerprint: str
    implementation_type: str
    purpose: Purpose


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a claim gave, how many incidents another call tells of instead, and how many still wait."""

    claims: tuple[Claim, ...]
    coalesced: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Caps:
    """What all auditors of a database may spend together; money in the currency of the prices, days and months in UTC."""

    calls_per_hour: int
    tokens_per_day: int
    cost_per_day: float
    cost_per_month: float


@dataclass(frozen=True, slots=True)
class Planned:
    """A call that is about to be made; without the id of a claim it is a command's. `cost` is None where no price is known."""

    purpose: Purpose
    evidence_hash: str
    prompt_id: str
    prompt_hash: str
    model: str
    estimated_tokens: int
    estimated_cost: float | None
    claim_seconds: float
    id: str | None = None
    incident_id: str | None = None
    fingerprint: str | None = None
    implementation_type: str | None = None


@dataclass(frozen=True, slots=True)
class Reserved:
    """Whether a call may be made, under which id and with how many requests; else the cap that is reached, None where the claim is another's."""

    granted: bool
    id: str | None = None
    requests: int = 0
    cap: str | None = None
    retry_at: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call.

    `status` is done, failed, or refused for one that reached no model and may be made again after `retry_seconds`. None means
    unknown: tokens and cost are then counted at their estimates.
    """

    id: str
    status: str
    requests: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    reason: str | None = None
    retry_seconds: float | None = None
    explanation: Mapping[str, Any] | None = None
    evidence_hash: str | None = None
    prompt_id: str | None = None
    prompt_hash: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """Whether an outcome was written, and whether its explanation stands beside the finding."""

    settled: bool
    attached: bool


class Explanations:
    """The functions of explaining, whatever carries them; each may be repeated, and is where an answer was lost.

    Every method raises DependencyUnreachable if the database does not answer in time, and AuditorError if it refuses.

    Parameters
    ----------
    calls
        The carrier; closed with this.
    worker
        This auditor's name in the ledger of calls.
    patience_seconds
        How long a call goes on trying.
    settle_seconds
        How long the settling of a paid call does.
    """

    def __init__(
        self,
        calls: Calls,
        *,
        worker: str,
        patience_seconds: float = PATIENCE_SECONDS,
        settle_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._calls = calls
        self._worker = worker
        self._patience_seconds = patience_seconds
        self._settle_seconds = settle_seconds

    async def claim(self, waiting: Waiting, *, most: int) -> Claimed:
        """Take up to `most` incidents that wait for words; no two workers get the same."""
        request = asdict(waiting) | {"severities": list(waiting.severities), "most": most}
        answer = await self._call("auditor_claim_explanations", {"worker": self._worker, "request": request})
        claims = tuple(Claim(**one | {"purpose": Purpose(one["purpose"])}) for one in answer["claims"])
        return Claimed(claims, answer["coalesced"], answer["waiting"])

    async def find(self, named: str) -> dict[str, Any]:
        """The row of the observation whose id begins with a text, or whose fingerprint it is; times as ISO 8601.

        Raises
        ------
        BadInput
            If there is none, or more than one.
        """
        found: list[dict[str, Any]] = await self._call("auditor_find_observations", {"named": named})
        if len(named) < SHORTEST:
            found = [row for row in found if row["fingerprint"] == named]
        return only(found, "observation", named)

    async def material(self, fingerprint: str) -> dict[str, Any] | None:
        """What may be told of a finding's incident; None where there is no such finding."""
        found: dict[str, Any] | None = await self._call(
            "auditor_explanation_material", {"fingerprint": fingerprint}
        )
        return found

    async def digest_material(self, start: datetime, end: datetime) -> dict[str, Any]:
        """What a digest of the time from `start` to `end` (exclusive) is made from."""
        span = {"from_time": start.isoformat(), "to_time": end.isoformat()}
        found: dict[str, Any] = await self._call("auditor_digest_material", span)
        return found

    async def cached(self, evidence_hash: str, prompt_hash: str, model: str) -> dict[str, Any] | None:
        """The explanation that was made of the same evidence by the same prompt and model; None where there is none."""
        found: dict[str, Any] | None = await self._call(
            "auditor_cached_explanation",
            {"evidence_hash": evidence_hash, "prompt_hash": prompt_hash, "model": model},
        )
        return found

    async def reserve(self, planned: Planned, caps: Caps) -> Reserved:
        """Set aside what a call may cost, within what all auditors of the database have left."""
        answer = await self._call(
            "auditor_reserve_call", {"worker": self._worker, "call": asdict(planned), "caps": asdict(caps)}
        )
        return Reserved(**answer)

    async def settle(self, outcome: Outcome) -> Settled:
        """Write what became of a call and put its explanation beside the finding, together or not at all."""
        answer = await self._call(
            "auditor_settle_call",
            {"worker": self._worker, "outcome": asdict(outcome)},
            patience_seconds=self._settle_seconds,
        )
        return Settled(**answer)

    async def attach(self, fingerprint: str, explanation: Mapping[str, Any]) -> bool:
        """Put an explanation beside a finding; False where it is not of the finding as it stands."""
        return bool(
            await self._call(
                "auditor_attach_explanation", {"fingerprint": fingerprint, "explanation": dict(explanation)}
            )
        )

    async def close(self) -> None:
        """Close the connections; safe to call twice."""
        await self._calls.close()

    async def _call(
        self, function: str, arguments: Mapping[str, Any], *, patience_seconds: float | None = None
    ) -> Any:
        attempts = stamina.retry_context(
            on=_is_passing,
            attempts=None,
            timeout=self._patience_seconds if patience_seconds is None else patience_seconds,
            wait_initial=0.1,
            wait_max=3.0,
            wait_jitter=0.5,
        )
        try:
            async for attempt in attempts:
                with attempt:
                    return await self._calls.call_once(function, arguments)
        except RestFailure as failure:
            raise rest_failures.explain(failure, getattr(self._calls, "url", ""), function) from None
        raise DependencyUnreachable("The database does not answer.")


def _is_passing(error: Exception) -> bool:
    """Whether the same call may succeed later."""
    if isinstance(error, RestFailure):
        return error.is_passing
    return isinstance(error, AuditorError) and isinstance(error.__cause__, psycopg.OperationalError)
