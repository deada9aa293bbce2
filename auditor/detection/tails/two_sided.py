"""Two one-sided p-values into one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from auditor.detection.windows import Floats


def two_sided(lower: Floats, upper: Floats) -> Floats:
    """Twice the smaller tail, at most 1 (Cox and Hinkley, 1974, Theoretical Statistics, section 3.4); NaN stays NaN."""
    return np.minimum(1.0, 2.0 * np.minimum(lower, upper))
