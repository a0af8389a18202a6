# SPDX-License-Identifier: Apache-2.0
"""Support vector machines of scikit-learn: what ONNX's own evaluator makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from mcuplan.errors import McuplanError
from mcuplan.importer.onnx import load_model
from mcuplan.ir.evaluate import evaluate


def _model(op_type: str, features: int, **attributes: Any) -> Any:
    outputs = ["l", "y"] if op_type == "SVMClassifier" else ["y"]
    kinds = {"l": TensorProto.INT64, "y": TensorProto.FLOAT}
    made = helper.make_node(op_type, ["x"], outputs, domain="ai.onnx.ml", **attributes)
    graph = helper.make_graph(
        [made],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, features])],
        [helper.make_tensor_value_info(name, kinds[name], None) for name in outputs],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def _numbers(rng: np.random.Generator, *shape: int) -> list[float]:
    return [float(np.float32(v)) for v in rng.normal(size=shape).reshape(-1)]


def _agrees(folder: Path, proto: Any, rng: np.random.Generator) -> None:
    (folder / "net.onnx").write_bytes(proto.SerializeToString())
    graph = load_model(folder / "net.onnx").graph
    runtime = ReferenceEvaluator(proto)
    for _ in range(10):
        x = rng.normal(size=graph.inputs[0].shape).astype(np.float32)
        values = evaluate(graph, {graph.inputs[0].tensor: x})
        for want, port in zip(runtime.run(None, {"x": x}), graph.outputs, strict=True):
            made = values[port.tensor].reshape(-1)
            np.testing.assert_allclose(np.ravel(want), made, atol=1e-4)


@pytest.mark.parametrize("kind", ["RBF", "LINEAR"])
@pytest.mark.parametrize("one_class", [0, 1])
def test_regressor(kind: str, one_class: int, tmp_path: Path) -> None:
    """A sum, or on which side a sample lies."""
    rng = np.random.default_rng(one_class)
    proto = _model(
        "SVMRegressor",
        3,
        kernel_type=kind,
        kernel_params=[0.3, 0.0, 3.0],
        n_supports=5,
        coefficients=_numbers(rng, 5),
        support_vectors=_numbers(rng, 5, 3),
        rho=_numbers(rng, 1),
        one_class=one_class,
    )
    _agrees(tmp_path, proto, rng)


def _classifier(rng: np.random.Generator, kind: str, classes: int, **more: Any) -> Any:
    sizes = [int(n) for n in rng.integers(1, 5, classes)]
    return _model(
        "SVMClassifier",
        4,
        kernel_type=kind,
        kernel_params=[0.3, 0.0, 3.0],
        classlabels_ints=[3 * k + classes % 2 for k in range(classes)],
        vectors_per_class=sizes,
        coefficients=_numbers(rng, classes - 1, sum(sizes)),
        support_vectors=_numbers(rng, sum(sizes), 4),
        rho=_numbers(rng, classes * (classes - 1) // 2),
        **more,
    )


@pytest.mark.parametrize("kind", ["RBF", "LINEAR"])
@pytest.mark.parametrize("classes", [2, 3, 5])
def test_classifier(kind: str, classes: int, tmp_path: Path) -> None:
    """Votes of all pairs of classes, counted as whole numbers; of equal counts the first wins."""
    rng = np.random.default_rng(classes)
    _agrees(tmp_path, _classifier(rng, kind, classes), rng)


@pytest.mark.parametrize(
    "more", [{"prob_a": [1.0] * 3, "prob_b": [0.0] * 3}, {"kernel_type": "POLY"}, {"rho": [0.0]}]
)
def test_others_are_refused(more: dict[str, Any], tmp_path: Path) -> None:
    """Probabilities that are iterated, other kernels, lists that do not fit."""
    rng = np.random.default_rng(0)
    (made,) = _classifier(rng, "RBF", 3).graph.node
    given = {a.name: helper.get_attribute_value(a) for a in made.attribute}
    proto = _model("SVMClassifier", 4, **{**given, **more})
    (tmp_path / "net.onnx").write_bytes(proto.SerializeToString())
    with pytest.raises(McuplanError):
        load_model(tmp_path / "net.onnx")
