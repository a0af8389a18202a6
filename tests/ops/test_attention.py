# SPDX-License-Identifier: Apache-2.0
"""Attention: what is recognized, integers against exact numbers, proofs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcuplan import passes
from mcuplan.cli import run
from mcuplan.errors import NonFiniteWeights
from mcuplan.importer.onnx import load_model
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.graph import Graph
from mcuplan.ir.op import Signature
from mcuplan.ir.types import DType, Quant, TensorType
from mcuplan.ops.attention import Attention
from mcuplan.ops.masked_attention import MaskedAttention
from mcuplan.ops.matmul import MatMul

from .onnx_cases import agrees, model, node

R = np.random.default_rng(7)
ROWS = {"q": (1, 5, 8), "k": (1, 7, 8), "v": (1, 7, 8)}
CONSTANTS = {
    "split": np.array([0, 0, 2, 4]),
    "join": np.array([0, 0, 8]),
    "c": np.float32(0.5),
    "r": np.float32(0.7),
    "d": np.float32(2.0),
    "causal": np.where(np.tri(5, 7, 2, bool), 0, -1e9).astype(np.float32),
    "biases": R.normal(0, 1, (1, 2, 5, 7)).astype(np.float32),
    "see": np.tri(5, 7, 1, bool),
    "none": np.float32(0),
    "inf": np.float32(-np.inf),
    "much": np.float32(-1e9),
    "other": np.where(np.tri(5, 7, 1, bool), 0, -1e9).astype(np.float32),
}


def _model(*between: Any, scores: str = "s", query: str = "qh", key: str = "kt") -> Any:
    nodes = [
        node("Reshape", "q split", "q4"),
        node("Transpose", "q4", "qh", perm=[0, 2, 1, 3]),
        node("Reshape", "k split", "k4"),
        node("Transpose", "k4", "kt", perm=[0, 2, 3, 1]),
        *(n for n in between if n.output[0] in ("qs", "ks")),
        node("MatMul", f"{query} {key}", scores),
        *(n for n in between if n.output[0] not in ("qs", "ks")),
        node("Softmax", "z", "p", axis=-1),
        node("Reshape", "v split", "v4"),
        node("Transpose", "v4", "vh", perm=[0, 2, 1, 3]),
        node("MatMul", "p vh", "o"),
        node("Transpose", "o", "o4", perm=[0, 2, 1, 3]),
        node("Reshape", "o4 join", "y"),
    ]
    used = {name for n in nodes for name in n.input}
    return model(nodes, ROWS, {n: v for n, v in CONSTANTS.items() if n in used})


FUSED = {
    "plain": (_model(scores="z"), 1.0, False),
    "times": (_model(node("Mul", "s c", "z")), 0.5, False),
    "divided": (_model(node("Div", "s d", "z")), 0.5, False),
    "both sides": (
        _model(
            node("Mul", "qh r", "qs"), node("Mul", "kt r", "ks"), scores="z", query="qs", key="ks"
        ),
        0.49,
        False,
    ),
    "causal": (_model(node("Mul", "s c", "t"), node("Add", "t causal", "z")), 0.5, True),
}
MASKED = {
    "another mask": (_model(node("Mul", "s c", "t"), node("Add", "t other", "z")), DType.BOOL),
    "biases": (_model(node("Mul", "s c", "t"), node("Add", "t biases", "z")), DType.FLOAT32),
    "infinite": (
        _model(node("Where", "see none inf", "m"), node("Add", "s m", "z")),
        DType.BOOL,
    ),
    "filled": (_model(node("Where", "see s much", "z")), DType.BOOL),
}
KEPT = {
    "negative": _model(node("Neg", "s", "z")),
    "scaled behind the mask": _model(node("Add", "s biases", "t"), node("Mul", "t c", "z")),
    "two masks": _model(node("Add", "s biases", "t"), node("Add", "t other", "z")),
}


def _simplified(proto: Any, folder: Path) -> Graph:
    graph = agrees(folder, proto)
    after = passes.run(graph)
    feed = {port.tensor: R.normal(0, 1, port.shape).astype(np.float32) for port in graph.inputs}
    wanted, found = evaluate(graph, feed), evaluate(after, feed)
    for old, new in zip(graph.outputs, after.outputs, strict=True):
        np.testing.assert_allclose(found[new.tensor], wanted[old.tensor], 1e-5, 1e-5)
    return after


@pytest.mark.parametrize("name", FUSED)
def test_it_is_recognized(name: str, tmp_path: Path) -> None:
    """One operator, whatever the scale is written as, and no map of all scores."""
    proto, scale, causal = FUSED[name]
    graph = _simplified(proto, tmp_path)
    (found,) = [n.op for n in graph.nodes if isinstance(n.op, Attention)]
    assert found.scale == pytest.approx(scale)
    assert found.causal == causal
    assert not any(isinstance(n.op, MatMul) for n in graph.nodes)


@pytest.mark.parametrize("name", MASKED)
def test_masks(name: str, tmp_path: Path) -> None:
    """Whatever adds to scores or replaces them is a mask: truth values where it only hides."""
    proto, dtype = MASKED[name]
    graph = _simplified(proto, tmp_path)
    (found,) = [n for n in graph.nodes if isinstance(n.op, MaskedAttention)]
    assert graph.tensor(found.inputs[3]).type.dtype is dtype
    assert not any(isinstance(n.op, MatMul) for n in graph.nodes)


@pytest.mark.parametrize("name", KEPT)
def test_others_stay_products(name: str, tmp_path: Path) -> None:
    """A mask or a function that attention does not have keeps the operators of the model."""
    graph = _simplified(KEPT[name], tmp_path)
    assert sum(isinstance(n.op, MatMul) for n in graph.nodes) == 2


def test_one_head(tmp_path: Path) -> None:
    """Rows without heads get an axis for one."""
    nodes = [
        node("Transpose", "k", "t", perm=[0, 2, 1]),
        node("MatMul", "q t", "s"),
        node("Softmax", "s", "p", axis=-1),
        node("MatMul", "p v", "y"),
    ]
    graph = _simplified(model(nodes, ROWS), tmp_path)
    assert sum(isinstance(n.op, Attention) for n in graph.nodes) == 1


@settings(deadline=None, max_examples=150)
@given(
    st.integers(1, 40),
    st.integers(1, 33),
    st.floats(-9.0, 0.0),
    st.floats(0.3, 1.0),
    st.integers(0, 2**32 - 1),
)
def test_integers_are_within_one_step(
    keys: int, depth: int, log_scale: float, fine: float, seed: int
) -> None:
    """The integers are within one step of exact ones, for flat weights and for a single one."""
    rng = np.random.default_rng(seed)
    op = Attention(float(2.0**log_scale))
    grids = [Quant.per_tensor(0.1, int(z)) for z in rng.integers(-128, 128, 3)]
    shapes = (1, 4, 1, depth), (1, keys, 1, depth), (1, keys, 1, 5)
    codes = [rng.integers(-128, 128, shape).astype(np.int8) for shape in shapes]
    kinds = tuple(
        TensorType(shape, DType.INT8, grid) for shape, grid in zip(shapes, grids, strict=True)
    )
    output = Quant.per_tensor(0.1 * fine, int(rng.integers(-128, 128)))
    result = TensorType((1, 4, 1, 5), DType.INT8, output)
    sig = Signature(op, kinds, (result,), (None,) * 3)
    real = op.reference(*(g.dequantize(c) for g, c in zip(grids, codes, strict=True)))[0]
    exact = np.clip(real.astype(np.float64) / output.s + output.z, -128, 127)
    assert np.abs(op.integer(sig, *codes)[0] - exact).max() < 1.0


def test_infinity_elsewhere_is_refused(tmp_path: Path) -> None:
    """A sum with infinity that is no mask has an error of its own."""
    constants = {"see": np.tri(5, dtype=bool), "inf": CONSTANTS["inf"]}
    proto = model(node("Where", "see q inf", "y"), {"q": (1, 5, 5)}, constants)
    (tmp_path / "model.onnx").write_bytes(proto.SerializeToString())
    with pytest.raises(NonFiniteWeights):
        passes.run(load_model(tmp_path / "model.onnx").graph)


@pytest.mark.parametrize("dtype", ["int8", "float32"])
@pytest.mark.parametrize("proto", [FUSED["causal"][0], MASKED["filled"][0], MASKED["biases"][0]])
def test_all_the_way(
    proto: Any, dtype: str, host_gcc: str, arm_gcc: str, qemu: str, tmp_path: Path
) -> None:
    """A network with masked attention is planned, generated and proved on host and core."""
    path, data = tmp_path / "model.onnx", tmp_path / "data.npz"
    path.write_bytes(proto.SerializeToString())
    np.savez(data, **{n: R.normal(0, 1, (32, *s[1:])).astype(np.float32) for n, s in ROWS.items()})
    given = ["--inputs", str(data), "--dtype", dtype]
    given += ["--calibration", str(data)] if dtype == "int8" else []
    assert 0 == run(["verify", str(path), "-t", "cortex-m4", *given, "-q", "--no-save"])
