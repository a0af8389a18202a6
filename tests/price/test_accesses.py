# SPDX-License-Identifier: Apache-2.0
"""How often kernels read and write RAM."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mcuplan.backends import backend_kernels
from mcuplan.ir.op import Kernel
from mcuplan.ops import kernels_of
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.eltwise import Add
from mcuplan.price import Accesses, accesses_of
from mcuplan.prove.layers import Shape, signature_of

_SUM = signature_of(Shape(Add(), ((1, 4, 4, 3), (1, 4, 4, 3))))
_CONV = signature_of(Shape(Conv2D((3, 3)), ((1, 6, 6, 4),), ((8, 3, 3, 4), (8,))))


def _fast(op: type, function: str) -> Kernel:
    return next(k for k in backend_kernels()["dsp"] if (k.op, k.function) == (op, function))


def test_portable_kernels_load_elements_and_fast_ones_words() -> None:
    """Without a cache an element of any size is one access, four bytes are one of a word."""
    (portable, *_) = kernels_of()[Add]
    fast = _fast(Add, "mplan_add_s8_dsp")
    assert Accesses((48, 48), (48,), 0) == accesses_of(portable, _SUM, cached=False)
    assert Accesses((12, 12), (48,), 0) == accesses_of(fast, _SUM, cached=False)


@pytest.mark.parametrize("width", [1, 4])
def test_a_cache_moves_words(width: int) -> None:
    """With a cache bytes count, whoever reads them."""
    kinds = [replace(kind, shape=(1, 4, 4, 3 * width)) for kind in _SUM.inputs]
    sig = replace(_SUM, inputs=tuple(kinds), outputs=(replace(_SUM.output, shape=kinds[0].shape),))
    words = 12 * width
    (portable, *_) = kernels_of()[Add]
    assert Accesses((words, words), (words,), 0) == accesses_of(portable, sig, cached=True)


def test_a_patch_in_scratch_takes_the_place_of_the_input() -> None:
    """Constants are not in RAM; what is multiplied comes from scratch where a patch is there."""
    windows, macs = 4 * 4 * 36, 4 * 4 * 8 * 36
    portable = next(k for k in kernels_of()[Conv2D] if k.function == "mplan_conv2d_s8")
    direct = accesses_of(portable, _CONV, cached=False)
    assert Accesses((macs // 2, 0, 0), (128,), 0) == direct
    patched = accesses_of(_fast(Conv2D, "mplan_conv2d_s8_dsp"), _CONV, cached=False)
    assert Accesses((windows // 4, 0, 0), (128,), macs // 8 + windows // 4) == patched
