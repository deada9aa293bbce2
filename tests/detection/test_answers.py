"""What engineers answer moves what pages, what is learned and what is normal; and is taken in once, whatever the blocks."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from auditor.detection.answers import KEPT_MINUTES, Answer, Says, Share, ignored, not_taken, with_answer
from auditor.detection.fold import judge
from auditor.detection.hours import History, Part
from auditor.detection.policy import Policy
from auditor.detection.signals import AT
from tests.detection.simulated import FIRST_MINUTE, Course, windows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from auditor.detection.judgement import Observation
    from auditor.detection.windows import WindowBlock

POLICY = Policy()
DAY = 1440
PAGES = ("warning", "critical")


class _Life:
    """A cache judged block by block, and what engineers have answered so far."""

    def __init__(self, block: WindowBlock) -> None:
        self.block = block
        self.position = 0
        self.state: Any = None
        self.answers: list[Answer] = []
        self.observations: dict[str, Observation] = {}
        self.rows: list[Any] = []

    def until(self, position: int) -> _Life:
        judgement = judge(self.state, self.block.slice(self.position, position), POLICY, tuple(self.answers))
        self.state, self.position = json.loads(json.dumps(judgement.state)), position
        self.rows += list(judgement.ledger.rows())
        self.observations |= {observation.fingerprint: observation for observation in judgement.observations}
        return self

    def leading(self, metric: str, since: int = 0) -> Observation:
        found = [
            observation
            for observation in self.observations.values()
            if observation.metric_name == metric and observation.window_start_minute >= FIRST_MINUTE + since
        ]
        assert found, f"nothing was said of {metric}"
        return found[-1]

    def answer(self, observation: Observation, says: Says) -> None:
        """As the database tells it, now."""
        self.answers.append(
            Answer(
                observation.fingerprint,
                observation.incident_id,
                says,
                FIRST_MINUTE + self.position,
                observation.window_start_minute,
                observation.window_end_minute - 1,
                (Share(observation.metric_name, observation.direction, 0.0),),
            )
        )

    def pages(self, since: int) -> list[Observation]:
        return [
            observation
            for observation in self.observations.values()
            if observation.severity in PAGES and observation.window_start_minute >= FIRST_MINUTE + since
        ]

    def history(self) -> History:
        return History.from_json(self.state["history"])


def _drops(*spans: tuple[int, int, float]) -> Callable[[Course], None]:
    def fault(plan: Course) -> None:
        for start, stop, rate in spans:
            plan.hit_rate[start:stop] = rate

    return fault


def test_what_was_called_ignorable_pages_nobody_again_until_it_is_larger() -> None:
    block = windows(3 * DAY, fault=_drops((2300, 2340, 0.5), (3000, 3040, 0.5), (3500, 3540, 0.2)), daily=0.1)
    life = _Life(block).until(2400)
    first = life.leading("hit_rate")
    assert first.severity in PAGES
    life.answer(first, Says.IGNORE)
    life.until(3200)
    again = life.leading("hit_rate", since=2900)
    assert again.severity == "info"
    assert again.evidence["ignored"]["fingerprint"] == first.fingerprint
    assert not life.pages(2900)
    life.until(3600)
    assert [page.metric_name for page in life.pages(3400)] == ["hit_rate"]
    assert "ignored" not in life.pages(3400)[0].evidence


def test_without_an_answer_the_same_pages_again() -> None:
    block = windows(3 * DAY, fault=_drops((2300, 2340, 0.5), (3000, 3040, 0.5)), daily=0.1)
    assert _Life(block).until(3200).pages(2900)


@pytest.mark.parametrize("minutes", [3, 25, 200])
def test_a_new_normal_ends_the_alarm_and_is_what_the_next_fault_is_measured_from(minutes: int) -> None:
    """Answered at once, when too few windows are known, after half an hour, and when the first hours are over."""
    block = windows(5 * DAY, fault=_drops((3100, 6500, 0.5), (6500, 7200, 0.25)))
    life = _Life(block).until(3100 + minutes)
    page = life.leading("hit_rate")
    assert page.severity in PAGES
    life.answer(page, Says.NEW_NORMAL)
    life.until(3100 + max(minutes, 10) + 30)
    assert life.leading("hit_rate").status == "resolved"
    life.until(6500)
    # a minute by chance is within the budget, one that goes on would be the old normal
    assert [page.evidence["flagged_windows"] for page in life.pages(3100 + max(minutes, 10) + 5)] in ([], [1])
    expected = [row[2]["hit_rate"][1] for row in life.rows[3200 + minutes : 6500] if "hit_rate" in row[2]]
    assert np.quantile(np.abs(np.array(expected) - 50.0), 0.99) < 3.0
    life.until(6600)
    assert life.pages(6490)[0].metric_name == "hit_rate"
    assert life.pages(6490)[0].baseline_value == pytest.approx(50.0, abs=4.0)


def test_without_an_answer_the_alarm_stays_for_days() -> None:
    block = windows(5 * DAY, fault=_drops((3100, 7200, 0.5)))
    assert _Life(block).until(6500).leading("hit_rate").status == "open"


def test_a_new_normal_keeps_the_shape_of_the_day() -> None:
    def fault(plan: Course) -> None:
        at = np.arange(len(plan.hit_rate))
        logit = 1.0 + 0.8 * np.sin(2 * np.pi * at / DAY) - np.where(at >= 8 * DAY + 600, 1.0, 0.0)
        plan.hit_rate[:] = 1 / (1 + np.exp(-logit))

    life = _Life(windows(10 * DAY, fault=fault, daily=0.0)).until(8 * DAY + 640)
    life.answer(life.leading("hit_rate"), Says.NEW_NORMAL)
    life.until(10 * DAY)
    assert not life.pages(8 * DAY + 645)
    at = np.arange(8 * DAY + 660, 10 * DAY)
    truth = 100 / (1 + np.exp(-(0.8 * np.sin(2 * np.pi * at / DAY))))
    expected = np.array([life.rows[i][2]["hit_rate"][1] for i in at.tolist()])
    assert np.abs(expected - truth).mean() < 2.5


def test_what_was_an_incident_is_no_part_of_what_a_healthy_cache_does() -> None:
    block = windows(2 * DAY, fault=_drops((1700, 1730, 0.4)))
    silent, told = _Life(block).until(1800), _Life(block).until(1800)
    told.answer(told.leading("hit_rate"), Says.INCIDENT)
    hour = (FIRST_MINUTE + 1700) // 60
    histories = [life.until(1900).history() for life in (silent, told)]
    rows = [hour - history.first_hour for history in histories]
    learned, left_out = (history.surprises()[row] for history, row in zip(histories, rows, strict=True))
    assert np.isfinite(learned[AT["hit_rate"]]).any()
    assert np.isnan(left_out).all()
    assert np.isnan(histories[1].parts[rows[1], :, Part.LEVEL]).all()
    slots = [history.episodes.slot - (FIRST_MINUTE + 1700) // 10 for history in histories]
    assert (abs(slots[0]) <= 3).any()
    assert not (abs(slots[1]) <= 3).any()
    before = histories[1].parts[rows[1] - 1, AT["hit_rate"], Part.LEVEL]
    assert np.isfinite(before)


def test_an_ignored_alarm_may_be_learned_from() -> None:
    block = windows(2 * DAY, fault=_drops((1700, 2880, 0.6)))
    silent, told = _Life(block).until(1720), _Life(block).until(1720)
    told.answer(told.leading("hit_rate"), Says.IGNORE)
    levels = [life.until(2400).history().parts[-1, AT["hit_rate"], Part.LEVEL] for life in (silent, told)]
    assert np.isnan(levels[0])
    assert levels[1] == pytest.approx(np.log(0.6 / 0.4), abs=0.2)


def test_silence_that_was_called_ignorable_is_an_info_until_it_lasts_longer() -> None:
    def fault(plan: Course) -> None:
        for start, minutes in ((1600, 20), (1800, 20), (2000, 60)):
            plan.absent[start : start + minutes] = True

    life = _Life(windows(1500 + DAY, fault=fault, daily=0.1)).until(1700)
    life.answer(life.leading("silence"), Says.IGNORE)
    assert life.until(1900).leading("silence", since=1750).severity == "info"
    assert life.until(2100).leading("silence", since=1950).severity in PAGES


def test_an_answer_changed_takes_the_place_of_the_old() -> None:
    block = windows(3 * DAY, fault=_drops((2300, 2340, 0.5), (3000, 3040, 0.5)), daily=0.1)
    life = _Life(block).until(2400)
    life.answer(life.leading("hit_rate"), Says.IGNORE)
    life.until(2500).answer(life.leading("hit_rate"), Says.INCIDENT)
    life.answers.pop(0)
    life.until(3200)
    assert life.pages(2900)
    assert [answer["says"] for answer in life.state["hot"]["answers"]] == ["incident"]


def test_of_answers_to_two_observations_of_an_incident_the_last_counts() -> None:
    share = (Share("hit_rate", "drop", 0.4),)
    first = Answer("b", "i", Says.IGNORE, 100, 90, 99, share)
    then = Answer("a", "i", Says.INCIDENT, 120, 90, 99, share)
    elsewhere = replace(then, fingerprint="c", incident_id="j")
    assert ignored([first, elsewhere], "hit_rate", "drop", 130, 0.4) is first
    assert ignored([then, first], "hit_rate", "drop", 130, 0.4) is None
    later = replace(first, minute=125)
    assert ignored([then, later], "hit_rate", "drop", 130, 0.4) is later
    assert not_taken([first, then], with_answer((first,), then, 120), 130) == []


def test_an_answer_is_taken_in_once() -> None:
    block = windows(3 * DAY, fault=_drops((2300, 2340, 0.5)))
    life = _Life(block).until(2400)
    life.answer(life.leading("hit_rate"), Says.INCIDENT)
    life.until(2500)
    again = judge(life.state, block.slice(2500, 2600), POLICY, tuple(life.answers)).state
    assert again == judge(life.state, block.slice(2500, 2600), POLICY).state


def test_answers_are_forgotten_with_the_history() -> None:
    answer = Answer("a", "i", Says.IGNORE, 100, 90, 99, (Share("hit_rate", "drop", 0.4),))
    assert ignored([answer], "hit_rate", "drop", 99, 0.1) is None
    assert ignored([answer], "hit_rate", "drop", 100, 0.5) is answer
    assert ignored([answer], "hit_rate", "drop", 100, 0.51) is None
    assert ignored([answer], "hit_rate", "rise", 100, 0.1) is None
    assert ignored([answer], "hit_rate", "drop", 100 + KEPT_MINUTES, 0.1) is None
    assert not_taken([answer], (), 100 + KEPT_MINUTES) == []
    other = replace(answer, fingerprint="b", minute=100 + KEPT_MINUTES)
    assert with_answer((answer,), other, other.minute) == (other,)


def _told(block: WindowBlock) -> list[Answer]:
    """Answers to what happens in the block, as if engineers had answered within the incidents and after them."""
    life = _Life(block).until(len(block))
    says = (Says.IGNORE, Says.NEW_NORMAL, Says.INCIDENT)
    answers = []
    for i, observation in enumerate(life.observations.values()):
        minute = observation.window_start_minute + (7, 31, 95)[i % 3]
        end = observation.window_end_minute - 1
        share = (Share(observation.metric_name, observation.direction, 0.3),)
        answers.append(
            Answer(
                observation.fingerprint,
                observation.incident_id,
                says[i % 3],
                minute,
                observation.window_start_minute,
                end,
                share,
            )
        )
    return answers


def _eventful() -> WindowBlock:
    def fault(plan: Course) -> None:
        plan.absent[400:412] = True
        plan.hit_rate[500:900] = 0.5
        plan.miss_ms[1000:1040] = 1500
        plan.errors[1150:1160] = 0.3
        plan.hit_rate[1300:1330] = 0.3

    return windows(1500, fault=fault)


BLOCK = _eventful()
ANSWERS = _told(BLOCK)


def _in_blocks(sizes: Sequence[int]) -> tuple[list[Any], dict[str, Observation], Any]:
    life = _Life(BLOCK)
    life.answers = list(ANSWERS)
    for size in sizes:
        life.until(min(life.position + size, len(BLOCK)))
    life.until(len(BLOCK))
    return life.rows, life.observations, life.state


WHOLE = _in_blocks([])


def test_answers_change_what_comes_of_the_block() -> None:
    assert {answer.says for answer in ANSWERS} == set(Says)
    silent = _Life(BLOCK).until(len(BLOCK))
    assert silent.observations != WHOLE[1]
    assert silent.rows != WHOLE[0]


@settings(
    max_examples=12,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.lists(st.sampled_from([1, 2, 3, 14, 59, 60, 61, 240]), min_size=3, max_size=60))
def test_any_split_takes_the_same_answers_in_at_the_same_minutes(sizes: list[int]) -> None:
    assert _in_blocks(sizes) == WHOLE
