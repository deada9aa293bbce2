"""What a cache imports to report its operations; the standard library only, until the first batch is sent."""

from auditor.collector.core import Collector
from auditor.collector.instrument import InstrumentedCache, instrument
from auditor.collector.process import (
    get_collector,
    record_cache_error,
    record_cache_evict,
    record_cache_hit,
    record_cache_miss,
    record_cache_set,
    start_collector,
    stop_collector,
)
from auditor.collector.refusal import BatchRefused
from auditor.collector.sender import Sender
from auditor.collector.sinks import DsnSink, HttpSink
from auditor.collector.spool import Spool
from auditor.collector.stats import CollectorStats
from auditor.collector.timing import measure, timed

__all__ = [
    "BatchRefused",
    "Collector",
    "CollectorStats",
    "DsnSink",
    "HttpSink",
    "InstrumentedCache",
    "Sender",
    "Spool",
    "get_collector",
    "instrument",
    "measure",
    "record_cache_error",
    "record_cache_evict",
    "record_cache_hit",
    "record_cache_miss",
    "record_cache_set",
    "start_collector",
    "stop_collector",
    "timed",
]
