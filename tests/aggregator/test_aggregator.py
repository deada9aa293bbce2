"""The aggregator in real Deno, through the real supabase-js, into the real database."""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest

from auditor.collector import Collector, HttpSink
from tests.aggregator.conftest import FUNCTION, deno_environment, serving
from tests.database.windows import asked
from tests.servers.discovery import DENO, SUPABASE_JS
from tests.supabase.standing import running_supabase

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.aggregator.conftest import Aggregator


def event(**given: Any) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()), "cache_key": "k", "operation_type": "hit", "implementation_type": "new",
        "response_time_ms": 0.125, "timestamp": datetime.now(UTC).isoformat(),
    } | given  # fmt: skip


def counted(dsn: str) -> int:
    rows = asked(dsn, "select coalesce(sum(total_operations), 0) from monitoring.cache_metrics_1min")
    return int(rows[0][0])


def test_it_is_well_typed(workshop: Path) -> None:
    checked = subprocess.run(
        [DENO, "check", "--node-modules-dir=manual", "index.ts"],
        cwd=workshop, env=deno_environment(workshop), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr


def test_it_runs_in_the_tests_with_the_supabase_js_that_is_deployed() -> None:
    deployed = json.loads((FUNCTION / "deno.json").read_text())["imports"]["@supabase/supabase-js"]
    installed = json.loads((SUPABASE_JS / "package.json").read_text())["version"]
    assert deployed == f"npm:@supabase/supabase-js@{installed}"


def test_the_same_batch_sent_three_times_counts_once(aggregator: Aggregator) -> None:
    batch = {"metrics": [event(operation_type=kind) for kind in ("hit", "miss", "set", "evict", "error")]}
    answers = [aggregator.post(batch).json() for _ in range(3)]
    assert answers[0] == {
        "success": True, "metrics_stored": 5, "duplicates": 0, "rejected": [], "windows": 1,
    }  # fmt: skip
    assert [(answer["metrics_stored"], answer["duplicates"]) for answer in answers[1:]] == [(0, 5), (0, 5)]
    assert counted(aggregator.project.dsn) == 5


def test_the_original_body_without_ids_or_timestamps_is_taken(aggregator: Aggregator) -> None:
    plain = {
        "cache_key": "k", "operation_type": "miss", "implementation_type": "legacy", "response_time_ms": 812.5,
    }  # fmt: skip
    answer = aggregator.post({"metrics": [plain, plain]})
    assert (answer.status_code, answer.json()["metrics_stored"]) == (200, 2)
    keyed = httpx.Headers({"apikey": aggregator.project.service_key, "idempotency-key": "batch-7"})
    twice = [
        httpx.post(aggregator.url, json={"metrics": [plain, plain]}, headers=keyed).json() for _ in range(2)
    ]
    assert [answer["metrics_stored"] for answer in twice] == [2, 0]
    assert counted(aggregator.project.dsn) == 4


def test_the_collector_reports_through_it_and_a_batch_that_is_too_large_goes_in_parts(
    aggregator: Aggregator,
) -> None:
    project = aggregator.project
    sink = HttpSink(f"{aggregator.url}functions/v1/cache-metrics-aggregator", project.service_key)
    collector = Collector(sink, batch_size=3000, max_events=3000, when_full=lambda: None)
    for number in range(3010):
        collector.record_hit(f"{number}:{'k' * 600}", "answers", 0.0625, 7)
    assert collector.flush()
    sink.close()
    assert (collector.stats().sent, collector.stats().rejected, collector.stats().dropped) == (3000, 0, 10)
    rows = asked(
        project.dsn,
        "select sum(hits)::int, min(min_response_time_ms), sum((metadata #>> '{collector,dropped}')::int)::int"
        " from monitoring.cache_metrics_1min",
    )
    assert rows == [(3000, 0.0625, 10)]


def test_late_events_land_in_their_own_minute(aggregator: Aggregator) -> None:
    late = datetime.now(UTC).replace(second=30, microsecond=0) - timedelta(hours=3)
    assert aggregator.post({"metrics": [event(timestamp=late.isoformat()), event()]}).json()["windows"] == 2
    rows = asked(aggregator.project.dsn, "select minute_window from monitoring.cache_metrics_1min order by 1")
    assert rows[0] == (late.replace(second=0),)
    assert len(rows) == 2


def test_some_rejected_are_named_and_all_rejected_refuse(aggregator: Aggregator) -> None:
    bad = event(operation_type="peek")
    some = aggregator.post({"metrics": [event(), bad]})
    assert some.status_code == 200
    assert [(one["index"], one["id"]) for one in some.json()["rejected"]] == [(1, bad["id"])]
    every = aggregator.post({"metrics": [bad, "text"]})
    assert every.status_code == 422
    assert every.json()["success"] is False
    assert "operation_type must be" in every.json()["error"]
    assert len(every.json()["rejected"]) == 2


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"", 400, "not JSON"),
        (b'{"metrics": [', 400, "not JSON"),
        (b"\xff\xfe{}", 400, "not UTF-8"),
        (b"[]", 422, "has to be"),
        (b"null", 422, "has to be"),
        (b'{"metrics": {}}', 422, "has to be"),
        (b'{"metrics": "x"}', 422, "has to be"),
        (b'{"metrics": [' + b"1," * 10_000 + b"1]}", 413, "10000 events"),
        (b'{"metrics": ["' + b"x" * 5_000_000 + b'"]}', 413, "larger than 1048576 bytes"),
    ],
)
def test_what_cannot_be_read_is_refused_cleanly(
    aggregator: Aggregator, body: bytes, status: int, said: str
) -> None:
    def pieces() -> Iterator[bytes]:
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    headers = {"apikey": aggregator.project.service_key}
    for content in (body, pieces()):  # with its length told, and in chunks without
        answer = httpx.post(aggregator.url, content=content, headers=headers, timeout=30)
        assert answer.status_code == status
        assert said in answer.json()["error"]
        assert answer.json()["success"] is False
    assert counted(aggregator.project.dsn) == 0
    assert aggregator.post({"metrics": []}).status_code == 200


def test_only_the_projects_secret_keys_are_let_in(
    aggregator: Aggregator, workshop: Path, tmp_path: Path
) -> None:
    project = aggregator.project
    body = {"metrics": [event()]}
    for key in (project.anon_key, project.secret_key, "nonsense", project.service_key[:-1]):
        answer = aggregator.post(body, key=key)
        assert answer.status_code == 401
        assert key not in answer.text
    assert httpx.post(aggregator.url, json=body).status_code == 401
    secrets = {"SUPABASE_SECRET_KEYS": json.dumps({"default": project.secret_key, "other": "sb_secret_old"})}
    switched_off = {"SUPABASE_SERVICE_ROLE_KEY": project.service_key[:-4] + "AAAA"}
    with serving(workshop, project, tmp_path / "newer", **secrets, **switched_off) as newer:
        for headers in ({"apikey": project.secret_key}, {"authorization": f"Bearer {project.secret_key}"}):
            assert httpx.post(newer.url, json=body, headers=headers).status_code == 200
        assert newer.post(body, key=project.keys.publishable_key).status_code == 401
    with serving(workshop, project, tmp_path / "keyless", SUPABASE_SERVICE_ROLE_KEY="") as keyless:
        assert keyless.post(body, key="undefined").status_code == 401


def test_other_methods_are_refused(aggregator: Aggregator) -> None:
    assert httpx.get(aggregator.url).status_code == 405
    assert httpx.options(aggregator.url).status_code == 204


def test_an_unreachable_database_is_a_503_that_asks_to_come_again(aggregator: Aggregator) -> None:
    body = {"metrics": [event()]}
    aggregator.project.rest.faults.answers = [(503, {"code": "PGRST001", "message": "no connection"})]
    away = aggregator.post(body)
    assert (away.status_code, away.headers["retry-after"]) == (503, "5")
    assert "PGRST001" in away.json()["error"]
    aggregator.project.rest.faults.lost = 1  # stored, and the answer never came
    assert aggregator.post(body).status_code == 503
    assert aggregator.post(body).json()["duplicates"] == 1
    aggregator.project.stop()
    assert aggregator.post(body).status_code == 503
    aggregator.project.start()
    assert aggregator.post(body).status_code == 200
    assert aggregator.project.service_key not in aggregator.log.read_text()


def test_an_unexposed_schema_is_named(workshop: Path, database: str, tmp_path: Path) -> None:
    with (
        running_supabase(database, exposed=("public",)) as project,
        serving(workshop, project, tmp_path / "log") as aggregator,
    ):
        answer = aggregator.post({"metrics": [event()]})
        assert answer.status_code == 503
        assert "add monitoring to the project's exposed schemas" in answer.json()["error"]


def test_a_stored_batch_raises_a_hint(aggregator: Aggregator) -> None:
    with psycopg.connect(aggregator.project.dsn, autocommit=True) as connection:
        connection.execute("listen cache_metrics")
        aggregator.post({"metrics": [event()]})
        notices = list(connection.notifies(timeout=10, stop_after=1))
    assert abs(json.loads(notices[0].payload)["minutes"][0] - time.time() // 60) <= 1
