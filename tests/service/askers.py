"""An asker whose answers, failures and silences a test decides; its briefs are real and it counts what it was asked."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from auditor.explanation.attached import Origin
from auditor.explanation.brief import Brief, Purpose
from auditor.explanation.checked import Checked, RankedCause, Rejected, Rejection
from auditor.model.asking import Asked

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping


def answered(checked: Checked | None = None, **given: Any) -> Asked:
    """What the scripted model did."""
    blank: dict[str, Any] = {
        "failure": None,
        "detail": "",
        "retry_after": None,
        "repaired": False,
        "input_tokens": 100,
        "output_tokens": 20,
        "cost": 0.01,
        "uncertain": False,
        "seconds": 1.0,
        "model": "scripted",
        "raw": None,
    }
    return Asked(checked=checked, **(blank | given))


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


async def hang() -> Asked:
    """A model that never answers."""
    await asyncio.Event().wait()
    raise AssertionError


@dataclass
class ScriptedAsker:
    """An `Asker`; `answer` is what happens when it is asked."""

    answer: Callable[[], Awaitable[Asked]] | None = None
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

    async def ask(self, brief: Brief, *, may_repair: bool) -> Asked:
        self.asked.append(brief)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            if self.answer is not None:
                return await self.answer()
            await asyncio.sleep(0.005)
            return answered(checked())
        finally:
            self._at_once -= 1


def answering(answered: Asked) -> Callable[[], Awaitable[Asked]]:
    """A model that always does the same."""

    async def answer() -> Asked:
        return answered

    return answer
