"""What engineers have answered to observations, and what they need not be told again as loudly."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from auditor.detection.policy import HISTORY_DAYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


KEPT_MINUTES: Final = HISTORY_DAYS * 1440
"""Answers are forgotten with the history that they are about."""
GROWN: Final = 1.25
"""What is larger than this many times what was called ignorable is news again."""


class Says(StrEnum):
    """What an engineer may answer."""

    INCIDENT = "incident"
    NEW_NORMAL = "new_normal"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class Share:
    """One metric's share of an incident, and how large the worst of it was, in the measure of `effect_of`."""

    metric: str
    direction: str
    effect: float


@dataclass(frozen=True, slots=True)
class Answer:
    """An engineer's answer to an observation: it is about the whole incident, for that is what was paged.

    Parameters
    ----------
    fingerprint, incident_id
        The observation's.
    says
        The answer.
    minute
        When it was given, minutes since 1970: windows from there on are judged by it.
    first_minute, last_minute
        Of the incident, as far as it is known.
    shares
        What was found in the incident.
    """

    fingerprint: str
    incident_id: str
    says: Says
    minute: int
    first_minute: int
    last_minute: int
    shares: tuple[Share, ...] = ()

    @property
    def until_minute(self) -> int:
        """The minute from which it is forgotten."""
        return self.minute + KEPT_MINUTES

    def as_json(self) -> dict[str, Any]:
        """Plain JSON that `from_json` reads back; shares only where they are asked for later."""
        told: dict[str, Any] = {
            "fingerprint": self.fingerprint,
            "incident_id": self.incident_id,
            "says": str(self.says),
            "minute": self.minute,
            "first_minute": self.first_minute,
            "last_minute": self.last_minute,
        }
        if self.says is Says.IGNORE:
            told["shares"] = [[share.metric, share.direction, share.effect] for share in self.shares]
        return told

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Answer:
        """The answer that `as_json` wrote, or that the database tells of."""
        return cls(
            fingerprint=stored["fingerprint"],
            incident_id=stored["incident_id"],
            says=Says(stored["says"]),
            minute=int(stored["minute"]),
            first_minute=int(stored["first_minute"]),
            last_minute=int(stored["last_minute"]),
            shares=tuple(
                Share(metric, direction, float(effect))
                for metric, direction, effect in stored.get("shares", ())
            ),
        )


def effect_of(metric: str, absolute: float, relative: float) -> float:
    """How large an effect is: relative to what was expected; of error rates, which are expected to be nought, absolutely."""
    return abs(absolute if metric == "error_rate" else relative)


def effect_of_part(part: Mapping[str, Any]) -> float:
    """How large the worst of a metric's share of an incident was, as the incident holds it; of silence the minutes, of broken windows the reasons."""
    worst = part["worst"]
    if part["metric"] == "silence":
        return float(part["last"] - part["first"] + 1)
    if part["metric"] == "window_validity":
        return float(worst["value"])
    return effect_of(part["metric"], worst["absolute"], worst["relative"])


def not_taken(answers: Iterable[Answer], taken: Iterable[Answer], minute: int) -> list[Answer]:
    """Those of `answers` that still say something new at `minute`, in the order in which they were given."""
    known = {(answer.fingerprint, answer.says, answer.minute) for answer in taken}
    fresh = (
        answer
        for answer in answers
        if answer.until_minute > minute and (answer.fingerprint, answer.says, answer.minute) not in known
    )
    return sorted(fresh, key=_given)


def _given(answer: Answer) -> tuple[int, str]:
    """The order in which answers were given."""
    return answer.minute, answer.fingerprint


def with_answer(taken: Sequence[Answer], answer: Answer, minute: int) -> tuple[Answer, ...]:
    """The answers that stand from `minute` on: a new one takes the place of that to the same observation."""
    standing = (old for old in taken if old.fingerprint != answer.fingerprint and old.until_minute > minute)
    return (*standing, answer)


def ignored(
    answers: Sequence[Answer], metric: str, direction: str, minute: int, effect: float
) -> Answer | None:
    """The answer by which a finding is no more than what an engineer has called ignorable; None where there is none.

    Of several answers to the observations of one incident the last counts.
    """
    last = {answer.incident_id: answer for answer in sorted(answers, key=_given)}
    for answer in last.values():
        if answer.says is not Says.IGNORE or not answer.minute <= minute < answer.until_minute:
            continue
        for share in answer.shares:
            if (share.metric, share.direction) == (metric, direction) and effect <= GROWN * share.effect:
                return answer
    return None
