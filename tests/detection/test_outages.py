"""What goes down for minutes and comes back otherwise than before is one incident, and pages once."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from auditor.detection.answers import Answer, Says, Share
from auditor.detection.fold import judge
from auditor.detection.policy import Policy
from auditor.detection.state import Memory
from auditor.explanation.template import observation_row
from tests.detection.simulated import FIRST_MINUTE, Course, windows

if TYPE_CHECKING:
    from auditor.detection.judgement import Observation
    from auditor.detection.windows import WindowBlock

POLICY = Policy()
DAY = 1440
DOWN = 2 * DAY + 600
EMPTY = 40


def _down(plan: Course, start: int, minutes: int) -> None:
    plan.absent[start : start + minutes] = True


def _empty(plan: Course, start: int, minutes: int = EMPTY) -> None:
    """The cache fills up again."""
    full = np.linspace(0.1, 1.0, minutes)
    plan.hit_rate[start : start + minutes] *= full
    plan.size[start : start + minutes] *= full


def _restarted(minutes: int = 3, lasts: int = EMPTY + 13) -> WindowBlock:
    def fault(plan: Course) -> None:
        _down(plan, DOWN, minutes)
        _empty(plan, DOWN + minutes)

    return windows(DOWN + minutes + lasts, fault=fault)


def _found(block: WindowBlock, step: int = DAY) -> list[Observation]:
    """Everything from the outage on in its last form, judged in blocks, the state written and read between them."""
    state: Any = None
    seen: dict[str, Observation] = {}
    stops = sorted({*range(0, DOWN - 10, DAY), *range(DOWN - 10, len(block), step), len(block)})
    for start, stop in itertools.pairwise(stops):
        judgement = judge(state, block.slice(start, stop), POLICY)
        state = json.loads(json.dumps(judgement.state))
        seen |= {observation.fingerprint: observation for observation in judgement.observations}
    return [o for o in seen.values() if o.window_end_minute > FIRST_MINUTE + DOWN - 120]


def _pages(found: list[Observation]) -> list[Observation]:
    return [o for o in found if o.severity != "info"]


@pytest.mark.parametrize("step", [1, 7, DAY])
@pytest.mark.parametrize("minutes", [3, 50])
def test_a_restart_is_one_incident_that_begins_with_the_silence(minutes: int, step: int) -> None:
    found = _found(_restarted(minutes), step)
    assert len({o.incident_id for o in found}) == 1
    assert {o.metric_name for o in found} >= {"silence", "hit_rate", "cache_size"}
    (page,) = _pages(found)
    assert (page.metric_name, page.severity, page.status) == ("silence", "critical", "resolved")
    assert page.evidence["lead"]
    assert page.evidence["silent_minutes"] == minutes
    assert page.evidence["back_minute"] == FIRST_MINUTE + DOWN + minutes
    cause = page.evidence["causes"][0]
    assert cause["cause"] != "silence"
    assert any("hit rate fell" in sentence for sentence in cause["for"])
    assert page.evidence["impact"]["extra_backend_calls"] > 100


def test_it_is_told_as_silence_while_it_is_silent_and_then_as_what_came_back() -> None:
    rows = {}
    for until in (DOWN + 3, DOWN + 10):
        (page,) = _pages(_found(_restarted().slice(0, until), 1))
        rows[until] = observation_row(page)
    before, since = rows.values()
    assert before["fingerprint"] == since["fingerprint"]
    assert before["title"].startswith("answers: silent, where")
    assert since["title"] == "answers: silent for 3 minutes, since then unusual: hit rate, cache size"
    assert "they have come again since, but not as before" in since["description"]
    assert "lasted 3 minutes; the incident goes on." in since["description"]
    assert "collector" in before["recommendation"]
    assert "collector" not in since["recommendation"]


def test_what_fails_just_before_it_goes_down_is_of_the_same_incident() -> None:
    def fault(plan: Course) -> None:
        plan.errors[DOWN - 3 : DOWN] = 0.5
        _down(plan, DOWN, 6)
        _empty(plan, DOWN + 6)

    found = _found(windows(DOWN + 100, fault=fault), 1)
    assert len({o.incident_id for o in found}) == 1
    assert [o.metric_name for o in _pages(found)] == ["error_rate"]
    assert {"silence", "hit_rate"} <= {o.metric_name for o in found}


def test_silence_long_after_something_else_began_pages() -> None:
    def fault(plan: Course) -> None:
        plan.errors[DOWN - 60 : DOWN] = 0.5
        _down(plan, DOWN, 6)

    assert {o.metric_name for o in _pages(_found(windows(DOWN + 100, fault=fault), 1))} == {
        "error_rate",
        "silence",
    }


@pytest.mark.parametrize(("again", "pages"), [(20, 1), (150, 2)])
def test_what_goes_down_again_pages_again_after_two_hours(again: int, pages: int) -> None:
    def fault(plan: Course) -> None:
        _down(plan, DOWN, 4)
        plan.hit_rate[DOWN + 4 :] = 0.1
        _down(plan, DOWN + again, 4)

    found = _found(windows(DOWN + again + 30, fault=fault), 1)
    assert len([o for o in _pages(found) if o.metric_name == "silence"]) == pages
    assert len(_pages(found)) == pages


def test_silence_that_nothing_follows_stays_a_silence() -> None:
    block = windows(DOWN + 100, fault=lambda plan: _down(plan, DOWN, 5))
    (page,) = _found(block, 1)
    assert (page.metric_name, page.status) == ("silence", "resolved")
    assert page.evidence["causes"][0]["cause"] == "silence"
    assert "back_minute" not in page.evidence


def test_silence_that_is_to_be_ignored_reopens_no_alarm() -> None:
    again = DOWN + 45

    def fault(plan: Course) -> None:
        _down(plan, DOWN, 5)
        _empty(plan, DOWN + 5, 10)
        _down(plan, again, 4)

    block = windows(again + 30, fault=fault)
    first = judge(None, block.slice(0, again - 5), POLICY)
    (page,) = _pages([o for o in first.observations if o.window_start_minute > FIRST_MINUTE + DOWN - 10])
    assert page.status == "resolved"
    shares = (Share("silence", "absent", 0.0),)
    at = FIRST_MINUTE + again - 5
    answer = Answer(
        page.fingerprint,
        page.incident_id,
        Says.IGNORE,
        at,
        page.window_start_minute,
        page.window_end_minute - 1,
        shares,
    )
    later = judge(first.state, block.slice(again - 5, len(block)), POLICY, (answer,)).observations
    assert [(o.metric_name, o.severity) for o in later] == [("silence", "info")]
    assert later[0].incident_id != page.incident_id


def test_what_comes_after_the_silence_has_been_over_for_long_is_another_incident() -> None:
    def fault(plan: Course) -> None:
        _down(plan, DOWN, 5)
        _empty(plan, DOWN + 5 + POLICY.resolve_after_minutes + 1)

    assert len({o.incident_id for o in _pages(_found(windows(DOWN + 100, fault=fault), 1))}) == 2


def test_an_answer_to_the_silence_is_one_to_the_incident_that_it_became() -> None:
    block = _restarted(lasts=200)
    first = judge(None, block.slice(0, DOWN + 10), POLICY)
    (page,) = _pages(list(first.observations))
    answer = Answer(
        page.fingerprint,
        page.incident_id,
        Says.NEW_NORMAL,
        FIRST_MINUTE + DOWN + 10,
        page.window_start_minute,
        page.window_end_minute - 1,
        (),
    )
    state = judge(first.state, block.slice(DOWN + 10, DOWN + 20), POLICY, (answer,)).state
    assert Memory.from_json(state, "answers").tracks["alarm"]["accepted"] is not None
