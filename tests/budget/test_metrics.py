# SPDX-License-Identifier: Apache-2.0
"""Figures of a network that need no plan and no chip."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_nets import Net

from mcuplan import passes
from mcuplan.budget.metrics import network_totals, receptive_fields
from mcuplan.importer import load_model
from mcuplan.ir.graph import Graph
from mcuplan.record import Totals


def graph_of(net: Net, folder: Path) -> Graph:
    """Our float graph after the passes."""
    return passes.run(load_model(net.save(folder / "net.onnx")).graph)


def alexnet() -> Net:
    """The network of Krizhevsky et al. 2012 in two groups, without LRN and dropout."""
    net = Net((1, 3, 224, 224), zeros=True)
    pool = {"kernel_shape": [3, 3], "strides": [2, 2]}
    net.conv(96, 3, 11, strides=[4, 4], pads=[2, 2, 2, 2]).add("Relu").add("MaxPool", **pool)
    net.conv(256, 48, 5, pads=[2] * 4, group=2).add("Relu").add("MaxPool", **pool)
    net.conv(384, 256, 3, pads=[1] * 4).add("Relu")
    net.conv(384, 192, 3, pads=[1] * 4, group=2).add("Relu")
    net.conv(256, 192, 3, pads=[1] * 4, group=2).add("Relu").add("MaxPool", **pool)
    net.add("Flatten").dense(4096, 9216).add("Relu").dense(4096, 4096).add("Relu")
    return net.dense(1000, 4096)


@pytest.fixture(scope="module")
def alexnet_totals(tmp_path_factory: pytest.TempPathFactory) -> Totals:
    """Totals of AlexNet."""
    return network_totals(graph_of(alexnet(), tmp_path_factory.mktemp("alexnet")))


def test_alexnet_has_the_textbook_figures(alexnet_totals: Totals) -> None:
    """Activations, peak, parameters and sizes of AlexNet are the textbook's, to the unit."""
    assert 932_264 == alexnet_totals.activations
    assert 440_928 == alexnet_totals.peak_activation
    assert 60_965_224 == alexnet_totals.parameters
    assert 4 * 60_965_224 == alexnet_totals.model_bytes_fp32
    assert 60_965_224 == alexnet_totals.model_bytes_int8
    assert ("243.9", "61.0") == (
        f"{alexnet_totals.model_bytes_fp32 / 1e6:.1f}",
        f"{alexnet_totals.model_bytes_int8 / 1e6:.1f}",
    )


def test_alexnet_work(alexnet_totals: Totals) -> None:
    """MACs are those of the seven weighted layers and 1 MAC is 2 FLOPs."""
    conv = 55 * 55 * 96 * 363 + 27 * 27 * 256 * 1200 + 13 * 13 * 384 * 2304
    conv += 13 * 13 * 384 * 1728 + 13 * 13 * 256 * 1728
    assert conv + 9216 * 4096 + 4096 * 4096 + 4096 * 1000 == alexnet_totals.macs
    assert 2 * alexnet_totals.macs == alexnet_totals.flops


def test_alexnet_receptive_field(alexnet_totals: Totals) -> None:
    """195 after the last pooling, and its 6 positions 32 apart for the dense layers."""
    assert (195 + 5 * 32,) * 2 == alexnet_totals.receptive_field


@pytest.mark.parametrize(
    ("strides", "kernels", "field"),
    [((1, 1), (3, 3), 5), ((2, 1), (3, 3), 7), ((2, 2), (5, 3), 9), ((1,), (1,), 1)],
)
def test_receptive_field_of_a_chain(
    strides: tuple[int, ...], kernels: tuple[int, ...], field: int, tmp_path: Path
) -> None:
    """Each layer adds (kernel - 1) times the product of the strides before it."""
    net, channels = Net((1, 2, 32, 32)), 2
    for kernel, stride in zip(kernels, strides, strict=True):
        net.conv(channels, channels, kernel, strides=[stride] * 2, pads=[kernel // 2] * 4)
    assert (field, field) == network_totals(graph_of(net, tmp_path)).receptive_field


def test_dilation_widens_the_field(tmp_path: Path) -> None:
    """A dilated kernel sees (kernel - 1) * dilation + 1 elements."""
    graph = graph_of(Net((1, 1, 16, 16)).conv(1, 1, 3, dilations=[2, 3]), tmp_path)
    fields = receptive_fields(graph)
    assert (5, 7) == fields[graph.outputs[0].tensor].size


def test_views_and_layouts_are_no_feature_maps(tmp_path: Path) -> None:
    """Flatten and the change to NHWC add no activations, whatever steps they need."""
    net = Net((1, 2, 4, 4)).conv(3, 2, 1).add("Flatten").dense(5, 48)
    totals = network_totals(graph_of(net, tmp_path))
    assert 32 + 48 + 5 == totals.activations
    assert 32 + 48 == totals.peak_activation
