"""The sides on which metrics have findings, by the number under which each is recorded."""

from __future__ import annotations

from typing import Final

from auditor.detection.budget import CALIBRATED

SILENCE: Final = 14
SIDES: Final = {
    side: number + (number >= SILENCE)
    for number, side in enumerate(
        (name, direction) for name, directions in CALIBRATED.items() for direction in directions
    )
}
"""Records outlive versions: what is judged since comes after silence."""
