# SPDX-License-Identifier: Apache-2.0
"""Modelled against counted cycles of random networks, 1-D ones among them.

``python tests/budget/cycle_nets.py [COUNT [FIRST]]`` plans so many networks in all the ways that
plans run (whole, by rows, fed), counts them on the emulator and lists those that are off by more
than their plans state. Nightly with 200; a few run in the tests.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

sys.path += [str(Path(__file__).resolve().parents[1] / name) for name in ("schedule", "budget")]

from cells import Wiring

from mcuplan.budget.speed import model_error, step_cycles
from mcuplan.emit import Stamp, emit
from mcuplan.ir.graph import Graph
from mcuplan.ops.concat import Concat
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.eltwise import Add
from mcuplan.ops.movement import Reshape, Transpose
from mcuplan.ops.pool2d import AvgPool2D, MaxPool2D
from mcuplan.ops.unary import Lookup, UnaryFn
from mcuplan.prove.cores import core_named
from mcuplan.prove.verify import Subject, count_on_core
from mcuplan.schedule import Plan, plan_graph
from mcuplan.schedule.choose import Objective, Selection
from mcuplan.schedule.levels import Streaming
from mcuplan.targets import load_target

_TARGET = replace(load_target("cortex-m4"), backend="dsp")
_OBJECTIVES = (Objective.BALANCED, Objective.LATENCY, Objective.RAM)


@dataclass(frozen=True, slots=True)
class Miss:
    """How far a network's model was off: as a share, with its sign, of what was counted."""

    seed: int
    streaming: Streaming
    objective: Objective
    counted: int
    off: float
    stated: float
    steps: tuple[tuple[str, float, int], ...]  # kernel, share, cycles counted

    @property
    def wrong(self) -> bool:
        """Whether the plan stated less."""
        return abs(self.off) > self.stated


def network(seed: int) -> Graph:
    """A random network: an image or a signal, convolutions of all kinds, pools, a classifier."""
    rng = random.Random(seed)
    net, flat = Wiring(f"net{seed}"), seed % 3 == 0
    height, width = (rng.randint(24, 64), 1) if flat else (rng.randint(8, 24), rng.randint(3, 24))
    channels = rng.choice([1, 2, 3, 4, 8, 9, 40] if flat else [1, 3, 4])
    if channels > 1 and rng.random() < 0.4:
        x = net.add(Transpose((0, 2, 3, 1)), net.input(1, channels, height, width))
    else:
        x = net.input(1, height, width, channels)
    x = _conv(rng, net, x, rng.choice([8, 12, 16]), flat)
    for _ in range(rng.randint(2, 6)):
        x = _layer(rng, net, x, flat)
    _, height, width, channels = net.shape(x)
    if rng.random() < 0.7:
        x = net.add(AvgPool2D((height, width), (height, width)), x)
        height = width = 1
    x = net.add(Reshape((1, height * width * channels)), x)
    return net.graph(net.dense(x, rng.randint(2, 12)))


def _layer(rng: random.Random, net: Wiring, x: str, flat: bool) -> str:
    _, height, width, channels = net.shape(x)
    kind = rng.choice(["conv", "1x1", "1x1", "dw", "dw", "res", "pool", "tanh", "cat"])
    if kind == "1x1":
        return net.conv(x, rng.choice([8, 10, 16, 24, 32, 64]))
    if kind == "dw":
        return _conv(rng, net, x, channels, flat, groups=channels)
    if kind == "res":
        return net.add(Add(), x, net.conv_with(Conv2D((1, 1)), x, channels))
    if kind == "pool" and height > 4:
        size = (2, 1 if width < 2 else 2)
        return net.add(rng.choice([MaxPool2D, AvgPool2D])(size, size), x)
    if kind == "tanh":
        return net.add(Lookup((UnaryFn("tanh"),)), x)
    if kind == "cat" and channels < 24:
        return net.add(Concat(3), x, net.conv(x, 8))
    return _conv(rng, net, x, rng.choice([8, 13, 16, 24]), flat)


def _conv(
    rng: random.Random, net: Wiring, x: str, outputs: int, flat: bool, groups: int = 1
) -> str:
    _, height, width, _ = net.shape(x)
    tall = min(rng.choice([3, 5, 9] if flat else [3, 3, 5]), height)
    wide = 1 if flat else min(3, width)
    stride = rng.choice([1, 1, 2])
    pads = (tall // 2, wide // 2, tall // 2, wide // 2)
    op = Conv2D((tall, wide), (stride, 1 if flat else stride), pads=pads, groups=groups)
    return net.conv_with(op, x, outputs)


def misses(seed: int) -> Iterator[Miss]:
    """The network in every way that it can run."""
    graph, objective = network(seed), _OBJECTIVES[seed // 3 % 3]
    ways: list[Streaming] = ["off", "auto", "input"]
    for streaming in ways:
        plan = plan_graph(graph, _TARGET, selection=Selection(objective), streaming=streaming)
        if streaming != "auto" or plan.runs:
            yield _missed(plan, seed, streaming, objective)


def _missed(plan: Plan, seed: int, streaming: Streaming, objective: Objective) -> Miss:
    port = plan.program.graph.inputs[0]
    shape = plan.program.graph.tensor(port.tensor).type.shape[1:]
    values = np.random.default_rng(seed).integers(-128, 128, (1, *shape)).astype(np.int8)
    core = core_named(_TARGET.core).with_flags(_TARGET.flags)
    subject = Subject(emit(plan, "net", Stamp("net", "")), plan)
    counts = count_on_core(subject, {port.tensor: values}, core)
    counted = sum(count.cycles or 0 for count in counts)
    rows = []
    modelled = 0.0
    for step, count in zip(plan.program.steps, counts, strict=True):
        cycles = step_cycles(step, plan).cycles
        modelled += cycles
        rows.append(
            (step.kernel.function, cycles / max(1, count.cycles or 0) - 1, count.cycles or 0)
        )
    stated = model_error(plan) or 0.0
    off = modelled / max(1, counted) - 1
    return Miss(seed, streaming, objective, counted, off, stated, tuple(rows))


def main() -> int:
    """List what is off; status 1 if anything is."""
    given = [int(word) for word in sys.argv[1:]]
    count, first = (given + [30, 0][len(given) :])[:2]
    wrong, all_off = 0, []
    for seed in range(first, first + count):
        for miss in misses(seed):
            all_off.append(abs(miss.off))
            wrong += miss.wrong
            word = "WRONG" if miss.wrong else "ok"
            line = f"{word:6}{seed:4} {miss.streaming:6}{miss.objective.value:9}{miss.counted:9,}"
            print(f"{line} {miss.off:+7.1%} stated {miss.stated:.1%}", flush=True)
            for name, share, cycles in miss.steps if miss.wrong else ():
                if abs(share) > 0.02:
                    print(f"          {name:32}{share:+7.1%} of {cycles:,}")
    print(f"{len(all_off)} plans, {wrong} off by more than stated, worst {max(all_off):.1%}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
