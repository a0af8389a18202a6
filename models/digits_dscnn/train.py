# SPDX-License-Identifier: Apache-2.0
"""Train digits_dscnn: a depthwise-separable CNN with a residual on scikit-learn's 8x8 digits.

Needs torch 2.13.0 (CPU), scikit-learn 1.9.1, onnx 1.23.2, onnxruntime 1.32.0. Run it as
``python models/digits_dscnn/train.py``; it writes its files beside itself, in under a minute.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))
from training import export, fit, seed_everything, summary, write_arrays  # noqa: E402

SEED = 7
TEST_SAMPLES = 500  # the last ones of the file; nothing is shuffled across the border
CALIBRATION_SAMPLES = 100


def _conv(inputs: int, outputs: int, size: int, *, stride: int = 1, groups: int = 1) -> nn.Module:
    """Return convolution and BatchNormalization; "same" padding for odd sizes."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    )


class Separable(nn.Module):
    """Depthwise 3x3, then 1x1; with ``residual`` the input is added before the last ReLU."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, residual: bool = False):
        super().__init__()
        self.depthwise = _conv(inputs, inputs, 3, stride=stride, groups=inputs)
        self.pointwise = _conv(inputs, outputs, 1)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[n, inputs, h, w]`` to ``[n, outputs, h/stride, w/stride]``."""
        y = self.pointwise(functional.relu(self.depthwise(x)))
        return functional.relu(x + y if self.residual else y)


def build() -> nn.Module:
    """Return the network: ``[n, 1, 8, 8]`` in 0..1 to logits ``[n, 10]``."""
    return nn.Sequential(
        _conv(1, 16, 3),
        nn.ReLU(),
        Separable(16, 32),
        Separable(32, 32, residual=True),
        Separable(32, 64, stride=2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Turn (up to 12 degrees), stretch (10 %) and move (0.6 pixel) each image at random."""
    count = len(images)
    draw = torch.rand(count, 5, generator=generator) * 2 - 1
    angle, grow_x, grow_y = 0.21 * draw[:, 0], 1 + 0.1 * draw[:, 1], 1 + 0.1 * draw[:, 2]
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = grow_x * angle.cos(), -grow_x * angle.sin()
    theta[:, 1, 0], theta[:, 1, 1] = grow_y * angle.sin(), grow_y * angle.cos()
    theta[:, :, 2] = 0.15 * draw[:, 3:]
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


def main() -> None:
    """Train, write model.onnx, calibration.npz and test.npz, print what the README states."""
    generator = seed_everything(SEED)
    digits = load_digits()
    images = torch.tensor(digits.images / 16, dtype=torch.float32)[:, None]
    labels = torch.tensor(digits.target, dtype=torch.int64)
    train, train_labels = images[:-TEST_SAMPLES], labels[:-TEST_SAMPLES]
    model = build()
    fit(
        model,
        train,
        train_labels,
        epochs=60,
        batch=64,
        rate=1e-2,
        augment=augment,
        generator=generator,
    )
    export(model, (1, 8, 8), FOLDER / "model.onnx")
    every = len(train) // CALIBRATION_SAMPLES
    calibration = train[::every][:CALIBRATION_SAMPLES]
    write_arrays(FOLDER, calibration, images[-TEST_SAMPLES:], labels[-TEST_SAMPLES:])
    print(summary(FOLDER))


if __name__ == "__main__":
    main()
