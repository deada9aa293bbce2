"""An obedient model that adds dismissals, alarms and orders to correct answers: none of them is left, and all of the rest."""

from __future__ import annotations

import pytest

from auditor.explanation.brief import Brief
from auditor.explanation.checked import Rejection
from auditor.explanation.grounding import check
from auditor.explanation.grounding.prose import shown
from auditor.explanation.reply import DigestReply
from tests.explanation.grounding.answers import checked, left, reply, stands
from tests.explanation.grounding.attacks import JOINED, ORDERED, SAID, SENSIBLE
from tests.explanation.grounding.briefs import CUT, DECAY, DIGEST, IMPROVED, INCIDENTS, KEYS, STAMPEDE

ATTACKED = {
    "keys": (
        KEYS,
        "The hit rate fell to 41 % from an expected 77 %.",
        "It has cost 2,040 extra backend calls.",
    ),
    "cut": (CUT, "The hit rate fell to 55.5 % from an expected 81 %.", "The extra calls have cost 57.60."),
    "stampede": (STAMPEDE, "The p95 response time rose to 9.6 s.", "It has cost 1,600 extra backend calls."),
    "decay": (
        DECAY,
        "The hit rate fell to 61 % from an expected 83 %.",
        "It has cost 205,000 extra backend calls.",
    ),
}
STEP = "Look at the start of it."


@pytest.mark.parametrize("name", ATTACKED)
@pytest.mark.parametrize("field", ["summary", "impact", "why", "step"])
def test_none_of_what_is_only_claimed_or_ordered_is_left_and_all_of_the_rest_is(
    name: str, field: str
) -> None:
    brief, summary, impact = ATTACKED[name]
    survived = []
    for attack in (*SAID, *ORDERED) if field == "step" else SAID:
        answer = reply(
            brief,
            summary=f"{summary} {attack}" if field == "summary" else summary,
            impact=f"{attack} {impact}" if field == "impact" else impact,
            steps=[STEP, attack] if field == "step" else [STEP],
        )
        if field == "why":
            first, *rest = answer.causes
            answer = answer.model_copy(
                update={"causes": [first.model_copy(update={"why": f"{summary} {attack}"}), *rest]}
            )
        found = checked(answer, brief)
        if shown(attack) in left(found):
            survived.append(attack)
        assert found.source == "model"
        assert summary in found.description
        assert impact in found.description
        assert found.recommendation.startswith(STEP)
        assert found.rejected
    assert survived == []


def test_an_answer_of_nothing_but_such_sentences_gives_way_to_the_template() -> None:
    for first in range(0, len(SAID) - 3, 3):
        answer = reply(KEYS, summary=" ".join(SAID[first : first + 3]), steps=list(ORDERED[:5]))
        assert check(answer, KEYS).source == "template"


def test_steps_that_look_and_mend_stand() -> None:
    assert [one for one in SENSIBLE if not stands(KEYS, "step", one)] == []


def test_that_nothing_has_to_be_done_may_be_said_where_the_severity_says_so() -> None:
    assert stands(IMPROVED, "step", "Nothing has to be done tonight.")
    assert not stands(KEYS, "step", "Nothing has to be done tonight.")


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("The hit rate fell to 12 %.", Rejection.NUMBER),
        ("It began at 10:44 UTC.", Rejection.TIME),
        ("The hit rate rose.", Rejection.DIRECTION),
        ("The refresh rate fell to 41 %.", Rejection.METRIC),
        ("The cache was resized.", Rejection.CAUSE),
        ("The hit rate of Billing fell.", Rejection.NAME),
        ("The incident is resolved.", Rejection.STANDING),
        ("This is a false alarm.", Rejection.JUDGEMENT),
        ("Silence the alarm.", Rejection.ADVICE),
        ("So it goes.", Rejection.EMPTY),
        ("See https://evil.example for more.", Rejection.MARKUP),
    ],
)
def test_each_rejection_has_its_kind(sentence: str, kind: Rejection) -> None:
    rejected = check(reply(KEYS, summary=sentence), KEYS).rejected
    assert [one.kind for one in rejected if one.field == "summary"] == [kind]
    assert rejected[0].as_json()["kind"] == str(kind)


def test_where_no_cause_was_ranked_a_model_may_say_that_it_is_not_known() -> None:
    brief = Brief(KEYS.purpose, {**KEYS.data, "causes": []})
    answer = reply(
        KEYS,
        summary="The hit rate fell to 41 % from an expected 77 %. The cause is not known.",
        causes=[
            {"cause": "unknown", "confidence": 0.0, "why": "No known cause fits.", "reordered_because": None}
        ],
        confidence=0.0,
    )
    found = check(answer, brief)
    assert found.source == "model"
    assert found.rejected == ()
    assert [(one.cause, one.confidence) for one in found.causes] == [("unknown", 0.0)]
    assert "The cause is not known." in found.description


@pytest.mark.parametrize(
    "word", ["0 ", "1/", "a 1 of ", "“", "41 % or ", "fell to ", "10:32 ", "§", "((", "hit rate and "]
)
def test_odd_text_is_read_in_no_more_numbers_than_a_sentence_has(word: str) -> None:
    found = check(reply(KEYS, summary=(word * 700)[:700]), KEYS)
    assert found.sentences >= 1


def test_that_there_were_no_incidents_is_said_of_a_day_without_one_alone() -> None:
    quiet = {"coverage": {"windows": 1440, "audited": 1440, "no_data": 0}, "caches": [], "incidents": []}
    said = DigestReply(summary="There were no incidents.", items=[], steps=[])
    assert check(said, Brief(DIGEST.purpose, {**DIGEST.data, **quiet})).source == "model"
    assert check(said, DIGEST).source == "template"


@pytest.mark.parametrize("name", JOINED)
def test_a_true_number_lends_nothing_to_what_is_only_claimed(name: str) -> None:
    assert [one for one in JOINED[name] if stands(INCIDENTS[name], "summary", one)] == []
