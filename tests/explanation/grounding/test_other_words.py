"""What another hand writes: correct sentences stand, changed ones do not, and both kinds of error are counted."""

from __future__ import annotations

import pytest

from tests.explanation.grounding.answers import stands
from tests.explanation.grounding.briefs import INCIDENTS
from tests.explanation.grounding.other_falsehoods import FALSE
from tests.explanation.grounding.other_truths import TRUE


def test_correct_sentences_in_other_idioms_stand() -> None:
    said = [(name, one) for name, sentences in TRUE.items() for one in sentences]
    lost = [(name, one) for name, one in said if not stands(INCIDENTS[name], "summary", one)]
    assert len(said) >= 150
    assert len(lost) <= 0.03 * len(said), lost


@pytest.mark.parametrize("name", FALSE)
def test_changed_sentences_in_other_idioms_are_taken_out(name: str) -> None:
    assert [one for one in FALSE[name] if stands(INCIDENTS[name], "summary", one)] == []


def test_there_are_enough_changed_sentences_of_every_incident() -> None:
    assert set(FALSE) == set(INCIDENTS)
    assert sum(map(len, FALSE.values())) >= 200
