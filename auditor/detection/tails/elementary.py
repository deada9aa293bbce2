"""Logarithm and exponential whose result for an element depends on nothing but that element.

numpy's own loops are used; that a value's result does not change with its place in an array or with the array's length is
not promised by numpy, so a test holds it on the machine at hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from auditor.detection.windows import Floats


def exact_log(x: ArrayLike) -> Floats:
    """Natural logarithm; -inf of nought, NaN of what is negative or NaN, without warnings."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(np.asarray(x, dtype=np.float64))


def exact_exp(x: ArrayLike) -> Floats:
    """Exponential; inf where it overflows, without warnings."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.exp(np.asarray(x, dtype=np.float64))
