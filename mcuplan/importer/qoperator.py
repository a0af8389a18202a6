# SPDX-License-Identifier: Apache-2.0
"""Expands quantized operators into DequantizeLinear, the float operator and QuantizeLinear.

Source: the ONNX operator list (QLinearConv, QLinearMatMul) and the contributed operators
of ONNX Runtime (``com.microsoft``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mcuplan.errors import DamagedModel, UnsupportedOp
from mcuplan.importer.contributed import DYNAMIC, with_real_weights
from mcuplan.importer.structure import MICROSOFT
from mcuplan.ir.builder import Attribute, OnnxNode

__all__ = ["QOPERATORS", "Names", "expand"]


@dataclass(slots=True)
class Names:
    """Gives tensor names that the model does not use."""

    taken: set[str]
    _last: dict[str, int] = field(default_factory=dict)  # number given to each stem

    def fresh(self, stem: str) -> str:
        """A name not taken yet, close to ``stem``."""
        name, k = stem, self._last.get(stem, 0)
        while name in self.taken:
            k += 1
            name = f"{stem}_{k}"
        self.taken.add(name)
        self._last[stem] = k
        return name


@dataclass(slots=True)
class _Expansion:
    """The nodes that one quantized operator becomes."""

    node: OnnxNode
    names: Names
    made: list[OnnxNode] = field(default_factory=list)

    def input(self, index: int) -> str:
        """An input that must be there."""
        name = self.node.input(index)
        if not name:
            raise DamagedModel(f"input {index} is missing", hint="export again")
        return name

    def add(
        self,
        op_type: str,
        inputs: Sequence[str],
        output: str = "",
        attributes: Mapping[str, Attribute] | None = None,
        opset: int = 13,
    ) -> str:
        """A standard node; its output is fresh unless it is named."""
        output = output or self.names.fresh(f"{self.node.outputs[0]}_{op_type.lower()}")
        node = replace(
            self.node,
            op_type=op_type,
            domain="",
            opset=opset,
            inputs=tuple(inputs),
            outputs=(output,),
            attributes=attributes or {},
        )
        self.made.append(node)
        return output

    def real(self, first: int, axis: int = 1) -> str:
        """Real values of the tensor, scale and zero point at three inputs."""
        names = [self.input(first), self.input(first + 1), self.node.input(first + 2)]
        return self.add("DequantizeLinear", names, attributes={"axis": axis})

    def bias(self, index: int, scales: tuple[str, str]) -> tuple[str, ...]:
        """Real values of an int32 bias, whose scale is the product of two; none if absent."""
        if not self.node.input(index):
            return ()
        scale = self.add("Mul", scales)
        name = self.node.input(index)
        return (self.add("DequantizeLinear", [name, scale], attributes={"axis": 0}),)

    def float_op(
        self, op_type: str, inputs: Sequence[str], scale: int, drop: Sequence[str] = ()
    ) -> None:
        """The float operator with the node's own attributes, then the output's rounding.

        ``scale`` is the index of the output's scale; the zero point follows it.
        """
        attributes = {k: v for k, v in self.node.attributes.items() if k not in drop}
        opset = _float_opset(self.node)
        if not self.node.input(scale):
            self.add(op_type, inputs, self.node.outputs[0], attributes, opset)
            return
        real = self.add(op_type, inputs, attributes=attributes, opset=opset)
        names = [real, self.node.input(scale), self.node.input(scale + 1)]
        self.add("QuantizeLinear", names, self.node.outputs[0])


def _float_opset(node: OnnxNode) -> int:
    """Opset whose float operator an operator follows; contributed ones follow recent ones."""
    if node.op_type == "QLinearSoftmax":
        return int(node.get_int("opset", 13))
    return node.opset if not node.domain else 13


def _conv(x: _Expansion) -> None:
    inputs = (x.real(0), x.real(3, axis=0), *x.bias(8, (x.input(1), x.input(4))))
    x.float_op("Conv", inputs, 6)


def _matmul(x: _Expansion) -> None:
    x.float_op("MatMul", (x.real(0, axis=-2), x.real(3, axis=-1)), 6)


def _gemm(x: _Expansion) -> None:
    if x.node.get_float("alpha", 1.0) != 1.0:
        raise UnsupportedOp(
            f"alpha={x.node.get_float('alpha', 1.0)}", hint="fold alpha into the scale of B"
        )
    axis = 0 if x.node.get_int("transB", 0) else 1
    inputs = (x.real(0), x.real(3, axis=axis), *x.bias(6, (x.input(1), x.input(4))))
    x.float_op("Gemm", inputs, 7)


def _binary(op_type: str) -> Callable[[_Expansion], None]:
    return lambda x: x.float_op(op_type, (x.real(0), x.real(3)), 6)


def _unary(op_type: str, drop: Sequence[str] = ()) -> Callable[[_Expansion], None]:
    return lambda x: x.float_op(op_type, (x.real(0),), 3, drop)


def _pool(op_type: str) -> Callable[[_Expansion], None]:
    def expand_pool(x: _Expansion) -> None:
        if x.node.get_int("channels_last", 0):
            raise UnsupportedOp("channels_last=1", hint="save the model without layout transforms")
        x.float_op(op_type, (x.real(0),), 3, ("channels_last",))

    return expand_pool


def _concat(x: _Expansion) -> None:
    if len(x.node.inputs) < 5 or (len(x.node.inputs) - 2) % 3:
        raise DamagedModel(f"{len(x.node.inputs)} inputs", hint="export again")
    inputs = [x.real(i) for i in range(2, len(x.node.inputs), 3)]
    x.float_op("Concat", inputs, 0)


def _where(x: _Expansion) -> None:
    """A choice between two tensors."""
    x.float_op("Where", (x.input(0), x.real(1), x.real(4)), 7)


_EXPANSIONS: dict[str, Callable[[_Expansion], None]] = {
    "QLinearConv": _conv,
    "QLinearMatMul": _matmul,
    f"{MICROSOFT}::QGemm": _gemm,
    f"{MICROSOFT}::QLinearAdd": _binary("Add"),
    f"{MICROSOFT}::QLinearMul": _binary("Mul"),
    f"{MICROSOFT}::QLinearAveragePool": _pool("AveragePool"),
    f"{MICROSOFT}::QLinearGlobalAveragePool": _pool("GlobalAveragePool"),
    f"{MICROSOFT}::QLinearSigmoid": _unary("Sigmoid"),
    f"{MICROSOFT}::QLinearLeakyRelu": _unary("LeakyRelu"),
    f"{MICROSOFT}::QLinearSoftmax": _unary("Softmax", ("opset",)),
    f"{MICROSOFT}::QLinearConcat": _concat,
    f"{MICROSOFT}::QLinearWhere": _where,
}
QOPERATORS = frozenset(_EXPANSIONS)
_RENAMED = ("QuantizeLinear", "DequantizeLinear")


def expand(node: OnnxNode, names: Names) -> tuple[OnnxNode, ...]:
    """What a node becomes: standard float nodes between Q and DQ, or itself.

    Raises:
        UnsupportedOp: an attribute has no float counterpart.
        DamagedModel: inputs are missing.
    """
    if node.domain == MICROSOFT and node.op_type in _RENAMED:
        return (replace(node, domain="", opset=21),)  # the first with integers of 16 bits
    if node.kind in DYNAMIC:
        return with_real_weights(node, names.fresh)
    if node.kind not in _EXPANSIONS:
        return (node,)
    expansion = _Expansion(node, names)
    _EXPANSIONS[node.kind](expansion)
    return tuple(expansion.made)
