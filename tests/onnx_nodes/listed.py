# SPDX-License-Identifier: Apache-2.0
"""Which of ONNX's node tests are run, and which of their inputs are constants."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, numpy_helper
from onnx.backend.test.case.node import collect_testcases

from mcuplan.ir.types import Array

__all__ = ["LISTS", "Case", "cases_of"]

_CORE = """
    Add AveragePool BatchNormalization Clip Concat Conv ConvTranspose DequantizeLinear Div Flatten
    GRU Gather Gemm GlobalAveragePool GlobalMaxPool HardSigmoid HardSwish LSTM LeakyRelu MatMul
    MaxPool Mul PRelu Pad QLinearConv QLinearMatMul QuantizeLinear ReduceMean Relu Reshape Resize
    Sigmoid Slice Softmax Split Squeeze Sub Tanh Transpose Unsqueeze
"""
_OTHERS = """
    Abs And ArgMax ArgMin Ceil Celu Constant ConstantOfShape ConvInteger Cos CumSum DepthToSpace
    Dropout DynamicQuantizeLinear Elu Equal Erf Exp Expand Floor GatherElements GatherND Gelu
    Greater GreaterOrEqual GroupNormalization Identity InstanceNormalization LRN
    LayerNormalization Less LessOrEqual Log LogSoftmax LpNormalization LpPool MatMulInteger Max
    Mean MeanVarianceNormalization Min Mish Mod Neg Not Or Pow RMSNormalization RNN Reciprocal
    ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMin ReduceProd ReduceSum
    ReduceSumSquare Round Selu Shape Sign Sin Size Softplus Softsign SpaceToDepth Sqrt Sum Swish
    ThresholdedRelu Tile TopK Upsample Where Xor
"""
LISTS = {"core": frozenset(_CORE.split()), "mcu": frozenset((_CORE + _OTHERS).split())}
"""Operators of each list: the commonest, and all that make sense on a microcontroller."""

_TYPES = (
    *(TensorProto.FLOAT, TensorProto.INT8, TensorProto.UINT8),
    *(TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL),
)

# Inputs that say shapes, axes, scales: constants in any model for a microcontroller.
_SETTINGS = {
    "Clip": (1, 2),
    "ConstantOfShape": (0,),
    "CumSum": (1,),
    "DequantizeLinear": (1, 2),
    "Dropout": (1, 2),
    "Expand": (1,),
    "Pad": (1, 2, 3),
    "QLinearConv": (1, 2, 3, 4, 5, 6, 7),
    "QLinearMatMul": (1, 2, 4, 5, 6, 7),
    "QuantizeLinear": (1, 2),
    "Reshape": (1,),
    "Resize": (1, 2, 3),
    "Slice": (1, 2, 3, 4),
    "Split": (1,),
    "Squeeze": (1,),
    "Tile": (1,),
    "TopK": (1,),
    "Unsqueeze": (1,),
    "Upsample": (1,),
}
_ALL_BUT_FIRST = (1, 2, 3, 4, 5, 6, 7)
# Inputs that are learned; constants where the reader does not take computed ones.
_LEARNED = {
    "BatchNormalization": _ALL_BUT_FIRST,
    "Conv": _ALL_BUT_FIRST,
    "ConvInteger": _ALL_BUT_FIRST,
    "ConvTranspose": _ALL_BUT_FIRST,
    "GRU": (1, 2, 3, 4),
    "Gather": (1,),
    "GatherElements": (1,),
    "GatherND": (1,),
    "Gemm": _ALL_BUT_FIRST,
    "GroupNormalization": _ALL_BUT_FIRST,
    "InstanceNormalization": _ALL_BUT_FIRST,
    "LSTM": (1, 2, 3, 4, 7),
    "LayerNormalization": _ALL_BUT_FIRST,
    "MatMul": _ALL_BUT_FIRST,
    "MatMulInteger": _ALL_BUT_FIRST,
    "PRelu": _ALL_BUT_FIRST,
    "QLinearMatMul": (3,),
    "RMSNormalization": _ALL_BUT_FIRST,
    "RNN": (1, 2, 3, 4),
}


@dataclass(frozen=True)
class Case:
    """One test: a model of one node, its inputs by name, the outputs it expects."""

    name: str
    model: ModelProto
    inputs: dict[str, Array]
    expected: tuple[Array, ...]

    @property
    def operator(self) -> str:
        """The operator of the node."""
        return str(self.model.graph.node[0].op_type)

    def forms(self) -> Iterator[tuple[ModelProto, dict[str, Array]]]:
        """The model with constants for settings, then also for what is learned; its inputs."""
        settings = _SETTINGS.get(self.operator, ())
        if self.operator.startswith("Reduce"):
            settings = (1,)
        yield self._with_constants(settings)
        if self.operator in _LEARNED:
            yield self._with_constants((*settings, *_LEARNED[self.operator]))

    def _with_constants(self, places: Collection[int]) -> tuple[ModelProto, dict[str, Array]]:
        names = {n for i, n in enumerate(self.model.graph.node[0].input) if i in places}
        model = ModelProto()
        model.CopyFrom(self.model)
        kept = [value for value in self.model.graph.input if value.name not in names]
        del model.graph.input[:]
        model.graph.input.extend(kept)
        fixed = {name: array for name, array in self.inputs.items() if name in names}
        model.graph.initializer.extend(numpy_helper.from_array(a, n) for n, a in fixed.items())
        return model, {n: a for n, a in self.inputs.items() if n not in names}


@cache
def _collected() -> tuple[Any, ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NaN, where a test is about it
        return tuple(collect_testcases(None))


def cases_of(operators: Collection[str]) -> list[Case]:
    """The tests of operators that one node and plain element types make, by name."""
    found = [
        _case(test)
        for test in _collected()
        if _is_plain(test.model, operators) and not test.name.endswith("_expanded")
    ]
    return sorted(found, key=lambda case: case.name)


def _is_plain(model: ModelProto | None, operators: Collection[str]) -> bool:
    if model is None or len(model.graph.node) != 1:
        return False
    (node,) = model.graph.node
    values = [value.type for value in (*model.graph.input, *model.graph.output)]
    plain = all(t.HasField("tensor_type") and t.tensor_type.elem_type in _TYPES for t in values)
    return plain and node.domain == "" and node.op_type in operators


def _case(test: Any) -> Case:
    inputs, outputs = test.data_sets[0]
    names = [value.name for value in test.model.graph.input]
    arrays = {name: np.asarray(a) for name, a in zip(names, inputs, strict=True)}
    return Case(test.name, test.model, arrays, tuple(np.asarray(a) for a in outputs))
