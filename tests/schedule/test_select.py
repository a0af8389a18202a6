# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import pytest
from networks import tiny_plan

from mcuplan.backends import backend_kernels, backend_of
from mcuplan.schedule import select_kernels
from mcuplan.targets import list_targets, load_target


@pytest.mark.parametrize("name", list_targets())
def test_no_core_gets_a_kernel_that_it_cannot_run(name: str) -> None:
    """A selected kernel needs nothing that the target lacks."""
    target = load_target(name)
    target = replace(target, backend=backend_of(target.features))
    program = select_kernels(tiny_plan().program.graph, target)
    for step in program.steps:
        assert step.kernel.requires <= set(target.features)
        assert step.kernel.supports(step.signature)


def test_fast_kernels_come_first_where_they_apply() -> None:
    """On a core with DSP instructions the convolutions leave the portable kernels."""
    target = replace(load_target("cortex-m4"), backend="dsp")
    program = select_kernels(tiny_plan().program.graph, target)
    backends = {step.kernel.backend for step in program.steps if step.cost.macs}
    assert {"dsp"} == backends


def test_the_backend_that_asks_for_most_wins() -> None:
    """A core with DSP instructions and vectors runs the vector kernels."""
    assert "mve" == backend_of(load_target("cortex-m55").features)
    assert "dsp" == backend_of(load_target("cortex-m4").features)
    assert "scalar" == backend_of(load_target("cortex-m0plus").features)


def test_the_portable_set_is_the_default() -> None:
    """A target as loaded takes no backend's kernels, and every backend has a name."""
    program = select_kernels(tiny_plan().program.graph, load_target("cortex-m4"))
    assert {"c99"} == {step.kernel.backend for step in program.steps}
    assert "c99" not in backend_kernels()
