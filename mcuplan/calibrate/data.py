# SPDX-License-Identifier: Apache-2.0
"""Samples for a model, whoever they come from, or random ones to try things out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mcuplan.calibrate.npz import release
from mcuplan.facts import Note
from mcuplan.ir.graph import Port
from mcuplan.ir.types import Array, DType

__all__ = ["EXTRAS", "REAL", "Data", "random_data", "sample_shape"]

EXTRAS = ("labels", "groups", "reference")
"""Arrays that a data file may hold beside the inputs."""


_WHOLE = (DType.INT32, DType.INT64)
REAL = (DType.FLOAT16, DType.FLOAT32, DType.FLOAT64)
"""Types of inputs that hold real values."""

_RANDOM_ELEMENTS = 1 << 26  # of all random samples together


@dataclass(frozen=True, slots=True)
class Data:
    """Samples of every model input, by its name in the model; axis 0 counts samples.

    A sample of an input is its array at one index, in the shape of the port without a
    leading 1.
    """

    inputs: Mapping[str, Array]
    samples: int
    labels: Array | None = None
    groups: Array | None = None
    reference: Array | None = None
    random: bool = False
    notes: tuple[Note, ...] = ()

    def part(self, start: int, stop: int) -> Data:
        """Samples from ``start`` to before ``stop``, in memory, without labels and the like.

        What was read from a file for it does not stay in memory.
        """
        inputs = {name: np.array(array[start:stop]) for name, array in self.inputs.items()}
        for array in self.inputs.values():
            release(array)
        many = len(next(iter(inputs.values())))
        return Data(MappingProxyType(inputs), many, random=self.random)

    def first(self, samples: int) -> Data:
        """At most so many samples from the front, without labels and the like."""
        few = {name: array[:samples] for name, array in self.inputs.items()}
        return Data(MappingProxyType(few), min(samples, self.samples), random=self.random)

    def parts(self, size: int) -> Iterator[tuple[int, Data]]:
        """All samples in order, at most ``size`` together: the first one's index, and they."""
        for start in range(0, self.samples, size):
            yield start, self.part(start, start + size)

    def feeds(self, ports: Sequence[Port], index: int) -> dict[str, Array]:
        """One sample in the shapes that the model declares; a scalar is an array, too."""
        return {p.name: self.inputs[p.name][index : index + 1].reshape(p.shape) for p in ports}


def sample_shape(port: Port) -> tuple[int, ...]:
    """Shape of one sample of an input: without the batch axis of 1."""
    return port.shape[1:] if port.shape[:1] == (1,) else port.shape


def random_data(ports: Sequence[Port], samples: int = 16, seed: int = 0) -> Data:
    """Normally distributed float inputs and uniform integers from a seeded generator.

    They show sizes and timing; ranges observed on them mean nothing (``random`` is set).
    There are fewer of them where the inputs are huge.
    """
    elements = sum(math.prod(port.shape) for port in ports)
    samples = max(1, min(samples, _RANDOM_ELEMENTS // max(1, elements)))
    generator = np.random.Generator(np.random.PCG64(seed))
    inputs = {p.name: _drawn(generator, p, (samples, *sample_shape(p))) for p in ports}
    assert all(math.prod(array.shape) for array in inputs.values())
    return Data(MappingProxyType(inputs), samples, random=True)


def _drawn(generator: np.random.Generator, port: Port, shape: tuple[int, ...]) -> Array:
    """Values of an input: normal, any of its grid, or whole numbers as bytes are.

    Integers on no grid may be truth values, or places in tables of any length: 0 and 1.
    """
    dtype = port.dtype
    if port.whole:
        return generator.integers(0, 2, shape).astype(dtype.numpy)
    if dtype in REAL:
        return generator.standard_normal(shape, np.float32)
    if dtype in _WHOLE:
        return generator.integers(0, 256, shape).astype(np.float32)
    drawn: Array = generator.integers(dtype.low, dtype.high + 1, shape, dtype.numpy)
    return drawn
