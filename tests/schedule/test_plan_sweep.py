# SPDX-License-Identifier: Apache-2.0
"""A few of all models x targets x objectives x streaming; plan_sweep.py tries the others."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from plan_sweep import all_ways, fault_of, read

from mcuplan.schedule.kernels.objective import Objective
from mcuplan.targets import list_targets

_MODELS = Path(__file__).resolve().parents[2] / "models"


def test_all_ways_are_all() -> None:
    """Every target, objective and way of streaming is among them, once."""
    ways = all_ways()
    assert len(set(ways)) == len(ways)
    assert len(ways) >= 3 * len(Objective) * len(list_targets())


@pytest.mark.parametrize(("name", "count"), [("digits_dscnn", 8), ("imu_gesture_cnn", 2)])
def test_models_are_planned_in_every_way(name: str, count: int) -> None:
    """Plans, reports and code, or a refusal with a code: nothing else."""
    planned = read(_MODELS / name / "model.onnx")
    for way in random.Random(name).sample(all_ways(), count):
        assert "" == fault_of(planned, way), str(way)
