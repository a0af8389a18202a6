# SPDX-License-Identifier: Apache-2.0
"""Convolutions over three axes and transposed ones, four channels at a time."""

from __future__ import annotations

from collections.abc import Sequence

from mcuplan.backends.dsp._shared import FOUR, kernel
from mcuplan.ir.op import Signature
from mcuplan.ir.work import Work
from mcuplan.ops import portable_calls
from mcuplan.ops.conv3d import Conv3D
from mcuplan.ops.conv3d_kernels import conv3d_work

__all__ = ["CONV3D"]


def _supports(sig: Signature) -> bool:
    """Runs that hold a word: channels of a group, or a line of them all."""
    op = sig.op
    assert isinstance(op, Conv3D)
    joined = op.up[-1] == op.dilation[-1] == op.groups == 1
    return sig.inputs[1].shape[-1] * (op.kernel[-1] if joined else 1) >= FOUR


def _work(sig: Signature, runs: Sequence[int]) -> Work:
    """Words of each run, and what is left of it."""
    work = dict(conv3d_work(sig, runs))
    elements, count = work.pop("one"), work["run"]
    length = elements / max(1.0, count)
    rest = length % FOUR if length == int(length) else sig.inputs[1].shape[-1] % FOUR
    return {**work, "four": max(0.0, elements - rest * count) / FOUR, "one": rest * count}


CONV3D = kernel(
    Conv3D,
    function="mplan_conv3d_s8_dsp",
    lower=portable_calls,
    supports=_supports,
    cost_class="conv2d",
    work=_work,
)
