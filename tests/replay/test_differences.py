"""What differs between a replay and what was stored, where a model has worded some of it."""

from __future__ import annotations

from auditor.replay.differences import observation_differences
from tests.database.incidents import row_of


def test_a_models_words_are_no_difference_and_a_change_of_the_text_beneath_them_is() -> None:
    row = row_of()
    template = {"description": row["description"], "recommendation": row["recommendation"]}
    worded = row | {
        "description": "As of 10:45 UTC: other words.",
        "explanation": {"source": "model", "template": template},
    }
    assert list(observation_differences([row], [row])) == []
    assert list(observation_differences([row], [worded])) == []
    template["description"] = "Something else."
    (told,) = observation_differences([row], [worded])
    assert "stored Something else." in told
