"""The JSON between the SQL functions and the detector's values."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from auditor.database import wire
from auditor.database.store import CommitOutcome, Pulled, Verdicts
from auditor.detection.catalogue import CATALOGUE
from auditor.detection.judgement import VERDICTS, LearnedBaseline, Ledger, Scores, Verdict
from auditor.detection.validity import broken_identities
from auditor.detection.windows import COLUMNS, WindowBlock


def columns(minutes: list[int], **given: list[float | None]) -> dict[str, list[object]]:
    empty: dict[str, list[object]] = {name: [None] * len(minutes) for name in COLUMNS}
    revisions = [str(900 + at) for at in range(len(minutes))]
    return (
        empty
        | {"minute": list(minutes), "revision": list(revisions)}
        | {k: list(v) for k, v in given.items()}
    )


def answer(**given: object) -> dict[str, object]:
    cache = {
        "implementation_type": "new",
        "fencing_token": 3,
        "cursor": 99,
        "state_version": 7,
        "state": None,
        "first_minute": 100,
        "last_minute": 103,
        "columns": columns([100, 103], hits=[5, 0], avg_cache_size=[None, 2.5]),
        "late": columns([]),
    } | given
    return {"watermark": "18446744073709551615", "horizon_minute": 103, "more": False, "caches": [cache]}


def ledger(first: int, verdicts: list[Verdict]) -> Ledger:
    nothing = np.full(len(verdicts), np.nan)
    scores = {metric.name: Scores(nothing, nothing, (), ()) for metric in CATALOGUE}
    value = np.arange(len(verdicts), dtype=np.float64)
    scores["hit_rate"] = Scores(
        value, value + 1, (lambda: np.full(len(verdicts), 1e-300),), (lambda: (nothing, value + 2),)
    )
    codes = np.array([VERDICTS.index(v) for v in verdicts], dtype=np.int8)
    return Ledger(first, codes, (lambda: scores,), np.zeros(len(verdicts), dtype=np.bool_))


def test_a_block_lays_out_every_minute_and_keeps_what_is_unknown_unknown() -> None:
    pull = wire.read_pull(answer())
    assert (pull.watermark, pull.horizon_minute, pull.more) == ("18446744073709551615", 103, False)
    (pulled,) = pull.caches
    block = pulled.block
    assert block is not None
    assert (block.first_minute, block.last_minute) == (100, 103)
    assert block.present.tolist() == [True, False, False, True]
    assert block.revision.tolist() == [900, 0, 0, 901]
    assert block.columns["hits"][[0, 3]].tolist() == [5.0, 0.0]
    assert math.isnan(block.columns["avg_cache_size"][0])
    assert block.columns["avg_cache_size"][3] == 2.5
    assert all(values.dtype == np.float64 for values in block.columns.values())


def test_what_a_row_holds_and_is_no_number_is_not_taken_for_unknown() -> None:
    held = columns([100, 103], avg_response_time_ms=["NaN", None], hit_rate=[None, "Infinity"])  # type: ignore[list-item]
    block = wire.read_pull(answer(columns=held)).caches[0].block
    assert block is not None
    assert block.columns["avg_response_time_ms"][0] == math.inf
    assert math.isnan(block.columns["avg_response_time_ms"][3])
    assert block.columns["hit_rate"][3] == math.inf
    broken, reasons = broken_identities(block)
    assert broken.tolist() == [True, False, False, True]
    assert reasons[0] == ("avg_response_time_ms is no finite number.",)


def test_an_empty_span_is_no_block_and_a_span_without_rows_is_all_absent() -> None:
    assert wire.read_pull(answer(last_minute=99)).caches[0].block is None
    absent = wire.read_pull(answer(columns=columns([]))).caches[0].block
    assert absent is not None
    assert not absent.present.any()


def test_late_windows_come_one_by_one_in_time_order() -> None:
    pulled = wire.read_pull(answer(late=columns([42, 17], hits=[1, 2]))).caches[0]
    assert [(block.first_minute, len(block)) for block in pulled.late] == [(17, 1), (42, 1)]
    assert [block.columns["hits"][0] for block in pulled.late] == [2.0, 1.0]
    assert [block.revision[0] for block in pulled.late] == [901, 900]


def verdicts(pulled: Pulled, **given: object) -> Verdicts:
    block = pulled.block
    made = None if block is None else ledger(block.first_minute, [Verdict.NORMAL] * len(block))
    fields: dict[str, object] = {
        "pulled": pulled,
        "state": {"version": 1, "hot": {"h": 1}, "history": {"long": [1, 2]}},
        "history_changed": False,
        "ledger": made,
        "late": (),
        "observations": [],
        "baseline": None,
        "config_hash": "abc",
    }
    return Verdicts(**(fields | given))  # type: ignore[arg-type]


def test_a_result_holds_the_cursor_the_hot_state_and_a_row_a_minute() -> None:
    pulled = wire.read_pull(answer()).caches[0]
    (result,) = json.loads(wire.write_results([verdicts(pulled)]))
    assert (result["cursor_before"], result["cursor_after"], result["fencing_token"]) == (99, 103, 3)
    assert result["state"] == {"hot": {"h": 1}, "version": 1}
    assert result["history"] is None
    assert result["ledger"]["first_minute"] == 100
    assert result["ledger"]["verdict"] == ["normal"] * 4
    assert result["ledger"]["revision"] == ["900", None, None, "901"]
    assert result["ledger"]["scores"][1] == {"hit_rate": [1.0, 2.0, None, 3.0, 1e-300]}


def test_the_history_travels_only_when_it_changed() -> None:
    pulled = wire.read_pull(answer()).caches[0]
    (result,) = json.loads(wire.write_results([verdicts(pulled, history_changed=True)]))
    assert result["history"] == {"long": [1, 2]}


def test_a_result_of_late_windows_alone_leaves_the_cursor() -> None:
    pulled = wire.read_pull(answer(last_minute=99, late=columns([42]))).caches[0]
    late = ((pulled.late[0], ledger(42, [Verdict.ANOMALOUS])),)
    (result,) = json.loads(wire.write_results([verdicts(pulled, late=late)]))
    assert result["cursor_before"] == result["cursor_after"] == 99
    assert result["ledger"] is None
    assert result["late"] == [
        {
            "minute": 42,
            "verdict": "anomalous",
            "scores": {"hit_rate": [0.0, 1.0, None, 2.0, 1e-300]},
            "revision": "900",
        }
    ]


def test_a_baseline_travels_by_its_fields() -> None:
    baseline = LearnedBaseline("new", 1, 2, 3, 71.5, 1.0, None, 0.1, 2.0, None, 60, "daily", {"v": 1})
    pulled = wire.read_pull(answer()).caches[0]
    (result,) = json.loads(wire.write_results([verdicts(pulled, baseline=baseline)]))
    assert result["baseline"]["hit_rate"] == 71.5
    assert result["baseline"]["learned_minute"] == 3
    assert result["baseline"]["profile"] == {"v": 1}


def test_what_json_cannot_hold_is_never_sent() -> None:
    pulled = wire.read_pull(answer()).caches[0]
    broken = {"version": 1, "hot": {"h": math.nan}, "history": {}}
    with pytest.raises(ValueError, match="not JSON compliant"):
        wire.write_results([verdicts(pulled, state=broken)])


def test_outcomes_come_by_cache() -> None:
    told = wire.read_outcomes({"outcomes": {"new": {"outcome": "stale", "state_version": 4}}})
    assert told["new"].outcome is CommitOutcome.STALE
    assert told["new"].state_version == 4


def test_a_revision_beyond_what_json_numbers_hold_exactly_stays_exact() -> None:
    exact = 2**53 + 1
    given = columns([100]) | {"revision": [str(exact)]}
    block = wire.read_pull(answer(last_minute=100, columns=given)).caches[0].block
    assert isinstance(block, WindowBlock)
    assert block.revision.tolist() == [exact]
