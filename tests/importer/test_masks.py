# SPDX-License-Identifier: Apache-2.0
"""What a mask hides in front of a Softmax stays hidden: infinite, huge, constant or an input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mcuplan import passes, pipeline
from mcuplan.calibrate import random_data
from mcuplan.errors import NonFiniteWeights
from mcuplan.importer import load_model
from mcuplan.ir.types import DType
from mcuplan.ops.attention import Attention
from mcuplan.prove.evidence import against_runtime
from mcuplan.prove.judge import Thresholds
from mcuplan.record import Request
from mcuplan.targets import load_target

_T = 7
_CAUSAL = np.tri(_T, dtype=bool)
_BAND = np.abs(np.subtract.outer(np.arange(_T), np.arange(_T))) < 3
_INF = np.float32(-np.inf)


def _added(seen: Any, value: Any) -> tuple[Any, dict[str, Any]]:
    mask = np.where(seen, np.float32(0), np.float32(value))
    return helper.make_node("Add", ["s", "m"], ["h"]), {"m": mask}


def _chosen(seen: Any, value: Any, *names: str) -> tuple[Any, dict[str, Any]]:
    node = helper.make_node("Where", list(names), ["h"])
    return node, {"i": np.float32(value)} | ({} if seen is None else {"c": seen})


MASKS = {
    "causal": _added(_CAUSAL, _INF),
    "band": _added(_BAND, _INF),
    "huge": _added(_BAND, -1e9),
    "where": _chosen(_CAUSAL, _INF, "c", "s", "i"),
    "where not": _chosen(~_CAUSAL, -3e38, "c", "i", "s"),
    "an input": _chosen(None, _INF, "c", "s", "i"),
    "an input, huge": _chosen(None, -1e9, "c", "s", "i"),
}


def _saved(folder: Path, mask: tuple[Any, dict[str, Any]], *, shown: bool = False) -> Path:
    node, held = mask
    rng = np.random.default_rng(0)
    held = held | {n: (rng.normal(size=(8, 8)) / 2).astype(np.float32) for n in ("q", "k", "v")}
    nodes = [
        *(helper.make_node("MatMul", ["x", name], [f"x{name}"]) for name in ("q", "k", "v")),
        helper.make_node("Transpose", ["xk"], ["kt"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["xq", "kt"], ["s"]),
        node,
        helper.make_node("Softmax", ["h"], ["p"], axis=-1),
        helper.make_node("MatMul", ["p", "xv"], ["y"]),
    ]
    value = helper.make_tensor_value_info
    inputs = [value("x", TensorProto.FLOAT, [1, _T, 8])]
    if "c" in node.input and "c" not in held:
        inputs.append(value("c", TensorProto.BOOL, [1, 1, _T]))
    outputs = [value("y", TensorProto.FLOAT, [1, _T, 8])]
    outputs += [value("h", TensorProto.FLOAT, [1, _T, _T])] if shown else []
    constants = [numpy_helper.from_array(data, name) for name, data in held.items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, constants)
    path = folder / "net.onnx"
    imports = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), path)
    return path


@pytest.mark.parametrize("dtype", [DType.INT8, DType.FLOAT32])
@pytest.mark.parametrize("name", MASKS)
def test_masks_hide(name: str, dtype: DType, tmp_path: Path) -> None:
    """Attention with each of them is that of the runtime; causal ones hold no scores at all."""
    path = _saved(tmp_path, MASKS[name])
    whole = dtype is DType.INT8
    request = Request(path, load_target("cortex-m4"), dtype=dtype, random_calibration=whole)
    planned = pipeline.plan(request)
    data = random_data(planned.model.graph.inputs)
    if len(data.inputs) > 1:
        data.inputs["c"][:, :, 0] = True  # of no keys at all, a Softmax is NaN
    limits = Thresholds(min_sqnr=25.0, good_sqnr=25.0)
    graph = planned.removal.whole
    seen = against_runtime(path, graph, data, quantized=False, limits=limits)
    assert not seen.findings
    fused = any(isinstance(node.op, Attention) for node in graph.nodes)
    assert fused == (name in ("causal", "where", "where not"))


@pytest.mark.parametrize("between", [[], ["Reshape"], ["Add"]])
def test_masks_of_channels_hide(between: list[str], tmp_path: Path) -> None:
    """A mask that a layer takes into its biases leaves a grid to the scores that are seen."""
    held = {
        "w": np.random.default_rng(0).normal(size=(8, 5)).astype(np.float32),
        "m": np.float32([0, 0, -1e9, 0, 0]),
        "s": np.int64([5, 1, 1]),
    }
    reshaped = between == ["Reshape"]
    held["s"] = held["s"] if reshaped else np.float32([[1, -1, 0, -1e9, 2]])
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["s0"]),
        helper.make_node("Add", ["s0", "m"], ["s1"]),
        *(helper.make_node(kind, ["s1", "s"], ["s2"]) for kind in between),
        helper.make_node("Softmax", ["s2" if between else "s1"], ["y"], axis=0 if reshaped else -1),
    ]
    value = helper.make_tensor_value_info
    shape = [5, 1, 1] if reshaped else [1, 5]
    ports = [value("x", TensorProto.FLOAT, [1, 8])], [value("y", TensorProto.FLOAT, shape)]
    constants = [numpy_helper.from_array(np.asarray(data), name) for name, data in held.items()]
    graph = helper.make_graph(nodes, "g", *ports, constants)
    path = tmp_path / "net.onnx"
    imports = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), path)
    request = Request(path, load_target("cortex-m4"), random_calibration=True)
    planned = pipeline.plan(request)
    data = random_data(planned.model.graph.inputs)
    limits = Thresholds(min_sqnr=25.0, good_sqnr=25.0)
    whole = planned.removal.whole
    assert not against_runtime(path, whole, data, quantized=False, limits=limits).findings


def test_what_else_reads_a_mask_is_told(tmp_path: Path) -> None:
    """Infinite values that are an output, and a row that hides all, are no mask."""
    with pytest.raises(NonFiniteWeights):
        passes.run(load_model(_saved(tmp_path, MASKS["band"], shown=True)).graph)
    with pytest.raises(NonFiniteWeights):
        passes.run(load_model(_saved(tmp_path, _added(np.eye(_T, k=1, dtype=bool), _INF))).graph)
