# SPDX-License-Identifier: Apache-2.0
"""Evaluates the nodes of a model whose inputs are all constant."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from mcuplan.errors import DamagedModel, UnsupportedOp, UnsupportedType
from mcuplan.importer._indices import INDICES
from mcuplan.importer._numeric import NUMERIC, Folding
from mcuplan.importer.linear import dequantize_constant, quantize_constant
from mcuplan.importer.protofile import BITS, Allowance
from mcuplan.ir.builder import Constant, OnnxNode
from mcuplan.ir.graph import Stored
from mcuplan.ir.types import Array, DType

__all__ = ["can_fold", "fold", "fold_shape", "widened"]


def fold_shape(node: OnnxNode, shape: Sequence[int]) -> Constant:
    """Shape or Size of a tensor whose shape is known."""
    if node.op_type == "Size":
        return Constant(np.array(math.prod(shape), np.int64))
    rank = len(shape)
    start, end = node.get_int("start", 0), node.get_int("end", rank)
    return Constant(np.array(tuple(shape)[start:end], np.int64))


def fold(
    node: OnnxNode, inputs: Sequence[Constant | None], allowance: Allowance
) -> tuple[Constant, ...]:
    """Values of the outputs of a node from the values of its inputs (None where absent).

    Raises:
        UnsupportedOp: the operator is not evaluated when generating.
        DamagedModel: the values do not fit the operator.
        InputTooLarge: the result would pass the limits.
    """
    kind = node.op_type
    arrays = tuple(None if c is None else c.data for c in inputs)
    folding = Folding(node, arrays, allowance, tuple(0 if c is None else c.bits for c in inputs))
    if kind in ("Shape", "Size"):
        return (fold_shape(node, folding.value(0).shape),)
    if kind in _QUANTIZED:
        made: Constant = _QUANTIZED[kind](folding)
        return (_narrowed(made) if folding.bits_of(0) == 4 else made,)
    if kind in _MOVING:
        assert inputs[0] is not None
        return _move(folding, inputs[0], _MOVING[kind])
    if kind in _RENAMING:
        assert inputs[0] is not None
        return (_RENAMING[kind](folding, inputs[0]),)
    for table in (NUMERIC, _MAKING, INDICES):
        if kind in table:
            return (Constant(table[kind](folding), bits=node.get_int(f"value{BITS}", 0)),)
    if kind == "Concat":
        return (Constant(_concat(folding)),)
    raise UnsupportedOp(
        f"{kind} of constants is not folded",
        hint="fold the constants when exporting (onnxsim, or do_constant_folding=True)",
    )


def widened(value: Constant) -> Constant:
    """The constant itself, float16 as float32."""
    return Constant(value.data.astype(np.float32)) if value.data.dtype == np.float16 else value


def _narrowed(value: Constant) -> Constant:
    """What 4 bits were read as, less its zero point where that leaves integers of 4 bits."""
    stored = value.stored
    if stored is None:
        return value
    quant, shape = stored.quant, [1] * stored.values.ndim
    if quant.axis is not None:
        shape[quant.axis] = -1
    less = stored.values.astype(np.int16) - np.array(quant.zero_point, np.int16).reshape(shape)
    if not DType.INT4.holds(less):
        return value
    zeros = (0,) * len(quant.zero_point)
    narrow = replace(quant, zero_point=zeros, dtype=DType.INT4)
    return Constant(value.data, Stored(less.astype(DType.INT4.numpy), narrow))


def can_fold(op_type: str) -> bool:
    """Whether the operator may be evaluated when generating."""
    tables = (_QUANTIZED, _MOVING, _RENAMING, NUMERIC, _MAKING, INDICES)
    return op_type in ("Concat", "Shape", "Size") or any(op_type in table for table in tables)


# -- making -----------------------------------------------------------------------------


def _constant(folding: Folding) -> Array:
    attributes = folding.node.attributes
    for key, dtype in (("value_float", np.float32), ("value_int", np.int64)):
        if key in attributes:
            return np.array(attributes[key], dtype)
        if f"{key}s" in attributes:
            return np.array(attributes[f"{key}s"], dtype).reshape(-1)
    value = attributes.get("value")
    if not isinstance(value, np.ndarray):
        raise UnsupportedType("a constant that is no dense tensor of numbers")
    return value


def _constant_of_shape(folding: Folding) -> Array:
    value = folding.node.attributes.get("value", np.zeros(1, np.float32))
    if not isinstance(value, np.ndarray) or value.size != 1:
        raise DamagedModel("attribute 'value' is not one number")
    shape = folding.ints(0)
    folding.reserve(shape, value.dtype)
    return np.full(shape, value.reshape(-1)[0], value.dtype)


def _expand(folding: Folding) -> Array:
    x, shape = folding.value(0), folding.ints(1)
    if any(n < 0 for n in shape):
        raise DamagedModel(f"Expand to {list(shape)}")
    target = np.broadcast_shapes(x.shape, shape)
    folding.reserve(target, x.dtype)
    return np.broadcast_to(x, target)


def _tile(folding: Folding) -> Array:
    x, repeats = folding.value(0), folding.ints(1)
    if len(repeats) != x.ndim:
        raise DamagedModel(f"{len(repeats)} repeats for a tensor of rank {x.ndim}")
    folding.reserve([n * k for n, k in zip(x.shape, repeats, strict=True)], x.dtype)
    return np.tile(x, repeats)


def _pad(folding: Folding) -> Array:
    x, mode = folding.value(0), folding.node.get_str("mode", "constant")
    pads = folding.ints_or_attribute(1, "pads") or ()
    given = range(x.ndim) if folding.optional(3) is None else folding.ints(3)
    axes = [range(x.ndim)[axis] for axis in given]
    if len(pads) != 2 * len(axes):
        raise DamagedModel(f"{len(pads)} pads for {len(axes)} axes")
    width = [(0, 0)] * x.ndim
    for axis, before, after in zip(axes, pads, pads[len(axes) :], strict=False):
        width[axis] = (before, after)
    if min(pads, default=0) < 0 or mode not in ("constant", "edge", "reflect", "wrap"):
        raise UnsupportedOp(f"Pad of a constant with mode={mode} pads={list(pads)}")
    folding.reserve([n + sum(w) for n, w in zip(x.shape, width, strict=True)], x.dtype)
    if mode != "constant":
        return np.pad(x, width, mode=mode)  # type: ignore[call-overload, no-any-return]
    fill = folding.optional(2)
    value = folding.node.get_float("value", 0.0) if fill is None else fill.reshape(-1)[0]
    return np.pad(x, width, constant_values=value)


def _concat(folding: Folding) -> Array:
    values = [folding.value(i) for i in range(len(folding.inputs))]
    folding.reserve((sum(v.size for v in values),), values[0].dtype)
    return np.concatenate(values, axis=folding.node.get_int("axis", 0))


# -- moving: the same function serves real values and stored integers --------------------


def _gather(folding: Folding) -> Callable[[Array], list[Array]]:
    x, indices = folding.value(0), folding.value(1).astype(np.int64)
    axis = range(x.ndim)[folding.node.get_int("axis", 0)]  # raises where there is none
    shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    folding.reserve(shape, x.dtype)
    return lambda values: [np.take(values, indices, axis=axis)]


def _slice(folding: Folding) -> Callable[[Array], list[Array]]:
    x = folding.value(0)
    starts, ends = folding.ints_or_attribute(1, "starts"), folding.ints_or_attribute(2, "ends")
    if starts is None or ends is None:
        raise DamagedModel("Slice without starts or ends")
    axes = folding.ints_or_attribute(3, "axes") or tuple(range(len(starts)))
    steps = folding.ints(4) if folding.optional(4) is not None else (1,) * len(starts)
    index = [slice(None)] * x.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        size = x.shape[axis]
        if step < 0 and end < -size:
            index[axis] = slice(start, None, step)
        else:
            index[axis] = slice(start, end, step)
    return lambda values: [values[tuple(index)]]


def _split(folding: Folding) -> Callable[[Array], list[Array]]:
    x, axis, parts = folding.value(0), folding.node.get_int("axis", 0), len(folding.node.outputs)
    sizes = folding.ints_or_attribute(1, "split")
    if sizes is None:
        each = -(-x.shape[axis] // parts)
        sizes = (each,) * (parts - 1) + (x.shape[axis] - each * (parts - 1),)
    if len(sizes) != parts or sum(sizes) != x.shape[axis] or min(sizes) < 0:
        raise DamagedModel(f"Split of {x.shape[axis]} elements into {list(sizes)}")
    return lambda values: np.split(values, np.cumsum(sizes)[:-1], axis=axis)


def _move(
    folding: Folding,
    source: Constant,
    function: Callable[[Folding], Callable[[Array], list[Array]]],
) -> tuple[Constant, ...]:
    """Moved values; per-tensor integers move along, per-channel ones where the axis stays."""
    move = function(folding)
    data = move(source.data)
    stored = source.stored
    if stored is None:
        return tuple(Constant(d, bits=source.bits) for d in data)
    axis = stored.quant.axis
    moved = move(stored.values)
    keeps = axis is None or (
        folding.node.op_type != "Gather"
        and all(m.shape[axis] == stored.values.shape[axis] for m in moved)
    )
    if not keeps:
        return tuple(Constant(d) for d in data)
    return tuple(Constant(d, Stored(m, stored.quant)) for d, m in zip(data, moved, strict=True))


# -- renaming axes: exact for stored integers too -----------------------------------------


def _transpose(folding: Folding, source: Constant) -> Constant:
    rank = source.data.ndim
    perm = folding.node.get_ints("perm", tuple(reversed(range(rank))))
    if sorted(perm) != list(range(rank)):
        raise DamagedModel(f"perm={list(perm)} for a tensor of rank {rank}")
    return source.transpose(perm)


def _reshape(folding: Folding, source: Constant) -> Constant:
    shape = folding.ints_or_attribute(1, "shape") or ()
    before = source.data.shape
    if not folding.node.get_int("allowzero", 0):
        shape = tuple(before[i] if n == 0 else n for i, n in enumerate(shape))
    return source.reshape(shape)


def _flatten(folding: Folding, source: Constant) -> Constant:
    shape, axis = source.data.shape, folding.node.get_int("axis", 1)
    axis += len(shape) if axis < 0 else 0
    return source.reshape((math.prod(shape[:axis]), math.prod(shape[axis:])))


def _squeeze(folding: Folding, source: Constant) -> Constant:
    axes = folding.ints_or_attribute(1, "axes")
    shape = np.squeeze(source.data, axis=None if axes is None else tuple(axes)).shape
    return source.reshape(shape)


def _unsqueeze(folding: Folding, source: Constant) -> Constant:
    axes = folding.ints_or_attribute(1, "axes")
    if axes is None:
        raise DamagedModel("Unsqueeze without axes")
    return source.reshape(np.expand_dims(source.data, tuple(axes)).shape)


def _identity(folding: Folding, source: Constant) -> Constant:
    return source


_QUANTIZED: Mapping[str, Callable[[Folding], Constant]] = {
    "DequantizeLinear": dequantize_constant,
    "QuantizeLinear": quantize_constant,
}
_MAKING: Mapping[str, Callable[[Folding], Array]] = {
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Expand": _expand,
    "Pad": _pad,
    "Tile": _tile,
}
_MOVING: Mapping[str, Callable[[Folding], Callable[[Array], list[Array]]]] = {
    "Gather": _gather,
    "Slice": _slice,
    "Split": _split,
}
_RENAMING: Mapping[str, Callable[[Folding, Constant], Constant]] = {
    "Dropout": _identity,
    "Flatten": _flatten,
    "Identity": _identity,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
