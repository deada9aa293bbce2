"""Observations in words: readable at 3 a.m., and with no number that the evidence does not hold."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from auditor.detection.fold import judge
from auditor.detection.policy import Policy
from auditor.explanation.template import observation_row
from tests.detection.simulated import Course, windows

if TYPE_CHECKING:
    from auditor.detection.judgement import Observation


def _eventful(plan: Course) -> None:
    plan.absent[400:409] = True
    plan.hit_rate[700:730] = 0.3
    plan.miss_ms[900:915] = 1600
    plan.errors[1100:1104] = 0.4
    plan.size[1300:1310] = 200
    plan.traffic[1500:1520] *= 40
    plan.hit_rate[1700:1720] = 0.97


@cache
def _observations() -> tuple[Observation, ...]:
    block = windows(1900, fault=_eventful)
    block.columns["hits"][500] = 1e6
    found: list[Observation] = []
    state, start = None, 0
    for end in (405, 501, 705, 905, 1102, 1305, 1510, 1710, 1900):
        judgement = judge(state, block.slice(start, end), Policy(cost_per_miss=0.02))
        state, start = judgement.state, end
        found += judgement.observations
    decayed = windows(
        6 * 1440, fault=lambda plan: plan.hit_rate.__setitem__(slice(3 * 1440, None), 0.62), noise=0.02
    )
    found += judge(None, decayed, Policy()).observations
    return tuple({(o.fingerprint, o.status, o.metric_value): o for o in found}.values())


pytestmark = pytest.mark.xdist_group("rows")  # the windows are judged once, by one worker


def _texts(row: dict[str, Any]) -> list[str]:
    return [row["title"], row["description"], row["recommendation"] or ""]


def test_there_is_one_of_every_kind() -> None:
    kinds = {(o.metric_name, o.direction, o.status) for o in _observations()}
    for wanted in (
        ("hit_rate", "drop", "open"),
        ("hit_rate", "drop", "resolved"),
        ("silence", "absent", "open"),
        ("window_validity", "invalid", "open"),
        ("error_rate", "rise", "open"),
        ("avg_response_time_ms", "rise", "resolved"),
        ("throughput", "rise", "open"),
        ("hit_rate", "rise", "open"),
        ("cache_size", "drop", "open"),
    ):
        assert wanted in kinds, wanted


def test_the_words_are_whole_sentences_without_anything_a_program_left() -> None:
    for observation in _observations():
        row = observation_row(observation)
        assert len(row["title"]) <= 100
        for text in _texts(row):
            assert not re.search(r"\b(nan|NaN|None|null|inf|Infinity|True|False)\b", text), text
            assert "  " not in text
            assert "_" not in text or observation.metric_name == "window_validity", text
        for paragraph in (row["description"] + "\n" + (row["recommendation"] or "")).splitlines():
            assert paragraph == "" or paragraph.endswith((".", ":", "?")), paragraph


def test_a_row_is_json_and_says_the_same_each_time() -> None:
    for observation in _observations():
        row = observation_row(observation)
        assert json.loads(json.dumps(row, allow_nan=False)) == row
        assert observation_row(observation) == row


def test_the_value_and_what_was_normal_are_in_the_title() -> None:
    (drop,) = [
        o
        for o in _observations()
        if (o.metric_name, o.direction, o.status) == ("hit_rate", "drop", "open") and o.severity == "critical"
    ][:1]
    title = observation_row(drop)["title"]
    assert f"{drop.metric_value:.0f} %" in title
    assert f"{drop.evidence['lower']:.0f}" in title


def test_followers_say_which_observation_leads() -> None:
    followers = [o for o in _observations() if not o.evidence["lead"]]
    assert followers
    for observation in followers:
        text = " ".join(_texts(observation_row(observation)))
        assert "lead" in text


def test_a_cost_is_told_where_one_is_set() -> None:
    drops = [
        o
        for o in _observations()
        if o.metric_name == "hit_rate" and o.direction == "drop" and o.evidence["impact"]["cost"]
    ]
    assert drops
    assert all(
        o.evidence["impact"]["cost"] == pytest.approx(0.02 * o.evidence["impact"]["extra_backend_calls"])
        for o in drops
    )


def test_a_caches_name_is_shown_as_text_and_nothing_else() -> None:
    named = windows(
        800, fault=lambda plan: plan.hit_rate.__setitem__(slice(700, 730), 0.2), name="<b>*x*</b>"
    )
    (row,) = [
        observation_row(o) for o in judge(None, named, Policy()).observations if o.severity == "critical"
    ]
    assert row["implementation_type"] == "<b>*x*</b>"
    for text in _texts(row):
        assert "<b>" not in text
