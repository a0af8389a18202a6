# SPDX-License-Identifier: Apache-2.0
"""Classifiers of digits by random features: nets of many kinds, each with what costs int8 accuracy.

Weights are drawn with one seed; the last layer is fitted to half of the labelled samples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx
from nets import Net, run_onnx

from mcuplan.ir.types import Array

__all__ = ["FEATURES", "ROOT", "FeatureNet", "classifier", "fitted", "labelled"]

ROOT = Path(__file__).parents[2]
_DATA = ROOT / "models" / "digits_dscnn"
_FITTED = 250  # samples that the last layer is fitted to; the others are judged
_RIDGE = 0.2
_WIDTH = 16


class FeatureNet(Net):
    """Layers whose outputs are about as large as their inputs, unless factors are asked for."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._channels = {"x": 1}  # of what has other than the usual

    def layer(
        self, x: str, outputs: int = _WIDTH, size: int = 3, *, read: object = 1.0, **more: object
    ) -> str:
        """A convolution; ``read``: factors of its input channels, which it takes back.

        ``made``: factors of what it makes; ``offset``: what that is away from 0.
        """
        channels = self._channels.get(x, _WIDTH)
        made, offset = more.pop("made", 1.0), more.pop("offset", 0.1)
        depthwise = bool(more.pop("depthwise", False))
        inner = 1 if depthwise else channels
        weights = self.rng.standard_normal((outputs, inner, size, size))
        weights *= np.sqrt(2.0 / (inner * size * size)) * (2.0 if x == "x" else 1.0)
        own = np.broadcast_to(np.asarray(read, float), (channels,))
        weights /= own.reshape((-1, 1, 1, 1) if depthwise else (1, -1, 1, 1))
        far = np.broadcast_to(np.asarray(made, float), (outputs,))
        bias = self.rng.standard_normal(outputs) * 0.1 + np.asarray(offset, float)
        parts = self.const(weights * far.reshape(-1, 1, 1, 1)), self.const(bias * far)
        group = outputs if depthwise else 1
        convolved = self.add("Conv", x, *parts, pads=[size // 2] * 4, group=group, **more)
        self._channels[convolved] = outputs
        return convolved

    def join(self, *parts: str) -> str:
        """Channels side by side."""
        joined = self.add("Concat", *parts, axis=1)
        self._channels[joined] = sum(self._channels.get(part, _WIDTH) for part in parts)
        return joined

    def relu(self, x: str) -> str:
        """The positive part."""
        positive = self.add("Relu", x)
        self._channels[positive] = self._channels.get(x, _WIDTH)
        return positive

    def powers(self, most: int = 5, count: int = _WIDTH) -> Array:
        """Factors of 1 / 2 ** most to 2 ** most."""
        return 2.0 ** self.rng.integers(-most, most + 1, count)

    def last(self, x: str, *, read: object = 1.0) -> str:
        """A quarter of the pixels, in one row."""
        return self.add("Flatten", self.relu(self.layer(x, read=read, strides=[2, 2])))


def _massive(net: FeatureNet) -> str:
    """One channel of a residual stream 300 times as wide as what branches add to it."""
    wide = np.where(np.arange(_WIDTH) == 5, 300.0, 1.0)
    x = net.layer("x", made=wide)
    for _ in range(3):
        x = net.add("Add", x, net.layer(net.relu(net.layer(x, read=wide))))
    return net.last(net.relu(x), read=wide)


def _joined(net: FeatureNet) -> str:
    """A Concat of ranges of a fiftieth to 200."""
    narrow = net.add("Tanh", net.layer("x", made=0.01))
    parts = net.relu(net.layer("x")), narrow, net.layer("x", made=200.0)
    read = np.repeat([1.0, 0.02, 200.0], _WIDTH)
    return net.last(net.join(*parts), read=read)


def _sums(net: FeatureNet) -> str:
    """A map less its larger part, which others read, too."""
    base = net.layer("x", made=100.0)
    return net.last(net.relu(net.add("Sub", net.add("Add", base, net.layer("x")), base)))


def _centred(net: FeatureNet) -> str:
    """Pixels less their mean, which is far from 0."""
    x = net.layer("x", offset=100.0)
    return net.last(net.relu(net.add("Sub", x, net.add("GlobalAveragePool", x))))


def _relu6(net: FeatureNet) -> str:
    """Limits that one channel reaches, far beyond what others show."""
    wide = np.where(np.arange(_WIDTH) == 3, 8.0, 1 / 32)
    ends = net.const(0.0), net.const(6.0)
    x = net.add("Clip", net.layer("x", made=wide), *ends)
    x = net.add("Clip", net.layer(x, read=wide, made=wide, depthwise=True), *ends)
    return net.last(x, read=wide)


def _leaky(net: FeatureNet) -> str:
    """LeakyRelu over channels of 1/32 to 32, around a depthwise layer."""
    one, other = net.powers(), net.powers()
    x = net.add("LeakyRelu", net.layer("x", made=one), alpha=0.1)
    x = net.layer(x, read=one, made=other, depthwise=True)
    return net.last(net.add("LeakyRelu", x, alpha=0.1), read=other)


def _dead(net: FeatureNet) -> str:
    """A depthwise layer some channels of which are constant, far from 0."""
    dead = np.arange(_WIDTH) % 3 == 0
    far = np.where(dead, net.rng.uniform(20, 60, _WIDTH), 0.1)
    x, silent = net.relu(net.layer("x")), np.where(dead, 1e6, 1.0)
    return net.last(net.relu(net.layer(x, read=silent, offset=far, depthwise=True)))


def _sparse(net: FeatureNet) -> str:
    """Means of maps that are 0 nearly everywhere."""
    x = net.relu(net.layer("x", 32, 5, offset=-1.0))
    x = net.relu(net.layer(x, 128, offset=-0.5))
    return net.add("Flatten", net.add("GlobalAveragePool", x))


def _normalized(net: FeatureNet) -> str:
    """LayerNormalization with gains of 1/32 to 32, in a residual stream of rows."""
    x = net.add("Reshape", "x", net.const([1, 8, 8], np.int64))
    x = net.add("MatMul", x, net.const(net.rng.standard_normal((8, _WIDTH))))
    for _ in range(2):
        gains = net.powers()
        own = net.add("LayerNormalization", x, net.const(gains), net.const(0.1 * gains), axis=-1)
        weights = net.rng.standard_normal((_WIDTH, _WIDTH)) / np.sqrt(_WIDTH) / gains[:, None]
        x = net.add("Add", x, net.relu(net.add("MatMul", own, net.const(weights))))
    return net.add("Flatten", x)


def _attention(net: FeatureNet) -> str:
    """Scores of 20 times the usual, so that a softmax chooses."""
    x = net.add("Reshape", "x", net.const([1, 8, 8], np.int64))
    x = net.add("MatMul", x, net.const(net.rng.standard_normal((8, _WIDTH))))
    x = net.add("Add", x, net.const(net.rng.standard_normal((1, 8, _WIDTH))))
    scale = 1 / np.sqrt(_WIDTH)
    q, k, v = (
        net.add("MatMul", x, net.const(g * scale * net.rng.standard_normal((_WIDTH, _WIDTH))))
        for g in (20.0, 1.0, 1.0)
    )
    scores = net.add("MatMul", q, net.add("Transpose", k, perm=[0, 2, 1]))
    chosen = net.add("Softmax", net.add("Mul", scores, net.const(scale)), axis=-1)
    return net.add("Flatten", net.add("Add", x, net.add("MatMul", chosen, v)))


def _growing(net: FeatureNet) -> str:
    """Residual blocks each of which makes the stream wider."""
    x = net.relu(net.layer("x"))
    for k in range(4):
        x = net.add("Add", x, net.layer(net.relu(net.layer(x)), made=1.6**k))
    return net.last(x)


def _hard_swish(net: FeatureNet) -> str:
    """HardSwish around a depthwise layer, and gates of a HardSigmoid."""
    x = net.add("HardSwish", net.layer("x"))
    x = net.add("HardSwish", net.layer(x, depthwise=True))
    gate = net.layer(net.add("GlobalAveragePool", x), size=1)
    return net.last(net.add("Mul", x, net.add("HardSigmoid", gate, alpha=1 / 6, beta=0.5)))


def _gates(net: FeatureNet) -> str:
    """Squeeze and excitation: sigmoid gates of channels, twice."""
    x = net.relu(net.layer("x"))
    for _ in range(2):
        gate = net.relu(net.layer(net.add("GlobalAveragePool", x), size=1, read=0.25))
        x = net.add("Mul", x, net.add("Sigmoid", net.layer(gate, size=1, read=0.2)))
        x = net.relu(net.layer(x))
    return net.last(x)


def _windows(net: FeatureNet) -> str:
    """1-D convolutions over rows, with channels of 1/32 to 32."""
    x, read, channels = net.add("Reshape", "x", net.const([1, 8, 8], np.int64)), np.ones(8), 8
    for groups in (1, 16):
        made = net.powers()
        weights = net.rng.standard_normal((_WIDTH, channels // groups, 3)) * made[:, None, None]
        weights /= read.reshape((1, -1, 1) if groups == 1 else (-1, 1, 1))
        bias = net.const(0.1 * made * net.rng.standard_normal(_WIDTH))
        conv = net.add("Conv", x, net.const(weights / 2), bias, pads=[1, 1], group=groups)
        x, read, channels = net.relu(conv), made, _WIDTH
    return net.add("Flatten", x)


def _parted(net: FeatureNet) -> str:
    """Channels of 1/32 to 32 taken apart; half of them go another way, at twice the size."""
    made, other = net.powers(count=2 * _WIDTH), net.powers()
    x = net.relu(net.layer("x", 2 * _WIDTH, made=made, strides=[2, 2]))
    halves = [
        net.add("Slice", x, *(net.const([n], np.int64) for n in (at, at + _WIDTH, 1)))
        for at in (0, _WIDTH)
    ]
    deep = net.relu(net.layer(halves[1], read=made[_WIDTH:], made=other))
    sizes = net.const([1, 1, 2, 2])
    parts = [net.add("Resize", part, "", sizes, mode="linear") for part in (halves[0], deep)]
    return net.last(net.join(*parts), read=np.concatenate([made[:_WIDTH], other]))


def _transposed(net: FeatureNet) -> str:
    """A transposed convolution between channels of 1/32 to 32."""
    one, other = net.powers(), net.powers()
    x = net.relu(net.layer("x", made=one, strides=[2, 2]))
    weights = net.rng.standard_normal((_WIDTH, _WIDTH, 2, 2)) / np.sqrt(_WIDTH)
    weights *= other.reshape(1, -1, 1, 1) / one.reshape(-1, 1, 1, 1)
    grown = net.add("ConvTranspose", x, net.const(weights), strides=[2, 2])
    return net.last(net.relu(grown), read=other)


def _cells(net: FeatureNet) -> str:
    """A GRU over rows, every one of whose outputs is read."""
    x = net.add("Reshape", "x", net.const([8, 1, 8], np.int64))
    weights, again = net.rng.standard_normal((1, 48, 8)), net.rng.standard_normal((1, 48, 16)) / 5
    made = net.add("GRU", x, net.const(weights), net.const(again), hidden_size=16)
    return net.add("Flatten", net.add("Transpose", made, perm=[1, 0, 2, 3]))


FEATURES: Mapping[str, object] = {
    "massive": _massive,
    "joined": _joined,
    "sums": _sums,
    "centred": _centred,
    "relu6": _relu6,
    "leaky": _leaky,
    "dead": _dead,
    "sparse": _sparse,
    "normalized": _normalized,
    "windows": _windows,
    "transposed": _transposed,
    "parted": _parted,
    "attention": _attention,
    "growing": _growing,
    "hard swish": _hard_swish,
    "gates": _gates,
    "cells": _cells,
}
"""What makes features of an image [1,1,8,8], by kind."""


def labelled() -> tuple[Array, Array]:
    """Samples that no last layer has seen, with their labels."""
    held = np.load(_DATA / "test.npz")
    return held["input"][_FITTED:], held["labels"][_FITTED:]


def fitted(features: onnx.ModelProto, fed: Callable[[Array], Array]) -> tuple[Array, Array]:
    """Weights [features, classes] and bias that tell digits by features, by least squares.

    ``fed``: what the model is fed for images.
    """
    held = np.load(_DATA / "test.npz")
    (seen,) = run_onnx(features, {"x": fed(held["input"][:_FITTED])})
    seen = seen.reshape(_FITTED, -1).astype(np.float64)
    wide = np.maximum(spread := seen.std(axis=0), 0.3 * np.median(spread[spread > 0]))
    unit = (seen - seen.mean(axis=0)) / wide
    wanted = 2.0 * np.eye(10)[held["labels"][:_FITTED]] - 1
    normal = unit.T @ unit + _RIDGE * len(unit) * np.eye(unit.shape[1])
    weights = np.linalg.solve(normal, unit.T @ (wanted - wanted.mean(axis=0))) / wide[:, None]
    return weights, wanted.mean(axis=0) - seen.mean(axis=0) @ weights


def classifier(kind: str) -> onnx.ModelProto:
    """Features of a kind, and a last layer fitted by least squares."""
    net, make = FeatureNet((1, 1, 8, 8), seed=sum(map(ord, kind))), FEATURES[kind]
    assert callable(make)
    features = make(net)
    weights, bias = fitted(net.model(features), np.asarray)
    return net.model(net.add("Gemm", features, net.const(weights), net.const(bias)))
