# SPDX-License-Identifier: Apache-2.0
"""Models of ONNX Runtime's static quantizer, in its settings: read to the bit, float where real."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from mcuplan import pipeline
from mcuplan.calibrate import Data
from mcuplan.passes.fuse_attention import attention_in_parts
from mcuplan.passes.lower import lower
from mcuplan.prove.boundary import boundary_inputs
from mcuplan.prove.compare import ModelRuntime, QuantizedLayers, tolerances_of
from mcuplan.prove.verification import Wanted, verify
from mcuplan.record import Request
from mcuplan.targets import load_target
from tests.passes.nets import Net

U8, I8, I4, U4 = QuantType.QUInt8, QuantType.QInt8, QuantType.QInt4, QuantType.QUInt4
U16, I16 = QuantType.QUInt16, QuantType.QInt16
TARGET = load_target("cortex-m4")


@dataclass(frozen=True)
class Setting:
    """What the quantizer is asked for."""

    activations: QuantType = U8
    weights: QuantType = I8
    per_channel: bool = True
    form: QuantFormat = QuantFormat.QDQ
    extra: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)


def _with(activations: QuantType = U8, weights: QuantType = I8, **extra: Any) -> Setting:
    return Setting(activations, weights, extra=extra)


_Q = QuantFormat.QOperator
_LAYERS = ["Conv", "Gemm", "MatMul"]
SETTINGS = {
    "int8": Setting(I8, I8),
    "int8 per tensor": Setting(I8, I8, per_channel=False),
    "uint8": Setting(),
    "uint8 weights": Setting(U8, U8, per_channel=False),
    "symmetric": _with(I8, ActivationSymmetric=True),
    "asymmetric weights": Setting(U8, U8, extra={"WeightSymmetric": False}),
    "restricted": _with(ActivationRestrictedAsymmetric=True),
    "reduced": Setting(more={"reduce_range": True}),
    "entropy": Setting(I8, more={"calibrate_method": CalibrationMethod.Entropy}),
    "removable kept": _with(QDQKeepRemovableActivations=True, ActivationSymmetric=True),
    "forced": _with(ForceQuantizeNoInputCheck=True, QDQKeepRemovableActivations=True),
    "float biases": _with(QuantizeBias=False),
    "dedicated pairs": _with(I8, DedicatedQDQPair=True),
    "pairs at weights": _with(AddQDQPairToWeight=True),
    "layers not rounded": _with(OpTypesToExcludeOutputQuantization=_LAYERS),
    "others not rounded": _with(OpTypesToExcludeOutputQuantization=["Relu", "MaxPool", "Add"]),
    "axes": _with(QDQOpTypePerChannelSupportToAxis={"MatMul": 1, "Gemm": 1, "Conv": 0}),
    "contributed": _with(UseQDQContribOps=True),
    "convolutions only": Setting(more={"op_types_to_quantize": ["Conv", "Gemm"]}),
    "matrices only": Setting(I8, more={"op_types_to_quantize": ["MatMul", "Gemm"]}),
    "int4 weights": Setting(I8, I4),
    "uint4 weights": Setting(U8, U4, per_channel=False),
    "int4, pairs at weights": _with(U8, I4, AddQDQPairToWeight=True),
    "uint4, pairs at weights": _with(I8, U4, AddQDQPairToWeight=True),
    "int16": Setting(I16, I8),
    "int16 symmetric": Setting(I16, I16, extra={"ActivationSymmetric": True}),
    "uint16, pairs at weights": _with(U16, U8, AddQDQPairToWeight=True),
    "uint16 contributed": _with(U16, U8, UseQDQContribOps=True),
    "int16, int4 weights": Setting(I16, I4),
    "operators": Setting(I8, I8, form=_Q),
    "operators uint8": Setting(U8, U8, form=_Q),
    "operators asymmetric": Setting(form=_Q, extra={"WeightSymmetric": False}),
    "operators forced": Setting(form=_Q, extra={"ForceQuantizeNoInputCheck": True}),
    "operators, constant factors": Setting(form=_Q, extra={"MatMulConstBOnly": True}),
}


def _convolutions(net: Net) -> str:
    """Depthwise layers, a residual sum, pools, a join, a gate and a Softmax."""
    x = net.add("Relu", net.batch_norm(net.conv("x", 3, 8, strides=[2, 2]), 8))
    d = net.add("Clip", net.conv(x, 8, 8, group=8), net.const(0.0), net.const(6.0))
    x = net.add("Add", net.conv(d, 8, 8, size=1, pad=0), x)
    y = net.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    y = net.add("Mul", y, net.add("Sigmoid", y))
    z = net.add("HardSwish", net.conv(x, 8, 4))
    x = net.add("Concat", y, net.add("AveragePool", z, kernel_shape=[2, 2], strides=[2, 2]), axis=1)
    gate = net.conv(net.add("GlobalAveragePool", x), 12, 12, size=1, pad=0)
    x = net.add("Mul", x, net.add("Sigmoid", gate))
    x = net.add("Flatten", net.add("GlobalAveragePool", net.add("Relu", x)))
    return net.add("Softmax", net.add("Gemm", x, net.random(12, 5), net.random(5)), axis=-1)


def _matrices(net: Net) -> str:
    """Products, one of two activations, a normalization, functions."""
    x = net.add("Reshape", "x", net.const([1, 18, 24], np.int64))
    q, k = (net.add("Add", net.add("MatMul", x, net.random(24, 8)), net.random(8)) for _ in "qk")
    scores = net.add("MatMul", q, net.add("Transpose", k, perm=[0, 2, 1]))
    weights = net.add("Softmax", net.add("Mul", scores, net.const(0.05)), axis=-1)
    x = net.add("Add", net.add("MatMul", weights, q), k)
    x = net.add("LayerNormalization", x, net.random(8, low=0.5), net.random(8))
    x = net.add("Tanh", net.add("LeakyRelu", net.add("MatMul", x, net.random(8, 4)), alpha=0.1))
    return net.add("Gemm", net.add("Flatten", x), net.random(3, 72), transB=1)


def _others(net: Net) -> str:
    """A cell that is read at its end, a transposed convolution, movement, a difference."""
    x = net.add("PRelu", net.conv("x", 3, 4), net.random(4, 1, 1, low=0.0))
    x = net.add("ConvTranspose", x, net.random(4, 4, 2, 2), strides=[2, 2])
    axes = net.const([1], np.int64)
    places = [net.const([k], np.int64) for k in (0, 2, 4)]
    a, b = (net.add("Slice", x, places[k], places[k + 1], axes) for k in (0, 1))
    x = net.add("Pad", net.add("Sub", a, b), net.const([0, 0, 1, 1, 0, 0, 0, 0], np.int64))
    x = net.add("AveragePool", x, kernel_shape=[25, 1])
    x = net.add("Reshape", x, net.const([2, 1, 25], np.int64))
    cell = [net.random(1, 24, 25), net.random(1, 24, 6)]
    x = net.add("LSTM", x, *cell, hidden_size=6)
    x = net.add(
        "Reshape", net.add("Gather", x, net.const(-1, np.int64)), net.const([1, 6], np.int64)
    )
    return net.add("Gemm", x, net.random(6, 3))


NETWORKS: dict[str, Callable[[Net], str]] = {
    "convolutions": _convolutions,
    "matrices": _matrices,
    "others": _others,
}


class _Samples(CalibrationDataReader):
    def __init__(self, samples: np.ndarray) -> None:
        self._rest = iter(samples)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """One sample."""
        sample = next(self._rest, None)
        return None if sample is None else {"x": sample[None]}


def _quantized(net: Net, output: str, setting: Setting, folder: Path) -> Path:
    path = folder / "quantized.onnx"
    wide = {I4, U4, I16, U16} & {setting.weights, setting.activations}
    net.opset = 21 if wide else 17
    model = net.model(output)
    logging.disable(logging.WARNING)
    quantize_static(
        model,
        str(path),
        _Samples(net.samples(8)),
        quant_format=setting.form,
        per_channel=setting.per_channel,
        activation_type=setting.activations,
        weight_type=setting.weights,
        extra_options=setting.extra,
        **setting.more,
    )
    logging.disable(logging.NOTSET)
    return path


def _off(path: Path, samples: np.ndarray) -> tuple[dict[str, int], int]:
    """Layers further from the runtime's integers than they may be; how many were compared."""
    request = Request(path, TARGET)
    _, floating = pipeline.simplify(request)
    grids = pipeline.quantize(request, floating).grids.graph
    graph = attention_in_parts(lower(grids, None).whole)
    data = Data({graph.inputs[0].name: samples}, len(samples))
    ours = QuantizedLayers(graph)
    feeds = dict(boundary_inputs(graph, data))
    ours.update(feeds, {}, ModelRuntime(path, graph).values(data))
    allowed = tolerances_of(graph)
    found = ours.result()
    steps = {name: layer.max_lsb or 0 for name, layer in found.items()}
    return {n: lsb for n, lsb in steps.items() if lsb > allowed[n].lsb}, len(found)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("setting", SETTINGS)
def test_read_to_the_bit(setting: str, network: str, tmp_path: Path) -> None:
    """Without calibration; every layer within a step of the runtime's on the same input."""
    net = Net((1, 3, 12, 12), seed=7)
    path = _quantized(net, NETWORKS[network](net), SETTINGS[setting], tmp_path)
    off, compared = _off(path, net.samples(3))
    assert {} == off
    assert compared >= 1


@pytest.mark.parametrize(
    "override",
    [
        {"relu2": {"quant_type": U8, "convert": {"quant_type": I16}}},
        {"conv5": {"quant_type": I16}},
        {"c10": {"quant_type": I4, "axis": 0, "symmetric": True}},
    ],
)
def test_tensors_of_types_of_their_own(override: dict[str, Any], tmp_path: Path) -> None:
    """TensorQuantOverrides: of an activation, with a conversion, and of weights."""
    net = Net((1, 3, 12, 12), seed=7)
    output = _convolutions(net)
    names = {node.output[0] for node in net.nodes} | {name.name for name in net.constants}
    assert override.keys() <= names
    asked = {name: [each] for name, each in override.items()}
    setting = _with(TensorQuantOverrides=asked)
    off, compared = _off(_quantized(net, output, setting, tmp_path), net.samples(3))
    assert {} == off
    assert compared > 10


def test_affine_steps_are_compared_one_by_one(tmp_path: Path) -> None:
    """Each is a layer between views, which hide none of what the runtime shows."""
    net = Net((1, 8), seed=7)
    scaled = net.add("Mul", net.add("Sigmoid", "x"), net.random(8))
    output = net.add("Sigmoid", net.add("Add", scaled, net.random(8)))
    path = _quantized(net, output, SETTINGS["int16"], tmp_path)
    assert ({}, 4) == _off(path, net.samples(3))


def test_islands_of_16_bits(tmp_path: Path, host_gcc: str) -> None:
    """What has no form in int16 is float32 between conversions from and to it; bytes are equal."""
    net = Net((1, 3, 12, 12), seed=7)
    path = _quantized(net, _convolutions(net), SETTINGS["int16"], tmp_path)
    planned = pipeline.plan(Request(path, TARGET))
    kernels = {step.kernel.function for step in planned.plan.program.steps}
    assert {"mplan_quantize_wide_f32", "mplan_dequantize_wide_f32", "mplan_conv2d_s16"} <= kernels
    evidence = verify(planned, planned.request, Wanted("net", on=("host",)))
    assert evidence.verifications[0].equal_to_reference
    assert [] == [finding for finding in evidence.findings if finding.severity == "error"]


def test_a_row_that_is_a_query_and_a_value(tmp_path: Path) -> None:
    """No plan lets the mean take the bytes of a row that later rows read as a value."""
    net = Net((1, 3, 12, 12), seed=7)
    path = _quantized(net, _matrices(net), SETTINGS["int8"], tmp_path)
    planned = pipeline.plan(Request(path, TARGET))
    attention = [n for n in planned.integer.nodes if n.op.label == "Attention"]
    assert [2] == [len(set(node.inputs)) for node in attention]
