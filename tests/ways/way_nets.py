# SPDX-License-Identifier: Apache-2.0
"""Models to find ways for, and what `check` says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nets import Net

from mcuplan.cli import run

__all__ = ["checked", "image_net", "mobilenet_v2", "options_of"]


def image_net(folder: Path, rows: int = 12) -> Path:
    """A few convolutions over an image in planes, and five classes; samples beside it."""
    net = Net((1, 3, rows, rows))
    x = net.add("Relu", net.conv("x", 3, 8, strides=[2, 2]))
    x = net.add("Relu", net.conv(x, 8, 16))
    x = net.add("Relu", net.conv(net.conv(x, 16, 16, group=16), 16, 16, 1, 0))
    x = net.add("Flatten", net.add("GlobalAveragePool", x))
    model = net.model(net.add("Gemm", x, net.random(5, 16), net.random(5), transB=1))
    path = folder / "net.onnx"
    path.write_bytes(model.SerializeToString())
    np.savez(folder / "data.npz", x=net.samples(12))
    return path


def options_of(way: dict[str, Any]) -> list[str]:
    """The words of the options of a way."""
    return [word for option in way["options"] for word in option.split(" ", 1)]


def checked(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    """Exit status and report of `check`."""
    capsys.readouterr()
    status = run(["check", *words, "-f", "json"])
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return status, report


def mobilenet_v2(folder: Path, width: float = 0.35, rows: int = 224) -> Path:
    """MobileNetV2 of 1,000 classes, weights drawn at random.

    Source: Sandler et al. 2018, table 2; channels are multiples of 8, as in its first code.
    """
    net = Net((1, 3, rows, rows))

    def relu(x: str) -> str:
        return net.add("Clip", x, net.const(0.0), net.const(6.0))

    channels = _divisible(32 * width)
    x = relu(net.conv("x", 3, channels, strides=[2, 2]))
    for times, outputs, count, stride in _BLOCKS:
        for step in (stride, *[1] * (count - 1)):
            inner, made = channels * times, _divisible(outputs * width)
            y = relu(net.conv(x, channels, inner, 1, 0)) if times > 1 else x
            y = relu(net.conv(y, inner, inner, group=inner, strides=[step, step]))
            y = net.conv(y, inner, made, 1, 0)
            x = net.add("Add", x, y) if step == 1 and made == channels else y
            channels = made
    x = net.add("Flatten", net.add("GlobalAveragePool", relu(net.conv(x, channels, 1280, 1, 0))))
    x = net.add("Gemm", x, net.random(1000, 1280), net.random(1000), transB=1)
    path = folder / "mobilenet_v2.onnx"
    path.write_bytes(net.model(x).SerializeToString())
    return path


_BLOCKS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, output channels, how many, and stride of the first."""


def _divisible(channels: float) -> int:
    """The nearest multiple of 8, at most a tenth less."""
    near = max(8, int(channels + 4) // 8 * 8)
    return near + 8 if near < 0.9 * channels else near
