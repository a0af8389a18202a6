# SPDX-License-Identifier: Apache-2.0
"""Kernels that call CMSIS-NN, with a stand-in for it, on this computer."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcuplan.backends._cmsis_nn_sizes import Extension
from mcuplan.backends.cmsis_nn import kernels_of

from .c_program import Program
from .cases import grid_examples, make_case

STAND_IN = Path(__file__).resolve().parent.parent / "backends" / "cmsis_nn"
LIBRARY = (
    "-DCMSIS_NN_USE_SINGLE_ROUNDING",
    "-isystem",
    str(STAND_IN / "Include"),
    str(STAND_IN / "Source" / "stand_in.c"),
)


@pytest.mark.parametrize("extension", [Extension.NONE])
def test_what_calls_the_library(extension: Extension, tmp_path: Path, host_gcc: str) -> None:
    """Every example that a kernel runs gives every byte, in any arrangement of rows.

    The stand-in makes outputs in another order, and uses all of its buffer and no more.
    """
    program, seen = Program(7), set()
    kernels = kernels_of(extension.value)
    for name, example in grid_examples():
        for seed in (1, 2):
            case = make_case(name, example, seed)
            for kernel in kernels:
                if kernel.op is type(example.op) and kernel.runs(case.sig):
                    program.add(case, kernel)
                    seen.add((kernel.op, kernel.row_by_row))
    assert {(kernel.op, kernel.row_by_row) for kernel in kernels} == seen
    assert [] == program.run(tmp_path, compiler=host_gcc, library=LIBRARY)
