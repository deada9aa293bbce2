"""The service's own signs of life: what it judged, what woke it, and Realtime's health, as counters and as Prometheus metrics."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from auditor.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.core import Metric

    from auditor.database.realtime_health import RealtimeHealth
    from auditor.service.turn import TurnSummary

PREFIX: Final = "cache_auditor"


@dataclass(slots=True)
class ExplainingVitals:
    """Counters of explanations since the start; those of the model itself are `ModelHealth`.

    Parameters
    ----------
    endings
        Explanations by how they ended (`Ending`).
    coalesced
        Incidents that another's explanation tells of.
    """

    endings: Counter[str] = field(default_factory=Counter)
    coalesced: int = 0


@dataclass(slots=True)
class Vitals:
    """Counters since the start; `last_turn_at` is in seconds since 1970, None before the first.

    Parameters
    ----------
    turns, windows, late, observations
        Turns taken, windows judged, late windows judged beside their first verdict, and rows of observations written.
    outages
        Turns that the database's absence undid.
    announced, unannounced
        Turns that found something to judge, by whether a hint had come since the one before: many that none announced
        mean that hints are lost and the poll alone works.
    explaining
        Counters of explanations.
    """

    turns: int = 0
    windows: int = 0
    late: int = 0
    observations: int = 0
    outages: int = 0
    announced: int = 0
    unannounced: int = 0
    last_turn_at: float | None = None
    explaining: ExplainingVitals = field(default_factory=ExplainingVitals)
    _hinted: bool = False

    def note_hint(self, *, anew: bool) -> None:
        """Count a hint; one that only tells of a new connection announces nothing."""
        self._hinted = self._hinted or not anew

    def note_turn(self, summary: TurnSummary, at: float, *, hinted: bool) -> None:
        """Count a turn that ended at `at`; `hinted` says whether there is a source of hints at all."""
        self.turns += 1
        self.last_turn_at = at
        self.windows += summary.windows
        self.late += summary.late
        self.observations += len(summary.observations)
        if not (summary.present or summary.late) or not hinted:
            return
        self.announced += self._hinted
        self.unannounced += not self._hinted
        self._hinted = False


class _Reader(Collector):
    """Reads the counters whenever Prometheus asks, so that nothing is kept twice."""

    def __init__(self, vitals: Vitals, realtime: RealtimeHealth | None) -> None:
        self._vitals = vitals
        self._realtime = realtime

    def collect(self) -> Iterator[Metric]:
        vitals, realtime = self._vitals, self._realtime
        yield _counter("turns", "Turns taken.", vitals.turns)
        yield _counter("windows_audited", "Windows judged.", vitals.windows)
        yield _counter(
            "late_windows_audited", "Late or revised windows judged beside their first verdict.", vitals.late
        )
        yield _counter("observations_written", "Rows of observations written.", vitals.observations)
        yield _counter("database_outages", "Turns that the database's absence undid.", vitals.outages)
        yield _counter(
            "turns_announced", "Turns with something to judge that a hint had announced.", vitals.announced
        )
        yield _counter(
            "turns_unannounced",
            "Turns with something to judge that no hint had announced.",
            vitals.unannounced,
        )
        yield _gauge("last_turn_timestamp_seconds", "When the last turn ended.", vitals.last_turn_at)
        yield from _explaining(vitals.explaining)
        if realtime is None:
            return
        yield _gauge("realtime_live", "Whether Realtime's own canary comes back.", float(realtime.live))
        yield _gauge(
            "realtime_changes_live",
            "Whether the table's changes are subscribed to.",
            float(realtime.changes_live),
        )
        yield _gauge(
            "realtime_last_hint_timestamp_seconds", "When the last hint came.", realtime.last_hint_at
        )
        yield _gauge(
            "realtime_last_canary_timestamp_seconds", "When the last canary came.", realtime.last_canary_at
        )
        yield _counter("realtime_hints", "Hints that came over Realtime.", realtime.hints)
        yield _counter("realtime_rebuilds", "Realtime sessions given up and built anew.", realtime.rebuilds)


def _explaining(vitals: ExplainingVitals) -> Iterator[Metric]:
    endings = CounterMetricFamily(
        f"{PREFIX}_explanations", "Explanations by how they ended.", labels=["ending"]
    )
    for ending, count in sorted(vitals.endings.items()):
        endings.add_metric([ending], count)
    yield endings
    yield _counter("incidents_coalesced", "Incidents that another's explanation tells of.", vitals.coalesced)


def serve_metrics(
    vitals: Vitals, realtime: RealtimeHealth | None, port: int, *others: Collector
) -> tuple[int, Callable[[], None]]:
    """Serve the metrics, and those of other collectors, on a port of every interface (0 takes a free one).

    Answers the port, and what stops serving.

    Raises
    ------
    BadInput
        If the port is taken.
    """
    registry = CollectorRegistry()
    for collector in (_Reader(vitals, realtime), *others):
        registry.register(collector)
    try:
        server, thread = start_http_server(port, registry=registry)
    except OSError as error:
        raise BadInput(f"AUDITOR_METRICS_PORT {port} cannot be used: {error.strerror or error}.") from None

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return server.server_port, stop


def _counter(name: str, told: str, value: float) -> Metric:
    return CounterMetricFamily(f"{PREFIX}_{name}", told, value=value)


def _gauge(name: str, told: str, value: float | None) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}_{name}", told, value=float("nan") if value is None else value)
