# SPDX-License-Identifier: Apache-2.0
"""Cells of wired networks as int8 graphs: what makes the order of the nodes matter."""

from __future__ import annotations

import random
from collections.abc import Callable

from mcuplan.ir.graph import Graph
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.eltwise import Add
from mcuplan.ops.pool2d import AvgPool2D
from mcuplan.prove.fit.wiring import Wiring


def random_wired(seed: int, size: int) -> Graph:
    """Watts-Strogatz wiring made acyclic: a node sums what it reads and convolves it."""
    rng = random.Random(seed)
    net = Wiring(f"wired{size}_{seed}")
    made = [net.conv(net.input(1, 16, 16, 3), 16, 3)]
    count = 0
    while len(net) < size:
        count += 1
        ring = {max(0, len(made) - 1), max(0, len(made) - 2)}
        wires = sorted(w if rng.random() > 0.5 else rng.randrange(len(made)) for w in ring)
        made.append(net.conv(net.sum([made[w] for w in dict.fromkeys(wires)]), 16, 3))
    read = {name for node in net.graph().nodes for name in node.inputs}
    return net.graph(net.sum([name for name in made if name not in read]))


def nasnet(seed: int, size: int) -> Graph:
    """Cells of five sums of two branches over the outputs of the two cells before."""
    rng = random.Random(seed)
    net = Wiring(f"nasnet{size}_{seed}")
    before = previous = net.conv(net.input(1, 16, 16, 3), 16, 3)
    while len(net) < size:
        hidden = [net.conv(before, 16), net.conv(previous, 16)]
        for _ in range(5):
            branches = []
            for source in rng.sample(hidden, 2):
                branch = source
                for _ in range(rng.randint(0, 2)):
                    branch = net.conv(branch, 16, rng.choice((3, 5)))
                branches.append(branch)
            hidden.append(net.sum(branches))
        read = {name for node in net.graph().nodes for name in node.inputs}
        before, previous = previous, net.join([h for h in hidden if h not in read])
    return net.graph(previous)


def densenet(seed: int, size: int) -> Graph:
    """Layers that read all layers before them in their block."""
    rng = random.Random(seed)
    net = Wiring(f"densenet{size}_{seed}")
    x = net.conv(net.input(1, 16, 16, 3), 16, 3)
    while len(net) < size:
        block = [x]
        for _ in range(4):
            wide = net.conv(net.join(block), 32)
            block.append(net.conv(wide, rng.choice((8, 12, 16)), 3))
        x = net.conv(net.join(block), 16)
    return net.graph(x)


def inception(seed: int, size: int) -> Graph:
    """Four branches of different depth and width, joined."""
    rng = random.Random(seed)
    net = Wiring(f"inception{size}_{seed}")
    x = net.conv(net.input(1, 16, 16, 3), 24, 3)
    while len(net) < size:
        branches = []
        for depth in (0, 1, 2, 3):
            branch = net.conv(x, rng.choice((8, 12, 16, 24)))
            for _ in range(depth):
                branch = net.conv(branch, rng.choice((8, 16, 24, 32)), 3)
            branches.append(branch)
        rng.shuffle(branches)
        x = net.join(branches)
    return net.graph(x)


FAMILIES: dict[str, Callable[[int, int], Graph]] = {
    "random_wired": random_wired,
    "nasnet": nasnet,
    "densenet": densenet,
    "inception": inception,
}


def mobilenet_v2(side: int = 144) -> Graph:
    """MobileNetV2 of width 0.35: inverted bottlenecks with sums around them."""
    net = Wiring(f"mobilenet_v2_{side}")
    x, width = net.conv(net.input(1, side, side, 3), 16, 3, 2), 16
    stages = ((1, 8, 1, 1), (6, 8, 2, 2), (6, 16, 3, 2), (6, 24, 4, 2))
    for factor, channels, repeats, first in (*stages, (6, 32, 3, 1), (6, 56, 3, 2), (6, 112, 1, 1)):
        for stride in (first, *[1] * (repeats - 1)):
            before, y = x, net.conv(x, factor * width) if factor > 1 else x
            wide = factor * width
            y = net.conv_with(
                Conv2D((3, 3), (stride,) * 2, pads=(1, 1, 1, 1), groups=wide), y, wide
            )
            y = net.conv(y, channels)
            x = net.add(Add(), before, y) if stride == 1 and channels == width else y
            width = channels
    x = net.conv(x, 1280)
    size = net.shape(x)[1:3]
    x = net.add(AvgPool2D((size[0], size[1]), (size[0], size[1])), x)
    return net.graph(net.conv(x, 1000))
