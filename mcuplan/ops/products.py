# SPDX-License-Identifier: Apache-2.0
"""How MatMul and Gemm are read: one constant matrix makes a Dense, anything else a MatMul."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.builder import Builder, Constant, OnnxNode, plain
from mcuplan.ir.graph import Layout
from mcuplan.ops._read import inner
from mcuplan.ops.arithmetic import read_two
from mcuplan.ops.dense import Dense
from mcuplan.ops.matmul import MatMul
from mcuplan.ops.movement import add_view
from mcuplan.ops.unary import add_lookup, affine
from mcuplan.ops.walks import NOWHERE, SUMMED

__all__ = ["READERS", "Sides", "add_product"]


@dataclass(frozen=True, slots=True)
class Sides:
    """For each axis of the operands, as the model has them, that of the result, or SUMMED."""

    a: tuple[int, ...]
    b: tuple[int, ...]
    rank: int


# -- a constant matrix ---------------------------------------------------------------------


def _add_dense(
    node: OnnxNode,
    build: Builder,
    source: str,
    weights: Constant,
    bias: Constant | None,
    layout: Layout = (),
) -> None:
    """Weights [O, K] applied to the last axis of an ONNX tensor, or of a layout of it."""
    outputs = weights.data.shape[0]
    if bias is None:
        bias = Constant(np.zeros(outputs, np.float32))
    stem = node.outputs[0]
    w = build.add_constant(weights, f"{stem}_weights")
    b = build.add_constant(bias, f"{stem}_bias")
    shape = build.shape(source)
    layout = layout or plain(len(shape))
    if len(shape) > 1 and shape[layout[0] or 0] != 1:
        layout = (None, *layout)  # rows of a matrix are rows of one sample
    build.add(Dense(), [build.in_layout(source, layout), w, b], node, layout)


def read_gemm(node: OnnxNode, build: Builder) -> None:
    """Gemm; constants take alpha and beta."""
    weights, bias = build.constant(node.input(1)), build.constant(node.input(2))
    shape = build.shape(node.input(0))
    if len(shape) != 2 or len(build.shape(node.input(1))) != 2:
        raise UnsupportedOp("Gemm of tensors that are not matrices")
    alpha, beta = node.get_float("alpha", 1.0), node.get_float("beta", 1.0)
    turned = bool(node.get_int("transA", 0)) and shape[0] != 1
    outputs = build.shape(node.input(1))[0 if node.get_int("transB", 0) else 1]
    added = _bias(bias, outputs, beta)
    if weights is None or turned:
        _gemm_of_tensors(node, build, alpha, beta)
        return
    weights = weights if node.get_int("transB", 0) else weights.transpose((1, 0))
    weights = weights if alpha == 1.0 else weights.times(alpha)
    apart = bool(node.input(2)) and added is None
    made = inner(node, "product") if apart else node
    _add_dense(made, build, node.input(0), weights, added)
    if apart:
        _add_c(node, build, made.outputs[0], beta)


def _bias(given: Constant | None, outputs: int, beta: float) -> Constant | None:
    """C times beta as the bias of a Dense; None where there is none, or one for each row."""
    if given is None or given.data.size not in (1, outputs):
        return None
    if given.data.size != 1 and given.data.shape[-1] != outputs:
        return None
    if beta == 1.0 and given.data.shape == (outputs,):
        return given
    return Constant(np.broadcast_to(given.data.reshape(-1) * np.float32(beta), (outputs,)))


def _gemm_of_tensors(node: OnnxNode, build: Builder, alpha: float, beta: float) -> None:
    """A product, then alpha, then C: each a step of its own."""
    a = (SUMMED, 0) if node.get_int("transA", 0) else (0, SUMMED)
    b = (1, SUMMED) if node.get_int("transB", 0) else (SUMMED, 1)
    bare = alpha == 1.0 and not node.input(2)
    made = node if bare else inner(node, "product")
    add_product(made, build, Sides(a, b, 2))
    if alpha != 1.0:
        scaled = inner(node, "scaled") if node.input(2) else node
        add_lookup(replace(scaled, inputs=made.outputs), build, [affine(alpha, 0.0)])
        made = scaled
    if node.input(2):
        _add_c(node, build, made.outputs[0], beta)


def _add_c(node: OnnxNode, build: Builder, product: str, beta: float) -> None:
    """A product plus C times beta."""
    other, c = node.input(2), build.constant(node.input(2))
    if beta != 1.0:
        other = f"{node.outputs[0]}:c"
        if c is not None:
            build.constants[other] = Constant(c.data * np.float32(beta))
        else:
            times = replace(inner(node, "c"), inputs=(node.input(2),))
            add_lookup(times, build, [affine(beta, 0.0)])
    read_two(replace(node, op_type="Add", inputs=(product, other)), build)


def read_matmul(node: OnnxNode, build: Builder) -> None:
    """MatMul; with one constant matrix or vector on either side a Dense."""
    sides = [build.constant(node.input(0)), build.constant(node.input(1))]
    left = sides[0] is not None
    given = sides[0] if left else sides[1]
    if given is None or not given.data.ndim or math.prod(given.data.shape[:-2]) != 1:
        add_product(node, build, matrices(*(build.shape(node.input(i)) for i in (0, 1))))
        return
    source = node.input(1 if left else 0)
    shape = build.shape(source)
    weights, layout = _matrix(given, left=left), plain(len(shape))
    if left and len(shape) > 1:
        layout = (*layout[:-2], layout[-1], layout[-2])
    operands = (given.data.shape, shape) if left else (shape, given.data.shape)
    if not left and given.data.ndim == 2:
        _add_dense(node, build, source, weights, None)
        return
    product = inner(node, "product")
    _add_dense(product, build, source, weights, None, layout)
    add_view(replace(node, inputs=product.outputs), build, _product_shape(*operands))


def _matrix(given: Constant, *, left: bool) -> Constant:
    """Weights [O, K] of a constant operand: a matrix behind axes of 1, or a vector."""
    if given.data.ndim == 1:
        return given.reshape((1, *given.data.shape))
    matrix = given.reshape(given.data.shape[-2:])
    return matrix if left else matrix.transpose((1, 0))


def _product_shape(a: Sequence[int], b: Sequence[int]) -> tuple[int, ...]:
    """Shape of a matrix product as numpy defines it, one operand but for axes of 1 a matrix."""
    rows, columns = tuple(a[-2:-1]), tuple(b[-1:]) if len(b) > 1 else ()
    return (*np.broadcast_shapes(tuple(a[:-2]), tuple(b[:-2])), *rows, *columns)


# -- two tensors --------------------------------------------------------------------------


def matrices(a: Sequence[int], b: Sequence[int]) -> Sides:
    """Of stacks of matrices, as numpy multiplies them; a vector is a row, or a column behind.

    Raises:
        UnsupportedOp: an operand has no axes.
    """
    if not a or not b:
        raise UnsupportedOp("a product of a number", hint="use Mul")
    stack = max(len(a) - 2, len(b) - 2, 0)
    rows, columns = min(1, len(a) - 1), min(1, len(b) - 1)
    first = (*range(stack - max(0, len(a) - 2), stack), *(stack,) * rows, SUMMED)
    behind = (SUMMED, *(stack + rows,) * columns)
    second = (*range(stack - max(0, len(b) - 2), stack), *behind)
    return Sides(first, second, stack + rows + columns)


def add_product(node: OnnxNode, build: Builder, sides: Sides) -> None:
    """The product of the first two inputs, in the layouts in which they lie.

    Rows of the result are those of the first operand that has some: queries of heads, where the
    heads lie within rows.
    """
    names = node.input(0), node.input(1)
    held = [_held(build, name) for name in names]
    layout = _result_layout(build, names, held, sides)
    tensors, labels = [], []
    for name, own, onnx in zip(names, held, (sides.a, sides.b), strict=True):
        own = (None, *own) if layout[0] is None and own[0] is not None else own
        constant = build.constant(name)
        if constant is None:
            tensors.append(build.in_layout(name, own))
        else:
            tensors.append(build.constant_in_layout(constant, own, len(onnx), f"{name}_operand"))
        labels.append(_labels(own, onnx, layout))
    build.add(MatMul(labels[0], labels[1], len(layout)), tensors, node, layout)


def _held(build: Builder, name: str) -> Layout:
    if build.constant(name) is not None:
        return plain(len(build.shape(name)))
    return build.layouts(name)[0]


def _labels(own: Layout, onnx: tuple[int, ...], layout: Layout) -> tuple[int, ...]:
    """For each axis of a tensor the axis of the result, whose first one is 1."""
    found = [
        NOWHERE if axis is None else SUMMED if onnx[axis] == SUMMED else layout.index(onnx[axis])
        for axis in own
    ]
    if own[0] is None and 0 not in found:
        found[0] = 0
    return tuple(found)


def _result_layout(
    build: Builder, names: Sequence[str], held: Sequence[Layout], sides: Sides
) -> Layout:
    """As the first operand lies where what is summed comes last; else in the model's order.

    The first axis is 1, the next one not: these are rows.
    """
    sizes = [1] * sides.rank
    for name, onnx in zip(names, (sides.a, sides.b), strict=True):
        for axis, size in zip(onnx, build.shape(name), strict=True):
            if axis >= 0 and size != 1:
                sizes[axis] = size
    order = list(range(sides.rank))
    own = [sides.a[axis] for axis in held[0] if axis is not None]
    if own[-1] == SUMMED:
        columns = sides.b[sides.b.index(SUMMED) + 1 :]
        stacks = [axis for axis in order if axis not in (*own, *columns)]
        order = [*stacks, *own[:-1], *columns]
    many = [axis for axis in order if sizes[axis] != 1]
    one: list[int | None] = [axis for axis in order if sizes[axis] == 1] or [None]
    return (one[0], *many[:1], *one[1:], *many[1:])


READERS = {"Gemm": read_gemm, "MatMul": read_matmul}
