"""Operations that are timed where they happen: `with measure(...)` around a block, `@timed(...)` on a function."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any, Final, Literal, ParamSpec, Self, TypeVar

from auditor.collector.process import get_collector

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    Operation = Literal["hit", "miss", "set", "evict"]

P = ParamSpec("P")
R = TypeVar("R")
_LOOKUP: Final = "hit"


class measure:  # noqa: N801 - it is used as a function
    """Times a block and records it as one operation; as an error too, should the block raise, which goes on.

    Parameters
    ----------
    cache_key, implementation_type
        The key and the name of the cache.
    operation
        What it is recorded as, if the block does not say: by default a hit.
    cache_size
        Entries in the cache; may be set in the block too.
    record
        By default the process's collector; else the `record` of another.

    Examples
    --------
    >>> with measure("user:7", "users") as operation:  # doctest: +SKIP
    ...     value = cache.get("user:7")
    ...     if value is None:
    ...         operation.miss()
    ...         value = load("user:7")
    """

    __slots__ = ("_cache_key", "_name", "_record", "_started", "cache_size", "operation")

    def __init__(
        self,
        cache_key: str,
        implementation_type: str,
        operation: Operation = "hit",
        cache_size: int | None = None,
        *,
        record: Callable[..., None] | None = None,
    ) -> None:
        self._cache_key = cache_key
        self._name = implementation_type
        self._record = record
        self._started = 0
        self.operation: Operation = operation
        self.cache_size = cache_size

    def hit(self) -> None:
        """It was a lookup that found its key."""
        self.operation = "hit"

    def miss(self) -> None:
        """It was a lookup that did not."""
        self.operation = "miss"

    def __enter__(self) -> Self:
        self._started = time.perf_counter_ns()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        elapsed = (time.perf_counter_ns() - self._started) / 1e6
        record = self._record if self._record is not None else get_collector().record
        if error is None:
            record(self.operation, self._cache_key, self._name, elapsed, self.cache_size)
        elif isinstance(error, Exception):
            record("error", self._cache_key, self._name, None, None, type(error).__name__, error)


def timed(
    implementation_type: str,
    operation: Operation | None = None,
    *,
    key: Callable[..., object] | None = None,
    record: Callable[..., None] | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator that times each call of a function, a coroutine function's until it is done.

    Parameters
    ----------
    implementation_type
        The name of the cache.
    operation
        What a call is recorded as; by default it is a lookup: a miss where it returns None, else a hit.
    key
        The key of a call, from its arguments; by default the first argument.
    record
        By default the process's collector; else the `record` of another.
    """

    def begun(arguments: tuple[Any, ...], named: dict[str, Any]) -> measure:
        found: Any = _key_of(key, arguments, named)
        return measure(found, implementation_type, operation or _LOOKUP, record=record)

    def told(measured: measure, value: object) -> None:
        if operation is None and value is None:
            measured.miss()

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        import inspect

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def waited(*arguments: P.args, **named: P.kwargs) -> Any:
                with begun(arguments, named) as measured:
                    value = await function(*arguments, **named)
                    told(measured, value)
                    return value

            return waited  # type: ignore[return-value]

        @functools.wraps(function)
        def called(*arguments: P.args, **named: P.kwargs) -> R:
            with begun(arguments, named) as measured:
                value = function(*arguments, **named)
                told(measured, value)
                return value

        return called

    return decorate


def _key_of(key: Callable[..., object] | None, arguments: tuple[Any, ...], named: dict[str, Any]) -> object:
    try:
        if key is not None:
            return key(*arguments, **named)
        return arguments[0] if arguments else next(iter(named.values()), "")
    except Exception as error:  # noqa: BLE001 - a key function that fails is not the caller's concern
        return f"<no key: {type(error).__name__}>"
