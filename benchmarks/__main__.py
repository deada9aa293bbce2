"""Run benchmarks by name, or all of them: `python -m benchmarks [--quick] [ingest replay latency footprint calibration faults field series peers realtime collector demo]`.

The numbers of all that ran go to benchmarks/results.json too, beside those of what did not run.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

NAMES = (
    "ingest",
    "replay",
    "latency",
    "footprint",
    "calibration",
    "faults",
    "field",
    "series",
    "peers",
    "realtime",
    "collector",
    "demo",
)


def main(arguments: list[str]) -> int:
    """Run what was asked for; the exit code."""
    quick = "--quick" in arguments
    asked = [name for name in arguments if name != "--quick"] or list(NAMES)
    unknown = [name for name in asked if name not in NAMES]
    if unknown:
        print(f"benchmarks: there is no {unknown[0]}; choose from {', '.join(NAMES)}.", file=sys.stderr)
        return 2
    results = {}
    for name in asked:
        print(f"\n{name}\n{'-' * len(name)}", flush=True)
        results[name] = importlib.import_module(f"benchmarks.{name}").main(quick=quick)
    written = Path(__file__).with_name("results.json")
    before = json.loads(written.read_text()) if written.exists() else {}
    written.write_text(json.dumps(before | results, indent=2) + "\n")
    print(f"\nWritten to {written.name}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
