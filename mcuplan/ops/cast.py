# SPDX-License-Identifier: Apache-2.0
"""Cast: values of one element type in another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mcuplan.errors import UnsupportedType
from mcuplan.ir.builder import Builder, OnnxNode
from mcuplan.ir.geometry import InputMap, Shape, each
from mcuplan.ir.graph import Node
from mcuplan.ir.op import Call, Example, Kernel, Op, QuantRule, Signature
from mcuplan.ir.types import WHOLE, Array, DType, Quant, TensorType, Types
from mcuplan.ir.writer import Writer
from mcuplan.ops.movement import read_identity

__all__ = ["KERNELS", "OPS", "READERS", "WRITERS", "Cast"]

_ONE = Quant.per_tensor(1.0, 0)
_KINDS = (DType.FLOAT32, *WHOLE)


@dataclass(frozen=True, slots=True)
class Cast(Op):
    """Each value in another type.

    A real value loses what is behind the point; beyond the ends of the integers it is the
    end, and no number is 0. An integer keeps its low bits. Whatever is not 0 is true.
    """

    to: DType

    quant_rule = QuantRule.FREE
    types = tuple(Types.whole([a], [b]) for a in _KINDS for b in _KINDS if a is not b)

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Same shape, of the type."""
        return (TensorType(inputs[0].shape, self.to),)

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """Each element on its own."""
        return each(inputs)

    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """ONNX's Cast; where that says nothing, as the class does."""
        values, target = arrays[0], self.to
        if values.dtype.kind != "f" or target.is_float or target is DType.BOOL:
            return (values.astype(target.numpy),)
        whole = np.trunc(np.nan_to_num(values, nan=0.0, posinf=np.inf, neginf=-np.inf))
        low, high = whole <= target.low, whole >= target.high  # both ends as float32 has them
        inside = np.where(low | high, 0, whole).astype(target.numpy)
        ends = np.where(low, target.low, target.high)
        return (np.where(low | high, ends, inside).astype(target.numpy),)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """From each type to each: rows of pixels, a vector."""
        for types in cls.types:
            shape = (1, 5) if DType.BOOL in types.outputs else (1, 3, 4, 2)
            yield Example(cls(types.outputs[0]), (shape,), types=types.inputs)


def read_cast(node: OnnxNode, build: Builder) -> None:
    """Cast; of values that are real or whole numbers already, nothing."""
    name = node.input(0)
    code = node.get_int("to", 1)
    target = DType.FLOAT32 if code == _BFLOAT16 else DType.of_onnx(code)
    if target is None:
        raise UnsupportedType(f"Cast to={code}", hint="cast to float32, int8, int32 or bool")
    real = DType.FLOAT32 if target.is_float else target
    whole = build.quant(name) == _ONE and build.dtype(name).is_float
    if build.dtype(name) is real or (whole and real in (DType.INT32, DType.INT64)):
        read_identity(node, build)
        return
    if real not in _KINDS:
        raise UnsupportedType(f"Cast to {real}", hint="cast to float32, int8, int32 or bool")
    layout, source = next(iter(build.held_layouts(name).items()))
    build.add(Cast(real), [source], node, layout)


_BFLOAT16 = 16


def write_cast(node: Node, out: Writer) -> None:
    """Cast in whatever order the input is held."""
    op, axes = node.op, out.orders(node.inputs[0])[0]
    assert isinstance(op, Cast)
    out.write(node.output, out.node("Cast", [out.read(node.inputs[0], axes)], to=op.to.onnx), axes)


def _cast(sig: Signature) -> tuple[Call, ...]:
    """Sizes in bytes, and which of the integers are signed."""
    source, target = sig.inputs[0], sig.output
    fields = {"elements": target.elements // max(1, target.rows)}
    for side, kind in (("in", source.dtype), ("out", target.dtype)):
        if not kind.is_float:
            fields[f"{side}_bytes"] = kind.nbytes()
            fields[f"{side}_signed"] = int(kind.sort == "s")
    return (Call(fields | {"truth": int(target.dtype is DType.BOOL)}),)


def _work(sig: Signature, runs: Sequence[int]) -> Mapping[str, float]:
    """A loop over the elements of each row; bytes are taken one by one."""
    whole = [k for k in (sig.inputs[0], sig.output) if not k.dtype.is_float]
    wide = sum(kind.elements for kind in whole if kind.dtype.bits == 64)
    counts = {"call": len(runs), "row": sig.output.rows, "element": sig.output.elements}
    return counts | {"byte": sum(kind.nbytes for kind in whole), "wide": wide}


def _function(types: Types) -> str:
    if types.inputs[0].is_float:
        return "mplan_truncate_f32"
    return "mplan_float_f32" if types.outputs[0].is_float else "mplan_cast_s64"


OPS = (Cast,)
KERNELS = tuple(Kernel(Cast, _function(t), _cast, types=t, work=_work) for t in Cast.types)
READERS = {"Cast": read_cast}
WRITERS = {Cast: write_cast}
