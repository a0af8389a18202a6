# SPDX-License-Identifier: Apache-2.0
"""Scaled dot-product attention: one row of scores at a time, in integers with one rounding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.geometry import ALL, SAME, InputMap, Shape
from mcuplan.ir.graph import Node
from mcuplan.ir.op import Call, Cost, Example, Field, Kernel, Op, Signature
from mcuplan.ir.types import Array, TensorType, Types
from mcuplan.ir.work import Work
from mcuplan.ir.writer import Writer
from mcuplan.ops._math_f32 import exp_f32
from mcuplan.ops.attention_integers import constants_of, integer_fields, means, powers
from mcuplan.ops.fields import FLOAT_TYPES

__all__ = ["KERNELS", "OPS", "WRITERS", "Attention", "attention_sizes", "attention_work"]

_MOST_KEYS = 1 << 15


@dataclass(frozen=True, slots=True)
class Attention(Op):
    """Queries [1, N, H, D], keys [1, M, G, D], values [1, M, G, E]: means of values [1, N, H, E].

    Weights are ``softmax(scale * query . key)`` over the keys; H / G heads share keys and values.
    ``causal``: query i sees keys up to i + M - N.
    """

    scale: float
    causal: bool = False

    inplace_inputs = (0,)
    remark = "scores row by row, no map of them"
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
        made = constants_of(sig, self.scale)
        q, k, v = (x.astype(np.int64) for x in arrays)
        q = q - sig.inputs[0].q.z
        k, v = (np.repeat(x, q.shape[2] // x.shape[2], axis=2) for x in (k, v))
        exact = np.einsum("snhd,smhd->snhm", q.astype(np.float64), k.astype(np.float64))
        seen = self._seen(q.shape[1], k.shape[1])
        scores = np.where(seen, exact.astype(np.int64), np.iinfo(np.int32).min)
        below = scores.max(axis=-1, keepdims=True) - scores
        near = np.minimum(below, made.limit) << made.factor_shift
        e = powers(made.table, (near * made.factor + (1 << 31)) >> 32)
        return (means(sig, made, np.where(seen & (below <= made.limit), e, 0), v),)

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


def attention_sizes(sig: Signature) -> dict[str, Field]:
    """Counts, as the params structs have them."""
    op, (_, n, h, d), (_, m, g, _) = sig.op, sig.inputs[0].shape, sig.inputs[1].shape
    assert isinstance(op, Attention)
    sizes = {"keys": m, "depth": d, "width": sig.output.shape[3], "heads": h, "shared": h // g}
    return {**sizes, "first_seen": m - n + 1 if op.causal else m, "causal": int(op.causal)}


def _attention(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Attention)
    fields = integer_fields(sig, constants_of(sig, op.scale))
    return (Call(attention_sizes(sig) | fields, (0, 1, 2)),)


def _float(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, Attention)
    return (Call(attention_sizes(sig) | {"scale": op.scale}, (0, 1, 2)),)


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
