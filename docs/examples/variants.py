# SPDX-License-Identifier: Apache-2.0
"""A thousand networks of the kinds that run on microcontrollers, the same in every run.

``python docs/examples/variants.py FOLDER`` writes them as ONNX files, with ``variants.csv`` beside
them. Depths, widths and images come from a sequence that fills its space evenly, so that any forty
in a row are as different as all of them: the first and the last thousand rows of a sweep ask for
alike work. Weights are random; needs onnx and numpy.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

__all__ = ["MOST_LAYERS", "Variant", "variants"]

MOST_LAYERS = 30
_SEED = 15
_CLASSES = (2, 4, 10, 12)
_Draw = Callable[[int, int], int]


@dataclass(frozen=True, slots=True)
class Variant:
    """A model with what it is called and made of; ``layers`` counts what has a kernel."""

    name: str
    layers: int
    model: onnx.ModelProto


@dataclass(slots=True)
class _Net:
    """Nodes one after the other, every convolution with He-scaled weights."""

    random: np.random.Generator
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)
    layers: int = 0

    def add(self, kind: str, *inputs: str, **attributes: object) -> str:
        name = f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name, **attributes))
        return name

    def constant(self, *shape: int, scale: float) -> str:
        values = self.random.standard_normal(shape, np.float32) * np.float32(scale)
        self.constants.append(numpy_helper.from_array(values, f"w{len(self.constants)}"))
        return self.constants[-1].name

    def conv(
        self,
        x: str,
        channels: tuple[int, int],
        kernel: tuple[int, int] = (3, 3),
        stride: int = 1,
        relu: str = "Relu",
    ) -> str:
        """Padded; depthwise where ``channels`` says so with 0 inputs."""
        inputs, outputs = channels
        groups, each = (outputs, 1) if inputs == 0 else (1, inputs)
        scale = (2 / (each * kernel[0] * kernel[1])) ** 0.5
        weights = self.constant(outputs, each, *kernel, scale=scale)
        bias = self.constant(outputs, scale=0.1)
        pads = [(size - 1) // 2 for size in kernel] + [size // 2 for size in kernel]
        made = self.add("Conv", x, weights, bias, group=groups, pads=pads, strides=[stride, stride])
        self.layers += 1
        if relu == "Clip":
            return self.add("Clip", made, *self.limits())
        return self.add(relu, made) if relu else made

    def limits(self) -> tuple[str, str]:
        """Of ReLU6, one pair for the whole net."""
        names = [tensor.name for tensor in self.constants]
        for name, value in (("low", 0.0), ("high", 6.0)):
            if name not in names:
                self.constants.append(numpy_helper.from_array(np.float32(value), name))
        return "low", "high"

    def sum(self, x: str, y: str) -> str:
        self.layers += 1
        return self.add("Add", x, y)

    def classified(self, x: str, channels: int, classes: int) -> str:
        flat = self.add("Flatten", self.add("GlobalAveragePool", x))
        weights = self.constant(classes, channels, scale=channels**-0.5)
        self.layers += 2
        return self.add("Gemm", flat, weights, self.constant(classes, scale=0.1), transB=1)

    def model(
        self, name: str, shape: tuple[int, ...], output: str, classes: int
    ) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            name,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, (1, classes))],
            self.constants,
        )
        opset = helper.make_opsetid("", 17)
        return helper.make_model(graph, opset_imports=[opset], ir_version=8)


def _wide(base: int, factor: float) -> int:
    """Channels, a multiple of 4 as kernels like them."""
    return max(4, round(base * factor / 4) * 4)


def _mobilenet(net: _Net, draw: _Draw, classes: int) -> tuple[tuple[int, ...], str]:
    """Separable convolutions, halved four times (Howard et al. 2017)."""
    size, factor = 32 + 16 * draw(2, 5), (1 + draw(3, 8)) / 16
    shape = (1, 1 + 2 * draw(4, 2), size, size)
    channels = _wide(32, factor)
    x = net.conv("input", (shape[1], channels), stride=2)
    most = 6 + draw(1, 8)
    for block in range(most):
        halved = block in (1, 3, 5) or block == most - 2 > 6
        wider = min(_wide(64 * 2 ** ((block + 1) // 2), factor), _wide(512, factor))
        x = net.conv(x, (0, channels), stride=2 if halved else 1)
        x, channels = net.conv(x, (channels, wider), (1, 1)), wider
    return shape, net.classified(x, channels, classes)


def _inverted(net: _Net, draw: _Draw, classes: int) -> tuple[tuple[int, ...], str]:
    """Wide between narrow, with sums of what is narrow (Sandler et al. 2018)."""
    size, factor = 32 + 16 * draw(2, 5), (2 + draw(3, 7)) / 16
    shape, grown = (1, 3, size, size), 2 + draw(4, 4)
    channels = _wide(32, factor)
    x = net.conv("input", (3, channels), stride=2, relu="Clip")
    for block in range(3 + draw(1, 5)):
        stride = 2 if block in (1, 3, 5) else 1
        wider, wide = _wide(16 + 12 * block, factor), channels * grown
        if stride == 1 and block:
            wider = channels
        y = net.conv(x, (channels, wide), (1, 1), relu="Clip")
        y = net.conv(y, (0, wide), stride=stride, relu="Clip")
        y = net.conv(y, (wide, wider), (1, 1), relu="")
        x = net.sum(x, y) if stride == 1 and wider == channels else y
        channels = wider
    x, last = net.conv(x, (channels, 4 * channels), (1, 1), relu="Clip"), 4 * channels
    return shape, net.classified(x, last, classes)


def _dscnn(net: _Net, draw: _Draw, classes: int) -> tuple[tuple[int, ...], str]:
    """Keywords: frames of coefficients (Zhang et al. 2017)."""
    frames, coefficients = 25 + 12 * draw(2, 4), 10 + 10 * draw(4, 2)
    shape = (1, 1, frames, coefficients)
    channels = 16 + 8 * draw(3, 14)
    x = net.conv("input", (1, channels), (10, 4), stride=2)
    for _ in range(2 + draw(1, 9)):
        x = net.conv(x, (0, channels))
        x = net.conv(x, (channels, channels), (1, 1))
    return shape, net.classified(x, channels, classes)


def _resnet(net: _Net, draw: _Draw, classes: int) -> tuple[tuple[int, ...], str]:
    """Three stages of blocks with a sum each (He et al. 2016)."""
    size, channels = 24 + 8 * draw(2, 4), 4 + 4 * draw(3, 5)
    shape = (1, 1 + 2 * draw(4, 2), size, size)
    x = net.conv("input", (shape[1], channels))
    blocks = 3 + draw(1, 5)
    for block in range(blocks):
        halved = block in (blocks // 3, 2 * blocks // 3) and block > 0
        stride, wider = (2, 2 * channels) if halved else (1, channels)
        y = net.conv(x, (channels, wider), stride=stride)
        y = net.conv(y, (wider, wider), relu="")
        if halved:
            x = net.conv(x, (channels, wider), (1, 1), stride=2, relu="")
        x, channels = net.add("Relu", net.sum(x, y)), wider
    return shape, net.classified(x, channels, classes)


_FAMILIES = {
    "mobilenet": _mobilenet,
    "inverted": _inverted,
    "dscnn": _dscnn,
    "resnet": _resnet,
}


def _places(axes: int) -> np.ndarray:
    """Steps of a sequence that fills a cube evenly (Roberts 2018)."""
    root = 2.0
    for _ in range(60):
        root = (1 + root) ** (1 / (axes + 1))
    return np.array([root ** -(axis + 1) % 1 for axis in range(axes)])


def variants(count: int = 1000, seed: int = _SEED) -> Iterator[Variant]:
    """So many models, each of at most MOST_LAYERS layers.

    Args:
        count: how many.
        seed: other weights and another beginning of the sequence.
    """
    names = list(_FAMILIES)
    steps, start = _places(6), np.random.default_rng(seed).random(6)
    for number in range(count):
        place = (start + number * steps) % 1

        def draw(axis: int, values: int, place: np.ndarray = place) -> int:
            return int(place[axis] * values)

        family, classes = names[draw(0, len(names))], _CLASSES[draw(5, len(_CLASSES))]
        net = _Net(np.random.default_rng((seed, number)))
        shape, output = _FAMILIES[family](net, draw, classes)
        name = f"{family}_{number:04d}"
        yield Variant(name, net.layers, net.model(name, shape, output, classes))


def main() -> None:
    """Write the models and a table of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=_SEED)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    total = 0
    with open(asked.folder / "variants.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("model", "layers", "parameters"))
        for made in variants(asked.count, asked.seed):
            content = made.model.SerializeToString(deterministic=True)
            (asked.folder / f"{made.name}.onnx").write_bytes(content)
            parameters = sum(int(np.prod(t.dims)) for t in made.model.graph.initializer)
            table.writerow((made.name, made.layers, parameters))
            total += len(content)
    print(f"{asked.count:,} models, {total / 1e6:.0f} MB, in {asked.folder}")


if __name__ == "__main__":
    main()
