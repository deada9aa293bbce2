"""What the log says of an observation that begins as a notice and comes to page."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import numpy as np
from structlog.testing import capture_logs

from auditor.database.postgres import PostgresStore
from auditor.service.auditor import Auditor
from auditor.settings import Settings
from tests.detection.simulated import windows
from tests.replay.stored import rows, store

if TYPE_CHECKING:
    from auditor.service.turn import TurnSummary
    from tests.detection.simulated import Course

MINUTES = 700
START = 500


def creeping(plan: Course) -> None:
    plan.hit_rate[START:] -= np.linspace(0.0, 0.3, MINUTES - START)


async def test_a_notice_that_goes_on_as_an_alarm_is_opened_once_more_as_a_warning(database: str) -> None:
    first = int(time.time() // 60) - MINUTES - 5
    store(database, rows(windows(MINUTES, fault=creeping, first=first, name="a", traffic=3000.0, noise=0.03)))
    until, audited = START, asyncio.Event()

    def turned(summary: TurnSummary) -> None:
        if summary.windows:
            audited.set()

    service = Auditor(
        PostgresStore(database, worker="w"),
        Settings(settle_seconds=0, worker="w"),
        horizon=lambda: first + until - 1,
        on_turn=turned,
    )
    with capture_logs() as told:
        running = asyncio.create_task(service.run())
        for until in range(START, MINUTES + 1, 5):  # noqa: B007 - the horizon reads it
            audited.clear()
            service.wake()
            await asyncio.wait_for(audited.wait(), 30)
        service.stop()
        await running
    opened = [line for line in told if line["event"] == "observation_opened" and line["metric"] == "hit_rate"]
    assert len({line["fingerprint"] for line in opened}) == 1
    assert [line["log_level"] for line in opened] == ["info", "warning"]
    assert [line["severity"] == "info" for line in opened] == [True, False]
