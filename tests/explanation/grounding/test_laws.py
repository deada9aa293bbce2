"""Laws of the check that hold for any answer."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.explanation.grounding import check
from auditor.explanation.grounding.told import facts_of
from auditor.explanation.grounding.verdict import check_against
from auditor.explanation.reply import Reply, ReplyCause
from tests.explanation.grounding.answers import checked, left, reply
from tests.explanation.grounding.briefs import INCIDENTS
from tests.explanation.grounding.paraphrases import paraphrases

SAID: Final = tuple(paraphrases())
_text = st.text(max_size=120) | st.text(
    alphabet="<>[]()*_`#@|~&:/.\\ \n%0123456789-–haert\u202e\u200b\u0430", max_size=120
)
_share = st.floats(0, 1)
_name = st.sampled_from(("key_change", "flush", "stampede", "backend_slow", "unknown", "nonsense"))
_causes = st.lists(
    st.builds(ReplyCause, cause=_name, confidence=_share, why=_text, reordered_because=st.none() | _text),
    min_size=1,
    max_size=5,
)
_any = st.builds(
    Reply,
    summary=_text.filter(bool),
    causes=_causes,
    impact=st.none() | _text,
    steps=st.lists(_text.filter(bool), min_size=1, max_size=5),
    confidence=_share,
)
_brief = st.sampled_from(sorted(INCIDENTS))


@settings(max_examples=250, deadline=None)
@given(_any, _brief)
def test_any_answer_leaves_a_permutation_of_ranked_causes_no_surer_than_before_and_nothing_active(
    answer: Reply, name: str
) -> None:
    brief = INCIDENTS[name]
    ranks = {one["cause"]: one["confidence"] for one in brief.data["causes"]}
    found = checked(answer, brief)
    shown = [one.cause for one in found.causes]
    assert len(set(shown)) == len(shown)
    assert set(shown) <= set(ranks)
    assert all(one.confidence <= ranks[one.cause] for one in found.causes)
    assert found.confidence <= max(ranks.values())
    assert found.confidence <= answer.confidence
    everything = "\n".join([left(found), *(f"{one.text} {one.reason}" for one in found.rejected)])
    assert not re.search(r"[<>`*\[\]|~#@\\]|://|www\.", everything, re.IGNORECASE)
    assert all(letter == "\n" or unicodedata.category(letter)[0] != "C" for letter in everything)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(SAID), min_size=1, max_size=4), _any, st.data())
def test_what_is_left_stands_when_it_is_checked_again(
    said: list[tuple[str, str, str]], noise: Reply, data: st.DataObject
) -> None:
    name = said[0][0]
    brief = INCIDENTS[name]
    mine = [sentence for whose, field, sentence in said if whose == name and field == "summary"]
    summary = " ".join([*mine, noise.summary])[:700] or "It needs a look."
    once = check(reply(brief, summary=summary), brief)
    if once.source == "template":
        return
    causes = [
        ReplyCause(cause=one.cause, confidence=one.confidence, why=one.why[:400], reordered_because=None)
        for one in once.causes
    ]
    again = check(
        reply(
            brief, summary=once.description[:700], causes=causes, steps=[once.recommendation[:300] or "Look."]
        ),
        brief,
    )
    assert again.rejected == ()


@settings(max_examples=60, deadline=None)
@given(_any, st.lists(st.sampled_from(SAID), max_size=2), _brief)
def test_the_facts_are_as_they_were_after_an_answer_was_checked_against_them(
    answer: Reply, said: list[tuple[str, str, str]], name: str
) -> None:
    facts = facts_of(INCIDENTS[name])
    answer = answer.model_copy(update={"summary": " ".join([*(one[2] for one in said), answer.summary])})
    first = check_against(facts, answer)
    assert facts == facts_of(INCIDENTS[name])
    assert check_against(facts, answer) == first == check(answer, INCIDENTS[name])


_NUMBER = re.compile(r"(?<![\w.,:])\d[\d,]*(?:\.\d+)?(?![\d:,]|\.\d)")


@settings(max_examples=250, deadline=None)
@given(
    st.sampled_from([one for one in SAID if _NUMBER.search(one[2]) and one[1] == "summary"]),
    st.integers(1_000_003, 9_999_991).filter(lambda n: n % 10),
)
def test_a_text_whose_numbers_are_replaced_by_others_is_taken_out(
    said: tuple[str, str, str], number: int
) -> None:
    name, _, sentence = said
    changed = _NUMBER.sub(str(number), sentence)
    assert changed not in left(checked(reply(INCIDENTS[name], summary=changed), INCIDENTS[name]))
