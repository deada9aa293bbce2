"""What an engineer answers on the command line changes what the service makes of the next fault, and replay knows."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from auditor.database.postgres import PostgresStore
from auditor.service.auditor import Auditor
from auditor.settings import Settings
from tests.detection.simulated import Course, windows
from tests.replay.stored import rows, store
from tests.warm_start import auditor

if TYPE_CHECKING:
    from collections.abc import Callable

MINUTES = 1400
FAULTS = (700, 1000)
ANSWERED = 760


def _auditor(*arguments: str, dsn: str) -> str:
    env = {"PATH": "/usr/bin:/bin", "HOME": "/dev/null", "AUDITOR_DATABASE_URL": dsn}
    done = auditor(*arguments, env=env)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


class _Life:
    """A cache with two equal faults, audited up to whatever minute a test wants."""

    def __init__(self, dsn: str, fault: Callable[[Course], None]) -> None:
        self.dsn = dsn
        self.first = int(time.time() // 60) - MINUTES - 5
        store(dsn, rows(windows(MINUTES, fault=fault, first=self.first, name="a", daily=0.0)))

    def audit(self, until: int) -> None:
        service = Auditor(
            PostgresStore(self.dsn, worker="w"),
            Settings(settle_seconds=0, worker="w"),
            horizon=lambda: self.first + until - 1,
        )
        asyncio.run(service.run_once())

    def ask(self, query: str) -> list[Any]:
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(query.encode()).fetchall()

    def answer(self, verdict: str, at: int) -> str:
        """Acknowledge what leads, and have it said at a minute of the test's choosing."""
        ((named,),) = self.ask(
            "select id::text from monitoring.cache_auditor_observations where metric_name = 'hit_rate' and severity <> 'info'"
        )
        said = _auditor("observations", "ack", named, "--verdict", verdict, "--by", "ann", dsn=self.dsn)
        with psycopg.connect(self.dsn) as connection:
            connection.execute(
                "update monitoring.cache_auditor_observations set verdict_at = monitoring.minute_at(%s) + interval '20 s'"
                " where verdict is not null",
                (self.first + at,),
            )
        return said

    def severities(self, since: int) -> list[str]:
        return [
            row[0]
            for row in self.ask(
                "select severity from monitoring.cache_auditor_observations where metric_name = 'hit_rate' and evidence ->> 'direction' = 'drop'"
                f" and window_start >= monitoring.minute_at({self.first + since}) order by window_start"
            )
        ]


def _twice(plan: Course) -> None:
    for start in FAULTS:
        plan.hit_rate[start : start + 30] = 0.4


def _for_good(plan: Course) -> None:
    plan.hit_rate[FAULTS[0] :] = 0.4


@pytest.mark.parametrize(("verdict", "expected"), [("ignore", ["info"]), ("incident", ["critical"])])
def test_the_next_fault_is_told_as_the_engineer_would(
    database: str, verdict: str, expected: list[str]
) -> None:
    life = _Life(database, _twice)
    life.audit(ANSWERED)
    life.answer(verdict, ANSWERED)
    life.audit(MINUTES)
    assert life.severities(FAULTS[1] - 5) == expected
    replayed = _auditor("replay", "--fail-on-diff", "--format", "json", dsn=database)
    assert json.loads(replayed)["differences"] == 0


def test_a_new_normal_resolves_the_alarm_within_minutes_though_the_auditor_starts_anew(database: str) -> None:
    life = _Life(database, _for_good)
    life.audit(ANSWERED)
    said = life.answer("new_normal", ANSWERED)
    assert "what is normal" in said
    life.audit(ANSWERED + 15)
    life.audit(MINUTES)
    assert life.ask(
        "select status, (monitoring.minute_of(window_end))::bigint from monitoring.cache_auditor_observations"
        " where metric_name = 'hit_rate' and severity <> 'info'"
    ) == [("resolved", life.first + ANSWERED)]
    replayed = _auditor("replay", "--fail-on-diff", "--format", "json", dsn=database)
    assert json.loads(replayed)["differences"] == 0


def test_a_day_without_answers_costs_no_words(database: str) -> None:
    life = _Life(database, _twice)
    life.audit(ANSWERED)
    ((answers,),) = life.ask("select monitoring.auditor_answers(array['a'], '-infinity')")
    assert answers == {}
    life.answer("ignore", ANSWERED)
    ((answers,),) = life.ask("select monitoring.auditor_answers(array['a', 'b'], '-infinity')")
    ((answer,),) = answers.values()
    assert (answer["says"], answer["minute"]) == ("ignore", life.first + ANSWERED)
    assert life.first + FAULTS[0] <= answer["first_minute"] <= answer["last_minute"] < life.first + ANSWERED
    assert {share[0]: share[1] for share in answer["shares"]}["hit_rate"] == "drop"
    assert all(share[2] >= 0 for share in answer["shares"])
    ((answers,),) = life.ask("select monitoring.auditor_answers(array['a'], now() + interval '1 hour')")
    assert answers == {}
