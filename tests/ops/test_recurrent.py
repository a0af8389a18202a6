# SPDX-License-Identifier: Apache-2.0
"""LSTM, GRU and RNN: readers against ONNX Runtime, integers against floats, C code against both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import numpy_helper

from mcuplan import pipeline
from mcuplan.backends.dsp._recurrent import RECURRENT
from mcuplan.calibrate import read_data
from mcuplan.cli import run
from mcuplan.errors import McuplanError, ScaleError
from mcuplan.importer.onnx import load_model
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.types import DType
from mcuplan.ops._integer_cells import TANH
from mcuplan.ops.recurrent import LastState, Recurrent
from mcuplan.passes import run as simplified
from mcuplan.prove.boundary import boundary_inputs
from mcuplan.prove.proofs import Subject, prove_on_host
from mcuplan.record import Planned, Request
from mcuplan.targets import load_target

from .onnx_cases import agrees, kinds, model, node

STEPS, SIZE, HIDDEN = 7, 5, 6
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def _cell(
    kind: str,
    outputs: str,
    *,
    batch: int = 1,
    first: bool = False,
    lens: list[int] | None = None,
    peepholes: bool = False,
    steps: int = STEPS,
    **attributes: Any,
) -> Any:
    """A model of one node; ``first``: the first states are constants."""
    rng = np.random.default_rng(3)
    count = 2 if attributes.get("direction") == "bidirectional" else 1
    rows = GATES[kind] * HIDDEN
    made = {
        "w": rng.normal(0, 0.6, (count, rows, SIZE)),
        "r": rng.normal(0, 0.6, (count, rows, HIDDEN)),
        "b": rng.normal(0, 0.3, (count, 2 * rows)),
        "h": rng.uniform(-0.9, 0.9, (count, batch, HIDDEN)),
        "c": rng.uniform(-0.9, 0.9, (count, batch, HIDDEN)),
        "p": rng.normal(0, 0.3, (count, 3 * HIDDEN)),
    }
    constants: dict[str, Any] = {name: array.astype(np.float32) for name, array in made.items()}
    inputs = ["x", "w", "r", "b", "n" if lens else "-", "h" if first else "-"]
    if kind == "LSTM":
        inputs += ["c" if first else "-", "p" if peepholes else "-"]
    if lens:
        constants["n"] = np.array(lens, np.int32)
    made_here = " ".join(name if name == "-" else f"{name}_" for name in outputs.split())
    named = [name for name in outputs.split() if name != "-"]
    nodes = [node("Squeeze", "f axis", "x")]
    nodes.append(node(kind, " ".join(inputs), made_here, hidden_size=HIDDEN, **attributes))
    nodes[-1].output[:] = [name if name != "-" else "" for name in nodes[-1].output]
    nodes += [node("Unsqueeze", f"{name}_ axis", name) for name in named]
    used = {name: array for name, array in constants.items() if name in inputs}
    used["axis"] = np.array([0], np.int64)
    return model(nodes, {"f": (1, steps, batch, SIZE)}, used, outputs=" ".join(named))


CASES: dict[str, Any] = {
    "lstm": _cell("LSTM", "y yh yc", first=True),
    "lstm of a batch": _cell("LSTM", "y yh yc", batch=3, lens=[7, 3, 5], direction="reverse"),
    "peepholes": _cell("LSTM", "y", peepholes=True, direction="bidirectional"),
    "coupled": _cell("LSTM", "- yh", input_forget=1, clip=0.4),
    "other functions": _cell(
        "LSTM",
        "y",
        activations=["HardSigmoid", "Softsign", "ScaledTanh"],
        activation_alpha=[0.3, 1.2],
        activation_beta=[0.4, 0.8],
    ),
    "gru": _cell("GRU", "y yh", first=True, linear_before_reset=1),
    "gru that resets first": _cell("GRU", "y yh", batch=2, direction="bidirectional", clip=0.9),
    "short gru": _cell("GRU", "y", batch=2, lens=[4, 6], linear_before_reset=1),
    "rnn": _cell("RNN", "y yh", direction="bidirectional", first=True),
    "rnn of reals": _cell("RNN", "- yh", activations=["Elu"], activation_alpha=[0.7]),
    "one step": _cell("LSTM", "y yh yc", steps=1, first=True),
}

INTEGER = [name for name in CASES if name not in ("other functions", "rnn of reals")]


@pytest.mark.parametrize("name", CASES)
def test_readers(name: str, tmp_path: Path) -> None:
    """What is read, and what is written again, computes what ONNX Runtime does."""
    agrees(tmp_path, CASES[name], low=-1.5, high=1.5)


def _planned(folder: Path, proto: Any, dtype: DType) -> Planned:
    path, data = folder / "model.onnx", folder / "data.npz"
    path.write_bytes(proto.SerializeToString())
    shape = [d.dim_value for d in proto.graph.input[0].type.tensor_type.shape.dim]
    rng = np.random.default_rng(7)
    np.savez(data, f=rng.uniform(-2, 2, (8, *shape[1:])).astype(np.float32))
    target = load_target("cortex-m4")
    return pipeline.plan(Request(path, target, calibration=data, dtype=dtype))


def _proved(folder: Path, planned: Planned) -> None:
    """Assert that C code gives the bytes of the reference."""
    graph = planned.integer
    data = read_data(next(folder.glob("*.npz")), graph.inputs)
    subject = Subject(pipeline.generate(planned, "net"), planned.plan, planned.removal)
    proof = prove_on_host(subject, boundary_inputs(graph, data))
    assert (None, ()) == (proof.mismatch, proof.findings)


def _decibels(folder: Path, planned: Planned) -> float:
    """The least signal to noise of an output against the float graph in double."""
    graph, floating = planned.integer, planned.floating
    ours = evaluate(graph, boundary_inputs(graph, read_data(folder / "data.npz", graph.inputs)))
    samples = np.load(folder / "data.npz")["f"]
    name = floating.inputs[0].tensor
    wide = samples.reshape(len(samples), *floating.tensor(name).type.shape[1:])
    real = evaluate(floating, {name: wide})
    found = []
    for mine, port in zip(graph.outputs, floating.outputs, strict=True):
        kind, exact = graph.tensor(mine.tensor).type, real[port.tensor].astype(np.float64)
        off = kind.real(ours[mine.tensor]).reshape(exact.shape) - exact
        found.append(10 * np.log10(np.square(exact).sum() / max(np.square(off).sum(), 1e-30)))
    return float(min(found))


@pytest.mark.parametrize("name", INTEGER)
def test_integers(name: str, tmp_path: Path) -> None:
    """Integers are the float cell to what int8 can say."""
    planned = _planned(tmp_path, CASES[name], DType.INT8)
    made = [n for n in planned.integer.nodes if isinstance(n.op, Recurrent)]
    assert all(planned.integer.tensor(n.output).type.dtype is not DType.FLOAT32 for n in made)
    assert _decibels(tmp_path, planned) > 30


@pytest.mark.parametrize("dtype", [DType.INT8, DType.FLOAT32])
@pytest.mark.parametrize("name", ["lstm of a batch", "gru that resets first", "rnn", "short gru"])
def test_code(name: str, dtype: DType, tmp_path: Path, host_gcc: str) -> None:
    """C code gives every bit of the integers, and of the float32 meaning."""
    _proved(tmp_path, _planned(tmp_path, CASES[name], dtype))


@pytest.mark.parametrize("name", ["peepholes", "coupled"])
def test_code_of_int8(name: str, tmp_path: Path, host_gcc: str) -> None:
    """The same where an LSTM has more than gates."""
    _proved(tmp_path, _planned(tmp_path, CASES[name], DType.INT8))


@pytest.mark.parametrize("name", ["peepholes", "other functions", "rnn of reals"])
def test_code_of_float32(name: str, tmp_path: Path, host_gcc: str) -> None:
    """And where functions are those of reals alone."""
    _proved(tmp_path, _planned(tmp_path, CASES[name], DType.FLOAT32))


def test_the_table_of_tanh() -> None:
    """A line between entries is at most 4 units of 2**-15 off tanh, over all arguments."""
    q = np.arange(-32767, 32768)
    at, part = (q >> 7) + 256, q & 127
    found = TANH[at] + ((TANH[at + 1] - TANH[at]) * part + 64 >> 7)
    assert np.abs(found - np.tanh(q / 4096) * 32768).max() < 4


def test_two_layers_by_rows(tmp_path: Path, host_gcc: str) -> None:
    """Of two cells in a row whose end alone is read, no sequence is held."""
    rng = np.random.default_rng(5)

    def weights(size: int) -> list[Any]:
        shapes = [(1, 24, size), (1, 24, 8), (1, 48)]
        return [rng.normal(0, 0.5, shape).astype(np.float32) for shape in shapes]

    names = ["w", "r", "b", "w2", "r2", "b2"]
    constants = dict(zip(names, weights(40) + weights(8), strict=True))
    constants |= {"d": np.array([1], np.int64), "last": np.array(-1, np.int64)}
    nodes = [
        node("GRU", "x w r b", "a", hidden_size=8, linear_before_reset=1),
        node("Squeeze", "a d", "s"),
        node("GRU", "s w2 r2 b2", "e", hidden_size=8, linear_before_reset=1),
        node("Squeeze", "e d", "t"),
        node("Gather", "t last", axis=0),
    ]
    nodes.insert(0, node("Transpose", "f", "x", perm=[1, 0, 2]))
    proto = model(nodes, {"f": (1, 30, 40)}, constants)
    path, data = tmp_path / "model.onnx", tmp_path / "data.npz"
    path.write_bytes(proto.SerializeToString())
    np.savez(data, f=rng.uniform(-1, 1, (4, 30, 40)).astype(np.float32))
    request = Request(path, load_target("cortex-m4"), calibration=data, streaming="input")
    planned = pipeline.plan(request)
    assert ["PackState", "Recurrent", "PackState", "LastState", "StatePart"] == kinds(
        planned.floating
    )
    assert planned.plan.arena_bytes < 250  # of 1,200 that the input has
    _proved(tmp_path, planned)


def test_one_node_gives_outputs_and_states(tmp_path: Path) -> None:
    """A cell of which both are read runs once; of one step outputs are part of the state."""
    for name, wanted in [("lstm", [Recurrent]), ("one step", [LastState])]:
        (tmp_path / "model.onnx").write_bytes(CASES[name].SerializeToString())
        graph = simplified(load_model(tmp_path / "model.onnx").graph)
        cells = [type(n.op) for n in graph.nodes if isinstance(n.op, Recurrent)]
        assert wanted == cells


REFUSED = {
    "functions": _cell("RNN", "y", activations=["Tan"]),
    "count of functions": _cell("LSTM", "y", activations=["Tanh"]),
    "lengths": _cell("GRU", "y", lens=[9]),
    "direction": _cell("GRU", "y", direction="sideways"),
    "size": _cell("GRU", "y"),
}
REFUSED["size"].graph.node[1].attribute[0].i = 9


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str, tmp_path: Path) -> None:
    """What is damaged or not there is refused by the name of its node."""
    (tmp_path / "model.onnx").write_bytes(REFUSED[name].SerializeToString())
    with pytest.raises(McuplanError) as refused:
        load_model(tmp_path / "model.onnx")
    assert "_y" in refused.value.where


def test_sums_that_leave_32_bits(tmp_path: Path) -> None:
    """Sums of x, of h and a bias that fit 32 bits each, but not together, are refused."""
    proto = _cell("LSTM", "y")
    for tensor in proto.graph.initializer:
        times = {"w": 3e4, "r": 3e4, "b": 3e5}.get(tensor.name, 1.0)
        large = numpy_helper.to_array(tensor) * times
        if times != 1.0:
            tensor.CopyFrom(numpy_helper.from_array(large.astype(np.float32), tensor.name))
    with pytest.raises(ScaleError, match="32 bits"):
        _planned(tmp_path, proto, DType.INT8)


def test_on_the_emulator(tmp_path: Path, host_gcc: str, arm_gcc: str, qemu: str) -> None:
    """Int8 and float32 cells are proved on a core from the command line."""
    _planned(tmp_path, CASES["gru"], DType.INT8)
    path, data = str(tmp_path / "model.onnx"), str(tmp_path / "data.npz")
    given = ["-t", "cortex-m4", "--calibration", data, "--inputs", data, "--samples", "2"]
    for dtype in ("int8", "float32"):
        asked = given if dtype == "int8" else [given[0], given[1], *given[4:], "--dtype", dtype]
        assert 0 == run(["verify", path, *asked, "-q", "--no-save"])


@pytest.mark.parametrize("name", ["lstm of a batch", "peepholes", "rnn"])
def test_fast_kernels(name: str, tmp_path: Path, host_gcc: str, arm_gcc: str, qemu: str) -> None:
    """Kernels of the DSP instructions give the bytes of the reference."""
    planned = _planned(tmp_path, CASES[name], DType.INT8)
    made = [s for s in planned.plan.program.steps if isinstance(s.node.op, Recurrent)]
    assert all(RECURRENT[0].supports(step.signature) for step in made)
    path, data = str(tmp_path / "model.onnx"), str(tmp_path / "data.npz")
    given = ["-t", "cortex-m4", "--calibration", data, "--inputs", data, "--samples", "2"]
    assert 0 == run(["verify", path, *given, "--on", "emulator", "-q", "--no-save"])


def test_states_go_on_as_the_cell_has_them(tmp_path: Path, host_gcc: str) -> None:
    """States that names tell of have 16 bits from frame to frame, and sequences are proved."""
    rng = np.random.default_rng(9)
    shapes = {"w": (1, 24, SIZE), "r": (1, 24, HIDDEN), "b": (1, 48)}
    constants = {n: rng.normal(0, 0.5, s).astype(np.float32) for n, s in shapes.items()}
    constants["axis"] = np.array([0], np.int64)
    nodes = [
        node("Unsqueeze", "f axis", "x"),
        node("LSTM", "x w r b - h c", "y4 hn cn", hidden_size=HIDDEN),
        node("Squeeze", "y4 axis", "y"),
    ]
    state = (1, 1, HIDDEN)
    inputs = {"f": (1, SIZE), "h": state, "c": state}
    proto = model(nodes, inputs, constants, outputs="y hn cn")
    path, data = tmp_path / "model.onnx", tmp_path / "data.npz"
    path.write_bytes(proto.SerializeToString())
    np.savez(data, f=rng.uniform(-2, 2, (12, SIZE)).astype(np.float32))
    planned = pipeline.plan(Request(path, load_target("cortex-m4"), calibration=data))
    kinds_of = [planned.integer.tensor(s.read.tensor).type for s in planned.integer.states]
    assert [DType.INT16, DType.INT16] == [kind.dtype for kind in kinds_of]
    graph = planned.integer
    read = read_data(data, graph.app_inputs)
    subject = Subject(pipeline.generate(planned, "net"), planned.plan, planned.removal)
    proof = prove_on_host(subject, boundary_inputs(graph, read))
    assert (12, None, ()) == (proof.samples, proof.mismatch, proof.findings)
