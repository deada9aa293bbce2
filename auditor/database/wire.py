"""The JSON of the SQL functions: pulls read into blocks, verdicts written as results."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from auditor.database.store import CommitOutcome, Committed, Pull, Pulled
from auditor.detection.answers import KEPT_MINUTES, Answer
from auditor.detection.windows import COLUMNS, WindowBlock, as_reported

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from auditor.database.store import Verdicts
    from auditor.detection.judgement import Ledger


def read_pull(answer: Mapping[str, Any]) -> Pull:
    """The pull in an answer of `auditor_pull`."""
    return Pull(
        watermark=str(answer["watermark"]),
        horizon_minute=int(answer["horizon_minute"]),
        caches=tuple(_read_pulled(cache) for cache in answer["caches"]),
        more=bool(answer["more"]),
    )


def _read_pulled(cache: Mapping[str, Any]) -> Pulled:
    name = cache["implementation_type"]
    first, last = cache.get("first_minute"), cache.get("last_minute")
    empty = first is None or last is None or last < first
    return Pulled(
        implementation_type=name,
        fencing_token=int(cache["fencing_token"]),
        cursor=cache["cursor"],
        state_version=int(cache["state_version"]),
        state=cache["state"],
        block=None if empty else _read_block(name, cache["columns"], int(first or 0), int(last or 0)),
        late=_read_late(name, cache.get("late") or {}),
    )


def _read_block(name: str, columns: Mapping[str, Any], first: int, last: int) -> WindowBlock:
    return WindowBlock.from_rows(
        name,
        columns.get("minute") or [],
        {column: as_reported(columns[column]) for column in COLUMNS if columns.get(column) is not None},
        first_minute=first,
        last_minute=last,
        revision=[int(revision or 0) for revision in columns.get("revision") or []],
    )


def _read_late(name: str, columns: Mapping[str, Any]) -> tuple[WindowBlock, ...]:
    """Late windows as blocks of one minute each, in time order."""
    minutes = columns.get("minute") or []
    ordered = sorted(range(len(minutes)), key=minutes.__getitem__)
    return tuple(
        _read_block(
            name,
            {column: [values[at]] for column, values in columns.items() if values is not None},
            minutes[at],
            minutes[at],
        )
        for at in ordered
    )


def ask_answers(pull: Pull) -> dict[str, Any]:
    """What `auditor_answers` is asked for the caches of a pull."""
    since = datetime.fromtimestamp(60 * (pull.horizon_minute - KEPT_MINUTES), UTC)
    return {"caches": [cache.implementation_type for cache in pull.caches], "since": since.isoformat()}


def read_answers(answer: Mapping[str, Any]) -> dict[str, tuple[Answer, ...]]:
    """The engineers' answers by cache in an answer of `auditor_answers`."""
    return {name: tuple(map(Answer.from_json, answers)) for name, answers in answer.items()}


def write_results(results: Sequence[Verdicts]) -> str:
    """The results as the JSON text that `auditor_commit` takes."""
    return json.dumps([_result(result) for result in results], allow_nan=False, separators=(",", ":"))


def _result(result: Verdicts) -> dict[str, Any]:
    pulled = result.pulled
    return {
        "implementation_type": pulled.implementation_type,
        "fencing_token": pulled.fencing_token,
        "cursor_before": pulled.cursor,
        "cursor_after": pulled.cursor if pulled.block is None else pulled.block.last_minute,
        "state": {"hot": result.state["hot"], "version": result.state["version"]},
        "history": result.state["history"] if result.history_changed else None,
        "ledger": _ledger(pulled.block, result.ledger),
        "late": [row for block, ledger in result.late for row in _late_rows(block, ledger)],
        "observations": list(result.observations),
        "baseline": dataclasses.asdict(result.baseline) if result.baseline is not None else None,
        "config_hash": result.config_hash,
    }


def _revisions(block: WindowBlock) -> list[str | None]:
    """What was judged: a window from before revisions were kept has 0, an absent one none."""
    pairs = zip(block.revision.tolist(), block.present.tolist(), strict=True)
    return [str(revision) if present else None for revision, present in pairs]


def _ledger(block: WindowBlock | None, ledger: Ledger | None) -> dict[str, Any] | None:
    if block is None or ledger is None:
        return None
    rows = list(ledger.rows())
    return {
        "first_minute": ledger.first_minute,
        "verdict": [verdict for _, verdict, _ in rows],
        "scores": [scores for _, _, scores in rows],
        "revision": _revisions(block),
    }


def _late_rows(block: WindowBlock, ledger: Ledger) -> list[dict[str, Any]]:
    return [
        {"minute": minute, "verdict": verdict, "scores": scores, "revision": revision}
        for (minute, verdict, scores), revision in zip(ledger.rows(), _revisions(block), strict=True)
    ]


def read_outcomes(answer: Mapping[str, Any]) -> dict[str, Committed]:
    """The outcome of each cache in an answer of `auditor_commit`."""
    return {
        name: Committed(CommitOutcome(outcome["outcome"]), int(outcome["state_version"]))
        for name, outcome in answer["outcomes"].items()
    }
