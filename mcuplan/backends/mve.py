# SPDX-License-Identifier: Apache-2.0
"""Kernels for cores with integer vectors (Helium): Cortex-M55, M85."""

from __future__ import annotations

import math
from functools import partial

from mcuplan.backends._dsp_packing import fits_one_shift
from mcuplan.backends._mve_packing import LANES, block_words, padded, window_words
from mcuplan.ir.op import Call, ConstArray, Field, Kernel, Signature
from mcuplan.ir.types import Array, DType
from mcuplan.ops import kernels_of
from mcuplan.ops.conv2d import Conv2D
from mcuplan.quant.requantize import Requant, weighted_requant

__all__ = ["BACKEND", "KERNELS"]

BACKEND = "mve"
_QUAD = 4  # lanes of int32
_PIXELS = 3  # that the convolution computes at once
_ROWS = 16  # of a window
_STEPS = 4  # vectors of a depthwise window
_WORD_BYTES = 64  # of the columns of a depthwise convolution: four rows of 16 channels
_STRIP_BYTES = 2048


def _portable(sig: Signature) -> tuple[Call, ...]:
    """What the portable kernel of a step is called with."""
    return next(k for k in kernels_of()[type(sig.op)] if k.supports(sig)).lower(sig)


def _prepared(sig: Signature) -> Requant:
    """Folded bias and factors of a node with inputs (activation, weights, bias)."""
    return weighted_requant(
        sig.constant(1), sig.constant(2), sig.inputs[0], sig.inputs[1], sig.output
    )


def _fields(sig: Signature, packed: Array) -> dict[str, Field]:
    """The portable kernel's fields; weights and bias packed, factors up to whole vectors."""
    (call,) = _portable(sig)
    own = ("weights", "bias", "groups")
    fields = {name: value for name, value in call.fields.items() if name not in own}
    for name in ("multiplier", "pre_shift"):
        value = fields[name]
        if isinstance(value, ConstArray):
            fields[name] = ConstArray(value.ctype, padded(value.values, _QUAD), value.kind)
    return fields | {"packed": ConstArray("int32_t", packed)}


def _matrix(sig: Signature) -> Array:
    """Weights int8 [outputs, taps], taps as a patch has the inputs."""
    weights = sig.constant(1)
    return weights.reshape(len(weights), -1)


def _steps(sig: Signature) -> int:
    """Vectors of a patch."""
    return -(-math.prod(sig.constant(1).shape[1:]) // LANES)


# -- convolution ----------------------------------------------------------------------------


def _conv_supports(sig: Signature) -> bool:
    op = sig.op
    assert isinstance(op, Conv2D)
    return op.groups == 1 and op.kernel[0] <= _ROWS and fits_one_shift(_prepared(sig))


def _conv(sig: Signature) -> tuple[Call, ...]:
    packed = block_words(_matrix(sig), _prepared(sig).bias, channels=2)
    return (Call(_fields(sig, packed) | {"steps": _steps(sig)}),)


def _conv_scratch(sig: Signature) -> int:
    return (_PIXELS + 1) * LANES * _steps(sig)


# -- depthwise ------------------------------------------------------------------------------


def _window_steps(sig: Signature) -> int:
    """Vectors of a window."""
    _, kernel_h, kernel_w, _ = sig.constant(1).shape
    return -(-_column_words(sig) * kernel_w // _QUAD)


def _column_words(sig: Signature) -> int:
    return -(-int(sig.constant(1).shape[1]) // _QUAD)


def _depthwise_supports(sig: Signature) -> bool:
    op = sig.op
    assert isinstance(op, Conv2D)
    requant = _prepared(sig)
    return (
        op.groups == sig.inputs[0].channels == sig.output.channels
        and op.dilation[1] == 1
        and op.kernel[0] <= _ROWS
        and _window_steps(sig) <= _STEPS
        and max(*op.kernel, *op.stride, *op.pads, op.dilation[0]) < 256
        and not requant.pre_shift.any()
        and fits_one_shift(requant)
    )


def _strip(sig: Signature) -> int:
    """Output pixels whose columns are held at once: a row, as far as it stays in bounds."""
    op = sig.op
    assert isinstance(op, Conv2D)
    advance = _WORD_BYTES * _column_words(sig) * op.stride[1]
    return max(1, min(sig.output.shape[2], 1 + _STRIP_BYTES // advance))


def _depthwise(sig: Signature) -> tuple[Call, ...]:
    requant = _prepared(sig)
    packed = window_words(sig.constant(1)[..., 0], requant.bias, requant.multiplier)
    (call,) = _portable(sig)
    own = ("weights", "bias", "multiplier", "pre_shift", "in_c", "out_c", "dilation_w")
    fields = {name: value for name, value in call.fields.items() if name not in own}
    fields |= {
        "packed": ConstArray("int32_t", packed),
        "channels": sig.output.channels,
        "strip": _strip(sig),
        "steps": _window_steps(sig),
    }
    return (Call(fields),)


def _depthwise_scratch(sig: Signature) -> int:
    op = sig.op
    assert isinstance(op, Conv2D)
    words = _column_words(sig) * (_strip(sig) - 1) * op.stride[1] + _QUAD * _window_steps(sig)
    return _WORD_BYTES * words


_kernel = partial(Kernel, dtype=DType.INT8, backend=BACKEND, requires=frozenset({"dsp", "mve"}))

KERNELS = (
    _kernel(
        Conv2D,
        function="mplan_depthwise_s8_mve",
        lower=_depthwise,
        supports=_depthwise_supports,
        scratch_bytes=_depthwise_scratch,
        cost_class="depthwise",
    ),
    _kernel(
        Conv2D,
        function="mplan_conv2d_s8_mve",
        lower=_conv,
        supports=_conv_supports,
        scratch_bytes=_conv_scratch,
        cost_class="conv2d",
    ),
)
