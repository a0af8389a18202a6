# SPDX-License-Identifier: Apache-2.0
"""Models of other widths and sizes: equal to those that are built that way by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from nets import Net, imported, run_graph

from mcuplan import passes
from mcuplan.errors import UsageError
from mcuplan.exporter.onnx import to_onnx
from mcuplan.importer import load_model
from mcuplan.ir.graph import Graph
from mcuplan.passes.template import (
    Template,
    image_size,
    parse_change,
    separable_layers,
    templated,
)


def _simplified(model: onnx.ModelProto, folder: Path) -> Graph:
    return passes.run(imported(model, folder))


def _image(rows: int, columns: int, pool: str = "GlobalAveragePool") -> onnx.ModelProto:
    """A stem, a residual block of separable convolutions, a branch that is joined, and classes."""
    net = Net((1, 3, rows, columns))
    stem = net.add("Relu", net.conv("x", 3, 8, strides=[2, 2]))
    deep = net.conv(net.conv(stem, 8, 8, group=8), 8, 8, 1, 0)
    sums = net.add("Add", stem, deep)
    both = net.add("Concat", sums, net.conv(sums, 8, 8, 1, 0), axis=1)
    if pool == "AveragePool":
        kernel = [(rows + 1) // 2, (columns + 1) // 2]
        flat = net.add("Flatten", net.add(pool, both, kernel_shape=kernel))
    else:
        flat = net.add("Flatten", net.add(pool, both))
    return net.model(net.add("Gemm", flat, net.random(5, 16), net.random(5), transB=1))


def _narrow_by_hand(model: onnx.ModelProto, factor: int) -> onnx.ModelProto:
    """The same network with the first channels of each layer between input and classes."""
    made, values = onnx.ModelProto(), {}
    made.CopyFrom(model)
    for tensor in made.graph.initializer:
        values[tensor.name] = onnx.numpy_helper.to_array(tensor)
    joined = np.r_[0 : 8 // factor, 8 : 8 + 8 // factor]
    for node in made.graph.node:
        if node.op_type == "Conv":
            weights, bias = values[node.input[1]], values[node.input[2]]
            count, channels = len(weights) // factor, weights.shape[1]
            depthwise = channels == 1
            kept = weights[:count, : channels if channels in (1, 3) else channels // factor]
            values[node.input[1]], values[node.input[2]] = kept, bias[:count]
            if depthwise:
                next(a for a in node.attribute if a.name == "group").i = count
        if node.op_type == "Gemm":
            values[node.input[1]] = values[node.input[1]][:, joined]
    del made.graph.initializer[:], made.graph.value_info[:]
    tensors = [onnx.numpy_helper.from_array(v, name) for name, v in values.items()]
    made.graph.initializer.extend(tensors)
    return made


def test_a_narrower_model_is_that_with_fewer_channels(tmp_path: Path) -> None:
    """Operands of an Add, depthwise filters and parts of a Concat lose the same channels."""
    model = _image(16, 12)
    found = templated(_simplified(model, tmp_path), Template(width=0.5))
    wanted = imported(_narrow_by_hand(model, 2), tmp_path)
    samples = {"x": Net((1, 3, 16, 12), seed=7).samples()}
    np.testing.assert_allclose(
        run_graph(found, samples)[0], run_graph(wanted, samples)[0], rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("pool", ["GlobalAveragePool", "AveragePool", "GlobalMaxPool"])
def test_an_image_of_another_size_goes_through_the_same_layers(pool: str, tmp_path: Path) -> None:
    """Shapes are inferred anew; a pool over the whole map stays one, however it is stated."""
    graph = _simplified(_image(16, 12, pool), tmp_path)
    found = templated(graph, Template(size=(10, 20)))
    wanted = imported(_image(10, 20, pool), tmp_path)
    samples = {"x": Net((1, 3, 10, 20), seed=3).samples()}
    np.testing.assert_allclose(
        run_graph(found, samples)[0], run_graph(wanted, samples)[0], rtol=1e-4, atol=1e-4
    )
    assert (16, 12, 2) == image_size(graph)


@hypothesis_settings(max_examples=25, deadline=None)
@given(
    width=st.sampled_from([0.1, 0.25, 0.5, 0.7, 1.0, 1.5, 2.0]),
    size=st.one_of(st.none(), st.tuples(st.integers(1, 40), st.integers(1, 40))),
)
def test_a_template_is_a_model_that_can_be_written_and_read(
    width: float, size: tuple[int, int] | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever is asked for: shapes are consistent, and the file has the same ones."""
    folder = tmp_path_factory.mktemp("net")
    found = templated(_simplified(_image(16, 12), folder), Template(width, size))
    path = folder / "made.onnx"
    path.write_bytes(to_onnx(found, qdq=False).SerializeToString())
    again = passes.run(load_model(path).graph)
    assert [p.shape for p in found.inputs] == [p.shape for p in again.inputs]
    assert _layers(found) == _layers(again)


def _layers(graph: Graph) -> list[tuple[str, tuple[int, ...]]]:
    """Layers with weights: what they are called, and what shape they make."""
    layers = (node for node in graph.nodes if node.op.weight_inputs)
    return sorted((node.op.label, graph.tensor(node.output).type.shape) for node in layers)


def test_a_dense_layer_of_all_pixels_has_a_weight_for_each(tmp_path: Path) -> None:
    """Behind a Flatten of a map, weights are cut or repeated; those of one pixel stay together."""
    net = Net((1, 1, 6, 6))
    flat = net.add("Flatten", net.conv("x", 1, 8))
    model = net.model(net.add("Gemm", flat, net.random(3, 288), net.random(3), transB=1))
    graph = _simplified(model, tmp_path)
    for template, inputs in ((Template(0.5), 144), (Template(size=(3, 9)), 216)):
        made = templated(graph, template)
        dense = next(node for node in made.nodes if type(node.op).__name__ == "Dense")
        assert (3, inputs) == made.tensor(dense.inputs[1]).type.shape


def test_a_convolution_becomes_a_depthwise_one_and_one_of_1x1(tmp_path: Path) -> None:
    """Of its shape and stride, with fewer weights; others are named or refused."""
    net = Net((1, 4, 8, 8))
    model = net.model(net.conv(net.conv("x", 4, 8, strides=[2, 2]), 8, 6, 1, 0))
    graph = _simplified(model, tmp_path)
    (name,) = separable_layers(graph)
    made = templated(graph, Template(separable=(name,)))
    assert [p.shape for p in graph.outputs] == [p.shape for p in made.outputs]
    labels = [node.op.label for node in made.nodes if node.op.weight_inputs]
    assert ["DwConv 3x3 s2", "Conv 1x1", "Conv 1x1"] == labels
    with pytest.raises(UsageError, match="separable"):
        templated(graph, Template(separable=("nobody",)))


def _sequence() -> onnx.ModelProto:
    net = Net((1, 6, 4))
    return net.model(net.add("Relu", net.add("MatMul", "x", net.random(4, 3))))


def _shuffled() -> onnx.ModelProto:
    """Channels of groups are interleaved, as no pass follows channel by channel."""
    net = Net((1, 3, 8, 8))
    x = net.conv("x", 3, 8)
    x = net.add("Reshape", x, net.const([1, 2, 4, 8, 8], np.int64))
    x = net.add("Transpose", x, perm=[0, 2, 1, 3, 4])
    x = net.add("Reshape", x, net.const([1, 8, 8, 8], np.int64))
    return net.model(net.conv(x, 8, 2, 1, 0))


@pytest.mark.parametrize(
    ("model", "template"),
    [
        (_sequence(), Template(0.5)),
        (_sequence(), Template(size=(3, 3))),
        (_shuffled(), Template(0.5)),
    ],
)
def test_what_has_no_such_form_is_refused(
    model: onnx.ModelProto, template: Template, tmp_path: Path
) -> None:
    """An error with a code and a way out, where channels or sizes are not understood."""
    graph = _simplified(model, tmp_path)
    with pytest.raises(UsageError) as caught:
        templated(graph, template)
    assert caught.value.hint


def test_a_window_that_does_not_fit_the_smaller_image_is_refused(tmp_path: Path) -> None:
    """The layer is named."""
    net = Net((1, 1, 16, 16))
    graph = _simplified(net.model(net.conv("x", 1, 2, 7, 0)), tmp_path)
    with pytest.raises(UsageError) as caught:
        templated(graph, Template(size=(5, 5)))
    assert "conv" in caught.value.where


def test_quantized_models_keep_their_grids(tmp_path: Path) -> None:
    """A scale for each channel that is left, and every activation still rounded."""
    net = Net((1, 3, 8, 8))
    x = net.quantize("x")
    weights = net.rng.integers(-127, 128, (8, 3, 3, 3))
    scales = net.const(0.01 + net.rng.random(8))
    w = net.add(
        "DequantizeLinear", net.const(weights, np.int8), scales, net.const([0] * 8, np.int8), axis=0
    )
    x = net.quantize(net.add("Conv", x, w, pads=[1] * 4))
    flat = net.add("Flatten", net.quantize(net.add("GlobalAveragePool", x)))
    last = net.add("DequantizeLinear", net.const(np.ones((8, 2)), np.int8), net.const(0.1))
    model = net.model(net.quantize(net.add("MatMul", flat, last)))
    graph = _simplified(model, tmp_path)
    made = templated(graph, Template(0.5))
    conv = next(node for node in made.nodes if type(node.op).__name__ == "Conv2D")
    stored = made.tensor(conv.inputs[1]).stored
    assert stored is not None
    assert ((4, 3, 3, 3), 4) == (stored.values.shape, len(stored.quant.scale))
    for node in made.nodes:
        assert (made.tensor(node.output).type.quant is None) == (
            graph.tensor(node.output).type.quant is None
        )


@pytest.mark.parametrize(
    "text",
    [
        "width=0",
        "width=nan",
        "width=x",
        "width=99",
        "input=0",
        "input=3x",
        "input=1x2x3",
        "separable=",
        "height=3",
        "input=99999999",
        "",
    ],
)
def test_changes_that_are_none_are_refused(text: str) -> None:
    """A message that says what can be written."""
    with pytest.raises(ValueError, match="write width"):
        parse_change(text)


def test_changes_are_read_as_they_are_written() -> None:
    """What a template says it is made of makes the same template."""
    texts = ("separable=a", "width=0.25", "input=96x64")
    assert texts == Template.of([parse_change(text) for text in texts]).changes
    assert ("input=32",) == Template.of([("input", "32x32")]).changes
    with pytest.raises(UsageError):
        Template.of([("width", "0.5"), ("width", "0.25")])


def test_a_mean_by_rows_and_then_columns_is_that_of_the_new_map(tmp_path: Path) -> None:
    """A window over all columns at once, or all rows, is one of the map that there is now."""
    model = _pooled_by_axes(8)
    found = templated(_simplified(model, tmp_path), Template(size=(12, 6)))
    samples = {"x": Net((1, 3, 12, 6), seed=7).samples()}
    wanted = run_graph(imported(_pooled_by_axes(12, 6), tmp_path), samples)[0]
    np.testing.assert_allclose(run_graph(found, samples)[0], wanted, rtol=1e-5, atol=1e-5)


def _pooled_by_axes(rows: int, columns: int = 8) -> onnx.ModelProto:
    net = Net((1, 3, rows, columns))
    maps = net.add("Relu", net.conv("x", 3, 4))
    lines = net.add("AveragePool", maps, kernel_shape=[1, columns], strides=[1, columns])
    flat = net.add("Flatten", net.add("AveragePool", lines, kernel_shape=[rows, 1]))
    return net.model(net.add("Gemm", flat, net.random(5, 4), net.random(5), transB=1))
