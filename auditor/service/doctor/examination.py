"""The examination itself: the links in the order in which they depend on each other, each asked of the real thing."""

from __future__ import annotations

import asyncio
import contextlib
import random
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import psycopg

from auditor.database import rest_failures
from auditor.database.migrations import read_migrations
from auditor.database.rest_failures import RestFailure
from auditor.errors import AuditorError, BadInput, DependencyUnreachable
from auditor.service.doctor import checks
from auditor.service.doctor.checks import Check, failed, passed, skipped
from auditor.service.doctor.model import check_model

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from auditor.database.calls import Calls
    from auditor.database.hint import Hint
    from auditor.database.realtime_health import RealtimeHealth
    from auditor.model.options import ModelOptions

CANARY_PREFIX: Final = "auditor-doctor-"
CHANGES_SECONDS: Final = 6.0
CANARY_AGE_MINUTES: Final = (120, 1380)
FIRST: Final = ("reachable", "key", "exposed", "schema", "grants")
AFTER: Final = ("publication", "collector", "baseline", "lag", "coverage")
PROOFS: Final = ("realtime", "ingest", "hint")
_STAGE_BY_CODE: Final = {
    "PGRST106": "exposed", "PGRST202": "schema", "PGRST204": "schema", "PGRST205": "schema", "42883": "schema",
    "42P01": "schema", "3F000": "schema", "42501": "grants", "PGRST301": "key", "PGRST302": "key", "PGRST303": "key",
    "28P01": "key", "28000": "key",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined.

    Parameters
    ----------
    where
        The place, as a sentence names it.
    calls
        Its SQL functions.
    url
        The Supabase project's address, or None for PostgreSQL.
    hints
        Makes the source of hints; None where Realtime is switched off.
    realtime
        How that source is doing, where it is Realtime.
    model
        The model; None where none is configured.
    """

    where: str
    calls: Calls
    url: str | None
    hints: Callable[[], AsyncGenerator[Hint]] | None
    realtime: RealtimeHealth | None
    model: ModelOptions | None = None


async def examine(patient: Patient, *, settle_seconds: float, canary: bool, seconds: float) -> list[Check]:
    """Every check, in order; what depends on a broken link is skipped.

    Parameters
    ----------
    settle_seconds
        As in the settings.
    canary
        Whether to put a canary through the chain and ask the model; without it nothing is written, broadcast or paid.
    seconds
        The longest to wait for a canary, and for the model.
    """
    try:
        seen = await patient.calls.call_once("auditor_examine", {"settle_seconds": settle_seconds})
    except (RestFailure, AuditorError) as error:
        return _cut_off(patient, error)
    expected = read_migrations()[-1].version
    now = datetime.fromisoformat(seen["now"]).astimezone(UTC)
    found = [
        passed("reachable", patient.where),
        passed("key", f"accepted as {seen['role']}"),
        _exposed(patient),
        checks.schema_version(str(seen["schema_version"]), expected),
        checks.grants(seen["denied"], seen["open_to"], seen["role"]),
        checks.publication(seen["published"], publishes_all=seen["publishes_all"]),
    ]
    if canary:
        found += await prove(patient, seconds)
    else:
        found += [skipped(name, "left out by --no-canary") for name in PROOFS]
    found += checks.of_caches(seen["caches"], now, settle_seconds)
    found.append(await check_model(patient.model, ask=canary, seconds=seconds))
    return found


def _exposed(patient: Patient) -> Check:
    if patient.url is None:
        return skipped("exposed", "not reached over PostgREST")
    return passed("exposed", "PostgREST serves the schema monitoring")


def _cut_off(patient: Patient, error: RestFailure | AuditorError) -> list[Check]:
    """The lines where not even the examination's question was answered."""
    code, explained = "", error
    if isinstance(error, RestFailure):
        code = error.code or ("28000" if error.status == 401 else "")
        explained = rest_failures.explain(error, patient.url or "", "auditor_examine")
    elif isinstance(error.__cause__, psycopg.Error):
        code = error.__cause__.sqlstate or ("28P01" if "password" in str(error.__cause__) else "")
    stage = "key" if isinstance(error, BadInput) else _STAGE_BY_CODE.get(code, "reachable")
    said, _, mend = str(explained).partition(": ")
    held = {"reachable": passed("reachable", patient.where), "exposed": _exposed(patient)}
    before = FIRST[: FIRST.index(stage)]
    lines = [held.get(name, passed(name, "accepted, as far as can be seen")) for name in before]
    lines.append(failed(stage, said, mend or "see the message"))
    rest = (*FIRST[FIRST.index(stage) + 1 :], AFTER[0], *PROOFS, *AFTER[1:], "model")
    return lines + [skipped(name, f"{stage} has to be mended first") for name in rest]


async def prove(patient: Patient, seconds: float) -> list[Check]:
    """Put an event of a name of its own through ingest into a window and back as a hint; every trace is removed."""
    cache = CANARY_PREFIX + uuid.uuid4().hex[:12]
    found: list[Check] = []
    async with contextlib.AsyncExitStack() as stack:
        heard: asyncio.Queue[Hint] = asyncio.Queue()
        listening = None
        if patient.hints is not None:
            listening = asyncio.create_task(_listen(patient.hints, heard))
            stack.push_async_callback(_ended, listening)
        live = await _realtime(patient, listening, heard, seconds)
        found.append(live)
        try:
            # a minute of hours ago that nobody else writes, so that its hint can only be this one's; events are kept for a day at least
            minute = int(datetime.now(UTC).timestamp()) // 60 - random.randrange(*CANARY_AGE_MINUTES)
            ingested = await _ingest(patient, cache, minute)
            found.append(ingested)
            found.append(await _hint(live, ingested, minute, heard, seconds))
        finally:
            removed = await _remove(patient, cache)
    return found if removed is None else [*found, removed]


async def _listen(hints: Callable[[], AsyncGenerator[Hint]], heard: asyncio.Queue[Hint]) -> None:
    async with contextlib.aclosing(hints()) as source:
        async for hint in source:
            heard.put_nowait(hint)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _realtime(
    patient: Patient, listening: asyncio.Task[None] | None, heard: asyncio.Queue[Hint], seconds: float
) -> Check:
    """Whether the source of hints is live; Realtime is so only once its own broadcast has come back."""
    if listening is None:
        return skipped("realtime", "switched off by AUDITOR_REALTIME")
    try:
        async with asyncio.timeout(seconds):
            while not (await heard.get()).anew:
                pass
    except TimeoutError:
        if patient.realtime is None:
            return failed(
                "realtime",
                "LISTEN does not work on this connection",
                "name the server itself, not a pooler in transaction mode",
            )
        trouble = patient.realtime.last_trouble or "no canary broadcast came back"
        return failed(
            "realtime",
            f"no canary broadcast came back within {seconds:g} s ({trouble})",
            _realtime_mend(trouble),
        )
    if patient.realtime is None:
        return passed("realtime", "LISTEN works")
    changes = await _changes(patient.realtime, heard, seconds) if patient.realtime.changes_asked else ""
    return passed("realtime", f"the canary broadcast came back{changes}")


async def _changes(realtime: RealtimeHealth, heard: asyncio.Queue[Hint], seconds: float) -> str:
    """Wait for the table's changes, which come alive after the broadcasts: where nothing broadcasts, they alone bring the hint."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(min(seconds, CHANGES_SECONDS)):
            while not realtime.changes_live:
                await heard.get()
            return ", and the table's changes are live"
    return "; the table's changes are not live"


def _realtime_mend(trouble: str) -> str:
    if "401" in trouble or "403" in trouble or "JWT" in trouble or "Unauthorized" in trouble:
        return "check SUPABASE_SERVICE_ROLE_KEY, and for a private channel the policies on realtime.messages"
    if "PrivateOnly" in trouble:
        return (
            "the project allows private channels only: set AUDITOR_REALTIME_PRIVATE=true, and as the owner: "
            "alter database postgres set auditor.realtime_private = 'on';"
        )
    return (
        "see that Realtime is enabled (Dashboard > Realtime > Settings) and that wss to the project is let through by proxies; "
        "until then the auditor's poll works alone"
    )


async def _ingest(patient: Patient, cache: str, minute: int) -> Check:
    event = {
        "id": str(uuid.uuid4()),
        "cache_key": "canary",
        "operation_type": "hit",
        "implementation_type": cache,
        "response_time_ms": 0.125,
        "timestamp": datetime.fromtimestamp(60 * minute + 30, UTC).isoformat(),
    }
    mend = "run auditor migrate, and look at the database's log for ingest_cache_metrics"
    try:
        answer = await patient.calls.call_once("ingest_cache_metrics", {"metrics": [event]})
        window: dict[str, Any] | None = await patient.calls.call_once(
            "auditor_canary_window", {"cache": cache}
        )
    except (RestFailure, AuditorError) as error:
        return failed("ingest", f"the canary event was refused ({_told(error)})", mend)
    if answer.get("rejected"):
        return failed("ingest", f"the canary event was refused ({answer['rejected'][0]['reason']})", mend)
    if window is None or window["hits"] != 1:
        return failed("ingest", f"the canary event is in no window ({answer})", mend)
    return passed("ingest", "the canary event is in its window")


async def _hint(
    live: Check, ingested: Check, minute: int, heard: asyncio.Queue[Hint], seconds: float
) -> Check:
    for link in (live, ingested):
        if link.status is checks.Status.SKIP:
            return skipped("hint", link.said)
        if link.status is not checks.Status.PASS:
            return skipped("hint", f"{link.name} has to be mended first")
    try:
        async with asyncio.timeout(seconds):
            while minute not in (await heard.get()).minutes:
                pass
    except TimeoutError:
        return failed(
            "hint",
            f"the canary event raised no hint within {seconds:g} s",
            "see that realtime.send exists and the channel is the same on both sides: AUDITOR_REALTIME_CHANNEL here, "
            "auditor.realtime_channel in the database; and that the publication line above passes",
        )
    return passed("hint", "the canary event came back as a hint")


async def _remove(patient: Patient, cache: str) -> Check | None:
    """Remove the canary; the complaint where that failed."""
    try:
        await patient.calls.call_once("auditor_remove_canary", {"cache": cache})
    except (RestFailure, AuditorError) as error:
        return failed(
            "removal",
            f"the canary {cache} is still there ({_told(error)})",
            f"select monitoring.auditor_remove_canary('{cache}');",
        )
    return None


def _told(error: RestFailure | AuditorError) -> str:
    said = error.message if isinstance(error, RestFailure) else str(error)
    return said.rstrip(".") or "no message"


def unreachable(error: AuditorError) -> list[Check]:
    """The lines where the settings name nothing that could be asked."""
    stage = "settings"
    rest: tuple[str, ...] = (*FIRST, AFTER[0], *PROOFS, *AFTER[1:], "model")
    if isinstance(error, DependencyUnreachable):
        stage, rest = "reachable", (*FIRST[1:], AFTER[0], *PROOFS, *AFTER[1:], "model")
    said, _, mend = str(error).partition(": ")
    return [
        failed(stage, said.rstrip("."), mend or said),
        *(skipped(name, f"{stage} has to be mended first") for name in rest),
    ]
