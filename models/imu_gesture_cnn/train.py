# SPDX-License-Identifier: Apache-2.0
"""Train imu_gesture_cnn: a 1-D CNN that names the activity in ten seconds of a watch's IMU.

Needs torch 2.13.0 (CPU), aeon 1.6.0, onnx 1.23.2, onnxruntime 1.32.0. Run it as
``python models/imu_gesture_cnn/train.py``; it writes its files beside itself, in under a minute.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from aeon.datasets import load_basic_motions
from torch import Tensor, nn

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))
from training import export, fit, seed_everything, summary, write_arrays  # noqa: E402

SEED = 7
CLASSES = ("standing", "walking", "running", "badminton")
STEPS_PER_UNIT = 256  # readings are rounded to 1/256, as a 16-bit sensor would deliver them


def _conv(inputs: int, outputs: int, size: int, *, stride: int = 1) -> list[nn.Module]:
    """Return convolution, BatchNormalization and ReLU; "same" padding for odd sizes."""
    return [
        nn.Conv1d(inputs, outputs, size, stride, size // 2, bias=False),
        nn.BatchNorm1d(outputs),
        nn.ReLU(),
    ]


def build() -> nn.Module:
    """Return the network: ``[n, 6, 100]`` in the units of the file to logits ``[n, 4]``."""
    return nn.Sequential(
        *_conv(6, 16, 5, stride=2),
        *_conv(16, 32, 5),
        nn.MaxPool1d(2),
        *_conv(32, 32, 3),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(32, 4),
    )


def load(split: str) -> tuple[Tensor, Tensor]:
    """Return the series ``[40, 6, 100]`` and the class indices of ``train`` or ``test``."""
    series, names = load_basic_motions(split=split)
    rounded = np.round(series * STEPS_PER_UNIT) / STEPS_PER_UNIT
    labels = [CLASSES.index(name) for name in names]
    return torch.tensor(rounded, dtype=torch.float32), torch.tensor(labels, dtype=torch.int64)


def augment(series: Tensor, generator: torch.Generator) -> Tensor:
    """Shift in time (around the end), scale each channel by up to 20 % and add a little noise."""
    count, channels, steps = series.shape
    shift = torch.randint(steps, (count, 1, 1), generator=generator)
    index = (torch.arange(steps) + shift) % steps
    moved = series.gather(2, index.expand(count, channels, steps))
    scale = 1 + 0.2 * (2 * torch.rand(count, channels, 1, generator=generator) - 1)
    return moved * scale + 0.05 * torch.randn(series.shape, generator=generator)


def main() -> None:
    """Train, write model.onnx, calibration.npz and test.npz, print what the README states."""
    generator = seed_everything(SEED)
    train, train_labels = load("train")
    test, test_labels = load("test")
    model = build()
    fit(
        model,
        train,
        train_labels,
        epochs=150,
        batch=20,
        rate=5e-3,
        augment=augment,
        generator=generator,
    )
    export(model, (6, 100), FOLDER / "model.onnx")
    write_arrays(FOLDER, train[::2], test, test_labels)  # files hold classes in blocks of ten
    print(summary(FOLDER))


if __name__ == "__main__":
    main()
