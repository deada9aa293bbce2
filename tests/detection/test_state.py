"""A state handed back as it was given is read no further, and nothing shows it."""

from __future__ import annotations

import copy
import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from auditor.detection.fold import judge, judge_late
from auditor.detection.policy import Policy
from auditor.detection.state import KeptState, Memory
from tests.detection.simulated import Course, windows

if TYPE_CHECKING:
    from auditor.detection.judgement import Judgement, State
    from auditor.detection.windows import WindowBlock

POLICY = Policy()


def _eventful() -> WindowBlock:
    def fault(plan: Course) -> None:
        plan.hit_rate[200:220] = 0.3
        plan.absent[280:286] = True

    block = windows(420, fault=fault)
    block.columns["hits"][250] = 1e6
    return block


BLOCK = _eventful()
HOURS = judge(None, BLOCK.slice(0, 190), POLICY).state


def _told(judgement: Judgement) -> Any:
    state = json.loads(json.dumps(judgement.state))
    return state, list(judgement.ledger.rows()), judgement.observations, judgement.history_changed


def _read_anew(state: State) -> State:
    parsed: State = json.loads(json.dumps(state))
    return parsed


def test_minute_by_minute_the_state_itself_and_its_json_give_the_same() -> None:
    kept = parsed = judge(None, BLOCK.slice(0, 100), POLICY).state
    for at in range(100, 345):  # past the end of the last incident
        window = BLOCK.slice(at, at + 1)
        by_kept, by_parsed = judge(kept, window, POLICY), judge(_read_anew(parsed), window, POLICY)
        assert _told(by_kept) == _told(by_parsed)
        kept, parsed = by_kept.state, by_parsed.state


def test_a_state_may_be_handed_back_more_than_once() -> None:
    before = copy.deepcopy(HOURS)
    first = _told(judge(HOURS, BLOCK.slice(190, 260), POLICY))
    judge(HOURS, BLOCK.slice(190, 191), Policy(false_alarms_per_week=50.0))
    judge_late(HOURS, BLOCK.slice(100, 101), POLICY)
    assert _told(judge(HOURS, BLOCK.slice(190, 260), POLICY)) == first
    assert before == HOURS


def test_another_policy_is_judged_by_its_own_levels() -> None:
    strict, lax = Policy(false_alarms_per_week=0.01), Policy(false_alarms_per_week=900.0)
    window = BLOCK.slice(190, 200)
    judge(HOURS, window, strict)
    assert _told(judge(HOURS, window, lax)) == _told(judge(_read_anew(HOURS), window, lax))


OTHER = judge(None, windows(190, seed=5, traffic=30.0), POLICY).state


@pytest.mark.parametrize("part", ["recent", "excluded", "peaks", "sequences", "profile", "tracks", "agreed"])
def test_a_part_that_was_replaced_is_read(part: str) -> None:
    changed = judge(None, BLOCK.slice(0, 190), POLICY).state
    changed["hot"][part] = OTHER["hot"][part]
    judged = [judge(state, BLOCK.slice(190, 215), POLICY) for state in (changed, _read_anew(changed))]
    assert _told(judged[0]) == _told(judged[1])


def test_a_history_that_was_replaced_is_read() -> None:
    changed = judge(None, BLOCK.slice(0, 190), POLICY).state
    changed["history"] = OTHER["history"]
    judged = [judge(state, BLOCK.slice(190, 260), POLICY) for state in (changed, _read_anew(changed))]
    assert _told(judged[0]) == _told(judged[1])


def test_copied_pickled_or_joined_a_state_is_plain_json() -> None:
    assert isinstance(HOURS, KeptState)
    for plain in (copy.deepcopy(HOURS), pickle.loads(pickle.dumps(HOURS)), HOURS | {"version": 2}):
        assert type(plain) is dict
        assert plain == HOURS


def test_what_is_kept_does_not_grow_from_window_to_window() -> None:
    state = HOURS
    for at in range(190, 235):
        state = judge(state, BLOCK.slice(at, at + 1), POLICY).state
    assert isinstance(state, KeptState)
    memory = state.memory
    assert memory.recent is not None
    base = memory.recent.values.base
    assert memory.recent.values.size < 16 * 80
    assert base is None or base.size < 16 * 160
    assert memory.gathered is None


def test_an_empty_memory_is_what_no_state_gives() -> None:
    assert Memory.from_json(None, "answers").recent is None
