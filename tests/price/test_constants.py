# SPDX-License-Identifier: Apache-2.0
"""What a kernel keeps in flash is known before anything is packed."""

from __future__ import annotations

import pytest

from mcuplan.backends import backend_kernels
from mcuplan.ir.op import ConstArray, Packed
from mcuplan.ir.types import DType, Types
from mcuplan.ops import all_kernels
from mcuplan.price import constants_of
from mcuplan.price.structs import kernel_struct
from mcuplan.prove.bench import SHAPES
from mcuplan.prove.fit.random_shapes import random_shapes
from mcuplan.prove.layers import signature_of

_BY_BACKEND = {"c99": all_kernels(), **backend_kernels()}


@pytest.mark.parametrize("backend", sorted(_BY_BACKEND))
def test_stated_sizes_are_those_of_what_is_packed(backend: str) -> None:
    """Arrays that are packed when they are emitted have the size that they were priced with."""
    packed = 0
    shapes = (*SHAPES, *random_shapes(3, 4))
    real = [shape for shape in shapes if Types.all(DType.FLOAT32) in shape.op.types]
    pairs = [(shape, signature_of(shape)) for shape in shapes]
    pairs += [(shape, signature_of(shape, real=True)) for shape in real]
    for shape, sig in pairs:
        for kernel in _BY_BACKEND[backend]:
            if kernel.op is not type(shape.op) or not kernel.runs(sig):
                continue
            fields = [value for call in kernel.calls(sig) for value in call.fields.values()]
            arrays = [value for value in fields if isinstance(value, ConstArray)]
            for array in arrays:
                assert array.values.size == array.content.size, (kernel.function, shape.name)
                packed += isinstance(array.content, Packed)
            found = constants_of(kernel, sig)
            structs = len(kernel.calls(sig)) * kernel_struct(kernel.function).nbytes
            assert found.nbytes == structs + sum(array.nbytes for array in arrays)
    assert bool(packed) == (backend not in ("c99", "cmsis_nn"))
