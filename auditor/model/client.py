"""The call of a model: one deadline, few retries, a remembered ladder, a breaker; it ends in an answer or in a typed failure."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Self

import structlog

from auditor.explanation.briefing.sizing import estimated_tokens
from auditor.model.breaker import Breaker, BreakerState
from auditor.model.completion import read_completion
from auditor.model.connection import Connection
from auditor.model.exchange import Answer, Request, Rung, Usage
from auditor.model.failure import RETRIED, SERVERS_FAULT, ModelFailure, Reason
from auditor.model.health import ModelHealth
from auditor.model.options import ModelOptions
from auditor.model.prices import Prices, estimated_input
from auditor.model.shape import first_shape
from auditor.model.told import server_of
from auditor.model.tracing import tracing_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from types import TracebackType

    from auditor.model.completion import Completion
    from auditor.model.shape import Shape

__all__ = ["Answer", "ModelClient", "ModelOptions", "Request"]

RETRY_SPREAD: Final = (0.75, 1.25)
LONGEST_RETRY_SECONDS: Final = 8.0

log = structlog.get_logger()


class ModelClient:
    """One model at one server, for any number of calls at a time; it is closed at the end, or used as a context.

    Parameters
    ----------
    options
        Which model, where, how patiently.
    health
        The counters to count in; its own where none are given.
    clock
        Seconds that never go back; for the breaker and for how long calls took.
    chance
        Uniform in 0..1; spreads waits.
    """

    def __init__(
        self,
        options: ModelOptions,
        *,
        health: ModelHealth | None = None,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.options = options
        self.prices = Prices(options)
        self.health = ModelHealth() if health is None else health
        self.health.breaker = self.breaker_state
        self._server = server_of(options)
        self._connection = Connection(options, self._server)
        self._tracing = tracing_for(options)
        self._shape = first_shape(options)
        self._walks_blind = True
        self._breaker = Breaker(
            options.breaker_failures, options.breaker_seconds, options.breaker_longest_seconds
        )
        self._slots = asyncio.Semaphore(options.concurrency)
        self._clock = clock
        self._chance = chance

    async def __aenter__(self) -> Self:
        await self.prices.prepare()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections and send what spans are left; may be called twice."""
        await self._connection.close()
        await self._tracing.close()

    def breaker_state(self) -> BreakerState:
        """What the circuit breaker would say to a call now."""
        return self._breaker.state(self._clock())

    async def complete(self, request: Request) -> Answer:
        """The model's answer to a request, within the request's deadline.

        Raises
        ------
        ModelFailure
            Whatever goes wrong, with its reason; nothing else is raised but CancelledError.
        """
        self.health.calls += 1
        started = self._clock()
        with self._tracing.call(request) as span:
            try:
                completion, rung = await self._in_time(request)
            except ModelFailure as failure:
                if failure.usage is not None:
                    failure.usage = self._priced(failure.usage)
                self.health.note_failure(failure, self._clock() - started)
                span.failed(failure)
                raise
            usage = self._priced(completion.usage or _estimated(request, completion), completion.model)
            answer = _answer(completion, usage, rung, self._clock() - started)
            self.health.note_answer(answer)
            span.answered(completion, usage)
            return answer

    async def _in_time(self, request: Request) -> tuple[Completion, Rung]:
        """The completion, or a failure at the deadline at the latest; the breaker is told how it ended."""
        deadline = asyncio.get_running_loop().time() + request.deadline_seconds
        async with self._slot(deadline):
            with self._guard():
                try:
                    async with asyncio.timeout_at(deadline):
                        await self.prices.prepare()
                        return await self._attempts(request, deadline)
                except TimeoutError:
                    raise ModelFailure(
                        Reason.TIMEOUT,
                        f"{self._server} took longer than {request.deadline_seconds:.3g} seconds: raise "
                        "AUDITOR_MODEL_DEADLINE_SECONDS, or use a faster model.",
                    ) from None

    @contextlib.asynccontextmanager
    async def _slot(self, deadline: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout_at(deadline):
                await self._slots.acquire()
        except TimeoutError:
            raise ModelFailure(
                Reason.BUSY,
                f"Other calls of {self._server} held every slot: raise AUDITOR_MODEL_CONCURRENCY, or use a faster model.",
            ) from None
        try:
            yield
        finally:
            self._slots.release()

    @contextlib.contextmanager
    def _guard(self) -> Iterator[None]:
        """The circuit breaker around one call."""
        wait = self._breaker.wait(self._clock())
        if wait is not None:
            raise ModelFailure(
                Reason.CIRCUIT_OPEN,
                f"{self._server} has failed too often and is left alone for {wait:.0f} seconds more: see the failures before.",
                retry_after=wait,
            )
        probe = self._breaker.enter()
        try:
            yield
        except ModelFailure as failure:
            if failure.reason in SERVERS_FAULT:
                self._breaker.failed(self._clock(), self._chance(), probe=probe, wait=failure.retry_after)
            else:
                self._breaker.succeeded()
            raise
        except BaseException:  # cancelled too: a probe that was cut short leaves the place to another
            self._breaker.released(probe=probe)
            raise
        self._breaker.succeeded()

    async def _attempts(self, request: Request, deadline: float) -> tuple[Completion, Rung]:
        """The completion after few attempts."""
        attempt = 1
        while True:
            try:
                return await self._climb(request, deadline)
            except ModelFailure as failure:
                pause = self._pause(failure, attempt, deadline - asyncio.get_running_loop().time())
                if pause is None:
                    raise
                log.debug("the model is asked again", reason=failure.reason.value, seconds=round(pause, 3))
            await asyncio.sleep(pause)
            attempt += 1

    def _pause(self, failure: ModelFailure, attempt: int, left: float) -> float | None:
        """Seconds before the next attempt; None where there is none, or where they do not fit the time that is left."""
        if failure.reason not in RETRIED or failure.may_be_billed or attempt >= self.options.attempts:
            return None
        low, high = RETRY_SPREAD
        usual = min(self.options.retry_seconds * 2.0 ** (attempt - 1), LONGEST_RETRY_SECONDS)
        pause = failure.retry_after or usual * (low + (high - low) * self._chance())
        return pause if pause < left else None

    async def _climb(self, request: Request, deadline: float) -> tuple[Completion, Rung]:
        """One attempt, down the ladder as far as the server forces it; the shape that it takes is remembered."""
        shape = self._shape
        while True:
            self.health.requests += 1
            try:
                left = deadline - asyncio.get_running_loop().time()
                body = await self._connection.ask(shape.arguments(request, self.options.model), left)
            except ModelFailure as failure:
                if failure.reason is not Reason.BAD_REQUEST:
                    raise
                lower = shape.without(failure.names) or (shape.lower() if self._walks_blind else None)
                if lower is None:
                    self._walks_blind = False
                    raise
                shape = lower
                continue
            self._remember(shape)
            return read_completion(body, self._server), shape.rung

    def _remember(self, shape: Shape) -> None:
        if shape != self._shape:
            log.info(
                "the model's server takes another form of request",
                server=str(self._server),
                response_format=shape.rung.value,
                token_limit=shape.limits[0] if shape.limits else "none",
                temperature=shape.temperature,
            )
        self._shape = shape

    def _priced(self, usage: Usage, answered_by: str = "") -> Usage:
        return replace(usage, cost=self.prices.cost(usage.input_tokens, usage.output_tokens, answered_by))


def _estimated(request: Request, completion: Completion) -> Usage:
    """The usage of an answer that does not tell it; rather too high, for it is counted against the budget."""
    return Usage(estimated_input(request.messages), estimated_tokens(completion.text))


def _answer(completion: Completion, usage: Usage, rung: Rung, seconds: float) -> Answer:
    return Answer(
        text=completion.text,
        model=completion.model,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        seconds=seconds,
        cost=usage.cost,
        rung=rung,
        finish_reason=completion.finish_reason,
    )
