# SPDX-License-Identifier: Apache-2.0
"""1x1 convolutions of few channels of the dsp backend, four pixels at a time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from mcuplan.backends.dsp._dense import matrix, matrix_steps
from mcuplan.backends.dsp._shared import (
    FOUR,
    FOUR_PIXELS_STEPS,
    by_two,
    clamped,
    kernel,
    pair_array,
    tells_apart,
)
from mcuplan.ir.op import Call, Field, Kernel, Op, Signature
from mcuplan.ir.work import Work
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.conv_kernels import conv_fields
from mcuplan.ops.dense import Dense
from mcuplan.ops.fields import clamp_fields, has_many_pixels, pixel_fields

__all__ = ["FEW_CHANNELS"]

_JOB_BYTES = 92
_FIELDS = ("in_c", "out_w", "out_c", "stride_h", "stride_w")


def _supports(sig: Signature) -> bool:
    op = sig.op
    if isinstance(op, Conv2D):
        fits = op.kernel == (1, 1) and not any(op.pads) and op.groups == 1
    else:
        fits = has_many_pixels(sig)
    small = matrix_steps(sig) <= FOUR_PIXELS_STEPS and sig.output.channels % 2 == 0
    return fits and small and tells_apart(sig)


def _lower(sig: Signature) -> tuple[Call, ...]:
    packed = pair_array(sig, matrix_steps(sig), matrix)
    shape = conv_fields(sig) if isinstance(sig.op, Conv2D) else pixel_fields(sig)
    fields: dict[str, Field] = {"packed": packed, **{name: shape[name] for name in _FIELDS}}
    return (Call(fields | clamp_fields(sig)),)


def _row_pixels(sig: Signature) -> int:
    return sig.output.elements // sig.output.channels // sig.output.rows


def _scratch_bytes(sig: Signature) -> int:
    """With the outputs of pixels that do not follow one another, where rows are no blocks."""
    return _JOB_BYTES + FOUR * sig.output.channels * (_row_pixels(sig) % FOUR > 0)


def _work(sig: Signature, runs: Sequence[int]) -> Work:
    """Blocks of four pixels by two channels; those of several runs, and last ones, are mixed."""
    in_c, op = sig.inputs[0].channels, sig.op
    apart = isinstance(op, Conv2D) and op.stride != (1, 1)  # each row is a run
    row = _row_pixels(sig)
    mixed = sum(_mixed(row, rows) if apart else row * rows % FOUR > 0 for rows in runs)
    blocks = sum(-(-row * rows // FOUR) for rows in runs)
    tiles = blocks * (sig.output.channels // 2)
    return {
        "call": len(runs),
        "row": sig.output.rows,
        "run": sum(runs) if apart else len(runs),
        "mixed": mixed,
        "mixed_byte": mixed * sig.output.channels,
        "block": blocks,
        "four": blocks * (in_c // FOUR),
        "left": blocks * (in_c % FOUR > 0),
        "left_two": blocks * (in_c % FOUR > 1),
        "left_one": blocks * (in_c % 2),
        "tile": tiles,
        "step": tiles * matrix_steps(sig),
        **clamped(sig),
    }


def _mixed(row: int, rows: int) -> int:
    """Blocks of pixels of several rows, and a last one."""
    ends = {pixels // FOUR for pixels in range(row, row * rows + 1, row) if pixels % FOUR}
    return len(ends)


def _kernel(op: type[Op]) -> Kernel:
    return kernel(
        op,
        function="mplan_pointwise_s8_dsp",
        lower=_lower,
        work=_work,
        supports=_supports,
        scratch_bytes=_scratch_bytes,
        cost_class="conv2d",
        blocks=partial(by_two, matrix_steps),
    )


FEW_CHANNELS = (_kernel(Conv2D), _kernel(Dense))
