# SPDX-License-Identifier: Apache-2.0
"""The dsp kernels of int16 on an emulated Cortex-M4 against the integer meaning."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from board_program import BoardProgram, supporting, wide_layer

from mcuplan.backends.dsp import KERNELS
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.dense import Dense

INF = float("inf")
# kernel, stride, dilation, pads, (h, w, c), output channels
CONVS = [
    ((1, 1), (1, 1), (1, 1), (0, 0, 0, 0), (3, 4, 8), 5),
    ((1, 1), (2, 2), (1, 1), (0, 0, 0, 0), (5, 7, 4), 4),
    ((1, 1), (1, 1), (1, 1), (0, 0, 0, 0), (2, 3, 7), 3),
    ((3, 3), (1, 1), (1, 1), (1, 1, 1, 1), (5, 6, 3), 6),
    ((3, 3), (2, 2), (2, 1), (0, 1, 2, 1), (8, 7, 5), 7),
    ((5, 2), (1, 3), (1, 1), (2, 1, 2, 1), (4, 8, 2), 2),
    ((4, 4), (1, 1), (1, 1), (3, 3, 3, 3), (2, 2, 1), 1),
]
# kernel, stride, pads, (h, w, c)
DEPTHWISES = [
    ((3, 3), (1, 1), (1, 2, 1, 2), (5, 6, 4)),
    ((5, 2), (2, 1), (4, 0, 2, 1), (4, 7, 6)),
    ((1, 3), (1, 2), (0, 3, 0, 5), (3, 2, 2)),
]
DENSES = [((1, 7), 5), ((1, 64), 12), ((1, 1), 1), ((1, 30), 9), ((1, 3, 4, 12), 6), ((1, 6, 5), 4)]


@pytest.mark.parametrize("level", ["-O0", "-O2", "-Os"])
def test_layers(level: str, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Weights of 8 and of 16 bits, any window and number of channels, give every byte."""
    program = BoardProgram(7)
    ran = {}
    for bits, suffix in ((8, ""), (16, "_w16")):
        names = [f"mplan_{kind}_s16{suffix}_dsp" for kind in ("dense", "conv2d")]
        layers = [(Dense(), shape, (outputs, shape[-1])) for shape, outputs in DENSES]
        for kernel, stride, dilation, pads, shape, outputs in CONVS:
            act = (-9000.0, 20000.0) if outputs % 3 == 0 else (-INF, INF)
            op = Conv2D(kernel, stride, dilation, pads, 1, act)
            layers.append((op, (1, *shape), (outputs, *kernel, shape[2])))
        for op, shape, weights in layers:
            sig = wide_layer(op, program.rng, shape, weights, bits)
            for name in names:
                found = supporting(KERNELS, name, sig)
                if found:
                    program.add(sig, found)
                    ran[name] = ran.get(name, 0) + 1
        for kernel, stride, pads, shape in DEPTHWISES:
            op = Conv2D(kernel, stride, (1, 2), pads, shape[2], (-9000.0, 20000.0))
            sig = wide_layer(op, program.rng, (1, *shape), (shape[2], *kernel, 1), bits)
            source = replace(sig.inputs[0], quant=replace(sig.inputs[0].q, zero_point=(0,)))
            sig = replace(sig, inputs=(source, *sig.inputs[1:]))
            found = supporting(KERNELS, "mplan_depthwise_s16_dsp", sig)
            assert found
            program.add(sig, found)
    assert [6 + 2, 7 + 1] * 2 == list(ran.values())
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)
