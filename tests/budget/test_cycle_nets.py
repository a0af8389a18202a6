# SPDX-License-Identifier: Apache-2.0
"""A few of the random networks that `cycle_nets.py` counts by night."""

from __future__ import annotations

import pytest
from cycle_nets import misses, network

_COMPILERS_DIFFER = 0.01


@pytest.mark.parametrize("seed", [1, 3, 8])
def test_random_networks_take_what_is_modelled(seed: int, arm_gcc: str, qemu: str) -> None:
    """Whole, by rows and fed: no plan is off by more than it states."""
    for miss in misses(seed):
        assert abs(miss.off) <= miss.stated + _COMPILERS_DIFFER, miss


def test_signals_are_among_them() -> None:
    """Every third network has rows of one pixel; some inputs are planes."""
    shapes = [network(seed).inputs[0].shape for seed in range(12)]
    assert any(shape[2] == 1 or shape[3] == 1 for shape in shapes)
    assert any(shape[1] < shape[2] for shape in shapes)
