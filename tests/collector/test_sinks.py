"""The sinks: what they send, which answers keep a batch and which give it up, and that they tell no secret."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from auditor.collector import BatchRefused, Collector, DsnSink, HttpSink
from auditor.collector.refusal import Undelivered
from auditor.collector.sinks import sink_from_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.collector.backends import Backend

JWT = "eyJhbGciOiJIUzI1NiJ9.c2VjcmV0.c2lnbmF0dXJl"
SECRET = "sb_secret_0123456789abcdef"


@pytest.fixture
def sink(backend: Backend) -> Iterator[HttpSink]:
    opened = HttpSink(f"{backend.url}/functions/v1/cache-metrics-aggregator", JWT, deadline=2)
    yield opened
    opened.close()


def recorded(sink: Any, count: int = 10, **options: Any) -> Collector:
    collector = Collector(sink, batch_size=1000, **options)
    for i in range(count):
        collector.record_hit(str(i), "answers", 0.0625)
    return collector


def clear_of_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_SECRET_KEY", "AUDITOR_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("SUPABASE_DB_URL", "CACHE_METRICS_SINK"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("chosen", "path"),
    [("", "/functions/v1/cache-metrics-aggregator"), ("rest", "/rest/v1/rpc/ingest_cache_metrics")],
)
@pytest.mark.parametrize("key", [JWT, SECRET])
def test_the_environment_chooses_the_address_and_an_sb_key_is_no_bearer(
    monkeypatch: pytest.MonkeyPatch, backend: Backend, chosen: str, path: str, key: str
) -> None:
    clear_of_backends(monkeypatch)
    monkeypatch.setenv("SUPABASE_URL", backend.url + "/")
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", key)
    monkeypatch.setenv("CACHE_METRICS_SINK", chosen)
    sink = sink_from_environment()
    assert isinstance(sink, HttpSink)
    assert recorded(sink).flush()
    sink.close()
    [(asked, sent, count)] = backend.requests
    headers = {name.lower(): value for name, value in sent.items()}
    assert (asked, count) == (path, 10)
    assert headers["apikey"] == key
    assert headers.get("authorization") == (f"Bearer {JWT}" if key == JWT else None)
    assert headers.get("content-profile") == ("monitoring" if chosen == "rest" else None)
    assert {event["response_time_ms"] for event in backend.store.stored.values()} == {0.0625}


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"CACHE_METRICS_SINK": "edge"}, "SUPABASE_URL"),
        ({"CACHE_METRICS_SINK": "dsn"}, "AUDITOR_DATABASE_URL"),
        ({"CACHE_METRICS_SINK": "carrier pigeon"}, "edge, rest, dsn"),
        ({"SUPABASE_URL": "example.org", "SUPABASE_SERVICE_ROLE_KEY": SECRET}, "http"),
    ],
)
def test_a_half_made_configuration_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    clear_of_backends(monkeypatch)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        sink_from_environment()
    assert SECRET not in str(caught.value)


def test_no_configuration_is_no_sink(monkeypatch: pytest.MonkeyPatch) -> None:
    clear_of_backends(monkeypatch)
    assert sink_from_environment() is None


@pytest.mark.parametrize("status", [401, 403, 404, 408, 409, 429, 500, 502, 503, 504, 302])
def test_an_answer_about_the_backend_keeps_the_batch(backend: Backend, sink: HttpSink, status: int) -> None:
    backend.plan = [status]
    collector = recorded(sink)
    assert not collector.flush()
    assert collector.stats().waiting == 10
    assert f"HTTP {status}" in (collector.stats().last_error or "")
    assert collector.flush()
    assert backend.store.keys == [str(i) for i in range(10)]


@pytest.mark.parametrize("status", [400, 415, 422])
def test_a_batch_that_is_refused_for_good_is_counted_and_holds_up_nothing(
    backend: Backend, sink: HttpSink, status: int
) -> None:
    backend.plan = [status]
    collector = recorded(sink)
    assert collector.flush()
    collector.record_hit("next", "answers", 1.0)
    assert collector.flush()
    stats = collector.stats()
    assert (stats.sent, stats.rejected, stats.waiting) == (11, 10, 0)
    assert backend.store.keys == ["next"]


@pytest.mark.parametrize("fault", ["drop", "drop after"])
def test_a_connection_that_is_dropped_before_or_after_storing_stores_once(
    backend: Backend, sink: HttpSink, fault: str
) -> None:
    backend.plan = [fault, fault]
    collector = recorded(sink)
    assert not collector.flush()
    assert not collector.flush()
    assert collector.flush()
    assert backend.store.keys == [str(i) for i in range(10)]


def test_a_batch_that_is_too_large_goes_in_parts(backend: Backend, sink: HttpSink) -> None:
    backend.largest = 20_000
    collector = recorded(sink, 1000)
    assert collector.flush()
    assert len(backend.store.stored) == 1000
    assert collector.stats().rejected == 0
    backend.largest = 100
    collector.record_hit("alone too large", "answers", 1.0)
    assert collector.flush()
    assert collector.stats().rejected == 1


def test_a_backend_that_hangs_is_given_up_at_the_deadline(backend: Backend) -> None:
    backend.plan = ["hang"]
    sink = HttpSink(backend.url, JWT, deadline=0.2)
    collector = recorded(sink)
    assert not collector.flush()
    assert "ReadTimeout" in (collector.stats().last_error or "")
    sink.close()


@pytest.mark.parametrize("start", [b"", b"Content-Length: 4000\r\n\r\n"], ids=["headers", "body"])
def test_a_backend_that_drips_is_given_up_at_the_deadline(start: bytes) -> None:
    """Each read is answered in time, and the answer is complete and good in the end."""
    drops = (
        [b"X-A: b\r\n"] * 200 + [b"Content-Length: 2\r\n\r\n{}"] if not start else [b" " * 20] * 199 + [b"{}"]
    )
    dripped: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            connection = listening.accept()[0]
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\n" + start)
                for drop in drops:
                    connection.sendall(drop)
                    dripped.append(drop)
                    time.sleep(0.02)

        thread = threading.Thread(target=drip)
        thread.start()
        sink = HttpSink(f"http://127.0.0.1:{listening.getsockname()[1]}", JWT, deadline=0.4)
        with pytest.raises(Undelivered):
            sink([{"id": "1"}])
        thread.join()
        assert len(dripped) < len(drops), "the connection was cut off before the end"
        sink.close()


def test_no_secret_is_told_even_if_the_backend_repeats_it(backend: Backend, sink: HttpSink) -> None:
    for status, kind in ((500, Undelivered), (400, BatchRefused)):
        backend.plan = [status]
        with pytest.raises(kind) as caught:
            sink([{"id": "1"}])
        assert JWT not in str(caught.value)
        assert "***" in str(caught.value)


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://me:hush-hush@127.0.0.1:1/db",
        "postgresql://me:hush-hush@127.0.0.1:not-a-port/db",
        "host=127.0.0.1 port=1 password=hush-hush",
        "host=127.0.0.1 password='hush-hush",
    ],
)
def test_no_password_is_told_and_none_names_the_destination(dsn: str) -> None:
    sink = DsnSink(dsn, deadline=2)
    with pytest.raises(Undelivered) as caught:
        sink([])
    assert "hush" not in str(caught.value)
    if dsn.count("'") != 1:
        assert "hush" not in sink.destination


def test_events_go_into_the_database_of_a_connection_string(database: str) -> None:
    sink = DsnSink(database)
    collector = recorded(sink)
    collector.record_hit("negative", "answers", -1.0)
    assert collector.flush()
    sink.close()
    assert (collector.stats().sent, collector.stats().rejected) == (11, 1)
    with psycopg.connect(database) as connection:
        found = connection.execute("select count(*), min(response_time_ms) from monitoring.cache_metrics")
        assert found.fetchone() == (10, 0.0625)


def test_a_database_connection_that_was_cut_is_made_anew(database: str) -> None:
    sink = DsnSink(database)
    assert recorded(sink).flush()
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'cache-auditor-collector' and datname = current_database()"
        )
    collector = recorded(sink)
    assert not collector.flush()
    assert collector.flush()
    sink.close()
    with psycopg.connect(database) as connection:
        assert connection.execute("select count(*) from monitoring.cache_metrics").fetchone() == (20,)


def test_a_database_that_hangs_in_a_call_is_cut_off_at_the_deadline(database: str) -> None:
    sink = DsnSink(database, deadline=0.5)
    assert recorded(sink).flush()
    with psycopg.connect(database) as connection:
        connection.execute("lock table monitoring.cache_metrics in access exclusive mode")
        started = time.monotonic()
        collector = recorded(sink)
        assert not collector.flush()
        assert time.monotonic() - started < 20
    assert collector.flush()
    sink.close()


def test_a_server_that_accepts_and_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        held: list[socket.socket] = []
        thread = threading.Thread(target=lambda: held.append(listening.accept()[0]))
        thread.start()
        sink = DsnSink(f"postgresql://me:hush@127.0.0.1:{port}/db", deadline=1)
        with pytest.raises(Undelivered):
            sink([])
        thread.join()
        held[0].close()
