# SPDX-License-Identifier: Apache-2.0
"""States of recurrent cells: made from first values, and taken apart again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.ir.geometry import ALL, SAME, InputMap, Shape
from mcuplan.ir.graph import Node
from mcuplan.ir.op import Call, Example, Field, Kernel, Op, QuantRule, Signature
from mcuplan.ir.types import Array, DType, Quant, TensorType, Types
from mcuplan.ir.work import Work
from mcuplan.ir.writer import Writer
from mcuplan.ops.recurrent import state_quant
from mcuplan.quant.requantize import requantize_factors

__all__ = ["KERNELS", "OPS", "WRITERS", "PackState", "StatePart"]

_FLOAT = Types.all(DType.FLOAT32)
_PACKED = tuple(
    Types((first, *([second] if second else [])), (DType.INT16,))
    for first in (DType.INT8, DType.INT16)
    for second in (None, DType.INT8, DType.INT16)
)


@dataclass(frozen=True, slots=True)
class PackState(Op):
    """Outputs and cells [1,batch,hidden] as a state [1,1,batch,parts,hidden]."""

    reach: int
    on_grids: bool = True  # as the cell is

    quant_rule = QuantRule.FIXED
    types = (*_PACKED, _FLOAT)

    @property
    def label(self) -> str:
        """What it makes of the initial values of a cell."""
        return "FirstState"

    @property
    def is_wide(self) -> bool:
        """As the cell is."""
        return False

    @property
    def fixed_quant(self) -> Quant:
        """Outputs and cells, where there are some."""
        return state_quant(2, self.reach) if self.reach else state_quant(1, 0)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """One part behind the other, for each sequence."""
        _, batch, hidden = inputs[0].shape
        return (TensorType((1, 1, batch, len(inputs), hidden)),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """All at once."""
        return ((SAME, ALL, ALL),) * len(inputs)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """One part behind the other."""
        samples = max(map(len, arrays))
        wide = [np.broadcast_to(a, (samples, *a.shape[1:])) for a in arrays]
        return (np.stack(wide, axis=2)[:, None].astype(np.float32),)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """Each on its grid in the state."""
        factors = pack_factors(sig)
        wide = [
            np.clip(_scaled(a.astype(np.int64) - kind.q.z, *pair), -32767, 32767)
            for a, kind, pair in zip(arrays, sig.inputs, factors, strict=True)
        ]
        return (self.reference(*wide)[0].astype(np.int16),)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Cases of int16 states are in `tests/ops/test_recurrent.py`."""
        return ()


@dataclass(frozen=True, slots=True)
class StatePart(Op):
    """Outputs (0) or cells (1) [1,batch,hidden] of a state."""

    part: int
    on_grids: bool = True  # as the cell is

    types = (
        Types((DType.INT16,), (DType.INT8,)),
        Types((DType.INT16,), (DType.INT16,)),
        _FLOAT,
    )

    @property
    def label(self) -> str:
        """What it takes out of a cell's state: an output of LSTM, GRU or RNN."""
        return "LastCell" if self.part else "LastOutput"

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """One part of each sequence."""
        shape = inputs[0].shape
        return (TensorType((1, shape[2], shape[4])),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """All at once."""
        return ((SAME, ALL, ALL, ALL, ALL),)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Taken out."""
        return (np.ascontiguousarray(arrays[0][:, 0, :, self.part]),)

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """On the grid of the output."""
        values = self.reference(arrays[0].astype(np.int64))[0]
        scaled = _scaled(values, *part_factors(sig)) + sig.output.q.z
        return (sig.output.dtype.clip(scaled),)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Cases of int16 states are in `tests/ops/test_recurrent.py`."""
        return ()


def pack_factors(sig: Signature) -> tuple[tuple[int, int], ...]:
    """Multiplier and left shift for each input."""
    return tuple(
        requantize_factors(kind.q.s / scale, kind.dtype.steps)
        for kind, scale in zip(sig.inputs, sig.output.q.scale, strict=True)
    )


def part_factors(sig: Signature) -> tuple[int, int]:
    """Multiplier and left shift."""
    assert isinstance(sig.op, StatePart)
    scale = sig.inputs[0].q.scale[sig.op.part]
    return requantize_factors(scale / sig.output.q.s, sig.inputs[0].dtype.reach)


def _scaled(values: Array, multiplier: int, shift: int) -> Array:
    """As `mplan_scale`."""
    result: Array = ((values << shift) * multiplier + 2**31) >> 32
    return result


def write_pack_state(node: Node, out: Writer) -> None:
    """Unsqueeze and Concat; nothing where parts stay apart."""
    if out.apart:
        out.parts[node.output] = [out.read(name) for name in node.inputs]
        return
    *_, parts, hidden = out.shape(node.output)
    batch = out.shape(node.output)[2]
    shape = out.constant("shape", np.array([1, 1, batch, 1, hidden], np.int64))
    wide = [out.node("Reshape", [out.read(name), shape]) for name in node.inputs]
    out.write(node.output, out.node("Concat", wide, axis=3) if parts > 1 else wide[0])


def write_state_part(node: Node, out: Writer) -> None:
    """Slice and Reshape; the part itself where parts are apart."""
    assert isinstance(node.op, StatePart)
    if out.apart:
        out.write(node.output, out.parts[node.inputs[0]][node.op.part])
        return
    taken = out.node(
        "Gather",
        [out.read(node.inputs[0]), out.constant("part", np.array(node.op.part, np.int64))],
        axis=3,
    )
    shape = out.constant("shape", np.array(out.shape(node.output), np.int64))
    out.write(node.output, out.node("Reshape", [taken, shape]))


def _pack(sig: Signature) -> tuple[Call, ...]:
    *_, batch, parts, hidden = sig.output.shape
    fields: dict[str, Field] = {"batch": batch, "hidden": hidden, "parts": parts}
    fields |= {"h_multiplier": 0, "h_pre_shift": 0, "h_zero_point": 0, "h_wide": 0}
    fields |= {"c_multiplier": 0, "c_pre_shift": 0, "c_zero_point": 0, "c_wide": 0}
    for name, kind, pair in zip("hc", sig.inputs, pack_factors(sig), strict=False):
        fields |= {f"{name}_multiplier": pair[0], f"{name}_pre_shift": pair[1]}
        fields |= {f"{name}_zero_point": kind.q.z, f"{name}_wide": int(kind.dtype.bits == 16)}
    return (Call(fields, inputs=(0, parts - 1)),)


def _part(sig: Signature) -> tuple[Call, ...]:
    assert isinstance(sig.op, StatePart)
    _, _, batch, parts, hidden = sig.inputs[0].shape
    multiplier, pre_shift = part_factors(sig)
    fields: dict[str, Field] = {"batch": batch, "hidden": hidden, "parts": parts}
    fields |= {"part": sig.op.part, "multiplier": multiplier, "pre_shift": pre_shift}
    fields |= {"out_zero_point": sig.output.q.z, "wide": int(sig.output.dtype.bits == 16)}
    return (Call(fields),)


def _float_pack(sig: Signature) -> tuple[Call, ...]:
    *_, batch, parts, hidden = sig.output.shape
    return (Call({"batch": batch, "hidden": hidden, "parts": parts}, inputs=(0, parts - 1)),)


def _float_part(sig: Signature) -> tuple[Call, ...]:
    assert isinstance(sig.op, StatePart)
    _, _, batch, parts, hidden = sig.inputs[0].shape
    return (Call({"batch": batch, "hidden": hidden, "parts": parts, "part": sig.op.part}),)


def _work(sig: Signature, runs: Sequence[int]) -> Work:
    """Sequences of one part; values that are made, or that are packed: these by their type."""
    packs = isinstance(sig.op, PackState)
    found: dict[str, float] = {"call": len(runs), "sequence": 0}
    for kind in sig.inputs if packs else sig.outputs:
        name = kind.dtype if packs else "value"
        found["sequence"] += kind.shape[1]
        found[name] = found.get(name, 0) + kind.elements
    return found


OPS = (PackState, StatePart)
KERNELS = (
    *(
        Kernel(PackState, "mplan_pack_state_s16", _pack, types=types, work=_work)
        for types in _PACKED
    ),
    *(
        Kernel(StatePart, "mplan_state_part_s16", _part, types=types, work=_work)
        for types in StatePart.types[:2]
    ),
    Kernel(PackState, "mplan_pack_state_f32", _float_pack, types=_FLOAT, work=_work),
    Kernel(StatePart, "mplan_state_part_f32", _float_part, types=_FLOAT, work=_work),
)
WRITERS = {PackState: write_pack_state, StatePart: write_state_part}
