"""One answer against what a good one says: pure code, no second model."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.explanation.checked import Checked
    from auditor.model.asking import Asked

GROUNDED_ENOUGH: Final = 0.8
"""The least share of an answer's sentences that has to stand."""
_PLAYED_UP: Final = ("disaster*", "catastroph*", "emergency", "meltdown")
_PLAYED_DOWN: Final = (
    "all is well",
    "go back to sleep",
    "no action is needed",
    "no action needed",
    "nothing to worry about",
    "false alarm",
    "can be ignored",
    "harmless",
)
_MISCALLED: Final = {
    None: _PLAYED_UP,
    "info": ("critical", *_PLAYED_UP),
    "warning": ("critical", *_PLAYED_UP, *_PLAYED_DOWN),
    "critical": (*_PLAYED_UP, *_PLAYED_DOWN),
}
"""What must not be said of an incident of each severity, and of a day."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a good answer about an incident says.

    Parameters
    ----------
    why
        What the incident is for, in a sentence.
    causes
        The causes that may be named first; empty where none is graded.
    severity
        info, warning or critical, as the tests have it; None of a day. An answer may neither play it up nor down.
    must_mention
        Of each entry at least one word or phrase has to occur; a word that ends in `*` stands for all that begin so.
    must_not_mention
        None of these may occur.
    longest
        The most characters of the whole answer.
    """

    why: str
    causes: tuple[str, ...]
    severity: str | None
    must_mention: tuple[tuple[str, ...], ...]
    must_not_mention: tuple[str, ...]
    longest: int


@dataclass(frozen=True, slots=True)
class Grade:
    """How one answer did.

    Parameters
    ----------
    incident
        The incident's name.
    passed
        Whether nothing at all was wrong.
    faults
        What was, each in a few words.
    schema_ok
        Whether the answer had the shape asked for, at the latest after its repair.
    grounded_share
        Share of its sentences that stand, 0..1; 0 without an answer.
    cause_right
        Whether the first cause is one of those expected; None where none is graded.
    mentioned
        Share of what has to be mentioned, 0..1.
    clean
        Whether nothing is said that must not be.
    length_ok
        Whether it is neither empty nor too long.
    repaired, failure, input_tokens, output_tokens, cost, seconds
        As `Asked` has them.
    """

    incident: str
    passed: bool
    faults: tuple[str, ...]
    schema_ok: bool
    grounded_share: float
    cause_right: bool | None
    mentioned: float
    clean: bool
    length_ok: bool
    repaired: bool
    failure: str | None
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """The object that `--format json` holds for each answer."""
        return asdict(self) | {"faults": list(self.faults)}


def grade(name: str, expected: Expectation, asked: Asked) -> Grade:
    """Grade an answer.

    What is read is what an engineer would read: the text after its check. Where so little of it stood that the
    deterministic text has to take its place, the answer has failed.
    """
    checked = asked.checked
    text = "" if checked is None else _text(checked)
    missing = [wanted for wanted in expected.must_mention if not any(map(_finder(text), wanted))]
    said = [*filter(_finder(text), (*expected.must_not_mention, *_MISCALLED[expected.severity]))]
    cause = _first_cause(checked)
    cause_right = cause in expected.causes if expected.causes else None
    share = 0.0 if checked is None else checked.grounded_share
    length_ok = 0 < len(text) <= expected.longest
    faults = (
        *_about_the_answer(asked, share),
        *([f"first cause {cause or 'missing'}"] if cause_right is False and checked is not None else ()),
        *(f"no mention of {wanted[0]}" for wanted in missing if text),
        *(f"says {words}" for words in said),
        *([f"{len(text)} characters, {expected.longest} at most"] if len(text) > expected.longest else ()),
    )
    wanted = len(expected.must_mention)
    return Grade(
        incident=name,
        passed=not faults,
        faults=faults,
        schema_ok=checked is not None,
        grounded_share=share,
        cause_right=cause_right,
        mentioned=1.0 - len(missing) / wanted if wanted else float(bool(text)),
        clean=not said,
        length_ok=length_ok,
        repaired=asked.repaired,
        failure=asked.failure,
        input_tokens=asked.input_tokens,
        output_tokens=asked.output_tokens,
        cost=asked.cost,
        seconds=asked.seconds,
    )


def _about_the_answer(asked: Asked, share: float) -> list[str]:
    """What is wrong with it as a whole."""
    if asked.checked is None:
        return [f"no answer ({asked.failure or 'unknown'}) {asked.detail}".rstrip(" .")]
    if asked.checked.source == "template":
        return [f"too little of it stands: {share:.0%} grounded"]
    return [f"{share:.0%} grounded"] if share < GROUNDED_ENOUGH else []


def _text(checked: Checked) -> str:
    """Everything of an answer that is shown."""
    whys = "\n".join(cause.why for cause in checked.causes)
    return "\n".join(part for part in (checked.description, checked.recommendation, whys) if part)


def _first_cause(checked: Checked | None) -> str | None:
    return checked.causes[0].cause if checked is not None and checked.causes else None


def _finder(text: str) -> Callable[[str], bool]:
    """Whether words occur in a text, whatever their case and the space between them, and not as parts of other words or numbers."""
    line = " ".join(text.split())

    def occur(words: str) -> bool:
        inner = r"\s+".join(map(re.escape, words.rstrip("*").split()))
        end = "" if words.endswith("*") else r"(?!\w)(?![.,]\d)"
        return re.search(rf"(?<!\w)(?<!\d[.,]){inner}{end}", line, re.IGNORECASE) is not None

    return occur
