# SPDX-License-Identifier: Apache-2.0
"""Weights and biases as integers: per output channel, symmetric, int8 and int32."""

from __future__ import annotations

import numpy as np

from mcuplan.ir.types import Array, Quant

__all__ = ["quantize_bias", "quantize_weights"]

_BIAS_LIMIT = 2.0**30  # half of int32, so that sums of products still fit
_BIAS_FINE = 2.0**24  # steps that a bias gets where the weights do not say how fine it must be
_SMALLEST = float(np.finfo(np.float32).tiny)


def quantize_weights(weights: Array, bias: Array, input_scale: float) -> tuple[Array, Quant]:
    """Symmetric int8 weights in [-127, 127], one float32 scale per output channel (axis 0).

    The scale is ``max|w| / 127``, except that a channel whose bias would not fit into int32
    at ``input_scale * scale`` gets a coarser one: its weights hardly count beside its bias.
    A channel without weights gets a scale that holds its bias to 24 bits.

    Args:
        weights: float, output channels on axis 0.
        bias: float [channels].
        input_scale: scale of the layer's input.
    """
    flat = np.abs(weights.reshape(len(weights), -1).astype(np.float64))
    reach = np.abs(bias.astype(np.float64)) / input_scale
    scale = np.maximum(flat.max(axis=1, initial=0.0) / 127.0, reach / _BIAS_LIMIT)
    empty = (flat.max(axis=1, initial=0.0) / 127.0) < _SMALLEST
    scale = np.where(empty, np.where(reach > 0.0, reach / _BIAS_FINE, 1.0), scale)
    scale = np.maximum(scale, _SMALLEST).astype(np.float32).astype(np.float64)
    column = scale.reshape(-1, *(1,) * (weights.ndim - 1))
    values = np.clip(np.rint(weights.astype(np.float64) / column), -127, 127).astype(np.int8)
    return values, Quant(tuple(float(s) for s in scale), (0,) * len(scale), 0)


def quantize_bias(bias: Array, input_scale: float, weights: Quant) -> tuple[Array, Array]:
    """int32 bias at ``input_scale * weights.scale``, and which channels had to be clipped."""
    scale = input_scale * np.asarray(weights.scale, np.float64)
    exact = np.rint(bias.astype(np.float64) / scale)
    clipped = np.clip(exact, -(2.0**31 - 1), 2.0**31 - 1)
    return clipped.astype(np.int32), exact != clipped
