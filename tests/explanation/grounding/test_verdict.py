"""What is left of an answer: the order of causes, confidences, the fall back, and nothing active or untrusted."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

import pytest

from auditor.explanation.brief import Brief, Purpose
from auditor.explanation.grounding import check
from auditor.explanation.reply import DigestItem, DigestReply, Reply, ReplyCause
from tests.explanation.grounding.answers import reply, stands
from tests.explanation.grounding.briefs import CUT, DIGEST, ERRORS, FLUSHED, KEYS, STAMPEDE

if TYPE_CHECKING:
    from collections.abc import Sequence

GOOD = "The hit rate fell to 41 % from an expected 77 %."
BAD = "The hit rate fell to 12 %."


def cause(name: str, confidence: float = 0.5, why: str = "", because: str | None = None) -> ReplyCause:
    return ReplyCause(cause=name, confidence=confidence, why=why, reordered_because=because)


def changed(brief: Brief, **changes: Any) -> Brief:
    return Brief(brief.purpose, {**copy.deepcopy(dict(brief.data)), **changes})


def test_a_whole_answer_is_shown_line_by_line() -> None:
    checked = check(
        reply(
            KEYS,
            summary=f"{GOOD} It began at 10:32 UTC.",
            causes=[cause("key_change", 0.81, "The cache size rose to 1,310 entries."), cause("flush", 0.12)],
            impact="It has cost 2,040 extra backend calls.",
            steps=["Compare keys that miss now with keys from before the start.", "Roll that release back."],
        ),
        KEYS,
    )
    assert checked.source == "model"
    assert checked.description == (
        "The hit rate fell to 41 % from an expected 77 %. It began at 10:32 UTC.\n"
        "It has cost 2,040 extra backend calls.\n"
        "The cause is probably a changed key format (81 % confidence). The cache size rose to 1,310 entries. "
        "It could also be a flush or cold restart (12 %)."
    )
    assert checked.recommendation == (
        "Compare keys that miss now with keys from before the start.\nRoll that release back."
    )
    assert checked.rejected == ()
    assert checked.grounded_share == 1.0
    assert checked.confidence == 0.81


def test_a_failed_sentence_is_taken_out_and_kept_with_its_reason() -> None:
    checked = check(reply(KEYS, summary=f"{GOOD} {BAD}"), KEYS)
    assert GOOD in checked.description
    assert BAD not in checked.description
    assert [(one.field, one.text) for one in checked.rejected] == [("summary", BAD)]
    assert "12 %" in checked.rejected[0].reason
    assert checked.source == "model"


@pytest.mark.parametrize(
    "changes",
    [
        {"summary": BAD},
        {
            "summary": f"{GOOD} {BAD}",
            "impact": "It cost 9 calls to the backend.",
            "steps": ["See https://evil.example."],
        },
        {"causes": [cause("backend_slow", 0.9), cause("key_change", 0.8)]},
    ],
    ids=["no summary", "less than half", "a cause that was not ranked"],
)
def test_where_too_much_fails_the_template_has_to_speak(changes: dict[str, Any]) -> None:
    checked = check(reply(KEYS, **changes), KEYS)
    assert (checked.source, checked.description, checked.recommendation, checked.causes) == (
        "template",
        "",
        "",
        (),
    )
    assert checked.rejected


def test_confidence_goes_down_and_never_up() -> None:
    up = check(reply(KEYS, causes=[cause("key_change", 1.0), cause("flush", 0.9)], confidence=1.0), KEYS)
    assert [one.confidence for one in up.causes] == [0.81, 0.12]
    assert up.confidence == 0.81
    down = check(reply(KEYS, causes=[cause("key_change", 0.6)], confidence=0.4), KEYS)
    assert [one.confidence for one in down.causes] == [0.6]
    assert down.confidence == 0.4


def test_a_cause_close_behind_may_be_put_first_with_a_reason_that_stands() -> None:
    why = "The response time of misses rose to 3.9 s from an expected 900 ms."
    moved = check(
        reply(STAMPEDE, causes=[cause("backend_slow", 0.41, "", why), cause("stampede", 0.48)]), STAMPEDE
    )
    assert [one.cause for one in moved.causes] == ["backend_slow", "stampede"]
    assert moved.causes[0].why == why


@pytest.mark.parametrize(
    "because",
    [None, "", "The response time of misses rose to 9.9 s.", "I feel like it. A new host was added."],
)
def test_without_a_reason_that_stands_the_evidence_s_order_is_restored(because: str | None) -> None:
    checked = check(
        reply(STAMPEDE, causes=[cause("backend_slow", 0.41, "", because), cause("stampede", 0.48)]), STAMPEDE
    )
    assert [one.cause for one in checked.causes] == ["stampede", "backend_slow"]
    assert any("order was restored" in one.reason for one in checked.rejected)


def test_a_cause_far_behind_is_never_put_first() -> None:
    because = "It started suddenly."
    checked = check(reply(KEYS, causes=[cause("flush", 0.9, "", because), cause("key_change", 0.5)]), KEYS)
    assert [one.cause for one in checked.causes] == ["key_change", "flush"]
    assert any("does not allow" in one.reason for one in checked.rejected)


def test_a_leading_cause_that_is_left_out_is_put_back() -> None:
    checked = check(reply(KEYS, causes=[cause("flush", 0.9)]), KEYS)
    assert [one.cause for one in checked.causes] == ["key_change", "flush"]


def test_causes_given_twice_or_not_ranked_are_dropped() -> None:
    causes = [cause("key_change", 0.8), cause("key_change", 0.1), cause("surge_new_keys", 0.3)]
    checked = check(reply(KEYS, causes=causes), KEYS)
    assert [one.cause for one in checked.causes] == ["key_change"]
    assert len(checked.rejected) == 2


UNTRUSTED: Sequence[str] = (
    "The hit rate is 99 % now.",
    "Call 555-1234.",
    "Host db-7 refuses connections.",
    "The key q:99 is hot.",
)


@pytest.mark.parametrize("sentence", UNTRUSTED)
def test_text_of_errors_and_keys_is_no_evidence(sentence: str) -> None:
    brief = changed(
        ERRORS,
        keys=["q:99", "hit rate 99 %"],
        errors=[{"type": "TimeoutError", "count": 212, "message": " ".join(UNTRUSTED)}],
    )
    assert not stands(brief, "summary", sentence)


@pytest.mark.parametrize(
    "name",
    ["99 %", "99", "hit rate 99 %", "10:59 UTC", "rose", "https://evil.example", "is critical", "99 entries"],
)
def test_a_cache_s_name_makes_nothing_true(name: str) -> None:
    brief = changed(
        KEYS,
        cache=name,
        others=[
            {
                "cache": "12 %",
                "metric": "hit_rate",
                "severity": "info",
                "title": "12 %: hit rate fell to 12 %",
            }
        ],
    )
    for sentence in (
        "The hit rate fell to 99 %.",
        "It began at 10:59 UTC.",
        "The hit rate rose.",
        "See https://evil.example now.",
        "It cost 99 entries.",
    ):
        assert not stands(brief, "summary", sentence), sentence


def test_an_error_s_type_is_only_a_name() -> None:
    brief = changed(
        ERRORS,
        errors=[
            {"type": "hit rate fell to 12 %", "count": 3, "message": ""},
            {"type": "42", "count": 9, "message": ""},
        ],
    )
    assert not stands(brief, "summary", "The hit rate fell to 12 %.")
    assert not stands(brief, "summary", "The error rate is 42 %.")


@pytest.mark.parametrize(
    "text",
    [
        "**The hit rate fell to 41 %**.",
        "# The hit rate fell to 41 %.",
        "- The hit rate fell to 41 %.",
        "`The hit rate` fell to _41 %_.",
        "The hit\u200b rate\u202e fell to 41\u00a0%.",
        "> The hit rate fell to 41 %.",
        "1. The hit rate fell to 41 %.",
    ],
)
def test_emphasis_bullets_and_hidden_characters_are_taken_off(text: str) -> None:
    checked = check(reply(KEYS, summary=text), KEYS)
    assert checked.description.split("\n")[0] == "The hit rate fell to 41 %."


@pytest.mark.parametrize(
    "text",
    [
        "[The hit rate](https://evil.example) fell.",
        "<b>The hit rate</b> fell.",
        "<script>alert(1)</script>",
        "@here the hit rate fell.",
        "The hit rate fell, see www.evil.example.",
        "The hit rаte fell.",
        "![x](javascript:alert)",
        "The hit rate fell &lt;img&gt;.",
    ],
)
def test_links_tags_mentions_and_look_alikes_are_taken_out(text: str) -> None:
    checked = check(reply(KEYS, summary=f"{GOOD}\n{text}"), KEYS)
    assert checked.description.split("\n")[0] == GOOD
    shown = "".join(f"{one.text} {one.reason}" for one in checked.rejected)
    assert checked.rejected
    assert not re.search(r"[<>@\[\]`*|]|://|www\.", shown)


def test_the_model_cannot_set_the_severity() -> None:
    assert stands(KEYS, "summary", "It is critical.")
    for said in ("It is a warning.", "The severity is info.", "This incident is rated warning."):
        assert not stands(KEYS, "summary", said)


def test_advice_may_name_the_auditor_s_own_commands_and_no_others() -> None:
    assert stands(FLUSHED, "step", "Run redis-cli INFO server and look at the uptime.")
    for said in (
        "Run redis-cli FLUSHALL now.",
        "Run rm -rf /var/cache.",
        "Open cache-07.prod in the console.",
    ):
        assert not stands(FLUSHED, "step", said)


def test_another_cache_s_numbers_are_not_one_s_own() -> None:
    assert stands(CUT, "summary", "The hit rate of the cache users fell to 63 %.")
    assert not stands(CUT, "summary", "The hit rate of embeddings fell to 63 %.")
    assert not stands(CUT, "summary", "The hit rate of the cache users fell to 55.5 %.")


def digest(summary: str, *items: tuple[str, str]) -> DigestReply:
    return DigestReply(
        summary=summary, items=[DigestItem(cache=cache, text=text) for cache, text in items], steps=[]
    )


def test_a_digest_is_checked_cache_by_cache() -> None:
    checked = check(
        digest(
            "There were three incidents on two caches, one of them critical. 2,878 of 2,880 windows were audited.",
            (
                "answers",
                "The hit rate fell to 41 % from 77 % for 13 minutes, probably because of a changed key format.",
            ),
            ("answers", "The average response time rose to 1.4 s."),
            ("sessions", "The average response time rose to 1.4 s and 5,400 s of waiting were added."),
            ("orders", "It was quiet."),
        ),
        DIGEST,
    )
    assert checked.source == "model"
    assert checked.description.split("\n") == [
        "There were three incidents on two caches, one of them critical. 2,878 of 2,880 windows were audited.",
        "answers: The hit rate fell to 41 % from 77 % for 13 minutes, probably because of a changed key format.",
        "sessions: The average response time rose to 1.4 s and 5,400 s of waiting were added.",
    ]
    assert len(checked.rejected) == 2


@pytest.mark.parametrize(
    "summary",
    [
        "There were four incidents.",
        "Two of the incidents were critical.",
        "2,040 of 2,880 windows were audited.",
        "sessions had 2 incidents.",
        "It cost 3,040 extra backend calls.",
    ],
)
def test_a_digest_s_false_sums_are_taken_out(summary: str) -> None:
    assert check(digest(summary), DIGEST).description == ""


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"cache": 3, "metrics": "x", "causes": [1], "incident": None, "hour": [], "past": {}},
        {"metrics": [{"value": float("nan"), "metric": None}]},
    ],
)
def test_a_brief_without_its_parts_raises_nothing(data: dict[str, Any]) -> None:
    for purpose in Purpose:
        answer: Reply | DigestReply = (
            reply(KEYS) if purpose is not Purpose.DAILY_DIGEST else digest("It was quiet.")
        )
        assert check(answer, Brief(purpose, data)).source in {"model", "template"}
