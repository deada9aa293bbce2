"""Whether each number of a sentence is one of the brief's, in the part and of the thing that it is said of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from auditor.explanation.grounding.chances import confidence, rarity
from auditor.explanation.grounding.context import following, preceding, subjects_of
from auditor.explanation.grounding.matching import any_agrees, facts_about
from auditor.explanation.grounding.quantities import SECONDS
from auditor.explanation.grounding.spans import flagged_of, span_of_time
from auditor.explanation.grounding.spot import spot_of
from auditor.explanation.grounding.topics import ADJOINED
from auditor.explanation.grounding.values import metric_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.explanation.grounding.context import Context
    from auditor.explanation.grounding.reading import Reading
    from auditor.explanation.grounding.spot import Spot

_COST: Final = re.compile(r"\b(?:cost(?:s|ing)?|spen[dt]|money|bill|price|expense)\b")

_TALLIES: Final = re.compile(
    r"^\s*(?:other |more |further |similar |past |previous |earlier |known |ranked |possible |candidate |different |unusual |affected |new |critical |open |resolved |related |of (?:these|them|the) )*(?P<what>metrics?|signals?|measures?|caches?|incidents?|causes?|explanations?|hypothes[ie]s|types?|kinds?|observations?|critical|warnings?|info|open|resolved|with no data|no_data|without data)\b"
)

_ONCE: Final = re.compile(r"\bonce (?:in )?(?:an?|every|per|each) (minute|hour|day|week|month|year)\b")

_OTHER_RATE: Final = re.compile(
    r"\s*(?:/ ?(?:s|sec|h|hr|hour|d|day|week)\b|(?:extra |more )?(?:an?|per|each|every) (?:second|hour|day|week|month|year)\b)"
)
"""The windows are of one minute: no rate of the evidence is of anything else."""
_OF_SETS: Final = re.compile(
    r"\b(?P<few>\d[\d,]*) (?:out )?of (?P<many>\d[\d,]*)(?: sets)?(?: a| per| each) minute\b"
)


def wrong_amounts(reading: Reading, context: Context) -> Iterator[str]:
    """A reason for each number that the brief does not hold where the sentence puts it."""
    for index, one in enumerate(reading.quantities):
        if not _grounded(reading, index, context):
            yield f"{reading.named[one.start : one.end].strip()[:40]} is not what the evidence has there"
    for found in _ONCE.finditer(reading.spoken):
        seconds = SECONDS[{"minute": "min", "month": "mo"}.get(found[1], found[1][0])]
        if not any(
            abs(seconds / 60.0 * fact.value - 1.0) < 0.06 for fact in facts_about(context, "", ("chance",))
        ):
            yield f"{found[0]} is not how rare it is"


def _grounded(reading: Reading, index: int, context: Context) -> bool:
    spot = spot_of(reading, index, context)
    if _OTHER_RATE.match(reading.spoken, spot.one.end):
        return False
    if _evicting(spot):
        return True
    for reader in (_tally, confidence, rarity, flagged_of, span_of_time, _money, _errors):
        told = reader(spot)
        if told is not None:
            return told
    return metric_value(spot)


def _evicting(spot: Spot) -> bool:
    """Whether a number is one of "890 of 910" sets that evict, where a sentence of the evidence says so."""
    reading = spot.reading
    if "evict" not in reading.spoken:
        return False
    for found in _OF_SETS.finditer(reading.spoken):
        if found.start() <= spot.one.start < found.end():
            told = f"{found['few']} evictions on {found['many']} sets a minute"
            return any(told in text for text in spot.context.facts.trusted)
    return False


def _tally(spot: Spot) -> bool | None:
    match = _TALLIES.match(spot.right)
    if match is None or spot.one.unit:
        return None
    what = match["what"].rstrip("s").replace("with no data", "no_data").replace("without data", "no_data")
    name = {
        "metric": "metrics",
        "signal": "metrics",
        "measure": "metrics",
        "cache": "caches",
        "incident": "incidents",
        "observation": "incidents",
        "no_data": "no_data",
    }.get(what)
    if what in {"critical", "warning", "info", "open", "resolved"}:
        name = what
    names = {name} if name else {"causes", "errors"}
    if name == "metrics":
        names = {"others moved" if re.search(r"\b(?:other|more|further)\b", match[0]) else "metrics"}
        if not re.search(
            r"\b(?<!not )(?:moved|changed|unusual|affected|anomalous|abnormal|deviat\w+)\b", spot.right
        ):
            names |= {"unchanged"}
    qualified = re.search(
        r"\b(critical|warning|info|open|resolved)\b", spot.right[: match.end()]
    ) or re.match(
        r"\s*of the incidents (?:is|are|was|were) (critical|warning|info|open|resolved)\b", spot.right
    )
    if qualified and name == "incidents":
        names = {qualified[1]}
    return any_agrees(
        spot.one,
        (fact for fact in facts_about(spot.context, spot.cache, ("tally", "coverage")) if fact.role in names),
    )


def _money(spot: Spot) -> bool | None:
    if (
        spot.one.unit == ""
        and _COST.search(spot.reading.spoken)
        and any_agrees(spot.one, facts_about(spot.context, spot.cache, ("cost",)))
    ):
        return True
    beside = ADJOINED.match(spot.reading.low[spot.one.end :])
    near = (
        following(spot.reading, spot.one.end)[:1] if beside else preceding(spot.reading, spot.one.start)[-1:]
    )
    if spot.one.unit == "" and subjects_of(near) == ("backend_calls",):
        return any_agrees(spot.one, facts_about(spot.context, spot.cache, ("calls", "backend_calls")))
    if spot.one.unit == "calls" or (
        spot.one.unit == "" and re.search(r"\b(?:backend|origin) (?:calls|requests)", spot.right[:40])
    ):
        fewer = re.search(r"\b(?:fewer|less|saved?|avoided|spared)\b", words_about(spot)) is not None
        return not fewer and any_agrees(
            spot.one, facts_about(spot.context, spot.cache, ("calls", "backend_calls"))
        )
    if (
        spot.one.unit == ""
        and not spot.one.sign
        and (_COST.search(spot.left[-30:]) or _COST.search(spot.right[:15]))
    ):
        known = ("cost", "calls") if "call" in spot.reading.spoken else ("cost",)
        return any_agrees(spot.one, facts_about(spot.context, spot.cache, known))
    if (
        spot.one.unit in {"requests", "operations", "lookups"}
        and re.search(r"\b(?:extra|additional|more)\b", words_about(spot))
        and "backend" in spot.left + spot.right
    ):
        return any_agrees(spot.one, facts_about(spot.context, spot.cache, ("calls",)))
    return None


def words_about(spot: Spot) -> str:
    """A number with the words about it."""
    within = spot.reading.spoken[spot.one.start : spot.one.end]
    return f"{spot.left[-25:]} {within} {spot.right[:25]}"


def _errors(spot: Spot) -> bool | None:
    """A count beside the type of an error."""
    if not spot.reading.errors or spot.one.unit not in {"", "errors", "error", "times"}:
        return None
    around = [name for at, name in spot.reading.errors if at in range(spot.one.start - 30, spot.one.end + 30)]
    if not around:
        return None
    following_type = [name for at, name in spot.reading.errors if 0 <= at - spot.one.end <= 4]
    before = [name for at, name in spot.reading.errors if 0 < spot.one.start - at <= 30]
    names = following_type[:1] or before[-1:] or around[:1]
    return any(
        spot.one.number.means(fact.value, spot.one.hedge)
        for fact in spot.context.facts.numbers
        if fact.subject == f"error {names[0]}"
    )
