"""What to do about each cause: a first check, then a second step; what would refute it comes from the diagnosis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Steps(NamedTuple):
    """Two steps, each one whole sentence."""

    first: str
    then: str


STEPS: Final[Mapping[str, Steps]] = {
    "flush": Steps(
        "Look for a restart, a failover or a flush command at the start (on Redis: `redis-cli INFO server` for the uptime, "
        "`redis-cli INFO commandstats` for flushes).",
        "Let the cache refill; if the backend suffers meanwhile, limit concurrent misses or warm the most used keys.",
    ),
    "capacity_cut": Steps(
        "Compare the configured capacity with what it was before the start (on Redis: `redis-cli CONFIG GET maxmemory`).",
        "Restore the capacity, or find what else took the memory.",
    ),
    "ttl_cut": Steps(
        "Read the time to live that a new entry gets (on Redis: `redis-cli TTL` with a key that was just set).",
        "Restore the old time to live, or roll back the change that set the new one.",
    ),
    "key_change": Steps(
        "Diff how keys are built in the release that went out at the start: prefix, version, order of parameters, time stamps or "
        "random parts in the key.",
        "Roll that release back, or make the keys stable again; entries under the old keys are still there until they expire or are evicted.",
    ),
    "working_set_growth": Steps(
        "Find which keys are new: sample the misses and group them by prefix, client or tenant.",
        "If the growth is wanted, raise the capacity; if not, keep the new keys out of this cache.",
    ),
    "surge_new_keys": Steps(
        "Group the lookups since the start by client, route or tenant, and find the one that brings the surplus.",
        "Limit that client's rate or let it pass by the cache; if it is wanted load, raise the capacity.",
    ),
    "stampede": Steps(
        "List the keys with the most misses since the start; look for one popular key that expired.",
        "Let only one request at a time load a missing key, and spread expiry times with some jitter.",
    ),
    "backend_slow": Steps(
        "Look at the backend's own latency, its saturation and its slow queries since the start.",
        "If it does not recover, serve stale entries or lengthen the time to live until it does.",
    ),
    "cache_slow": Steps(
        "Look at the cache server's load and network since the start (on Redis: `redis-cli --latency` and `redis-cli SLOWLOG GET`).",
        "Look for large values, slow commands or a noisy neighbour on its host, and move or restart it if need be.",
    ),
    "backend_errors": Steps(
        "Read the errors in the backend's log since the start, the most frequent message first.",
        "Serve stale entries where you can and keep error replies out of the cache until it recovers.",
    ),
    "silence": Steps(
        "Check that the application and its collector are running and can reach the database.",
        "Restart the collector if it is stuck; if the application is down, treat this as an outage.",
    ),
    "collector_fault": Steps(
        "Look for a new version or a second copy of the collector that writes under the same cache name.",
        "Mend or roll back the collector; findings about these windows would mean nothing, so none are made.",
    ),
    "improvement": Steps(
        "Note what was changed at the start, so that it can be kept.",
        "If nothing was changed, see whether part of the traffic has gone missing.",
    ),
    "unknown": Steps(
        "Compare the start with the log of deploys and changes, of this service and of what it depends on.",
        "Look at the raw operations of the first minutes for a client, a route or a kind of key that stands out.",
    ),
}

TRAFFIC: Final = Steps(
    "Ask whether the traffic was expected to change: a campaign, a batch job, a client that went away, a routing change.",
    "If the cache keeps its hit rate and its speed, nothing in the cache has to be done.",
)
"""Where only the traffic moved, which has no cause in the cache."""

LEARNED: Final = Steps(
    "Decide whether the new normal is wanted: compare it with the time of the last agreed change.",
    "If it is not wanted, treat it as a slow decay and look for what has crept in since.",
)
"""Where what is normal has moved."""
