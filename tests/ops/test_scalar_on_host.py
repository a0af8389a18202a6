# SPDX-License-Identifier: Apache-2.0
"""The scalar kernels without their assembly, on this computer."""

from __future__ import annotations

from itertools import product
from pathlib import Path

from mcuplan.backends.scalar import KERNELS

from .c_program import Program
from .cases import grid_examples, make_case, weight_types


def test_what_stands_in_for_the_assembly(tmp_path: Path, host_gcc: str) -> None:
    """Every example of every operator that a kernel runs gives every byte under sanitizers."""
    program, seen = Program(4), set()
    for name, example in grid_examples():
        for seed, dtype in product((1, 2), weight_types(example)):
            case = make_case(name, example, seed, dtype)
            for kernel in KERNELS:
                if kernel.op is type(example.op) and kernel.runs(case.sig):
                    program.add(case, kernel)
                    seen.add(kernel.function)
    assert {kernel.function for kernel in KERNELS} == seen
    assert [] == program.run(tmp_path, compiler=host_gcc)
