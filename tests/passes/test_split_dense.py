# SPDX-License-Identifier: Apache-2.0
"""Dense layers of which parts are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcuplan import passes
from mcuplan.importer.onnx import load_model
from mcuplan.ir.evaluate import evaluate
from mcuplan.ops.dense import Dense
from mcuplan.ops.slicing import Slice
from tests.ops.onnx_cases import model, node

R = np.random.default_rng(2)
X = {"x": (1, 5, 8)}
W = {"w": R.normal(0, 1, (8, 12)).astype(np.float32), "b": R.normal(0, 1, 12).astype(np.float32)}


def _qkv(*behind: object, **constants: np.ndarray) -> object:
    nodes = [node("MatMul", "x w", "p"), node("Add", "p b", "c"), *behind]
    return model(nodes, X, {**W, **constants}, outputs="q k")


SPLIT = {
    "split": _qkv(node("Split", "c", "q k v", axis=2)),
    "divided": _qkv(
        node("Reshape", "c s", "d"),
        node("Slice", "d i j a", "q"),
        node("Slice", "d j l a", "k"),
        s=np.array([1, 5, 3, 4]),
        i=np.array([0]),
        j=np.array([1]),
        l=np.array([3]),
        a=np.array([2]),
    ),
}
KEPT = {
    "twice": _qkv(
        node("Slice", "c i j a", "q"),
        node("Slice", "c i l a", "k"),
        i=np.array([0]),
        j=np.array([4]),
        l=np.array([8]),
        a=np.array([2]),
    ),
    "pixels": _qkv(node("Split", "c sizes", "q k", axis=1), sizes=np.array([2, 3])),
}


def _kinds(proto: object, folder: Path) -> list[type]:
    path = folder / "model.onnx"
    path.write_bytes(proto.SerializeToString())  # type: ignore[attr-defined]
    before = load_model(path).graph
    after = passes.run(before)
    feed = {port.tensor: R.normal(0, 1, port.shape).astype(np.float32) for port in before.inputs}
    wanted, found = evaluate(before, feed), evaluate(after, feed)
    for old, new in zip(before.outputs, after.outputs, strict=True):
        np.testing.assert_allclose(found[new.tensor], wanted[old.tensor], 1e-5, 1e-6)
    return [type(n.op) for n in after.nodes]


@pytest.mark.parametrize("name", SPLIT)
def test_parts_are_layers_of_their_own(name: str, tmp_path: Path) -> None:
    """Nothing is copied, and what nobody reads is not computed."""
    kinds = _kinds(SPLIT[name], tmp_path)
    assert kinds.count(Dense) == 2
    assert Slice not in kinds


@pytest.mark.parametrize("name", KEPT)
def test_others_stay(name: str, tmp_path: Path) -> None:
    """Outputs that are read twice, or rows, are taken from one layer."""
    kinds = _kinds(KEPT[name], tmp_path)
    assert kinds.count(Dense) == 1
    assert kinds.count(Slice) == 2
