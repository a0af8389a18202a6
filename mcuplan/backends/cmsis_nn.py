# SPDX-License-Identifier: Apache-2.0
"""Kernels that call Arm's CMSIS-NN, for those who must use it; its sources are the user's.

Only where they are asked for; then no other kernel is offered for what they compute. Compiled with
``CMSIS_NN_USE_SINGLE_ROUNDING`` the library's requantization is ours, with a shift of
``pre_shift - 1``. Its averages round halves away from zero, its sums round each operand, its
softmax is another function: those, and what it has no function for, keep kernels of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial

import numpy as np

from mcuplan.backends._cmsis_nn_sizes import Extension, conv_buffer, depthwise_buffer
from mcuplan.ir.op import Call, ConstArray, Field, Kernel, Signature
from mcuplan.ir.types import Array, DType
from mcuplan.ir.work import Work
from mcuplan.ops import portable_calls
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.conv_kernels import conv_fields
from mcuplan.ops.dense import Dense
from mcuplan.ops.eltwise import Mul
from mcuplan.ops.fields import (
    clamp_fields,
    pixel_fields,
    pixels_of,
    prepared,
    same_shapes,
    taps_per_output,
)
from mcuplan.ops.pool2d import MaxPool2D
from mcuplan.ops.pool_kernels import has_two_axes

__all__ = ["BACKEND", "KERNELS", "LIBRARY", "kernels_of"]

BACKEND = "cmsis_nn"
LIBRARY = "CMSIS-NN"

_REACH = 255  # of an input less its zero point
_PRODUCT_SHIFT = 14  # by which any product of two int8 without zero points stays in int32
_SIZES = 1 << 16
_ENDS = ("out_zero_point", "act_min", "act_max")

# -- weighted layers ------------------------------------------------------------------------


def _bias(sig: Signature) -> Array:
    """The bias without the input's zero point: int64 [channels]."""
    weights = sig.constant(1).astype(np.int64)
    sums = weights.reshape(len(weights), -1).sum(axis=1)
    bias: Array = prepared(sig).bias.astype(np.int64) + sig.inputs[0].q.z * sums
    return bias


def _sums_fit(sig: Signature) -> bool:
    """Whether no partial sum of the library, and no shifted one, leaves 32 bits."""
    requant, weights = prepared(sig), np.abs(sig.constant(1).astype(np.int64))
    reach = np.abs(_bias(sig)) + _REACH * weights.reshape(len(weights), -1).sum(axis=1)
    small = reach.max(initial=0) < 1 << 31 and taps_per_output(sig) < _SIZES
    return bool(small) and requant.fits_one_shift


def _weighted(sig: Signature, weights: Array, buffer_bytes: int) -> dict[str, Field]:
    """Constants of a layer with weights."""
    requant = prepared(sig)
    shift = requant.pre_shift.astype(np.int32) - 1
    return {
        "weights": ConstArray(DType.INT8, weights),
        "bias": ConstArray(DType.INT32, _bias(sig).astype(np.int32)),
        "multiplier": ConstArray(DType.INT32, requant.multiplier, "tables"),
        "shift": ConstArray(DType.INT32, shift, "tables"),
        "buffer_bytes": buffer_bytes,
        "in_zero_point": sig.inputs[0].q.z,
        **clamp_fields(sig),
    }


def _windows_inside(sig: Signature) -> bool:
    """Whether no padding is as large as a window, of which then one tap lies inside."""
    op = sig.op
    assert isinstance(op, Conv2D | MaxPool2D)
    axes = zip(op.kernel, op.dilation, op.pads[:2], strict=True)
    sizes = zip(sig.output.shape[1:3], sig.inputs[0].shape[1:3], strict=True)
    lasts = zip(sizes, op.stride, op.pads[:2], strict=True)
    before = all(pad <= (kernel - 1) * dilation for kernel, dilation, pad in axes)
    return before and all((out - 1) * stride - pad < size for (out, size), stride, pad in lasts)


def _gathered(sig: Signature) -> int:
    """Bytes of the rows of a window, put together where they are scattered."""
    op = sig.op
    assert isinstance(op, Conv2D | MaxPool2D)
    return op.kernel[0] * sig.inputs[0].row_bytes if op.kernel[0] > 1 else 0


def _conv_buffer(extension: Extension, sig: Signature) -> int:
    op = sig.op
    assert isinstance(op, Conv2D)
    return conv_buffer(op, sig.inputs[0].channels, extension)


def _conv_supports(sig: Signature) -> bool:
    op = sig.op
    assert isinstance(op, Conv2D)
    return op.groups == 1 and _windows_inside(sig) and _sums_fit(sig)


def _conv(extension: Extension, together: int, sig: Signature) -> tuple[Call, ...]:
    own = _weighted(sig, sig.constant(1), _conv_buffer(extension, sig))
    return (Call(conv_fields(sig) | own | {"together": _rows(sig, together)}),)


def _dense_buffer(extension: Extension, sig: Signature) -> int:
    return conv_buffer(Conv2D((1, 1)), sig.inputs[0].channels, extension)


def _dense_supports(sig: Signature) -> bool:
    sizes = (*pixels_of(sig), sig.output.channels)
    return max(sizes) < _SIZES and _sums_fit(sig)


def _dense(extension: Extension, together: int, sig: Signature) -> tuple[Call, ...]:
    """A 1x1 convolution: ``arm_fully_connected_s8`` has one factor for all outputs."""
    own = _weighted(sig, sig.constant(1), _dense_buffer(extension, sig))
    return (Call(pixel_fields(sig) | own | {"together": _rows(sig, together)}),)


def _depthwise_buffer(extension: Extension, sig: Signature) -> int:
    op = sig.op
    assert isinstance(op, Conv2D)
    return depthwise_buffer(op, sig.inputs[0].channels, sig.output.channels, extension)


def _depthwise_supports(sig: Signature) -> bool:
    op = sig.op
    assert isinstance(op, Conv2D)
    alone = op.groups == sig.inputs[0].channels > 1
    return alone and _windows_inside(sig) and _sums_fit(sig)


def _depthwise(extension: Extension, together: int, sig: Signature) -> tuple[Call, ...]:
    weights = sig.constant(1)[..., 0].transpose(1, 2, 0)
    own = _weighted(sig, weights, _depthwise_buffer(extension, sig))
    return (Call(conv_fields(sig) | own | {"together": _rows(sig, together)}),)


def _rows(sig: Signature, together: int) -> int:
    """Output rows of a call of the library; 0: all."""
    return together or sig.output.rows


def _weighted_work(together: int, sig: Signature, runs: Sequence[int]) -> Work:
    """A 1x1 kernel sums up all weights in every call; others put each patch in order first."""
    op, output = sig.op, sig.output
    single = isinstance(op, Dense) or (isinstance(op, Conv2D) and op.kernel == (1, 1))
    calls = output.rows if together else len(runs)
    pixels = output.elements // output.channels
    work = {"call": calls, "output": output.elements}
    if isinstance(op, Conv2D) and op.groups > 1:
        rows, columns = sig.taps(1), sig.taps(2)
        return work | {"tap": rows.inside * columns.inside * output.channels}
    if single:
        return work | {"single": sig.cost.macs, "sum": calls * sig.constant(1).size}
    taps = taps_per_output(sig)
    copies = pixels * taps // sig.inputs[0].channels
    return work | {"mac": sig.cost.macs, "patch": pixels * taps, "copy": copies}


# -- pooling and element-wise ---------------------------------------------------------------


def _pool_supports(sig: Signature) -> bool:
    op = sig.op
    assert isinstance(op, MaxPool2D)
    return has_two_axes(sig) and op.dilation == (1, 1) and _windows_inside(sig)


def _pool(together: int, sig: Signature) -> tuple[Call, ...]:
    (call,) = portable_calls(sig)
    own = ("in_h", "in_w", "channels", "out_w", "kernel_h", "kernel_w", "stride_h", "stride_w")
    fields = {name: call.fields[name] for name in (*own, "pad_top", "pad_left")}
    return (Call(fields | {"together": _rows(sig, together)}),)


def _product_supports(sig: Signature) -> bool:
    if not same_shapes(sig):
        return False
    shift = portable_calls(sig)[0].fields["pre_shift"]
    return isinstance(shift, int) and shift <= _PRODUCT_SHIFT


def _product(sig: Signature) -> tuple[Call, ...]:
    (call,) = portable_calls(sig)
    names = ("multiplier", "pre_shift", "in_zero_point", "in2_zero_point", *_ENDS)
    fields: dict[str, Field] = {name: call.fields[name] for name in names}
    return (Call(fields | {"row_bytes": sig.output.row_bytes}, inputs=(0, 1)),)


# -- kernels --------------------------------------------------------------------------------

_kernel = partial(Kernel, backend=BACKEND, requires=frozenset({BACKEND}))

_WEIGHTED = (
    (Conv2D, "mplan_depthwise_s8_cmsis_nn", "depthwise", _depthwise, _depthwise_buffer),
    (Conv2D, "mplan_conv2d_s8_cmsis_nn", "conv2d", _conv, _conv_buffer),
    (Dense, "mplan_conv2d_s8_cmsis_nn", "dense", _dense, _dense_buffer),
)
_SUPPORTS = {"depthwise": _depthwise_supports, "conv2d": _conv_supports, "dense": _dense_supports}


def _scratch(buffer: Callable[[Signature], int], sig: Signature) -> int:
    """Buffer of the library, and room for rows that are scattered; a kernel that has none has 1."""
    return max(1, buffer(sig) + (0 if isinstance(sig.op, Dense) else _gathered(sig)))


def _several_rows(supports: Callable[[Signature], bool], sig: Signature) -> bool:
    return sig.output.rows > 1 and supports(sig)


def _pool_scratch(sig: Signature) -> int:
    return max(1, _gathered(sig))


def _ways(kernel: Kernel, lower: Callable[[int, Signature], tuple[Call, ...]]) -> Iterator[Kernel]:
    """All rows by one call of the library, which may take them in any order; and row by row."""
    several = partial(_several_rows, kernel.supports)
    weighted = kernel.op is not MaxPool2D
    for rows, supports in ((0, several), (1, kernel.supports)):
        way = replace(kernel, lower=partial(lower, rows), supports=supports, row_by_row=rows > 0)
        yield replace(way, work=partial(_weighted_work, rows)) if weighted else way


@cache
def kernels_of(features: frozenset[str]) -> tuple[Kernel, ...]:
    """Those of a core, whose buffers are as large as its library wants them."""
    return tuple(_kernels(Extension.of(features)))


def _kernels(extension: Extension) -> Iterator[Kernel]:
    for op, function, cost, lower, buffer in _WEIGHTED:
        ways = partial(lower, extension)
        kernel = _kernel(
            op,
            function=function,
            lower=partial(ways, 1),
            supports=_SUPPORTS[cost],
            scratch_bytes=partial(_scratch, partial(buffer, extension)),
            cost_class=cost,
        )
        yield from _ways(kernel, ways)
    pool = _kernel(
        MaxPool2D,
        function="mplan_max_pool2d_s8_cmsis_nn",
        lower=partial(_pool, 1),
        supports=_pool_supports,
        scratch_bytes=_pool_scratch,
        cost_class="pool",
    )
    yield from _ways(pool, _pool)
    yield _kernel(Mul, function="mplan_mul_s8_cmsis_nn", lower=_product, supports=_product_supports)


KERNELS = kernels_of(Extension.DSP.value)
