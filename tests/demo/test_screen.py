"""The screen fits the terminal, says the cause and the advice first, and can be read without colour."""

from __future__ import annotations

import dataclasses

import pytest

from auditor.demo.chart import ABSENT, BAND, ODD_STYLE, Point, chart
from auditor.demo.faults import PlannedFault, fault_named
from auditor.demo.screen import screen
from auditor.demo.stage import Phase, Stage
from auditor.demo.watch import AuditedMinute
from tests.demo.rows import HOUR_START, observation

SIZES = [(80, 24), (100, 30), (120, 40), (200, 60)]


def stage(*, kind: str = "key_change") -> Stage:
    scores: dict[str, list[float | None]] = {
        "hit_rate": [72.0, 71.0, 50.0, 90.0, 0.4],
        "avg_response_time_ms": [120.0, 118.0, 60.0, 260.0, 0.5],
        "throughput": [101.0, 99.0, 50.0, 190.0, 0.5],
        "cache_size": [1500.0, 1500.0, 900.0, 2600.0, 0.9],
        "error_rate": [0.0, 0.03, 0.0, 4.0, 1.0],
    }
    ill: dict[str, list[float | None]] = {**scores, "hit_rate": [0.0, 71.0, 50.0, 90.0, 1e-20]}
    ledger = [AuditedMinute(HOUR_START + i, "normal", ill if i > 44 else scores) for i in range(-140, 60)]
    return Stage(
        "answers",
        Phase.FAST_HOUR,
        PlannedFault(fault_named(kind), HOUR_START + 45, HOUR_START + 65),
        first_minute=HOUR_START - 4320,
        hour_start=HOUR_START,
        lived_to=HOUR_START + 60,
        events=500_000,
        ledger=ledger,
        observations=[observation(45)],
        audited=4380,
    )


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_screen_fills_the_terminal_and_never_overflows_it(width: int, height: int) -> None:
    full = stage()
    acts = [
        Stage("answers"),
        dataclasses.replace(
            full, phase=Phase.BACKFILL, ledger=[], observations=[], audited=0, lived_to=HOUR_START
        ),
        dataclasses.replace(full, phase=Phase.LEARNING, ledger=[], observations=[], audited=0),
        dataclasses.replace(full, observations=[]),
        dataclasses.replace(full, ledger=full.ledger[:3]),
        dataclasses.replace(full, observations=[observation(i, incident=str(i)) for i in range(12)]),
        dataclasses.replace(full, observations=[{**observation(45), "title": "x" * 300}]),
        full,
    ]
    for act in acts:
        lines = screen(act, width, height)
        assert len(lines) == height
        assert max(line.cell_len for line in lines) <= width


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_incident_cause_and_advice_are_on_the_screen_whatever_its_size(width: int, height: int) -> None:
    shown = "\n".join(line.plain for line in screen(stage(), width, height))
    assert "CRITICAL" in shown
    assert "hit rate fell to 0 %" in shown
    assert "The cause is almost certainly a changed key format." in shown
    assert "First: diff how keys are built." in shown
    assert "┗ key_change" in shown
    assert "4,380 windows audited · ledger covers 100 %" in shown
    assert shown.endswith("Ctrl-C ends ")


def test_one_notice_is_one() -> None:
    alone = dataclasses.replace(stage(), observations=[{**observation(45), "severity": "info"}])
    assert " 1 notice of something different" in "\n".join(line.plain for line in screen(alone, 80, 24))


def test_the_leading_metric_is_charted_even_where_few_fit() -> None:
    def charted(leading: str) -> str:
        full = dataclasses.replace(stage(), observations=[observation(45, metric=leading)])
        return "\n".join(line.plain for line in screen(full, 80, 24)[:10])

    assert "error rate" not in charted("hit_rate")
    assert "error rate" in charted("error_rate")
    assert "throughput" in charted("silence")


def bars(*points: Point, height: int = 2) -> list[str]:
    return ["".join(cell.character for cell in row) for row in chart(points, height)]


def test_a_bar_shorter_or_longer_than_the_band_is_told_without_colour() -> None:
    normal, low, high = Point(10.0, 8.0, 12.0), Point(1.0, 8.0, 12.0), Point(20.0, 8.0, 12.0)
    assert bars(normal, low, high, high, height=4) == ["  ▆▆", "  ██", f"▇{BAND}██", "█▂██"]
    assert [cell.style == ODD_STYLE for cell in chart([normal, low, high], 2)[1]] == [False, True, True]


def test_minutes_without_data_are_marked_and_an_outlier_does_not_flatten_the_rest() -> None:
    assert bars(Point(None, None, None), Point(0.0, None, None)) == ["  ", f"{ABSENT} "]
    rows = bars(*[Point(10.0, 8.0, 12.0)] * 5, Point(5000.0, 8.0, 12.0), height=4)
    assert rows[-1][0] == "█"
    assert [row[5] for row in rows] == ["█"] * 4
