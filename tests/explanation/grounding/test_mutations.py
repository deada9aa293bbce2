"""No changed claim is left; what is correct is, however it is worded."""

from __future__ import annotations

from collections import Counter

import pytest

from auditor.explanation.grounding.prose import shown
from tests.explanation.grounding.answers import checked, left, stands, with_sentence
from tests.explanation.grounding.briefs import INCIDENTS
from tests.explanation.grounding.mutations import mutants
from tests.explanation.grounding.paraphrases import paraphrases
from tests.explanation.grounding.said import ADVICE, FALSE, TRUE

PARAPHRASES = tuple(paraphrases())


def _all_mutants() -> list[tuple[str, str, str, str]]:
    """Every third mutant of every paraphrase and of every natural sentence, each once."""
    natural = [(name, "summary", sentence) for name, said in TRUE.items() for sentence in said]
    found = {
        (name, field, mutant): (name, field, kind.split()[0], mutant)
        for name, field, sentence in (*PARAPHRASES, *natural)
        for kind, mutant in mutants(sentence, INCIDENTS[name])
    }
    return list(found.values())[::3]


def test_every_mutant_is_caught() -> None:
    made = _all_mutants()
    kinds = Counter(kind for _, _, kind, _ in made)
    missed = [
        (kind, mutant)
        for name, field, kind, mutant in made
        if shown(mutant) in left(checked(with_sentence(INCIDENTS[name], field, mutant), INCIDENTS[name]))
    ]
    assert not missed
    assert len(made) >= 3000
    assert all(
        kinds[kind] >= 20
        for kind in (
            "number",
            "unit",
            "time",
            "date",
            "direction",
            "swap",
            "metric",
            "cause",
            "cache",
            "state",
        )
    )


def test_at_least_97_percent_of_correct_paraphrases_stand() -> None:
    lost = [one for one in PARAPHRASES if not stands(INCIDENTS[one[0]], one[1], one[2])]
    assert len(PARAPHRASES) >= 800
    assert len(lost) <= 0.03 * len(PARAPHRASES), lost


@pytest.mark.parametrize("name", TRUE)
def test_natural_sentences_stand(name: str) -> None:
    assert [one for one in TRUE[name] if not stands(INCIDENTS[name], "summary", one)] == []


def test_sensible_steps_stand() -> None:
    assert [one for one in ADVICE if not stands(INCIDENTS["keys"], "step", one)] == []


@pytest.mark.parametrize("name", FALSE)
def test_false_and_unverifiable_sentences_are_taken_out(name: str) -> None:
    kept = [
        one
        for field, one in FALSE[name]
        if shown(one) in left(checked(with_sentence(INCIDENTS[name], field, one), INCIDENTS[name]))
    ]
    assert kept == []
