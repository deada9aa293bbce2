"""The recorded incidents of evals/, made again: a simulated cache lives, something goes wrong, the detector's rows are kept.

`python -m benchmarks.incident_recordings [NAME ...]` writes evals/NAME/recorded.json; what a good answer says of it is in expect.toml, by hand.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from auditor.detection.fold import judge
from auditor.detection.policy import Policy
from auditor.explanation.briefing.figures import evidence_of, leads
from auditor.explanation.template import observation_row
from benchmarks.fault_cache import World
from benchmarks.fault_kinds import draw
from benchmarks.fault_load import DAY, SHAPES, Load
from benchmarks.fault_windows import block_of, columns_of, joined
from benchmarks.incident_scenarios import SCENARIOS, Scenario

if TYPE_CHECKING:
    from auditor.detection.windows import WindowBlock
    from benchmarks.fault_kinds import Fault
    from benchmarks.fault_windows import Columns

EVALS: Final = Path(__file__).resolve().parents[1] / "evals"
FIRST_MINUTE: Final = 29_000_160
"""Midnight UTC, a Thursday."""
COUNTS: Final = ("total_operations", "hits", "misses", "sets", "evictions", "errors")
HOUR: Final = (
    *COUNTS,
    "avg_response_time_ms",
    "p95_response_time_ms",
    "avg_cache_size",
)
CACHES: Final = ("answers", "summaries", "users", "embeddings")
KEPT: Final = (
    "incident_id",
    "fingerprint",
    "implementation_type",
    "severity",
    "status",
    "title",
    "metric_name",
    "evidence",
)
BEFORE: Final = 40
"""Minutes of the hour that lie before the incident."""


def recorded(scenario: Scenario) -> dict[str, Any]:
    """What the auditor knows of a scenario's incident at the moment at which a model is asked."""
    block, began = _lived(scenario)
    rows = [_kept(row) for row in _incident(block, began)]
    as_of = block.last_minute + 1
    past = [_kept(row) | {"verdict": verdict} for row, verdict in _earlier(rows, scenario.past)]
    others = [_kept(row) for name in scenario.others for row in _elsewhere(name)]
    return {
        "purpose": scenario.purpose,
        "as_of": as_of,
        "rows": rows,
        "hour": _hour(block, began),
        "errors": list(scenario.errors),
        "keys": list(scenario.keys),
        "past": past,
        "others": others,
    }


def recorded_day(names: tuple[str, ...]) -> dict[str, Any]:
    """A day on which the incidents of some scenarios happened, each to its own cache."""
    rows = []
    for name, cache in zip(names, CACHES, strict=False):
        scenario = replace(SCENARIOS[name], cache=cache)
        block, began = _lived(scenario)
        lead = next(row for row in _incident(block, began) if leads(row))
        rows.append(_kept(lead))
    start = FIRST_MINUTE + 2 * DAY
    windows = DAY * max(1, len(names))
    no_data = 37 if names else 0
    return {
        "purpose": "daily_digest",
        "start": start,
        "end": start + DAY,
        "coverage": {"windows": windows, "audited": windows - no_data, "no_data": no_data},
        "rows": rows,
    }


def _lived(scenario: Scenario) -> tuple[WindowBlock, int]:
    """The windows up to the moment of the question, and the minute in which it all began."""
    shape = SHAPES[scenario.shape]
    world = World(Load(shape, scenario.seed), shape.capacity, shape.ttl, FIRST_MINUTE)
    began = FIRST_MINUTE + scenario.learning_minutes
    parts = [_minutes(world, 60) for _ in range(scenario.learning_minutes // 60)]
    parts += [_minutes(world, 1) for _ in range(scenario.learning_minutes % 60)]
    faults = [
        draw(kind, shape, world, np.random.default_rng([scenario.seed, i]))
        for i, kind in enumerate(scenario.kinds)
    ]
    parts += [_faulty(world, faults, minute) for minute in range(scenario.watched_minutes)]
    columns = joined(parts)
    if scenario.change is not None:
        scenario.change(columns, scenario.learning_minutes)
    return block_of(scenario.cache, FIRST_MINUTE, columns), began


def _minutes(world: World, minutes: int) -> Columns:
    start = world.minute
    lookups, lived = world.live(minutes)
    return columns_of(start, minutes, lookups, lived, world.condition)


def _faulty(world: World, faults: list[Fault], minute: int) -> Columns:
    """The window so many minutes after the faults began."""
    now = float(world.minute)
    for fault in faults:
        if minute == 0:
            fault.begin(world, now)
        if minute == fault.lasts:
            fault.end(world, now)
        if fault.during is not None and minute < fault.lasts:
            fault.during(world, minute)
    part = _minutes(world, 1)
    absent = any(1 <= minute <= fault.absent for fault in faults)
    if absent:
        world.cache.until.clear()
    if absent or not world.condition.reporting:
        part = {name: np.full(1, 0.0 if name in COUNTS else np.nan) for name in part}
    if any(fault.corrupts and minute < fault.lasts for fault in faults):
        part["hits"] = part["hits"] + 2.0 * part["total_operations"]
    return part


def _incident(block: WindowBlock, began: int) -> list[dict[str, Any]]:
    """The rows of the gravest incident that began no earlier than so, as they stand at the end of the block."""
    observations: dict[str, dict[str, Any]] = {}
    state = None
    for position in range(0, len(block), DAY):
        judgement = judge(state, block.slice(position, min(position + DAY, len(block))), Policy())
        state = judgement.state
        observations |= {o.fingerprint: observation_row(o) for o in judgement.observations}
    rows = [row for row in observations.values() if evidence_of(row)["opened_minute"] >= began - 3]
    if not rows:
        raise LookupError("nothing was found")
    lead = min(
        (row for row in rows if leads(row)),
        key=lambda row: (
            ["critical", "warning", "info"].index(row["severity"]),
            evidence_of(row)["opened_minute"],
        ),
    )
    return [row for row in rows if row["incident_id"] == lead["incident_id"]]


def _earlier(
    rows: list[dict[str, Any]], past: tuple[tuple[int, str | None], ...]
) -> list[tuple[dict[str, Any], str | None]]:
    """The same incident as it might have happened so many minutes before, with what an engineer said of it."""
    lead = next(row for row in rows if leads(row))
    earlier = []
    for minutes, verdict in past:
        evidence = dict(lead["evidence"])
        for name in ("opened_minute", "last_minute", "worst_minute"):
            evidence[name] -= minutes
        changed = {"incident_id": f"earlier-{minutes}", "status": "resolved", "evidence": evidence}
        earlier.append((lead | changed, verdict))
    return earlier


def _elsewhere(name: str) -> list[dict[str, Any]]:
    """The leading row of another scenario's incident."""
    block, began = _lived(SCENARIOS[name])
    return [row for row in _incident(block, began) if leads(row)]


def _hour(block: WindowBlock, began: int) -> dict[str, list[float | None]]:
    start = max(0, began - BEFORE - block.first_minute, len(block) - 120)
    columns = {name: _shortened(block.columns[name][start:].tolist()) for name in HOUR}
    return {"minute": list(range(block.first_minute + start, block.last_minute + 1)), **columns}


def _kept(row: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = _shortened({name: row.get(name) for name in KEPT})
    return kept


def _shortened(value: Any) -> Any:
    """Floats to six digits, so that the files can be read."""
    if isinstance(value, float):
        return None if not np.isfinite(value) else float(f"{value:.6g}")
    if isinstance(value, dict):
        return {name: _shortened(part) for name, part in value.items()}
    return [_shortened(part) for part in value] if isinstance(value, list) else value


DAYS: Final = {
    "digest_quiet": (),
    "digest_busy": ("key_change", "backend_errors", "silence", "improvement"),
}


def main(names: list[str]) -> int:
    """Write the recordings named, or all of them; a line for each."""
    for name in names or [*SCENARIOS, *DAYS]:
        found = recorded_day(DAYS[name]) if name in DAYS else recorded(SCENARIOS[name])
        folder = EVALS / name
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(found, ensure_ascii=False, allow_nan=False, indent=1)
        (folder / "recorded.json").write_text(text + "\n", encoding="utf-8")
        for row in found["rows"]:
            if leads(row):
                causes = [(cause["cause"], cause["confidence"]) for cause in evidence_of(row)["causes"][:3]]
                print(f"{name:26} {row['severity']:8} {row['status']:8} {causes}  {row['title']}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
