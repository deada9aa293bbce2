"""What a cache and its backend are like in a minute: how fast, how many lookups fail, and what is done to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HIT_MS: Final = 0.6
HIT_SIGMA: Final = 0.3
MISS_MS: Final = 90.0
MISS_SIGMA: Final = 0.4


@dataclass(frozen=True, slots=True)
class Condition:
    """What is true of the world at a time; a fault changes it.

    Parameters
    ----------
    backend, lag_ms
        The backend takes so many times as long; the cache itself answers so much later.
    failing, slowly, failed_is_miss
        The share of the backend's calls that fail, whether they take ten times as long or a tenth, and whether such a lookup is
        counted as a miss beside its error.
    rate, surplus, strangers
        Times the usual lookups, lookups for new keys on top as a multiple of the usual, and the share of the usual that asks for keys of
        a far wider set.
    narrow
        Ranks are drawn from the most popular keys that take so large a share of the lookups.
    renamed, unstable
        Every key has another name, or another one each time.
    crowd
        Three times a minute a popular entry expires, and so many ask for it at once.
    reporting
        Whether windows are written at all.
    """

    backend: float = 1.0
    lag_ms: float = 0.0
    failing: float = 0.002
    slowly: bool = False
    failed_is_miss: bool = True
    rate: float = 1.0
    surplus: float = 0.0
    strangers: float = 0.0
    narrow: float = 1.0
    renamed: bool = False
    unstable: bool = False
    crowd: int = 0
    reporting: bool = True


NORMAL: Final = Condition()
