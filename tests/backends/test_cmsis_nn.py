# SPDX-License-Identifier: Apache-2.0
"""When kernels that call a library are offered, and what they leave to others."""

from __future__ import annotations

import numpy as np
import pytest
from board_program import layer

from mcuplan.backends import backend_of, kernels_for
from mcuplan.backends._cmsis_nn_sizes import Extension
from mcuplan.ops.conv2d import Conv2D

DSP = frozenset({"dsp", "fpu"})


@pytest.mark.parametrize("extension", Extension)
def test_only_where_they_are_asked_for(extension: Extension) -> None:
    """No core takes them by itself, whatever it has."""
    sets = {kernel.backend for found in kernels_for(extension.value).values() for kernel in found}
    assert "cmsis_nn" not in sets | {backend_of(extension.value)}


@pytest.mark.parametrize(("groups", "theirs"), [(1, True), (8, True), (2, False)])
def test_what_the_library_computes_has_no_other_kernel(groups: int, theirs: bool) -> None:
    """A convolution of some groups is left to every kernel of the core."""
    op = Conv2D((3, 3), pads=(1, 1, 1, 1), groups=groups)
    sig = layer(op, np.random.default_rng(5), (1, 6, 6, 8), (8, 3, 3, 8 // groups))
    offered = [k for k in kernels_for(DSP, "cmsis_nn")[Conv2D] if k.runs(sig)]
    assert theirs == ({"cmsis_nn"} == {kernel.backend for kernel in offered})
    assert theirs or {k.function for k in offered} == {
        k.function for k in kernels_for(DSP)[Conv2D] if k.runs(sig)
    }


def test_padding_beyond_a_window_is_left_to_others() -> None:
    """The library is never given a window without a tap inside."""
    op = Conv2D((2, 2), pads=(3, 0, 0, 0))
    sig = layer(op, np.random.default_rng(6), (1, 6, 6, 4), (4, 2, 2, 4))
    assert not any(
        k.backend == "cmsis_nn" and k.runs(sig) for k in kernels_for(DSP, "cmsis_nn")[Conv2D]
    )
