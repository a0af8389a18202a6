# SPDX-License-Identifier: Apache-2.0
"""What modelled cycles rest on."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from mcuplan.backends import backend_kernels
from mcuplan.ir.op import Kernel
from mcuplan.ops import all_kernels
from mcuplan.ops.eltwise import Add
from mcuplan.price import Ground, expected_cycles
from mcuplan.prove.layers import Shape, signature_of
from mcuplan.schedule.kernels.select import by_speed
from mcuplan.schedule.program import Step
from mcuplan.targets import load_target

_SIG = signature_of(Shape(Add(), ((1, 4, 4, 8), (1, 4, 4, 8))))


def _kernel(backend: str) -> Kernel:
    listed = all_kernels() if backend == "c99" else backend_kernels()[backend]
    return next(kernel for kernel in listed if kernel.op is Add and kernel.runs(_SIG))


@pytest.mark.parametrize(
    ("core", "backend", "ground"),
    [
        ("cortex-m4", "c99", Ground.MEASURED),
        ("cortex-m4", "dsp", Ground.MEASURED),
        ("cortex-m4", "scalar", Ground.MEASURED),
        ("cortex-m33", "dsp", Ground.MEASURED),
        ("cortex-m7", "dsp", Ground.MEASURED),
        ("cortex-m3", "c99", Ground.SCALED),
        ("cortex-m55", "dsp", Ground.SCALED),
        ("cortex-m55", "mve", Ground.RATED),
    ],
)
def test_figures_say_what_they_rest_on(core: str, backend: str, ground: Ground) -> None:
    """Only what was counted on the core itself states an error."""
    found = expected_cycles(_kernel(backend), _SIG, load_target(core))
    assert ground is found.ground
    assert (ground is Ground.MEASURED) == (found.error is not None)


def test_borrowed_rates_say_nothing_against_a_kernel() -> None:
    """A set without rates is meant to be faster than the others, and comes first."""
    target = load_target("cortex-m55")
    rates = {name: table for name, table in target.rates.items() if name != "mve"}
    target = replace(target, rates=MappingProxyType(rates))
    found = expected_cycles(_kernel("mve"), _SIG, target)
    assert Ground.BORROWED is found.ground
    node = type("Node", (), {})()
    steps = [Step(0, node, _SIG, _kernel(name)) for name in ("mve", "dsp", "c99")]
    ranked = by_speed(steps, target)
    assert "mve" == ranked[0].step.kernel.backend
    assert ranked[0].cycles <= ranked[1].cycles


def test_rows_made_together_take_as_long_alone() -> None:
    """A kernel of two rows has the price of four for three, and of six for three alone."""
    target, pair = load_target("cortex-m55"), replace(_kernel("mve"), rows_together=2)
    whole = expected_cycles(_kernel("mve"), _SIG, target).cycles
    prices = [expected_cycles(pair, _SIG, target, runs).cycles for runs in ((4,), (3,), (1, 1, 1))]
    assert [whole, whole * 4 / 3, whole * 2] == pytest.approx(prices)
