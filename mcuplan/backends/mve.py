# SPDX-License-Identifier: Apache-2.0
"""Kernels for cores with integer vectors (Helium): Cortex-M55, M85."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from mcuplan.backends._mve_elements import wide_elements
from mcuplan.backends._mve_halves import wide_kernels
from mcuplan.backends._mve_narrow import narrow_matrices
from mcuplan.backends._mve_packing import (
    LANES,
    QUAD,
    conv_words,
    dense_words,
    pair_words,
    three_words,
    window_words,
)
from mcuplan.backends._sums import row_sums
from mcuplan.ir.op import Blocks, Call, ConstArray, Field, Kernel, Packed, Signature
from mcuplan.ir.types import Array, DType
from mcuplan.ops import portable_calls
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.conv_kernels import is_one_pixel
from mcuplan.ops.dense import Dense
from mcuplan.ops.eltwise import Add, Mul, Sub
from mcuplan.ops.fields import (
    clamp_fields,
    has_many_pixels,
    pixel_fields,
    pixels_of,
    prepared,
    same_shapes,
    taps_per_output,
)
from mcuplan.ops.pool2d import AvgPool2D, MaxPool2D
from mcuplan.ops.pool_kernels import has_two_axes
from mcuplan.ops.quantize import Quantize
from mcuplan.ops.unary import Lookup

__all__ = ["BACKEND", "KERNELS", "channel_multiple"]

BACKEND = "mve"
_PIXELS = 3  # that the convolution computes at once
_TILE = 4  # pixels that a convolution of windows three wide computes at once
_THREE = 2.3  # times the instructions of the other convolution for a vector of all columns
_ROWS = 16  # of a window
_STEPS = 4  # vectors of a depthwise window
_WORD_BYTES = 64  # of the columns of a depthwise convolution: four rows of 16 channels
_STRIP_BYTES = 1024
_PAIR_BYTES = 8192  # of scratch that a depthwise convolution of two rows may take
_PRODUCT_SHIFT = 14  # by which any product of two int8 without zero points stays in int32


def _stream(sig: Signature, steps: int, make: Callable[[], Array]) -> ConstArray:
    """Biases, so many vectors of taps of each channel, shifts if there are any, multipliers."""
    words = (2 + bool(prepared(sig).pre_shift.any())) * QUAD + LANES * steps
    return ConstArray(DType.INT32, Packed(-(-sig.output.channels // QUAD) * words, make))


def _quads(sig: Signature) -> Blocks:
    """Of a stream of four channels at a time."""
    return Blocks(QUAD, LANES * _steps(sig), QUAD)


def _pairs(sig: Signature) -> Blocks:
    """Of a stream of two and two channels of each four."""
    shifts = bool(prepared(sig).pre_shift.any())
    return Blocks(2, LANES // 2 * _steps(sig), (1 + shifts) * QUAD, times=2)


def _fields(sig: Signature, packed: ConstArray, *without: str) -> dict[str, Field]:
    """The portable kernel's fields; weights, bias and factors packed."""
    (call,) = portable_calls(sig)
    own = ("weights", "bias", "multiplier", "pre_shift", "groups", *without)
    fields = {name: value for name, value in call.fields.items() if name not in own}
    return fields | {"packed": packed}


def _matrix(sig: Signature) -> Array:
    """Weights int8 [outputs, taps], taps as a patch has the inputs."""
    weights = sig.constant(1)
    return weights.reshape(len(weights), -1)


def _steps(sig: Signature) -> int:
    """Vectors of a patch."""
    return -(-taps_per_output(sig) // LANES)


def channel_multiple(sig: Signature) -> int:
    """Four channels leave every kernel together."""
    return QUAD


# -- convolution ----------------------------------------------------------------------------


def _conv_supports(sig: Signature) -> bool:
    op = sig.op
    assert isinstance(op, Conv2D)
    return op.groups == 1 and op.kernel[0] <= _ROWS and prepared(sig).fits_one_shift


def _conv(sig: Signature) -> tuple[Call, ...]:
    shapes = {"steps": _steps(sig), "shifts": int(prepared(sig).pre_shift.any())}
    return (Call(_fields(sig, _conv_stream(sig)) | shapes),)


def _conv_stream(sig: Signature) -> ConstArray:
    return _stream(sig, _steps(sig), lambda: conv_words(_matrix(sig), prepared(sig)))


def _conv_scratch(sig: Signature) -> int:
    """Patches woven and, where they are no pixels, in order."""
    patches = _PIXELS * LANES * _steps(sig)
    op = sig.op
    single = not isinstance(op, Conv2D) or (op.kernel == (1, 1) and not any(op.pads))
    return patches if single else 2 * patches


# -- convolution of windows three wide --------------------------------------------------------


def _three_supports(sig: Signature) -> bool:
    """Columns are shared, and filled up no further than outweighs that."""
    op = sig.op
    assert isinstance(op, Conv2D)
    out_w, out_c = sig.output.shape[2:]
    requant = prepared(sig)
    return (
        _conv_supports(sig)
        and not requant.pre_shift.any()
        and op.kernel[1] == 3
        and op.stride[1] == op.dilation[1] == 1
        and _three_vectors(sig) % 3 == 0
        and out_w >= _TILE
        and out_c % 2 == 0
        and out_c < 1 << 14
        and _THREE * _three_vectors(sig) * -(-out_w // _TILE) * _TILE <= _steps(sig) * out_w
    )


def _three_vectors(sig: Signature) -> int:
    """Vectors of a column, of all kernel rows."""
    _, kernel_h, _, in_c = sig.inputs[1].shape
    return int(kernel_h) * -(-int(in_c) // LANES)


def _three(sig: Signature) -> tuple[Call, ...]:
    words = 2 + QUAD + 3 * 2 * QUAD * _three_vectors(sig)
    packed = Packed(
        sig.output.channels // 2 * words,
        lambda: three_words(sig.constant(1), prepared(sig)),
    )
    without = ("kernel_w", "stride_w", "dilation_w")
    return (Call(_fields(sig, ConstArray(DType.INT32, packed), *without)),)


def _three_scratch(sig: Signature) -> int:
    groups = -(-sig.inputs[0].channels // LANES)
    return LANES * (groups + (_TILE + 2) * _three_vectors(sig))


# -- depthwise ------------------------------------------------------------------------------


def _window_steps(sig: Signature) -> int:
    """Vectors of a window."""
    return -(-_column_words(sig) * int(sig.constant(1).shape[2]) // QUAD)


def _column_words(sig: Signature) -> int:
    return -(-int(sig.constant(1).shape[1]) // QUAD)


def _depthwise_supports(sig: Signature) -> bool:
    op = sig.op
    assert isinstance(op, Conv2D)
    requant = prepared(sig)
    return (
        op.groups == sig.inputs[0].channels == sig.output.channels
        and op.dilation[1] == 1
        and op.kernel[0] <= _ROWS
        and _window_steps(sig) <= _STEPS
        and max(*op.kernel, *op.stride, *op.pads, op.dilation[0]) < 256
        and not requant.pre_shift.any()
        and requant.fits_one_shift
    )


def _strip(sig: Signature) -> int:
    """Output pixels whose columns are held at once: equal parts of a row, within bounds."""
    op = sig.op
    assert isinstance(op, Conv2D)
    most = 1 + _STRIP_BYTES // (_WORD_BYTES * _column_words(sig) * op.stride[1])
    out_w = sig.output.shape[2]
    return -(-out_w // -(-out_w // most))


def _depthwise(sig: Signature) -> tuple[Call, ...]:
    weights = sig.constant(1)[..., 0]
    packed = _stream(sig, _window_steps(sig), lambda: window_words(weights, prepared(sig)))
    shapes = {"channels": sig.output.channels, "strip": _strip(sig), "steps": _window_steps(sig)}
    return (Call(_fields(sig, packed, "in_c", "out_c", "dilation_w") | shapes),)


def _depthwise_scratch(sig: Signature) -> int:
    op = sig.op
    assert isinstance(op, Conv2D)
    words = _column_words(sig) * (_strip(sig) - 1) * op.stride[1] + QUAD * _window_steps(sig)
    return _WORD_BYTES * words


def _pair_supports(sig: Signature) -> bool:
    """Two output rows lie under one word of a column."""
    op = sig.op
    assert isinstance(op, Conv2D)
    return (
        _depthwise_supports(sig)
        and op.stride == op.dilation == (1, 1)
        and op.kernel[0] < QUAD
        and op.kernel[1] <= QUAD
        and sig.output.channels % QUAD == 0
        and sig.output.shape[1] > 1
        and _pair_scratch(sig) <= _PAIR_BYTES
    )


def _pair(sig: Signature) -> tuple[Call, ...]:
    weights = sig.constant(1)[..., 0]
    words = sig.output.channels // QUAD * (3 * LANES + QUAD)
    packed = Packed(words, lambda: pair_words(weights, prepared(sig)))
    without = ("in_c", "out_c", "kernel_h", "stride_h", "stride_w", "dilation_h", "dilation_w")
    shapes = {"channels": sig.output.channels}
    return (Call(_fields(sig, ConstArray(DType.INT32, packed), *without) | shapes),)


def _pair_scratch(sig: Signature) -> int:
    return _WORD_BYTES * (sig.output.shape[2] + QUAD) * -(-sig.output.channels // LANES)


# -- fully connected ------------------------------------------------------------------------


def _is_matrix(sig: Signature) -> bool:
    return is_one_pixel(sig) and _dense_supports(sig)


def _dense_supports(sig: Signature) -> bool:
    requant = prepared(sig)
    return not requant.pre_shift.any() and requant.fits_one_shift


def _dense(sig: Signature) -> tuple[Call, ...]:
    fields: dict[str, Field] = {
        "packed": _stream(sig, _steps(sig), lambda: dense_words(_matrix(sig), prepared(sig))),
        "in_c": sig.inputs[0].channels,
        "out_c": sig.output.channels,
        "pixels": pixels_of(sig)[1],
        **clamp_fields(sig),
    }
    return (Call(fields),)


def _many_pixels(sig: Signature) -> bool:
    return has_many_pixels(sig) and prepared(sig).fits_one_shift


def _dense_pixels(sig: Signature) -> tuple[Call, ...]:
    """A matrix applied to many pixels is a 1x1 convolution: three pixels share each weight."""
    shapes = {"steps": _steps(sig), "shifts": int(prepared(sig).pre_shift.any())}
    return (Call(_fields(sig, _conv_stream(sig), "pixels") | pixel_fields(sig) | shapes),)


# -- element-wise and pooling ---------------------------------------------------------------


def _mul_supports(sig: Signature) -> bool:
    """Runs of elements in both operands, and products that may be shifted."""
    (call,) = portable_calls(sig)
    shift = call.fields["pre_shift"]
    runs = call.fields["in_inner"] == call.fields["in2_inner"] == 1 or call.fields["inner"] == 1
    return runs and isinstance(shift, int) and shift <= _PRODUCT_SHIFT


def _mul(sig: Signature) -> tuple[Call, ...]:
    (call,) = portable_calls(sig)
    own = ("in_inner", "in2_inner")
    fields = {name: value for name, value in call.fields.items() if name not in own}
    return (Call(fields, inputs=call.inputs),)


_REQUIRED = frozenset({"dsp", "mve"})
_kernel = partial(Kernel, backend=BACKEND, requires=_REQUIRED)

KERNELS = (
    _kernel(Add, function="mplan_add_s8_mve", lower=row_sums, supports=same_shapes),
    _kernel(Sub, function="mplan_add_s8_mve", lower=row_sums, supports=same_shapes),
    _kernel(Mul, function="mplan_mul_s8_mve", lower=_mul, supports=_mul_supports),
    _kernel(Lookup, function="mplan_lookup_s8_mve", lower=portable_calls, cost_class="copy"),
    _kernel(Quantize, function="mplan_lookup_s8_mve", lower=portable_calls, cost_class="copy"),
    _kernel(
        AvgPool2D,
        function="mplan_avg_pool2d_s8_mve",
        lower=portable_calls,
        supports=has_two_axes,
        cost_class="pool",
    ),
    _kernel(
        MaxPool2D,
        function="mplan_max_pool2d_s8_mve",
        lower=portable_calls,
        supports=has_two_axes,
        cost_class="pool",
    ),
    _kernel(
        Conv2D,
        function="mplan_depthwise3_s8_mve",
        lower=_pair,
        supports=_pair_supports,
        scratch_bytes=_pair_scratch,
        cost_class="conv2d",  # as quick for as many products
        rows_together=2,
    ),
    _kernel(
        Conv2D,
        function="mplan_depthwise_s8_mve",
        lower=_depthwise,
        supports=_depthwise_supports,
        scratch_bytes=_depthwise_scratch,
        cost_class="depthwise",
        blocks=lambda sig: Blocks(QUAD, LANES * _window_steps(sig), QUAD),
    ),
    _kernel(
        Conv2D,
        function="mplan_dense_s8_mve",
        lower=_dense,
        supports=_is_matrix,
        cost_class="dense",
        blocks=_quads,
    ),
    _kernel(
        Conv2D,
        function="mplan_conv3_s8_mve",
        lower=_three,
        supports=_three_supports,
        scratch_bytes=_three_scratch,
        cost_class="conv2d",
        blocks=lambda sig: Blocks(2, 6 * QUAD * _three_vectors(sig), QUAD),
    ),
    _kernel(
        Conv2D,
        function="mplan_conv2d_s8_mve",
        lower=_conv,
        supports=_conv_supports,
        scratch_bytes=_conv_scratch,
        cost_class="conv2d",
        blocks=_pairs,
    ),
    _kernel(
        Dense,
        function="mplan_conv2d_s8_mve",
        lower=_dense_pixels,
        supports=_many_pixels,
        scratch_bytes=_conv_scratch,
        cost_class="conv2d",
        blocks=_pairs,
    ),
    _kernel(
        Dense,
        function="mplan_dense_s8_mve",
        lower=_dense,
        supports=_dense_supports,
        cost_class="dense",
        blocks=_quads,
    ),
    *narrow_matrices(BACKEND, _REQUIRED),
    *wide_kernels(BACKEND, _REQUIRED),
    *wide_elements(BACKEND, _REQUIRED),
)
