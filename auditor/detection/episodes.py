"""What was found strange, when, and by how much: the memory from which it is told what comes again at the same time.

A record is ten minutes of one metric in one direction, four bytes; windows with nothing to say leave none.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from auditor.detection.windows import Floats

MINUTES: Final = 10
"""Of one record."""
DAY: Final = 144
"""Records of a day."""
KEPT_DAYS: Final = 28
MOST: Final = 800
"""Records that a day begins with, the newest: a batch of forty minutes in six metrics every night of four weeks."""
NEAR: Final = 1
"""Records on either side in which something still counts as having come at the same time."""
_RULES: Final = ((range(1, 8), ((3, 2), (7, 3))), (range(7, KEPT_DAYS, 7), ((3, 2),)))
"""Days back, and of how many of the last of them how many make a rule."""
AROUND: Final = 72
MOST_AROUND: Final = 72
"""Of the records of twelve hours on either side, so many at most are of what comes and goes; more are of a state that lasts."""
STEP: Final = 1 / 16
"""Of a depth as it is kept."""
DEEPEST: Final = 255
"""Steps: as deep, or deeper."""

_Integers = np.typing.NDArray[np.int64]


@dataclass(frozen=True)
class Episodes:
    """Records in the order of time, arrays of shape (n,).

    Parameters
    ----------
    slot
        When, in tens of minutes since 1970.
    side
        The metric and its direction, by number.
    depth
        How far it went at most, on the metric's link scale, in steps of a sixteenth.
    """

    slot: _Integers
    side: np.typing.NDArray[np.uint8]
    depth: np.typing.NDArray[np.uint8]

    @classmethod
    def none(cls) -> Episodes:
        """Nothing strange so far."""
        return cls(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.uint8), np.zeros(0, dtype=np.uint8))

    def with_found(self, side: int, minutes: _Integers, depth: Floats) -> Episodes:
        """The records with what one side showed in some minutes, shape (n,): `depth` is how far it went, on the link scale."""
        if not len(minutes):
            return self
        deep = np.minimum(np.ceil(depth / STEP), DEEPEST).astype(np.uint8)
        slot = np.concatenate([self.slot, minutes // MINUTES])
        sides = np.concatenate([self.side, np.full(len(minutes), side, dtype=np.uint8)])
        deep = np.concatenate([self.depth, deep])
        # of one slot and side the deepest comes first, and is kept
        order = np.lexsort((DEEPEST - deep, sides, slot))
        slot, sides, deep = slot[order], sides[order], deep[order]
        kept = np.append(True, (np.diff(slot) != 0) | (np.diff(sides) != 0))
        return Episodes(slot[kept], sides[kept], deep[kept])

    def newest(self, minute: int) -> Episodes:
        """The records of the four weeks before a minute, the newest of them where they are too many."""
        kept = self.slot >= minute // MINUTES - KEPT_DAYS * DAY
        return Episodes(self.slot[kept][-MOST:], self.side[kept][-MOST:], self.depth[kept][-MOST:])

    def usual(self, side: int, minutes: _Integers) -> Floats:
        """How far a side goes at these times of the day as a rule, on the link scale, shape (n,); 0 where it does not go anywhere.

        It is a rule where something has come, within ten minutes or so, on two of the last three days, on three of the last seven, or on two
        of the last three of its weekdays, and this side with it at least once: twice at one time of day is hardly chance among 144. Only what came
        before the day counts, and only what came and went: a state that lasts is no visit.
        """
        slots, where = np.unique(minutes // MINUTES, return_inverse=True)
        return np.array([self._usual_at(side, slot) for slot in slots.tolist()])[where]

    def _usual_at(self, side: int, slot: int) -> float:
        own = self._visits.get(side)
        if own is None:
            return 0.0
        midnight, deepest = slot - slot % DAY, 0
        for lags, rules in _RULES:
            near = [
                range(slot - lag * DAY - NEAR, min(slot - lag * DAY + NEAR + 1, midnight)) for lag in lags
            ]
            came = [not self._any_visit.isdisjoint(of_day) for of_day in near]
            if any(sum(came[:last]) >= least for last, least in rules):
                deepest = max(deepest, *(own.get(at, 0) for of_day in near for at in of_day))
        return STEP * deepest

    def exceeded(self, side: int, before: int, times: int) -> float:
        """The depth that a side has gone beyond so many times before a minute, each visit counted once; 0 where it has not come as often.

        What came at the same time on the next day, or in the next week, is left out: of that a rule is made.
        """
        own = (self.side == side) & (self.slot < before // MINUTES)
        slot, depth = self.slot[own], self.depth[own]
        again = np.zeros(len(slot), dtype=np.bool_)
        for lag in (-7, -1, 1, 7):
            for near in range(-NEAR, NEAR + 1):
                again |= np.isin(slot, slot + lag * DAY + near)
        slot, depth = slot[~again], depth[~again]
        if not len(slot):
            return 0.0
        visits = np.maximum.reduceat(depth, np.flatnonzero(np.diff(slot, prepend=slot[0] - 2) > 1))
        return STEP * float(np.sort(visits)[-times - 1]) if len(visits) > times else 0.0

    @cached_property
    def _visits(self) -> dict[int, dict[int, int]]:
        """By side, the depth of each slot at which something came and went."""
        visits: dict[int, dict[int, int]] = {}
        for side in np.unique(self.side).tolist():
            own = self.side == side
            slot, depth = self.slot[own], self.depth[own]
            around = np.searchsorted(slot, slot + AROUND, "right") - np.searchsorted(slot, slot - AROUND)
            brief = around <= MOST_AROUND
            visits[side] = dict(zip(slot[brief].tolist(), depth[brief].tolist(), strict=True))
        return visits

    @cached_property
    def _any_visit(self) -> set[int]:
        """The slots at which anything came and went."""
        return {slot for visits in self._visits.values() for slot in visits}

    def as_json(self) -> dict[str, Any]:
        """Plain JSON that `from_json` reads back bit for bit."""
        first = int(self.slot[0]) if len(self.slot) else 0
        parts = ((self.slot - first).astype("<u2"), self.side, self.depth)
        return {
            "first_slot": first,
            "records": base64.b64encode(b"".join(part.tobytes() for part in parts)).decode(),
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any] | None) -> Episodes:
        """The records that `as_json` wrote; none where an older version kept none."""
        if stored is None:
            return cls.none()
        flat = np.frombuffer(base64.b64decode(stored["records"]), dtype=np.uint8)
        count = len(flat) // 4
        since = np.frombuffer(flat[: 2 * count].tobytes(), dtype="<u2").astype(np.int64)
        return cls(since + stored["first_slot"], flat[2 * count : 3 * count].copy(), flat[3 * count :].copy())
