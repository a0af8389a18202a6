# SPDX-License-Identifier: Apache-2.0
"""Functions with a table of each channel: what becomes one, and that a file brings it back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from nets import Net, imported, run_onnx

from mcuplan import passes
from mcuplan.exporter.onnx import to_onnx
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.graph import Graph
from mcuplan.ops.channel_lookup import ChannelLookup
from mcuplan.passes.assign_grids import assign_grids
from mcuplan.passes.lower import lower

_READ = np.array([[1.0, 8.0, 0.25, 1.0]])


def _swish(net: Net, x: str) -> str:
    return net.add("Mul", x, net.add("Sigmoid", x))


def _read(net: Net, folder: Path, *outputs: str) -> tuple[Graph, onnx.ModelProto]:
    model = net.model(*outputs)
    return passes.run(imported(model, folder)), model


def _between(net: Net, read: np.ndarray | None, made: np.ndarray | None) -> str:
    """A function between two grids, with factors in front and behind."""
    x = net.quantize("x", 0.05, -3)
    x = x if read is None else net.add("Mul", x, net.const(read))
    x = _swish(net, x)
    x = x if made is None else net.add("Mul", x, net.const(made))
    return net.quantize(x, 0.04, -100)


@pytest.mark.parametrize("read", [_READ, None])
@pytest.mark.parametrize("made", [1.0 / _READ, None])
def test_factors_of_channels_around_a_function_are_tables(
    read: np.ndarray | None, made: np.ndarray | None, tmp_path: Path
) -> None:
    """On one side or both; a step off the runtime at most, as it computes in float32."""
    net = Net((1, 4))
    graph, model = _read(net, tmp_path, _between(net, read, made))
    found = [node for node in graph.nodes if isinstance(node.op, ChannelLookup)]
    assert len(found) == (read is not None or made is not None)
    samples = 4.0 * net.samples(8)
    (theirs,) = run_onnx(model, {"x": samples})
    low = lower(assign_grids(graph, {}).graph, None).graph
    (source,), (output,) = low.app_inputs, low.app_outputs
    kinds = [low.tensor(port.tensor).type for port in (source, output)]
    codes = kinds[0].q.quantize(source.from_model(samples)).reshape(-1, *kinds[0].shape[1:])
    real = kinds[1].q.dequantize(evaluate(low, {source.tensor: codes})[output.tensor])
    mine = real.reshape(theirs.shape)
    assert np.abs(mine - theirs).max() <= 1.001 * kinds[1].q.s


def test_what_is_read_elsewhere_or_is_moved_is_no_table(tmp_path: Path) -> None:
    """Factors below 0, offsets, and a product that others read stay layers."""
    for case in ("offset", "below", "read"):
        net = Net((1, 4))
        x = net.quantize("x", 0.05, -3)
        product = net.add("Mul", x, net.const(-_READ if case == "below" else _READ))
        if case == "offset":
            product = net.add("Add", product, net.const(_READ))
        made = [net.quantize(net.add("Tanh", product), 0.01, 0)]
        if case == "read":
            made.append(net.quantize(product, 0.5, 0))
        graph, _ = _read(net, tmp_path, *made)
        assert not [node for node in graph.nodes if isinstance(node.op, ChannelLookup)]


def test_a_file_brings_tables_back(tmp_path: Path) -> None:
    """What is written of a function by channel is read as the same."""
    net = Net((1, 4))
    graph, _ = _read(net, tmp_path, _between(net, _READ, 1.0 / _READ))
    again = passes.run(imported(to_onnx(graph, qdq=True), tmp_path))
    ops = [[n.op for n in g.nodes if isinstance(n.op, ChannelLookup)] for g in (graph, again)]
    assert ops[0] == ops[1] != []
