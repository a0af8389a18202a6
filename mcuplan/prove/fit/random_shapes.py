# SPDX-License-Identifier: Apache-2.0
"""Seeded random layers, which constants of kernels are fitted to beside the chosen shapes.

Networks that test the model have layers of their own: no seed here is one of theirs.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from mcuplan.ir.op import NO_CLAMP
from mcuplan.ops.arg_extreme import ArgExtreme
from mcuplan.ops.concat import Concat
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.dense import Dense
from mcuplan.ops.log_softmax import LogSoftmax
from mcuplan.ops.min_pool import MinPool2D
from mcuplan.ops.pad import MODES, Pad
from mcuplan.ops.pool2d import AvgPool2D, MaxPool2D
from mcuplan.ops.prelu import PRelu
from mcuplan.ops.resample import Upsample
from mcuplan.ops.slicing import Slice
from mcuplan.ops.softmax import Softmax
from mcuplan.prove.layers import Shape

__all__ = ["random_shapes"]

_MOST_MACS = 60_000
_CHANNELS = (1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 16, 18, 21, 24, 32, 40, 53, 64)


def random_shapes(seed: int, count: int) -> Iterator[Shape]:
    """So many layers of each kind: images and signals, few and many channels, clamped or not."""
    rng = random.Random(seed)
    for _ in range(count):
        yield _convolution(rng)
        yield _convolution(rng)
        yield _convolution(rng, depthwise=True)
        yield _convolution(rng, depthwise=True)
        yield _convolution(rng, pointwise=True)
        yield _matrix(rng)
        yield from _pools(rng)
        yield from _others(rng)


def _size(rng: random.Random) -> tuple[int, int, int]:
    """Height, width and channels; one in three a signal, one in eight a single pixel."""
    kind = rng.randrange(24)
    if kind < 8:
        return rng.randint(2, 48), 1, rng.choice(_CHANNELS)
    if kind < 11:
        return 1, 1, rng.choice(_CHANNELS)
    return rng.randint(2, 18), rng.randint(2, 18), rng.choice(_CHANNELS)


def _act(rng: random.Random) -> tuple[float, float]:
    return (0.0, 0.5) if rng.random() < 0.3 else NO_CLAMP


def _convolution(rng: random.Random, *, depthwise: bool = False, pointwise: bool = False) -> Shape:
    while True:
        h, w, c = _size(rng)
        if not depthwise and not pointwise and rng.random() < 0.4:
            c = rng.choice((1, 2, 3, 4))  # as first layers have them
        outputs = c if depthwise else rng.choice(_CHANNELS)
        tall = 1 if pointwise else min(h, rng.choice((1, 3, 3, 3, 4, 5, 9)))
        wide = 1 if pointwise else min(w, rng.choice((tall, 3, 3, 1)))
        stride = 1 if pointwise else rng.choice((1, 1, 2))
        up, left = rng.choice(((0, 0), (tall // 2, wide // 2), (tall // 2, wide // 2)))
        pads = (up, left, rng.choice((up, tall // 2)), rng.choice((left, wide // 2)))
        group_c = 1 if depthwise else c
        if not depthwise and not pointwise and tall * wide == 1:
            continue
        if depthwise and (c == 1 or (c % 4 and rng.random() < 0.7)):
            continue
        if h * w * tall * wide * group_c * outputs // stride**2 <= _MOST_MACS:
            break
    groups = c if depthwise else 1
    op = Conv2D((tall, wide), (stride, stride), pads=pads, groups=groups, act=_act(rng))
    return Shape(op, ((1, h, w, c),), ((outputs, tall, wide, group_c), (outputs,)))


def _matrix(rng: random.Random) -> Shape:
    inputs, outputs = rng.choice((*_CHANNELS, 100, 333, 512)), rng.randint(1, 40)
    size = (1, inputs) if rng.random() < 0.7 else (1, rng.randint(2, 9), inputs)
    return Shape(Dense(act=_act(rng)), (size,), ((outputs, inputs), (outputs,)))


def _pools(rng: random.Random) -> Iterator[Shape]:
    h, w, c = _size(rng)
    if rng.random() < 0.5:
        kernel = stride = (h, w)
    else:
        kernel = (min(h, rng.randint(1, 4)), min(w, rng.randint(1, 4)))
        stride = rng.choice((kernel, (1, 1), (2, 2)))
    pad = rng.choice((0, 0, 1)) if min(kernel) > 1 and stride != kernel else 0
    for op in (MaxPool2D, AvgPool2D, MinPool2D):
        yield Shape(op(kernel, stride, (1, 1), (pad,) * 4), ((1, h, w, c),))


def _others(rng: random.Random) -> Iterator[Shape]:
    h, w, c = _size(rng)
    size = (1, h, w, c)
    sides = tuple((rng.randint(0, 2), rng.randint(0, 2)) for _ in range(2))
    deep = (rng.randint(0, 2), rng.randint(1, 2)) if rng.random() < 0.3 else (0, 0)
    yield Shape(Pad(((0, 0), *sides, deep), rng.choice(("constant", *MODES))), (size,))
    yield Shape(Concat(rng.choice((1, 3))), (size, size))
    other = rng.choice(_CHANNELS)
    yield Shape(Concat(3), (size, (1, h, w, other)))
    slopes = tuple(rng.uniform(-0.5, 0.9) for _ in range(rng.choice((1, c))))
    yield Shape(PRelu(slopes), (size,))
    classes = (1, h, c) if rng.random() < 0.7 else (1, c)
    yield Shape(ArgExtreme(rng.random() < 0.5, rng.random() < 0.5), (classes,))
    yield Shape(LogSoftmax(), (classes,))
    yield Shape(Softmax(), (classes,))
    if c > 1:
        yield Shape(Slice((None, None, None, (1, 1, c - 1))), (size,))
    if h > 2:
        yield Shape(Slice((None, (1, 1, h - 2), None, None)), (size,))
    yield Shape(Upsample((1, 2, rng.choice((1, 2)), 1)), (size,))
