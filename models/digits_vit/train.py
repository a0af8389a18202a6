# SPDX-License-Identifier: Apache-2.0
"""Train digits_vit: a small vision transformer on scikit-learn's 8x8 digits.

Needs torch 2.13.0 (CPU), scikit-learn 1.9.1, onnx 1.23.2, onnxruntime 1.32.0. Run it as
``python models/digits_vit/train.py``; it writes its files beside itself, in a minute or two.
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

SEED = 11
TEST_SAMPLES = 500  # the last ones of the file; nothing is shuffled across the border
CALIBRATION_SAMPLES = 100
PATCH, TOKENS = 2, 16
WIDTH, HEADS, HIDDEN, BLOCKS = 24, 3, 48, 2


class Attention(nn.Module):
    """Scaled dot-product attention of several heads over all tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[n, TOKENS, WIDTH]`` to the same shape."""
        parts = self.qkv(x).chunk(3, dim=-1)
        q, k, v = (p.reshape(-1, TOKENS, HEADS, WIDTH // HEADS).transpose(1, 2) for p in parts)
        mixed = functional.scaled_dot_product_attention(q, k, v)
        return self.out(mixed.transpose(1, 2).reshape(-1, TOKENS, WIDTH))


class Block(nn.Module):
    """Attention and two dense layers, each behind a normalization and around a residual."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.attention = nn.LayerNorm(WIDTH), Attention()
        self.between = nn.LayerNorm(WIDTH)
        self.dense = nn.Sequential(nn.Linear(WIDTH, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[n, TOKENS, WIDTH]`` to the same shape."""
        x = x + self.attention(self.before(x))
        return x + self.dense(self.between(x))


class Transformer(nn.Module):
    """Patches of 2x2 pixels with learned positions; the mean of all tokens is classified."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(PATCH * PATCH, WIDTH)
        self.places = nn.Parameter(0.02 * torch.randn(1, TOKENS, WIDTH))
        self.blocks = nn.Sequential(*(Block() for _ in range(BLOCKS)))
        self.last, self.classes = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Map ``[n, 8, 8]`` in 0..1 to logits ``[n, 10]``."""
        side = 8 // PATCH
        patches = images.reshape(-1, side, PATCH, side, PATCH).permute(0, 1, 3, 2, 4)
        x = self.embed(patches.reshape(-1, TOKENS, PATCH * PATCH)) + self.places
        return self.classes(self.last(self.blocks(x)).mean(dim=1))


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Turn (up to 12 degrees), stretch (10 %) and move (0.6 pixel) each image at random."""
    count = len(images)
    draw = torch.rand(count, 5, generator=generator) * 2 - 1
    angle, grow_x, grow_y = 0.21 * draw[:, 0], 1 + 0.1 * draw[:, 1], 1 + 0.1 * draw[:, 2]
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 0, 1] = grow_x * angle.cos(), -grow_x * angle.sin()
    theta[:, 1, 0], theta[:, 1, 1] = grow_y * angle.sin(), grow_y * angle.cos()
    theta[:, :, 2] = 0.15 * draw[:, 3:]
    grid = functional.affine_grid(theta, [count, 1, 8, 8], align_corners=False)
    return functional.grid_sample(images[:, None], grid, align_corners=False)[:, 0]


def main() -> None:
    """Train, write model.onnx, calibration.npz and test.npz, print what the README states."""
    generator = seed_everything(SEED)
    digits = load_digits()
    images = torch.tensor(digits.images / 16, dtype=torch.float32)
    labels = torch.tensor(digits.target, dtype=torch.int64)
    train, train_labels = images[:-TEST_SAMPLES], labels[:-TEST_SAMPLES]
    model = Transformer()
    fit(
        model,
        train,
        train_labels,
        epochs=120,
        batch=64,
        rate=5e-3,
        augment=augment,
        generator=generator,
    )
    export(model, (8, 8), FOLDER / "model.onnx")
    every = len(train) // CALIBRATION_SAMPLES
    calibration = train[::every][:CALIBRATION_SAMPLES]
    write_arrays(FOLDER, calibration, images[-TEST_SAMPLES:], labels[-TEST_SAMPLES:])
    print(summary(FOLDER))
    print("parameters", sum(p.numel() for p in model.parameters()))


if __name__ == "__main__":
    main()
