"""Logarithm and exponential whose result for an element depends on nothing but that element.

What was found (numpy 2.4, x86-64): with AVX-512, `np.log` and `np.exp` of float64 run a vector routine whose tail is masked, not
left to another routine, so place, length and alignment change nothing; but an array that runs backwards, or whose output
overlaps its input, goes to the C library instead, and about one result in twenty then differs in its last bit. Without
AVX-512 everything goes to the C library. So the argument is laid out contiguously and the output is always a new array. The same holds
for `expm1` and `log1p`; `math.log` and `math.exp` are the C library's, so they are never mixed with these for one quantity.
Between machines with different processors the last bit may differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from auditor.detection.windows import Floats


def exact_log(x: ArrayLike) -> Floats:
    """Natural logarithm, shape as given; -inf of nought, NaN of what is negative or NaN, without warnings."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(_laid(x))


def exact_exp(x: ArrayLike) -> Floats:
    """Exponential, shape as given; inf where it overflows, 0 where it vanishes, without warnings."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return np.exp(_laid(x))


def bare_log(x: Floats) -> Floats:
    """`exact_log` of an array in C order that nobody else writes to, where warnings are silenced already: a third of the time for a few elements."""
    return np.log(x)


def bare_exp(x: Floats) -> Floats:
    """`exact_exp` under the same conditions."""
    return np.exp(x)


def _laid(x: ArrayLike) -> Floats:
    """A copy as float64 in C order, of the shape given: the one layout that has one routine.

    Always a copy: a view of one element of an array that runs backwards still claims to run backwards.
    """
    return np.array(x, dtype=np.float64, order="C")
