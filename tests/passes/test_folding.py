# SPDX-License-Identifier: Apache-2.0
"""Batch norms, activations and tables are folded where that is exact, and only there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from nets import Net, ops, rewritten

from mcuplan.ir.graph import Graph
from mcuplan.ops.conv2d import Conv2D
from mcuplan.passes.assign_grids import needs_range


def convs(graph: Graph) -> list[Conv2D]:
    """The convolutions of a graph, in order."""
    return [node.op for node in graph.nodes if isinstance(node.op, Conv2D)]


def test_a_batch_norm_goes_into_the_convolution_before_it(tmp_path: Path) -> None:
    """Conv, BatchNormalization and Relu are one node."""
    net = Net((1, 2, 5, 5))
    x = net.add("Relu", net.batch_norm(net.conv("x", 2, 3), 3))
    x = net.add("Relu", net.batch_norm(net.conv(x, 3, 3, group=3), 3))
    graph = rewritten(net.model(x), net.samples(), tmp_path)
    assert 2 == ops(graph)["Conv2D"]
    assert set(ops(graph)) <= {"Conv2D", "Transpose"}
    assert all(op.act == (0.0, float("inf")) for op in convs(graph))


@pytest.mark.parametrize("group", [1, 2])
def test_a_batch_norm_goes_into_an_unpadded_convolution_behind_it(
    tmp_path: Path, group: int
) -> None:
    """Conv, Relu, BatchNormalization, Conv without padding: two convolutions."""
    net = Net((1, 2, 6, 6))
    x = net.batch_norm(net.add("Relu", net.conv("x", 2, 4)), 4)
    graph = rewritten(net.model(net.conv(x, 4, 6, pad=0, group=group)), net.samples(), tmp_path)
    assert 2 == ops(graph)["Conv2D"]


def test_a_batch_norm_before_a_padded_convolution_stays_a_step(tmp_path: Path) -> None:
    """The border is padded behind the batch norm, so its offset cannot move."""
    net = Net((1, 2, 6, 6))
    x = net.batch_norm(net.add("Relu", net.conv("x", 2, 4)), 4)
    graph = rewritten(net.model(net.conv(x, 4, 3, pad=1)), net.samples(), tmp_path)
    assert [1, 4, 1] == [op.groups for op in convs(graph)]


def test_a_scale_before_a_padded_convolution_is_folded(tmp_path: Path) -> None:
    """Without an offset the border stays zero."""
    net = Net((1, 2, 6, 6))
    zeros = net.const(np.zeros(4))
    x = net.add("Relu", net.conv("x", 2, 4))
    x = net.add("BatchNormalization", x, net.random(4), zeros, zeros, net.random(4, low=0.5))
    graph = rewritten(net.model(net.conv(x, 4, 3, pad=1)), net.samples(), tmp_path)
    assert 2 == ops(graph)["Conv2D"]


def test_a_batch_norm_that_others_read_around_stays(tmp_path: Path) -> None:
    """The convolution's own values are an output: its weights stay as they are."""
    net = Net((1, 2, 6, 6))
    y = net.conv("x", 2, 4)
    graph = rewritten(net.model(y, net.batch_norm(y, 4)), net.samples(), tmp_path)
    assert 2 == ops(graph)["Conv2D"]


def test_a_batch_norm_of_the_input_goes_forward(tmp_path: Path) -> None:
    """Normalisation of the input, unpadded convolution: one convolution."""
    net = Net((1, 3, 6, 6))
    graph = rewritten(
        net.model(net.conv(net.batch_norm("x", 3), 3, 4, pad=0)), net.samples(), tmp_path
    )
    assert 1 == ops(graph)["Conv2D"]


def test_a_batch_norm_goes_through_a_flatten(tmp_path: Path) -> None:
    """Conv, Relu, BatchNormalization, Flatten, Gemm: the dense weights take it."""
    net = Net((1, 2, 4, 4))
    x = net.batch_norm(net.add("Relu", net.conv("x", 2, 3)), 3)
    x = net.add("Gemm", net.add("Flatten", x), net.random(48, 5), net.random(5))
    graph = rewritten(net.model(x), net.samples(), tmp_path)
    assert 1 == ops(graph)["Conv2D"]
    assert 1 == ops(graph)["Dense"]


def test_batch_norms_of_vectors_and_signals(tmp_path: Path) -> None:
    """Gemm with BatchNormalization, and a 1-D convolution with one, are one node each."""
    net = Net((1, 3, 12))
    x = net.add("Conv", "x", net.random(4, 3, 5), net.random(4), pads=[2, 2])
    x = net.add("Relu", net.batch_norm(x, 4))
    x = net.add("Flatten", net.batch_norm(x, 4))
    x = net.batch_norm(net.add("Gemm", x, net.random(48, 6), net.random(6)), 6)
    graph = rewritten(net.model(x), net.samples(), tmp_path)
    assert set(ops(graph)) <= {"Conv2D", "Dense", "Reshape", "Transpose"}
    assert ops(graph)["Conv2D"] == ops(graph)["Dense"] == 1


@pytest.mark.parametrize("way", ["Resize", "Slice", "Tile"])
def test_a_batch_norm_goes_through_what_only_moves(tmp_path: Path, way: str) -> None:
    """Rows and columns that are repeated or left out keep their channels."""
    net = Net((1, 2, 6, 6))
    x = net.conv("x", 2, 3)
    if way == "Resize":
        kind = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        x = net.add("Resize", x, "", net.const([1, 1, 2, 2]), **kind)
    elif way == "Slice":
        x = net.add("Slice", x, *(net.const(v, np.int64) for v in ([1], [5], [2], [2])))
    else:
        x = net.add("Tile", x, net.const([1, 1, 1, 2], np.int64))
    graph = rewritten(net.model(net.batch_norm(x, 3)), net.samples(), tmp_path)
    assert "ChannelAffine" not in ops(graph)
    assert 1 == ops(graph)["Conv2D"]


def test_a_batch_norm_of_other_channels_stays(tmp_path: Path) -> None:
    """Where channels are repeated, the step has more than the layer: it is one of its own."""
    net = Net((1, 2, 4, 4))
    x = net.add("Tile", net.conv("x", 2, 3), net.const([1, 2, 1, 1], np.int64))
    graph = rewritten(net.model(net.batch_norm(x, 6)), net.samples(), tmp_path)
    assert 2 == ops(graph)["Conv2D"]


def test_two_batch_norms_in_a_row_are_one(tmp_path: Path) -> None:
    """What cannot be folded is at least merged."""
    net = Net((1, 2, 6, 6))
    x = net.batch_norm(net.batch_norm("x", 2), 2)
    graph = rewritten(net.model(x), net.samples(), tmp_path)
    assert 1 == ops(graph)["Conv2D"]


def test_a_batch_norm_of_rounded_values_stays(tmp_path: Path) -> None:
    """A rounding between convolution and batch norm keeps them apart."""
    net = Net((1, 2, 5, 5))
    x = net.quantize(net.conv(net.quantize("x"), 2, 3), 0.1)
    x = net.quantize(net.batch_norm(x, 3), 0.2)
    graph = rewritten(net.model(x), net.samples(), tmp_path)
    assert [1, 3] == [op.groups for op in convs(graph)]


@pytest.mark.parametrize(
    ("first", "second"), [((-1.0, 3.0), (0.0, 6.0)), ((2.0, 3.0), (-5.0, 1.0))]
)
def test_two_clips_are_one_pair_of_limits(
    tmp_path: Path, first: tuple[float, float], second: tuple[float, float]
) -> None:
    """Clamping twice is clamping once, even where the limits have nothing in common."""
    net = Net((1, 2, 5, 5))
    x = net.add("Clip", net.conv("x", 2, 3), *map(net.const, first))
    graph = rewritten(
        net.model(net.add("Clip", x, *map(net.const, second))), net.samples(), tmp_path
    )
    assert "Lookup" not in ops(graph)


def test_a_relu_behind_a_flatten_is_fused(tmp_path: Path) -> None:
    """Moving elements and clamping commute."""
    net = Net((1, 2, 5, 5))
    x = net.add("Relu", net.add("Flatten", net.conv("x", 2, 3)))
    graph = rewritten(net.model(x), net.samples(), tmp_path)
    assert "Lookup" not in ops(graph)


def test_a_relu_of_values_that_others_read_stays(tmp_path: Path) -> None:
    """The convolution may not clamp what is read unclamped too."""
    net = Net((1, 2, 5, 5))
    y = net.conv("x", 2, 3)
    graph = rewritten(net.model(y, net.add("Relu", y)), net.samples(), tmp_path)
    assert 1 == ops(graph)["Lookup"]


def test_a_relu_of_rounded_values_is_a_table(tmp_path: Path) -> None:
    """Behind a rounding the Relu is a function of 256 values."""
    net = Net((1, 2, 5, 5))
    x = net.quantize(net.conv(net.quantize("x"), 2, 3), 0.1)
    graph = rewritten(
        net.model(net.quantize(net.add("Relu", x), 0.07, -128)), net.samples(), tmp_path
    )
    assert 1 == ops(graph)["Lookup"]


def test_roundings_around_a_relu_keep_both_grids(tmp_path: Path) -> None:
    """The convolution rounds to the grid in front of the Relu; nothing needs a range."""
    net = Net((1, 2, 5, 5))
    x = net.quantize(net.conv(net.quantize("x"), 2, 3), 0.1, 4)
    x = net.quantize(net.add("Relu", x), 0.07, -128)
    graph = rewritten(net.model(net.quantize(net.conv(x, 3, 2), 0.3)), net.samples(), tmp_path)
    assert {"Conv2D": 2, "Lookup": 1, "Transpose": 2} == ops(graph)
    assert needs_range(graph) == ()


@pytest.mark.parametrize("pool", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("counted", [0, 1])
def test_a_batch_norm_goes_through_a_pool(tmp_path: Path, pool: str, counted: int) -> None:
    """Conv, pool, BatchNormalization, Relu: the convolution takes both where that is exact."""
    net = Net((1, 2, 6, 6))
    given = {"count_include_pad": counted} if pool == "AveragePool" else {}
    pads = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], **given}
    x = net.batch_norm(net.add(pool, net.conv("x", 2, 3), **pads), 3)
    graph = rewritten(net.model(x), net.samples(), tmp_path)
    exact = (pool, counted) != ("AveragePool", 1)
    assert ops(graph)["Conv2D"] == (1 if exact else 2)


def test_negative_scales_stay_behind_a_maximum(tmp_path: Path) -> None:
    """A negative factor makes the largest value the smallest."""
    net = Net((1, 2, 6, 6))
    x = net.add("MaxPool", net.conv("x", 2, 3), kernel_shape=[2, 2], strides=[2, 2])
    scale = net.const([1.0, -0.5, 2.0])
    x = net.add("BatchNormalization", x, scale, net.random(3), net.random(3), net.random(3, low=1))
    assert 2 == ops(rewritten(net.model(x), net.samples(), tmp_path))["Conv2D"]


def test_a_batch_norm_reaches_the_dense_layer_behind_a_pool(tmp_path: Path) -> None:
    """Conv, Relu, BatchNormalization, global average, Gemm: no step of its own."""
    net = Net((1, 2, 6, 6))
    x = net.batch_norm(net.add("Relu", net.conv("x", 2, 3)), 3)
    x = net.add("Flatten", net.add("GlobalAveragePool", x))
    x = net.add("Gemm", x, net.random(3, 5), net.random(5))
    assert 1 == ops(rewritten(net.model(x), net.samples(), tmp_path))["Conv2D"]


def test_a_relu_behind_a_maximum_is_fused(tmp_path: Path) -> None:
    """The maximum of clamped values is the clamped maximum."""
    net = Net((1, 2, 6, 6))
    x = net.add("MaxPool", net.conv("x", 2, 3), kernel_shape=[2, 2], strides=[2, 2])
    assert "Lookup" not in ops(rewritten(net.model(net.add("Relu", x)), net.samples(), tmp_path))


def test_functions_in_a_row_are_one_table(tmp_path: Path) -> None:
    """Tanh, a rounding, Sigmoid and LeakyRelu: one Lookup of the same function."""
    net = Net((1, 2, 5, 5))
    x = net.quantize(net.add("Tanh", net.quantize("x", 0.02)), 0.05)
    x = net.add("LeakyRelu", net.add("Sigmoid", x), alpha=0.1)
    graph = rewritten(net.model(net.quantize(x, 0.01)), net.samples(), tmp_path)
    assert {"Lookup": 1} == ops(graph)


@pytest.mark.parametrize(("kind", "clamped"), [("MaxPool", True), ("AveragePool", False)])
def test_a_pad_goes_into_a_pool(tmp_path: Path, kind: str, clamped: bool) -> None:
    """An average counts the zeros; a maximum of values of at least 0 may ignore them."""
    net = Net((1, 2, 6, 6))
    x = net.conv("x", 2, 3)
    x = net.add("Relu", x) if clamped else x
    x = net.add("Pad", x, net.const([0, 0, 1, 0, 0, 0, 1, 2], np.int64))
    x = net.add(kind, x, kernel_shape=[3, 3], strides=[2, 2])
    graph = rewritten(net.model(x), net.samples(), tmp_path)
    assert "Pad" not in ops(graph)


def test_a_pad_before_a_maximum_of_negative_values_stays(tmp_path: Path) -> None:
    """Its zeros may be the largest value of a window."""
    net = Net((1, 2, 6, 6))
    x = net.add("Pad", net.conv("x", 2, 3), net.const([0, 0, 1, 1, 0, 0, 1, 1], np.int64))
    x = net.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    graph = rewritten(net.model(x), net.samples(), tmp_path)
    assert 1 == ops(graph)["Pad"]
