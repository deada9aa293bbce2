"""Grading: each thing that is wrong with an answer is seen and said, and nothing else is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from auditor.evaluation.grading import Expectation, grade
from auditor.evaluation.summary import HEADER, summarise
from tests.evaluation.answers import answered, checked, rejected

if TYPE_CHECKING:
    from auditor.model.asking import Asked

EXPECTED = Expectation(
    why="a test",
    causes=("flush",),
    severity="warning",
    must_mention=(("hit rate",), ("40", "39.9"), ("flush*",)),
    must_not_mention=("attack", "10.0"),
    longest=400,
)
GOOD = answered(checked())


def _faults(answered: Asked, **changes: Any) -> tuple[str, ...]:
    return grade("an_incident", replace(EXPECTED, **changes), answered).faults


def test_a_good_answer_passes_with_full_marks() -> None:
    found = grade("an_incident", EXPECTED, GOOD)
    assert found.passed
    assert (found.schema_ok, found.cause_right, found.clean, found.length_ok) == (True, True, True, True)
    assert (found.mentioned, found.grounded_share, found.faults) == (1.0, 1.0, ())


@pytest.mark.parametrize(
    ("answered", "fault"),
    [
        (answered(failure="timeout"), "no answer (timeout)"),
        (answered(failure="quota", detail="The account is empty."), "no answer (quota) The account is empty"),
        (answered(checked(cause="ttl_cut")), "first cause ttl_cut"),
        (answered(checked(causes=())), "first cause missing"),
        (answered(checked("The hit rate fell to 41 %.")), "no mention of 40"),
        (answered(checked(why="It is an attack.")), "says attack"),
        (answered(checked(recommendation="Look for a flush. It is critical.")), "says critical"),
        (answered(checked(rejected=rejected(3))), "70% grounded"),
        (answered(checked(why="It is so. " * 60)), "680 characters, 400 at most"),
    ],
)
def test_each_thing_that_is_wrong_is_said(answered: Asked, fault: str) -> None:
    assert _faults(answered) == (fault,)


def test_an_answer_of_which_too_little_stands_has_failed() -> None:
    fallen = checked("", recommendation="", causes=(), source="template", rejected=rejected(6))
    found = grade("an_incident", EXPECTED, answered(fallen))
    assert not found.passed
    assert found.schema_ok
    assert found.faults[0] == "too little of it stands: 40% grounded"
    assert not found.length_ok


def test_without_causes_to_grade_none_is_graded() -> None:
    found = grade("a_day", replace(EXPECTED, causes=(), severity=None), answered(checked(causes=())))
    assert found.cause_right is None
    assert found.passed


@pytest.mark.parametrize(
    ("text", "words", "there"),
    [
        ("It fell to 40 %.", "40", True),
        ("It fell to 40%", "40", True),
        ("It fell to 40.", "40", True),
        ("It fell to 40.5 %", "40", False),
        ("It fell to 140 %", "40", False),
        ("It fell to 1,240", "240", False),
        ("It took 3.40 s", "40", False),
        ("The HIT\nRate fell", "hit rate", True),
        ("white rates", "hit rate", False),
        ("it was flushed", "flush", False),
        ("it was flushed", "flush*", True),
        ("a (flush)", "flush", True),
        ("a.b", "a+b", False),
    ],
)
def test_words_and_numbers_are_found_whole(text: str, words: str, there: bool) -> None:
    given = answered(checked(text, recommendation="", causes=()))
    said = _faults(given, must_mention=(), must_not_mention=(words,), causes=())
    assert said == ((f"says {words}",) if there else ())


@pytest.mark.parametrize(
    ("said", "severities"),
    [
        ("It is critical.", {"critical", None}),
        ("It is a catastrophe.", set()),
        ("Go back to sleep.", {"info", None}),
        ("It is harmless.", {"info", None}),
    ],
)
def test_an_incident_may_be_played_neither_up_nor_down(said: str, severities: set[str | None]) -> None:
    given = answered(checked(recommendation=f"Look for a flush. {said}"))
    fine = {one for one in ("info", "warning", "critical", None) if not _faults(given, severity=one)}
    assert fine == severities


def test_a_summary_counts_averages_and_leaves_out_what_is_not_known() -> None:
    answers = [
        GOOD,
        replace(GOOD, seconds=3.0, repaired=True, cost=0.003),
        answered(failure="timeout", input_tokens=None, output_tokens=None, cost=None, seconds=60.0),
        answered(checked(cause="ttl_cut", rejected=rejected(1)), cost=None, seconds=2.0),
    ]
    summary = summarise("m", "prompts", [grade(f"{i}", EXPECTED, one) for i, one in enumerate(answers)])
    assert summary.passed == 0.5
    assert summary.schema_ok == 0.75
    assert summary.repaired == 0.25
    assert summary.grounded_share == pytest.approx((1.0 + 1.0 + 0.9) / 3)
    assert summary.cause_right == 0.5
    assert summary.mentioned == 0.75
    assert (summary.input_tokens, summary.output_tokens) == (2000, 200)
    assert summary.cost == pytest.approx(0.004)
    assert (summary.seconds, summary.seconds_p95) == (2.5, 60.0)
    assert summary.failures == {"timeout": 1}
    cells = summary.cells()
    assert len(cells) == len(HEADER)
    assert cells[:5] == ("m", "prompts", "2/4", "75 %", "97 %")


def test_a_summary_of_nothing_but_failures_has_dashes() -> None:
    failed = answered(failure="quota", input_tokens=None, output_tokens=None, cost=None)
    cells = summarise("m", "p", [grade("a", EXPECTED, failed)]).cells()
    assert cells[4] == "-"
    assert cells[9:11] == ("-/-", "-")
