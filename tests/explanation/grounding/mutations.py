"""One thing of a correct sentence changed: a number, a unit, a direction, a part, a metric, a cause, a name, a moment."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.explanation.brief import Brief

Mutant = tuple[str, str]
"""What was changed, and the sentence that is false now."""

_NUMBER: Final = re.compile(
    r"(?<![\w.,:-])\d[\d,]*(?:\.\d+)?(?![\d:]|,\d|-\d|th\b| (?:January|February|March|April|May|June|July|August|September|October|November|December|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b)"
)
_MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_CLOCK: Final = re.compile(r"\b(\d\d):(\d\d)\b")
_FLIPS: Final = {
    "fell": "rose", "drop": "rise", "fallen": "risen", "below": "above", "lower": "higher", "dropped": "climbed", "falling": "rising",
    "down": "up", "fewer": "more", "slower": "faster", "declined": "increased", "decline": "increase", "reduced": "raised", "shrank": "grew", "halved": "doubled",
}  # fmt: skip
DIRECTIONS: Final = {**_FLIPS, **{after: before for before, after in _FLIPS.items() if after != "more"}}
METRICS: Final = (
    "hit rate",
    "error rate",
    "eviction rate",
    "cache size",
    "average response time",
    "p95 response time",
    "p99 response time",
    "traffic",
)
CAUSES: Final = (
    "a flush or cold restart", "a cut of the cache's capacity", "a shorter time to live", "a changed key format", "a grown working set", "a stampede on expired keys",
    "a slow backend", "a slow cache", "errors from the backend", "a fault in the collector",
)  # fmt: skip
STRANGERS: Final = ("checkout", "users", "orders", "profile-cache")
_UNITS: Final = (
    (r"(?<=\d)(?: %|%| percent\b)(?! ?points)", " points"), (r"(?<=\d) (?:percentage )?points\b", " %"), (r"(?<=\d) ?ms\b", " s"), (r"(?<=\d) (?:s|seconds)\b", " ms"),
    (r"(?<=\d) (?:min|minutes)\b", " hours"), (r"(?<=\d) hours?\b", " minutes"), (r"(?<=\d) (?:min|minutes)\b", " seconds"), (r"(?<=\d) entries\b", " ms"),
)  # fmt: skip


_TIMES: Final = re.compile(
    r"p9\d|\d\d:\d\d|\d+ [A-Z]\w+(?: 20\d\d)?|[A-Z]\w+ \d+(?:, 20\d\d)?|20\d\d-\d\d-\d\d|\d+ (?:min|minutes|hours|h)\b|\d+ of \d+"
)


def mutants(sentence: str, brief: Brief) -> Iterator[Mutant]:
    """Every sentence that differs from a correct one in one thing and says something false about the brief."""
    data = brief.data
    yield from _numbers(sentence)
    yield from _units(sentence)
    yield from _moments(sentence)
    yield from _directions(sentence)
    yield from _swapped(sentence)
    yield from _metrics(sentence, data)
    yield from _causes(sentence, data)
    yield from _caches(sentence, data)
    yield from _stillness(sentence)


def _numbers(sentence: str) -> Iterator[Mutant]:
    for found in _NUMBER.finditer(sentence):
        if sentence[: found.start()].endswith(tuple(f"{month} " for month in _MONTHS)) or (
            re.match(r"\d{4}(?!\d)", found[0]) and found[0].startswith("20")
        ):
            continue
        for factor, added in ((1.37, 0.0), (0.6, 0.0), (10.0, 0.0), (1.0, 9.0)):
            changed = _written(float(found[0].replace(",", "")) * factor + added, found[0])
            if changed != found[0]:
                yield (
                    f"number x{factor}+{added:g}",
                    sentence[: found.start()] + changed + sentence[found.end() :],
                )


def _written(value: float, like: str) -> str:
    places = len(like.partition(".")[2])
    return f"{value:,.{places}f}" if "," in like else f"{value:.{places}f}"


def _units(sentence: str) -> Iterator[Mutant]:
    for pattern, unit in _UNITS:
        found = re.search(pattern, sentence)
        if found:
            yield f"unit {unit.strip()}", sentence[: found.start()] + unit + sentence[found.end() :]


def _moments(sentence: str) -> Iterator[Mutant]:
    for found in _CLOCK.finditer(sentence):
        hour, minute = int(found[1]), int(found[2])
        for changed in (f"{(hour + 3) % 24:02d}:{minute:02d}", f"{hour:02d}:{(minute + 17) % 60:02d}"):
            yield "time", sentence[: found.start()] + changed + sentence[found.end() :]
    for month in _MONTHS:
        if re.search(rf"\b{month}\b", sentence):
            yield "date", re.sub(rf"\b{month}\b", _MONTHS[(_MONTHS.index(month) + 5) % 12], sentence)
    for found in re.finditer(
        r"\b(\d{1,2}) (?=[A-Z][a-z]{2,8}\b)|(?<=[a-z]) (\d{1,2})(?=, 2026|\.$)", sentence
    ):
        digits = next(part for part in found.groups() if part)
        if any(month[:3] in sentence for month in _MONTHS):
            yield (
                "date",
                sentence[: found.start()]
                + found[0].replace(digits, str(int(digits) % 27 + 1))
                + sentence[found.end() :],
            )
    if "2026-" in sentence:
        yield "date", sentence.replace("2026-", "2025-")


def _directions(sentence: str) -> Iterator[Mutant]:
    if "would show" in sentence or "as yesterday" in sentence:
        return
    for word, other in DIRECTIONS.items():
        for found in re.finditer(rf"\b{word}\b", sentence):
            if word == "up" and not sentence[found.end() :].startswith(" from"):
                continue
            yield f"direction {word}", sentence[: found.start()] + other + sentence[found.end() :]


def _swapped(sentence: str) -> Iterator[Mutant]:
    """Two numbers of one unit change places, where a word between them gives them different parts."""
    found = [
        one
        for one in re.finditer(
            r"(?<![\w.,:-])\d[\d,]*(?:\.\d+)?k?(?: ?%| percent| ms| s\b| seconds| entries| operations a minute)?",
            sentence,
        )
        if ":" not in sentence[one.end() : one.end() + 1]
    ]
    for first, second in pairwise(found):
        between = sentence[first.end() : second.start()]
        if first[0] == second[0] or not re.search(
            r"from|expected|normal|against|where|instead|baseline|versus|usual|before|seen|observed| of |to",
            between,
        ):
            continue
        if re.search(r"UTC|minute of|:\d", first[0] + between + second[0]) or "p95" in between:
            continue
        yield "swap", sentence[: first.start()] + second[0] + between + first[0] + sentence[second.end() :]


def _metrics(sentence: str, data: Any) -> Iterator[Mutant]:
    """Another metric's name, unless that one too did what the sentence says."""
    moved = {one["name"] for one in data["metrics"]}
    still = {one["name"] for one in data["unchanged"]}
    told = " ".join(text for cause in data["causes"] for text in cause["for"])
    numbers = re.search(r"\d", _TIMES.sub("", sentence)) is not None
    for name in METRICS:
        for found in re.finditer(rf"\b{name}\b", sentence, re.IGNORECASE):
            for other in METRICS:
                alike = (name in still and other in still) or (
                    name in moved and (other in moved or other in told) and not numbers
                )
                if other != name and not alike:
                    yield f"metric {other}", sentence[: found.start()] + other + sentence[found.end() :]


def _causes(sentence: str, data: Any) -> Iterator[Mutant]:
    if "would show" in sentence or "against" in sentence:
        return
    for name in CAUSES:
        if name.lower() in sentence.lower():
            for other in CAUSES:
                if other != name:
                    yield f"cause {other}", re.sub(re.escape(name), other, sentence, flags=re.IGNORECASE)


def _caches(sentence: str, data: Any) -> Iterator[Mutant]:
    names = [data["cache"], *(other["cache"] for other in data["others"])]
    for name in names:
        for found in re.finditer(rf"(?<![\w-]){re.escape(name)}(?![\w-])", sentence):
            if name == "new" and not re.match(
                r"”|'s| cache| shows|:| went| fell| rose", sentence[found.end() :]
            ):
                continue
            for other in STRANGERS:
                if other not in names:
                    yield f"cache {other}", sentence[: found.start()] + other + sentence[found.end() :]


def _stillness(sentence: str) -> Iterator[Mutant]:
    for before, after in (
        ("did not move", "moved sharply upwards"),
        ("stayed within", "rose far above"),
        ("are unchanged", "fell"),
        ("has not recovered so far", "has recovered"),
        ("is still ongoing", "is over"),
        ("is over", "is still open"),
        ("was resolved", "was still ongoing"),
    ):
        if before in sentence:
            yield f"state {after}", sentence.replace(before, after)
