"""Faults are named after causes, lie within the hour, and a wrong name is answered with the nearest."""

from __future__ import annotations

import pytest

from auditor.demo.faults import DEFAULT_FAULT, FAULTS, HOUR, plan_fault
from auditor.detection.signature import CAUSES
from auditor.errors import BadInput


def test_every_cause_that_harms_has_a_fault_and_every_fault_but_none_is_a_cause() -> None:
    assert set(FAULTS) - {"none"} == set(CAUSES) - {"improvement", "unknown"}
    assert DEFAULT_FAULT in FAULTS
    assert all(name == fault.kind for name, fault in FAULTS.items())


def test_a_fault_lies_within_the_hour_with_quiet_before_and_after() -> None:
    starts = set()
    for seed in range(200):
        planned = plan_fault("flush", seed=seed, hour_start=1000)
        assert 1000 + 20 <= planned.start < planned.end <= 1000 + HOUR - 5
        starts.add(planned.start)
        assert planned == plan_fault("flush", seed=seed, hour_start=1000)
    assert len(starts) > 8


@pytest.mark.parametrize(
    ("wrong", "mend"),
    [
        ("capacity-cut", "did you mean capacity_cut"),
        ("backend", "did you mean backend_slow"),
        ("Flush!", "did you mean flush"),
        ("xyzzy", "choose one of flush, capacity_cut"),
        ("", "choose one of flush"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest_one(wrong: str, mend: str) -> None:
    with pytest.raises(BadInput, match=mend):
        plan_fault(wrong, seed=1, hour_start=0)
