"""Observations in words: right, readable, and with no number that the evidence does not hold."""

from __future__ import annotations

import json
import math
import re
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.detection.catalogue import Severity
from auditor.detection.diagnosis.figures import moment
from auditor.detection.signature import CAUSES, Direction
from auditor.explanation.recommendations import STEPS
from auditor.explanation.template import observation_row
from tests.explanation.observations import KINDS, OPENED, cause, observation

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORDS_OF_NOTHING = re.compile(r"\b(nan|NaN|None|null|inf|infinity|True|False)\b")
_NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:[kMG](?![a-z]))?")
_CLOCK = re.compile(r"\b\d{2}:\d{2} UTC|\b\d{1,2} [A-Z][a-z]{2} \d{4}\b")
_SCALES = (1.0, 100.0, 0.001, 1 / 60, 1 / 3600, 1 / 86400, 1 / 60_000)


def _texts(row: dict[str, Any]) -> str:
    return "\n".join((row["title"], row["description"], row["recommendation"]))


def _check_prose(row: dict[str, Any]) -> None:
    text = _texts(row)
    assert not _WORDS_OF_NOTHING.search(text), text
    assert "  " not in text
    assert " ." not in text
    assert ".." not in text
    assert len(row["title"]) <= 80
    assert "\n" not in row["title"]
    for line in (*row["description"].split("\n"), row["recommendation"]):
        assert line.endswith("."), line
        assert line[:1].isupper() or line[:1].isdigit(), line
    assert not re.search(r"\b1 (?:minutes|operations|calls|entries|years|days|points)\b", text), text
    assert not re.search(r"\b(?:[02-9]|\d{2,}) (?:minute|operation|call|entry|year|point)\b", text), text


def _numbers_within(value: Any) -> Iterator[float]:
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, (int, float)):
        if math.isfinite(value):
            yield float(value)
    elif isinstance(value, str):
        yield from (_read(shown)[0] for shown in _NUMBER.findall(value))
    elif isinstance(value, dict):
        for part in value.values():
            yield from _numbers_within(part)
    else:
        for part in value:
            yield from _numbers_within(part)


def _read(shown: str) -> tuple[float, float]:
    """A shown number and half a unit of its last digit."""
    scale = {"k": 1e3, "M": 1e6, "G": 1e9}.get(shown[-1], 1.0)
    digits = shown.rstrip("kMG").replace(",", "")
    places = len(digits.partition(".")[2])
    return float(digits) * scale, 0.5 * 10.0**-places * scale


def _check_numbers(row: dict[str, Any], raw: dict[str, Any]) -> None:
    """Every number of the text is one of the evidence, in the unit and to the digits that it is shown with."""
    held = {abs(x) * scale for x in _numbers_within(raw) for scale in _SCALES}
    p, relative = raw["p_value"], raw["effect_relative"]
    if p:
        held |= {1 / p, 1 / p / 1440, 1 / p / 525_960}
    if relative is not None and math.isfinite(relative):
        held.add(1.0 + relative)
    text = _texts(row).replace(row["implementation_type"], "").replace("p95", "").replace("p99", "")
    for minute in (raw["opened_minute"], raw["last_minute"] + 1, raw["worst_minute"]):
        when = moment(minute)
        text = text.replace(f"{when:%H:%M} UTC", "").replace(f"{when.day} {when:%b} {when.year}", "")
    assert not _CLOCK.search(text), text
    for shown in _NUMBER.findall(text):
        value, half = _read(shown)
        near = max(half * 1.001, 0.051 * abs(value) if "once in" in text and value == _rough(value) else 0.0)
        assert any(abs(abs(value) - x) <= near for x in held), (shown, text)


def _rough(value: float) -> float:
    return round(value, 1 - math.floor(math.log10(abs(value)))) if value else value


@pytest.mark.parametrize("status", ["open", "resolved"])
@pytest.mark.parametrize("severity", list(Severity), ids=str)
@pytest.mark.parametrize(("metric", "direction"), KINDS, ids=str)
def test_every_kind_of_observation_reads_well_and_invents_no_number(
    metric: str, direction: Direction, severity: Severity, status: Any
) -> None:
    for lead in (True, False):
        found = observation(metric, direction, status=status, severity=severity, lead=lead)
        row = observation_row(found)
        _check_prose(row)
        _check_numbers(row, found.evidence)


@pytest.mark.parametrize("name", CAUSES)
def test_every_cause_has_its_advice_and_its_check(name: str) -> None:
    row = observation_row(
        observation(causes=[cause(name), cause("flush" if name != "flush" else "silence", 0.2)])
    )
    _check_prose(row)
    assert STEPS[name].first[1:] in row["recommendation"]
    assert STEPS[name].then[1:] in row["recommendation"]
    assert "To rule it out:" in row["recommendation"]


def test_an_open_incident_reads_like_this() -> None:
    row = observation_row(observation())
    assert row["title"] == "answers: hit rate fell to 41 % (normal 71–79 %)"
    assert row["description"] == (
        "The hit rate of “answers” fell to 41 % in its most unusual minute, 23:42 UTC, against an expected 75 % "
        "(normal: 71–79 %): 34 percentage points, or 45 %, below. It began at 23:41 UTC on 25 Nov 2025 and has "
        "lasted 14 minutes so far (12 of 14 minutes flagged). By chance alone a minute of 312 operations like that "
        "would come about once in 590 years.\n"
        "Also unusual: cache size and p95 response time. As usual: error rate and traffic.\n"
        "So far it has cost 1,240 calls to the backend beyond the usual (costing 12.40) and 41 s of added waiting "
        "over all requests.\n"
        "The cause is probably a flush or cold restart (86 % confidence). For it: The cache size fell to 12 entries "
        "from 1,021. It started suddenly. Against it: Evictions rose to 40/min from an expected 21/min; it would "
        "show fewer evictions. It could also be a shorter time to live (11 %)."
    )
    assert row["recommendation"].startswith("First: look for a restart")


def test_a_resolved_incident_says_when_it_ended_and_what_it_cost() -> None:
    row = observation_row(observation(status="resolved"))
    assert "began at 23:41 UTC on 25 Nov 2025 and ended at 23:55 UTC, after 14 minutes" in row["description"]
    assert "In all it cost 1,240 calls" in row["description"]
    assert row["recommendation"].startswith("It is over;")


@pytest.mark.parametrize(
    ("metric", "direction", "title"),
    [
        ("hit_rate", "rise", "answers: hit rate rose to 98 % (normal 71–79 %)"),
        ("error_rate", "rise", "answers: error rate rose to 6.2 % (normal up to 1 %)"),
        (
            "throughput",
            "drop",
            "answers: traffic fell to 312 operations/min (normal 980–1,431 operations/min)",
        ),
        ("avg_response_time_ms", "rise", "answers: average response time rose to 1.4 s (normal 122–251 ms)"),
        ("p99_response_time_ms", "rise", "answers: p99 response time rose to 4.3 s (normal 502 ms to 1.2 s)"),
        ("cache_size", "drop", "answers: cache size fell to 12 entries (normal 940–1,100 entries)"),
        ("silence", "absent", "answers: silent, where 118 operations/min are normal"),
        ("window_validity", "invalid", "answers: the collector's windows contradict themselves"),
        ("baseline", "moved", "answers: what is normal has moved (cache size, p95 response time)"),
        ("hit_rate", "moved", "answers: normal hit rate has moved to 41 %"),
    ],
)
def test_titles_say_cache_change_and_normal(metric: str, direction: Direction, title: str) -> None:
    assert observation_row(observation(metric, direction))["title"] == title


def test_a_value_that_no_single_test_rejects_is_told_with_what_was_expected() -> None:
    row = observation_row(
        observation("hit_rate", "drop", value=72.0, effect_absolute=-3.3, effect_relative=-0.044)
    )
    assert row["title"] == "answers: hit rate fell to 72 % (expected 75 %)"
    assert "normal" not in row["description"].splitlines()[0]


@pytest.mark.parametrize(
    ("p_value", "windows", "said"), [(1e-5, 1, True), (1e-5, 3, False), (1e-9, 1, False), (1e-5, 2, True)]
)
def test_what_is_over_at_once_and_comes_by_chance_every_year_may_have_been_that(
    p_value: float, windows: int, said: bool
) -> None:
    row = observation_row(observation("hit_rate", "drop", p_value=p_value, windows=windows))
    assert ("and it may have been no more than that." in row["description"]) == said


@pytest.mark.parametrize(
    ("latest", "status", "said"),
    [(61.0, "open", True), (44.0, "open", False), (61.0, "resolved", False), (None, "open", False)],
)
def test_an_open_incident_says_what_it_is_by_now(latest: float | None, status: Any, said: bool) -> None:
    row = observation_row(observation("hit_rate", "drop", status=status, latest=latest))
    assert ("In the newest of these minutes it was 61 %." in row["description"]) == said
    follower = observation_row(observation("cache_size", "drop", lead=False, latest=500.0))
    assert "newest" not in follower["description"]


def test_what_was_too_small_at_first_says_until_when() -> None:
    for late, said in ((0, False), (1, False), (9, True)):
        row = observation_row(observation("hit_rate", "drop", warned_minute=OPENED + late))
        assert ("Until 23:50 UTC it was too small to page." in row["description"]) == said
    follower = observation("cache_size", "drop", lead=False, warned_minute=OPENED + 9)
    assert "too small" not in observation_row(follower)["description"]


def test_what_the_hit_rate_explains_is_as_usual_for_it_and_evictions_rise_with_the_sets() -> None:
    unchanged = ["error_rate", "eviction_rate", "throughput", "avg_response_time_ms", "p95_response_time_ms"]
    fell = observation("hit_rate", "drop", metrics=["hit_rate"], unchanged=unchanged)
    text = observation_row(fell)["description"]
    assert "As usual: error rate and traffic." in text
    assert "As usual for this hit rate: average response time and p95 response time." in text
    alone = observation("error_rate", "rise", metrics=["error_rate"], unchanged=unchanged[1:])
    assert "As usual: eviction rate, traffic, average response time" in observation_row(alone)["description"]


def test_a_follower_names_the_leader_and_leaves_the_advice_to_it() -> None:
    row = observation_row(
        observation("cache_size", lead=False, metrics=["hit_rate", "cache_size"], severity=Severity.INFO)
    )
    assert "It belongs to the incident that the hit rate leads." in row["description"]
    assert row["recommendation"] == (
        "Work on the leading observation of the hit rate of this incident; this one will settle with it."
    )


def test_what_only_ends_an_improvement_says_so() -> None:
    quiet = observation("hit_rate", "drop", severity=Severity.INFO, returned=True)
    assert "no worse than it had been on the days before" in observation_row(quiet)["description"]
    assert "days before" not in observation_row(observation("hit_rate", "drop"))["description"]


def test_a_normal_that_has_moved_says_between_which_days() -> None:
    told = observation_row(observation("hit_rate", "moved", opened_minute=OPENED, worst_minute=OPENED + 1440))
    assert (
        "The level before had been agreed at 23:41 UTC on 25 Nov 2025; that of the last day was measured at 23:41 UTC on 26 Nov 2025."
        in told["description"]
    )


def test_a_collector_fault_lists_the_broken_identities() -> None:
    row = observation_row(observation("window_validity", "invalid", causes=[cause("collector_fault", 0.99)]))
    assert "Hits and misses are more than all operations." in row["description"]
    assert "not judged any further" in row["description"]


def test_traffic_alone_asks_about_the_traffic() -> None:
    row = observation_row(
        observation("throughput", "drop", metrics=["throughput"], causes=[cause("unknown", 0.9)])
    )
    assert "No fault of the cache is behind it." in row["description"]
    assert "campaign" in row["recommendation"]


def test_a_single_window_and_single_things_are_in_the_singular() -> None:
    row = observation_row(
        observation(
            "cache_size",
            "drop",
            value=1.0,
            windows=1,
            flagged_windows=1,
            last_minute=OPENED,
            n=1,
            impact={"extra_backend_calls": 1.0, "added_latency_seconds": 1.0, "cost": None},
        )
    )
    assert "fell to 1 entry" in row["title"]
    assert "has lasted one minute so far." in row["description"]
    assert "a minute of 1 operation like that" in observation_row(observation(n=1))["description"]
    assert "1 call to the backend" in row["description"]


def test_no_cost_and_no_impact_are_left_out() -> None:
    row = observation_row(
        observation(impact={"extra_backend_calls": 0.0, "added_latency_seconds": None, "cost": None})
    )
    assert "cost" not in row["description"]
    assert (
        "costing"
        not in observation_row(
            observation(impact={"extra_backend_calls": 5.0, "added_latency_seconds": 0.0, "cost": None})
        )["description"]
    )


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        "[x](http://e.vil)",
        "@channel",
        "a" * 64,
        "*b* `c` _d_",
        "\u202egnp.exe",
        "a\nb",
        "",
    ],
)
def test_a_cache_s_name_cannot_format_link_ring_or_break_a_line(name: str) -> None:
    row = observation_row(observation(cache=name))
    text = row["title"] + row["description"]
    assert not re.search(r"[<>`*\[\]@\u202e]|://|(?<!\w)_", text)
    assert len(row["title"]) <= 80
    assert "\n" not in row["title"]
    assert row["implementation_type"] == name


def test_ordinary_names_are_left_as_they_are() -> None:
    for name in ("legacy", "answers_v2", "eu-west/semantic.cache:1", "Кэш"):
        assert observation_row(observation(cache=name))["title"].startswith(f"{name}: ")


def test_the_row_is_json_and_its_id_follows_from_the_fingerprint_alone() -> None:
    found = observation(expected=math.nan, n=None)
    row = observation_row(found)
    assert json.loads(json.dumps(row, allow_nan=False)) == row
    assert row["evidence"]["expected"] is None
    other = observation(status="resolved", value=3.0)
    assert observation_row(other)["id"] == row["id"]
    assert uuid.UUID(row["id"]).version == 5
    assert row["timestamp"] == "2025-11-25T23:42:00+00:00"
    assert (row["window_start"], row["window_end"]) == (
        "2025-11-25T23:41:00+00:00",
        "2025-11-25T23:55:00+00:00",
    )
    assert row["explanation"]["source"] == "template"


def test_the_row_has_every_column_but_the_engineer_s() -> None:
    assert set(observation_row(observation())) == {
        *("id", "severity", "category", "title", "description", "recommendation", "implementation_type"),
        *("metric_name", "metric_value", "baseline_value", "deviation_percentage", "metadata", "timestamp"),
        *("window_start", "window_end", "status", "fingerprint", "incident_id", "evidence", "explanation"),
    }


@pytest.mark.parametrize(
    ("since", "said"),
    [
        ([], "answers: silent for 3 minutes, and not as before since"),
        (
            ["hit_rate", "cache_size"],
            "answers: silent for 3 minutes, since then unusual: hit rate, cache size",
        ),
    ],
)
def test_a_silence_that_is_over_is_titled_by_what_came_after(since: list[str], said: str) -> None:
    silent = observation(
        "silence", "absent", metrics=["silence", *since], silent_minutes=3, back_minute=OPENED + 3
    )
    assert observation_row(silent)["title"] == said


_maybe = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True), st.floats(0, 1e4))


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(KINDS),
    st.sampled_from(["open", "resolved"]),
    st.fixed_dictionaries(
        {
            "value": _maybe,
            "expected": _maybe,
            "lower": _maybe,
            "upper": _maybe,
            "p_value": st.one_of(_maybe, st.floats(0, 1)),
            "effect_absolute": _maybe,
            "effect_relative": _maybe,
            "n": st.one_of(st.none(), st.integers(0, 10**9)),
            "windows": st.integers(1, 10**5),
            "worst_minute": st.one_of(st.none(), st.integers(OPENED, OPENED + 100)),
            "metrics": st.lists(st.sampled_from([kind[0] for kind in KINDS]), max_size=4),
            "unchanged": st.lists(st.sampled_from([kind[0] for kind in KINDS]), max_size=4),
            "causes": st.lists(st.builds(cause, st.sampled_from(CAUSES), st.floats(0, 1)), max_size=5),
            "impact": st.one_of(
                st.none(),
                st.fixed_dictionaries(
                    dict.fromkeys(("extra_backend_calls", "added_latency_seconds", "cost"), _maybe)
                ),
            ),
            "lead": st.booleans(),
            "silent_minutes": st.one_of(st.none(), st.integers(1, 10**4)),
            "back_minute": st.one_of(st.none(), st.integers(OPENED, OPENED + 100)),
        }
    ),
    st.text(max_size=80),
)
def test_whatever_the_evidence_the_row_is_whole_and_reads_well(
    kind: tuple[str, Direction], status: Any, changes: dict[str, Any], cache: str
) -> None:
    row = observation_row(observation(*kind, status=status, cache=cache, **changes))
    json.dumps(row, allow_nan=False)
    shown = {
        **row,
        "title": row["title"].split(": ", 1)[1],
        "description": re.sub("“.*?”", "it", row["description"]),
    }
    assert not _WORDS_OF_NOTHING.search(_texts(shown)), _texts(shown)
    assert "  " not in _texts(row)
    assert len(row["title"]) <= 80
    assert all(line.endswith(".") for line in row["description"].split("\n"))
