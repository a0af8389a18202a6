# SPDX-License-Identifier: Apache-2.0
"""Portable kernels of recurrent cells, in int8 with an int16 state and in float32."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcuplan.ir.op import Call, ConstArray, Field, Kernel, Signature
from mcuplan.ir.types import Array, DType
from mcuplan.ir.work import Work
from mcuplan.ops._cells import Kind
from mcuplan.ops._integer_cells import TANH, factors_of, is_integer_cell
from mcuplan.ops.recurrent import LastState, Recurrent

__all__ = [
    "KERNELS",
    "Kind",
    "factors_of",
    "integer_fields",
    "is_integer_cell",
    "pointers",
    "recurrent_work",
    "shape_fields",
    "unit_work",
]


def shape_fields(sig: Signature) -> dict[str, Field]:
    """Members of the params struct that every kernel of cells has."""
    op = _op(sig)
    _, steps, batch, size = sig.inputs[0].shape
    lengths = ConstArray(DType.UINT32, np.array(op.lengths), "tables") if op.lengths else None
    return {
        "lengths": lengths,
        "steps": steps,
        "batch": batch,
        "in_c": size,
        "hidden": op.cell.hidden,
        "kind": list(Kind).index(op.cell.kind),
        "reverse": int(op.reverse),
        "input_forget": int(op.cell.input_forget),
        "linear_before_reset": int(op.cell.linear_before_reset),
        "last": int(op.final or op.gives_state_only),
        "gives_rows": int(not op.gives_state_only),
    }


def pointers(sig: Signature) -> tuple[int, ...]:
    """Inputs that are passed: the state twice where the output is one, so that all take as many."""
    return (0, 1) if _op(sig).final else (0, 1, 1)


def _op(sig: Signature) -> Recurrent:
    assert isinstance(sig.op, Recurrent)
    return sig.op


def _float(sig: Signature) -> tuple[Call, ...]:
    op = _op(sig)
    fields = shape_fields(sig)
    fields |= {
        "weights": ConstArray(DType.FLOAT32, sig.constant(2)),
        "recurrent": ConstArray(DType.FLOAT32, sig.constant(3)),
        "bias": ConstArray(DType.FLOAT32, _float_bias(sig)),
        "peepholes": ConstArray(DType.FLOAT32, sig.constant(5)) if len(sig.inputs) > 5 else None,
        "clip": min(op.cell.clip, float(np.finfo(np.float32).max)),
        "clips": int(np.isfinite(op.cell.clip)),
    }
    for name, function in zip(("first", "second", "third"), op.cell.functions, strict=False):
        fields[name] = function.code
        fields |= {f"{name}_alpha": function.alpha, f"{name}_beta": function.beta}
    return (Call(fields, pointers(sig)),)


def _float_bias(sig: Signature) -> Array:
    """Sums of both biases; behind them those of a candidate, apart for x and for h."""
    cell, b = _op(sig).cell, sig.constant(4).astype(np.float32)
    n = 2 * cell.hidden
    if not cell.linear_before_reset:
        both: Array = b[0] + b[1]
        return both
    return np.concatenate([b[0, :n] + b[1, :n], b[0, n:], b[1, n:]])


def _float_scratch(sig: Signature) -> int:
    """The next outputs; of a GRU that resets first, the outputs it resets."""
    cell = _op(sig).cell
    twice = cell.kind is Kind.GRU and not cell.linear_before_reset
    return 4 * cell.hidden * (2 if twice else 1)


def integer_fields(sig: Signature) -> dict[str, Field]:
    """Members of the params struct of every integer kernel, but for the matrices."""
    op, found = _op(sig), factors_of(sig)
    fields = shape_fields(sig)
    peeps = len(sig.inputs) > 5
    fields |= {
        "tanh_table": ConstArray(DType.INT16, TANH, "tables"),
        "x_multiplier": ConstArray(DType.INT32, found.x_multiplier, "tables"),
        "h_multiplier": ConstArray(DType.INT32, found.h_multiplier, "tables"),
        "x_pre_shift": found.x_shift,
        "h_pre_shift": found.h_shift,
        "bias": ConstArray(DType.INT32, found.bias),
        "peepholes": ConstArray(DType.INT32, found.peepholes) if peeps else None,
        "h_right": found.h_right,
        "reach": op.cell.reach,
        "out_multiplier": found.out_multiplier,
        "out_pre_shift": found.out_shift,
        "out_zero_point": 0 if op.gives_state_only else sig.outputs[-1].q.z,
    }
    for name, function in zip(("first", "second", "third"), op.cell.functions, strict=False):
        fields[f"{name}_is_tanh"] = int(function.name == "tanh")
    for name, limit in zip(("first", "second"), found.limits, strict=False):
        fields[f"{name}_limit"] = limit
    return fields


def _integer(sig: Signature) -> tuple[Call, ...]:
    fields = integer_fields(sig)
    fields |= {
        "weights": ConstArray(DType.INT8, sig.constant(2)),
        "recurrent": ConstArray(DType.INT8, sig.constant(3)),
    }
    return (Call(fields, pointers(sig)),)


def _integer_scratch(sig: Signature) -> int:
    """The next outputs; of a GRU that resets first, the outputs it resets; in int16."""
    return _float_scratch(sig) // 2


def _integer_supports(sig: Signature) -> bool:
    return is_integer_cell(_op(sig).cell)


def unit_work(sig: Signature, runs: Sequence[int]) -> dict[str, float]:
    """Calls, steps of sequences, units by the sort of the cell, outputs that are given."""
    op = _op(sig)
    _, steps, batch, _ = sig.inputs[0].shape
    times, hidden = steps * batch, op.cell.hidden
    apart = "_apart" if op.cell.linear_before_reset else ""
    return {
        "call": len(runs),
        "step": times,
        f"unit_{op.cell.kind.lower()}{apart}": times * hidden,
        "given": times * hidden * (not op.gives_state_only),
    }


def recurrent_work(sig: Signature, runs: Sequence[int]) -> Work:
    """Beside units rows of the matrices, and their products."""
    cell, size = _op(sig).cell, sig.inputs[0].channels
    work = unit_work(sig, runs)
    rows = work["step"] * cell.rows
    products = {"x_product": rows * size, "h_product": rows * cell.hidden}
    return {**work, "row": rows, **products}


KERNELS = tuple(
    Kernel(
        op,
        f"mplan_recurrent_{what}",
        lower,
        supports=supports,
        scratch_bytes=scratch,
        types=types,
        cost_class="dense",
        work=recurrent_work,
    )
    for op in (Recurrent, LastState)
    for types in op.types
    for what, lower, scratch, supports in [
        ("f32", _float, _float_scratch, lambda sig: True)
        if types.outputs[0] is DType.FLOAT32
        else ("s8", _integer, _integer_scratch, _integer_supports)
    ]
)
