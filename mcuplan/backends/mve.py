# SPDX-License-Identifier: Apache-2.0
"""Kernels for cores with integer vectors (Helium): Cortex-M55, M85."""

from __future__ import annotations

import math
from functools import partial

from mcuplan.backends._dsp_packing import fits_one_shift
from mcuplan.backends._mve_packing import LANES, block_words, padded
from mcuplan.ir.op import Call, ConstArray, Field, Kernel, Signature
from mcuplan.ir.types import Array, DType
from mcuplan.ops import kernels_of
from mcuplan.ops.conv2d import Conv2D
from mcuplan.quant.requantize import Requant, weighted_requant

__all__ = ["BACKEND", "KERNELS"]

BACKEND = "mve"
_QUAD = 4  # lanes of int32
_PIXELS = 3  # that the convolution computes at once
_ROWS = 16  # of its window


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


_kernel = partial(Kernel, dtype=DType.INT8, backend=BACKEND, requires=frozenset({"dsp", "mve"}))

KERNELS = (
    _kernel(
        Conv2D,
        function="mplan_conv2d_s8_mve",
        lower=_conv,
        supports=_conv_supports,
        scratch_bytes=_conv_scratch,
        cost_class="conv2d",
    ),
)
