"""For each cause the check that would rule it out: something that an engineer can do in a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

REFUTATIONS: Final[Mapping[str, str]] = {
    "flush": "Check the uptime of the cache process and its log for a flush or restart: if it has run without either since "
    "before the start, it was not a flush.",
    "capacity_cut": "Check the configured capacity or memory limit of the cache and its change history: if it is what it was "
    "before the start, it was not a cut of the capacity.",
    "ttl_cut": "Read the remaining time to live of a few keys that were just set: if it is the old one, it was not the "
    "time to live.",
    "key_change": "Compare keys that miss now with keys from before the start: if they have the same format and version, "
    "it was not a key change.",
    "working_set_growth": "Count the distinct keys that are asked for in ten minutes, now and in the same minutes yesterday: if the "
    "counts are alike, the working set has not grown.",
    "surge_new_keys": "Split the lookups by client and by age of the key: if old keys miss as much as new ones, it was not "
    "the surge.",
    "stampede": "Count the misses for each key within a few seconds: if hardly any key misses more than once, it was not a "
    "stampede.",
    "backend_slow": "Time the backend directly, past the cache: if it answers as fast as ever, it is not the backend.",
    "cache_slow": "Time a lookup of one cached key from the same host: if it is as fast as ever, it is not the cache.",
    "backend_errors": "Read the error rate in the backend's own log: if the backend reports none, the errors arise on "
    "the way to it or in the cache's client.",
    "silence": "Send one request through the cache and look for it in the metrics: if it is counted, the cache and the collector are "
    "alive and there simply was no traffic.",
    "collector_fault": "Compare the collector's counts of one minute with the cache's own counters: if they agree, the windows "
    "were damaged after the collector.",
    "improvement": "Look for a deploy or a change of the traffic at the start: if there was none, see whether a part of the "
    "traffic is missing.",
    "unknown": "Compare this cache with others that share its backend and its hosts: if they moved too, look for the cause "
    "in what they share.",
}
