"""What the database's answer to `auditor_examine` says of each link; pure, so that each is judged on its own."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OLDEST_WINDOW: Final = timedelta(minutes=10)
RETIRED_AFTER: Final = timedelta(days=1)
LONGEST_LAG: Final = timedelta(minutes=5)
PUBLISHED: Final = ("cache_auditor_observations", "cache_metrics_1min")
NAMES_SHOWN: Final = 5


class Status(StrEnum):
    """How a check ended."""

    PASS = "pass"  # noqa: S105 - the outcome of a check, not a password
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Check:
    """One line: what was looked at, how it ended, what was seen, and for a failure what mends it."""

    name: str
    status: Status
    said: str
    mend: str = ""


def passed(name: str, said: str) -> Check:
    """A link that holds."""
    return Check(name, Status.PASS, said)


def failed(name: str, said: str, mend: str) -> Check:
    """A link that does not."""
    return Check(name, Status.FAIL, said, mend)


def skipped(name: str, said: str) -> Check:
    """A link that was not looked at, and why."""
    return Check(name, Status.SKIP, said)


def schema_version(found: str, expected: str) -> Check:
    """Whether the database's schema is this auditor's."""
    if found == expected:
        return passed("schema", f"version {found}")
    older = found < expected
    return failed(
        "schema",
        f"version {found}, and this auditor brings {expected}",
        "run auditor migrate (with SUPABASE_DB_URL on a Supabase project), or supabase db push"
        if older
        else "run a newer auditor, for the schema is newer than this one",
    )


def grants(denied: Sequence[Mapping[str, str]], open_to: Sequence[str], role: str) -> Check:
    """Whether the caller may do everything and the public nothing."""
    if denied:
        told = _some([f"{right['right']} on {right['what']}" for right in denied])
        return failed(
            "grants",
            f"{role} lacks {told}",
            f"run auditor migrate, or as the owner: grant all on all tables in schema monitoring to {role}; "
            f"grant execute on all functions in schema monitoring to {role};",
        )
    if open_to:
        named = ", ".join(open_to)
        return failed(
            "grants",
            f"{named} may enter the schema, which has no row level security",
            f"as the owner: revoke all on schema monitoring from public, {named};",
        )
    return passed("grants", f"{role} may do everything, anon nothing")


def publication(published: Sequence[str], *, publishes_all: bool) -> Check:
    """Whether Realtime carries the windows and the observations and nothing else of the schema."""
    if publishes_all:
        return failed(
            "publication",
            "supabase_realtime carries all tables, raw events among them",
            "drop publication supabase_realtime; create it anew, run auditor migrate, and add your own tables one by one",
        )
    missing = [table for table in PUBLISHED if table not in published]
    if missing:
        tables = ", ".join(f"monitoring.{table}" for table in missing)
        return failed(
            "publication",
            f"supabase_realtime does not carry {', '.join(missing)}",
            f"run auditor migrate, or as the owner: alter publication supabase_realtime add table {tables};",
        )
    beyond = [table for table in published if table not in PUBLISHED]
    if beyond:
        tables = ", ".join(f"monitoring.{table}" for table in beyond)
        return failed(
            "publication",
            f"supabase_realtime carries {', '.join(beyond)} too",
            f"as the owner: alter publication supabase_realtime drop table {tables};",
        )
    return passed("publication", "supabase_realtime carries the windows and the observations")


def of_caches(caches: Sequence[Mapping[str, Any]], now: datetime, settle_seconds: float) -> list[Check]:
    """Freshness, baselines, lag and coverage of the caches that reported within a day."""
    live = [cache for cache in caches if _age(cache["newest_window"], now) < RETIRED_AFTER]
    names = ("collector", "baseline", "lag", "coverage")
    if not live:
        seen = {
            0: "no cache has ever reported",
            1: "the only cache has not reported for a day",
        }.get(len(caches), f"none of the {len(caches)} caches has reported for a day")
        none = failed(
            names[0],
            seen,
            "start the collector in the program that uses the cache, and look at its get_stats()",
        )
        return [none, *(skipped(name, "there is no live cache") for name in names[1:])]
    return [
        _collector(live, len(caches) - len(live), now),
        _baselines(live),
        _lag(live, now, settle_seconds),
        _coverage(live),
    ]


def _collector(live: Sequence[Mapping[str, Any]], retired: int, now: datetime) -> Check:
    ages = {cache["implementation_type"]: _age(cache["newest_window"], now) for cache in live}
    stale = [f"{name} ({_minutes(age)})" for name, age in ages.items() if age > OLDEST_WINDOW]
    if stale:
        return failed(
            "collector",
            f"no window lately of {_some(stale)}",
            "see that the program that uses the cache runs and its collector is started: get_collector().get_stats() tells "
            "its last_error",
        )
    beside = f"; {retired} more have been silent for over a day" if retired else ""
    return passed(
        "collector", f"{_caches(len(live))} with a window of the last {_minutes(max(ages.values()))}{beside}"
    )


def _baselines(live: Sequence[Mapping[str, Any]]) -> Check:
    without = [cache["implementation_type"] for cache in live if not cache["has_baseline"]]
    if without:
        return failed(
            "baseline",
            f"none yet of {_some(without)}",
            "let auditor run learn it, or learn it from history now (with SUPABASE_DB_URL on a Supabase project): auditor baseline "
            f"learn {shlex.quote(without[0])}, then auditor baseline activate with the id that it prints",
        )
    return passed(
        "baseline", "the only cache has one" if len(live) == 1 else f"every one of {len(live)} caches has one"
    )


def _lag(live: Sequence[Mapping[str, Any]], now: datetime, settle_seconds: float) -> Check:
    settled = now - timedelta(seconds=settle_seconds + 60)
    never = [cache["implementation_type"] for cache in live if cache["audited_to"] is None]
    lags = {
        cache["implementation_type"]: settled - _at(cache["audited_to"])
        for cache in live
        if cache["audited_to"] is not None
    }
    behind = [f"{name} ({_minutes(lag)})" for name, lag in lags.items() if lag > LONGEST_LAG]
    if never or behind:
        told = [f"{name} (never audited)" for name in never] + behind
        return failed(
            "lag",
            f"the audit is behind on {_some(told)}",
            "see that auditor run runs with these settings, and that its log tells no database_lost",
        )
    longest = max(lags.values())
    short_of = "" if longest < timedelta(minutes=1) else f"{_minutes(longest)} before "
    return passed("lag", f"audited up to {short_of}the last settled minute")


def _coverage(live: Sequence[Mapping[str, Any]]) -> Check:
    short = [
        f"{cache['implementation_type']} ({cache['judged']} of {cache['settled']} minutes)"
        for cache in live
        if cache["settled"] - cache["judged"] > LONGEST_LAG / timedelta(minutes=1)
    ]
    if short:
        return failed(
            "coverage",
            f"the past day's ledger has gaps: {_some(short)}",
            "keep auditor run running: it fills what is behind; a gap that stays was purged or restored over",
        )
    judged = sum(cache["judged"] for cache in live)
    return passed("coverage", f"{judged} minutes of the past day are in the ledger, none is missing")


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _age(text: str | None, now: datetime) -> timedelta:
    return timedelta.max if text is None else max(now - _at(text), timedelta(0))


def _minutes(span: timedelta) -> str:
    minutes = round(span / timedelta(minutes=1))
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.0f} h"


def _caches(count: int) -> str:
    return "one cache" if count == 1 else f"{count} caches"


def _some(names: Sequence[str]) -> str:
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
