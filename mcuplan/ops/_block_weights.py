# SPDX-License-Identifier: Apache-2.0
"""Weights of 4 bits on scales of blocks, as the portable kernel reads them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcuplan.ir.block_factors import block_factors, factors_of_all
from mcuplan.ir.op import Signature
from mcuplan.ir.types import Array, DType
from mcuplan.ir.work import Work
from mcuplan.ops.fields import taps_per_output

__all__ = ["block_bytes", "block_work"]


def block_bytes(weights: Array, block: int) -> Array:
    """Blocks of 4 bits each behind its factor: uint8 [outputs, bytes]."""
    factors, each = block_factors(weights, block), factors_of_all(weights, block)
    assert factors is not None, "what int4_blocks are"
    assert each is not None, "what int4_blocks are"
    size = weights.shape[-1]
    narrow = (weights // each.astype(np.int8)).reshape(-1, size)
    parts = []
    for k, first in enumerate(range(0, size, block)):
        some = narrow[:, first : first + block]
        some = np.pad(some, [(0, 0), (0, some.shape[1] % 2)])
        both = DType.INT4.packed(some).reshape(len(some), -1)
        parts += [factors.reshape(len(narrow), -1)[:, k : k + 1], both]
    return np.concatenate(parts, axis=1).reshape(len(weights), -1)


def block_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Two channels of a pixel at a time: all taps, block by block, inputs in twos."""
    outputs, inputs = sig.output.channels, sig.inputs[1].shape[-1]
    taps, groups = taps_per_output(sig) // inputs, sig.inputs[0].channels // inputs
    pixels = sig.output.elements // outputs
    pairs = pixels * groups * -(-outputs // groups // 2)
    blocks = -(-inputs // (sig.inputs[1].q.factored or 1))
    return {
        "call": len(runs),
        "row": sig.output.rows,
        "pixel": pixels,
        "pair": pairs,
        "tap": pairs * taps,
        "block": pairs * taps * blocks,
        "two": pairs * taps * (inputs // 2),
        "one": pairs * taps * (inputs % 2),
        "output": sig.output.elements,
    }
