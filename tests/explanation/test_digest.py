"""The digest without a model: everything of the day in whole sentences, and a day without anything too."""

from __future__ import annotations

from typing import Any

from auditor.explanation.digest import digest_text


def incident(**changes: Any) -> dict[str, Any]:
    return {
        "cache": "answers", "title": "answers: hit rate fell to 41 % (normal 71–79 %)", "severity": "critical", "status": "resolved",
        "began": "2026-11-25T10:32Z", "minutes": 13, "metric": "hit_rate", "name": "hit rate", "unit": "%", "direction": "drop",
        "value": 41.2, "expected": 75.3, "cause": "key_change", "cause_name": "a changed key format", "confidence": 0.81,
        "extra_backend_calls": 2040, "added_latency_seconds": 431, "cost": None, "verdict": None,
    } | changes  # fmt: skip


def cache(**changes: Any) -> dict[str, Any]:
    return {
        "cache": "answers", "incidents": 1, "critical": 1, "warning": 0, "info": 0, "extra_backend_calls": 2040,
        "added_latency_seconds": 431, "cost": 4.08,
    } | changes  # fmt: skip


def data(**changes: Any) -> dict[str, Any]:
    return {
        "from": "2026-11-25T00:00Z",
        "to": "2026-11-26T00:00Z",
        "coverage": {"windows": 2880, "audited": 2878, "no_data": 2},
        "caches": [cache()],
        "incidents": [incident()],
    } | changes


def test_a_day_is_told_in_whole_sentences() -> None:
    assert digest_text(data()) == (
        "25 Nov 2026 (UTC): 1 incident of 1 cache, critical.\n"
        "Of 2,880 windows 2,878 were audited and 2 had no data.\n"
        "\n"
        "answers: 1 incident (1 critical); 2,040 calls to the backend beyond the usual, 7.2 min of added waiting, 4.08 in money.\n"
        "\n"
        "[critical] 2026-11-25 10:32 answers: hit rate fell to 41 % (normal 71–79 %): 13 minutes, over; most likely a changed key"
        " format (81 % confidence); 2,040 calls to the backend beyond the usual, 7.2 min of added waiting."
    )


def test_a_quiet_day_and_a_day_without_windows_are_told_too() -> None:
    assert digest_text(data(caches=[], incidents=[])) == (
        "25 Nov 2026 (UTC): no incident.\nOf 2,880 windows 2,878 were audited and 2 had no data."
    )
    empty = {"windows": 0, "audited": 0, "no_data": 0}
    assert digest_text(data(caches=[], incidents=[], coverage=empty)).endswith(
        "No window arrived in that time."
    )
    assert digest_text(data(caches=[], incidents=[], coverage={})).endswith("No window arrived in that time.")


def test_windows_that_nobody_audited_are_not_passed_over() -> None:
    text = digest_text(data(coverage={"windows": 2880, "audited": 2800, "no_data": 0}))
    assert "Of 2,880 windows 2,800 were audited; 80 were not audited." in text


def test_incidents_that_did_not_fit_are_counted() -> None:
    many = cache(incidents=12, critical=1, info=11)
    text = digest_text(data(caches=[many]))
    assert text.startswith("25 Nov 2026 (UTC): 12 incidents of 1 cache, 1 of them critical.")
    assert text.endswith("And 11 slighter incidents more.")


def test_what_is_unknown_is_left_out_and_a_verdict_is_told() -> None:
    bare = incident(
        began=None, minutes=None, cause="unknown", extra_backend_calls=None, added_latency_seconds=None,
        verdict="new_normal", status="open", severity="info",
    )  # fmt: skip
    text = digest_text(data(caches=[cache(critical=0, info=1)], incidents=[bare]))
    assert text.endswith(
        "[info] at an unknown time answers: hit rate fell to 41 % (normal 71–79 %): still open; an engineer says it is how things"
        " are now."
    )
    assert "not critical" in text


def test_a_span_that_is_no_day_names_both_its_ends() -> None:
    text = digest_text(data(to="2026-11-25T06:30Z"))
    assert text.startswith("2026-11-25 00:00 to 2026-11-25 06:30 UTC: 1 incident")
