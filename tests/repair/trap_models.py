# SPDX-License-Identifier: Apache-2.0
"""Networks that break quantizers: digits_dscnn rewritten so that it computes the same in float.

Each has what is known to cost int8 models their accuracy, drawn with one seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from mcuplan.ir.types import Array

__all__ = ["TRAPS", "trap"]

ROOT = Path(__file__).parents[2]
_SEED = 7
_STEEP = 8.0


class _Net:
    """A model file being rewritten."""

    def __init__(self) -> None:
        self.model = onnx.load(ROOT / "models" / "digits_dscnn" / "model.onnx")
        self.random = np.random.Generator(np.random.PCG64(_SEED))
        self._values = {t.name: t for t in self.model.graph.initializer}

    @property
    def nodes(self) -> list[onnx.NodeProto]:
        return list(self.model.graph.node)

    def readers(self, name: str) -> list[onnx.NodeProto]:
        return [node for node in self.nodes if name in node.input]

    def value(self, name: str) -> Array:
        return numpy_helper.to_array(self._values[name]).astype(np.float64)

    def put(self, name: str, value: Array) -> None:
        made = numpy_helper.from_array(value.astype(np.float32), name)
        if name in self._values:
            self._values[name].CopyFrom(made)
        else:
            self.model.graph.initializer.append(made)

    def activations(self) -> list[tuple[onnx.NodeProto, onnx.NodeProto, onnx.NodeProto]]:
        """BatchNormalization, what lies behind it, and the one convolution that reads that."""
        found = []
        for node in self.nodes:
            if node.op_type != "BatchNormalization":
                continue
            (behind,) = self.readers(node.output[0])
            readers = self.readers(behind.output[0])
            if behind.op_type != "Add" and [r.op_type for r in readers] == ["Conv"]:
                found.append((node, behind, readers[0]))
        return found

    def multiply(self, norm: onnx.NodeProto, conv: onnx.NodeProto, factors: Array) -> None:
        """Multiply what a BatchNormalization makes; the convolution behind it divides."""
        for name in norm.input[1:3]:
            self.put(name, self.value(name) * factors)
        weights = self.value(conv.input[1])
        shape = (1, -1, 1, 1) if weights.shape[1] > 1 else (-1, 1, 1, 1)
        self.put(conv.input[1], weights / factors.reshape(shape))


def _channels(net: _Net) -> None:
    """Every channel behind a BatchNormalization multiplied by 1/64 to 64."""
    for norm, _, conv in net.activations():
        many = len(net.value(norm.input[1]))
        net.multiply(norm, conv, 2.0 ** net.random.integers(-6, 7, many))


def _outlier(net: _Net) -> None:
    """One channel of each tensor 500 times as large."""
    for norm, _, conv in net.activations():
        factors = np.ones(len(net.value(norm.input[1])))
        factors[int(net.random.integers(len(factors)))] = 500.0
        net.multiply(norm, conv, factors)


def _behind_depthwise(net: _Net) -> list[tuple[onnx.NodeProto, onnx.NodeProto, onnx.NodeProto]]:
    """Those of the activations with a Relu behind a depthwise convolution."""
    found = []
    for norm, behind, conv in net.activations():
        (made,) = [node for node in net.nodes if norm.input[0] in node.output]
        if net.value(made.input[1]).shape[1] == 1 and behind.op_type == "Relu":
            found.append((norm, behind, conv))
    return found


def _swish(net: _Net) -> None:
    """Swish, steep enough to be nearly a Relu, behind each depthwise convolution.

    Over channels multiplied by 1/64 to 64, which its own factor of each channel takes back.
    """
    for norm, behind, conv in _behind_depthwise(net):
        factors = 2.0 ** net.random.integers(-6, 7, len(net.value(norm.input[1])))
        net.multiply(norm, conv, factors)
        x, y = behind.input[0], behind.output[0]
        net.put(f"{y}_beta", (_STEEP / factors).reshape(-1, 1, 1))
        made = [
            helper.make_node("Mul", [x, f"{y}_beta"], [f"{y}_steep"], f"{behind.name}_steep"),
            helper.make_node("Sigmoid", [f"{y}_steep"], [f"{y}_gate"], f"{behind.name}_gate"),
            helper.make_node("Mul", [x, f"{y}_gate"], [y], behind.name),
        ]
        at = net.nodes.index(behind)
        nodes = [*net.nodes[:at], *made, *net.nodes[at + 1 :]]
        del net.model.graph.node[:]
        net.model.graph.node.extend(nodes)


def _prelu(net: _Net) -> None:
    """PRelu behind each depthwise convolution, over channels multiplied by 1/64 to 64."""
    for norm, behind, conv in _behind_depthwise(net):
        many = len(net.value(norm.input[1]))
        slopes = f"{behind.output[0]}_slopes"
        net.put(slopes, net.random.uniform(0.0, 0.05, (many, 1, 1)))
        net.multiply(norm, conv, 2.0 ** net.random.integers(-6, 7, many))
        behind.CopyFrom(
            helper.make_node("PRelu", [behind.input[0], slopes], list(behind.output), behind.name)
        )


def _difference(net: _Net) -> None:
    """The scores as the difference of two maps that are a hundred times as large."""
    gemm = net.nodes[-1]
    weights, bias = net.value(gemm.input[1]), net.value(gemm.input[2])
    common = net.random.normal(0.0, 100.0 * weights.std(), weights.shape)
    for sign, part in ((1.0, "one"), (-1.0, "other")):
        net.put(f"{part}_weights", common + sign * weights / 2)
        net.put(f"{part}_bias", sign * bias / 2)
    made = [
        helper.make_node(
            "Gemm",
            [gemm.input[0], f"{part}_weights", f"{part}_bias"],
            [f"{part}_scores"],
            part,
            transB=1,
        )
        for part in ("one", "other")
    ]
    made.append(helper.make_node("Sub", ["one_scores", "other_scores"], list(gemm.output), "less"))
    del net.model.graph.node[-1]
    net.model.graph.node.extend(made)


TRAPS: Mapping[str, object] = {
    "channels": _channels,
    "outlier": _outlier,
    "prelu": _prelu,
    "swish": _swish,
    "difference": _difference,
}


def trap(name: str, folder: Path) -> Path:
    """Write one of ``TRAPS`` into a folder."""
    net = _Net()
    rewrite = TRAPS[name]
    assert callable(rewrite)
    rewrite(net)
    path = folder / f"{name}.onnx"
    onnx.save(net.model, path)
    return path
