"""Other people's detectors on the same points, in an environment of their own: a JSON object with microseconds a point for each.

Called by `benchmarks.peers` with a file of values (one a line, one a minute) and how many points to give to the slow ones.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

LAGS: Final = 10


def _series(values: Floats) -> Any:
    pandas = importlib.import_module("pandas")
    return pandas.Series(values, index=pandas.date_range("2026-01-01", periods=len(values), freq="min"))


def river_half_space_trees(values: Floats) -> None:
    """Half-space trees (Tan, Ting and Liu, 2011), point by point."""
    anomaly = importlib.import_module("river.anomaly")
    low, span = values.min(), np.ptp(values)
    model = anomaly.HalfSpaceTrees(seed=1, limits={"x": (0.0, 1.0)})
    for value in ((values - low) / span).tolist():
        model.score_one({"x": value})
        model.learn_one({"x": value})


def river_gaussian(values: Floats) -> None:
    """A running Gaussian, point by point: about the least there can be."""
    anomaly = importlib.import_module("river.anomaly")
    model = anomaly.GaussianScorer()
    for value in values.tolist():
        model.score_one(None, value)
        model.learn_one(None, value)


def adtk_persist(values: Floats) -> None:
    """ADTK's persistence detector, over the whole series at once."""
    importlib.import_module("adtk.detector").PersistAD().fit_detect(_series(values))


def adtk_level_shift(values: Floats) -> None:
    """ADTK's level-shift detector, over the whole series at once."""
    importlib.import_module("adtk.detector").LevelShiftAD(window=5).fit_detect(_series(values))


def pyod_ecod(values: Floats) -> None:
    """Pyod's ECOD on ten lags, over the whole series at once."""
    importlib.import_module("pyod.models.ecod").ECOD().fit(
        np.lib.stride_tricks.sliding_window_view(values, LAGS)
    )


def merlion_zms(values: Floats) -> None:
    """Merlion's ZMS, over the whole series at once."""
    zms = importlib.import_module("merlion.models.anomaly.zms")
    series = importlib.import_module("merlion.utils.time_series").TimeSeries.from_pd(_series(values))
    zms.ZMS(zms.ZMSConfig()).train(series)


DETECTORS: Final[tuple[tuple[str, Callable[[Floats], None], bool], ...]] = (
    ("river GaussianScorer", river_gaussian, True),
    ("river HalfSpaceTrees", river_half_space_trees, True),
    ("ADTK PersistAD", adtk_persist, False),
    ("ADTK LevelShiftAD", adtk_level_shift, False),
    ("pyod ECOD, 10 lags", pyod_ecod, False),
    ("Merlion ZMS", merlion_zms, False),
)
"""Name, run, and whether it is slow enough to be given a part only."""


def main(arguments: list[str]) -> int:
    """Time every detector; what cannot run is told by its error."""
    values = np.loadtxt(arguments[0])
    part = int(arguments[1])
    found: dict[str, float | str] = {}
    for name, run, slow in DETECTORS:
        given = values[:part] if slow else values
        try:
            run(values[:2000])
            started = time.perf_counter()
            run(given)
        except Exception as error:  # noqa: BLE001 - whatever a stranger's code raises is what is told of it
            found[name] = f"{type(error).__name__}: {error}"[:100]
        else:
            found[name] = 1e6 * (time.perf_counter() - started) / len(given)
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
