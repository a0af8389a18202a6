# SPDX-License-Identifier: Apache-2.0
"""Samples cross the boundary in the model's own order of axes, whatever the graph holds."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from nets import Net

from mcuplan import pipeline
from mcuplan.calibrate import read_data
from mcuplan.ir.evaluate import evaluate
from mcuplan.ir.graph import Port
from mcuplan.ir.types import Array, DType
from mcuplan.prove.boundary import boundary_inputs, real_outputs
from mcuplan.prove.compare import ModelRuntime
from mcuplan.prove.evidence import against_runtime
from mcuplan.record import Planned, Request
from mcuplan.targets import load_target

SHAPES = [(1, 7), (1, 3, 10), (1, 5, 4), (1, 3, 4, 5), (1, 1, 6, 4), (1, 2, 3, 2, 4)]


class _Sketch:
    """A random network whose outputs are data movements of one layer's output."""

    def __init__(self, seed: int, *, quantized: bool) -> None:
        self.rng = np.random.default_rng(seed)
        self.net = Net(SHAPES[int(self.rng.integers(len(SHAPES)))], seed)
        self.quantized = quantized
        self.shape = self.net.shape

    def on_grid(self, name: str) -> str:
        return self.net.quantize(name, 1 / 16, 3) if self.quantized else name

    def transposed(self, name: str, shape: tuple[int, ...], *, batch: bool) -> tuple[str, ...]:
        """A Transpose by a random permutation; ``batch`` stays in front."""
        first = [0] if batch else []
        perm = [*first, *(self.rng.permutation(len(shape) - len(first)) + len(first)).tolist()]
        return self.net.add("Transpose", name, perm=perm), tuple(shape[a] for a in perm)

    def reshaped(self, name: str, shape: tuple[int, ...]) -> tuple[str, ...]:
        """A Reshape to a random rank from 1 to 5."""
        sizes = [math.prod(shape)]
        while len(sizes) < 1 + int(self.rng.integers(5)):
            parts = [n for n in range(2, sizes[0]) if sizes[0] % n == 0] or [1]
            part = int(self.rng.choice(parts))
            sizes = [sizes[0] // part, part, *sizes[1:]]
        return self.net.add("Reshape", name, self.net.const(sizes, np.int64)), tuple(sizes)

    def layer(self, name: str, shape: tuple[int, ...]) -> tuple[str, ...]:
        """A layer of weights where the rank has one."""
        if len(shape) == 2:
            return self.net.add("Gemm", name, self.net.random(shape[1], 12)), (1, 12)
        if len(shape) in (3, 4):
            weights = self.net.random(4, shape[1], *(1,) * (len(shape) - 2))
            return self.net.add("Conv", name, weights), (1, 4, *shape[2:])
        return self.net.add("Mul", name, self.net.random(*shape)), shape

    def output(self, name: str, shape: tuple[int, ...]) -> str:
        """One of the ways in which a model moves what it gives out."""
        kind = int(self.rng.integers(5))
        if kind == 1:
            return self.transposed(name, shape, batch=bool(self.rng.integers(2)))[0]
        if kind == 2:
            return self.reshaped(*self.transposed(name, shape, batch=True))[0]
        if kind == 3:
            return self.transposed(*self.reshaped(name, shape), batch=False)[0]
        if kind == 4:
            name, shape = self.transposed(name, shape, batch=True)
            other, _ = self.reshaped(self.net.add("Neg", name), shape)
            other = self.net.add("Reshape", other, self.net.const(shape, np.int64))
            axis = int(self.rng.integers(1, len(shape)))
            return self.net.add("Concat", name, self.on_grid(other), axis=axis)
        return name

    def save(self, path: Path) -> None:
        name, shape = self.on_grid("x"), self.shape
        if self.rng.integers(2):
            name, shape = self.transposed(name, shape, batch=True)
        name, shape = self.layer(name, shape)
        name = self.on_grid(name)
        outputs = [self.output(name, shape) for _ in range(1 + int(self.rng.integers(3)))]
        if name in outputs:
            outputs = [name if o != name else self.net.add("Identity", name) for o in outputs]
        outputs = [self.on_grid(self.net.add("Relu", o)) for o in outputs[1:]] + outputs[:1]
        path.write_bytes(self.net.model(*outputs).SerializeToString())


def _planned(folder: Path, sketch: _Sketch, io_layout: str) -> Planned:
    sketch.save(folder / "net.onnx")
    samples = np.random.default_rng(1).standard_normal((5, *sketch.shape[1:]))
    np.savez(folder / "data.npz", x=samples.astype(np.float32))
    target = replace(load_target("cortex-m4"), backend="c99")
    request = Request(
        folder / "net.onnx", target, calibration=folder / "data.npz", io_layout=io_layout
    )
    return pipeline.plan(request)


def _signal_to_noise(wanted: Array, found: Array) -> float:
    assert wanted.shape == found.shape
    return 10 * math.log10(np.square(wanted).sum() / (np.square(wanted - found).sum() + 1e-12))


@pytest.mark.parametrize("io_layout", ["model", "nhwc"])
@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_outputs_are_compared_element_by_element(
    seed: int, quantized: bool, io_layout: str, tmp_path: Path
) -> None:
    """Every output of a moved network is close to the runtime's, and every layer."""
    sketch = _Sketch(seed, quantized=quantized)
    planned = _planned(tmp_path, sketch, io_layout)
    data = read_data(tmp_path / "data.npz", planned.model.graph.inputs)
    graph = planned.removal.whole
    values = evaluate(graph, boundary_inputs(graph, data))
    block = ModelRuntime(planned.model.path, graph).values(data)
    for port, wanted in zip(graph.outputs, block.outputs, strict=True):
        assert _signal_to_noise(wanted, real_outputs(graph, port, values[port.tensor])) > 25
    seen = against_runtime(planned.model.path, graph, data, quantized=quantized)
    assert seen.diverging is None


def test_a_port_gives_back_what_it_took() -> None:
    """A port's layout, added axes of 1 among them, is undone on the way back."""
    samples = np.arange(2 * 3 * 5).reshape(2, 3, 5)
    port = Port("x", "x", (1, 3, 5), DType.FLOAT32, layout=(0, 2, None, 1))
    moved = port.from_model(samples)
    assert (2, 1, 5, 1, 3) == moved.shape
    assert samples[1, 2, 4] == moved[1, 0, 4, 0, 2]
    assert np.array_equal(samples[:, None], port.to_model(moved))
