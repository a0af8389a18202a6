# SPDX-License-Identifier: Apache-2.0
"""Convolutional networks for small images, trained with numpy alone and written as ONNX.

A network is a list of `Layer`: convolutions of 1x1 or 3x3, each with BatchNormalization and ReLU,
some depthwise, some with a sum; then the mean of each channel, or all pixels, and one dense layer.
Images are ``[n, rows, columns, channels]``; weights are as ONNX has them, ``[out, in, 3, 3]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.lib.stride_tricks import sliding_window_view
from onnx import TensorProto, helper, numpy_helper

__all__ = ["Layer", "Network", "Settings", "fit", "to_onnx"]

Array = np.ndarray
_MOMENTUM, _EPSILON = 0.9, 1e-5


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution with BatchNormalization and ReLU; depthwise keeps its channels.

    Attributes:
        channels: of its output.
        kernel: 1 or 3.
        stride: 1 or 2.
        depthwise: one filter a channel.
        adds: whether the input of the layer before is added before ReLU.
    """

    channels: int
    kernel: int = 3
    stride: int = 1
    depthwise: bool = False
    adds: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """How long and how fast to train."""

    epochs: int
    seed: int
    batch: int = 64
    rate: float = 6e-3
    decay: float = 1e-4
    smoothing: float = 0.05


@dataclass(slots=True)
class _Convolution:
    """Weights of a layer, and what its backward pass needs of the forward one."""

    layer: Layer
    weights: Array
    gain: Array
    shift: Array
    mean: Array
    variance: Array
    kept: dict[str, Array] = field(default_factory=dict)

    def forward(self, x: Array, added: Array | None, *, training: bool) -> Array:
        y = self._sums(x)
        mean, variance = self.mean, self.variance
        if training:
            mean, variance = y.mean((0, 1, 2)), y.var((0, 1, 2))
            self.mean += (1 - _MOMENTUM) * (mean - self.mean)
            self.variance += (1 - _MOMENTUM) * (variance - self.variance)
        factor = 1 / np.sqrt(variance + _EPSILON)
        normal = (y - mean) * factor
        y = normal * self.gain + self.shift
        if added is not None:
            y += added
        self.kept |= {"normal": normal, "factor": factor, "on": y > 0}
        return np.maximum(y, 0)

    def backward(self, grad: Array) -> tuple[Array, Array, list[Array]]:
        """Gradients of the input, of what was added, and of weights, gain and shift."""
        grad = grad * self.kept["on"]
        normal, count = self.kept["normal"], grad.size // grad.shape[-1]
        gain, shift = (grad * normal).sum((0, 1, 2)), grad.sum((0, 1, 2))
        inner = (grad - shift / count - normal * (gain / count)) * (self.gain * self.kept["factor"])
        source, weights = self._back(inner)
        return source, grad, [weights, gain, shift]

    def _windows(self, x: Array) -> Array:
        """``[n, rows, columns, channels, kernel, kernel]`` of a padded input."""
        size, stride = self.layer.kernel, self.layer.stride
        pad = size // 2
        padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0))) if pad else x
        windows: Array = sliding_window_view(padded, (size, size), (1, 2))
        return windows[:, ::stride, ::stride]

    def _sums(self, x: Array) -> Array:
        self.kept |= {"x": x}
        windows, size = self._windows(x), self.layer.kernel
        if self.layer.depthwise:
            pairs = [(i, j) for i in range(size) for j in range(size)]
            return sum(windows[..., i, j] * self.weights[:, 0, i, j] for i, j in pairs)
        columns = windows.reshape(*windows.shape[:3], -1)
        self.kept |= {"columns": columns}
        return columns @ self.weights.reshape(len(self.weights), -1).T

    def _back(self, grad: Array) -> tuple[Array, Array]:
        x, size, stride = self.kept["x"], self.layer.kernel, self.layer.stride
        pad, weights = size // 2, np.zeros_like(self.weights)
        whole = np.zeros((len(x), x.shape[1] + 2 * pad, x.shape[2] + 2 * pad, x.shape[3]), x.dtype)
        if self.layer.depthwise:
            windows = self._windows(x)
        else:
            flat, columns = grad.reshape(-1, grad.shape[-1]), self.kept["columns"]
            weights = (flat.T @ columns.reshape(len(flat), -1)).reshape(self.weights.shape)
            spread = (flat @ self.weights.reshape(len(self.weights), -1)).reshape(
                *grad.shape[:3], x.shape[3], size, size
            )
        rows, columns_ = (stride * n for n in grad.shape[1:3])
        for i in range(size):
            for j in range(size):
                if self.layer.depthwise:
                    weights[:, 0, i, j] = (grad * windows[..., i, j]).sum((0, 1, 2))
                    part = grad * self.weights[:, 0, i, j]
                else:
                    part = spread[..., i, j]
                whole[:, i : i + rows : stride, j : j + columns_ : stride] += part
        inner = whole[:, pad : pad + x.shape[1], pad : pad + x.shape[2]]
        return inner, weights


@dataclass(slots=True)
class Network:
    """Convolutions and a dense layer ``[classes, inputs]``; ``flat``: that reads all pixels."""

    convolutions: list[_Convolution]
    dense: Array
    bias: Array
    flat: bool

    @classmethod
    def of(
        cls,
        shape: tuple[int, int, int],
        layers: Sequence[Layer],
        classes: int,
        flat: bool,
        seed: int,
    ) -> Network:
        """A network that was never trained.

        Args:
            shape: rows, columns and channels of an image.
            layers: one at least.
            classes: what there is to tell apart.
            flat: whether the dense layer reads all pixels, and not the mean of each channel.
            seed: of the weights.
        """
        random, made = np.random.default_rng(seed), []
        rows, columns, channels = shape
        for layer in layers:
            inputs = 1 if layer.depthwise else channels
            size = (layer.channels, inputs, layer.kernel, layer.kernel)
            weights = random.standard_normal(size, np.float32)
            weights *= np.float32((2 / (inputs * layer.kernel**2)) ** 0.5)
            ones = np.ones(layer.channels, np.float32)
            zeros = np.zeros(layer.channels, np.float32)
            made.append(_Convolution(layer, weights, ones, zeros, zeros.copy(), ones.copy()))
            rows, columns = -(-rows // layer.stride), -(-columns // layer.stride)
            channels = layer.channels
        inputs = channels * rows * columns if flat else channels
        dense = random.standard_normal((classes, inputs), np.float32) * np.float32(inputs**-0.5)
        return cls(made, dense, np.zeros(classes, np.float32), flat)

    def parameters(self) -> list[Array]:
        """What training changes, in place."""
        each = [[c.weights, c.gain, c.shift] for c in self.convolutions]
        return [array for arrays in each for array in arrays] + [self.dense, self.bias]

    def forward(self, x: Array, *, training: bool = False) -> tuple[Array, Array]:
        """Scores of each class, and what the dense layer read."""
        before = x
        for convolution in self.convolutions:
            added = before if convolution.layer.adds else None
            before, x = x, convolution.forward(x, added, training=training)
        # ONNX flattens channel by channel
        features = x.transpose(0, 3, 1, 2).reshape(len(x), -1) if self.flat else x.mean((1, 2))
        return features @ self.dense.T + self.bias, features

    def backward(self, grad: Array, features: Array, shape: tuple[int, ...]) -> list[Array]:
        """Gradients of the parameters; ``shape`` is that of the last convolution's output."""
        last = [grad.T @ features, grad.sum(0)]
        spread = grad @ self.dense
        if self.flat:
            back = spread.reshape(len(grad), shape[3], *shape[1:3]).transpose(0, 2, 3, 1)
        else:
            back = np.broadcast_to(spread[:, None, None] / (shape[1] * shape[2]), shape)
        made: list[list[Array]] = []
        pending: Array | None = None  # for the input of the layer before
        for convolution in reversed(self.convolutions):
            source, added, own = convolution.backward(back)
            made.insert(0, own)
            back = source if pending is None else source + pending
            pending = added if convolution.layer.adds else None
        return [array for arrays in made for array in arrays] + last


def moved(images: Array, random: np.random.Generator) -> Array:
    """Images turned (up to 12 degrees), stretched (10 %) and moved (0.6 pixel) at random."""
    count, rows, columns, _ = images.shape
    draw = random.uniform(-1, 1, (count, 5)).astype(np.float32)
    angle, high, wide = 0.21 * draw[:, 0], 1 + 0.1 * draw[:, 1], 1 + 0.1 * draw[:, 2]
    y, x = np.mgrid[:rows, :columns].astype(np.float32).reshape(2, -1)
    y, x = y - (rows - 1) / 2, x - (columns - 1) / 2
    cos, sin = np.cos(angle), np.sin(angle)
    down = np.outer(cos * high, y) + np.outer(sin * high, x) + 0.6 * draw[:, 3:4] + (rows - 1) / 2
    right = (
        np.outer(cos * wide, x) - np.outer(sin * wide, y) + 0.6 * draw[:, 4:] + (columns - 1) / 2
    )
    padded, each = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0))), np.arange(count)[:, None]
    top, left = np.floor(down).clip(-2, rows), np.floor(right).clip(-2, columns)
    part = [(down - top).clip(0, 1)[..., None], (right - left).clip(0, 1)[..., None]]
    found = np.zeros((count, rows * columns, images.shape[3]), np.float32)
    for i in (0, 1):
        for j in (0, 1):
            weight = (part[0] if i else 1 - part[0]) * (part[1] if j else 1 - part[1])
            found += weight * padded[each, (top + 2 + i).astype(int), (left + 2 + j).astype(int)]
    return found.reshape(images.shape).astype(np.float32)


def fit(network: Network, images: Array, labels: Array, settings: Settings) -> None:
    """Train in place with Adam and a rate that rises and falls once; images are moved a little."""
    random, updates = np.random.default_rng(settings.seed), len(images) // settings.batch
    parameters = network.parameters()
    first, second = ([np.zeros_like(p) for p in parameters] for _ in range(2))
    total, classes = settings.epochs * updates, len(network.bias)
    for update in range(total):
        if update % updates == 0:
            order = random.permutation(len(images))
        start = update % updates * settings.batch
        chosen = order[start : start + settings.batch]
        logits, features = network.forward(moved(images[chosen], random), training=True)
        wanted = np.eye(classes, dtype=np.float32)[labels[chosen]]
        wanted = wanted * (1 - settings.smoothing) + settings.smoothing / classes
        grad = (_softmax(logits) - wanted) / len(chosen)
        shape = network.convolutions[-1].kept["on"].shape
        part = (update + 1) / total
        rate = settings.rate * (
            part / 0.25 if part < 0.25 else 0.5 + 0.5 * np.cos(np.pi * (part - 0.25) / 0.75)
        )
        for i, step in enumerate(network.backward(grad, features, shape)):
            first[i] += 0.1 * (step - first[i])
            second[i] += 0.01 * (step * step - second[i])
            mean, square = (
                first[i] / (1 - 0.9 ** (update + 1)),
                second[i] / (1 - 0.99 ** (update + 1)),
            )
            decay = settings.decay * parameters[i] if parameters[i].ndim > 1 else 0
            parameters[i] -= np.float32(rate) * (mean / (np.sqrt(square) + 1e-8) + decay)


def _softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def score(network: Network, images: Array, labels: Array) -> tuple[float, float]:
    """Share of images that are named rightly, and mean cross-entropy."""
    logits, _ = network.forward(images)
    right = _softmax(logits)[np.arange(len(labels)), labels]
    return float((logits.argmax(1) == labels).mean()), float(-np.log(right + 1e-9).mean())


def to_onnx(network: Network, shape: tuple[int, int, int]) -> onnx.ModelProto:
    """The network with BatchNormalization in its weights, for one image in NCHW."""
    nodes, constants, before, x = [], [], "input", "input"
    for number, one in enumerate(network.convolutions):
        factor, layer = one.gain / np.sqrt(one.variance + _EPSILON), one.layer
        weights = one.weights * factor[:, None, None, None]
        arrays = {f"w{number}": weights, f"b{number}": one.shift - one.mean * factor}
        constants += [numpy_helper.from_array(a.astype(np.float32), n) for n, a in arrays.items()]
        pads = [layer.kernel // 2] * 4
        settings = {"pads": pads, "strides": [layer.stride] * 2}
        settings |= {"group": layer.channels} if layer.depthwise else {}
        nodes.append(helper.make_node("Conv", [x, *arrays], [f"conv{number}"], **settings))
        y = f"conv{number}"
        if layer.adds:
            nodes.append(helper.make_node("Add", [y, before], [f"add{number}"]))
            y = f"add{number}"
        nodes.append(helper.make_node("Relu", [y], [f"relu{number}"]))
        before, x = x, f"relu{number}"
    if not network.flat:
        nodes.append(helper.make_node("GlobalAveragePool", [x], ["mean"]))
        x = "mean"
    nodes.append(helper.make_node("Flatten", [x], ["flat"]))
    nodes.append(helper.make_node("Gemm", ["flat", "w", "b"], ["logits"], transB=1))
    pairs = {"w": network.dense, "b": network.bias}
    constants += [numpy_helper.from_array(array, name) for name, array in pairs.items()]
    ports = {"input": (1, shape[2], *shape[:2]), "logits": (1, len(network.bias))}
    infos = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in ports.items()]
    graph = helper.make_graph(nodes, "digits", infos[:1], infos[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
