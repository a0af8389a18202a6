# SPDX-License-Identifier: Apache-2.0
"""Kernels of int16 activations by integer vectors, weights of 8 bits or of 16."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from mcuplan.backends._mve_packing import QUAD, chunk_words, conv_words, lane_words
from mcuplan.ir.op import Blocks, Call, ConstArray, Field, Kernel, Packed, Signature
from mcuplan.ir.types import Array, DType, Types
from mcuplan.ir.work import Work
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.conv_kernels import conv_fields, is_one_pixel
from mcuplan.ops.dense import Dense
from mcuplan.ops.fields import (
    FINE_TYPES,
    INT16_TYPES,
    clamp_fields,
    has_many_pixels,
    pixel_fields,
    pixels_of,
    prepared,
    taps_per_output,
)

__all__ = ["wide_kernels"]

_LANES = 8  # int16 of a vector
_VECTOR_BYTES = 16
_ROWS = 16  # of a window
_STRIP_BYTES = 4096  # of columns that lie under the windows of a strip
_LEAST_STRIP = 4  # output pixels
_CHUNK = 7  # vectors of inputs that stay in registers
_BLOCK = 128  # outputs of a matrix whose sums are held
_TYPES = {"": INT16_TYPES, "_w16": FINE_TYPES}


def _steps(sig: Signature) -> int:
    """Vectors of a patch."""
    return -(-taps_per_output(sig) // _LANES)


def _step_words(sig: Signature) -> int:
    """Of the weights of a vector of inputs."""
    return sig.inputs[1].dtype.nbytes(_LANES) // 4


def _fits(sig: Signature) -> bool:
    """Whether 32 bits hold every sum, shifted for requantization."""
    return prepared(sig).fits_one_shift


def _shifts(sig: Signature) -> int:
    return int(prepared(sig).pre_shift.any())


# -- convolution ----------------------------------------------------------------------------


def _conv_supports(sig: Signature) -> bool:
    op = sig.op
    assert isinstance(op, Conv2D)
    return op.groups == 1 and op.kernel[0] <= _ROWS and op.dilation[1] == 1 and _fits(sig)


def _many_pixels(sig: Signature) -> bool:
    return has_many_pixels(sig) and _fits(sig)


def _window(sig: Signature) -> tuple[int, int, int]:
    """Rows and columns of a window, and columns from one to the next."""
    op = sig.op
    return (op.kernel[0], op.kernel[1], op.stride[1]) if isinstance(op, Conv2D) else (1, 1, 1)


def _strip(sig: Signature) -> int:
    """Output pixels whose columns are held at once, even parts of a row; 0: none are copied."""
    rows, columns, stride = _window(sig)
    in_c = sig.inputs[0].channels
    padded = isinstance(sig.op, Conv2D) and any(sig.op.pads)
    if rows == columns == 1 and not padded and in_c % _LANES == 0:
        return 0
    held = _STRIP_BYTES // (2 * rows * in_c)
    most = max(_LEAST_STRIP, (held - columns) // stride + 1)
    pixels = sig.output.shape[2] if isinstance(sig.op, Conv2D) else pixels_of(sig)[1]
    each = -(-pixels // -(-pixels // most))
    return each + each % 2


def _scratch(sig: Signature) -> int:
    """A patch; a pixel of padding, the columns under a strip, and what a last vector reads."""
    kept, strip = _VECTOR_BYTES * _steps(sig), _strip(sig)
    if not strip:
        return kept
    rows, columns, stride = _window(sig)
    in_c = sig.inputs[0].channels
    padding = _VECTOR_BYTES * -(-in_c // _LANES)
    return kept + padding + 2 * rows * in_c * ((strip - 1) * stride + columns) + _VECTOR_BYTES


def _by_columns(sig: Signature) -> Array:
    """Weights [outputs, taps], taps in the order of a patch, whose columns lie side by side."""
    weights = sig.constant(1).astype(sig.inputs[1].dtype.numpy)
    if weights.ndim == 4:
        weights = weights.transpose(0, 2, 1, 3)
    return weights.reshape(len(weights), -1)


def _conv(sig: Signature) -> tuple[Call, ...]:
    if isinstance(sig.op, Conv2D):
        shape = conv_fields(sig)
    else:
        shape = pixel_fields(sig) | {"pad_top": 0, "pad_left": 0}
        shape["in_zero_point"] = sig.inputs[0].q.z
    quad = QUAD * (_steps(sig) * _step_words(sig) + 2 + _shifts(sig))
    packed = Packed(
        -(-sig.output.channels // QUAD) * quad,
        lambda: conv_words(_by_columns(sig), prepared(sig), _LANES),
    )
    fields: dict[str, Field] = {
        "packed": ConstArray(DType.INT32, packed),
        "steps": _steps(sig),
        "strip": _strip(sig),
        "shifts": _shifts(sig),
    }
    return (Call(fields | shape | clamp_fields(sig)),)


def _conv_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Pairs of pixels of a call by four channels, eight taps at a time; strips of columns."""
    width = sig.output.shape[2] if isinstance(sig.op, Conv2D) else pixels_of(sig)[1]
    pairs = sum(-(-rows * width // 2) for rows in runs)
    fours, rest = divmod(sig.output.channels, QUAD)
    made = pairs * (fours + (rest > 0))
    work: dict[str, float] = {
        "call": len(runs),
        "row": sum(runs),
        "pair": pairs,
        "four": made,
        "step": made * _steps(sig),
        "rest": pairs * (rest > 0),
        "shifted": made * _shifts(sig),
        "kept": sum(rows // 2 for rows in runs) * (width % 2) * _steps(sig),
    }
    return work | _strip_work(sig, runs, width)


def _strip_work(sig: Signature, runs: Sequence[int], width: int) -> dict[str, float]:
    """Columns that are taken, by lines of eight channels; those beside the input are filled."""
    strip, (rows, columns, stride), in_c = _strip(sig), _window(sig), sig.inputs[0].channels
    if not strip:
        return dict.fromkeys(("strip", "line", "run", "moved", "narrow", "filled"), 0)
    firsts = range(0, width, strip)
    left = sig.op.pads[1] if isinstance(sig.op, Conv2D) else 0
    in_w, taken, beside = sig.inputs[0].shape[-2], 0, 0
    for first in firsts:
        count = (min(strip, width - first) - 1) * stride + columns
        at = first * stride - left
        inside = max(0, min(in_w, at + count) - max(0, at))
        taken, beside = taken + inside, beside + count - inside
    strips, lines = len(firsts) * sum(runs), sum(runs) * rows
    filled = sum(runs) if len(firsts) > 1 else len(runs)
    return {
        "strip": strips,
        "line": lines * len(firsts),
        "run": lines * len(firsts) * -(-in_c // _LANES),
        "moved": lines * taken * (in_c // _LANES),
        "narrow": lines * taken * (in_c % _LANES > 0),
        "filled": filled * beside * rows * in_c / _LANES,
    }


def _pairs(types: Types, sig: Signature) -> Blocks | None:
    """Of a stream of two and two channels of each four, for weights of 8 bits."""
    if types is not INT16_TYPES:
        return None
    return Blocks(2, 2 * _step_words(sig) * _steps(sig), (1 + _shifts(sig)) * QUAD, times=2)


# -- fully connected ------------------------------------------------------------------------


def _is_matrix(sig: Signature) -> bool:
    """Whether a convolution is a matrix applied to a single pixel."""
    return is_one_pixel(sig) and _fits(sig)


def _block_sizes(sig: Signature) -> list[int]:
    """Outputs whose sums are held at once, up to a multiple of four."""
    left = -(-sig.output.channels // QUAD) * QUAD
    return [min(_BLOCK, left - first) for first in range(0, left, _BLOCK)]


def _matrix_words(sig: Signature) -> Array:
    weights = sig.constant(1).astype(sig.inputs[1].dtype.numpy)
    steps = _steps(sig)
    count = -(-steps // _CHUNK)
    ends = [steps * (i + 1) // count for i in range(count)]
    return chunk_words(weights.reshape(len(weights), -1), prepared(sig), _block_sizes(sig), ends)


def _dense(sig: Signature) -> tuple[Call, ...]:
    outputs = sum(_block_sizes(sig))
    size = outputs * (2 + _steps(sig) * _step_words(sig))
    shifts = np.pad(prepared(sig).pre_shift, (0, outputs - sig.output.channels))
    fields: dict[str, Field] = {
        "packed": ConstArray(DType.INT32, Packed(size, lambda: _matrix_words(sig))),
        "pre_shift": ConstArray(DType.UINT8, shifts, "tables") if shifts.any() else None,
        "in_c": taps_per_output(sig),
        "out_c": sig.output.channels,
        "pixels": pixels_of(sig)[1],
        **clamp_fields(sig),
    }
    return (Call(fields),)


def _dense_scratch(sig: Signature) -> int:
    """Of the sums of a block."""
    return 4 * max(_block_sizes(sig))


def _dense_work(sig: Signature, runs: Sequence[int]) -> Work:
    """A pixel by blocks of outputs; of these pairs by chunks of inputs, then four at a time."""
    pixels = sum(runs) * pixels_of(sig)[1]
    sizes, steps = _block_sizes(sig), _steps(sig)
    chunks = -(-steps // _CHUNK)
    outputs = sum(sizes)
    return {
        "call": len(runs),
        "row": sum(runs),
        "pixel": pixels,
        "block": pixels * len(sizes),
        "chunk": pixels * len(sizes) * chunks,
        "input": pixels * len(sizes) * steps,
        "pair": pixels * outputs // 2 * chunks,
        "step": pixels * outputs // 2 * steps,
        "four": pixels * outputs // QUAD,
        "shifted": pixels * outputs // QUAD * _shifts(sig),
    }


# -- depthwise ------------------------------------------------------------------------------


def _depthwise_supports(sig: Signature) -> bool:
    op = sig.op
    assert isinstance(op, Conv2D)
    alone = op.groups == sig.inputs[0].channels == sig.output.channels
    return alone and op.dilation == (1, 1) and op.kernel[0] <= _ROWS and _fits(sig)


def _depthwise(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Conv2D)
    own = ("in_c", "out_c", "dilation_h", "dilation_w")
    shape = {name: value for name, value in conv_fields(sig).items() if name not in own}
    words = _LANES // 2 * op.kernel[0] * op.kernel[1] + (2 + _shifts(sig)) * _LANES
    packed = Packed(
        -(-sig.output.channels // _LANES) * words,
        lambda: lane_words(sig.constant(1)[..., 0], prepared(sig)),
    )
    fields: dict[str, Field] = {
        "packed": ConstArray(DType.INT32, packed),
        "channels": sig.output.channels,
        "shifts": _shifts(sig),
    }
    return (Call(fields | shape | clamp_fields(sig)),)


def _depthwise_scratch(sig: Signature) -> int:
    """The rows under a window, with what pads them, and what a last vector reads."""
    op = sig.op
    assert isinstance(op, Conv2D)
    width = (sig.output.shape[2] - 1) * op.stride[1] + op.kernel[1]
    return 2 * op.kernel[0] * width * sig.output.channels + _VECTOR_BYTES


def _depthwise_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Eight channels of a pixel, tap by tap; every call takes the rows under its windows."""
    op = sig.op
    assert isinstance(op, Conv2D)
    high, wide = op.kernel
    _, _, in_w, channels = sig.inputs[0].shape
    width, groups = sig.output.shape[2], -(-channels // _LANES)
    eights, is_3x3 = sum(runs) * width * groups, op.kernel == (3, 3)
    lines = sum((rows - 1) * min(op.stride[0], high) + high for rows in runs)
    padded = (width - 1) * op.stride[1] + wide
    inside = max(0, min(in_w, padded - op.pads[1]))
    return {
        "call": len(runs),
        "row": sum(runs),
        "under": sum(runs) * high,
        "group": sum(runs) * groups,
        "eight": eights,
        "eight3x3": eights * is_3x3,
        "tap_row": eights * high * (not is_3x3),
        "tap": eights * high * wide * (not is_3x3),
        "line": lines,
        "copied": lines * (inside * channels // _LANES),
        "odd": lines * (inside * channels % _LANES > 0),
        "filled": lines * (padded - inside) * channels / _LANES,
        "shifted": eights * _shifts(sig),
    }


def wide_kernels(backend: str, requires: frozenset[str]) -> Iterator[Kernel]:
    """The kernels of a set, for what it asks of a core."""
    own = partial(Kernel, backend=backend, requires=requires)
    for suffix, types in _TYPES.items():
        for op, supports in ((Conv2D, _conv_supports), (Dense, _many_pixels)):
            yield own(
                op,
                f"mplan_conv2d_s16{suffix}_mve",
                _conv,
                supports=supports,
                scratch_bytes=_scratch,
                cost_class="conv2d",
                work=_conv_work,
                types=types,
                blocks=partial(_pairs, types),
            )
        for op, supports in ((Dense, _fits), (Conv2D, _is_matrix)):
            yield own(
                op,
                f"mplan_dense_s16{suffix}_mve",
                _dense,
                supports=supports,
                scratch_bytes=_dense_scratch,
                cost_class="dense",
                work=_dense_work,
                types=types,
            )
        yield own(
            Conv2D,
            "mplan_depthwise_s16_mve",
            _depthwise,
            supports=_depthwise_supports,
            scratch_bytes=_depthwise_scratch,
            cost_class="depthwise",
            work=_depthwise_work,
            types=types,
        )
