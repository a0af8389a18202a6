# SPDX-License-Identifier: Apache-2.0
"""Small random int8 graphs of whatever shares bytes: parts, joins, broadcasts, views, windows.

They are for planners: shapes are odd and small, tensors have many readers, parts of a tensor
meet the whole of it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from mcuplan.errors import McuplanError
from mcuplan.ir.graph import Graph
from mcuplan.ir.op import Op
from mcuplan.ops.concat import Concat
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.eltwise import Add, Maximum, Mul, Sub
from mcuplan.ops.movement import Reshape, Transpose
from mcuplan.ops.pad import Pad
from mcuplan.ops.pool2d import AvgPool2D, MaxPool2D
from mcuplan.ops.resample import Upsample
from mcuplan.ops.slicing import Slice
from mcuplan.ops.softmax import Softmax
from mcuplan.ops.tile import Tile
from mcuplan.prove.fit.wiring import Wiring

__all__ = ["random_steps"]

_MOST = 600  # elements of a tensor


def random_steps(seed: int, size: int = 9) -> Graph:
    """A graph of about that many nodes, some of them views; its outputs are often read, too."""
    rng = random.Random(seed)
    net = Wiring(f"steps{seed}")
    made = [net.input(*_shape(rng)) for _ in range(rng.choice((1, 1, 1, 2)))]
    while len(net) < size:
        made += _some(rng, net, made)
    read = {name for node in net.graph().nodes for name in node.inputs}
    ends = [name for name in made if name not in read]
    more = [name for name in made if name in read and rng.random() < 0.08]
    return net.graph(*dict.fromkeys([*ends, *more]))


def _shape(rng: random.Random) -> tuple[int, ...]:
    return (1, rng.choice((1, 2, 3, 5, 8)), rng.choice((1, 2, 4, 5)), rng.choice((1, 3, 4, 8, 11)))


def _some(rng: random.Random, net: Wiring, made: Sequence[str]) -> list[str]:
    """One more node or a few; none where the operator refuses what was drawn."""
    source = rng.choice(made[-4:]) if rng.random() < 0.7 else rng.choice(made)
    kind = rng.choice((_joined, _joined, _parts, _moved, _moved, _windowed))
    try:
        return kind(rng, net, made, source)
    except McuplanError:
        return []


def _joined(rng: random.Random, net: Wiring, made: Sequence[str], source: str) -> list[str]:
    """Two tensors that broadcast, or several in a row."""
    shape = net.shape(source)
    if rng.random() < 0.35:
        axis = rng.randrange(1, len(shape)) if len(shape) > 1 else 0
        fit = [n for n in made if _fits_beside(net.shape(n), shape, axis)]
        parts = [rng.choice(fit) for _ in range(rng.choice((1, 2, 2, 3)))]
        if sum(math.prod(net.shape(n)) for n in parts) > _MOST:
            return []
        return [net.add(Concat(axis), *parts)]
    fit = [n for n in made if _broadcasts(net.shape(n), shape)] or [source]
    pair = [source, rng.choice(fit)]
    rng.shuffle(pair)
    op: Op = rng.choice((Add(), Mul(), Sub(), Maximum()))
    return [net.add(op, *pair)]


def _fits_beside(one: Sequence[int], other: Sequence[int], axis: int) -> bool:
    same = zip(one, other, strict=False)
    return len(one) == len(other) and all(a == b or k == axis for k, (a, b) in enumerate(same))


def _broadcasts(one: Sequence[int], other: Sequence[int]) -> bool:
    if len(one) != len(other):
        return False
    pairs = list(zip(one, other, strict=True))
    return all(a == b or 1 in (a, b) for a, b in pairs) and math.prod(map(max, pairs)) <= _MOST


def _parts(rng: random.Random, net: Wiring, made: Sequence[str], source: str) -> list[str]:
    """A part of a tensor, or parts that are all of it."""
    shape = net.shape(source)
    axes = [a for a, n in enumerate(shape) if n > 1 and a > 0]
    if not axes:
        return []
    axis = rng.choice(axes)
    count = shape[axis]
    if rng.random() < 0.4:
        cut = rng.randrange(1, count)
        return [_slice(net, source, axis, 0, cut), _slice(net, source, axis, cut, count - cut)]
    first = rng.randrange(count)
    return [_slice(net, source, axis, first, rng.randint(1, count - first))]


def _slice(net: Wiring, source: str, axis: int, first: int, count: int) -> str:
    ranges = [None] * len(net.shape(source))
    taken: list[tuple[int, int, int] | None] = [*ranges]
    taken[axis] = (first, 1, count)
    return net.add(Slice(tuple(taken)), source)


def _moved(rng: random.Random, net: Wiring, made: Sequence[str], source: str) -> list[str]:
    """The same elements elsewhere: another shape, order, a border, repeats."""
    shape = net.shape(source)
    rank, size = len(shape), math.prod(shape)
    kind = rng.randrange(5)
    if kind == 0:
        flat = rng.choice(((1, size), (1, shape[1], 1, size // shape[1]), (1, 1, 1, size)))
        return [net.add(Reshape(flat), source)]
    if rank != 4:
        return [net.add(Softmax(), source)]
    if kind == 1:
        axes = [1, 2, 3]
        rng.shuffle(axes)
        return [net.add(Transpose((0, *axes)), source)]
    if kind == 2:
        pads = [(0, 0), *((rng.randint(0, 1), rng.randint(0, 2)) for _ in range(3))]
        return [net.add(Pad(tuple(pads)), source)]
    if size > _MOST // 4:
        return [net.add(Softmax(), source)]
    factors = [1, 1, 1, 1]
    factors[rng.randint(1, 3)] = 2
    op: Op = Upsample(tuple(factors)) if kind == 3 and factors[3] == 1 else Tile(tuple(factors))
    return [net.add(op, source)]


def _windowed(rng: random.Random, net: Wiring, made: Sequence[str], source: str) -> list[str]:
    """A convolution or a pool."""
    shape = net.shape(source)
    if len(shape) != 4:
        return []
    _, h, w, c = shape
    kernel = rng.randint(1, min(3, h)), rng.randint(1, min(3, w))
    stride = rng.choice(((1, 1), (2, 1), (2, 2)))
    pads = (rng.randint(0, kernel[0] - 1), rng.randint(0, kernel[1] - 1), 0, kernel[1] - 1)
    kind = rng.choice(("max", "average", "all", "conv", "conv", "depthwise"))
    if kind == "max":
        return [net.add(MaxPool2D(kernel, stride, pads=pads), source)]
    if kind == "average":
        return [net.add(AvgPool2D(kernel, stride), source)]
    if kind == "all":
        return [net.add(AvgPool2D((h, w)), source)]
    groups = c if kind == "depthwise" else 1
    filters = c if kind == "depthwise" else rng.choice((1, 2, 4, 8))
    return [net.conv_with(Conv2D(kernel, stride, pads=pads, groups=groups), source, filters)]
