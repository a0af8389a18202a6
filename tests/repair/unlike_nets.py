# SPDX-License-Identifier: Apache-2.0
"""Classifiers of digits that need a scale for each channel where int8 has one for all.

Random features as in `feature_nets`; the last layer is fitted, and may make more than scores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from nets import run_onnx
from repair.feature_nets import ROOT, FeatureNet, fitted, labelled

from mcuplan.ir.types import Array

__all__ = ["CLASSES", "UNLIKE", "Unlike", "unlike"]

CLASSES = 10
_DATA = ROOT / "models" / "digits_dscnn"
_MORE = 4  # values beside the scores, far wider
_PIXELS = 64


@dataclass(frozen=True, slots=True)
class Unlike:
    """A model, samples to calibrate on and others, with their labels."""

    model: onnx.ModelProto
    calibration: Array
    inputs: Array
    labels: Array

    @property
    def scores(self) -> Array:
        """Those of the float model."""
        (made,) = run_onnx(self.model, {"x": self.inputs})
        return made.reshape(len(made), -1)[:, :CLASSES]


def _plain(net: FeatureNet) -> str:
    """Two convolutions."""
    return net.last(net.relu(net.layer("x")))


def _columns() -> Array:
    """Units of the columns of a table: 1 to 10,000."""
    return np.exp(np.random.default_rng(3).uniform(0.0, np.log(10_000.0), _PIXELS))


def _halves() -> Array:
    """Every other column 10,000 times as wide."""
    return np.where(np.arange(_PIXELS) % 2, 10_000.0, 1.0)


def _means() -> Array:
    """Where the columns of a table lie: 20 to 60 of their units away from 0."""
    return _columns() * np.random.default_rng(5).uniform(20.0, 60.0, _PIXELS)


def _table(units: Array, means: Array | float = 0.0) -> Callable[[FeatureNet], str]:
    def make(net: FeatureNet) -> str:
        weights = net.rng.standard_normal((_PIXELS, _PIXELS)) / 4 / units[:, None]
        bias = net.rng.standard_normal(_PIXELS) - np.broadcast_to(means, _PIXELS) @ weights
        return net.relu(net.add("Gemm", "x", net.const(weights), net.const(bias)))

    return make


def _gates(net: FeatureNet) -> str:
    """Gates of a Sigmoid that are as small as 1/2,000 on some channels."""
    made = 2.0 ** -net.rng.integers(0, 12, 16)
    x = net.relu(net.layer("x"))
    gate = net.add("Sigmoid", net.layer(x, size=1, offset=np.log(made), read=2.0))
    return net.last(net.add("Mul", x, gate), read=made)


def _instances(net: FeatureNet) -> str:
    """InstanceNormalization over channels of 1/32 to 32."""
    ones, zeros = net.const(np.ones(16)), net.const(np.zeros(16))
    x = net.layer("x", made=net.powers())
    return net.last(net.relu(net.add("InstanceNormalization", x, ones, zeros)))


def _function(name: str, most: int) -> Callable[[FeatureNet], str]:
    """A function that is no multiple of itself around a depthwise layer, over unlike channels."""

    def applied(net: FeatureNet, x: str) -> str:
        if name == "Swish":
            return net.add("Mul", x, net.add("Sigmoid", x))
        return net.add(name, x)

    def make(net: FeatureNet) -> str:
        one, other = net.powers(most), net.powers(most)
        x = applied(net, net.layer("x", made=one))
        x = applied(net, net.layer(x, read=one / 2, made=other, depthwise=True))
        return net.last(x, read=other / 2)

    return make


_TABLES: Mapping[str, tuple[Array, Array | float]] = {
    "columns": (_columns(), 0.0),
    "halves": (_halves(), 0.0),
    "offsets": (_columns(), _means()),
}
"""Units and means of columns of inputs."""

UNLIKE: Mapping[str, Callable[[FeatureNet], str]] = {
    **{kind: _table(*table) for kind, table in _TABLES.items()},
    "heads": _plain,
    "outputs": _plain,
    "small gates": _gates,
    "instances": _instances,
    "swish": _function("Swish", 6),
    "gelu": _function("Gelu", 5),
    "hard swish": _function("HardSwish", 5),
    "little swish": _function("Swish", 3),
}


def unlike(kind: str) -> Unlike:
    """A net of `UNLIKE` with what it is fed."""

    def fed(images: Array) -> Array:
        if kind not in _TABLES:
            return images
        units, means = _TABLES[kind]
        return (images.reshape(-1, _PIXELS) * units + means).astype(np.float32)

    shape = (1, _PIXELS) if kind in _TABLES else (1, 1, 8, 8)
    net = FeatureNet(shape, seed=sum(map(ord, kind)), opset=20)
    features = UNLIKE[kind](net)
    weights, bias = fitted(net.model(features), fed)
    more = 30.0 * net.rng.standard_normal((len(weights), _MORE))
    zeros = np.zeros(_MORE)
    if kind == "heads":
        parts = ((weights, bias), (more, zeros))
        made = [net.add("Gemm", features, *map(net.const, part)) for part in parts]
        output = net.add("Concat", *made, axis=1)
    elif kind == "outputs":
        joined = np.hstack([weights, more]), np.hstack([bias, zeros])
        output = net.add("Gemm", features, *map(net.const, joined))
    else:
        output = net.add("Gemm", features, net.const(weights), net.const(bias))
    inputs, labels = labelled()
    calibration = np.load(_DATA / "calibration.npz")["input"]
    return Unlike(net.model(output), fed(calibration), fed(inputs), labels)
