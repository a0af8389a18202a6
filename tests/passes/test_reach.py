# SPDX-License-Identifier: Apache-2.0
"""Biases near and beyond the end of int32, as quantizers write them for nearly dead channels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from mcuplan.calibrate import Data
from mcuplan.errors import AccumulatorOverflow, McuplanError
from mcuplan.ir.types import DType, Quant, TensorType
from mcuplan.passes._reach import Sums, within_reach
from mcuplan.pipeline import generate, plan
from mcuplan.prove.boundary import boundary_inputs
from mcuplan.prove.evidence import against_runtime
from mcuplan.prove.proofs import Subject, prove_on_host
from mcuplan.quant.requantize import act_limits, requantize, weighted_requant
from mcuplan.record import Request
from mcuplan.targets import load_target
from tests.importer.onnx_files import model, node, save, value
from tests.passes.nets import Net

Array = np.ndarray
RELU = (0.0, float("inf"))
NONE = (float("-inf"), float("inf"))


def _bytes(sums: Sums, x: Array, source: Quant, output: Quant, act: tuple[float, float]) -> Array:
    """Output bytes as every kernel makes them."""
    bias = sums.bias.astype(np.int32)
    quant = Quant(tuple(sums.scale.tolist()), (0,) * len(bias), 0)
    kinds = (TensorType((), DType.INT8, q) for q in (source, quant, output))
    factors = weighted_requant(sums.weights, bias, *kinds)
    total = x.astype(np.int64) @ sums.weights.astype(np.int64).T + factors.bias
    assert np.abs(total).max() < 1 << 31
    limits = act_limits(output, act)
    return requantize(total, factors.multiplier, factors.pre_shift, output.z, limits)


def _exact(sums: Sums, x: Array, source: Quant, output: Quant, act: tuple[float, float]) -> Array:
    """Real results in steps of the output, clamped; whole numbers of any size."""
    centred = x.astype(np.int64) - source.z
    rows = [[int(v) for v in row] for row in (centred @ sums.weights.astype(np.int64).T)]
    real = [source.s * float(s) / output.s for s in sums.scale]
    steps = [
        [(total + int(b)) * r for total, b, r in zip(row, sums.bias, real, strict=True)]
        for row in rows
    ]
    return np.clip(np.array(steps) + output.z, *act_limits(output, act))


@pytest.mark.parametrize("seed", range(60))
def test_any_scale_and_bias(seed: int) -> None:
    """Within one step of the exact result, or refused by channel; constants exactly so."""
    rng = np.random.default_rng(seed)
    channels, taps = 6, int(rng.choice([1, 9, 40, 600]))
    source = Quant.per_tensor(float(10.0 ** rng.uniform(-3, 0)), int(rng.integers(-128, 128)))
    output = Quant.per_tensor(float(10.0 ** rng.uniform(-3, 0)), int(rng.integers(-128, 128)))
    act = RELU if rng.random() < 0.5 else NONE
    weights = rng.integers(-127, 128, (channels, taps)).astype(np.int8)
    want = rng.uniform(-300, 300, channels)  # of the bias, in steps of the output
    bias = np.sign(want) * 2.0 ** rng.uniform(29, 34, channels)
    scale = np.abs(want / bias) * output.s / source.s
    sums = Sums(weights, np.rint(bias), scale)
    x = rng.integers(-128, 128, (64, taps))
    x[0], x[1], x[2] = -128, 127, source.z
    fitted, changed = within_reach(sums, source, output, act)
    assert changed > 0
    found, wanted = (f(s, x, source, output, act) for f, s in ((_bytes, fitted), (_exact, sums)))
    assert np.abs(found - wanted).max() <= 0.5 + 0.25 + 0.26  # rounding, scale, factor
    for c in np.flatnonzero(~fitted.weights.any(axis=1) & sums.weights.any(axis=1)):
        assert len(np.unique(np.floor(wanted[:, c] + 0.5))) == 1
        assert (found[:, c] == np.floor(wanted[:, c] + 0.5)).all()


def test_sums_within_reach_stay_as_they_are() -> None:
    """The very same object: bytes of other models do not change."""
    sums = Sums(np.ones((2, 3), np.int8), np.array([5.0, -(2.0**30)]), np.full(2, 1e-6))
    grid = Quant.per_tensor(0.1, 3)
    fitted, changed = within_reach(sums, grid, grid, NONE)
    assert fitted is sums
    assert changed == 0


def test_a_sum_that_matters_is_refused_by_channel() -> None:
    """Weights and a bias that both decide the byte: nothing may be rounded."""
    weights = np.full((3, 120_000), 127, np.int8)
    sums = Sums(weights, np.array([0.0, 9e8, 0.0]), np.full(3, 1e-7))
    grid = Quant.per_tensor(1.0, 0)
    with pytest.raises(AccumulatorOverflow, match=r"channel 1 .*900,000,000"):
        within_reach(sums, grid, grid, NONE)


def _near_limit(weight_scale: float, out: float, bias: int) -> onnx.ModelProto:
    rng = np.random.default_rng(2)
    weights = rng.integers(-90, 91, (3, 8, 1, 1)).astype(np.int8)
    weights[1] = 93
    scales = np.array([0.01, weight_scale, 0.02], np.float32)
    constants = {"s": np.float32(0.0775), "z": np.int8(0), "w": weights, "ws": scales}
    constants |= {"wz": np.zeros(3, np.int8), "bz": np.zeros(3, np.int32)}
    constants |= {"b": np.array([50, bias, -7], np.int32), "bs": scales * np.float32(0.0775)}
    constants |= {"o": np.float32(out), "oz": np.int8(-128)}
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["xq"]),
        node("DequantizeLinear", ["xq", "s", "z"], ["xd"]),
        node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], axis=0),
        node("DequantizeLinear", ["b", "bs", "bz"], ["bd"], axis=0),
        node("Conv", ["xd", "wd", "bd"], ["a"], name="the_conv"),
        node("QuantizeLinear", ["a", "o", "oz"], ["q"]),
        node("DequantizeLinear", ["q", "o", "oz"], ["y"]),
    ]
    return model(nodes, [value("x", [1, 8, 4, 4])], [value("y", None)], constants)


@pytest.mark.parametrize("bias", [-2_147_268_906, 2_147_483_647, 2_147_480_000, -2_147_483_647])
def test_a_channel_that_is_nearly_dead(bias: int, tmp_path: Path) -> None:
    """Reference and C agree with one another, and with the runtime to one step."""
    path = save(tmp_path, _near_limit(1.9e-9, 0.02, bias))
    planned = plan(Request(path, load_target("cortex-m4")))
    x = np.random.default_rng(1).uniform(-10, 10, (8, 8, 4, 4)).astype(np.float32)
    data = Data({"x": x}, 8)
    seen = against_runtime(path, planned.removal.whole, data, quantized=True)
    assert not [f for f in seen.findings if f.severity == "error"]
    feeds = boundary_inputs(planned.integer, data)
    proof = prove_on_host(Subject(generate(planned, "net"), planned.plan), feeds)
    assert proof.mismatch is None


def test_what_cannot_be_held_names_node_and_channel(tmp_path: Path) -> None:
    """An output scale out of reach: node, channel and cause."""
    path = save(tmp_path, _near_limit(1.9e4, 1e-7, 5))
    with pytest.raises(McuplanError, match=r"channel \d+: factor") as caught:
        plan(Request(path, load_target("cortex-m4")))
    assert caught.value.where == "the_conv"


@pytest.mark.parametrize("seed", range(3))
def test_what_a_quantizer_writes_per_channel(seed: int, tmp_path: Path) -> None:
    """Networks with nearly dead channels, quantized per channel by ONNX Runtime."""
    quantization = pytest.importorskip("onnxruntime.quantization")
    rng = np.random.default_rng(seed)
    net = Net((1, 3, 12, 12), seed)
    x, channels = "x", 3
    for outputs, groups in ((8, 1), (8, 8), (12, 1), (12, 12), (6, 1)):
        size = 3 if groups > 1 or channels == 3 else 1
        weights = rng.normal(size=(outputs, channels // groups, size, size))
        weights /= np.sqrt(weights[0].size)
        dead = rng.random(outputs) < 0.4
        weights[dead] *= (10.0 ** rng.uniform(-12, -6, int(dead.sum())))[:, None, None, None]
        bias = rng.normal(size=outputs) * 0.5
        names = net.const(weights), net.const(bias)
        x = net.add("Conv", x, *names, group=groups, pads=[size // 2] * 4)
        x = net.add("Clip", x, net.const(0.0), net.const(6.0)) if groups > 1 else net.add("Relu", x)
        channels = outputs
    floating = tmp_path / "float.onnx"
    onnx.save(net.model(net.add("GlobalAveragePool", x)), floating)
    samples = rng.normal(size=(12, 3, 12, 12)).astype(np.float32)

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            self.left = iter(samples)

        def get_next(self) -> dict[str, Array] | None:
            sample = next(self.left, None)
            return None if sample is None else {"x": sample[None]}

    path = tmp_path / "model.onnx"
    quantization.quantize_static(str(floating), str(path), Reader(), per_channel=True)
    stored = [
        onnx.numpy_helper.to_array(t)
        for t in onnx.load(path).graph.initializer
        if t.data_type == onnx.TensorProto.INT32
    ]
    assert max(np.abs(b.astype(np.int64)).max(initial=0) for b in stored) > 2**30
    planned = plan(Request(path, load_target("cortex-m4")))
    seen = against_runtime(path, planned.removal.whole, Data({"x": samples}, 12), quantized=True)
    assert not [f for f in seen.findings if f.severity == "error"]
