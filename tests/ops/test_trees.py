# SPDX-License-Identifier: Apache-2.0
"""Trees and linear models of scikit-learn: ONNX's own evaluator, numpy and C agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from mcuplan import pipeline
from mcuplan.errors import DamagedModel, UnsupportedOp
from mcuplan.importer.onnx import load_model
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.types import DType
from mcuplan.ops._forest import Split, forest_of
from mcuplan.prove.cores import core_named
from mcuplan.prove.proofs import prove_on_core, prove_on_host
from mcuplan.prove.subject import Subject
from mcuplan.record import Request
from mcuplan.targets import load_target

_MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]
_NODE_KEYS = ("treeids", "nodeids", "featureids", "modes", "values")
_MORE_KEYS = ("truenodeids", "falsenodeids", "missing_value_tracks_true")


class _Grower:
    """Random trees as attributes of an ONNX node."""

    def __init__(self, rng: np.random.Generator, votes: str, targets: int, features: int) -> None:
        self._rng, self._votes, self._targets, self._features = rng, votes, targets, features
        keys = [f"nodes_{k}" for k in (*_NODE_KEYS, *_MORE_KEYS)]
        keys += [f"{votes}_{k}" for k in ("treeids", "nodeids", "ids", "weights")]
        self.attributes: dict[str, list[Any]] = {key: [] for key in keys}

    def grow(self, tree: int, depth: int) -> None:
        """One tree more."""
        self._node(tree, [0], depth)

    def _node(self, tree: int, count: list[int], depth: int) -> int:
        number, count[0] = count[0], count[0] + 1
        at = len(self.attributes["nodes_modes"])
        leaf = depth == 0 or self._rng.random() < 0.2
        mode = "LEAF" if leaf else str(self._rng.choice(_MODES))
        value = float(self._rng.integers(-4, 5)) / 2
        row = (tree, number, int(self._rng.integers(self._features)), mode, value)
        for key, entry in zip(_NODE_KEYS, row, strict=True):
            self.attributes[f"nodes_{key}"].append(entry)
        for key in _MORE_KEYS:
            self.attributes[f"nodes_{key}"].append(0)
        if leaf:
            for target in range(self._targets):
                weight = float(np.float32(self._rng.normal()))
                for key, entry in (("treeids", tree), ("nodeids", number), ("ids", target)):
                    self.attributes[f"{self._votes}_{key}"].append(entry)
                self.attributes[f"{self._votes}_weights"].append(weight)
            return number
        self.attributes["nodes_missing_value_tracks_true"][at] = int(self._rng.integers(2))
        self.attributes["nodes_truenodeids"][at] = self._node(tree, count, depth - 1)
        self.attributes["nodes_falsenodeids"][at] = self._node(tree, count, depth - 1)
        return number


def _model(made: Any, outputs: dict[str, int], features: int, samples: int = 1) -> Any:
    values = [helper.make_tensor_value_info(n, k, None) for n, k in outputs.items()]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [samples, features])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    graph = helper.make_graph([made], "g", [given], values)
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def _regressor(seed: int, samples: int = 1, how: str = "SUM") -> tuple[Any, int]:
    rng = np.random.default_rng(seed)
    features, targets = int(rng.integers(1, 6)), int(rng.integers(1, 4))
    grower = _Grower(rng, "target", targets, features)
    for tree in range(int(rng.integers(1, 6))):
        grower.grow(tree, 4)
    base = [float(v) for v in rng.integers(-2, 3, targets)] if seed % 2 else []
    made = helper.make_node(
        "TreeEnsembleRegressor",
        ["x"],
        ["y"],
        domain="ai.onnx.ml",
        n_targets=targets,
        aggregate_function=how,
        **grower.attributes,
        **({"base_values": base} if base else {}),
    )
    return _model(made, {"y": TensorProto.FLOAT}, features, samples), features


def _loaded(folder: Path, proto: Any) -> Any:
    path = folder / "net.onnx"
    path.write_bytes(proto.SerializeToString())
    return load_model(path)


@pytest.mark.parametrize("seed", range(12))
def test_regressor(seed: int, tmp_path: Path) -> None:
    """Every comparison, thresholds met exactly, values that are missing."""
    proto, features = _regressor(seed, how=("SUM", "AVERAGE")[seed % 2])
    graph = _loaded(tmp_path, proto).graph
    runtime = ReferenceEvaluator(proto)
    rng = np.random.default_rng(seed)
    for _ in range(20):
        x = (rng.integers(-6, 7, (1, features)) / 2).astype(np.float32)
        x[rng.random(x.shape) < 0.1] = np.nan
        made = evaluate(graph, {graph.inputs[0].tensor: x})[graph.outputs[0].tensor]
        np.testing.assert_allclose(runtime.run(None, {"x": x})[0], made, atol=1e-5)


@pytest.mark.parametrize("post", ["NONE", "SOFTMAX", "LOGISTIC"])
@pytest.mark.parametrize("classes", [2, 4])
def test_classifier(post: str, classes: int, tmp_path: Path) -> None:
    """Scores, and the label of the best one, by number or by the index of its text."""
    rng = np.random.default_rng(classes)
    grower = _Grower(rng, "class", classes, 3)
    for tree in range(3):
        grower.grow(tree, 3)
    labels: dict[str, Any] = {"classlabels_strings": [f"class {k}" for k in range(classes)]}
    made = helper.make_node(
        "TreeEnsembleClassifier",
        ["x"],
        ["l", "y"],
        domain="ai.onnx.ml",
        post_transform=post,
        **grower.attributes,
        **labels,
    )
    proto = _model(made, {"l": TensorProto.STRING, "y": TensorProto.FLOAT}, 3)
    graph = _loaded(tmp_path, proto).graph
    for _ in range(10):
        x = rng.normal(size=(1, 3)).astype(np.float32)
        label, scores = ReferenceEvaluator(proto).run(None, {"x": x})
        values = evaluate(graph, {graph.inputs[0].tensor: x})
        ours = [values[port.tensor].reshape(-1) for port in graph.outputs]
        np.testing.assert_allclose(scores.reshape(-1), ours[1], atol=1e-5)
        assert f"class {int(ours[0][0])}" == str(np.asarray(label).reshape(-1)[0])


def test_columns_of_a_vector(tmp_path: Path) -> None:
    """Labels by computed indices are a row, as ONNX's own evaluator has them."""
    nodes = [
        helper.make_node("ArgMax", ["x"], ["i"], axis=1, keepdims=0),
        helper.make_node("ArrayFeatureExtractor", ["labels", "i"], ["y"], domain="ai.onnx.ml"),
    ]
    proto = _model(nodes[0], {"y": TensorProto.FLOAT}, 4)
    proto.graph.node.append(nodes[1])
    labels = np.array([3, 5, 7, 9], np.float32)
    proto.graph.initializer.append(numpy_helper.from_array(labels, "labels"))
    graph = _loaded(tmp_path, proto).graph
    x = np.array([[0, 1, 3, 2]], np.float32)
    (want,) = ReferenceEvaluator(proto).run(None, {"x": x})
    made = evaluate(graph, {graph.inputs[0].tensor: x})[graph.outputs[0].tensor]
    assert graph.outputs[0].shape == want.shape == (1, 1)
    np.testing.assert_array_equal(made.reshape(want.shape), want)


@pytest.mark.parametrize("dtype", [DType.INT8, DType.FLOAT32])
def test_code(dtype: DType, host_gcc: str, arm_gcc: str, qemu: str, tmp_path: Path) -> None:
    """Several samples: every byte is that of the reference, and the plan is that of the ELF."""
    proto, features = _regressor(7, samples=5)
    (tmp_path / "net.onnx").write_bytes(proto.SerializeToString())
    target = load_target("cortex-m4")
    random = dtype is DType.INT8
    request = Request(tmp_path / "net.onnx", target, dtype=dtype, random_calibration=random)
    planned = pipeline.plan(request)
    subject = Subject(pipeline.generate(planned, "net"), planned.plan, planned.removal)
    (port,) = planned.integer.inputs
    kind = planned.integer.tensor(port.tensor).type
    samples = np.random.default_rng(0).normal(size=(4, 5, features)) * 2
    feeds = {port.tensor: kind.stored(samples.astype(np.float32))}
    host = prove_on_host(subject, feeds)
    assert (None, ()) == (host.mismatch, host.findings)
    core = prove_on_core(subject, feeds, core_named("cortex-m4"))
    assert (True, (), ()) == (core.equal, core.drift, core.findings)


def _split(mode: str = "BRANCH_LEQ", feature: int = 0, true: int = 1, false: int = 2) -> Split:
    return Split(mode, feature, 0.5, true, false, missing_is_true=False)


_END = Split("LEAF", 0, 0.0, 0, 0, missing_is_true=False)


@pytest.mark.parametrize(
    "tree",
    [
        [_split(true=0), _END, _END],
        [_split(true=1, false=1), _END],
        [_split(false=7), _END, _END],
        [_split(feature=3), _END, _END],
        [],
    ],
)
def test_what_is_no_tree_is_refused(tree: list[Split]) -> None:
    """A loop, a node reached twice, one that is missing, a feature that is."""
    with pytest.raises(DamagedModel):
        forest_of([tree], {(0, 1): [(0, 1.0)]}, [0.0], 3)


def test_unknown_comparisons_are_refused() -> None:
    """Sets of values have no threshold."""
    with pytest.raises(UnsupportedOp):
        forest_of([[_split("BRANCH_MEMBER"), _END, _END]], {}, [0.0], 3)
