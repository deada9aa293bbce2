"""Explaining beside the audit: paid once, within the caps, never in the audit's way, and alive after every failure but its own death."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from structlog.testing import capture_logs

from auditor.database.calls import PostgresCalls
from auditor.database.explanations import Caps, Explanations, Waiting
from auditor.database.postgres import PostgresStore
from auditor.service.auditor import Auditor
from auditor.service.explaining import Explainer
from auditor.service.teller import Teller
from auditor.service.vitals import ExplainingVitals, Vitals, _Reader
from auditor.settings import Settings
from tests.database.incidents import WAITING, calls, row_of, stored, write, write_many
from tests.detection.simulated import windows
from tests.replay.stored import rows, store
from tests.service.askers import ScriptedAsker, answered, answering, checked, hang

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditor.model.asking import Asked

Connection = psycopg.Connection[Any]


def explainer(
    dsn: str,
    asker: ScriptedAsker,
    *,
    worker: str = "w",
    vitals: ExplainingVitals | None = None,
    deadline: float = 30.0,
    concurrency: int = 2,
    caps: dict[str, Any] | None = None,
    **waiting: Any,
) -> Explainer:
    limits: dict[str, Any] = {
        "calls_per_hour": 1000, "tokens_per_day": 10**9, "cost_per_day": 100.0, "cost_per_month": 1000.0,
    }  # fmt: skip
    database = Explanations(PostgresCalls(dsn), worker=worker, patience_seconds=0.5)
    teller = Teller(database, asker, Caps(**(limits | (caps or {}))), deadline_seconds=deadline)
    return Explainer(
        database,
        teller,
        Waiting(**(WAITING | waiting)),
        concurrency=concurrency,
        vitals=vitals or ExplainingVitals(),
        poll_seconds=0.05,
    )


async def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end, "it did not come about in time"
        await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def beside(work: Explainer) -> Any:
    task = asyncio.create_task(work.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_an_incident_is_explained_and_what_was_rejected_is_kept(
    database: str, connection: Connection
) -> None:
    write(connection, row_of())
    vitals = ExplainingVitals()
    assert await explainer(database, ScriptedAsker(), vitals=vitals).run_once() == 1
    found = stored(connection)
    assert found["description"] == "As of 10:45 UTC: The hit rate fell."
    explanation = found["explanation"]
    assert (explanation["source"], explanation["model"]) == ("model", "scripted")
    assert explanation["prompt"] == {"id": "incident_opened", "version": 1, "hash": "hash"}
    assert explanation["causes"] == [{"cause": "flush", "confidence": 0.8, "why": "The size fell."}]
    assert explanation["tokens"] == {"input": 100, "output": 20}
    assert explanation["checks"]["rejected"] == [
        {
            "field": "description",
            "text": "It fell by 99 %.",
            "reason": "it is another number",
            "kind": "number",
        }
    ]
    (call,) = calls(connection)
    assert (call["status"], call["input_tokens"], call["cost"]) == ("done", 100, 0.01)
    assert vitals.endings == {"explained": 1}


async def test_two_auditors_pay_once_for_each_of_many_incidents(
    database: str, connection: Connection
) -> None:
    write_many(connection, 24)
    asker = ScriptedAsker()
    replicas = [explainer(database, asker, worker=f"w{n}", storm=100) for n in range(2)]
    assert sum(await asyncio.gather(*(one.run_once() for one in replicas))) == 24
    asked = [brief.data["incident"] for brief in asker.asked]
    assert len(asked) == len(set(asked)) == 24
    assert asker.most_at_once <= 4


async def test_ten_thousand_findings_in_a_minute_cost_at_most_the_caps(
    database: str, connection: Connection
) -> None:
    asker = ScriptedAsker()
    caps = {"calls_per_hour": 7, "cost_per_day": 0.5}
    replicas = [explainer(database, asker, worker=f"w{n}", caps=caps, storm=1000) for n in range(2)]
    for n in range(10):
        write(connection, *(row_of(f"{n}-{i}", cache=f"cache {i}") for i in range(1000)))
    await asyncio.gather(*(one.run_once() for one in replicas))
    for n in range(10, 14):  # and a few more, which no storm draws together
        write(connection, *(row_of(f"{n}-{i}", cache=f"cache {i}") for i in range(5)))
        await asyncio.gather(
            *(explainer(database, asker, worker=f"v{i}", caps=caps).run_once() for i in range(2))
        )
    assert 0 < len(asker.asked) <= 7
    ledger = calls(connection)
    assert len(ledger) == 10_020
    assert sum(call["cost"] or 0 for call in ledger) <= 0.5
    capped = [call for call in ledger if call["reason"] == "cap: calls_per_hour"]
    assert len(capped) + len(asker.asked) + sum(c["status"] == "coalesced" for c in ledger) == 10_020
    unworded = connection.execute(
        "select count(*) from monitoring.cache_auditor_observations where explanation -> 'checks' is null or description = ''"
    ).fetchone()
    assert unworded == (0,)


async def test_the_same_evidence_is_not_paid_twice(database: str, connection: Connection) -> None:
    write(connection, row_of())
    asker = ScriptedAsker()
    await explainer(database, asker).run_once()
    connection.execute("update monitoring.cache_auditor_model_calls set asked_by = 'command'")
    write(connection, row_of(status="resolved"))
    write(connection, row_of())
    vitals = ExplainingVitals()
    assert await explainer(database, asker, vitals=vitals).run_once() == 1
    assert len(asker.asked) == 1
    assert vitals.endings == {"cached": 1}
    assert stored(connection)["description"] == "As of 10:45 UTC: The hit rate fell."


async def test_the_end_of_an_incident_is_explained_anew(database: str, connection: Connection) -> None:
    asker = ScriptedAsker()
    for status in ("open", "resolved"):
        write(connection, row_of(status=status))
        await explainer(database, asker).run_once()
        assert stored(connection)["explanation"]["source"] == "model"
    assert [brief.purpose.value for brief in asker.asked] == ["incident_opened", "incident_resolved"]


@pytest.mark.parametrize(
    ("answered", "failure", "status"),
    [
        (answered(failure="refusal"), "refusal", "failed"),
        (
            answered(failure="timeout", uncertain=True, input_tokens=0, output_tokens=0, cost=None),
            "timeout",
            "failed",
        ),
        (answered(failure="circuit_open", input_tokens=0, output_tokens=0), "circuit_open", "refused"),
        (answered(failure="server_error", repaired=True), "server_error", "failed"),
        (
            answered(checked(source="template", description="", recommendation="", causes=())),
            "rejected: too little of what the model said is so",
            "done",
        ),
    ],
    ids=["refused", "timed out", "circuit open", "failed over a repair", "rejected"],
)
async def test_without_a_usable_answer_the_deterministic_text_stands_with_the_reason(
    database: str, connection: Connection, answered: Asked, failure: str, status: str
) -> None:
    row = row_of()
    write(connection, row)
    await explainer(database, ScriptedAsker(answering(answered))).run_once()
    found = stored(connection)
    assert (found["description"], found["recommendation"]) == (row["description"], row["recommendation"])
    assert found["explanation"]["source"] == "template"
    assert found["explanation"]["checks"]["failure"] == failure
    (call,) = calls(connection)
    assert call["status"] == status
    if failure == "timeout":  # it may have been billed: the estimate goes on counting
        assert (call["cost"], call["estimated_cost"]) == (None, 0.02)


async def test_an_asker_that_outlives_its_deadline_is_cut_off(
    database: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auditor.service.teller.GRACE_SECONDS", 0.0)
    write(connection, row_of())
    await explainer(database, ScriptedAsker(hang), deadline=0.1).run_once()
    assert stored(connection)["explanation"]["checks"]["failure"] == "timeout"


async def test_one_explanation_that_breaks_is_logged_and_the_others_go_on(
    database: str, connection: Connection
) -> None:
    class Broken(ScriptedAsker):
        def incident_brief(self, material: Any, purpose: Any) -> Any:
            if material["incident_id"] == "incident bad":
                raise KeyError("nobody foresaw this")
            return super().incident_brief(material, purpose)

    write(connection, row_of("bad"), row_of("good"))
    with capture_logs() as logs:
        await explainer(database, Broken()).run_once()
    assert [log["fingerprint"] for log in logs if log["event"] == "explanation_broke"] == ["finding bad"]
    assert stored(connection, "good")["explanation"]["source"] == "model"
    assert stored(connection, "bad")["explanation"]["checks"]["failure"] == "an error of the auditor's own"


async def test_a_cap_is_told_once_an_hour_by_its_name(database: str, connection: Connection) -> None:
    write_many(connection, 5)
    with capture_logs() as logs:
        await explainer(database, ScriptedAsker(), caps={"calls_per_hour": 0}).run_once()
    told = [log["cap"] for log in logs if log["event"] == "model_cap_reached"]
    assert told == ["calls_per_hour"]
    assert stored(connection, "00003")["explanation"]["checks"] == {"failure": "cap: calls_per_hour"}


async def test_it_is_woken_by_a_turn_and_goes_on_as_explanations_end(
    database: str, connection: Connection
) -> None:
    asker = ScriptedAsker()
    work = explainer(database, asker, concurrency=1)
    async with beside(work):
        write_many(connection, 4)
        await until(lambda: len(asker.asked) == 4)
    assert asker.most_at_once == 1


class Interrupted(PostgresCalls):
    """Calls of which the first few of one function find no database."""

    def __init__(self, dsn: str, function: str, times: int) -> None:
        super().__init__(dsn)
        self._function = function
        self._left = times

    async def call_once(self, function: str, arguments: Any) -> Any:
        if function != self._function or not self._left:
            return await super().call_once(function, arguments)
        self._left -= 1
        return await PostgresCalls("host=127.0.0.1 port=1 dbname=x").call_once(function, arguments)


def interrupted(dsn: str, asker: ScriptedAsker, function: str, *, settle_seconds: float = 0.01) -> Explainer:
    ledger = Explanations(
        Interrupted(dsn, function, 2), worker="w", patience_seconds=0.01, settle_seconds=settle_seconds
    )
    teller = Teller(ledger, asker, Caps(10, 10**6, 1, 1), deadline_seconds=5)
    return Explainer(
        ledger, teller, Waiting(**WAITING), concurrency=1, vitals=ExplainingVitals(), poll_seconds=0.05
    )


async def test_an_outage_of_the_database_is_waited_out(database: str, connection: Connection) -> None:
    write(connection, row_of())
    asker = ScriptedAsker()
    with capture_logs() as logs:
        async with beside(interrupted(database, asker, "auditor_claim_explanations")) as task:
            await until(lambda: len(asker.asked) == 1)
            assert not task.done()
    assert any(log["event"] == "explaining_paused" for log in logs)


async def test_what_was_paid_for_is_settled_after_an_outage_that_other_calls_give_up_over(
    database: str, connection: Connection
) -> None:
    write(connection, row_of())
    asker = ScriptedAsker()
    assert await interrupted(database, asker, "auditor_settle_call", settle_seconds=30).run_once() == 1
    assert len(asker.asked) == 1
    assert stored(connection)["explanation"]["source"] == "model"


def auditor(dsn: str, work: Explainer, **given: Any) -> Auditor:
    settings = Settings(settle_seconds=0, worker="a", poll_seconds=0.05, **given)
    return Auditor(
        PostgresStore(dsn, worker="a"),
        settings,
        on_turn=work.note_turn,
        beside={"explanations": work.run},
    )


def fill(dsn: str, minutes: int = 240) -> int:
    """Windows up to a few minutes ago with a fault near their end; the last of their minutes."""

    def fault(plan: Any) -> None:
        plan.hit_rate[minutes - 25 :] = 0.2

    first = int(time.time() // 60) - minutes - 1
    store(dsn, rows(windows(minutes, fault=fault, first=first)))
    return first + minutes - 1


async def test_the_ledger_goes_on_while_the_model_hangs_and_the_stop_does_not_wait_for_it(
    database: str, connection: Connection
) -> None:
    last = fill(database)
    asker = ScriptedAsker(hang)
    work = auditor(database, explainer(database, asker))
    running = asyncio.create_task(work.run())
    await until(lambda: len(asker.asked) > 0)
    connection.execute(
        "insert into monitoring.cache_metrics_1min (minute_window, implementation_type, total_operations, hits, misses)"
        " values (monitoring.minute_at(%s), 'answers', 100, 75, 25)",
        (last - 300,),
    )
    late = "select 1 from monitoring.cache_auditor_ledger where minute_window = monitoring.minute_at(%s)"
    await until(lambda: connection.execute(late, (last - 300,)).fetchone() is not None)
    assert not running.done()
    work.stop()
    await asyncio.wait_for(running, 20)
    (call, *_) = calls(connection)
    assert call["status"] == "reserved"


async def test_what_was_under_way_at_a_stop_is_taken_up_by_the_next_and_its_cost_is_counted(
    database: str, connection: Connection
) -> None:
    write(connection, row_of())
    asker = ScriptedAsker(hang)
    # with room for one it looks for no other, so that nothing but that one is under way at the stop
    async with beside(explainer(database, asker, concurrency=1)):
        await until(lambda: len(asker.asked) == 1)
    connection.execute("update monitoring.cache_auditor_model_calls set expires_at = clock_timestamp()")
    assert await explainer(database, ScriptedAsker(), worker="next").run_once() == 1
    ledger = {call["status"]: call for call in calls(connection)}
    assert ledger.keys() == {"lost", "done"}
    assert ledger["lost"]["estimated_cost"] == 0.02
    assert stored(connection)["explanation"]["source"] == "model"


async def test_the_death_of_the_side_task_ends_the_auditor_with_its_error(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("a bug of the task's own")

    monkeypatch.setattr(Explanations, "claim", broken)
    work = auditor(database, explainer(database, ScriptedAsker()))
    with pytest.raises(RuntimeError, match="own"):
        await asyncio.wait_for(work.run(), 20)


def test_the_counters_are_among_the_metrics() -> None:
    vitals = Vitals()
    vitals.explaining.endings.update(["explained", "explained", "capped"])
    vitals.explaining.coalesced = 7
    registry = CollectorRegistry()
    registry.register(_Reader(vitals, None))
    text = generate_latest(registry).decode()
    assert 'cache_auditor_explanations_total{ending="explained"} 2.0' in text
    assert "cache_auditor_incidents_coalesced_total 7.0" in text
