# SPDX-License-Identifier: Apache-2.0
"""Products of two activations: readers against ONNX Runtime, sums that are proved, proofs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcuplan.cli import run
from mcuplan.errors import AccumulatorOverflow, UnsupportedOp
from mcuplan.importer.onnx import load_model
from mcuplan.ir.op import Signature
from mcuplan.ir.types import DType, Quant, TensorType
from mcuplan.ops.matmul import MatMul
from mcuplan.ops.movement import Transpose

from .onnx_cases import agrees, kinds, model, node

R = np.random.default_rng(11)

SHAPES = {
    "matrices": ((4, 6), (6, 3)),
    "one row": ((1, 6), (6, 3)),
    "one sample": ((1, 5, 6), (1, 6, 3)),
    "stack": ((2, 5, 6), (2, 6, 3)),
    "heads": ((1, 2, 5, 6), (1, 2, 6, 5)),
    "one head": ((1, 1, 5, 6), (1, 1, 6, 4)),
    "repeated": ((1, 2, 5, 6), (6, 4)),
    "repeated left": ((5, 6), (3, 2, 6, 4)),
    "crossed": ((2, 1, 3, 4, 5), (1, 2, 1, 5, 4)),
    "row and matrix": ((6,), (6, 3)),
    "stack and column": ((2, 4, 6), (6,)),
    "two rows": ((6,), (6,)),
    "row and stack": ((6,), (2, 6, 3)),
}


@pytest.mark.parametrize("name", SHAPES)
def test_two_inputs(name: str, tmp_path: Path) -> None:
    """MatMul of two inputs, of any ranks that numpy multiplies."""
    a, b = SHAPES[name]
    agrees(tmp_path, model(node("MatMul", "x z"), {"x": a, "z": b}))


@pytest.mark.parametrize("left", [False, True])
def test_a_stack_of_constants(left: bool, tmp_path: Path) -> None:
    """A constant matrix for each of a stack."""
    w = R.normal(0, 1, (2, 4, 4)).astype(np.float32)
    agrees(tmp_path, model(node("MatMul", "w x" if left else "x w"), {"x": (2, 4, 4)}, {"w": w}))


GEMM = {
    "plain": ("x z", {}),
    "turned": ("x z", {"transA": 1, "transB": 1}),
    "scaled": ("x z", {"alpha": 0.5}),
    "with C": ("x z c", {"alpha": 0.25, "beta": 2.0}),
    "computed C": ("x z d", {"beta": -1.5, "transB": 1}),
    "constant B": ("x w c", {"transA": 1}),
    "C for each row": ("x w e", {}),
}


@pytest.mark.parametrize("name", GEMM)
def test_gemm(name: str, tmp_path: Path) -> None:
    """Gemm of two inputs, or with a C that is no bias."""
    inputs, attributes = GEMM[name]
    constants = {
        "c": R.normal(0, 1, (4,)),
        "w": R.normal(0, 1, (4, 4)),
        "e": R.normal(0, 1, (4, 1)),
    }
    given = {n: v.astype(np.float32) for n, v in constants.items()}
    shapes = {n: (4, 4) for n in inputs.split() if n in "xzd"}
    used = {n: v for n, v in given.items() if n in inputs.split()}
    graph = agrees(tmp_path, model(node("Gemm", inputs, **attributes), shapes, used))
    weighted = inputs.split()[1] == "w" and "transA" not in attributes
    assert weighted is ("Dense" in kinds(graph))


def _heads(scores: str = "s") -> list[object]:
    """Scores of two heads of queries and keys that lie side by side in rows."""
    return [
        node("Reshape", "q split", "q4"),
        node("Transpose", "q4", "qh", perm=[0, 2, 1, 3]),
        node("Reshape", "k split", "k4"),
        node("Transpose", "k4", "kt", perm=[0, 2, 3, 1]),
        node("MatMul", "qh kt", scores),
    ]


HEADS = {"split": np.array([0, 0, 2, 4])}
ROWS = {"q": (1, 5, 8), "k": (1, 7, 8), "v": (1, 7, 8)}


def test_heads_move_nothing(tmp_path: Path) -> None:
    """Splitting rows into heads, and merging them, is a matter of addresses."""
    nodes = [
        *_heads(),
        node("Softmax", "s", "p"),
        node("Reshape", "v split", "v4"),
        node("Transpose", "v4", "vh", perm=[0, 2, 1, 3]),
        node("MatMul", "p vh", "o"),
        node("Transpose", "o", "o4", perm=[0, 2, 1, 3]),
        node("Reshape", "o4 join", "y"),
    ]
    graph = agrees(tmp_path, model(nodes, ROWS, {**HEADS, "join": np.array([0, 0, 8])}))
    assert not any(isinstance(n.op, Transpose) for n in graph.nodes)
    rows = [graph.tensor(n.output).type.rows for n in graph.nodes if isinstance(n.op, MatMul)]
    assert rows == [5, 5]  # a row for each query


REFUSED = {
    "sizes": model(node("MatMul", "x z"), {"x": (1, 4, 6), "z": (1, 5, 3)}),
    "a number": model(node("MatMul", "x c"), {"x": (1, 4, 6)}, {"c": np.float32(2.0)}),
    "no matrices": model(node("Gemm", "x z"), {"x": (1, 4, 6), "z": (6, 3)}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str, tmp_path: Path) -> None:
    """What is no product is refused by the name of its node."""
    (tmp_path / "model.onnx").write_bytes(REFUSED[name].SerializeToString())
    with pytest.raises(UnsupportedOp) as refused:
        load_model(tmp_path / "model.onnx")
    assert refused.value.where.startswith(("MatMul", "Gemm"))


def test_sums_that_leave_32_bits() -> None:
    """A sum that some input could drive beyond 32 bits is refused."""
    op, grid = MatMul((0, -1), (0, -1), 2), Quant.per_tensor(1.0, -128)
    for depth, fits in [(33_000 - 200, True), (33_100, False)]:
        kinds = (TensorType((1, depth), DType.INT8, grid),) * 2
        output = TensorType((1, 1), DType.INT8, Quant.per_tensor(1e5, 0))
        sig = Signature(op, kinds, (output,), (None, None))
        ends = np.full((1, depth), 127, np.int8)
        if fits:
            assert op.integer(sig, ends, ends)[0].item() == min(127, round(255**2 * depth / 1e5))
        else:
            with pytest.raises(AccumulatorOverflow):
                op.integer(sig, ends, ends)


@pytest.mark.parametrize("dtype", ["int8", "float32"])
def test_heads_all_the_way(
    dtype: str, host_gcc: str, arm_gcc: str, qemu: str, tmp_path: Path
) -> None:
    """A network with scores of heads is planned, generated and proved on the host and on a core."""
    path, data = tmp_path / "model.onnx", tmp_path / "data.npz"
    path.write_bytes(model(_heads("y"), {n: ROWS[n] for n in "qk"}, HEADS).SerializeToString())
    np.savez(data, **{n: R.normal(0, 1, (32, *ROWS[n])).astype(np.float32)[:, 0] for n in "qk"})
    given = ["--inputs", str(data), "--dtype", dtype]
    given += ["--calibration", str(data)] if dtype == "int8" else []
    assert 0 == run(["verify", str(path), "-t", "cortex-m4", *given, "-q", "--no-save"])
