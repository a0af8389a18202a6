# SPDX-License-Identifier: Apache-2.0
"""The scalar kernels without their assembly, on this computer."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

from mcuplan.backends.scalar import KERNELS
from mcuplan.ops.fields import FINE_TYPES, INT16_TYPES

from .c_program import Program
from .cases import Case, grid_examples, make_case, weight_types


def _cases() -> Iterator[Case]:
    """Of integers of 8 bits with weights of every type, and of 16 bits."""
    for name, example in grid_examples():
        for seed, dtype in product((1, 2), weight_types(example)):
            yield make_case(name, example, seed, dtype)
        for types in (INT16_TYPES, FINE_TYPES):
            if types in example.op.types and not example.types and example.op.is_wide:
                yield make_case(name, example, 1, types.weights[0], types=types)


def test_what_stands_in_for_the_assembly(tmp_path: Path, host_gcc: str) -> None:
    """Every example of every operator that a kernel runs gives every byte under sanitizers."""
    program, seen = Program(4), set()
    for case in _cases():
        for kernel in KERNELS:
            if kernel.op is type(case.sig.op) and kernel.runs(case.sig):
                program.add(case, kernel)
                seen.add(kernel.function)
    assert {kernel.function for kernel in KERNELS} == seen
    assert [] == program.run(tmp_path, compiler=host_gcc)
