"""Whatever a model's server does, the incident keeps a readable explanation with the reason, and the caps and the auditor stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from auditor.database.calls import PostgresCalls
from auditor.database.explanations import Caps, Explanations, Waiting
from auditor.model.client import ModelClient
from auditor.model.failure import RETRIED, Reason
from auditor.service.explaining import Explainer
from auditor.service.model_asker import ModelAsker
from auditor.service.teller import Teller
from auditor.service.vitals import ExplainingVitals
from auditor.settings import Settings
from tests.database.incidents import WAITING, calls, row_of, stored, write, write_many
from tests.model import plays
from tests.model.asking import options
from tests.model.server import model_server
from tests.model.test_misbehaviour import FINAL, PASSING

if TYPE_CHECKING:
    from tests.model.server import ModelServer, Play

Connection = psycopg.Connection[Any]
DEADLINE = 3.0
SLOW: dict[str, tuple[Play, Reason]] = {
    "hangs": (plays.hangs, Reason.TIMEOUT),
    "hangs amid its answer": (plays.hangs_amid, Reason.TIMEOUT),
    "drips": (plays.drips(0.5), Reason.TIMEOUT),
}
ALL = FINAL | PASSING | SLOW
PAID = {"an error amid an answer that was billed"}
"""Calls that cost money although they failed: they are not made again by themselves."""


async def explain(dsn: str, server: ModelServer, caps: Caps | None = None) -> ExplainingVitals:
    """Have all that waits explained by that server."""
    settings = Settings(openai_base_url=server.url, model="told-model", model_deadline_seconds=DEADLINE)
    vitals = ExplainingVitals()
    async with ModelClient(options(server.url)) as client:
        database = Explanations(PostgresCalls(dsn), worker="w", patience_seconds=2)
        teller = Teller(
            database,
            ModelAsker(settings, client),
            caps or Caps(100, 10**9, 100.0, 100.0),
            deadline_seconds=DEADLINE,
        )
        await Explainer(database, teller, Waiting(**WAITING), concurrency=2, vitals=vitals).run_once()
    return vitals


@pytest.mark.parametrize("name", ALL)
async def test_the_incident_keeps_its_text_with_the_reason_where_the_server(
    database: str, connection: Connection, name: str
) -> None:
    play, reason = ALL[name]
    row = row_of()
    write(connection, row)
    with model_server(rest=play) as server:
        vitals = await explain(database, server)
    found = stored(connection)
    assert {key: found[key] for key in ("title", "description", "recommendation", "severity", "status")} == {
        key: row[key] for key in ("title", "description", "recommendation", "severity", "status")
    }
    assert found["explanation"]["checks"]["failure"] == reason.value
    (call,) = calls(connection)
    later = reason in RETRIED and name not in PAID
    assert call["status"] == ("refused" if later else "failed")
    assert (call["retry_at"] is not None) == later
    assert vitals.endings == {"put_off" if later else "failed": 1}


async def test_a_budget_is_kept_although_every_answer_is_malformed_and_asked_for_again(
    database: str, connection: Connection
) -> None:
    write_many(connection, 5)
    with model_server(rest=plays.says("no JSON at all")) as server:
        await explain(database, server, Caps(3, 10**9, 100.0, 100.0))
        assert len(server.asked) == 3
    spent = connection.execute(
        "select sum(requests), count(*) from monitoring.cache_auditor_model_calls where status = 'failed'"
    ).fetchone()
    assert spent == (3, 2)


async def test_money_is_capped_by_what_the_answers_really_cost(database: str, connection: Connection) -> None:
    write_many(connection, 5)
    with model_server() as server:
        await explain(database, server, Caps(100, 10**9, 0.02, 100.0))
    paid = connection.execute("select sum(cost) from monitoring.cache_auditor_model_calls").fetchone()
    assert paid is not None
    assert 0 < paid[0] <= 0.02
    assert any(call["reason"] == "cap: cost_per_day" for call in calls(connection))
