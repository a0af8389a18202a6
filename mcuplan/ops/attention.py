# SPDX-License-Identifier: Apache-2.0
"""Scaled dot-product attention: one row of scores at a time, in integers with one rounding."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import AccumulatorOverflow, ScaleError, UnsupportedOp
from mcuplan.ir.geometry import ALL, SAME, InputMap, Shape
from mcuplan.ir.graph import Node
from mcuplan.ir.op import Call, ConstArray, Cost, Example, Field, Kernel, Op, Signature
from mcuplan.ir.types import Array, DType, TensorType, Types
from mcuplan.ir.work import Work
from mcuplan.ir.writer import Writer
from mcuplan.ops._math_f32 import exp_f32
from mcuplan.ops.fields import FLOAT_TYPES
from mcuplan.quant.requantize import requantize, requantize_factors

__all__ = ["KERNELS", "MOST_NARROW", "OPS", "WRITERS", "Attention", "attention_work"]

_MOST_KEYS = 1 << 15
_MOST_BELOW = (1 << 30) - 1  # a score may be below the largest; hidden keys are further
_EXPONENT_BITS = 16  # of fraction of a logarithm to base 2
_STEPS = 32  # of the table of exponentials
_REST = (1 << _EXPONENT_BITS) // _STEPS
_SHARE_BITS = 16  # of fraction of a mean of values
_SUM_BITS = 15  # of a sum of weights
_NARROW = 14  # bits of a weight, and its value, whose sum of as many keys fits 32 bits
MOST_NARROW = 512


@dataclass(frozen=True, slots=True)
class Attention(Op):
    """Queries [1, N, H, D], keys [1, M, G, D], values [1, M, G, E]: means of values [1, N, H, E].

    Weights are ``softmax(scale * query . key)`` over the keys; H / G heads share keys and values.
    ``causal``: query i sees keys up to i + M - N.
    """

    scale: float
    causal: bool = False

    inplace_inputs = (0,)
    types = (Types(), FLOAT_TYPES)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """A mean of values for each query and head."""
        q, k, v = (kind.shape for kind in inputs)
        if not (q[0] == k[0] == v[0] == 1 and q[3] == k[3] and k[1:3] == v[1:3]):
            raise UnsupportedOp(f"attention of shapes {list(q)}, {list(k)} and {list(v)}")
        if q[2] % k[2] or not 1 <= k[1] <= _MOST_KEYS or (self.causal and k[1] < q[1]):
            raise UnsupportedOp(f"attention of {q[1]} queries and {k[1]} keys in {k[2]} heads")
        return (TensorType((1, q[1], q[2], v[3])),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """A row of queries, all keys and values."""
        return (SAME, SAME, SAME, ALL), (SAME, ALL, ALL, ALL), (SAME, ALL, ALL, ALL)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """In double precision."""
        q, k, v = (x.astype(np.float64) for x in arrays)
        k, v = (np.repeat(x, q.shape[2] // x.shape[2], axis=2) for x in (k, v))
        scores = np.einsum("snhd,smhd->snhm", q, k) * self.scale
        scores = np.where(self._seen(q.shape[1], k.shape[1]), scores, -np.inf)
        e = np.exp(scores - scores.max(axis=-1, keepdims=True))
        means = np.einsum("snhm,smhe->snhe", e / e.sum(axis=-1, keepdims=True), v)
        return (means.astype(np.float32),)

    def _seen(self, queries: int, keys: int) -> Array:
        """Which keys each query sees: [queries, 1, keys]."""
        last = np.arange(queries)[:, None] + keys - queries if self.causal else keys
        seen: Array = np.arange(keys) <= last
        return np.broadcast_to(seen, (queries, keys))[:, None]

    def float32(self, *arrays: Array) -> tuple[Array, ...]:
        """Sums in order, of products, of exponentials and of weighted values; one quotient."""
        q, k, v = arrays
        k, v = (np.repeat(x, q.shape[2] // x.shape[2], axis=2) for x in (k, v))
        seen = self._seen(q.shape[1], k.shape[1])
        with np.errstate(all="ignore"):
            scores = np.zeros((*q.shape[:3], k.shape[1]), np.float32)
            for d in range(q.shape[3]):
                scores = scores + q[..., d, None] * k[..., d].transpose(0, 2, 1)[:, None]
            scores = np.where(seen, scores * np.float32(self.scale), np.float32(-np.inf))
            most = scores[..., 0]
            for j in range(1, k.shape[1]):
                most = np.where(scores[..., j] > most, scores[..., j], most)
            total = np.zeros(q.shape[:3], np.float32)
            sums = np.zeros((*q.shape[:3], v.shape[3]), np.float32)
            for j in range(k.shape[1]):
                e = np.where(seen[..., j], exp_f32(scores[..., j] - most), np.float32(0))
                total = np.where(seen[..., j], total + e, total)
                more = sums + e[..., None] * v[:, None, j]
                sums = np.where(seen[..., j, None], more, sums)
            return ((sums / total[..., None]).astype(np.float32),)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """Exact scores, exponentials in fixed point, one rounding; as `mplan_attention_s8`."""
        made = _constants_of(sig)
        q, k, v = (x.astype(np.int64) for x in arrays)
        q = q - sig.inputs[0].q.z
        k, v = (np.repeat(x, q.shape[2] // x.shape[2], axis=2) for x in (k, v))
        exact = np.einsum("snhd,smhd->snhm", q.astype(np.float64), k.astype(np.float64))
        seen = self._seen(q.shape[1], k.shape[1])
        scores = np.where(seen, exact.astype(np.int64), np.iinfo(np.int32).min)
        below = scores.max(axis=-1, keepdims=True) - scores
        e = np.where(seen & (below <= made.limit), _exponentials(made, below), 0)
        total = e.sum(axis=-1, keepdims=True)
        sums = self._weighted(e, v, made.drop) - total * sig.inputs[2].q.z
        bits = np.frompyfunc(int.bit_length, 1, 1)(total.astype(object)).astype(np.int64)
        short = total >> (bits - _SUM_BITS)
        reciprocal = ((1 << 31) + (short >> 1)) // short
        means = ((sums >> (bits - _SUM_BITS)) * reciprocal) >> (31 - _SHARE_BITS)
        return (requantize(means, made.multiplier, made.pre_shift, sig.output.q.z),)

    @staticmethod
    def _weighted(weights: Array, values: Array, drop: int) -> Array:
        """Sums of products, each without its last bits."""
        sums = np.zeros((*weights.shape[:3], values.shape[3]), np.int64)
        for j in range(weights.shape[3]):
            sums += (weights[..., j, None] * values[:, None, j]) >> drop
        return sums << drop

    def cost(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Cost:
        """A MAC for each product; four operations for each score."""
        (_, n, h, d), m, e = inputs[0].shape, inputs[1].shape[1], outputs[0].shape[3]
        return Cost(macs=n * h * m * (d + e), ops=4 * n * h * m)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Heads, shared keys, causal, other widths of values, one key."""
        for op, q, k, v in [
            (cls(0.35), (1, 5, 2, 8), (1, 5, 2, 8), (1, 5, 2, 8)),
            (cls(0.5, True), (1, 6, 1, 4), (1, 6, 1, 4), (1, 6, 1, 4)),
            (cls(0.25), (1, 3, 4, 7), (1, 9, 2, 7), (1, 9, 2, 5)),
            (cls(1.0, True), (1, 2, 3, 3), (1, 7, 1, 3), (1, 7, 1, 9)),
            (cls(0.1), (1, 1, 2, 16), (1, 1, 2, 16), (1, 1, 2, 3)),
        ]:
            yield Example(op, (q, k, v))


@dataclass(frozen=True, slots=True)
class _Constants:
    """Of the kernel, as its params struct names them."""

    table: Array  # uint32 [33]
    factor: int
    factor_shift: int
    limit: int
    drop: int
    multiplier: int
    pre_shift: int


def _constants_of(sig: Signature) -> _Constants:
    """Constants of a node.

    Raises:
        AccumulatorOverflow: a score could leave 32 bits.
        ScaleError: the scales of queries and keys are far out of reach of each other.
    """
    op = sig.op
    assert isinstance(op, Attention)
    q, k, v = (kind.q for kind in sig.inputs)
    depth, keys = sig.inputs[0].shape[3], sig.inputs[1].shape[1]
    if depth * DType.INT8.steps * DType.INT8.reach * 2 > _MOST_BELOW:
        raise AccumulatorOverflow(f"a score of {depth:,} products could leave 32 bits")
    base2 = q.s * k.s * op.scale * math.log2(math.e)
    bits = min(24, 31 - (keys - 1).bit_length())
    most = math.floor(min((bits + 1) / base2, _MOST_BELOW)) if base2 > 0 else 0
    if not 0 < base2 < 2.0**14:
        raise ScaleError(
            f"a step of {base2:.3g} between scores", hint="calibrate with representative data"
        )
    factor, shift = requantize_factors(base2 * 2.0**_EXPONENT_BITS, max(1, most))
    drop = bits - _NARROW if keys <= MOST_NARROW else 0
    table = np.floor(2.0 ** (bits - np.arange(_STEPS + 1) / _STEPS) + 0.5).astype(np.int64)
    real = v.s / sig.output.q.s / (1 << _SHARE_BITS)
    multiplier, pre_shift = requantize_factors(real, DType.INT8.steps << _SHARE_BITS)
    return _Constants(table, factor, shift, most, drop, multiplier, pre_shift)


def _exponentials(made: _Constants, below: Array) -> Array:
    """``2^-y`` in fixed point: between steps of a table along a line."""
    near = np.minimum(below, made.limit) << made.factor_shift
    y = (near * made.factor + (1 << 31)) >> 32
    whole, step, rest = y >> _EXPONENT_BITS, (y % (1 << _EXPONENT_BITS)) // _REST, y % _REST
    high, low = made.table[step], made.table[step + 1]
    between = high - (high - low) * rest // _REST
    result: Array = between >> whole
    return result


def write_attention(node: Node, out: Writer) -> None:
    """MatMul, Mul, Add of a mask, Softmax, MatMul, heads in front; keys of shared heads tiled."""
    op = node.op
    assert isinstance(op, Attention)
    (_, n, h, _), (_, m, g, _) = (out.shape(name) for name in node.inputs[:2])
    heads = (0, 2, 1, 3)
    q = out.read(node.inputs[0], heads)
    k, v = out.read(node.inputs[1], (0, 2, 3, 1)), out.read(node.inputs[2], heads)
    if g < h:
        index = out.constant("heads", np.repeat(np.arange(g), h // g))
        k, v = (out.node("Gather", [x, index], axis=1) for x in (k, v))
    scale = out.constant("scale", np.array(op.scale, np.float32))
    scores = out.node("Mul", [out.node("MatMul", [q, k]), scale])
    if op.causal:
        mask = np.where(op._seen(n, m)[:, 0], 0.0, -1e9).astype(np.float32)
        scores = out.node("Add", [scores, out.constant("mask", mask)])
    out.write(node.output, out.node("MatMul", [out.node("Softmax", [scores], axis=-1), v]), heads)


# -- kernels ------------------------------------------------------------------------------


def _sizes(sig: Signature) -> dict[str, Field]:
    op, (_, n, h, d), (_, m, g, _) = sig.op, sig.inputs[0].shape, sig.inputs[1].shape
    assert isinstance(op, Attention)
    sizes = {"keys": m, "depth": d, "width": sig.output.shape[3], "heads": h, "shared": h // g}
    return {**sizes, "first_seen": m - n + 1 if op.causal else m, "causal": int(op.causal)}


def _attention(sig: Signature) -> tuple[Call, ...]:
    made = _constants_of(sig)
    fields: dict[str, Field] = {
        "exponentials": ConstArray(DType.UINT32, made.table, "tables"),
        "factor": made.factor,
        "factor_shift": made.factor_shift,
        "limit": made.limit,
        "drop": made.drop,
        "multiplier": made.multiplier,
        "pre_shift": made.pre_shift,
        "in_zero_point": sig.inputs[0].q.z,
        "in3_zero_point": sig.inputs[2].q.z,
        "out_zero_point": sig.output.q.z,
    }
    return (Call(_sizes(sig) | fields, (0, 1, 2)),)


def _float(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Attention)
    return (Call(_sizes(sig) | {"scale": op.scale}, (0, 1, 2)),)


def _scratch(sig: Signature) -> int:
    return 4 * sig.inputs[1].shape[1]


def attention_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Keys one by one, values four by four."""
    (_, n, h, d), m, e = sig.inputs[0].shape, sig.inputs[1].shape[1], sig.output.shape[3]
    op = sig.op
    assert isinstance(op, Attention)
    seen = sum(min(m, m - n + 1 + i) for i in range(n)) * h if op.causal else n * h * m
    return {
        "call": len(runs),
        "row": n,
        "head": n * h,
        "key": seen,
        "product": seen * d,
        "four": n * h * -(-e // 4),
        "value_four": seen * -(-e // 4),
    }


OPS = (Attention,)
KERNELS = (
    Kernel(
        Attention,
        "mplan_attention_s8",
        _attention,
        scratch_bytes=_scratch,
        cost_class="dense",
        work=attention_work,
    ),
    Kernel(
        Attention,
        "mplan_attention_f32",
        _float,
        types=FLOAT_TYPES,
        scratch_bytes=_scratch,
        cost_class="dense",
        work=attention_work,
    ),
)
WRITERS = {Attention: write_attention}
