"""Timing: a block or a function is recorded as one operation, and what it raises or returns is its own."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from auditor.collector import measure, timed

Recorded = list[tuple[Any, ...]]


@pytest.fixture
def recorded() -> Recorded:
    return []


def record_into(recorded: Recorded) -> Any:
    return lambda *operation: recorded.append(operation)


def test_a_block_is_timed_and_says_what_it_was(recorded: Recorded) -> None:
    with measure("k", "answers", record=record_into(recorded)):
        time.sleep(0.002)
    with measure("k", "answers", cache_size=3, record=record_into(recorded)) as operation:
        operation.miss()
        operation.cache_size = 4
    with measure("k", "answers", "set", record=record_into(recorded)):
        pass
    assert [operation[0] for operation in recorded] == ["hit", "miss", "set"]
    assert recorded[0][1:3] == ("k", "answers")
    assert recorded[0][3] >= 2.0
    assert recorded[2][3] > 0
    assert recorded[1][4] == 4


def test_a_block_that_raises_is_an_error_and_goes_on_raising(recorded: Recorded) -> None:
    with pytest.raises(OSError, match="gone"), measure("k", "answers", record=record_into(recorded)):
        raise OSError("gone")
    [(operation, key, name, took, size, kind, message)] = recorded
    assert (operation, key, name, took, size, kind) == ("error", "k", "answers", None, None, "OSError")
    assert str(message) == "gone"


def test_leaving_a_block_by_an_interrupt_is_no_error_of_the_cache(recorded: Recorded) -> None:
    with pytest.raises(KeyboardInterrupt), measure("k", "answers", record=record_into(recorded)):
        raise KeyboardInterrupt
    assert recorded == []


def test_a_function_that_finds_nothing_is_a_miss(recorded: Recorded) -> None:
    @timed("answers", record=record_into(recorded))
    def find(key: str) -> int | None:
        """Find it."""
        return {"a": 0}.get(key)

    assert find("a") == 0
    assert find("b") is None
    assert find.__doc__ == "Find it."
    assert [operation[:3] for operation in recorded] == [("hit", "a", "answers"), ("miss", "b", "answers")]


async def test_a_coroutine_function_is_timed_until_it_is_done(recorded: Recorded) -> None:
    @timed("answers", "set", key=lambda key, *, tenant: f"{tenant}:{key}", record=record_into(recorded))
    async def put(key: str, *, tenant: str) -> str:
        await asyncio.sleep(0.002)
        return tenant + key

    assert await put("k", tenant="t") == "tk"
    assert recorded[0][:3] == ("set", "t:k", "answers")
    assert recorded[0][3] >= 2.0


def test_a_key_function_that_fails_is_not_the_callers_concern(recorded: Recorded) -> None:
    @timed("answers", key=lambda: "no arguments", record=record_into(recorded))
    def find(key: str) -> str:
        return key

    assert find("a") == "a"
    assert recorded[0][1] == "<no key: TypeError>"
