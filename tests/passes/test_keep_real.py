# SPDX-License-Identifier: Apache-2.0
"""Layers of an int8 model in float32: which, what is converted, and the proof of its C."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mcuplan import pipeline
from mcuplan.cli import run
from mcuplan.errors import McuplanError
from mcuplan.facts import InType
from mcuplan.ir.types import DType
from mcuplan.prove.verification import Wanted, verify
from mcuplan.record import Planned, Request
from mcuplan.targets import load_target


def _weights(*shape: int) -> Any:
    return (np.random.default_rng(len(shape)).normal(size=shape) / 6).astype(np.float32)


def _saved(folder: Path, *, middle: tuple[str, ...] = ("whole", "again")) -> Path:
    """Two convolutions; between them values are cast to integers and back."""
    node = helper.make_node
    inside = {
        "whole": node("Cast", ["r"], ["i"], "whole", to=TensorProto.INT32),
        "again": node("Cast", ["i"], ["f"], "again", to=TensorProto.FLOAT),
        "same": node("Identity", ["r"], ["f"], "same"),
    }
    nodes = [
        node("Conv", ["x", "w1"], ["c"], "first", pads=[1] * 4),
        node("Relu", ["c"], ["r"], "relu"),
        *(inside[name] for name in middle),
        node("Conv", ["f", "w2"], ["d"], "second", pads=[1] * 4),
        node("Transpose", ["d"], ["y"], "last", perm=[0, 2, 3, 1]),
    ]
    held = {"w1": 2 * _weights(8, 3, 3, 3), "w2": _weights(6, 8, 3, 3)}
    graph = helper.make_graph(
        nodes,
        "islands",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, 8, 6))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 8, 6, 6))],
        [numpy_helper.from_array(value, name) for name, value in held.items()],
    )
    path = folder / "net.onnx"
    imports = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), path)
    rng = np.random.default_rng(1)
    np.savez(folder / "data.npz", x=(4 * rng.normal(size=(12, 3, 8, 6))).astype(np.float32))
    return path


def _planned(path: Path, *layers: str, **asked: Any) -> Planned:
    data = path.with_name("data.npz")
    target = load_target("cortex-m4")
    return pipeline.plan(Request(path, target, calibration=data, real_layers=layers, **asked))


def _kernels(planned: Planned) -> list[str]:
    return [step.kernel.function for step in planned.plan.program.steps]


def _dtypes(planned: Planned) -> list[DType]:
    graph = planned.integer
    return [graph.tensor(p.tensor).type.dtype for p in (*graph.inputs, *graph.outputs)]


def _facts(planned: Planned) -> list[InType]:
    return [fact for fact in planned.grids.graph.notes if isinstance(fact, InType)]


def test_what_has_no_int8_form_is_converted_once(
    tmp_path: Path, host_gcc: str, arm_gcc: str, qemu: str
) -> None:
    """Two neighbours share an island; every byte is that of the reference."""
    planned = _planned(_saved(tmp_path))
    found = _kernels(planned)
    assert 1 == found.count("mplan_dequantize_f32") == found.count("mplan_quantize_f32")
    assert [InType(("whole", "again"), 2)] == _facts(planned)
    assert [DType.INT8, DType.INT8] == _dtypes(planned)
    evidence = verify(planned, planned.request, Wanted("net", samples=2))
    assert [True, True] == [run.equal_to_reference for run in evidence.verifications]
    assert [] == [f for f in evidence.findings if f.severity == "error"]


def test_a_layer_that_is_asked_for(tmp_path: Path, host_gcc: str) -> None:
    """By its name or that of its tensor; at the end of the model its values come out as floats."""
    path = _saved(tmp_path, middle=("same",))
    assert [] == _facts(_planned(path))
    for name in ("second", "d"):
        planned = _planned(path, name)
        found = _kernels(planned)
        assert "mplan_conv2d_f32" in found
        assert "mplan_quantize_f32" not in found
        assert [DType.INT8, DType.FLOAT32] == _dtypes(planned)
    evidence = verify(planned, planned.request, Wanted("net", on=("host",)))
    assert evidence.verifications[0].equal_to_reference
    first = _planned(path, "first")
    assert [DType.FLOAT32, DType.INT8] == _dtypes(first)
    assert [InType(("first",), 1)] == _facts(first)


def test_everything(tmp_path: Path) -> None:
    """In a model of float32 nothing is converted, and integers stay integers."""
    planned = _planned(_saved(tmp_path), dtype=DType.FLOAT32)
    assert not [name for name in _kernels(planned) if "quantize" in name]
    assert "mplan_truncate_f32" in _kernels(planned)
    assert [] == _facts(planned)


@pytest.mark.parametrize("name", ["nobody", ""])
def test_no_such_layer(name: str, tmp_path: Path) -> None:
    """A name that no layer has is a coded error with those that there are."""
    with pytest.raises(McuplanError) as caught:
        _planned(_saved(tmp_path), name)
    assert "usage/bad-argument" == caught.value.code
    assert "known: " in (caught.value.hint or "")


def test_a_part_of_a_layers_name(tmp_path: Path) -> None:
    """What is part of one name, in whatever case, is answered by it."""
    with pytest.raises(McuplanError) as caught:
        _planned(_saved(tmp_path), "SECO")
    assert 'did you mean "second"?' == caught.value.hint


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The report names the layers; a wrong flag is wrong usage."""
    path = _saved(tmp_path, middle=("same",))
    command = ["check", str(path), "--target", "cortex-m4", "--calibration", "random"]
    assert 0 == run([*command, "--layer-dtype", "second=float32"])
    assert "quant/float-layers" in capsys.readouterr().out
    assert 2 == run([*command, "--layer-dtype", "second=int4"])
    assert 2 == run([*command, "--layer-dtype", "third=float32"])


def test_integers_from_end_to_end(tmp_path: Path, host_gcc: str, arm_gcc: str, qemu: str) -> None:
    """A mask, a counter that is a state, and bytes: each in its own type in C."""
    node, kinds = helper.make_node, {"x": TensorProto.FLOAT, "m": TensorProto.BOOL}
    kinds |= {"n": TensorProto.INT64, "p": TensorProto.UINT8}
    nodes = [
        node("Cast", ["m"], ["f"], "mask", to=TensorProto.FLOAT),
        node("Mul", ["x", "f"], ["y"], "masked"),
        node("Add", ["n", "one"], ["next"], "counter"),
        node("Transpose", ["p"], ["q"], "moved", perm=[0, 2, 1]),
    ]
    shapes: dict[str, tuple[int, ...]] = {"x": (1, 12), "m": (1, 12), "n": (1, 1), "p": (1, 2, 3)}
    made = {"y": TensorProto.FLOAT, "next": TensorProto.INT64, "q": TensorProto.UINT8}
    graph = helper.make_graph(
        nodes,
        "types",
        [helper.make_tensor_value_info(n, kinds[n], s) for n, s in shapes.items()],
        [helper.make_tensor_value_info(n, kind, None) for n, kind in made.items()],
        [numpy_helper.from_array(np.array([[1]]), "one")],
    )
    imports = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8), tmp_path / "net.onnx")
    rng = np.random.default_rng(1)
    np.savez(
        tmp_path / "data.npz",
        x=rng.normal(size=(12, 12)).astype(np.float32),
        m=rng.random((12, 12)) < 0.5,
        p=rng.integers(0, 256, (12, 2, 3)).astype(np.uint8),
    )
    planned = _planned(tmp_path / "net.onnx", states=(("n", "next"),))
    lowered = planned.integer
    found = {
        p.name: lowered.tensor(p.tensor).type.dtype for p in (*lowered.inputs, *lowered.outputs)
    }
    assert (DType.BOOL, DType.INT64, DType.INT64) == tuple(found[n] for n in ("m", "n", "next"))
    assert (DType.UINT8, DType.UINT8) == (found["p"], found["q"])
    evidence = verify(planned, planned.request, Wanted("net", samples=3))
    assert [True, True] == [run.equal_to_reference for run in evidence.verifications]
    assert [] == [f for f in evidence.findings if f.severity == "error"]
    assert next(o for o in evidence.verifications[0].outputs if o.name == "q").sqnr_db is None
