# SPDX-License-Identifier: Apache-2.0
"""Data movements, paddings and roundings disappear where that is exact."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from nets import Net, imported, ops, rewritten

from mcuplan.ops.movement import Reshape, Transpose
from mcuplan.passes import PIPELINE, run


def test_a_flatten_behind_a_convolution_costs_nothing(tmp_path: Path) -> None:
    """Channels-first flatten: the dense weights are permuted, no Transpose remains there."""
    net = Net((1, 1, 5, 4))
    x = net.conv("x", 1, 3)
    x = net.add("Flatten", x)
    x = net.add("Gemm", x, net.random(60, 7), net.random(7))
    graph = rewritten(net.model(x), net.samples(), tmp_path)
    assert "Transpose" not in ops(graph)
    assert ops(graph)["Reshape"] <= 2


def test_stored_weights_move_with_the_values(tmp_path: Path) -> None:
    """Integers of a quantized dense layer are permuted as its values are."""
    net = Net((1, 1, 4, 4))
    x = net.quantize("x")
    x = net.quantize(net.conv(x, 1, 2))
    x = net.add("Reshape", x, net.const([1, 32], np.int64))
    integers = net.const(net.rng.integers(-127, 128, (5, 32)), np.int8)
    scale = net.const(net.rng.random(5) + 0.1)
    weights = net.add("DequantizeLinear", integers, scale, net.const([0] * 5, np.int8), axis=0)
    x = net.quantize(net.add("Gemm", x, weights, net.random(5), transB=1), 1.0)
    graph = rewritten(net.model(x), net.samples(), tmp_path)
    assert "Transpose" not in ops(graph)
    dense = next(node for node in graph.nodes if type(node.op).__name__ == "Dense")
    tensor = graph.tensor(dense.inputs[1])
    assert tensor.stored is not None
    assert tensor.data is not None
    scales = np.array(tensor.stored.quant.scale, np.float32)[:, None]
    assert (tensor.stored.values * scales == tensor.data).all()


def test_movements_of_movements_become_one(tmp_path: Path) -> None:
    """Reshapes and Transposes in a row are one or none."""
    net = Net((1, 2, 3, 4))
    x = net.add("Transpose", "x", perm=[0, 2, 3, 1])
    x = net.add("Transpose", x, perm=[0, 3, 1, 2])
    x = net.add("Reshape", x, net.const([1, 24], np.int64))
    x = net.add("Reshape", x, net.const([1, 4, 6], np.int64))
    x = net.add("Squeeze", net.add("Unsqueeze", x, net.const([1], np.int64)))
    graph = rewritten(net.model(x), net.samples(), tmp_path)
    assert {"Reshape": 1} == ops(graph)


def test_slopes_by_channel_stay_with_their_axis(tmp_path: Path) -> None:
    """A PRelu does not change places with a Transpose, even where its slopes fit the width."""
    net = Net((1, 4, 3, 8))
    x = net.add("PRelu", "x", net.const(np.array([0.1, 0.9, -0.5, 2.0]).reshape(4, 1, 1)))
    graph = rewritten(net.model(x), net.samples(), tmp_path)
    assert 1 == ops(graph)["PRelu"]


def test_a_pad_of_zeros_goes_into_the_convolution(tmp_path: Path) -> None:
    """Pad and Conv are one Conv with both paddings."""
    net = Net((1, 2, 5, 5))
    x = net.add("Pad", "x", net.const([0, 0, 1, 2, 0, 0, 0, 1], np.int64))
    x = net.conv(x, 2, 3, pad=1)
    graph = rewritten(net.model(x), net.samples(), tmp_path)
    assert "Pad" not in ops(graph)


@pytest.mark.parametrize("value", [0.5, -1.0])
def test_a_pad_of_another_value_stays(tmp_path: Path, value: float) -> None:
    """A convolution pads with zero only."""
    net = Net((1, 2, 5, 5))
    pads = net.const([0, 0, 1, 1, 0, 0, 1, 1], np.int64)
    x = net.conv(net.add("Pad", "x", pads, net.const(value)), 2, 3)
    graph = rewritten(net.model(x), net.samples(), tmp_path)
    assert 1 == ops(graph)["Pad"]


def test_a_pad_between_roundings_of_one_grid_goes(tmp_path: Path) -> None:
    """QDQ models round behind the Pad again: same grid, same numbers."""
    net = Net((1, 2, 5, 5))
    x = net.quantize("x", 0.05, 3)
    x = net.add("Pad", x, net.const([0, 0, 1, 1, 0, 0, 1, 1], np.int64))
    x = net.quantize(net.conv(net.quantize(x, 0.05, 3), 2, 3, pad=0), 0.1)
    graph = rewritten(net.model(x), net.samples(), tmp_path)
    assert not {"Pad", "Quantize"} & set(ops(graph))


def test_roundings_become_grids(tmp_path: Path) -> None:
    """Every rounding of a plain QDQ model ends in the node before it."""
    net = Net((1, 2, 5, 5))
    x = net.quantize("x", 0.03, 3)
    x = net.quantize(net.conv(x, 2, 3), 0.1, -7)
    x = net.quantize(net.conv(x, 3, 3), 0.2, 5)
    graph = rewritten(net.model(x), net.samples(), tmp_path)
    assert "Quantize" not in ops(graph)
    activations = [t for t in graph.tensors.values() if not t.is_constant]
    assert all(tensor.type.quant is not None for tensor in activations)


def test_a_rounding_behind_a_movement_goes_in_front_of_it(tmp_path: Path) -> None:
    """Moving elements and rounding commute, so the convolution rounds."""
    net = Net((1, 2, 4, 4))
    x = net.conv(net.quantize("x"), 2, 3)
    x = net.add("Transpose", x, perm=[0, 2, 1, 3])
    x = net.quantize(net.add("Reshape", x, net.const([1, 4, 12], np.int64)), 0.1)
    graph = rewritten(net.model(x), net.samples(), tmp_path)
    assert "Quantize" not in ops(graph)


def test_a_value_that_is_read_unrounded_too_keeps_its_rounding(tmp_path: Path) -> None:
    """Another reader of the float values: the Quantize stays a node."""
    net = Net((1, 2, 4, 4))
    y = net.conv(net.quantize("x"), 2, 3)
    model = net.model(net.quantize(y, 0.1), net.conv(y, 3, 2))
    graph = rewritten(model, net.samples(), tmp_path)
    assert 1 == ops(graph)["Quantize"]


def test_two_roundings_to_one_grid_are_one(tmp_path: Path) -> None:
    """Exporters give each reader its own pair; the grid is one."""
    net = Net((1, 2, 4, 4))
    y = net.conv(net.quantize("x"), 2, 3)
    a, b = net.quantize(y, 0.1), net.quantize(y, 0.1)
    model = net.model(net.quantize(net.conv(a, 3, 2), 0.1), net.quantize(net.conv(b, 3, 2), 0.2))
    assert "Quantize" not in ops(rewritten(model, net.samples(), tmp_path))


def test_a_rounding_to_another_grid_stays(tmp_path: Path) -> None:
    """Values on one grid rounded to another one are a step of their own."""
    net = Net((1, 2, 4, 4))
    x = net.quantize(net.add("Flatten", net.quantize("x", 0.1)), 0.15, 4)
    graph = rewritten(net.model(x), net.samples(), tmp_path)
    assert 1 == ops(graph)["Quantize"]


def test_passes_that_find_nothing_return_their_graph(tmp_path: Path) -> None:
    """The same object says that nothing changed."""
    net = Net((1, 4, 4, 2))
    x = net.add("Transpose", "x", perm=[0, 3, 1, 2])
    graph = run(imported(net.model(net.conv(x, 2, 3)), tmp_path))
    for apply in PIPELINE:
        assert apply(graph) is graph


def test_a_transpose_reads_an_input_in_front_of_added_axes(tmp_path: Path) -> None:
    """[1,C,T] that becomes [1,C,T,1] and then [1,T,1,C] is one of [1,T,C] first."""
    net = Net((1, 3, 10))
    x = net.add("Reshape", "x", net.const([1, 3, 10, 1], np.int64))
    x = net.add("Transpose", x, perm=[0, 2, 3, 1])
    x = net.add("Softmax", x, axis=3)
    graph = rewritten(net.model(x), net.samples(), tmp_path)
    first, second = graph.nodes[:2]
    assert (first.op, second.op) == (Transpose((0, 2, 1)), Reshape((1, 10, 1, 3)))
