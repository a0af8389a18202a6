# SPDX-License-Identifier: Apache-2.0
"""Truth values as outputs and as numbers, and Where of one value."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto

from mcuplan.ir.types import DType, Quant
from mcuplan.ops.compare import bounds
from mcuplan.passes import run

from .host_proof import proves
from .onnx_cases import agrees, kinds, model, node

SCALES = st.floats(-9.0, 3.0).map(lambda e: float(np.float32(2.0**e)))
GRIDS = st.builds(Quant.per_tensor, SCALES, st.integers(-128, 127))
X = {"x": (1, 3, 4, 5)}
TRUTH = {"y": TensorProto.BOOL}
C = {"c": np.float32(0.5)}
CHANNELS = {"c": np.float32([-1, 0.2, 1]).reshape(3, 1, 1)}
COMPARISONS = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")


@pytest.mark.parametrize("operands", ["x c", "c x"])
@pytest.mark.parametrize("op", COMPARISONS)
def test_comparisons(op: str, operands: str, tmp_path: Path) -> None:
    """The model's truth values are those of the C code, whichever side a number stands on."""
    graph = agrees(tmp_path, model(node(op, operands), X, C, types=TRUTH))
    assert ["Compare"] == kinds(graph)
    assert (DType.BOOL, True) == (graph.outputs[0].dtype, graph.outputs[0].whole)


TRUTHS: dict[str, Any] = {
    "above": model(node("Greater", "x c"), X, C, types=TRUTH),
    "channels": model(node("Less", "x c"), X, CHANNELS, types=TRUTH),
    "not": model([node("Less", "x c", "a"), node("Not", "a")], X, C, types=TRUTH),
    "an alarm": model(
        [
            node("ReduceMax", "x", "a", axes=[1, 2, 3], keepdims=0),
            node("Greater", "a c"),
        ],
        X,
        {"c": np.float32(2.9)},
        opset=13,
        types=TRUTH,
    ),
    "as integers": model(
        [node("Greater", "x c", "a"), node("Cast", "a", to=TensorProto.INT64)],
        X,
        C,
        types={"y": TensorProto.INT64},
    ),
    "as a mask": model(
        [node("Greater", "x c", "a"), node("Cast", "a", "b", to=1), node("Mul", "b x")], X, C
    ),
    "two tensors": model(
        [node("MaxPool", "x", "a", kernel_shape=[1, 2], pads=[0, 1, 0, 0]), node("Less", "x a")],
        X,
        types=TRUTH,
    ),
}


@pytest.mark.parametrize("name", TRUTHS)
def test_truth_values(name: str, tmp_path: Path, host_gcc: str) -> None:
    """Those of the C code are the runtime's but where a value is next to the limit."""
    agrees(tmp_path, TRUTHS[name])
    _, (output,) = proves(tmp_path, TRUTHS[name], samples=20)
    assert 0.97 < np.mean(np.abs(output.ours - output.runtime) < 0.1)
    assert output.runtime.min() < output.runtime.max()


LEAKY = [node("Greater", "x c", "p"), node("Mul", "x d", "n"), node("Where", "p x n")]
WHERES: dict[str, Any] = {
    "leaky": model(LEAKY, X, {"c": np.float32(0), "d": np.float32(0.1)}),
    "softplus with a limit": model(
        [
            node("Conv", "x w", "v"),
            node("Softplus", "v", "s"),
            node("Greater", "v c", "p"),
            node("Where", "p v s"),
        ],
        X,
        {"c": np.float32(2), "w": np.ones((2, 3, 1, 1), np.float32)},
    ),
    "numbers": model(
        [node("Less", "x c", "p"), node("Where", "p c d")],
        X,
        {"c": np.float32(0.25), "d": np.float32([-3])},
    ),
    "turned": model(
        [node("Relu", "x", "r"), node("Less", "x c", "p"), node("Not", "p", "q"),
         node("Where", "q r x")],
        X,
        C,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WHERES)
def test_where(name: str, tmp_path: Path, host_gcc: str) -> None:
    """A choice between functions of one value by that value is a function of it."""
    graph = run(agrees(tmp_path, WHERES[name]))
    assert 1 == kinds(graph).count("Lookup")
    _, (output,) = proves(tmp_path, WHERES[name])
    near = np.abs(output.ours - output.runtime) <= 4 * output.scale
    assert 0.97 < near.mean()  # all but those next to a limit where the value jumps


CHOICES: dict[str, Any] = {
    "two tensors": [node("Greater", "x c", "p"), node("Where", "p x z")],
    "either of two": [node("Greater", "x z", "p"), node("Where", "p x z")],
    "both": [
        node("Greater", "x c", "p"),
        node("Less", "z c", "q"),
        node("And", "p q", "r"),
        node("Where", "r z x"),
    ],
}


@pytest.mark.parametrize("dtype", ["int8", "float32"])
@pytest.mark.parametrize("name", CHOICES)
def test_choices_between_tensors(name: str, dtype: str, tmp_path: Path, host_gcc: str) -> None:
    """Truth values that are no function of what is chosen."""
    proto = model(CHOICES[name], X | {"z": (1, 3, 4, 5)}, C)
    assert "Where" in kinds(run(agrees(tmp_path, proto)))
    _, (output,) = proves(tmp_path, proto, dtype=DType.named(dtype))
    step = 1e-6 if dtype == "float32" else output.scale
    assert 0.97 < np.mean(np.abs(output.ours - output.runtime) <= 2 * step)


@settings(max_examples=20, deadline=None)
@given(a=GRIDS, b=GRIDS)
def test_comparisons_on_grids_are_exact(a: Quant, b: Quant) -> None:
    """Of every pair of codes on any two grids: as their real values, without rounding."""
    first, end = bounds(a, b)
    codes = range(-128, 128)
    reals = [[Fraction(q.s) * (code - q.z) for code in codes] for q in (a, b)]
    below = [sum(real < x for real in reals[1]) - 128 for x in reals[0]]
    upto = [sum(real <= x for real in reals[1]) - 128 for x in reals[0]]
    assert (below, upto) == (first.tolist(), end.tolist())
