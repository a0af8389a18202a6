# SPDX-License-Identifier: Apache-2.0
"""A written graph is the graph that was read, for a runtime and for the importer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from nets import Net, imported, run_graph, run_onnx, worst

from mcuplan.calibrate import observe
from mcuplan.calibrate.data import Data
from mcuplan.calibrate.runtime import Runtime
from mcuplan.exporter.onnx import to_onnx
from mcuplan.importer import load_model
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.graph import Graph
from mcuplan.passes import run
from mcuplan.passes.assign_grids import assign_grids, needs_range
from mcuplan.passes.assign_types import assign_types
from mcuplan.passes.io_layout import rows_at_boundary
from mcuplan.quant.observers import MinMax


def _chain(net: Net) -> str:
    """A network with something of everything."""
    x = net.add("Relu", net.batch_norm(net.conv("x", 3, 4), 4))
    y = net.add("Add", net.conv(x, 4, 4, group=4), x)
    y = net.add("Mul", y, net.add("Sigmoid", y))
    y = net.add("MaxPool", y, kernel_shape=[2, 2], strides=[2, 2])
    y = net.add("Concat", y, net.add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2]), axis=1)
    y = net.add("Clip", net.conv(y, 8, 5, pad=0), net.const(0.0), net.const(6.0))
    y = net.add("Reshape", y, net.const([1, 5, 1], np.int64))
    y = net.add("Transpose", y, perm=[0, 2, 1])
    y = net.add("Add", net.add("MatMul", y, net.random(5, 6)), net.random(6))
    y = net.add("Gemm", net.add("Flatten", y), net.random(6, 4), net.random(4))
    return net.add("Softmax", y, axis=-1)


def _quantized(graph: Graph, samples: np.ndarray) -> Graph:
    """The graph with every activation on a grid."""
    data = Data({"x": samples}, len(samples))
    return assign_grids(graph, observe(graph, data, MinMax(), needs_range(graph))).graph


def _equal(first: Graph, second: Graph) -> None:
    """Assert that two integer programs have the same steps, grids and constants."""
    assert [node.op for node in first.nodes] == [node.op for node in second.nodes]
    for one, other in zip(first.nodes, second.nodes, strict=True):
        names = zip((*one.inputs, *one.outputs), (*other.inputs, *other.outputs), strict=True)
        for a, b in ((first.tensor(n), second.tensor(m)) for n, m in names):
            assert (a.type.shape, a.type.dtype) == (b.type.shape, b.type.dtype)
            assert a.type.q.zero_point == b.type.q.zero_point
            assert a.type.q.scale == pytest.approx(b.type.q.scale, rel=1e-6)
            assert a.data is None or (a.data == b.data).all()


def test_a_float_graph_computes_the_same_in_a_runtime(tmp_path: Path) -> None:
    """As imported and after the passes, the written model gives the original's outputs."""
    net = Net((1, 3, 6, 6))
    model, samples = net.model(_chain(net)), net.samples()
    expected = run_onnx(model, {"x": samples})
    graph = imported(model, tmp_path)
    for each in (graph, run(graph)):
        written = to_onnx(each, qdq=False)
        onnx.checker.check_model(written, full_check=True)
        assert worst(expected, run_onnx(written, {"x": samples})) < 1e-6


def test_taps_are_extra_outputs_in_order(tmp_path: Path) -> None:
    """Any tensor, inputs, outputs and twice the same one too, in its own layout."""
    net = Net((1, 3, 6, 6))
    graph = run(imported(net.model(_chain(net)), tmp_path))
    taps = [t.name for t in graph.tensors.values() if not t.is_constant]
    taps.append(taps[1])
    samples = net.samples(1)
    runtime = Runtime(to_onnx(graph, qdq=False, taps=taps).SerializeToString())
    found = runtime.run({"x": samples})[len(graph.outputs) :]
    values = evaluate(graph, {graph.inputs[0].tensor: samples}, taps)
    assert worst([values[name] for name in taps], found) < 1e-5


def test_few_transposes_are_written(tmp_path: Path) -> None:
    """Channels first from end to end: a written model has no more Transposes than read."""
    net = Net((1, 3, 6, 6))
    x = net.conv(net.add("Relu", net.conv("x", 3, 4)), 4, 4)
    x = net.add("Gemm", net.add("Flatten", x), net.random(144, 4))
    written = to_onnx(imported(net.model(x), tmp_path), qdq=False)
    assert 0 == [n.op_type for n in written.graph.node].count("Transpose")


def test_the_models_own_names_and_shapes_stay(tmp_path: Path) -> None:
    """Inputs and outputs of the written model are those of the file."""
    net = Net((1, 3, 6, 6))
    model = net.model(_chain(net))
    graph = _quantized(run(imported(model, tmp_path)), net.samples(8))
    for written in (to_onnx(graph, qdq=True), to_onnx(graph, qdq=False)):
        assert list(model.graph.input) == list(written.graph.input)
        assert [o.name for o in model.graph.output] == [o.name for o in written.graph.output]
        assert model.graph.output[0].type == written.graph.output[0].type


@pytest.mark.parametrize("name", ["#1", "%0.0", "%c0", "%%1.0", "value0"])
def test_inputs_may_be_named_like_values_of_our_own(name: str, tmp_path: Path) -> None:
    """A written model computes the same whatever its input is called."""
    net = Net((1, 3, 6, 6))
    model, samples = net.model(_chain(net)), net.samples()
    expected = run_onnx(model, {"x": samples})
    for node in model.graph.node:
        node.input[:] = [name if given == "x" else given for given in node.input]
    model.graph.input[0].name = name
    written = to_onnx(imported(model, tmp_path), qdq=False)
    assert worst(expected, run_onnx(written, {name: samples})) < 1e-6


def test_equal_graphs_are_equal_bytes(tmp_path: Path) -> None:
    """Reading and writing again gives the same bytes."""
    net = Net((1, 3, 6, 6))
    model, samples = net.model(_chain(net)), net.samples(8)
    texts = set()
    for k in range(2):
        folder = tmp_path / str(k)
        folder.mkdir()
        graph = _quantized(run(imported(model, folder)), samples)
        texts.add(to_onnx(graph, qdq=True).SerializeToString())
    assert 1 == len(texts)


def test_a_quantized_model_comes_back_as_the_same_program(tmp_path: Path) -> None:
    """Written as QDQ and read again: the same steps, integers and grids."""
    net = Net((1, 3, 6, 6))
    graph = _quantized(run(imported(net.model(_chain(net)), tmp_path)), net.samples(8))
    written = to_onnx(graph, qdq=True)
    onnx.checker.check_model(written, full_check=True)
    path = tmp_path / "net.int8.onnx"
    path.write_bytes(written.SerializeToString())
    again = run(load_model(path).graph)
    assert needs_range(again) == ()
    _equal(assign_types(graph), assign_types(assign_grids(again, {}).graph))


LAYERS = ("conv", "depthwise", "dense", "rows", "add", "mul", "average", "table", "pad")


def _layer(net: Net, name: str) -> str:
    """One layer behind the input."""
    x = "x"
    if name == "conv":
        return net.add("Relu", net.conv(x, 4, 5, strides=[2, 2]))
    if name == "depthwise":
        return net.conv(x, 4, 8, group=4)
    if name == "dense":
        return net.add("Gemm", net.add("Flatten", x), net.random(144, 7), net.random(7))
    if name == "rows":
        return net.add("MatMul", x, net.random(6, 5))
    if name in ("add", "mul"):
        return net.add(name.capitalize(), x, net.add("Transpose", x, perm=[0, 1, 3, 2]))
    if name == "average":
        return net.add("AveragePool", x, kernel_shape=[3, 3], pads=[1] * 4)
    if name == "table":
        return net.add("HardSwish", x)
    return net.add("Pad", x, net.const([0, 0, 1, 1, 0, 0, 1, 1], np.int64), net.const(0.3))


@pytest.mark.parametrize("name", LAYERS)
def test_a_runtime_computes_the_integers_of_each_layer(tmp_path: Path, name: str) -> None:
    """One layer as QDQ in ONNX Runtime and as integers: at most 1 LSB apart."""
    net = Net((1, 4, 6, 6), seed=3)
    model = net.model(_layer(net, name))
    samples = net.samples(6)
    graph = _quantized(run(imported(model, tmp_path)), samples)
    found = run_onnx(to_onnx(graph, qdq=True), {"x": samples})[0]
    program = assign_types(graph)
    source, output = (program.tensor(port[0].tensor) for port in (program.inputs, program.outputs))
    integers = evaluate(program, {source.name: source.type.q.quantize(samples)})[output.name]
    expected = output.type.q.dequantize(integers).reshape(found.shape)
    assert np.abs(expected - found).max() <= output.type.q.s * 1.01


@pytest.mark.parametrize("channels", [1, 3])
def test_ports_in_rows_are_written_as_the_model_has_them(channels: int, tmp_path: Path) -> None:
    """Where the C boundary takes rows of pixels, the ONNX file still takes the model's layout."""
    net = Net((1, channels, 6, 6))
    model, samples = net.model(net.conv("x", channels, 4)), net.samples()
    graph = rows_at_boundary(run(imported(model, tmp_path)))
    assert [type(node.op).__name__ for node in graph.nodes] == ["Conv2D"]
    assert (1, 6, 6, channels) == graph.tensor(graph.inputs[0].tensor).type.shape
    written = to_onnx(graph, qdq=False)
    assert list(model.graph.input) == list(written.graph.input)
    expected, found = (run_onnx(m, {"x": samples}) for m in (model, written))
    assert worst(expected, found) < 1e-6


def test_integer_inputs_and_outputs_keep_their_type(tmp_path: Path) -> None:
    """A model of uint8 at its boundary is written with uint8 at its boundary."""
    grid = [
        onnx.numpy_helper.from_array(np.float32(0.05), "s"),
        onnx.numpy_helper.from_array(np.uint8(120), "z"),
        onnx.numpy_helper.from_array(np.ones((3, 2, 1, 1), np.float32), "w"),
    ]
    nodes = [
        onnx.helper.make_node("DequantizeLinear", ["x", "s", "z"], ["r"]),
        onnx.helper.make_node("Conv", ["r", "w"], ["c"]),
        onnx.helper.make_node("QuantizeLinear", ["c", "s", "z"], ["y"]),
    ]
    uint8 = onnx.TensorProto.UINT8
    ports = [
        [onnx.helper.make_tensor_value_info("x", uint8, [1, 2, 4, 4])],
        [onnx.helper.make_tensor_value_info("y", uint8, [1, 3, 4, 4])],
    ]
    body = onnx.helper.make_graph(nodes, "net", *ports, grid)
    model = onnx.helper.make_model(body, opset_imports=[onnx.helper.make_opsetid("", 17)])
    model.ir_version = 8
    samples = np.random.default_rng(0).integers(0, 256, (3, 2, 4, 4), np.uint8)
    graph = run(imported(model, tmp_path))
    written = to_onnx(graph, qdq=True)
    expected, found = (run_onnx(m, {"x": samples})[0] for m in (model, written))
    assert expected.dtype == found.dtype == np.uint8
    assert (expected == found).all()


def test_without_grids_nothing_is_rounded(tmp_path: Path) -> None:
    """``qdq=False`` writes the real-valued network of a quantized model."""
    net = Net((1, 3, 6, 6))
    x = net.quantize("x", 0.5)
    model = net.model(net.quantize(net.conv(x, 3, 4), 0.5))
    graph = run(imported(model, tmp_path))
    kinds = {n.op_type for n in to_onnx(graph, qdq=False).graph.node}
    assert not {"QuantizeLinear", "DequantizeLinear"} & kinds
    samples = net.samples()
    real = run_onnx(to_onnx(graph, qdq=False), {"x": samples})
    assert worst(real, run_graph(graph, {"x": samples})) > 0.01


def test_indices_of_gather_nd_are_written_as_onnx_wants_them(tmp_path: Path) -> None:
    """Constant indices that became int32 are int64 for a runtime, which takes no others."""
    net = Net((1, 4, 6))
    places = net.const([[0, 0], [0, 2], [0, 3]], np.int64)
    path = tmp_path / "net.onnx"
    chosen = net.add("GatherND", net.add("Sigmoid", "x"), places)
    path.write_bytes(net.model(net.add("Relu", chosen)).SerializeToString())
    graph = run(load_model(path).graph)
    made = Runtime(to_onnx(graph, qdq=True).SerializeToString())
    assert (3, 6) == made.run({"x": np.zeros((1, 4, 6), np.float32)})[0].shape
