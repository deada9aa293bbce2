"""Boosted regression trees, evaluated by columns: every split is one comparison of a whole column.

Fitting is somebody else's business (Friedman, 2001, Annals of Statistics 29:1189); evaluation is by bit masks as in Lucchese
et al. (2015, SIGIR, QuickScorer): each split that sends a point to the right strikes out the leaves on its left, and the first leaf
that is left over is the point's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from auditor.detection.windows import Floats

MOST_LEAVES: Final = 16
POINTS_AT_ONCE: Final = 8192
"""So many that a column stays in the processor's cache."""
_ALL: Final = (1 << MOST_LEAVES) - 1
_LOWEST: Final = np.array(
    [0] + [(left & -left).bit_length() - 1 for left in range(1, _ALL + 1)], dtype=np.uint8
)


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree.

    Parameters
    ----------
    splits
        (feature, threshold, leaves to the left as bits) of each; a value above the threshold goes to the right.
    value
        Shape (leaves,), from left to right.
    """

    splits: tuple[tuple[int, np.float32, np.uint16], ...]
    value: Floats

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Tree:
        """Read {"feature", "threshold", "left", "right", "value"}: lists by node, the first the root; a leaf's feature is -1.

        Raises
        ------
        ValueError
            If the tree has more than 16 leaves.
        """
        splits: list[tuple[int, np.float32, np.uint16]] = []
        values: list[float] = []

        def leaves_below(node: int) -> int:
            if stored["feature"][node] < 0:
                if len(values) == MOST_LEAVES:
                    raise ValueError(f"a tree may have {MOST_LEAVES} leaves at most")
                values.append(stored["value"][node])
                return 1 << (len(values) - 1)
            left = leaves_below(stored["left"][node])
            splits.append((stored["feature"][node], np.float32(stored["threshold"][node]), np.uint16(left)))
            return left | leaves_below(stored["right"][node])

        leaves_below(0)
        return cls(tuple(splits), np.array(values))

    def add_to(self, total: Floats, columns: Sequence[NDArray[np.float32]]) -> None:
        """Add each point's leaf to its `total`, shape (n,), by the features' columns."""
        struck = np.zeros(len(total), dtype=np.uint16)
        above, leaves = np.empty(len(total), dtype=np.bool_), np.empty_like(struck)
        for feature, threshold, left in self.splits:
            # in place and without a cast within the product: half of the time of the one-line formula
            np.greater(columns[feature], threshold, out=above)
            np.copyto(leaves, above)
            np.multiply(leaves, left, out=leaves)
            np.bitwise_or(struck, leaves, out=struck)
        total += self.value.take(_LOWEST.take(~struck))


def margin(trees: Sequence[Tree], base: float, columns: Sequence[NDArray[np.float32]]) -> Floats:
    """The sum of all trees and `base`, shape (n,); each point's is of itself alone, to the last bit."""
    count = len(columns[0])
    found = np.full(count, base)
    for start in range(0, count, POINTS_AT_ONCE):
        now = slice(start, start + POINTS_AT_ONCE)
        part = [column[now] for column in columns]
        for tree in trees:
            tree.add_to(found[now], part)
    return found
