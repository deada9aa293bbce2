"""What was found strange, when, and by how much: the memory from which it is told what comes again at the same time.

A record is ten minutes of one metric in one direction, four bytes; windows with nothing to say leave none.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from auditor.detection.policy import HISTORY_DAYS

if TYPE_CHECKING:
    from auditor.detection.windows import Floats

MINUTES: Final = 10
"""Of one record."""
DAY: Final = 144
"""Records of a day."""
KEPT_DAYS: Final = HISTORY_DAYS
MOST: Final = 1000
"""Records that a day begins with, the newest: a batch of forty minutes in six metrics every night of four weeks."""
NEAR: Final = 1
"""Records on either side in which something still counts as having come at the same time."""
NEAR_IN_WEEKS: Final = 2
LAST_DAYS: Final = range(1, 8)
Rule = tuple[tuple[int, int], ...]
OF_DAYS: Final[Rule] = ((7, 4),)
"""Of how many of the last days on how many something has to have come: three faults at one time of day are still three faults."""
SILENT_DAYS: Final[Rule] = ((3, 2), (7, 3))
"""Of silence, which comes every night or never."""
LAST_WEEKS: Final = range(7, KEPT_DAYS, 7)
OF_WEEKS: Final = 2
BETWEEN: Final = range(1, 7)
MOST_BETWEEN: Final = 3
"""Of the days between, on so many at most it may have come as well, where it comes with the weeks."""
HOUR: Final = 6
"""Records of an hour."""
HOURS_APART: Final = (1, 2, 3, 4, 6)
"""What comes every so many hours is looked for, too."""
LAST_TIMES: Final = range(1, 5)
OF_TIMES: Final = 3
"""Of the last four times it has to have come three times."""
AROUND: Final = 72
MOST_AROUND: Final = 72
"""Of the records of twelve hours on either side, so many at most are of what comes and goes; more are of a state that lasts."""
BACK_WITHIN: Final = (-3, -2, -1, 1, 2, 3)
MOST_HOURS: Final = 6
LASTING: Final = 128
"""Added to the side of what lasts, of which every third record is kept."""
THIN: Final = 3
STEP: Final = 1 / 8
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
        The metric and its direction, by number; with `LASTING` added, once it has shown to last, of half an hour each.
    depth
        How far it went at most, on the metric's link scale, in steps of an eighth.
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
        return Episodes(*_deepest(slot, sides, deep))

    def without(self, first_minute: int, last_minute: int) -> Episodes:
        """The records but for those that touch the minutes from one to another."""
        kept = (self.slot < first_minute // MINUTES) | (self.slot > last_minute // MINUTES)
        return Episodes(self.slot[kept], self.side[kept], self.depth[kept])

    def same_as(self, other: Episodes) -> bool:
        """Whether both hold the same records; what nothing was added to is the same, or has the same number and depths."""
        return self is other or (
            len(self.slot) == len(other.slot) and bool((self.depth == other.depth).all())
        )

    def newest(self, minute: int) -> Episodes:
        """The records of the four weeks before a minute, the newest of them where they are too many."""
        if not len(self.slot):
            return self
        now = minute // MINUTES
        kept = self.slot >= now - KEPT_DAYS * DAY
        slot, side, depth = self.slot[kept], self.side[kept], self.depth[kept]
        lasting = (self._around[kept] > MOST_AROUND) & (slot < now - AROUND)
        side = np.where(lasting, side | LASTING, side)
        slot, side, depth = _deepest(
            np.where(side >= LASTING, slot // THIN * THIN + THIN // 2, slot), side, depth
        )
        return Episodes(slot[-MOST:], side[-MOST:], depth[-MOST:])

    def usual(self, side: int, minutes: _Integers, rule: Rule = OF_DAYS) -> Floats:
        """How far a side goes at these times of the day as a rule, on the link scale, shape (n,); 0 where it does not go anywhere.

        It is a rule where the side has come, within ten minutes or so, on as many of the last days as the `rule` says, or, within twenty minutes
        or so, on two of the last three of its weekdays, or, within ten minutes or so, three of the last four times every hour or every few hours; it
        goes as far as half of those visits did. Only what came before the day counts, of hours what came before the hour. Of days
        only what came and went: a state that lasts is no visit; of weeks what did not come on most days between, of hours what
        was not there half-way before.
        """
        slots, where = np.unique(minutes // MINUTES, return_inverse=True)
        return np.array([self._usual_at(side, slot, rule) for slot in slots.tolist()])[where]

    def _usual_at(self, side: int, slot: int, rule: Rule) -> float:
        midnight, depth = slot - slot % DAY, 0
        days = _depths(
            self._visits.get(side, {}), [_near(slot - lag * DAY, NEAR, midnight) for lag in LAST_DAYS]
        )
        if any(np.count_nonzero(days[:last]) >= least for last, least in rule):
            depth = _of_half(days)
        known = self._known.get(side, {})
        weeks = _depths(known, [_near(slot - lag * DAY, NEAR_IN_WEEKS, midnight) for lag in LAST_WEEKS])
        if np.count_nonzero(weeks) >= OF_WEEKS:
            between = [_near(slot - lag * DAY, NEAR, midnight) for lag in BETWEEN]
            if sum(not self._anything.isdisjoint(day) for day in between) <= MOST_BETWEEN:
                depth = max(depth, _of_half(weeks))
        return STEP * max(depth, self._by_hours(side, slot))

    def _by_hours(self, side: int, slot: int) -> int:
        """How far something goes, in steps, that comes every hour, or every few hours; 0 where nothing does."""
        visits, known = self._passing.get(side, {}), self._known.get(side, {})
        if not visits:
            return 0
        hour, depth = slot - slot % HOUR, 0
        for apart in HOURS_APART:
            lag = apart * HOUR
            times = _depths(visits, [_near(slot - time * lag, NEAR, hour) for time in LAST_TIMES])
            # an outage that lasts comes every hour too, but does not go in between
            came = [
                deep if slot - time * lag - lag // 2 not in known else 0
                for time, deep in zip(LAST_TIMES, times, strict=True)
            ]
            if np.count_nonzero(came) >= OF_TIMES:
                depth = max(depth, _of_half(came))
        return depth

    def hours(self, side: int) -> list[int]:
        """The hours of the day, UTC, to which a side has come back within three days, at the same time; none where those are many, for then all hours are alike."""
        visits = self._visits.get(side, {})
        hours = {
            slot % DAY * MINUTES // 60
            for slot in visits
            if any(
                slot + lag * DAY + near in visits for lag in BACK_WITHIN for near in range(-NEAR, NEAR + 1)
            )
        }
        return sorted(hours) if len(hours) <= MOST_HOURS else []

    def exceeded(self, side: int, before: int, times: int) -> float:
        """The depth that a side has gone beyond so many times before a minute, each visit counted once; 0 where it has not come as often.

        What came at the same time on the next day, or in the next week, is left out: of that a rule is made.
        """
        own = (self.side % LASTING == side) & (self.slot < before // MINUTES)
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
    def _around(self) -> _Integers:
        """How many records of the same side there are within twelve hours of each, those of half an hour as three."""
        around = np.zeros(len(self.slot), dtype=np.int64)
        sides = self.side % LASTING
        for side in np.unique(sides).tolist():
            own = np.flatnonzero(sides == side)
            slot = self.slot[own]
            before = np.concatenate([[0], np.cumsum(np.where(self.side[own] >= LASTING, THIN, 1))])
            first, last = np.searchsorted(slot, slot - AROUND), np.searchsorted(slot, slot + AROUND, "right")
            around[own] = before[last] - before[first]
        return around

    @cached_property
    def _known(self) -> dict[int, dict[int, int]]:
        """By side, the depth of each slot."""
        return self._by_side(np.ones(len(self.slot), dtype=np.bool_))

    @cached_property
    def _passing(self) -> dict[int, dict[int, int]]:
        """By side, the depth of each slot of what has not shown to last by the beginning of the day."""
        return self._by_side(self.side < LASTING)

    @cached_property
    def _anything(self) -> set[int]:
        """The slots at which there was anything."""
        return set(self.slot.tolist())

    @cached_property
    def _visits(self) -> dict[int, dict[int, int]]:
        """By side, the depth of each slot at which something came and went."""
        return self._by_side((self._around <= MOST_AROUND) & (self.side < LASTING))

    def _by_side(self, which: np.typing.NDArray[np.bool_]) -> dict[int, dict[int, int]]:
        depths: dict[int, dict[int, int]] = {}
        records = zip(
            self.slot[which].tolist(),
            (self.side[which] % LASTING).tolist(),
            self.depth[which].tolist(),
            strict=True,
        )
        for slot, side, depth in records:
            own = depths.setdefault(side, {})
            own[slot] = max(depth, own.get(slot, 0))
        return depths

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


def _near(slot: int, near: int, before: int) -> range:
    """The slots about one, that lie before another."""
    return range(slot - near, min(slot + near + 1, before))


def _depths(known: dict[int, int], around: list[range]) -> list[int]:
    """How deep it was at most around each time; 0 where nothing came."""
    return [max((known.get(at, 0) for at in slots), default=0) for slots in around]


def _of_half(depths: list[int]) -> int:
    """The depth that half of the visits reached."""
    came = sorted(depth for depth in depths if depth)
    return came[len(came) // 2]


def _deepest(
    slot: _Integers, side: np.typing.NDArray[np.uint8], depth: np.typing.NDArray[np.uint8]
) -> tuple[_Integers, np.typing.NDArray[np.uint8], np.typing.NDArray[np.uint8]]:
    """Records in order, of one slot and side the deepest."""
    order = np.lexsort((DEEPEST - depth, side, slot))
    slot, side, depth = slot[order], side[order], depth[order]
    first = np.ones(len(slot), dtype=np.bool_)
    first[1:] = (np.diff(slot) != 0) | (np.diff(side) != 0)
    return slot[first], side[first], depth[first]
