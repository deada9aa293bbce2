"""The ledger of calls over both transports: each incident is paid for once, together within the caps, whoever dies when."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from auditor.database.calls import PostgresCalls
from auditor.database.explanations import Caps, Claim, Explanations, Outcome, Planned, Waiting
from auditor.detection.catalogue import Severity
from auditor.errors import DependencyUnreachable
from auditor.explanation.brief import Purpose
from tests.database.incidents import WAITING, calls, row_of, stored, worded, write, write_many

if TYPE_CHECKING:
    from collections.abc import Callable

    Opened = Callable[[str], Explanations]

Connection = psycopg.Connection[Any]
UNCAPPED = Caps(calls_per_hour=10_000, tokens_per_day=10**9, cost_per_day=1e6, cost_per_month=1e6)


def waiting(**changes: Any) -> Waiting:
    return Waiting(**(WAITING | changes))


def planned(claim: Claim | None = None, *, tokens: int = 100, cost: float | None = 0.01) -> Planned:
    return Planned(
        purpose=Purpose.INCIDENT_OPENED if claim is None else claim.purpose,
        evidence_hash="e" if claim is None else claim.incident_id,
        prompt_id="incident_opened",
        prompt_hash="p",
        model="tester",
        estimated_tokens=tokens,
        estimated_cost=cost,
        claim_seconds=60.0,
        id=None if claim is None else claim.id,
    )


def done(call: str, **changes: Any) -> Outcome:
    given: dict[str, Any] = {"requests": 1, "input_tokens": 50, "output_tokens": 10, "cost": 0.002} | changes
    return Outcome(call, given.pop("status", "done"), **given)


def run_out(connection: Connection) -> None:
    """What is claimed or reserved by now is so no longer, as if its auditor had died a while ago."""
    connection.execute(
        "update monitoring.cache_auditor_model_calls set expires_at = clock_timestamp() where expires_at is not null"
    )


async def test_many_workers_at_once_are_given_every_incident_once(
    opened: Opened, connection: Connection
) -> None:
    write_many(connection, 30)
    workers = [opened(f"w{n}") for n in range(4)]

    async def take_all(database: Explanations) -> list[Claim]:
        taken: list[Claim] = []
        while claimed := (await database.claim(waiting(storm=100), most=2)).claims:
            taken += claimed
        return taken

    taken = await asyncio.gather(*(take_all(database) for database in workers))
    names = [claim.incident_id for claims in taken for claim in claims]
    assert sorted(names) == [f"incident {n:05}" for n in range(30)]


async def test_an_incident_is_asked_about_once_when_it_opens_and_once_when_it_ends(
    opened: Opened, connection: Connection
) -> None:
    database = opened("w")
    purposes = []
    for status, severity in (
        ("open", Severity.WARNING), ("open", Severity.CRITICAL), ("resolved", Severity.CRITICAL),
        ("open", Severity.CRITICAL), ("resolved", Severity.CRITICAL),
    ):  # fmt: skip
        write(connection, row_of(status=status, severity=severity))  # type: ignore[arg-type]  # words of the literal
        for claim in (await database.claim(waiting(), most=5)).claims:
            reserved = await database.reserve(planned(claim), UNCAPPED)
            assert reserved.granted
            await database.settle(done(claim.id))
            purposes.append(claim.purpose)
    assert purposes == [Purpose.INCIDENT_OPENED, Purpose.INCIDENT_RESOLVED]


@pytest.mark.parametrize(
    ("why", "row"),
    [
        ("it is slight", {"severity": Severity.INFO}),
        ("it has just begun", {"began": 2, "ended": 0}),
        ("it was last seen long ago", {"began": 200, "ended": 130}),
        ("it ended long ago", {"began": 200, "ended": 130, "status": "resolved"}),
        ("it does not lead", {"lead": False}),
    ],
)
async def test_an_incident_does_not_wait_for_words_where(
    opened: Opened, connection: Connection, why: str, row: dict[str, Any]
) -> None:
    write(connection, row_of(**row))
    assert (await opened("w").claim(waiting(after_seconds=240.0), most=5)).claims == ()


async def test_what_an_engineer_ignores_and_what_has_a_models_words_does_not_wait(
    opened: Opened, connection: Connection
) -> None:
    row = row_of("worded")
    write(connection, row_of("ignored"), row)
    connection.execute(
        "update monitoring.cache_auditor_observations set verdict = 'ignore' where fingerprint = 'finding ignored'"
    )
    database = opened("w")
    assert await database.attach("finding worded", worded(row))
    assert (await database.claim(waiting(), most=5)).claims == ()


async def test_the_worst_and_the_most_costly_come_first(opened: Opened, connection: Connection) -> None:
    def impact(calls: float) -> dict[str, Any]:
        return {"impact": {"extra_backend_calls": calls, "added_latency_seconds": 1.0, "cost": None}}

    write(
        connection,
        row_of("small", **impact(10)),
        row_of("great", **impact(1000)),
        row_of("slight", severity=Severity.WARNING, **impact(5000)),
    )
    claimed = await opened("w").claim(waiting(), most=2)
    assert [claim.incident_id for claim in claimed.claims] == ["incident great", "incident small"]
    assert claimed.waiting == 1


async def test_of_a_storm_one_is_asked_about_and_the_others_are_told_with_it(
    opened: Opened, connection: Connection
) -> None:
    write_many(connection, 40, severity=Severity.WARNING)
    write(connection, row_of("worst"))
    database = opened("w")
    claimed = await database.claim(waiting(), most=3)
    assert [claim.incident_id for claim in claimed.claims] == ["incident worst"]
    assert (claimed.coalesced, claimed.waiting) == (40, 0)
    assert (await database.claim(waiting(), most=3)).claims == ()
    noted = stored(connection, "00007")
    assert noted["explanation"]["checks"]["failure"] == "storm: told with incident incident worst of answers"
    assert noted["description"] == row_of("00007", cache="cache 7", severity=Severity.WARNING)["description"]
    into = {row["coalesced_into"] for row in calls(connection) if row["status"] == "coalesced"}
    assert into == {claimed.claims[0].id}


async def test_a_claim_of_an_auditor_that_died_is_taken_over_and_one_that_lives_is_not(
    opened: Opened, connection: Connection
) -> None:
    write(connection, row_of())
    first, second = opened("first"), opened("second")
    (claim,) = (await first.claim(waiting(), most=1)).claims
    assert (await second.claim(waiting(), most=1)).claims == ()
    run_out(connection)
    (taken,) = (await second.claim(waiting(), most=1)).claims
    assert (await first.reserve(planned(claim), UNCAPPED)).cap is None
    assert not (await first.reserve(planned(claim), UNCAPPED)).granted
    assert (await second.reserve(planned(taken), UNCAPPED)).granted


async def test_what_was_answered_is_not_asked_again_and_what_was_lost_is_counted_and_tried_once_more(
    opened: Opened, connection: Connection
) -> None:
    write(connection, row_of())
    database = opened("w")
    for _ in range(2):
        (claim,) = (await database.claim(waiting(), most=1)).claims
        assert (await database.reserve(planned(claim, cost=0.25), UNCAPPED)).granted
        run_out(connection)
    assert (await database.claim(waiting(), most=1)).claims == ()
    assert [row["status"] for row in calls(connection)] == ["lost", "lost"]
    tight = Caps(calls_per_hour=100, tokens_per_day=10**6, cost_per_day=0.5, cost_per_month=100)
    refused = await database.reserve(planned(cost=0.01), tight)
    assert (refused.granted, refused.cap) == (False, "cost_per_day")


async def test_an_answer_that_comes_after_its_reservation_was_given_up_is_counted_and_attached(
    opened: Opened, connection: Connection
) -> None:
    row = row_of()
    write(connection, row)
    slow, other = opened("slow"), opened("other")
    (claim,) = (await slow.claim(waiting(), most=1)).claims
    await slow.reserve(planned(claim), UNCAPPED)
    run_out(connection)
    await other.claim(waiting(severities=()), most=1)
    settled = await slow.settle(done(claim.id, cost=0.07, explanation=worded(row)))
    assert (settled.settled, settled.attached) == (True, True)
    (lost,) = calls(connection)
    assert (lost["status"], lost["cost"]) == ("lost", 0.07)
    assert (await other.claim(waiting(), most=1)).claims == ()


CAPS: list[tuple[str, dict[str, Any], dict[str, Any], int]] = [
    ("calls_per_hour", {"calls_per_hour": 5}, {}, 5),
    ("tokens_per_day", {"tokens_per_day": 450}, {"tokens": 100}, 4),
    ("cost_per_day", {"cost_per_day": 0.35}, {"cost": 0.1}, 3),
    ("cost_per_month", {"cost_per_month": 0.25}, {"cost": 0.1}, 2),
]


@pytest.mark.parametrize(("cap", "caps", "call", "allowed"), CAPS, ids=[cap for cap, *_ in CAPS])
async def test_two_auditors_share_a_cap_to_the_last_call(
    opened: Opened, connection: Connection, cap: str, caps: dict[str, Any], call: dict[str, Any], allowed: int
) -> None:
    limits = Caps(**({name: getattr(UNCAPPED, name) for name in Caps.__slots__} | caps))
    workers = [opened("a"), opened("b")]
    answers = await asyncio.gather(*(workers[n % 2].reserve(planned(**call), limits) for n in range(12)))
    granted = [answer for answer in answers if answer.granted]
    assert sum(answer.requests for answer in granted) <= limits.calls_per_hour
    if cap != "calls_per_hour":
        assert len(granted) == allowed
    assert {answer.cap for answer in answers if not answer.granted} == {cap}
    fresh = opened("a restarted one")
    assert (await fresh.reserve(planned(**call), limits)).cap == cap


async def test_a_call_that_needed_one_request_gives_the_second_back(
    opened: Opened, connection: Connection
) -> None:
    database = opened("w")
    limits = Caps(calls_per_hour=3, tokens_per_day=10**6, cost_per_day=1, cost_per_month=1)
    for requests in (2, 2, 1):
        reserved = await database.reserve(planned(), limits)
        assert (reserved.granted, reserved.requests) == (True, requests)
        await database.settle(done(reserved.id or ""))
    assert (await database.reserve(planned(), limits)).cap == "calls_per_hour"


async def test_what_was_really_used_counts_in_place_of_the_estimate(
    opened: Opened, connection: Connection
) -> None:
    database = opened("w")
    limits = Caps(calls_per_hour=100, tokens_per_day=1000, cost_per_day=1, cost_per_month=1)
    reserved = await database.reserve(planned(tokens=900), limits)
    assert (await database.reserve(planned(tokens=200), limits)).cap == "tokens_per_day"
    await database.settle(done(reserved.id or "", input_tokens=90, output_tokens=10))
    assert (await database.reserve(planned(tokens=900), limits)).granted
    assert (await database.reserve(planned(tokens=1), limits)).cap == "tokens_per_day"


async def test_a_model_without_a_price_is_bound_by_tokens_alone(
    opened: Opened, connection: Connection
) -> None:
    database = opened("w")
    limits = Caps(calls_per_hour=100, tokens_per_day=1000, cost_per_day=0.0, cost_per_month=0.0)
    assert (await database.reserve(planned(tokens=1000, cost=None), limits)).granted
    assert (await database.reserve(planned(tokens=1, cost=None), limits)).cap == "tokens_per_day"


async def test_old_calls_weigh_on_no_cap(opened: Opened, connection: Connection) -> None:
    database = opened("w")
    limits = Caps(calls_per_hour=1, tokens_per_day=100, cost_per_day=0.01, cost_per_month=0.01)
    assert (await database.reserve(planned(), limits)).granted
    connection.execute(
        "update monitoring.cache_auditor_model_calls set reserved_at = reserved_at - interval '40 days',"
        " claimed_at = claimed_at - interval '40 days'"
    )
    assert (await database.reserve(planned(), limits)).granted


async def test_an_incident_over_the_cap_keeps_its_text_with_the_reason_and_waits_for_room(
    opened: Opened, connection: Connection
) -> None:
    write(connection, row_of())
    database = opened("w")
    (claim,) = (await database.claim(waiting(), most=1)).claims
    none = Caps(calls_per_hour=0, tokens_per_day=10**6, cost_per_day=1, cost_per_month=1)
    refused = await database.reserve(planned(claim), none)
    assert (refused.granted, refused.cap) == (False, "calls_per_hour")
    found = stored(connection)
    assert found["explanation"]["checks"] == {"failure": "cap: calls_per_hour"}
    assert found["description"] == row_of()["description"]
    assert (await database.claim(waiting(), most=1)).claims == ()
    connection.execute("update monitoring.cache_auditor_model_calls set retry_at = clock_timestamp()")
    (again,) = (await database.claim(waiting(), most=1)).claims
    assert again.id == claim.id
    assert (await database.reserve(planned(again), UNCAPPED)).granted


async def test_a_call_that_reached_no_model_costs_nothing_and_is_made_later(
    opened: Opened, connection: Connection
) -> None:
    write(connection, row_of())
    database = opened("w")
    one = Caps(calls_per_hour=1, tokens_per_day=10**6, cost_per_day=1, cost_per_month=1)
    (claim,) = (await database.claim(waiting(), most=1)).claims
    assert (await database.reserve(planned(claim), one)).granted
    await database.settle(Outcome(claim.id, "refused", reason="unreachable", retry_seconds=3600))
    assert stored(connection)["explanation"]["checks"] == {"failure": "unreachable"}
    assert (await database.claim(waiting(), most=1)).claims == ()
    assert (await database.reserve(planned(), one)).granted


async def test_reserving_and_settling_may_be_repeated(opened: Opened, connection: Connection) -> None:
    row = row_of()
    write(connection, row)
    database = opened("w")
    (claim,) = (await database.claim(waiting(), most=1)).claims
    first = await database.reserve(planned(claim), UNCAPPED)
    assert await database.reserve(planned(claim), UNCAPPED) == first
    for _ in range(3):
        settled = await database.settle(done(claim.id, explanation=worded(row)))
        assert (settled.settled, settled.attached) == (True, True)
    (call,) = calls(connection)
    assert (call["status"], call["requests"], call["cost"]) == ("done", 1, 0.002)
    assert not (await opened("thief").settle(done(claim.id))).settled


async def test_an_answer_about_what_has_changed_meanwhile_is_kept_and_not_attached(
    opened: Opened, connection: Connection
) -> None:
    row = row_of()
    write(connection, row)
    database = opened("w")
    (claim,) = (await database.claim(waiting(), most=1)).claims
    await database.reserve(planned(claim), UNCAPPED)
    write(connection, row_of(severity=Severity.WARNING))
    settled = await database.settle(done(claim.id, explanation=worded(row)))
    assert (settled.settled, settled.attached) == (True, False)
    found = stored(connection)
    assert found["description"] == row_of(severity=Severity.WARNING)["description"]
    assert found["explanation"]["checks"]["failure"].startswith("outdated")
    assert calls(connection)[0]["explanation"]["description"] == worded(row)["description"]


async def test_an_answer_is_found_again_by_evidence_prompt_and_model(
    opened: Opened, connection: Connection
) -> None:
    database = opened("w")
    reserved = await database.reserve(planned(), UNCAPPED)
    assert await database.cached("e", "p", "tester") is None
    await database.settle(done(reserved.id or "", explanation={"source": "model", "description": "d"}))
    assert await database.cached("e", "p", "tester") == {"source": "model", "description": "d"}
    for other in (("f", "p", "tester"), ("e", "q", "tester"), ("e", "p", "another")):
        assert await database.cached(*other) is None


async def test_the_materials_are_the_same_over_either_transport(
    opened: Opened, connection: Connection
) -> None:
    write(connection, row_of())
    database = opened("w")
    found = await database.material("finding one")
    assert found is not None
    assert [row["fingerprint"] for row in found["rows"]] == ["finding one"]
    assert await database.material("nothing") is None
    now = datetime.now(UTC)
    digest = await database.digest_material(now - timedelta(days=1), now + timedelta(minutes=1))
    assert [row["incident_id"] for row in digest["rows"]] == ["incident one"]


async def test_calls_are_forgotten_after_two_months_unless_their_incident_is_still_open(
    opened: Opened, connection: Connection
) -> None:
    write(connection, row_of("open"), row_of("over"))
    await opened("w").claim(waiting(), most=2)
    write(connection, row_of("over", status="resolved"))
    aged = "update monitoring.cache_auditor_model_calls set claimed_at = now() - interval '70 days'"
    connection.execute(aged)
    done_by = connection.execute("select monitoring.auditor_maintain(7, 30, 365)").fetchone()
    assert done_by is not None
    assert done_by[0]["purged"]["cache_auditor_model_calls"] == 1
    assert [row["incident_id"] for row in calls(connection)] == ["incident open"]


async def test_a_database_that_is_gone_is_said_in_one_sentence() -> None:
    database = Explanations(PostgresCalls("host=127.0.0.1 port=1 dbname=x"), worker="w", patience_seconds=0.5)
    with pytest.raises(DependencyUnreachable, match=r"127\.0\.0\.1"):
        await database.claim(waiting(), most=1)
