# SPDX-License-Identifier: Apache-2.0
"""Random networks in all the ways that plans run, and what they take on the emulator."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mcuplan.budget.speed import model_error, step_cycles
from mcuplan.emit import Stamp, emit
from mcuplan.ir.graph import Graph
from mcuplan.ir.op import NO_CLAMP, Op
from mcuplan.ops.concat import Concat
from mcuplan.ops.conv2d import Conv2D
from mcuplan.ops.eltwise import Add
from mcuplan.ops.min_pool import MinPool2D
from mcuplan.ops.movement import Reshape, Transpose
from mcuplan.ops.pad import Pad
from mcuplan.ops.pool2d import AvgPool2D, MaxPool2D
from mcuplan.ops.prelu import PRelu
from mcuplan.ops.resample import Upsample
from mcuplan.ops.slicing import Slice
from mcuplan.ops.softmax import Softmax
from mcuplan.ops.unary import Lookup, UnaryFn
from mcuplan.prove.cores import core_named
from mcuplan.prove.emulator import CallCount
from mcuplan.prove.fit.kernels import reference
from mcuplan.prove.fit.wiring import Wiring
from mcuplan.prove.proofs import Subject, count_call
from mcuplan.schedule.kernels.objective import Aim, Objective
from mcuplan.schedule.planning.choice import plan_graph
from mcuplan.schedule.program import Plan, Streaming
from mcuplan.solvers.effort import EFFORTS

__all__ = ["Counted", "counted", "network"]

_OBJECTIVES = (Objective.BALANCED, Objective.LATENCY, Objective.RAM)


@dataclass(frozen=True, slots=True)
class Counted:
    """A plan, and what it took: in all, and of each run of rows, or each step."""

    seed: int
    streaming: Streaming
    plan: Plan
    total: int
    each: tuple[int, ...]

    @property
    def off(self) -> float:
        """How far the model is off: as a share, with its sign, of what was counted."""
        steps = self.plan.program.steps
        return sum(step_cycles(step, self.plan).cycles for step in steps) / self.total - 1

    @property
    def stated(self) -> float:
        """What the plan says of that."""
        return model_error(self.plan) or 0.0

    def of_step(self, step: int) -> tuple[int, int]:
        """Cycles of the runs of a step, and how many these are."""
        own = [c for run, c in zip(self.plan.runs, self.each, strict=True) if run.step == step]
        return sum(own), len(own)

    def worst(self) -> Iterator[str]:
        """Steps that are more than 2 % off."""
        for step in self.plan.program.steps:
            cycles, _ = self.of_step(step.index)
            share = step_cycles(step, self.plan).cycles / cycles - 1
            if abs(share) > 0.02:
                yield f"{step.kernel.function:32}{share:+7.1%} of {cycles:,}"


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
    x = net.dense(x, rng.randint(2, 12))
    return net.graph(net.add(Softmax(), x) if rng.random() < 0.3 else x)


def _layer(rng: random.Random, net: Wiring, x: str, flat: bool) -> str:
    _, height, width, channels = net.shape(x)
    kind = rng.choice(["conv", "conv", "1x1", "1x1", "dw", "dw", "res", "pool", "cat", "other"])
    if kind == "1x1":
        return net.conv(x, rng.choice([8, 10, 16, 24, 32, 64]))
    if kind == "dw":
        return _conv(rng, net, x, channels, flat, groups=channels)
    if kind == "res":
        return net.add(Add(), x, net.conv_with(Conv2D((1, 1)), x, channels))
    if kind == "pool" and height > 4:
        size = (2, 1 if width < 2 else 2)
        return net.add(rng.choice([MaxPool2D, AvgPool2D])(size, size), x)
    if kind == "other":
        return _other(rng, net, x)
    if kind == "cat" and channels < 24:
        return net.add(Concat(3), x, net.conv(x, 8))
    return _conv(rng, net, x, rng.choice([8, 13, 16, 24]), flat)


def _other(rng: random.Random, net: Wiring, x: str) -> str:
    """What is rare, and runs by rows."""
    _, height, width, channels = net.shape(x)
    least = (2, 1 if width < 2 else 2)
    ops: list[Op] = [
        Lookup((UnaryFn("tanh"),)),
        PRelu((0.25, -0.5)[: 2 - channels % 2]),
        Pad(((0, 0), (1, 2), (1, 0), (0, 0))),
        MinPool2D(least, least),
        Slice((None, None, None, (1, 1, channels - 1))),
    ]
    if height * width * channels < 4_000:
        ops.append(Upsample((1, 2, 1 if width < 2 else 2, 1)))
    return net.add(rng.choice(ops), x)


def _conv(
    rng: random.Random, net: Wiring, x: str, outputs: int, flat: bool, groups: int = 1
) -> str:
    _, height, width, _ = net.shape(x)
    tall = min(rng.choice([3, 5, 9] if flat else [3, 3, 5]), height)
    wide = 1 if flat else min(3, width)
    stride = rng.choice([1, 1, 2])
    pads = (tall // 2, wide // 2, tall // 2, wide // 2)
    act = (0.0, 6.0) if rng.random() < 0.3 else NO_CLAMP
    op = Conv2D((tall, wide), (stride, 1 if flat else stride), pads=pads, groups=groups, act=act)
    return net.conv_with(op, x, outputs)


def counted(seed: int) -> Iterator[Counted]:
    """The network in every way that it can run.

    Raises:
        ToolMissing, ToolFailed: compiler or emulator missing, or failed.
    """
    graph, objective = network(seed), _OBJECTIVES[seed // 3 % 3]
    ways: tuple[Streaming, ...] = ("off", "auto", "input")
    for way in ways:
        chosen = Aim(objective)
        plan = plan_graph(graph, reference("dsp"), None, EFFORTS["fast"], chosen, streaming=way)
        if way != "auto" or not plan.is_straight:
            count = _count(plan, seed)
            each = tuple(step.cycles or 0 for step in count.steps)
            yield Counted(seed, way, plan, count.total.cycles or 0, each)


def _count(plan: Plan, seed: int) -> CallCount:
    graph, target = plan.program.graph, plan.program.target
    (port,) = graph.inputs
    shape = graph.tensor(port.tensor).type.shape[1:]
    values = np.random.Generator(np.random.PCG64(seed)).integers(-128, 128, (1, *shape))
    subject = Subject(emit(plan, "net", Stamp("net", "")), plan)
    core = core_named(target.core).with_flags(target.flags)
    return count_call(subject, {port.tensor: values.astype(np.int8)}, core)
