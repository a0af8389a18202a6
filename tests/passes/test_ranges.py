# SPDX-License-Identifier: Apache-2.0
"""Limits of the graph and of inputs are ends of grids; the rest is observed and widened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcuplan.errors import UsageError
from mcuplan.facts import SamplesCut
from mcuplan.importer import load_model
from mcuplan.ir.graph import Graph
from mcuplan.ir.types import Quant
from mcuplan.ops.unary import Lookup
from mcuplan.passes import run
from mcuplan.passes.assign_grids import assign_grids, needs_range
from mcuplan.pipeline import generate, plan
from mcuplan.quant.observers import quant_of_range
from mcuplan.quant.requantize import act_limits
from mcuplan.record import Request
from mcuplan.targets import load_target
from tests.importer.onnx_files import model, node, save, value
from tests.ops.cases import all_examples

HEADROOM = 1.1


def _conv_and(op: str, folder: Path, *more: str, **attributes: object) -> Path:
    weights = np.random.default_rng(0).normal(size=(4, 3, 1, 1)).astype(np.float32)
    nodes = [node("Conv", ["x", "w"], ["a"]), node(op, ["a", *more], ["y"], **attributes)]
    constants = {"w": weights, "low": np.float32(0.0), "high": np.float32(6.0)}
    constants |= {"under": np.float32(-1.5), "far": np.float32(500.0)}
    used = {name: data for name, data in constants.items() if name in ("w", *more)}
    return save(folder, model(nodes, [value("x", [1, 3, 4, 5])], [value("y", None)], used))


def _grids(path: Path, low: float, high: float) -> tuple[Graph, Quant, Quant]:
    """Graph, and the grids of input and output; every tensor was observed from low to high."""
    graph = run(load_model(path).graph)
    seen = dict.fromkeys(needs_range(graph), (low, high))
    made = assign_grids(graph, seen, headroom=HEADROOM).graph
    ends = made.inputs[0].tensor, made.outputs[0].tensor
    return made, made.tensor(ends[0]).type.q, made.tensor(ends[1]).type.q


@pytest.mark.parametrize(
    ("op", "more", "low", "high"),
    [
        ("Clip", ("low", "high"), 0.0, 6.0),
        ("Clip", ("under", "high"), -1.5, 6.0),
        ("Sigmoid", (), 0.0, 1.0),
        ("HardSigmoid", (), 0.0, 1.0),
        ("Tanh", (), -1.0, 1.0),
        ("Softsign", (), -1.0, 1.0),
        ("HardSwish", (), -0.375, 4.0 * HEADROOM),
        ("Elu", (), -1.0, 4.0 * HEADROOM),
        ("Relu", (), 0.0, 4.0 * HEADROOM),
        ("Clip", ("under", "far"), -1.5, 4.0 * HEADROOM),
        ("Identity", (), -4.0 * HEADROOM, 4.0 * HEADROOM),
    ],
)
def test_a_limit_is_the_end_of_the_grid(
    op: str, more: tuple[str, ...], low: float, high: float, tmp_path: Path
) -> None:
    """Headroom widens only what nothing bounds; inputs keep the range that was seen."""
    _, source, output = _grids(_conv_and(op, tmp_path, *more), -4.0, 4.0)
    assert output.s == pytest.approx((high - low) / 255, rel=1e-6)
    assert source.s == pytest.approx(8.0 / 255, rel=1e-6)


@pytest.mark.parametrize(
    ("width", "factor"), [(1, 1.2), (32, 1.2), (64, 1.1), (640, 1.01), (8192, 1.00078125)]
)
def test_ranges_of_few_values_are_widened_more(width: int, factor: float, tmp_path: Path) -> None:
    """Without a headroom of its own a tensor gets one by how many values a sample has of it."""
    shape, net = [1, width], [node("Softplus", ["x"], ["y"])]
    path = save(tmp_path, model(net, [value("x", shape)], [value("y", None)]))
    graph = run(load_model(path).graph)
    seen = dict.fromkeys(needs_range(graph), (-4.0, 4.0))
    made = assign_grids(graph, seen, headroom=None).graph
    assert made.tensor(made.outputs[0].tensor).type.q.s == pytest.approx(8.0 * factor / 255)
    assert made.tensor(made.inputs[0].tensor).type.q.s == pytest.approx(8.0 / 255)


def test_a_clamp_to_the_grid_costs_no_pass(tmp_path: Path) -> None:
    """The limits of a fused Clip are those of int8."""
    graph, _, output = _grids(_conv_and("Clip", tmp_path, "low", "high"), -4.0, 4.0)
    (conv,) = (n for n in graph.nodes if n.op.fuses_activation)
    assert conv.op.act == (0.0, 6.0)
    assert act_limits(output, conv.op.act) == (-128, 127)


@pytest.mark.parametrize("seed", range(8))
def test_any_clamp_is_that_of_int8(seed: int) -> None:
    """Both ends of a range of limits round to ends of the grid, halfway cases too."""
    rng = np.random.default_rng(seed)
    ends = rng.uniform(-20, 20, (4000, 2)).astype(np.float32)
    ends[::2] = np.rint(ends[::2] * 10) / 2
    for low, high in np.sort(ends, axis=1).astype(float).tolist():
        if low <= 0.0 < high:
            found = quant_of_range((low, high), limits=True)
            assert act_limits(found, (low, high)) == (-128, 127)


def test_what_is_observed_far_inside_of_a_limit_keeps_its_resolution(tmp_path: Path) -> None:
    """A limit more than one bit away is no end of the grid."""
    _, _, output = _grids(_conv_and("Clip", tmp_path, "low", "high"), 0.0, 1.0)
    assert output.s == pytest.approx(HEADROOM / 255, rel=1e-6)


def test_no_function_leaves_its_limits() -> None:
    """Every function of one value, over a wide range and a narrow one."""
    rng = np.random.default_rng(5)
    examples = [e.op for _, e in all_examples() if isinstance(e.op, Lookup)]
    assert len(examples) > 25
    for op in examples:
        for low, high in ((-30.0, 30.0), (-1.0, 0.5), (0.25, 3.0)):
            x = np.concatenate([np.linspace(low, high, 20001), rng.uniform(low, high, 5000)])
            made = op.value(x)
            made = made[np.isfinite(made)]
            least, most = op.limits([(low, high)])
            slack = 1e-6 * max(1.0, float(np.abs(made).max(initial=0.0)))
            assert made.min(initial=np.inf) >= least - slack, op.label
            assert made.max(initial=-np.inf) <= most + slack, op.label


def _request(path: Path, **more: object) -> Request:
    return Request(path, load_target("cortex-m4"), random_calibration=True, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["x", ""])
def test_a_stated_range_is_the_grid_of_the_input(name: str, tmp_path: Path) -> None:
    """Pixels from 0 to 255: scale 1, and the integer is the pixel less 128."""
    path = _conv_and("Relu", tmp_path)
    planned = plan(_request(path, input_ranges={name: (0.0, 255.0)}))
    source = planned.lowered.inputs[0].tensor
    assert planned.lowered.tensor(source).type.q == Quant.per_tensor(1.0, -128)
    header = generate(planned, "net").files
    text = "\n".join(str(part) for path, part in header.items() if str(path).endswith("net.h"))
    assert "input-range" in text
    assert "0:255" in text


def test_a_range_of_no_input_is_refused(tmp_path: Path) -> None:
    """The names there are; and a range of an input whose grid the model gives."""
    path = _conv_and("Relu", tmp_path)
    with pytest.raises(UsageError, match="no input named 'y'") as caught:
        plan(_request(path, input_ranges={"y": (0.0, 1.0)}))
    assert "x" in caught.value.hint
    constants = {"s": np.float32(0.1), "z": np.int8(0)}
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        node("Relu", ["d"], ["y"]),
    ]
    given = save(tmp_path, model(nodes, [value("x", [1, 4])], [value("y", None)], constants))
    with pytest.raises(UsageError, match="grid"):
        plan(_request(given, input_ranges={"x": (0.0, 1.0)}))


def test_samples_beyond_a_stated_range_are_said(tmp_path: Path) -> None:
    """They are cut as the device cuts them, and a note says so."""
    path = _conv_and("Relu", tmp_path)
    data = tmp_path / "data.npz"
    np.savez(data, x=np.linspace(-3, 3, 120, dtype=np.float32).reshape(2, 3, 4, 5))
    request = Request(path, load_target("cortex-m4"), calibration=data)
    free = plan(request)
    cut = plan(replace(request, input_ranges={"x": (0.0, 1.0)}))
    assert SamplesCut("x", (-3.0, 3.0), (0.0, 1.0)) in cut.notes
    assert not any(isinstance(note, SamplesCut) for note in free.notes)
    scales = [p.lowered.tensor(p.lowered.inputs[0].tensor).type.q.s for p in (free, cut)]
    assert scales == pytest.approx([6 / 255, 1 / 255], rel=1e-6)
