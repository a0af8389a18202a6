# SPDX-License-Identifier: Apache-2.0
"""A causal 1-D convolution: frame by frame with its history as a state, and over a sequence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CHANNELS, TAPS = 4, 5
STATES = (("history", "history_next"),)


def frames(count: int, seed: int = 1) -> np.ndarray:
    """Frames [count, CHANNELS, 1] of one sequence."""
    drawn = np.random.default_rng(seed).standard_normal((count, CHANNELS, 1))
    return drawn.astype(np.float32)


def save_streaming(folder: Path, *, keeps: str = "Slice", seed: int = 0) -> Path:
    """Inputs ``frame`` and ``history``, outputs ``score`` and ``history_next``.

    ``keeps``: what makes the next history of the window: a Slice of it, or a Relu of its end.
    """
    slice_inputs = ["window", "first", "end", "axis"]
    nodes = [
        helper.make_node("Concat", ["history", "frame"], ["window"], axis=2, name="window"),
        *_layers("window", []),
    ]
    if keeps == "Slice":
        nodes.append(helper.make_node("Slice", slice_inputs, ["history_next"], name="keep"))
    else:
        nodes.append(helper.make_node("Slice", slice_inputs, ["latest"], name="latest"))
        nodes.append(helper.make_node(keeps, ["latest"], ["history_next"], name="keep"))
    places = {"first": 1, "end": TAPS, "axis": 2}
    numbers = [numpy_helper.from_array(np.array([v]), name) for name, v in places.items()]
    past = [1, CHANNELS, TAPS - 1]
    inputs = [_value("frame", [1, CHANNELS, 1]), _value("history", past)]
    outputs = [_value("score", [1, 3, 1]), _value("history_next", past)]
    return _saved(folder / "streaming.onnx", nodes, inputs, outputs, [*_weights(seed), *numbers])


def save_whole(folder: Path, count: int, seed: int = 0) -> Path:
    """The same layers over a sequence: ``frames`` [1, CHANNELS, count] to ``score``."""
    nodes = _layers("frames", [TAPS - 1, 0])
    ends = [_value("frames", [1, CHANNELS, count])], [_value("score", [1, 3, count])]
    return _saved(folder / "whole.onnx", nodes, *ends, _weights(seed))


def _layers(source: str, pads: list[int]) -> list[onnx.NodeProto]:
    padding = {"pads": pads} if pads else {}
    return [
        helper.make_node("Conv", [source, "w", "b"], ["sums"], name="causal", **padding),
        helper.make_node("Relu", ["sums"], ["features"], name="relu"),
        helper.make_node("Conv", ["features", "v"], ["score"], name="head"),
    ]


def _weights(seed: int) -> list[onnx.TensorProto]:
    rng = np.random.default_rng(seed)
    shapes = {"w": (6, CHANNELS, TAPS), "b": (6,), "v": (3, 6, 1)}
    drawn = {name: 0.3 * rng.standard_normal(shape) for name, shape in shapes.items()}
    return [numpy_helper.from_array(a.astype(np.float32), name) for name, a in drawn.items()]


def _value(name: str, shape: list[int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _saved(
    path: Path,
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    constants: list[onnx.TensorProto],
) -> Path:
    graph = helper.make_graph(nodes, path.stem, inputs, outputs, constants)
    opset = helper.make_opsetid("", 13)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    return path
