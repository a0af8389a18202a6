# SPDX-License-Identifier: Apache-2.0
"""Recurrent cells as ONNX operators."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcuplan.ir.builder import Attribute
from mcuplan.ir.graph import Node
from mcuplan.ir.writer import Writer
from mcuplan.ops._cells import Kind
from mcuplan.ops.recurrent import LastState, Recurrent

__all__ = ["WRITERS"]

_ONNX_NAMES = {
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "relu": "Relu",
    "affine": "Affine",
    "leakyrelu": "LeakyRelu",
    "thresholdedrelu": "ThresholdedRelu",
    "scaledtanh": "ScaledTanh",
    "hardsigmoid": "HardSigmoid",
    "elu": "Elu",
    "softsign": "Softsign",
    "softplus": "Softplus",
}


def write_recurrent(node: Node, out: Writer) -> None:
    """The ONNX operator, the state taken apart in front of it and put together behind it."""
    op = node.op
    assert isinstance(op, Recurrent)
    cell = op.cell
    _, steps, batch, size = out.shape(node.inputs[0])

    def reshaped(value: str, *shape: int) -> str:
        return out.node("Reshape", [value, out.constant("shape", np.array(shape, np.int64))])

    parts: Sequence[str] = out.parts.get(node.inputs[1], ())
    if not out.apart:
        state = out.read(node.inputs[1])
        parts = [
            reshaped(
                out.node("Gather", [state, out.constant("part", np.array(i, np.int64))], axis=3),
                *(1, batch, cell.hidden),
            )
            for i in range(cell.parts)
        ]
    w, r, b, *p = (out.read(name) for name in node.inputs[2:])
    lengths = out.constant("lengths", np.array(op.lengths, np.int32)) if op.lengths else ""
    inputs = [
        reshaped(out.read(node.inputs[0]), steps, batch, size),
        reshaped(w, 1, cell.rows, size),
        reshaped(r, 1, cell.rows, cell.hidden),
        reshaped(b, 1, 2 * cell.rows),
        lengths,
        *parts,
        *(reshaped(v, 1, 3 * cell.hidden) for v in p),
    ]
    made = out.node(cell.kind.value, inputs, cell.parts + 1, **_attributes(op))
    outputs, *last = out.outputs_of(made)
    if out.apart:
        out.parts[node.output] = last
    elif op.final or op.gives_state_only:
        wide = [reshaped(v, 1, 1, batch, 1, cell.hidden) for v in last]
        out.write(node.output, out.node("Concat", wide, axis=3) if len(wide) > 1 else wide[0])
    if not op.gives_state_only:
        out.write(node.outputs[-1], reshaped(outputs, 1, steps, batch, cell.hidden))


def _attributes(op: Recurrent) -> dict[str, Attribute]:
    cell = op.cell
    found: dict[str, Attribute] = {
        "hidden_size": cell.hidden,
        "direction": "reverse" if op.reverse else "forward",
        "activations": tuple(_ONNX_NAMES[f.name] for f in cell.functions),
    }
    takes = [f.takes for f in cell.functions]
    alphas = tuple(f.alpha for f, t in zip(cell.functions, takes, strict=True) if t[0])
    betas = tuple(f.beta for f, t in zip(cell.functions, takes, strict=True) if t[1])
    if alphas:
        found["activation_alpha"] = alphas
    if betas:
        found["activation_beta"] = betas
    if np.isfinite(cell.clip):
        found["clip"] = cell.clip
    if cell.kind is Kind.LSTM:
        found["input_forget"] = int(cell.input_forget)
    if cell.kind is Kind.GRU:
        found["linear_before_reset"] = int(cell.linear_before_reset)
    return found


WRITERS = {Recurrent: write_recurrent, LastState: write_recurrent}
