# SPDX-License-Identifier: Apache-2.0
"""Fully connected layer: the last axis times a constant matrix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.geometry import ALL, InputMap, Shape, each, moved
from mcuplan.ir.graph import Node
from mcuplan.ir.op import (
    NO_CLAMP,
    Call,
    ConstArray,
    Cost,
    Example,
    Field,
    Kernel,
    Op,
    QuantRule,
    Signature,
)
from mcuplan.ir.types import Array, DType, TensorType
from mcuplan.ir.work import Work
from mcuplan.ir.writer import Writer
from mcuplan.ops._block_weights import block_work
from mcuplan.ops.conv_kernels import OTHER_WEIGHTS, typed_call
from mcuplan.ops.fields import (
    BLOCK_TYPES,
    FLOAT_TYPES,
    INT16_TYPES,
    WEIGHTED_TYPES,
    byte_blocks,
    finish,
    float_clamped,
    float_fields,
    pixel_fields,
    pixels_of,
    requant_fields,
)

__all__ = ["KERNELS", "OPS", "WRITERS", "Dense"]


@dataclass(frozen=True, slots=True)
class Dense(Op):
    """Inputs: x [..., K], weights [O, K], bias [O]; output [..., O]."""

    act: tuple[float, float] = NO_CLAMP

    quant_rule = QuantRule.WEIGHTED
    fuses_activation = True
    types = WEIGHTED_TYPES
    weight_inputs = (1, 2)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """The last axis becomes the outputs."""
        x, weights = inputs[0].shape, inputs[1].shape
        if x[-1] != weights[1]:
            raise UnsupportedOp(f"a matrix of {weights[1]} rows for {x[-1]} inputs")
        return (TensorType((*x[:-1], weights[0])),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """A row of the input, a row of the weights."""
        last = len(output) - 1
        return (*each(inputs)[0][:-1], ALL), (moved(0, last), ALL), (moved(0, last),)

    def terms(self, x: Array) -> Sequence[Array]:
        """See Op: all inputs."""
        return (x,)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Float product with bias and clamp."""
        x, weights, bias = arrays
        return (np.clip(x @ weights.T + bias, *self.act).astype(np.float32),)

    def float32(self, *arrays: Array) -> tuple[Array, ...]:
        """From the bias on, input by input."""
        x, weights, bias = arrays
        sums = np.broadcast_to(bias, (*x.shape[:-1], len(bias))).astype(np.float32)
        with np.errstate(all="ignore"):
            for k in range(weights.shape[1]):
                sums = sums + x[..., k, None] * weights[:, k]
        return (float_clamped(sums, self.act),)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """int8 product; float64 holds the sums exactly."""
        sums = arrays[0].astype(np.float64) @ sig.constant(1).astype(np.float64).T
        return (finish(sig, sums),)

    def cost(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Cost:
        """One MAC per output element and input."""
        return Cost(macs=outputs[0].elements * inputs[1].shape[1])

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """One row, several rows, a single weight."""
        for shape, outputs, op in [
            ((1, 7), 5, cls()),
            ((1, 3, 6), 4, cls((0.0, float("inf")))),
            ((1, 2, 3, 5), 2, cls((-1.0, 1.0))),
            ((1, 1), 1, cls()),
        ]:
            yield Example(op, (shape, (outputs, shape[-1]), (outputs,)), constants=(1, 2))


def write_dense(node: Node, out: Writer) -> None:
    """Gemm for a matrix, else MatMul and Add; then Relu or Clip where one is fused."""
    op = node.op
    assert isinstance(op, Dense)
    source, weights, bias = node.inputs
    x = out.read(source)
    if len(out.shape(source)) == 2:
        value = out.node("Gemm", [x, out.read(weights), out.read(bias)], transB=1)
    else:
        product = out.node("MatMul", [x, out.read(weights, (1, 0))])
        value = out.node("Add", [product, out.beside(bias, len(out.shape(source)))])
    out.write(node.output, out.clamped(value, op.act))


def _dense(sig: Signature) -> tuple[Call, ...]:
    outputs, inputs = sig.constant(1).shape
    shape = sig.inputs[0].shape
    pixels = int(np.prod(shape[2:-1], dtype=np.int64)) if len(shape) > 2 else 1
    fields: dict[str, Field] = {
        "weights": ConstArray(DType.INT8, sig.constant(1)),
        "in_c": inputs,
        "out_c": outputs,
        "pixels": pixels,
    }
    return (Call(fields | requant_fields(sig)),)


def _dense_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Two outputs of a pixel at a time."""
    in_c, out_c = sig.inputs[0].channels, sig.output.channels
    pixels = sig.output.elements // out_c
    return {
        "call": len(runs),
        "row": sig.output.rows,
        "pixel": pixels,
        "pair": pixels * (out_c // 2),
        "pair_step": pixels * (out_c // 2) * in_c,
        "last_step": pixels * (out_c % 2) * in_c,
        "output": sig.output.elements,
    }


def _float(sig: Signature) -> tuple[Call, ...]:
    outputs, inputs = sig.constant(1).shape
    _, pixels = pixels_of(sig)
    shape: dict[str, Field] = {"in_c": inputs, "out_c": outputs, "pixels": pixels}
    return (Call(float_fields(sig) | shape),)


def _typed(sig: Signature) -> tuple[Call, ...]:
    """As a 1x1 convolution: rows, pixels, channels."""
    beside: dict[str, Field] = {"groups": 1, "pad_top": 0, "pad_left": 0}
    beside |= {"in_zero_point": sig.inputs[0].q.z}
    return typed_call(sig, pixel_fields(sig) | beside)


def _typed_work(sig: Signature, runs: Sequence[int]) -> Mapping[str, float]:
    """Two outputs of a pixel at a time, all inputs as one run in fours."""
    outputs, inputs = sig.constant(1).shape
    pixels = sig.output.elements // outputs
    runs_made = pixels * -(-outputs // 2)
    found = {"call": len(runs), "row": sig.output.rows, "pixel": pixels, "pair": runs_made}
    found |= {"line": runs_made, "run": runs_made, "output": sig.output.elements}
    return found | {"four": runs_made * (inputs // 4), "one": runs_made * (inputs % 4)}


OPS = (Dense,)
KERNELS = (
    Kernel(
        Dense,
        "mplan_dense_s8",
        _dense,
        cost_class="dense",
        work=_dense_work,
        blocks=byte_blocks,
    ),
    *(
        Kernel(
            Dense,
            function,
            _typed,
            types=types,
            cost_class="dense",
            work=block_work if types is BLOCK_TYPES else _typed_work,
            blocks=byte_blocks if types is INT16_TYPES else None,
        )
        for function, types in OTHER_WEIGHTS.items()
    ),
    Kernel(
        Dense,
        "mplan_dense_f32",
        _float,
        types=FLOAT_TYPES,
        cost_class="dense",
        work=_dense_work,
    ),
)
WRITERS = {Dense: write_dense}
