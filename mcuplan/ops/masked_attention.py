# SPDX-License-Identifier: Apache-2.0
"""Attention with a mask known at run time: what is added to scores, or which keys are seen."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.geometry import ALL, SAME, InputMap, Shape
from mcuplan.ir.graph import Node
from mcuplan.ir.op import Call, ConstArray, Cost, Example, Field, Kernel, Op, Signature
from mcuplan.ir.types import Array, DType, TensorType, Types
from mcuplan.ir.work import Work
from mcuplan.ir.writer import Writer
from mcuplan.ops._math_f32 import exp_f32
from mcuplan.ops.attention import Attention, attention_sizes, attention_work
from mcuplan.ops.attention_integers import (
    Constants,
    constants_of,
    integer_fields,
    means,
    powers,
)

__all__ = ["HIDDEN", "KERNELS", "OPS", "WRITERS", "MaskedAttention"]

HIDDEN = -1e9  # added to the score of a key that is not seen
_FAR = 1 << 29  # the same of logarithms to base 2 with 16 bits of fraction
_BOOL, _REAL = DType.BOOL, DType.FLOAT32


@dataclass(frozen=True, slots=True)
class MaskedAttention(Op):
    """Attention with a mask [1, N or 1, H or 1, M], the last input.

    Truth values say which keys a query sees; others are added to scores times ``scale``.
    """

    scale: float

    inplace_inputs = (0,)
    remark = "scores row by row, no map of them"
    types = (
        Types(),
        Types((DType.INT8, DType.INT8, DType.INT8, _BOOL)),
        Types.all(_REAL),
        Types((_REAL, _REAL, _REAL, _BOOL), (_REAL,)),
    )

    @property
    def label(self) -> str:
        """As the one without a mask."""
        return "Attention"

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """A mean of values for each query and head."""
        (made,) = Attention(self.scale).infer(inputs[:3])
        (_, n, h, _), m, mask = inputs[0].shape, inputs[1].shape[1], inputs[3].shape
        if len(mask) != 4 or mask[0] != 1 or mask[1] not in (1, n) or mask[2] not in (1, h):
            raise UnsupportedOp(f"a mask of shape {list(mask)}")
        if mask[3] != m:
            raise UnsupportedOp(f"a mask of {mask[3]} of {m} keys")
        return (made,)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """A row of queries and of the mask, all keys and values."""
        return (SAME, SAME, SAME, ALL), *((SAME, ALL, ALL, ALL),) * 2, (SAME, SAME, ALL, ALL)

    def _added(self, mask: Array) -> Array:
        return np.where(mask, 0.0, HIDDEN).astype(np.float32) if mask.dtype == np.bool_ else mask

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """In double precision."""
        q, k, v, mask = (x.astype(np.float64) for x in (*arrays[:3], self._added(arrays[3])))
        k, v = (np.repeat(x, q.shape[2] // x.shape[2], axis=2) for x in (k, v))
        scores = np.einsum("snhd,smhd->snhm", q, k) * self.scale + mask
        with np.errstate(invalid="ignore"):
            e = np.exp(scores - scores.max(axis=-1, keepdims=True))
        found = np.einsum("snhm,smhe->snhe", e / e.sum(axis=-1, keepdims=True), v)
        return (found.astype(np.float32),)

    def float32(self, *arrays: Array) -> tuple[Array, ...]:
        """As Attention in float32, with one sum more for each score."""
        q, k, v = arrays[:3]
        k, v = (np.repeat(x, q.shape[2] // x.shape[2], axis=2) for x in (k, v))
        with np.errstate(all="ignore"):
            scores = np.zeros((*q.shape[:3], k.shape[1]), np.float32)
            for d in range(q.shape[3]):
                scores = scores + q[..., d, None] * k[..., d].transpose(0, 2, 1)[:, None]
            scores = scores * np.float32(self.scale) + self._added(arrays[3])
            most = scores[..., 0]
            for j in range(1, k.shape[1]):
                most = np.where(scores[..., j] > most, scores[..., j], most)
            total = np.zeros(q.shape[:3], np.float32)
            sums = np.zeros((*q.shape[:3], v.shape[3]), np.float32)
            for j in range(k.shape[1]):
                e = exp_f32(scores[..., j] - most)
                total = total + e
                sums = sums + e[..., None] * v[:, None, j]
            return ((sums / total[..., None]).astype(np.float32),)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """Logarithms to base 2 of scores, and of the mask; as `mplan_masked_attention_s8`."""
        made = constants_of(sig, self.scale, masked=True)
        q, k, v = (x.astype(np.int64) for x in arrays[:3])
        k, v = (np.repeat(x, q.shape[2] // x.shape[2], axis=2) for x in (k, v))
        q = q - sig.inputs[0].q.z
        exact = np.einsum("snhd,smhd->snhm", q.astype(np.float64), k.astype(np.float64))
        scaled = (exact.astype(np.int64) << made.factor_shift) * made.factor + (1 << 31) >> 32
        first = 0 if sig.inputs[3].dtype is _BOOL else DType.INT8.low
        scores = scaled + _table(sig, made)[arrays[3].astype(np.int64) - first]
        below = scores.max(axis=-1, keepdims=True) - scores
        limit = _limit(made)
        near = np.minimum(below, limit) << made.coarse
        e = np.where(below <= limit, powers(made.table, near), 0)
        return (means(sig, made, e, v),)

    def cost(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Cost:
        """A MAC for each product; five operations for each score."""
        plain = Attention(self.scale).cost(inputs, outputs)
        return Cost(macs=plain.macs, ops=plain.ops // 4 * 5)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Truth values and numbers, for each row and head or for all."""
        real, truth = (DType.FLOAT32,) * 3, (DType.BOOL,)
        for q, k, v, mask, types in [
            ((1, 5, 2, 8), (1, 5, 2, 8), (1, 5, 2, 8), (1, 5, 1, 5), (*real, *truth)),
            ((1, 3, 4, 7), (1, 9, 2, 7), (1, 9, 2, 5), (1, 1, 4, 9), (*real, *truth)),
            ((1, 4, 2, 4), (1, 6, 2, 4), (1, 6, 2, 4), (1, 4, 2, 6), ()),
            ((1, 1, 1, 3), (1, 4, 1, 3), (1, 4, 1, 9), (1, 1, 1, 4), ()),
        ]:
            yield Example(cls(0.35), (q, k, v, mask), types=types)


def _table(sig: Signature, made: Constants) -> Array:
    """What each byte of the mask adds to a logarithm."""
    if sig.inputs[3].dtype is _BOOL:
        return np.array([-_FAR, 0])
    real = sig.inputs[3].q.dequantize(DType.INT8.codes).astype(np.float64)
    found = np.floor(real * math.log2(math.e) * 2.0 ** (16 - made.coarse) + 0.5)
    added: Array = np.clip(found, -_FAR, _FAR).astype(np.int64)
    return added


def _limit(made: Constants) -> int:
    """Logarithms further below the largest have no weight."""
    return int(made.table[0]).bit_length() << (16 - made.coarse)


def write_masked(node: Node, out: Writer) -> None:
    """MatMul, Mul, Where or Add of the mask, Softmax, MatMul; keys of shared heads tiled."""
    op = node.op
    assert isinstance(op, MaskedAttention)
    h, g = out.shape(node.inputs[0])[2], out.shape(node.inputs[1])[2]
    heads = (0, 2, 1, 3)
    q = out.read(node.inputs[0], heads)
    k, v = out.read(node.inputs[1], (0, 2, 3, 1)), out.read(node.inputs[2], heads)
    if g < h:
        index = out.constant("heads", np.repeat(np.arange(g), h // g))
        k, v = (out.node("Gather", [x, index], axis=1) for x in (k, v))
    scale = out.constant("scale", np.array(op.scale, np.float32))
    scores = out.node("Mul", [out.node("MatMul", [q, k]), scale])
    mask = out.read(node.inputs[3], heads)
    if out.graph.tensor(node.inputs[3]).type.dtype is _BOOL:
        hidden = out.constant("hidden", np.array(HIDDEN, np.float32))
        nothing = out.constant("nothing", np.array(0, np.float32))
        mask = out.node("Where", [mask, nothing, hidden])
    scores = out.node("Add", [scores, mask])
    out.write(node.output, out.node("MatMul", [out.node("Softmax", [scores], axis=-1), v]), heads)


# -- kernels ------------------------------------------------------------------------------


def _sizes(sig: Signature) -> dict[str, Field]:
    op = sig.op
    assert isinstance(op, MaskedAttention)
    plain = Signature(Attention(op.scale), sig.inputs[:3], sig.outputs, sig.constants[:3])
    sizes = attention_sizes(plain)
    rows, heads = sig.inputs[3].shape[1:3]
    sizes |= {"mask_moves": int(rows > 1), "mask_head": sizes["keys"] if heads > 1 else 0}
    return {key: value for key, value in sizes.items() if key not in ("first_seen", "causal")}


def _masked(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, MaskedAttention)
    made = constants_of(sig, op.scale, masked=True)
    fields = integer_fields(sig, made) | {
        "limit": _limit(made),
        "coarse": made.coarse,
        "mask": ConstArray(DType.INT32, _table(sig, made), "tables"),
        "mask_first": 0 if sig.inputs[3].dtype is _BOOL else DType.INT8.low,
    }
    return (Call(_sizes(sig) | fields, (0, 1, 2, 3)),)


def _float(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, MaskedAttention)
    fields = {"scale": op.scale, "hidden": HIDDEN, "truth": int(sig.inputs[3].dtype is _BOOL)}
    return (Call(_sizes(sig) | fields, (0, 1, 2, 3)),)


def _scratch(sig: Signature) -> int:
    return 4 * sig.inputs[1].shape[1]


def _work(sig: Signature, runs: Sequence[int]) -> Work:
    """As without a mask."""
    op = sig.op
    assert isinstance(op, MaskedAttention)
    plain = Signature(Attention(op.scale), sig.inputs[:3], sig.outputs, sig.constants[:3])
    return attention_work(plain, runs)


OPS = (MaskedAttention,)
KERNELS = tuple(
    Kernel(
        MaskedAttention,
        "mplan_masked_attention_f32" if types.inputs[0].is_float else "mplan_masked_attention_s8",
        _float if types.inputs[0].is_float else _masked,
        types=types,
        scratch_bytes=_scratch,
        cost_class="dense",
        work=_work,
    )
    for types in MaskedAttention.types
)
WRITERS = {MaskedAttention: write_masked}
