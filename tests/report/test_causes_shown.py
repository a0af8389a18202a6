# SPDX-License-Identifier: Apache-2.0
"""What grids cost a model is a code with a place in JSON, and stands on the HTML page, too."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from nets import Net
from onnx import TensorProto, helper, numpy_helper
from small_nets import small_net

from mcuplan import pipeline
from mcuplan.budget import assess
from mcuplan.record import Request
from mcuplan.report import render
from mcuplan.targets import load_target

_FULL = 1 << 31


def _scaled(net: Net, factors: list[float]) -> str:
    """A layer each of whose channels is its factor times what the others are."""
    weights = np.array(factors, np.float32).reshape(-1, 1, 1, 1) * np.ones((len(factors), 3, 1, 1))
    return net.add("Conv", "x", net.const(weights))


def _saved(folder: Path, net: Net, output: str, samples: np.ndarray | None = None) -> None:
    (folder / "net.onnx").write_bytes(net.model(output).SerializeToString())
    np.savez(folder / "data.npz", x=net.samples(20) if samples is None else samples)


def _outlier_sample(folder: Path) -> None:
    net = Net((1, 3, 6, 6))
    samples = net.samples(20)
    samples /= np.abs(samples).reshape(20, -1).max(axis=1).reshape(20, 1, 1, 1)
    samples[7] *= 6
    _saved(folder, net, net.conv("x", 3, 4), samples)


def _outlier_channel(folder: Path) -> None:
    net = Net((1, 3, 6, 6))
    _saved(folder, net, _scaled(net, [1, 1, 40, 1]))


def _coarse_steps(folder: Path) -> None:
    net = Net((1, 3, 6, 6))
    large = net.add("Mul", _scaled(net, [50, 50, 50, 50]), net.const(1.01))
    rest = net.add("Sub", large, _scaled(net, [50, 50, 50, 50]))
    _saved(folder, net, net.conv(rest, 4, 2))


def _dead_channels(folder: Path) -> None:
    small_net(8).zero("first", [1, 2, 5, 7]).save(folder / "net.onnx")


def _bias_of(share: float) -> Callable[[Path], None]:
    """A quantized layer with a bias of that share of what int32 holds on its scales."""

    def make(folder: Path) -> None:
        step, few = 2.0**-7, 2.0**-20
        bias = np.array([0.0, share * _FULL * step * few], np.float32)
        constants = {
            "step": np.float32(step),
            "few": np.float32(few),
            "zero": np.int8(0),
            "integers": np.array([[3, 7], [5, -2]], np.int8),
            "bias": bias,
        }
        nodes = [
            helper.make_node("QuantizeLinear", ["x", "step", "zero"], ["xq"]),
            helper.make_node("DequantizeLinear", ["xq", "step", "zero"], ["xr"]),
            helper.make_node("DequantizeLinear", ["integers", "few", "zero"], ["w"]),
            helper.make_node("Gemm", ["xr", "w", "bias"], ["y"], "layer"),
            helper.make_node("QuantizeLinear", ["y", "step", "zero"], ["yq"]),
            helper.make_node("DequantizeLinear", ["yq", "step", "zero"], ["z"]),
        ]
        ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 2]) for n in ("x", "z")]
        tensors = [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()]
        graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        (folder / "net.onnx").write_bytes(model.SerializeToString())

    return make


CAUSES: dict[str, Callable[[Path], None]] = {
    "quant/outlier-sample": _outlier_sample,
    "quant/outlier-channel": _outlier_channel,
    "quant/coarse-steps": _coarse_steps,
    "model/dead-channels": _dead_channels,
    "quant/bias-clipped": _bias_of(1.5),
    "quant/full-accumulator": _bias_of(0.75),
}


@pytest.mark.parametrize("code", CAUSES)
def test_each_cause_is_in_both(code: str, tmp_path: Path) -> None:
    """Code, severity, place and remedy in JSON; the same words for who looks at the page."""
    CAUSES[code](tmp_path)
    data = tmp_path / "data.npz"
    request = Request(
        tmp_path / "net.onnx",
        load_target("cortex-m4"),
        calibration=data if data.exists() else None,
        effort="fast",
    )
    budget = assess(pipeline.plan(request, sizes_only=True))
    found = json.loads(render("json", budget))["verdict"]["findings"]
    (told,) = (each for each in found if each["code"] == code)
    assert told["severity"] in ("note", "warning")
    assert told["message"]
    assert told["hint"] or code == "model/dead-channels"
    assert told.get("where") or code == "model/dead-channels"
    assert {code} == {each["code"] for each in found} & set(CAUSES)
    page = html.unescape(render("html", budget))
    for words in (code, told["message"], told.get("where", ""), told.get("hint", "")):
        assert words in page
