"""A metric's last minutes as bars in a terminal, with the learned band behind them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

EIGHTHS: Final = " ▁▂▃▄▅▆▇█"
BAND: Final = "░"
ABSENT: Final = "×"

NORMAL_STYLE: Final = "green"
ODD_STYLE: Final = "bold red"
BAND_STYLE: Final = "bright_black"
ABSENT_STYLE: Final = "red"


@dataclass(frozen=True, slots=True)
class Point:
    """A minute of a metric: its value and the learned band, each None where unknown."""

    value: float | None
    lower: float | None
    upper: float | None

    @property
    def odd(self) -> bool:
        """Whether the value lies outside the band."""
        if self.value is None:
            return False
        too_low = self.lower is not None and self.value < self.lower
        return too_low or (self.upper is not None and self.value > self.upper)


@dataclass(frozen=True, slots=True)
class Cell:
    """One character and its style."""

    character: str
    style: str


def chart(points: Sequence[Point], height: int) -> list[list[Cell]]:
    """The points as bars, one column each, rows from the top.

    A bar that is shorter than the shading behind it, or longer, is outside the band, so that it can be read without
    colour too. The scale runs from 0 to a little above what is usual, or what lasts.
    """
    top = _top(points)
    columns = [_column(point, height, top) for point in points]
    return [[column[row] for column in columns] for row in range(height)]


def _top(points: Sequence[Point]) -> float:
    """The value at the charts' upper edge; a lone outlier reaches beyond it, a lasting change does not."""
    values = sorted(point.value for point in points if point.value is not None)
    bands = sorted(point.upper for point in points if point.upper is not None)
    usual = bands[(len(bands) - 1) * 9 // 10] if bands else 0.0
    largest = values[-1] if values else usual
    lasting = values[(len(values) - 1) * 19 // 20] if values else 0.0
    return 1.05 * max(min(largest, max(1.5 * usual, lasting)), min(usual, 2.0 * largest), 1e-9)


def _column(point: Point, height: int, top: float) -> list[Cell]:
    filled = _level(point.value, height, top)
    upper = _level(point.upper, height, top)
    style = ODD_STYLE if point.odd else NORMAL_STYLE
    cells = []
    for row in range(height - 1, -1, -1):
        eighths = min(8, max(0, filled - 8 * row))
        if eighths:
            cells.append(Cell(EIGHTHS[eighths], style))
        elif point.value is None and row == 0:
            cells.append(Cell(ABSENT, ABSENT_STYLE) if point.upper is None else Cell(BAND, BAND_STYLE))
        elif upper >= 8 * row + 4:
            cells.append(Cell(BAND, BAND_STYLE))
        else:
            cells.append(Cell(" ", ""))
    return cells


def _level(value: float | None, height: int, top: float) -> int:
    """Eighths of a row from the bottom; any value above nought shows."""
    if value is None or not math.isfinite(value) or value <= 0.0:
        return 0
    return min(8 * height, max(1, round(8 * height * value / top)))
