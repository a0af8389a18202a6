# SPDX-License-Identifier: Apache-2.0
"""Attention of a quantized model: its own grids of scores and weights, one row at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.geometry import ALL, SAME, InputMap, Shape
from mcuplan.ir.graph import Node, Origin
from mcuplan.ir.op import Call, ConstArray, Cost, Example, Field, Kernel, Op, Signature
from mcuplan.ir.types import Array, DType, Quant, TensorType
from mcuplan.ir.work import Work
from mcuplan.ir.writer import Writer
from mcuplan.ops._chain import affine, write_chain
from mcuplan.ops._tables import CODES
from mcuplan.ops.eltwise import Add, common_factors
from mcuplan.ops.fields import clamp_fields
from mcuplan.ops.matmul import MatMul, factors
from mcuplan.ops.softmax import Softmax, softmax_constants
from mcuplan.ops.unary import Lookup

__all__ = ["KERNELS", "OF_KEYS", "OF_VALUES", "OPS", "WRITERS", "RoundedAttention", "rounded_work"]

OF_KEYS = (0, 1, 2, -1), (0, 3, 2, -1)
OF_VALUES = (0, 1, 2, -1), (0, -1, 2, 3)
T = TypeVar("T")

_MOST_KEYS = 1 << 15
_TWO = (Add, MatMul)


@dataclass(frozen=True, slots=True)
class RoundedAttention(Op):
    """Queries [1, N, H, D], keys [1, M, H, D], values [1, M, H, E], perhaps a mask: [1, N, H, E].

    ``parts``: the operators of the model, a product, functions, the sum with a constant mask, a
    Softmax, a product. ``grids``: what all but the last of them round to. ``origins``: the model's
    tensors that these were.
    """

    parts: tuple[Op, ...]
    grids: tuple[Quant, ...]
    origins: tuple[Origin | None, ...] = field(default=(), compare=False)

    inplace_inputs = (0,)
    remark = "scores row by row, no map of them"

    @property
    def label(self) -> str:
        """As the one without roundings."""
        return "Attention"

    @property
    def act(self) -> tuple[float, float]:
        """Real limits of the means."""
        return self.parts[-1].act

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """A mean of values for each query and head."""
        kinds = [TensorType(kind.shape) for kind in inputs]
        q, k, v = (kind.shape for kind in kinds[:3])
        if not (q[0] == k[0] == v[0] == 1 and k[1:3] == v[1:3] and k[1] <= _MOST_KEYS):
            raise UnsupportedOp(f"attention of shapes {list(q)}, {list(k)} and {list(v)}")
        made = self._through(kinds, lambda op, _, *args: op.infer(args)[0])
        scores = (1, q[1], q[2], k[1])
        for kind in kinds[3:]:
            if np.broadcast_shapes(kind.shape, scores) != scores:
                raise UnsupportedOp(f"a mask of shape {list(kind.shape)}")
        return (made,)

    def _through(self, given: Sequence[T], do: Callable[..., T]) -> T:
        """What the last part makes, each given its number, what the one before made and its own."""
        made, keys, values, *masks = given
        others = [keys, *masks, values]
        for number, op in enumerate(self.parts):
            made = do(op, number, made, *([others.pop(0)] if isinstance(op, _TWO) else []))
        return made

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """A row of queries, all keys and values, and of a mask."""
        return (SAME, SAME, SAME, ALL), *((SAME, ALL, ALL, ALL) for _ in inputs[1:])

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """In double, rounded where the model rounds."""

        def run(op: Op, number: int, *args: Array) -> Array:
            made = op.reference(*args)[0]
            if number == len(self.grids):
                return made
            grid = self.grids[number]
            return grid.dequantize(grid.quantize(made))

        return (self._through(arrays, run),)

    def signatures(self, sig: Signature) -> list[Signature]:
        """Of all parts."""
        found: list[Signature] = []

        def add(op: Op, number: int, *kinds: TensorType) -> TensorType:
            quant = self.grids[number] if number < len(self.grids) else sig.output.q
            shape = op.infer([TensorType(kind.shape) for kind in kinds])[0].shape
            found.append(
                Signature(op, kinds, (TensorType(shape, DType.INT8, quant),), (None,) * len(kinds))
            )
            return found[-1].output

        self._through(sig.inputs, add)
        return found

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """Part by part: every rounding that the model has."""
        parts = sig.once(self.signatures)

        def run(op: Op, number: int, *args: Array) -> Array:
            return op.integer(parts[number], *args)[0]

        return (self._through(arrays, run),)

    def cost(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Cost:
        """A MAC for each product; four operations for each score, one for each further part."""
        (_, n, h, d), m, e = inputs[0].shape, inputs[1].shape[1], outputs[0].shape[3]
        return Cost(macs=n * h * m * (d + e), ops=(4 + len(self.parts) - 3) * n * h * m)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Heads, other widths of values, one query, a mask of each kind."""
        scores, weights = Quant.per_tensor(0.19, 6), Quant.per_tensor(1 / 255, -128)
        first, last = MatMul(*OF_KEYS, 4), MatMul(*OF_VALUES, 4)
        scaled = Lookup((affine(0.35, 0.0),))
        for q, k, v, mask in [
            ((1, 5, 2, 8), (1, 5, 2, 8), (1, 5, 2, 8), None),
            ((1, 3, 4, 7), (1, 9, 4, 7), (1, 9, 4, 5), None),
            ((1, 4, 3, 4), (1, 7, 1, 4), (1, 7, 1, 8), None),
            ((1, 1, 1, 3), (1, 1, 1, 3), (1, 1, 1, 9), None),
            ((1, 4, 2, 4), (1, 6, 2, 4), (1, 6, 2, 4), (1, 4, 1, 6)),
            ((1, 3, 2, 16), (1, 5, 2, 16), (1, 5, 2, 4), (1, 1, 2, 5)),
        ]:
            steps = (scaled,) if mask is None else (scaled, Add())
            grids = (scores, *(Quant.per_tensor(0.07, 6),) * len(steps), weights)
            op = cls((first, *steps, Softmax(), last), grids)
            if mask is None:
                yield Example(op, (q, k, v))
            else:
                yield Example(op, (q, k, v, mask), constants=(3,))


def write_rounded(node: Node, out: Writer) -> None:
    """MatMul, functions, Add, Softmax, MatMul, heads in front, and the roundings between them."""
    op = node.op
    assert isinstance(op, RoundedAttention)
    heads = (0, 2, 1, 3)
    value = out.read(node.inputs[0], heads)
    keys, values, *masks = node.inputs[1:]
    others = [keys, *masks, values]
    for part, grid in zip(op.parts, (*op.grids, None), strict=True):
        if isinstance(part, MatMul):
            perm = heads if grid is None else (0, 2, 3, 1)
            value = out.node("MatMul", [value, out.read(others.pop(0), perm)])
        elif isinstance(part, Add):
            value = out.node("Add", [value, out.read(others.pop(0), heads)])
        elif isinstance(part, Lookup):
            value = write_chain(out, value, part.chain)
        else:
            value = out.node("Softmax", [value], axis=-1)
        value = value if grid is None else out.rounded(value, grid, "rounding")
    out.write(node.output, value, heads)


# -- kernel -------------------------------------------------------------------------------


def _rounded(sig: Signature) -> tuple[Call, ...]:
    op = sig.op
    assert isinstance(op, RoundedAttention)
    first, *between, softmax, last = sig.once(op.signatures)
    (_, _, h, d), (_, m, g, _) = sig.inputs[0].shape, sig.inputs[1].shape
    table, share = softmax_constants(softmax)
    score, score_shift = factors(first)
    multiplier, pre_shift = factors(last)
    fields: dict[str, Field] = {
        "exponentials": ConstArray(DType.UINT32, np.pad(table, (0, 256 - len(table))), "tables"),
        "keys": m,
        "heads": h,
        "shared": h // g,
        "depth": d,
        "width": sig.output.shape[3],
        "score_multiplier": score,
        "score_shift": score_shift,
        "score_zero_point": first.output.q.z,
        "share": share,
        "weight_zero_point": softmax.output.q.z,
        "multiplier": multiplier,
        "pre_shift": pre_shift,
        "in_zero_point": sig.inputs[0].q.z,
        "in2_zero_point": sig.inputs[1].q.z,
        "in3_zero_point": sig.inputs[2].q.z,
        "out_zero_point": sig.output.q.z,
    }
    return (Call(fields | _between_fields(sig, between) | clamp_fields(sig), (0, 1, 2)),)


def _between_fields(sig: Signature, between: Sequence[Signature]) -> dict[str, Field]:
    """A table of what becomes of a score, and the sum with a mask."""
    codes = CODES
    made: dict[str, Field] = {"functions": None, "mask": None}
    for part in between:
        if isinstance(part.op, Lookup):
            (codes,) = part.op.integer(part, codes)
            made["functions"] = ConstArray(DType.INT8, codes, "tables")
            continue
        mask = sig.constant(3)
        m = part.output.shape[3]
        rows, heads = mask.shape[1], mask.shape[2]
        full = np.broadcast_to(mask, (1, rows, heads, m))
        (a, b), shift = common_factors(part)
        offset = (1 << (shift - 1)) - part.inputs[0].q.z * a - part.inputs[1].q.z * b
        made |= {
            "mask": ConstArray(DType.INT8, np.ascontiguousarray(full)),
            "mask_row": 0 if rows == 1 else heads * m,
            "mask_head": 0 if heads == 1 else m,
            "mask_multiplier": a,
            "mask_multiplier2": b,
            "mask_offset": offset,
            "mask_shift": shift,
            "mask_zero_point": part.output.q.z,
        }
    return made


def _scratch(sig: Signature) -> int:
    return sig.inputs[1].shape[1]


def rounded_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Keys and values one by one."""
    (_, n, h, d), m, e = sig.inputs[0].shape, sig.inputs[1].shape[1], sig.output.shape[3]
    return {
        "call": len(runs),
        "row": n,
        "head": n * h,
        "key": n * h * m,
        "product": n * h * m * d,
        "masked": n * h * m * (len(sig.inputs) - 3),
        "value": n * h * e,
        "value_product": n * h * e * m,
    }


OPS = (RoundedAttention,)
KERNELS = (
    Kernel(
        RoundedAttention,
        "mplan_rounded_attention_s8",
        _rounded,
        scratch_bytes=_scratch,
        cost_class="dense",
        work=rounded_work,
    ),
)
WRITERS = {RoundedAttention: write_rounded}
