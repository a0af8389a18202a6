# SPDX-License-Identifier: Apache-2.0
"""Train vowels_stream: who speaks, frame by frame, from a stream of spoken vowels.

Needs torch 2.13.0 (CPU), aeon 1.6.0, onnx 1.23.2, onnxruntime 1.32.0. Run it as
``python models/vowels_stream/train.py``; it writes its files beside itself, in a few minutes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from aeon.datasets import load_japanese_vowels
from torch import Tensor, nn

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))
from training import export, fit, seed_everything, summary, write_arrays  # noqa: E402

SEED = 7
SPEAKERS, COEFFICIENTS, CHANNELS = 9, 12, 32
TAPS = 5  # frames that the convolution sees: this one and the four of the state
STEPS_PER_UNIT = 256  # coefficients are rounded to 1/256
STREAMS, FRAMES = 600, 96
CALIBRATION_WORDS, TEST_WORDS = 3, 10  # of each speaker

Words = list[tuple[np.ndarray, int]]


class Listener(nn.Module):
    """A causal convolution, a GRU and a dense layer; any number of frames in a call."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(COEFFICIENTS, CHANNELS, TAPS, bias=False)
        self.norm = nn.BatchNorm1d(CHANNELS)
        self.gru = nn.GRU(CHANNELS, CHANNELS)
        self.dense = nn.Linear(CHANNELS, SPEAKERS)

    def listen(self, seen: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Scores ``[frames, n, 9]`` and what the GRU goes on from, of frames with four before."""
        features = torch.relu(self.norm(self.conv(seen)))
        outputs, hidden = self.gru(features.permute(2, 0, 1), hidden)
        return self.dense(outputs), hidden

    def forward(self, stream: Tensor) -> Tensor:
        """Scores ``[n, 9, frames]`` of streams ``[n, 12, frames]`` that begin with silence."""
        hidden = torch.zeros(1, len(stream), CHANNELS)
        scores, _ = self.listen(nn.functional.pad(stream, (TAPS - 1, 0)), hidden)
        return scores.permute(1, 2, 0)


class Frame(nn.Module):
    """One frame of a stream, with states that a caller hands on: what is exported."""

    def __init__(self, listener: Listener) -> None:
        super().__init__()
        self.listener = listener

    def forward(
        self, frame: Tensor, cache: Tensor, hidden: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Of ``frame`` [1,12,1], the ``cache`` [1,12,4] of those before it and ``hidden``."""
        seen = torch.cat([cache, frame], dim=2)
        scores, hidden = self.listener.listen(seen, hidden)
        return scores.squeeze(0), seen[:, :, 1:], hidden


def load(split: str, first: int, stop: int) -> Words:
    """Words ``[12, frames]`` of each speaker in turn, from ``first`` to before ``stop``."""
    series, names = load_japanese_vowels(split=split)
    spoken: list[Words] = [[] for _ in range(SPEAKERS)]
    for word, name in zip(series, names, strict=True):
        rounded = np.round(word * STEPS_PER_UNIT) / STEPS_PER_UNIT
        spoken[int(name) - 1].append((rounded.astype(np.float32), int(name) - 1))
    return [word for turn in zip(*(of[first:stop] for of in spoken), strict=True) for word in turn]


def streams(words: Words, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Streams ``[n, 12, frames]`` of words in random order, and who speaks in each frame."""
    made, who = [], []
    for _ in range(STREAMS):
        order = torch.randperm(len(words), generator=generator).tolist()
        begin = int(torch.randint(8, (1,), generator=generator))  # mostly within a word
        stream = np.concatenate([words[k][0] for k in order[:20]], axis=1)
        labels = np.concatenate([[words[k][1]] * words[k][0].shape[1] for k in order[:20]])
        made.append(stream[:, begin : begin + FRAMES])
        who.append(labels[begin : begin + FRAMES])
    return torch.tensor(np.stack(made)), torch.tensor(np.stack(who), dtype=torch.int64)


def augment(batch: Tensor, generator: torch.Generator) -> Tensor:
    """Shift and scale each coefficient of a stream a little, and add noise."""
    one = (len(batch), COEFFICIENTS, 1)
    scale = 1 + 0.2 * (2 * torch.rand(one, generator=generator) - 1)
    shift = 0.1 * torch.randn(one, generator=generator)
    return batch * scale + shift + 0.15 * torch.randn(batch.shape, generator=generator)


def as_frames(words: Words) -> Tensor:
    """One stream of words, as calls: ``[frames, 12, 1]``."""
    stream = np.concatenate([word for word, _ in words], axis=1)
    return torch.tensor(np.ascontiguousarray(stream.T[:, :, None]))


def main() -> None:
    """Train, write model.onnx, calibration.npz and test.npz, print what the README states."""
    generator = seed_everything(SEED)
    words = load("train", 0, 30)
    samples, who = streams(words, generator)
    listener = Listener()
    fit(
        listener,
        samples,
        who,
        epochs=25,
        batch=30,
        rate=5e-3,
        augment=augment,
        generator=generator,
    )
    shapes = {"cache": (COEFFICIENTS, TAPS - 1), "hidden": (1, CHANNELS)}
    export(Frame(listener).eval(), (COEFFICIENTS, 1), FOLDER / "model.onnx", shapes)
    test = load("test", 0, TEST_WORDS)
    write_arrays(
        FOLDER,
        as_frames(load("train", 0, CALIBRATION_WORDS)),
        as_frames(test),
        torch.tensor([name for _, name in test]),
        torch.tensor([k for k, (word, _) in enumerate(test) for _ in range(word.shape[1])]),
    )
    print(summary(FOLDER))


if __name__ == "__main__":
    main()
