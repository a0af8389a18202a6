# SPDX-License-Identifier: Apache-2.0
"""PRelu: values below 0 times a slope, one for all or one per channel."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcuplan.errors import ScaleError, UnsupportedOp
from mcuplan.ir.builder import Builder, Constant, OnnxNode
from mcuplan.ir.geometry import InputMap, Shape, each
from mcuplan.ir.graph import Node
from mcuplan.ir.op import Call, ConstArray, Example, Field, Kernel, Op, Signature
from mcuplan.ir.types import Array, DType, TensorType, Types
from mcuplan.ir.writer import Writer
from mcuplan.ops._read import channels_last, inner
from mcuplan.ops.arithmetic import read_two
from mcuplan.ops.unary import UnaryFn, add_lookup, clip

__all__ = ["KERNELS", "OPS", "READERS", "WRITERS", "PRelu"]


@dataclass(frozen=True, slots=True)
class PRelu(Op):
    """``x`` above 0, ``slope * x`` below; a slope for each element of the last axis."""

    slopes: tuple[float, ...]

    channel_parameters = True
    inplace_inputs = (0,)
    types = (Types(), Types.all(DType.FLOAT32))

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Same shape."""
        if inputs[0].shape[-1] % len(self.slopes):
            raise UnsupportedOp(f"{len(self.slopes)} slopes for {inputs[0].shape[-1]} channels")
        return (TensorType(inputs[0].shape),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """Each element on its own."""
        return each(inputs)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Each element on its own."""
        x = arrays[0]
        slopes = np.resize(np.array(self.slopes, np.float32), x.shape[-1])
        return (np.where(x < 0, slopes * x, x).astype(np.float32),)

    def float32(self, *arrays: Array) -> tuple[Array, ...]:
        """Each element on its own, one product."""
        slopes = np.resize(np.array(self.slopes, np.float32), arrays[0].shape[-1])
        return (np.where(arrays[0] < 0, arrays[0] * slopes, arrays[0]),)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """One factor and one rounding each, at one common shift."""
        positive, negative, shift = self.factors(sig)
        value = arrays[0].astype(np.int64) - sig.inputs[0].q.z
        steps = (value * np.where(value < 0, negative, positive) + (1 << (shift - 1))) >> shift
        return (sig.output.dtype.clip(steps + sig.output.q.z),)

    def factors(self, sig: Signature) -> tuple[int, Array, int]:
        """Factor above 0, factors below by channel, and their shift, the largest int32 holds.

        Raises:
            ScaleError: the output scale is out of reach of the input's.
        """
        ratio = sig.inputs[0].q.s / sig.output.q.s
        real = np.array([1.0, *self.slopes]) * ratio
        for shift in range(30, 0, -1):
            whole = np.floor(real * 2.0**shift + 0.5)
            if DType.INT8.steps * np.abs(whole).max() + 2.0 ** (shift - 1) < 2.0**31:
                return int(whole[0]), whole[1:].astype(np.int64), shift
        raise ScaleError(
            f"output scale {sig.output.q.s:.3g} for an input of scale {sig.inputs[0].q.s:.3g}",
            hint="calibrate with representative data",
        )

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Rows of pixels, a vector, one channel; slopes above 1 and below 0."""
        for slopes, shape in [
            ((0.25, 0.1, -0.5), (1, 4, 5, 3)),
            ((0.01, 3.0), (1, 7, 2)),
            ((0.3, 0.2, 0.1, 0.0), (1, 4)),
            ((1.5,), (1, 3, 2, 1)),
        ]:
            yield Example(cls(slopes), (shape,))


# -- reader and writer --------------------------------------------------------------------


def read_prelu(node: OnnxNode, build: Builder) -> None:
    """PRelu with constant slopes: of one number a function, of one axis a PRelu, else products."""
    slope = build.constant(node.input(1))
    if slope is None:
        raise UnsupportedOp("PRelu with a computed slope", hint="freeze the weights")
    shape = build.shape(node.input(0))
    if np.broadcast_shapes(slope.data.shape, shape) != shape:
        raise UnsupportedOp(f"slopes of shape {list(slope.data.shape)} for {list(shape)}")
    if np.unique(slope.data).size == 1:
        fn = UnaryFn("leaky_relu", (float(slope.data.flat[0]),))
        add_lookup(replace(node, inputs=node.inputs[:1]), build, [fn])
        return
    axes = [a for a, n in enumerate(_sizes(slope, len(shape))) if n != 1]
    layout = channels_last(build, node.input(0), axes[0]) if len(axes) == 1 else None
    if layout is None:
        _as_product(node, build)
        return
    op = PRelu(tuple(float(v) for v in slope.data.reshape(-1)))
    build.add(op, [build.in_layout(node.input(0), layout)], node, layout)


def _sizes(slope: Constant, rank: int) -> tuple[int, ...]:
    return (1,) * (rank - slope.data.ndim) + slope.data.shape


def _as_product(node: OnnxNode, build: Builder) -> None:
    """What is above 0, and the slopes times what is below."""
    above, below, scaled = (inner(node, word) for word in ("above", "below", "scaled"))
    x, slope = node.inputs
    add_lookup(replace(above, inputs=(x,)), build, [clip(0.0, math.inf)])
    add_lookup(replace(below, inputs=(x,)), build, [clip(-math.inf, 0.0)])
    read_two(replace(scaled, op_type="Mul", inputs=(*below.outputs, slope)), build)
    read_two(replace(node, op_type="Add", inputs=(*above.outputs, *scaled.outputs)), build)


def write_prelu(node: Node, out: Writer) -> None:
    """PRelu, the slopes along wherever our last axis lies."""
    op, axes = node.op, out.orders(node.inputs[0])[0]
    assert isinstance(op, PRelu)
    channels = out.shape(node.inputs[0])[-1]
    shape = [channels if axis == len(axes) - 1 else 1 for axis in axes]
    slopes = np.resize(np.array(op.slopes, np.float32), channels).reshape(shape)
    value = out.node("PRelu", [out.read(node.inputs[0], axes), out.constant("slopes", slopes)])
    out.write(node.output, value, axes)


def _prelu(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, PRelu)
    positive, negative, shift = op.factors(sig)
    fields: dict[str, Field] = {
        "negative": ConstArray(DType.INT32, negative, "tables"),
        "positive": positive,
        "pixels": sig.output.row_bytes // len(negative),
        "channels": len(negative),
        "shift": shift,
        "in_zero_point": sig.inputs[0].q.z,
        "out_zero_point": sig.output.q.z,
    }
    return (Call(fields),)


def _real(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, PRelu)
    slopes = np.array(op.slopes, np.float32)
    fields: dict[str, Field] = {
        "slopes": ConstArray(DType.FLOAT32, slopes, "tables"),
        "pixels": sig.output.elements // (sig.output.rows * len(slopes)),
        "channels": len(slopes),
    }
    return (Call(fields),)


def _work(sig: Signature, runs: Sequence[int]) -> Mapping[str, float]:
    """Groups of as many elements as there are slopes."""
    op, output = sig.op, sig.output
    assert isinstance(op, PRelu)
    groups = output.elements // len(op.slopes)
    return {"call": len(runs), "row": output.rows, "pixel": groups, "output": output.elements}


OPS = (PRelu,)
KERNELS = (
    Kernel(PRelu, "mplan_prelu_s8", _prelu, work=_work),
    Kernel(PRelu, "mplan_prelu_f32", _real, types=PRelu.types[1], work=_work),
)
READERS = {"PRelu": read_prelu}
WRITERS = {PRelu: write_prelu}
