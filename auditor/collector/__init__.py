"""What a cache imports to report its operations; the standard library only."""

from auditor.collector.core import Collector, CollectorStats

__all__ = ["Collector", "CollectorStats"]
