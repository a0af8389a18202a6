# SPDX-License-Identifier: Apache-2.0
"""The dsp kernels of attention on an emulated Cortex-M4, byte for byte."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from board_program import BoardProgram, codes, unweighted

from mcuplan.backends.dsp import KERNELS
from mcuplan.ops.attention import Attention
from mcuplan.ops.rounded_attention import RoundedAttention

ATTENTION = "mplan_attention_s8_dsp"


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_attention(level: str, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """Heads of any width, causal or not, with keys of their own or shared, give every byte."""
    program = BoardProgram(8)
    for op, queries, keys, values in [
        (Attention(0.35), (1, 5, 2, 8), (1, 5, 2, 8), (1, 5, 2, 8)),
        (Attention(0.5, True), (1, 6, 1, 4), (1, 7, 1, 4), (1, 7, 1, 4)),
        (Attention(0.25), (1, 3, 4, 7), (1, 9, 2, 7), (1, 9, 2, 5)),
        (Attention(0.001), (1, 2, 1, 18), (1, 1, 1, 18), (1, 1, 1, 3)),
        (Attention(2.0, True), (1, 4, 3, 20), (1, 4, 1, 20), (1, 4, 1, 9)),
    ]:
        for _ in range(2):
            sig = unweighted(op, program.rng, queries, keys, values)
            found = [k for k in KERNELS if k.function == ATTENTION and k.runs(sig)]
            assert len(found) == 2
            for kernel in found:
                program.add(sig, kernel)
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)


@pytest.mark.parametrize("level", ["-O0", "-O2"])
def test_rounded_attention(level: str, tmp_path: Path, arm_gcc: str, qemu: str) -> None:
    """The model's own grids of scores and weights, masked or not, give every byte."""
    program = BoardProgram(9)
    for example in RoundedAttention.examples():
        if example.inputs[0][3] < 4:
            continue
        for _ in range(2):
            sig = unweighted(example.op, program.rng, *example.inputs)
            if example.constants:
                mask = codes(program.rng, example.inputs[3])
                sig = replace(sig, constants=(None, None, None, mask))
            found = [k for k in KERNELS if k.op is RoundedAttention and k.runs(sig)]
            assert len(found) == 2
            for kernel in found:
                program.add(sig, kernel)
    assert [] == program.run(tmp_path, arm_gcc, qemu, level)
