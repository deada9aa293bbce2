"""What the environment says about the collector; no value of it silently means a default."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

ENABLED_VARIABLE: Final = "CACHE_METRICS_ENABLED"
BATCH_SIZE_VARIABLE: Final = "CACHE_METRICS_BATCH_SIZE"
FLUSH_INTERVAL_VARIABLE: Final = "CACHE_METRICS_FLUSH_INTERVAL"
SPOOL_DIR_VARIABLE: Final = "CACHE_METRICS_SPOOL_DIR"
SINK_VARIABLE: Final = "CACHE_METRICS_SINK"
DEFAULT_BATCH_SIZE: Final = 1000
DEFAULT_FLUSH_INTERVAL: Final = 5.0
_YES: Final = frozenset({"", "1", "true", "yes", "on"})
_NO: Final = frozenset({"0", "false", "no", "off"})


def enabled() -> bool:
    """CACHE_METRICS_ENABLED; true by default.

    Raises
    ------
    ValueError
        If it is neither yes nor no.
    """
    text = _read(ENABLED_VARIABLE)
    if text.lower() not in _YES | _NO:
        raise ValueError(f"{ENABLED_VARIABLE} has to be true or false, not {text}")
    return text.lower() in _YES


def batch_size() -> int:
    """CACHE_METRICS_BATCH_SIZE, in events; 1000 by default.

    Raises
    ------
    ValueError
        If it is not a positive whole number.
    """
    text = _read(BATCH_SIZE_VARIABLE) or str(DEFAULT_BATCH_SIZE)
    try:
        size = int(text)
    except ValueError:
        size = 0
    if size < 1:
        raise ValueError(f"{BATCH_SIZE_VARIABLE} has to be a whole number of at least 1, not {text}")
    return size


def flush_interval() -> float:
    """CACHE_METRICS_FLUSH_INTERVAL, in seconds; 5 by default.

    Raises
    ------
    ValueError
        If it is not a number above 0 and up to 3600.
    """
    text = _read(FLUSH_INTERVAL_VARIABLE) or str(DEFAULT_FLUSH_INTERVAL)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3600:
        raise ValueError(
            f"{FLUSH_INTERVAL_VARIABLE} has to be a number of seconds above 0 and up to 3600, not {text}"
        )
    return seconds


def spool_folder(destination: str, chosen: Path | None = None) -> Path | None:
    """The folder of what waits for one destination, so that no other destination is ever given it; None without a home.

    It lies in the folder that was chosen, else in CACHE_METRICS_SPOOL_DIR, else in the user's cache folder.
    """
    import hashlib
    from pathlib import Path

    folder = str(chosen) if chosen is not None else _read(SPOOL_DIR_VARIABLE)
    if not folder:
        try:
            home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        except RuntimeError:
            return None
        folder = str(Path(home) / "cache-auditor" / "collector")
    return Path(folder).expanduser() / hashlib.blake2b(destination.encode(), digest_size=8).hexdigest()


def _read(name: str) -> str:
    return os.environ.get(name, "").strip()
