# SPDX-License-Identifier: Apache-2.0
"""A function of one value with factors of each channel in front and behind: some tables in int8.

Channels of unlike ranges lie on one grid by it, whatever the function.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.geometry import InputMap, Shape, each
from mcuplan.ir.graph import Node
from mcuplan.ir.op import Call, ConstArray, Cost, Example, Field, Kernel, Op, Signature
from mcuplan.ir.types import Array, DType, Quant, TensorType
from mcuplan.ir.writer import Axes, Writer
from mcuplan.ops._chain import Chain, UnaryFn, applied, write_chain
from mcuplan.ops._limits import image
from mcuplan.ops._tables import CODES, to_grid

__all__ = ["KERNELS", "MOST_TABLES", "OPS", "WRITERS", "ChannelLookup"]

MOST_TABLES = 256
"""Of one operator: a channel names its own in a byte."""


@dataclass(frozen=True, slots=True)
class ChannelLookup(Op):
    """``made[c] * f(read[c] * x)`` for channel c, the last axis; factors above 0."""

    chain: Chain
    read: tuple[float, ...]
    made: tuple[float, ...]

    channel_parameters = True
    inplace_inputs = (0,)

    @property
    def label(self) -> str:
        """The functions, first to last."""
        return f"{'+'.join(fn.label for fn in self.chain)} by channel"

    @property
    def pairs(self) -> tuple[tuple[float, float], ...]:
        """Factors that occur, in order: a table for each."""
        return tuple(sorted(set(zip(self.read, self.made, strict=True))))

    def limits(self, inputs: Sequence[tuple[float, float]]) -> tuple[float, float]:
        """The farthest of any channel."""
        found = [self._limits(inputs[0], *pair) for pair in self.pairs]
        return min(low for low, _ in found), max(high for _, high in found)

    def _limits(self, reach: tuple[float, float], read: float, made: float) -> tuple[float, float]:
        reach = (reach[0] * read, reach[1] * read)
        for fn in self.chain:
            reach = image(fn.name, fn.parameters, reach)
        return reach[0] * made, reach[1] * made

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Same shape."""
        channels = inputs[0].shape[-1]
        if not len(self.read) == len(self.made) == channels:
            raise UnsupportedOp(f"factors of {len(self.read)} channels for {channels}")
        if len(self.pairs) > MOST_TABLES:
            raise UnsupportedOp(f"{len(self.pairs)} tables, {MOST_TABLES} at most")
        return (TensorType(inputs[0].shape),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """Each element on its own."""
        return each(inputs)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Each element on its own, in double."""
        x = arrays[0].astype(np.float64) * np.array(self.read)
        with np.errstate(over="ignore"):
            return ((applied(self.chain, x) * np.array(self.made)).astype(np.float32),)

    def tables(self, source: Quant, output: Quant) -> Array:
        """int8 results of every int8 value [tables, 256], in the order of `pairs`."""
        real = source.dequantize(CODES).astype(np.float64)
        rows = [made * applied(self.chain, real * read) for read, made in self.pairs]
        return np.stack([to_grid(row, output) for row in rows])

    @property
    def places(self) -> Array:
        """The table of each channel."""
        order = {pair: k for k, pair in enumerate(self.pairs)}
        pairs = zip(self.read, self.made, strict=True)
        return np.array([order[pair] for pair in pairs], np.uint8)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """One look-up per element, in the table of its channel."""
        tables = self.tables(sig.inputs[0].q, sig.output.q)
        codes = arrays[0].astype(np.int64) - DType.INT8.low
        return (tables[self.places, codes],)

    def cost(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Cost:
        """One operation per element and function."""
        return Cost(ops=outputs[0].elements * sum(fn.functions for fn in self.chain))

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Rows of pixels, a vector, one channel; factors far apart."""
        swish, sigmoid = (UnaryFn("swish", (1.0,)),), (UnaryFn("sigmoid"),)
        yield Example(cls(swish, (1.0, 0.25, 8.0), (1.0, 4.0, 0.125)), ((1, 4, 5, 3),))
        yield Example(cls(sigmoid, (1.0, 1.0), (1.0, 64.0)), ((1, 7, 2),))
        yield Example(cls(swish, (0.5, 2.0, 2.0, 0.5), (2.0, 0.5, 0.5, 1.0)), ((1, 4),))
        yield Example(cls((UnaryFn("tanh"),), (2.0,), (1.0,)), ((1, 3, 2, 1),))


def write_channel_lookup(node: Node, out: Writer) -> None:
    """Products with the factors around the ONNX operators of the chain."""
    op, axes = node.op, out.orders(node.inputs[0])[0]
    assert isinstance(op, ChannelLookup)
    value = _multiplied(out, out.read(node.inputs[0], axes), op.read, axes)
    value = _multiplied(out, write_chain(out, value, op.chain), op.made, axes)
    out.write(node.output, value, axes)


def _multiplied(out: Writer, value: str, factors: tuple[float, ...], axes: Axes) -> str:
    """A product along wherever our last axis lies."""
    if set(factors) == {1.0}:
        return value
    shape = [len(factors) if axis == len(axes) - 1 else 1 for axis in axes]
    constant = out.constant("factors", np.array(factors, np.float32).reshape(shape))
    return out.node("Mul", [value, constant])


def _lookup(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, ChannelLookup)
    tables = op.tables(sig.inputs[0].q, sig.output.q).reshape(-1)
    fields: dict[str, Field] = {
        "tables": ConstArray(DType.INT8, tables, "tables"),
        "places": ConstArray(DType.UINT8, op.places, "tables"),
        "pixels": sig.output.row_bytes // len(op.read),
        "channels": len(op.read),
    }
    return (Call(fields),)


def _work(sig: Signature, runs: Sequence[int]) -> Mapping[str, float]:
    """Pixels and their channels."""
    op, output = sig.op, sig.output
    assert isinstance(op, ChannelLookup)
    pixels = output.elements // len(op.read)
    return {"call": len(runs), "row": output.rows, "pixel": pixels, "output": output.elements}


OPS = (ChannelLookup,)
KERNELS = (Kernel(ChannelLookup, "mplan_channel_lookup_s8", _lookup, work=_work),)
WRITERS = {ChannelLookup: write_channel_lookup}
