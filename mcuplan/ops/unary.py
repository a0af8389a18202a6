# SPDX-License-Identifier: Apache-2.0
"""Functions of one value, and chains of them: on the device one table of 256 entries.

In int16 a clamp is a requantization, and others are lines between entries of a table, at most one
step off where 4,097 entries are enough for that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.builder import Builder, OnnxNode, Reader
from mcuplan.ir.geometry import InputMap, Shape, each
from mcuplan.ir.graph import Node
from mcuplan.ir.op import NO_CLAMP, Call, ConstArray, Cost, Example, Kernel, Op, Signature
from mcuplan.ir.types import Array, DType, Quant, TensorType, Types
from mcuplan.ir.writer import Writer
from mcuplan.ops._chain import (
    JOINS,
    Chain,
    Conditional,
    Joined,
    Link,
    UnaryFn,
    affine,
    applied,
    clip,
    rounding,
    write_chain,
)
from mcuplan.ops._functions import COMPARISONS, FUNCTIONS, SMOOTH
from mcuplan.ops._limits import flat_beyond, image
from mcuplan.ops._program_f32 import compiled, run
from mcuplan.ops._tables import CODES, Lines, apply_table, lines_of, requantize_table, to_grid
from mcuplan.ops.conversion import requantized
from mcuplan.ops.fields import INT16_TYPES

__all__ = [
    "JOINS",
    "KERNELS",
    "OPS",
    "READERS",
    "WRITERS",
    "Chain",
    "Conditional",
    "Joined",
    "Link",
    "Lookup",
    "UnaryFn",
    "add_lookup",
    "affine",
    "clip",
    "lookup_call",
    "requantize_table",
    "rounding",
]


@dataclass(frozen=True, slots=True)
class Lookup(Op):
    """Functions applied one after the other; two nodes in a row are one with both chains."""

    chain: Chain

    inplace_inputs = (0,)
    types = (Types(), Types.all(DType.FLOAT32), INT16_TYPES)

    @property
    def is_wide(self) -> bool:
        """Whether the functions have no jumps, and no ends without limit."""
        return all(isinstance(fn, UnaryFn) and fn.name in SMOOTH for fn in self.chain)

    @property
    def label(self) -> str:
        """The functions, first to last."""
        return "+".join(fn.label for fn in self.chain)

    @property
    def clamp(self) -> tuple[float, float] | None:
        """Real limits where the chain is a Relu or Clip and nothing else."""
        if len(self.chain) != 1 or self.chain[0].name != "clip":
            return None
        low, high = self.chain[0].parameters
        return low, high

    def limits(self, inputs: Sequence[tuple[float, float]]) -> tuple[float, float]:
        """Those of the last function, given those of the functions before it."""
        reach = inputs[0]
        for fn in self.chain:
            reach = image(fn.name, fn.parameters, reach)
        return reach

    def told_apart(self, values: Array) -> Array:
        """Without what lies where the first function is flat."""
        ends = NO_CLAMP
        for fn in self.chain[:1]:
            ends = flat_beyond(fn.name, fn.parameters) if isinstance(fn, UnaryFn) else NO_CLAMP
        return values if ends == NO_CLAMP else np.clip(values, *np.asarray(ends, values.dtype))

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Same shape."""
        return (TensorType(inputs[0].shape),)

    def value(self, x: Array) -> Array:
        """The chain in double."""
        return applied(self.chain, x.astype(np.float64))

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """Each element on its own."""
        return each(inputs)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Each element on its own."""
        with np.errstate(over="ignore"):
            return (self.value(arrays[0]).astype(np.float32),)

    def float32(self, *arrays: Array) -> tuple[Array, ...]:
        """Step by step, as `mplan_chain_f32` and its kin."""
        return (run(compiled(self.chain), arrays[0]),)

    def table(self, source: Quant, output: Quant) -> Array:
        """int8 result of every int8 value."""
        return to_grid(self.value(source.dequantize(CODES)), output)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """One look-up per element."""
        if sig.inputs[0].dtype is DType.INT16:
            if self.clamp is not None:
                return (requantized(sig, arrays[0], self.clamp),)
            return (self.lines(sig)(arrays[0]),)
        return (apply_table(self.table(sig.inputs[0].q, sig.output.q), arrays[0]),)

    def lines(self, sig: Signature) -> Lines:
        """The table of int16 and the lines between its entries."""
        return sig.once(_lines)

    def cost(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Cost:
        """One operation per element and function."""
        return Cost(ops=outputs[0].elements * sum(fn.functions for fn in self.chain))

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Every function once, and a chain with a rounding."""
        shapes = ((1, 3, 4, 2), (1, 7), (1, 2, 5))
        for k, (name, parameters) in enumerate(_EXAMPLES.items()):
            yield Example(cls((UnaryFn(name, parameters),)), (shapes[k % 3],))
        rounded = rounding(Quant.per_tensor(0.05, -3))
        chain = (affine(0.5, 3.0), rounded, clip(0.0, 6.0), UnaryFn("tanh"))
        yield Example(cls(chain), ((1, 3, 3, 3),))
        fine = rounding(Quant.per_tensor(2.0**-15, 0, DType.INT16))
        gate = (UnaryFn("hard_sigmoid", (0.2, 0.5)), fine)
        for name in JOINS:
            both = Joined(name, (affine(1.0, 0.5),), gate)
            yield Example(cls((both, clip(-1.0, 4.0))), ((1, 2, 3, 2),))


def _lines(sig: Signature) -> Lines:
    op = sig.op
    assert isinstance(op, Lookup)
    return lines_of(op.value, sig.inputs[0].q, sig.output.q)


_DEFAULTS: dict[str, tuple[float, ...]] = {
    "celu": (1.0,),
    "elu": (1.0,),
    "hard_sigmoid": (0.2, 0.5),
    "leaky_relu": (0.01,),
    "selu": (1.67326319217681884765625, 1.05070102214813232421875),
    "thresholded_relu": (1.0,),
}
"""Parameters where an ONNX node does not give them."""

_EXAMPLES: dict[str, tuple[float, ...]] = {
    **dict.fromkeys(FUNCTIONS, ()),
    **_DEFAULTS,
    "affine": (-1.5, 2.0),
    "clip": (0.0, 6.0),
    **dict.fromkeys(COMPARISONS, (0.5,)),
    "pow": (3.0,),
    "power_of": (2.0,),
    "quantize": (0.1, 5.0, 8.0),
    "swish": (1.0,),
}


# -- readers ----------------------------------------------------------------------------


def add_lookup(node: OnnxNode, build: Builder, chain: Sequence[Link], index: int = 0) -> None:
    """The output is an input with functions applied, in the layout in which it is held."""
    name = node.input(index)
    rank = len(build.shape(name))
    if any(len(c.data.shape) > rank for c in map(build.constant, node.inputs) if c is not None):
        raise UnsupportedOp("a constant of more axes than the tensor", hint="make it a scalar")
    layout = build.preferred_layout([name])
    build.add(Lookup(tuple(chain)), [build.in_layout(name, layout)], node, layout)


def _plain(name: str, *parameters: float) -> Reader:
    """Reader of an operator without attributes."""

    def read(node: OnnxNode, build: Builder) -> None:
        add_lookup(node, build, [UnaryFn(name, parameters)])

    return read


def _with_attributes(name: str) -> Reader:
    """Reader of an operator whose attributes are the parameters."""
    keys = FUNCTIONS[name].attributes

    def read(node: OnnxNode, build: Builder) -> None:
        pairs = zip(keys, _DEFAULTS[name], strict=True)
        values = tuple(node.get_float(key, default) for key, default in pairs)
        if name == "celu" and values[0] == 0:
            raise UnsupportedOp("alpha=0 divides by zero", hint="export with the default of 1")
        add_lookup(node, build, [UnaryFn(name, values)])

    return read


def read_gelu(node: OnnxNode, build: Builder) -> None:
    """Gelu, exact or by tanh."""
    if node.input(1):
        raise UnsupportedOp(f"{node.op_type} with a bias", hint="add the bias before it")
    by_tanh = node.op_type == "FastGelu" or node.get_str("approximate", "none") == "tanh"
    add_lookup(node, build, [UnaryFn("gelu_tanh" if by_tanh else "gelu")])


def read_shrink(node: OnnxNode, build: Builder) -> None:
    """Shrink: 0 within +-lambd, and what is beyond moved towards it by the bias."""
    bias, limit = node.get_float("bias", 0.0), node.get_float("lambd", 0.5)
    nothing = (affine(0.0, 0.0),)
    below = Conditional((UnaryFn("less", (-limit,)),), (affine(1.0, bias),), nothing)
    above = Conditional((UnaryFn("greater", (limit,)),), (affine(1.0, -bias),), (below,))
    add_lookup(node, build, [above])


def _swish(default: float) -> Reader:
    def read(node: OnnxNode, build: Builder) -> None:
        add_lookup(node, build, [UnaryFn("swish", (node.get_float("alpha", default),))])

    return read


def write_lookup(node: Node, out: Writer) -> None:
    """The ONNX operators of a chain, in any order of axes that is held."""
    op, axes = node.op, out.orders(node.inputs[0])[0]
    assert isinstance(op, Lookup)
    value = write_chain(out, out.read(node.inputs[0], axes), op.chain)
    out.write(node.output, value, axes)


def lookup_call(sig: Signature, table: Array) -> tuple[Call, ...]:
    """The call that looks up every element of a tensor in a table."""
    entries = ConstArray(DType.INT8, table, "tables")
    return (Call({"table": entries, "row_bytes": sig.output.row_bytes}),)


def _lookup(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Lookup)
    return lookup_call(sig, op.table(sig.inputs[0].q, sig.output.q))


_SAME_NAME: tuple[tuple[str, str], ...] = tuple(
    (function.onnx, name) for name, function in FUNCTIONS.items() if function.onnx
)
OPS = (Lookup,)
KERNELS = (Kernel(Lookup, "mplan_lookup_s8", _lookup, cost_class="copy"),)
READERS: dict[str, Callable[[OnnxNode, Builder], None]] = {
    **{
        onnx: _with_attributes(name) if FUNCTIONS[name].attributes else _plain(name)
        for onnx, name in _SAME_NAME
    },
    "Gelu": read_gelu,
    "Mish": _plain("mish"),
    "Relu": _plain("clip", 0.0, math.inf),
    "Shrink": read_shrink,
    "Swish": _swish(1.0),
    "com.microsoft::FastGelu": read_gelu,
    "com.microsoft::Gelu": read_gelu,
    "com.microsoft::QuickGelu": _swish(1.702),
}
WRITERS = {Lookup: write_lookup}
