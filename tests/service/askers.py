"""An asker whose answers, failures and silences a test decides; its briefs are real and it counts what it was asked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from auditor.explanation.attached import Origin
from auditor.explanation.brief import Brief, Purpose
from auditor.explanation.checked import Checked, RankedCause, Rejected, Rejection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping


@dataclass(frozen=True)
class Answered:
    """What the scripted model did."""

    checked: Checked | None = None
    failure: str | None = None
    detail: str = ""
    retry_after: float | None = None
    uncertain: bool = False
    repaired: bool = False
    input_tokens: int = 100
    output_tokens: int = 20
    cost: float | None = 0.01
    model: str = "scripted"


def checked(description: str = "The hit rate fell.", **changes: Any) -> Checked:
    given: dict[str, Any] = {
        "source": "model",
        "description": description,
        "recommendation": "Look at the release.",
        "causes": (RankedCause("flush", 0.8, "The size fell."),),
        "confidence": 0.8,
        "sentences": 2,
        "rejected": (Rejected("description", "It fell by 99 %.", "it is another number", Rejection.NUMBER),),
    }
    return Checked(**(given | changes))


async def hang() -> Answered:
    """A model that never answers."""
    await asyncio.Event().wait()
    raise AssertionError


@dataclass
class ScriptedAsker:
    """An `Asker`; `answer` is what happens when it is asked."""

    answer: Callable[[], Awaitable[Answered]] | None = None
    price: float | None = 0.02
    asked: list[Brief] = field(default_factory=list)
    most_at_once: int = 0
    _at_once: int = 0

    def incident_brief(self, material: Mapping[str, Any], purpose: Purpose) -> Brief:
        lead = material["rows"][0]
        data = {
            "cache": lead["implementation_type"],
            "as_of": "2026-11-26T10:45Z",
            "incident": lead["incident_id"],
            "severity": lead["severity"],
        }
        return Brief(purpose, data)

    def digest_brief(self, material: Mapping[str, Any]) -> Brief:
        return Brief(
            Purpose.DAILY_DIGEST, {"from": material["from_minute"], "incidents": len(material["rows"])}
        )

    def origin(self, purpose: Purpose) -> Origin:
        return Origin(str(purpose), 1, "hash", "scripted")

    def estimate(self, brief: Brief) -> tuple[int, float | None]:
        return 400, self.price

    def messages(self, brief: Brief) -> list[dict[str, str]]:
        return [{"role": "user", "content": brief.text}]

    async def ask(self, brief: Brief, *, may_repair: bool) -> Answered:
        self.asked.append(brief)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            if self.answer is not None:
                return await self.answer()
            await asyncio.sleep(0.005)
            return Answered(checked())
        finally:
            self._at_once -= 1


def answering(answered: Answered) -> Callable[[], Awaitable[Answered]]:
    """A model that always does the same."""

    async def answer() -> Answered:
        return answered

    return answer
