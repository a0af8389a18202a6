# SPDX-License-Identifier: Apache-2.0
"""Per-channel affine step, as BatchNormalization is at inference.

A pass folds it into a convolution or dense layer, or makes it a depthwise 1x1
convolution; so it has no kernel of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import NonFiniteWeights, UnsupportedOp
from mcuplan.ir.builder import Builder, Constant, OnnxNode, plain
from mcuplan.ir.geometry import InputMap, Shape, each, moved
from mcuplan.ir.graph import Node
from mcuplan.ir.op import Cost, Example, Op, QuantRule
from mcuplan.ir.types import Array, TensorType
from mcuplan.ir.writer import Writer

__all__ = ["OPS", "WRITERS", "ChannelAffine", "read_batch_norm"]


@dataclass(frozen=True, slots=True)
class ChannelAffine(Op):
    """Inputs: x [..., C], scale [C], offset [C]; output x * scale + offset."""

    quant_rule = QuantRule.FREE

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Same shape; one scale and offset per channel."""
        channels = inputs[0].shape[-1]
        if inputs[1].shape != (channels,) or inputs[2].shape != (channels,):
            raise UnsupportedOp(f"{inputs[1].shape} scales for {channels} channels")
        return (TensorType(inputs[0].shape),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """Each element on its own, with the scale and offset of its channel."""
        channel = (moved(0, len(output) - 1),)
        return each(inputs)[0], channel, channel

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Float product and sum, per channel."""
        x, scale, offset = arrays
        return ((x * scale + offset).astype(np.float32),)

    def cost(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Cost:
        """One multiply-accumulate an element."""
        return Cost(macs=outputs[0].elements)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Rows of pixels, a vector."""
        yield Example(cls(), ((1, 3, 4, 5), (5,), (5,)), constants=(1, 2))
        yield Example(cls(), ((1, 4), (4,), (4,)), constants=(1, 2))


def read_batch_norm(node: OnnxNode, build: Builder) -> None:
    """BatchNormalization with constant statistics, in inference mode."""
    if node.opset < 14 and any(node.outputs[1:]):  # what says that it trains, before opset 14
        hint = "export the model in evaluation mode"
        raise UnsupportedOp("outputs of statistics: it normalizes by those of its input", hint=hint)
    if node.get_int("spatial", 1) == 0:
        raise UnsupportedOp("spatial=0", hint="export with opset 9 or newer")
    constants = [build.constant(node.input(i)) for i in range(1, 5)]
    if any(value is None for value in constants):
        raise UnsupportedOp("statistics that are computed", hint="freeze the model")
    gamma, beta, mean, variance = (
        np.asarray(c.data, np.float64).reshape(-1) for c in constants if c is not None
    )
    spread = variance + node.get_float("epsilon", 1e-5)
    if (spread <= 0).any():
        raise UnsupportedOp("variance + epsilon is not positive", hint="check the statistics")
    scale = gamma / np.sqrt(spread)
    offset = beta - mean * scale
    if max(np.abs(scale).max(), np.abs(offset).max()) > np.finfo(np.float32).max:
        raise NonFiniteWeights("gamma / deviation overflows", hint="check the statistics")
    name, stem = node.input(0), node.outputs[0]
    rank = len(build.shape(name))
    layout = next((k for k in build.layouts(name) if k[-1] == 1), None)
    if layout is None:
        layout = plain(rank) if rank == 2 else (0, *range(2, rank), 1)
    s = build.add_constant(Constant(scale), f"{stem}_scale")
    o = build.add_constant(Constant(offset), f"{stem}_offset")
    build.add(ChannelAffine(), [build.in_layout(name, layout), s, o], node, layout)


def write_affine(node: Node, out: Writer) -> None:
    """Mul and Add of a constant per channel."""
    x, scale, offset = node.inputs
    product = out.node("Mul", [out.read(x), out.read(scale)])
    out.write(node.output, out.node("Add", [product, out.read(offset)]))


OPS = (ChannelAffine,)
WRITERS = {ChannelAffine: write_affine}
