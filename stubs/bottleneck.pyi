# What of Bottleneck is used here; it comes without types.

from numpy import float64
from numpy.typing import NDArray

def move_median(a: NDArray[float64], window: int) -> NDArray[float64]: ...
