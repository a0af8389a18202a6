# SPDX-License-Identifier: Apache-2.0
"""Attention of quantized models: the model's own roundings, and no map of scores."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcuplan import passes
from mcuplan.calibrate import Data
from mcuplan.cli import run
from mcuplan.importer.onnx import load_model
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.graph import Graph
from mcuplan.ops.matmul import MatMul
from mcuplan.ops.rounded_attention import RoundedAttention
from mcuplan.passes.assign_grids import assign_grids
from mcuplan.passes.assign_types import assign_types
from mcuplan.passes.fuse_attention import attention_in_parts, fuse_attention
from mcuplan.prove.evidence import against_runtime

from .onnx_cases import model, node

R = np.random.default_rng(11)
ROWS = {"q": (1, 5, 8), "k": (1, 7, 8), "v": (1, 7, 8)}
CONSTANTS: dict[str, Any] = {
    "split": np.array([0, 0, 2, 4]),
    "join": np.array([0, 0, 8]),
    "c": np.float32(0.5),
    "m": (R.integers(0, 2, (5, 7)) * -6).astype(np.float32),
    "some": (R.integers(0, 2, (1, 2, 1, 7)) * -6).astype(np.float32),
}


class _Net:
    """Nodes, and constants of their grids."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants = dict(CONSTANTS)

    def add(self, op_type: str, inputs: str, output: str, **attributes: Any) -> str:
        self.nodes.append(node(op_type, inputs, output, **attributes))
        return output

    def rounded(self, name: str, scale: float, zero_point: int) -> str:
        """A tensor behind QuantizeLinear and DequantizeLinear."""
        self.constants[f"{name}_s"] = np.float32(scale)
        self.constants[f"{name}_z"] = np.int8(zero_point)
        self.add("QuantizeLinear", f"{name} {name}_s {name}_z", f"{name}_q")
        return self.add("DequantizeLinear", f"{name}_q {name}_s {name}_z", f"{name}_d")

    def model(self) -> Any:
        used = {name for n in self.nodes for name in n.input}
        return model(self.nodes, ROWS, {n: v for n, v in self.constants.items() if n in used})


def _net(mask: str = "", *, heads: bool = True, order: str = "Mul Add", opened: str = "") -> Any:
    """``opened``: a tensor that the model does not round."""
    net = _Net()
    q, k, v = (net.rounded(name, 0.03, z) for name, z in (("q", 4), ("k", -9), ("v", 17)))
    if heads:
        for name, perm in (("q", [0, 2, 1, 3]), ("k", [0, 2, 3, 1]), ("v", [0, 2, 1, 3])):
            net.add("Reshape", f"{name}_d split", f"{name}4")
            net.add("Transpose", f"{name}4", f"{name}h", perm=perm)
        q, k, v = "qh", "kh", "vh"
    else:
        k = net.add("Transpose", k, "kt", perm=[0, 2, 1])
    made = net.rounded(net.add("MatMul", f"{q} {k}", "s"), 0.09, 3)
    for step in order.split():
        if step == "Add" and mask:
            added = net.rounded(mask, 6 / 255, 127)
            made = net.rounded(net.add("Add", f"{made} {added}", "a"), 0.05, 40)
        elif step == "Mul":
            made = net.add("Mul", f"{made} c", "t")
            made = made if opened == "t" else net.rounded(made, 0.04, 3)
    made = net.rounded(net.add("Softmax", made, "p", axis=-1), 1 / 255, -128)
    made = net.add("MatMul", f"{made} {v}", "o" if heads else "z")
    if heads:
        net.add("Transpose", net.rounded(made, 0.02, 5), "o4", perm=[0, 2, 1, 3])
        made = net.add("Reshape", "o4 join", "z")
    net.add("Identity", net.rounded("z", 0.02, 5), "y")
    return net.model()


FUSED = {
    "plain": _net(order=""),
    "scaled": _net(),
    "masked": _net("m"),
    "masked, of each head": _net("some"),
    "one head": _net(heads=False),
    "one head, masked": _net("m", heads=False),
}
KEPT = {"scaled behind the mask": _net("m", order="Add Mul"), "half rounded": _net(opened="t")}


def _outputs(graph: Graph, codes: dict[str, Any]) -> Any:
    typed = assign_types(assign_grids(graph, {}, placeholder=True).graph)
    return evaluate(typed, {p.tensor: codes[p.name] for p in typed.inputs})[typed.outputs[0].tensor]


@pytest.mark.parametrize("name", FUSED)
def test_every_rounding_is_kept(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One step instead of three gives the integers of the three."""
    path = tmp_path / "model.onnx"
    path.write_bytes(FUSED[name].SerializeToString())
    read = load_model(path).graph
    one = passes.run(read)
    assert sum(isinstance(n.op, RoundedAttention) for n in one.nodes) == 1
    assert not any(isinstance(n.op, MatMul) for n in one.nodes)
    others = tuple(p for p in passes.PIPELINE if p is not fuse_attention)
    monkeypatch.setattr(passes, "PIPELINE", others)
    three = passes.run(read)
    assert sum(isinstance(n.op, MatMul) for n in three.nodes) == 2
    for _ in range(5):
        codes = {n: R.integers(-128, 128, s).astype(np.int8) for n, s in ROWS.items()}
        np.testing.assert_array_equal(_outputs(one, codes), _outputs(three, codes))


def test_each_layer_is_compared(tmp_path: Path) -> None:
    """Proofs hold the layers between its roundings against the runtime, none off by two."""
    path = tmp_path / "model.onnx"
    path.write_bytes(FUSED["masked"].SerializeToString())
    graph = assign_types(passes.run(load_model(path).graph))
    arrays = {n: R.normal(0, 1, (40, *s[1:])).astype(np.float32) for n, s in ROWS.items()}
    data = Data(arrays, 40)
    found = against_runtime(path, graph, data, quantized=True)
    between = {"s_q", "t_q", "a_q", "p_q"}
    divided = attention_in_parts(graph)
    assert between <= {divided.tensor_name(name) for name in found.layers}
    assert found.layer_max_lsb == 1


@pytest.mark.parametrize("name", KEPT)
def test_others_stay_as_they_are(name: str, tmp_path: Path) -> None:
    """Where not all is rounded, or in another order, there is nothing to keep it with."""
    path = tmp_path / "model.onnx"
    path.write_bytes(KEPT[name].SerializeToString())
    graph = passes.run(load_model(path).graph)
    assert not any(isinstance(n.op, RoundedAttention) for n in graph.nodes)


def test_all_the_way(host_gcc: str, arm_gcc: str, qemu: str, tmp_path: Path) -> None:
    """A masked one is planned, generated and proved on host and core."""
    path, data = tmp_path / "model.onnx", tmp_path / "data.npz"
    path.write_bytes(FUSED["masked"].SerializeToString())
    samples: Any = {n: R.normal(0, 1, (16, *s[1:])).astype(np.float32) for n, s in ROWS.items()}
    np.savez(data, **samples)
    options = ["--inputs", str(data), "-q", "--no-save"]
    assert 0 == run(["verify", str(path), "-t", "cortex-m4", *options])


@pytest.mark.parametrize("form", ["model", "model_dynamo", "model_ort_qdq"])
def test_no_map_is_held(
    form: str, test_models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A small transformer, float or quantized, has one step for each attention."""
    folder = test_models / "digits_transformer"
    digits = np.load(folder / "inputs.npz")
    samples = (digits["calib"] * digits["scale"] + digits["offset"]).astype(np.float32)
    np.savez(tmp_path / "data.npz", input=samples)
    given = [] if form == "model_ort_qdq" else ["--calibration", str(tmp_path / "data.npz")]
    whole = ["-t", "cortex-m4", "--streaming", "off"]  # rows take time and change no step
    assert 0 == run(["plan", str(folder / f"{form}.onnx"), *whole, *given])
    said = capsys.readouterr().out
    (arena,) = re.findall(r"^ plan +([\d,]+) B", said, re.MULTILINE)
    assert int(arena.replace(",", "")) <= 1280
    assert said.count(" Attention ") == 2
    assert "Softmax" not in said
