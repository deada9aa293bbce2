"""What of a model's answer stands.

Each field is read sentence by sentence. A sentence stands if every claim in it that can be recognised is borne out by
the brief; else it is taken out whole and kept with its reason. Sentences are read in order, each in the light of those
before it that stood, so that what is left stands again when it is read again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from auditor.detection.diagnosis.figures import percent
from auditor.detection.diagnosis.sentences import NAMES
from auditor.explanation.checked import Checked, RankedCause, Rejected, Rejection
from auditor.explanation.description import SURE, WORTH_NAMING
from auditor.explanation.grounding.advice import is_statement, own_steps, wrong_advice
from auditor.explanation.grounding.amounts import wrong_amounts
from auditor.explanation.grounding.causal import wrong_causes
from auditor.explanation.grounding.context import Context, subjects_of
from auditor.explanation.grounding.judgements import empty, wrong_judgements
from auditor.explanation.grounding.moments import wrong_moments
from auditor.explanation.grounding.movements import unknown_subjects, wrong_movements
from auditor.explanation.grounding.prose import plain, sentences, shown
from auditor.explanation.grounding.reading import read
from auditor.explanation.grounding.standing import wrong_standing
from auditor.explanation.grounding.strangers import active, strangers, unmeasured
from auditor.explanation.grounding.told import facts_of
from auditor.explanation.reply import DigestReply, Reply
from auditor.explanation.wording import listing, sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from auditor.explanation.brief import Brief
    from auditor.explanation.grounding.facts import Facts
    from auditor.explanation.grounding.reading import Reading
    from auditor.explanation.reply import ReplyCause

LEAST_SHARE: Final = 0.5
"""Share of the sentences that must stand for the model's text to be shown at all."""
LEAST_OF_TOP: Final = 0.5
MOST_BEHIND: Final = 0.25
"""A cause may be put first if its confidence is at least half of the leading one's and at most so much less."""
MOST_NUMBERS: Final = 24
"""More numbers than this in one sentence are no prose, and each is looked at beside all others."""
_READERS: Final[tuple[tuple[Rejection, Callable[[Reading, Context], Iterator[str]]], ...]] = (
    (Rejection.MARKUP, active),
    (Rejection.NAME, strangers),
    (Rejection.METRIC, unmeasured),
    (Rejection.METRIC, unknown_subjects),
    (Rejection.NUMBER, wrong_amounts),
    (Rejection.TIME, wrong_moments),
    (Rejection.DIRECTION, wrong_movements),
    (Rejection.CAUSE, wrong_causes),
    (Rejection.STANDING, wrong_standing),
    (Rejection.JUDGEMENT, wrong_judgements),
    (Rejection.ADVICE, wrong_advice),
    (Rejection.EMPTY, empty),
)


class _Fault(NamedTuple):
    """Why a sentence does not stand."""

    reason: str
    kind: Rejection


@dataclass(slots=True)
class _Check:
    """The check of one answer: its facts, and what was counted and taken out so far."""

    facts: Facts
    sentences: int = 0
    failed: int = 0
    rejected: list[Rejected] = field(default_factory=list)

    def reject(self, where: str, text: str, reason: str, kind: Rejection) -> None:
        self.rejected.append(Rejected(where, shown(text), shown(reason, 200), kind))

    def standing(self, where: str, text: str, context: Context) -> list[str]:
        """The sentences of a field that stand, neutralised."""
        kept = []
        for one in sentences(plain(text)):
            self.sentences += 1
            fault = _fault(one, context)
            if fault is None:
                kept.append(shown(one))
            else:
                self.failed += 1
                self.reject(where, one, fault.reason, fault.kind)
        return kept


def check(reply: Reply | DigestReply, brief: Brief) -> Checked:
    """Check an answer against the brief that it was given; never raises.

    The words become the template's ("template") where no sentence of the summary stands, where the cause that the
    model puts first is not among the ranked, or where less than half of the sentences stand.

    The order of causes is the evidence's, except that the model may put one first whose confidence is at least half of
    the leading one's and at most 0.25 below it, if it says why in words that stand. Confidences are the smaller of the
    model's and the evidence's.
    """
    return check_against(facts_of(brief), reply)


def check_against(facts: Facts, reply: Reply | DigestReply) -> Checked:
    """Check an answer as `check` does, against the facts of its brief; they are left as they are."""
    work = _Check(facts)
    if isinstance(reply, DigestReply):
        return _digest(work, reply)
    return _incident(work, reply)


def _fault(one: str, context: Context) -> _Fault | None:
    """Why a sentence does not stand, or None; one that stands sets what the next one may refer to."""
    facts = context.facts
    names = tuple(dict.fromkeys(name for name in (facts.cache, *facts.others) if name))
    reading = read(one, names, tuple(facts.errors))
    if len(reading.quantities) > MOST_NUMBERS:
        return _Fault("it holds more numbers than a sentence does", Rejection.NUMBER)
    context.grid = False
    if is_own(one, context):
        context.carried = subjects_of(reading.subjects)[-3:] or context.carried
        return None
    read_in = (
        replace(context, field="stated") if context.field == "step" and is_statement(reading) else context
    )
    for kind, reader in _READERS:
        reason = next(reader(reading, read_in), None)
        if reason is not None:
            return _Fault(reason, kind)
    if reading.subjects:
        context.carried = subjects_of(reading.subjects)[-3:]
    return None


def is_own(one: str, context: Context) -> bool:
    """Whether a sentence is the evidence's own, or in a step the auditor's own advice, word for word."""
    low = one.lower()
    if low in context.facts.own:
        return True
    bare = re.sub(r"^(?:first|then|to rule it out|for it|against it)[:,] ", "", low)
    return bare in context.facts.own or (context.field == "step" and bare in own_steps())


def _incident(work: _Check, reply: Reply) -> Checked:
    facts = work.facts
    ranked = _known_causes(work, reply)
    order = list(facts.ranks)
    overall = min(1.0, max(0.0, reply.confidence))
    capped = {one.cause: min(one.confidence, facts.ranks[one.cause]) for one in ranked}
    first, reason = _first(work, ranked, order, capped)
    summary = Context(facts, "summary", first, capped, facts.cache)
    what = work.standing("summary", reply.summary, summary)
    impact = work.standing("impact", reply.impact or "", Context(facts, "impact", first, capped, facts.cache))
    why = {
        one.cause: work.standing(
            f"causes.{one.cause}.why", one.why, Context(facts, "why", one.cause, capped, facts.cache)
        )
        for one in ranked
    }
    steps = [
        " ".join(kept)
        for one in reply.steps
        if (kept := work.standing("steps", one, Context(facts, "step", first, capped, facts.cache)))
    ]
    names = [first, *(name for name in order if name != first and name in capped)] if first else []
    causes = tuple(
        RankedCause(
            name,
            capped.get(name, min(overall, facts.ranks[name])),
            " ".join([*why.get(name, []), *(reason if name == first else [])]),
        )
        for name in names
    )
    spoiled = not reply.causes or reply.causes[0].cause not in facts.ranks
    description = "\n".join(line for line in (" ".join(what), " ".join(impact), _because(causes)) if line)
    confidence = min(overall, causes[0].confidence) if causes else 0.0
    return _verdict(
        work,
        Checked("model", description, "\n".join(steps), causes, confidence, work.sentences, ()),
        fallen=spoiled or not what,
    )


def _verdict(work: _Check, whole: Checked, *, fallen: bool) -> Checked:
    rejected = tuple(work.rejected)
    kept = Checked(
        whole.source,
        whole.description,
        whole.recommendation,
        whole.causes,
        whole.confidence,
        whole.sentences,
        rejected,
    )
    if fallen or work.sentences - work.failed < LEAST_SHARE * work.sentences:
        return Checked("template", "", "", (), whole.confidence, whole.sentences, rejected)
    return kept


def _known_causes(work: _Check, reply: Reply) -> list[ReplyCause]:
    """The causes of the answer that were ranked, each once."""
    found: dict[str, ReplyCause] = {}
    for one in reply.causes:
        if one.cause not in work.facts.ranks:
            work.reject(
                "causes",
                f"{one.cause}: {one.why}",
                f"{one.cause[:40]} is none of the ranked causes",
                Rejection.CAUSE,
            )
        elif one.cause in found:
            work.reject("causes", f"{one.cause}: {one.why}", f"{one.cause} is given twice", Rejection.CAUSE)
        else:
            found[one.cause] = one
    return list(found.values())


def _first(
    work: _Check, ranked: list[ReplyCause], order: list[str], capped: dict[str, float]
) -> tuple[str, list[str]]:
    """The cause to be shown first, and the reason that stands for putting it there."""
    if not ranked:
        return (order[0] if order else ""), []
    choice, top = ranked[0], order[0]
    if choice.cause == top:
        return top, []
    behind = work.facts.ranks[top] - work.facts.ranks[choice.cause]
    within = work.facts.ranks[choice.cause] >= LEAST_OF_TOP * work.facts.ranks[top] and behind <= MOST_BEHIND
    said = choice.reordered_because or ""
    kept = work.standing(
        f"causes.{choice.cause}.reordered_because",
        said,
        Context(work.facts, "reason", choice.cause, capped, work.facts.cache),
    )
    whole = len(kept) == len(sentences(plain(said))) > 0
    if within and whole:
        return choice.cause, kept
    why = "the evidence does not allow it" if not within else "it gives no reason that stands"
    work.reject(
        "causes", f"{choice.cause} before {top}", f"the evidence's order was restored: {why}", Rejection.CAUSE
    )
    return top, []


def _because(causes: tuple[RankedCause, ...]) -> str:
    """The causes in one line: the first with its reasons, those after it by name."""
    if not causes:
        return ""
    first, rest = (
        causes[0],
        [one for one in causes[1:3] if one.confidence >= WORTH_NAMING and one.cause != "unknown"],
    )
    sure = next(word for least, word in SURE if first.confidence >= least)
    named = f"The cause is {sure} {_name(first.cause)} ({percent(first.confidence)} confidence)."
    parts = ["No known cause fits what moved." if first.cause == "unknown" else named, first.why]
    if rest:
        others = listing([f"{_name(one.cause)} ({percent(one.confidence)})" for one in rest], "or")
        parts.append(sentence(f"it could also be {others}"))
    return " ".join(part for part in parts if part)


def _name(cause: str) -> str:
    return NAMES.get(cause, cause.replace("_", " "))


def _digest(work: _Check, reply: DigestReply) -> Checked:
    facts = work.facts
    lines = [" ".join(work.standing("summary", reply.summary, Context(facts, "digest", "")))]
    fallen = not lines[0]
    for one in reply.items:
        if one.cache not in facts.others:
            work.reject(
                "items", f"{one.cache}: {one.text}", "there is no such cache in the evidence", Rejection.CACHE
            )
            continue
        kept = work.standing(
            f"items.{shown(one.cache, 64)}", one.text, Context(facts, "item", "", cache=one.cache)
        )
        if kept:
            lines.append(f"{shown(one.cache, 64)}: {' '.join(kept)}")
    steps = [
        " ".join(kept)
        for one in reply.steps
        if (kept := work.standing("steps", one, Context(facts, "step", "")))
    ]
    description = "\n".join(line for line in lines if line)
    return _verdict(
        work, Checked("model", description, "\n".join(steps), (), 0.0, work.sentences, ()), fallen=fallen
    )


def reasons(text: str, context: Context) -> Iterator[tuple[str, str | None]]:
    """Each sentence of a text with why it fails, or None where it stands."""
    for one in sentences(plain(text)):
        fault = _fault(one, context)
        yield one, fault.reason if fault else None
