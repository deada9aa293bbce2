"""Which part a number plays: what is now, what was expected, the normal interval, the start, the distance, the ratio."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from auditor.explanation.grounding.directions import MOVING, NOUNS, VERBS
from auditor.explanation.grounding.rounding import hedge_before

if TYPE_CHECKING:
    from auditor.explanation.grounding.quantities import Quantity


class Role(StrEnum):
    """The part of a number; OPEN where no word says it."""

    NOW = "now"
    EXPECTED = "expected"
    FROM = "from"
    FIRST = "first"
    LOWER = "lower"
    UPPER = "upper"
    EFFECT = "effect"
    RATIO = "ratio"
    OPEN = "open"


_USUAL: Final = (
    r"(?:expected|expectations?|normal(?:ly|ity)?|usual(?:ly)?|typical(?:ly)?|predicted|prediction|forecast|baseline|ordinar(?:y|ily)|customar(?:y|ily)|"
    r"habitual(?:ly)?|anticipated|learned|historical(?:ly)?|historic|regular(?:ly)?|standard|should (?:be|have been|hit|see|sit)|previous(?:ly)?|formerly|former|prior|healthy|"
    r"used to be|had been|routine(?:ly)?|reference|benchmark|earlier|ought to be)"
)
_FILL: Final = (
    r"(?:\s+(?:value|level|figure|mark|rate|share|ratio|number|count|volume|is|was|were|are|be|being|of|around|about|roughly|to be|for|the|this|that|these|time|day|hour|"
    r"minutes?|on|in|it|its|an?|some|would|should|reading|average|one|pace|speed|sits|runs|hovers|stands|predicts|says|puts|gives)|\s*§++|\s*[\ue000-\uf8ff]|'s|’s)*"
)
_EXPECTED_LEFT: Final = re.compile(
    rf"(?:(?<!as )\b{_USUAL}{_FILL}\s*[:=(]?\s*|(?<!than )(?<!as )(?<!below )(?<!above )(?<!beyond )(?<!under )(?<!over )\b{_USUAL}{_FILL}\s+(?:at|with|near)\s*"
    rf"|\b(?:normally|usually|typically|ordinarily|previously|before|beforehand|expected|formerly|earlier),?\s*)$"
)
_AGAINST_LEFT: Final = re.compile(
    r"(?:\b(?:against|versus|vs\.?|compared (?:with|to)|instead of|rather than|relative to|in place of|in contrast (?:to|with)|as opposed to|where|unlike|than|as against|set against)"
    r"|\((?:was|were|from|formerly|previously|vs\.?|not))\s*(?:the|an?|its|their|some|only)?\s*$"
)
_FROM_LEFT: Final = re.compile(r"\bfrom\s*(?:the|an?|its|their|some|as (?:much|many|high) as)?\s*$")
_NOW_LEFT: Final = re.compile(
    r"(?:\b(?<!compared )(?<!relative )(?<!contrast )(?<!equal )(?<!similar )(?<!amounts )(?<!amount )(?<!expected )to"
    r"|\b(?:at|now|currently|presently|is|are|reached|reaching|seen|observed|measured|actual|actually|recorded|showed|shows|reads|registered|standing|saw|into|sees|actual value|with just|with only|bottomed out at|peaked at))"
    r"(?:\s+(?:just|only|a mere|merely|barely|a|an|the|its|now|currently|being|still|down|value))*\s*[:=(]?\s*$"
)
_FIRST_LEFT: Final = re.compile(
    r"\b(?:at first|initially|(?:in|with) (?:its|the) (?:very )?first (?:minute|window|reading)|first (?:\w+ )?(?:minute|value|reading|window|measurement)|started (?:off |out )?(?:at|with|from)|began (?:at|with)|opened (?:at|with)|starting (?:at|from|with)|first)"
    r"(?:\s+(?:was|is|of|at|it|with|to|stood|had|fell|dropped|rose|climbed|jumped|reached|the|an?|hit|read)|\s*§++|\s*[:=(,])*\s*$"
)
_FIRST_RIGHT: Final = re.compile(
    r"^\s*[,(]?\s*(?:at first|initially|in (?:its|the) (?:very )?first (?:minute|window)|at the (?:start|beginning|onset|outset)|when it (?:began|started)|to begin with|at onset|to start with|in the opening minute)\b"
)
_DISTANCE: Final = (
    r"(?:deviation|difference|gap|shift|change|effect|distance|shortfall|excess|departure|swing|move)"
)
_EFFECT_LEFT: Final = re.compile(
    rf"(?:\b(?:by|down|off|lost|gained|loses|losing|shed|up|{VERBS})(?:\s+(?:another|a further|an?|the|its|some|as much as|full|good))*"
    rf"|\b(?:{NOUNS}|{_DISTANCE})(?:\s*§++|\s+(?:in|of the|of its|the|here|so far))*\s*(?:is|was|of|by|amounts to|comes to|[:=])(?:\s+(?:an?|the|some|full))*)\s*$"
)
_EFFECT_RIGHT: Final = rf"(?:too )?(?:lower|higher|below|above|beneath|less|fewer|more|under|over|slower|faster|longer|shorter|worse|better|smaller|larger|bigger|short of|off|down|up|short|beyond|in excess|away|shy of|{NOUNS}|{_DISTANCE})\b(?! than [\d§])"
_EFFECT_HERE: Final = re.compile(rf"^[\s-]*{_EFFECT_RIGHT}")
_EFFECT_APPOSED: Final = re.compile(rf"^[\s)]*,?\)?\s*{_EFFECT_RIGHT}")
_RATIO_RIGHT: Final = re.compile(
    rf"^\s*(?:as (?:much|many|high|low|large|big|long|slow|fast|often|small|few)|(?:of|the|its|their|what)(?: (?:the|its|their|what(?: is|'s| was| it is)?|[\ue000-\uf8ff]'s))?\s*(?:§++\s*)?(?:(?:that|which) (?:is|was) )?(?:(?:long-term|own|learned|hit|cache)\s+)*{_USUAL}\b(?!\s*[:=]))"
)
_NOW_RIGHT: Final = re.compile(
    r"^(?:\s+(?:of|the|all|lookups|requests|gets|operations|hits?|§++|are|is|were|was|have|has|been|being|a|minute|served|from|cache))*\s*"
    r"(?:now|currently|at the moment|at present|seen|observed|measured|recorded|actually|actual|instead|left|remain(?:s|ed|ing)?|lately|so far|in (?:its|the) (?:worst|most unusual)|at (?:its|the) (?:worst|lowest|peak|low|trough|bottom))\b(?! (?:above|below|higher|lower))"
)
_EXPECTED_RIGHT: Final = re.compile(
    rf"^(?:\s+(?:of|the|all|lookups|requests|gets|operations|hits?|§++|is|are|was|were|would|should|be|have|been|what|it|its|one|we|that|which|level|value|being|as|had|an?|minute|cache|could|per|more|considered|regarded|counted|to)){{0,6}}"
    rf"\s*(?:\(\s*{_USUAL}\s*\)|(?<!\(){_USUAL}\b)"
)
_BEFORE_LEFT: Final = re.compile(
    r"\b(?:before|beforehand|prior to|until then|previously|earlier|up to then)\b[^;]{0,45}§++ (?:was|were|had been|hovered|stood|sat|ran|averaged|had|lay)(?: (?:steady|stable|still|typically|usually))?(?: (?:at|around|near))?\s*$"
)
_LOWER_LEFT: Final = re.compile(
    r"\b(?:lower|bottom) (?:bound|limit|end|edge)\b(?:\s+(?:of|is|was|the|its|normal|usual|expected|range|interval|at))*\s*[(:]?\s*$|\bfloor of\s*$"
)
_UPPER_LEFT: Final = re.compile(
    r"\b(?:upper|top) (?:bound|limit|end|edge)\b(?:\s+(?:of|is|was|the|its|normal|usual|expected|range|interval|at))*\s*[(:]?\s*$|\bceiling of\s*$"
)
_LOST_LEFT: Final = re.compile(
    r"\b(?:lost|losing|loses|lose|shed)(?:\s+(?:about|around|some|its|another))*\s*$"
)
_BEFORE_RIGHT: Final = re.compile(
    r"^\s*\(?(?:before(?:hand)?|prior|earlier|until then|in the past)\b\s*(?:$|[.,;)]|the (?:incident|drop|rise|fall|change)|that|it|this|then)"
)
_RANGE_WORD: Final = re.compile(
    rf"\b(?:range|ranges|interval|band|between|corridor|anywhere|lies|window of normal|{_USUAL})\b"
)
_APPOSED: Final = re.compile(
    r"^\s*[,(]*\s*(?:or|i\.e\.|that is|equivalently|equivalent to|which is|meaning|/|=|and|–)?,?\s*(?:about|around|roughly|some|an?)?\s*$"
)
_TO: Final = re.compile(
    r"^\s*(?:down |up |all the way )?to\s*(?:(?:just|only|about|around|roughly|an?|now|the|a mere|nearly|almost|some|over|under|more than|less than|observed|measured|current)\s*)*$"
)
_DASH: Final = re.compile(r"^\s*(?:-|–)\s*$")
_AND: Final = re.compile(r"^\s*and\s*(?:(?:about|around|roughly)\s*)?$")


_BY_LEFT: Final = re.compile(r"\bby(?:\s+(?:only|just|as much as|an?|some|another|merely|the|full))*\s*$")
_FIRM: Final = (
    (_BY_LEFT, Role.EFFECT),
    (_LOST_LEFT, Role.EFFECT),
    (_LOWER_LEFT, Role.LOWER),
    (_UPPER_LEFT, Role.UPPER),
)
"""Words before a number that outweigh any after it."""
_LOOSE: Final = (
    (_BEFORE_LEFT, Role.EXPECTED),
    (_FIRST_LEFT, Role.FIRST),
    (_FROM_LEFT, Role.FROM),
    (_EXPECTED_LEFT, Role.EXPECTED),
    (_AGAINST_LEFT, Role.EXPECTED),
    (_NOW_LEFT, Role.NOW),
    (_EFFECT_LEFT, Role.EFFECT),
)
"""Words before a number that count where none after it does."""


def roles(low: str, found: list[Quantity]) -> list[Role]:
    """The part of each number of a sentence in lower case, its subjects blanked with "§".

    Two numbers that form a range take the interval's or "from … to"; else the words right after a number count first
    and are not read again for the next, then the words before it. A number in apposition ("36 points, or 46 %, below")
    has its neighbour's part.
    """
    parts: list[Role] = [Role.OPEN] * len(found)
    taken, index = 0, 0
    while index < len(found):
        pair = _pair(low, found, index, taken)
        if pair is not None:
            parts[index], parts[index + 1] = pair
            taken, index = found[index + 1].end, index + 2
            continue
        left, right = _around(low, found, index, taken)
        parts[index], used = _single(left, right, found[index])
        taken = found[index].end + used
        index += 1
    return _apposed(low, found, parts)


def _around(low: str, found: list[Quantity], index: int, taken: int) -> tuple[str, str]:
    one = found[index]
    before = found[index - 1].end if index else 0
    after = found[index + 1].start if index + 1 < len(found) else len(low)
    left = low[max(before, taken) : one.start]
    return left[: hedge_before(left)[1]], low[one.end : after]


def _pair(low: str, found: list[Quantity], index: int, taken: int) -> tuple[Role, Role] | None:
    """The parts of a number and the next, where the two form a range or a way from one to the other."""
    if index + 1 == len(found):
        return None
    one, after = found[index], found[index + 1]
    if one.unit != after.unit and not {one.unit, after.unit} <= {"share", "%", ""}:
        return None
    joint, left = low[one.end : after.start], _around(low, found, index, taken)[0]
    between = _AND.match(joint) and re.search(r"\bbetween\s*(?:the|an?)?\s*$", left)
    if _DASH.match(joint) or between:
        return Role.LOWER, Role.UPPER
    if not _TO.match(joint):
        return None
    beyond = low[after.end : found[index + 2].start if index + 2 < len(found) else len(low)]
    return (Role.LOWER, Role.UPPER) if _is_range(left, beyond) else (Role.FROM, Role.NOW)


def _is_range(left: str, beyond: str) -> bool:
    """Whether "X to Y" is what is normal, by the words before and after it."""
    starts = re.search(r"\bfrom\b", left) is not None
    if not starts and _EXPECTED_RIGHT.match(beyond):
        return True
    ranged = _RANGE_WORD.search(left.rsplit(";", 1)[-1]) is not None
    return ranged and (not starts or not re.search(rf"\b(?:{MOVING})\b", left))


def _single(left: str, right: str, one: Quantity) -> tuple[Role, int]:
    """The part of one number, and how much of the words after it that took."""
    if one.unit == "times":
        return Role.RATIO, 0
    if one.unit == "pt":
        valued = _NOW_LEFT.search(left) and not _EFFECT_LEFT.search(left) and not _EFFECT_HERE.match(right)
        return (Role.NOW if valued else Role.EFFECT), 0
    if re.search(r"\bthan \w+\s*\($", left) and _AGAINST_LEFT.fullmatch(right.strip() + " "):
        return Role.NOW, 0
    for patterns in (_FIRM, None, _LOOSE):
        if patterns is None:
            after = _after(left, right)
            if after is not None:
                return after
            continue
        for pattern, role in patterns:
            if pattern.search(left):
                return role, 0
    return (Role.EFFECT if one.sign else Role.OPEN), 0


def _after(left: str, right: str) -> tuple[Role, int] | None:
    for pattern, role in (
        (_RATIO_RIGHT, Role.RATIO),
        (_FIRST_RIGHT, Role.FIRST),
        (_EFFECT_HERE, Role.EFFECT),
        (_NOW_RIGHT, Role.NOW),
        (_EXPECTED_RIGHT, Role.EXPECTED),
    ):
        match = pattern.match(right)
        if match is not None and not (
            role is Role.RATIO and match[0].lstrip().startswith(("the", "its")) and _NOW_LEFT.search(left)
        ):
            return role, match.end()
    match = _BEFORE_RIGHT.match(right)
    if match is not None and not re.search(r"\b(?:to|at)\s*$", left):
        return Role.EXPECTED, match.end()
    return None


def _apposed(low: str, found: list[Quantity], parts: list[Role]) -> list[Role]:
    """Give a number without a part that stands in apposition to another the other's part."""
    given = list(parts)
    for index in range(len(found) - 1):
        joint, rest = low[found[index].end : found[index + 1].start], low[found[index + 1].end :]
        if not _APPOSED.match(joint) or not re.search(r"[,(/=]|\bor\b", joint):
            continue
        after = given[index + 1]
        if after is Role.OPEN and re.match(r"\s*(?:vs\b|versus|against|compared|where|instead|rather)", rest):
            continue
        if given[index] is Role.EFFECT and after is Role.RATIO and " or " in joint:
            given[index + 1] = Role.EFFECT
        elif after is Role.OPEN and given[index] in {Role.EFFECT, Role.RATIO}:
            given[index + 1] = given[index]
        elif given[index] is Role.OPEN and (given[index + 1] is Role.EFFECT or _EFFECT_APPOSED.match(rest)):
            given[index] = given[index + 1] = Role.EFFECT
    return given
