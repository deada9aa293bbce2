"""Other people's detectors on the same points, in an environment of their own: a JSON object with microseconds a point for each.

Called by `benchmarks.peers` with a file of values (one a line, one a minute); the slow ones are given the first of them only.
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
FOUR_WEEKS: Final = 28 * 1440


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


def prophet_fit_and_predict(values: Floats) -> None:
    """Prophet (Taylor and Letham, 2018): fitted to four weeks (of less, to the first half), the rest predicted with its interval.

    Its defaults, but for the yearly season, which four weeks cannot show.
    """
    prophet = importlib.import_module("prophet")
    pandas = importlib.import_module("pandas")
    series = _series(values)
    rows = pandas.DataFrame({"ds": series.index, "y": series.to_numpy()})
    fitted = min(FOUR_WEEKS, len(values) // 2)
    model = prophet.Prophet(yearly_seasonality=False)
    model.fit(rows[:fitted])
    model.predict(rows[["ds"]][fitted:])


DETECTORS: Final[tuple[tuple[str, Callable[[Floats], None], int | None], ...]] = (
    ("river GaussianScorer", river_gaussian, 50_000),
    ("river HalfSpaceTrees", river_half_space_trees, 50_000),
    ("ADTK PersistAD", adtk_persist, None),
    ("ADTK LevelShiftAD", adtk_level_shift, None),
    ("pyod ECOD, 10 lags", pyod_ecod, None),
    ("Merlion ZMS", merlion_zms, None),
    ("Prophet, 4 weeks fitted and 4 predicted", prophet_fit_and_predict, 2 * FOUR_WEEKS),
)
"""Name, run, and of the slow ones how many points they are given; Prophet's intervals take a gigabyte for four weeks."""


def main(arguments: list[str]) -> int:
    """Time every detector; what cannot run is told by its error."""
    values = np.loadtxt(arguments[0])
    found: dict[str, float | str] = {}
    for name, run, most in DETECTORS:
        given = values[:most]
        try:
            run(values[:2000])
            started = time.perf_counter()
            run(given)
        except Exception as error:  # noqa: BLE001 - whatever a stranger's code raises is what is told of it
            found[name] = f"{type(error).__name__}: {error}"[:100]
        else:
            shown = name if most is None else f"{name}, {len(given):,} points"
            found[shown] = 1e6 * (time.perf_counter() - started) / len(given)
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
