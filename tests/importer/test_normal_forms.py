# SPDX-License-Identifier: Apache-2.0
"""Normalizations in parts, as exporters and converters write them, become one operator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcuplan import passes
from mcuplan.ops.normalize import Normalize
from tests.ops.onnx_cases import agrees, kinds, model, node

_SHAPES = ((1, 6, 12), (1, 4, 5, 8), (1, 20))


class _Draft:
    """Nodes and constants with fresh names, in one of the ways that exporters write them."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[Any] = []
        self.constants: dict[str, np.ndarray] = {}
        self.opset = int(self.rng.choice([12, 13, 17, 18]))
        self.shape = _SHAPES[self.rng.integers(len(_SHAPES))]
        rank = len(self.shape)
        self.axes = [-1] if self.rng.random() < 0.7 or rank < 4 else [rank - 2, rank - 1]
        self.count = int(np.prod([self.shape[a] for a in self.axes]))

    def add(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        """A node, now and then behind an Identity or a Cast; Constant nodes in between."""
        if len(inputs) == 2 and op_type in ("Add", "Mul", "Max") and self.rng.random() < 0.5:
            inputs = inputs[::-1]
        name = f"t{len(self.nodes)}"
        self.nodes.append(node(op_type, " ".join(inputs), name, **attributes))
        if self.rng.random() < 0.15:
            return self.add("Identity", name)
        return self.add("Cast", name, to=1) if self.rng.random() < 0.1 else name

    def constant(self, value: Any, dtype: type = np.float32) -> str:
        """An initializer."""
        name = f"c{len(self.constants)}"
        self.constants[name] = np.array(value, dtype)
        return name

    def reduce(self, kind: str, x: str) -> str:
        """Axes as the opset has them."""
        newer = self.opset >= 18 or (kind == "ReduceSum" and self.opset >= 13)
        if newer:
            return self.add(kind, x, self.constant(self.axes, np.int64), keepdims=1)
        return self.add(kind, x, axes=self.axes, keepdims=1)

    def square(self, x: str) -> str:
        """By itself, or to the power of 2."""
        if self.rng.random() < 0.5:
            return self.add("Mul", x, x)
        return self.add("Pow", x, self.constant(2.0))

    def over(self, x: str, square: str) -> str:
        """Over the root of a square: one of several ways."""
        way = int(self.rng.integers(5))
        if way == 0:
            return self.add("Mul", x, self.add("Pow", square, self.constant(-0.5)))
        root = self.add("Sqrt" if way < 4 else "Pow", square, *self._half(way))
        if way == 1:
            return self.add("Mul", x, self.add("Reciprocal", root))
        if way == 2:
            return self.add("Mul", x, self.add("Div", self.constant(1.0), root))
        return self.add("Div", x, root)

    def _half(self, way: int) -> list[str]:
        return [self.constant(0.5)] if way == 4 else []

    def spread(self, x: str, centered: bool) -> tuple[str, str]:
        """What is divided, and the mean of its squares."""
        if not centered:
            return x, self.reduce("ReduceMean", self.square(x))
        mean = self.reduce("ReduceMean", x)
        away = self.add("Sub", x, mean)
        if self.rng.random() < 0.3:
            total = self.reduce("ReduceSum", self.square(away))
            return away, self.add("Div", total, self.constant(float(self.count)))
        again = self.add("Sub", x, mean) if self.rng.random() < 0.3 else away
        return away, self.reduce("ReduceMean", self.square(again))

    def affine(self, unit: str, *, offset: bool) -> str:
        """Gains, and offsets, of the last axis."""
        gain, add = self.rng.normal(1, 1, (2, self.shape[-1]))
        made = self.add("Mul", unit, self.constant(gain))
        return self.add("Add", made, self.constant(add)) if offset else made

    def proto(self, last: str) -> Any:
        """The model, the last tensor its output."""
        self.nodes.append(node("Identity", last))
        return model(self.nodes, {"x": self.shape}, self.constants, self.opset)


def _layer(d: _Draft) -> str:
    """Mean, variance, gains and offsets: Layer and RMS normalization."""
    centered = bool(d.rng.random() < 0.6)
    away, square = d.spread("x", centered)
    unit = d.over(away, d.add("Add", square, d.constant(1e-5)))
    return d.affine(unit, offset=centered)


def _keras(d: _Draft) -> str:
    """X * (gain / deviation) + (offset - mean * (gain / deviation))."""
    _, square = d.spread("x", True)
    mean = d.reduce("ReduceMean", "x")
    root = d.add("Sqrt", d.add("Add", square, d.constant(1e-3)))
    gain, offset = (d.constant(d.rng.normal(1, 1, d.shape[-1])) for _ in range(2))
    factor = d.add("Mul", d.add("Reciprocal", root), gain)
    rest = d.add("Sub", offset, d.add("Mul", mean, factor))
    return d.add("Add", d.add("Mul", "x", factor), rest)


def _mean_of_squares(d: _Draft) -> str:
    """The variance as the mean of squares less the square of the mean."""
    mean = d.reduce("ReduceMean", "x")
    square = d.add("Sub", d.reduce("ReduceMean", d.square("x")), d.square(mean))
    return d.over(d.add("Sub", "x", mean), d.add("Add", square, d.constant(1e-2)))


def _norms(d: _Draft) -> str:
    """F.normalize and what is written by hand."""
    way = d.rng.integers(4)
    if way == 0:
        total = d.reduce("ReduceSum", d.square("x"))
        return d.over("x", d.add("Add", total, d.constant(1e-6)))
    if way == 1:
        norm = d.reduce("ReduceL2", "x")
    elif way == 2:
        norm = d.reduce("ReduceL1", "x")
    else:
        norm = d.reduce("ReduceSum", d.add("Abs", "x"))
    norm = d.add("Clip", norm, d.constant(1e-6)) if d.rng.random() < 0.6 else norm
    shape = d.constant(d.shape, np.int64)
    norm = d.add("Expand", norm, shape) if d.rng.random() < 0.6 else norm
    return d.add("Div", "x", norm)


def _deviation(d: _Draft) -> str:
    """Over the unbiased deviation, to which epsilon is added."""
    away, square = d.spread("x", True)
    square = d.add("Mul", square, d.constant(float(d.count)))
    square = d.add("Div", square, d.constant(d.count - 1.0))
    return d.add("Div", away, d.add("Add", d.add("Sqrt", square), d.constant(1e-3)))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("form", [_layer, _keras, _mean_of_squares, _norms, _deviation])
def test_parts_become_one(form: Any, seed: int, tmp_path: Path) -> None:
    """One operator is left, which computes what ONNX Runtime does."""
    draft = _Draft(seed)
    graph = passes.run(agrees(tmp_path, draft.proto(form(draft))))
    assert 1 == kinds(graph).count("Normalize")
    wide = len(draft.axes) > 1  # gains of one of two axes are a step of their own
    assert ["Normalize"] == kinds(graph) or wide


@pytest.mark.parametrize("back", ["shape", "sizes"])
def test_groups_of_channels(back: str, tmp_path: Path) -> None:
    """GroupNorm as InstanceNormalization between two Reshapes."""
    rng = np.random.default_rng(1)
    constants = {
        "flat": np.array([0, 2, -1]),
        "one": np.ones(2, np.float32),
        "zero": np.zeros(2, np.float32),
        "sizes": np.array([1, 6, 4, 5]),
        "g": rng.normal(1, 1, (6, 1, 1)).astype(np.float32),
        "b": rng.normal(0, 1, (6, 1, 1)).astype(np.float32),
    }
    nodes = [
        node("Conv", "x w", "c"),
        node("Shape", "c", "shape"),
        node("Reshape", "c flat", "r"),
        node("InstanceNormalization", "r one zero", "n"),
        node("Reshape", f"n {back}", "u"),
        node("Mul", "u g", "m"),
        node("Add", "m b"),
    ]
    constants["w"] = rng.normal(0, 1, (6, 3, 1, 1)).astype(np.float32)
    graph = passes.run(agrees(tmp_path, model(nodes, {"x": (1, 3, 4, 5)}, constants)))
    assert ["Transpose", "Conv2D", "Normalize", "Transpose"] == kinds(graph)
    (op,) = (n.op for n in graph.nodes if isinstance(n.op, Normalize))
    assert 2 == op.groups


def test_what_is_read_elsewhere_stays(tmp_path: Path) -> None:
    """A mean that is an output, too; a deviation of another tensor is no norm of this one."""
    draft = _Draft(3)
    draft.opset = 17
    mean = draft.add("ReduceMean", "x", axes=[-1])
    away = draft.add("Sub", "x", mean)
    square = draft.add("ReduceMean", draft.add("Mul", away, away), axes=[-1])
    root = draft.add("Sqrt", draft.add("Add", square, draft.constant(0.01)))
    unit = draft.add("Div", away, root)
    other = draft.add("Div", "x", root)
    nodes = [*draft.nodes, node("Add", f"{unit} {other}"), node("Identity", mean, "m")]
    proto = model(nodes, {"x": (1, 6, 12)}, draft.constants, outputs="y m")
    assert 1 == kinds(agrees(tmp_path, proto)).count("Normalize")
