# SPDX-License-Identifier: Apache-2.0
"""Samples for a model: from a DATA.npz file, or random ones to try things out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from mcuplan.calibrate.npz import MAX_BYTES, Header, read_arrays, release, room
from mcuplan.errors import DataError, McuplanError, MissingInput, Problems
from mcuplan.facts import ArraysIgnored, Note
from mcuplan.ir.graph import Port
from mcuplan.ir.types import Array, DType

__all__ = ["EXTRAS", "Data", "random_data", "read_data"]

EXTRAS = ("labels", "groups", "reference")
"""Arrays that a data file may hold beside the inputs."""


_WHOLE = (DType.INT32, DType.INT64)
_REAL = (DType.FLOAT16, DType.FLOAT32, DType.FLOAT64)
_RANDOM_ELEMENTS = 1 << 26  # of all random samples together
_PART_ELEMENTS = 1 << 20  # looked at together


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


def read_data(path: Path, ports: Sequence[Port], max_bytes: int = MAX_BYTES) -> Data:
    """Read and check a data file; sizes are checked before memory is taken.

    Args:
        path: an ``.npz`` file.
        ports: inputs of the model.
        max_bytes: largest sum of the arrays.

    Raises:
        UsageError: there is no such file.
        DataError, Problems: it does not fit the model; every mismatch is named.
    """
    by_name = {port.name: port for port in ports}
    errors: list[McuplanError] = []

    def wanted(header: Header) -> bool:
        if header.name in by_name:
            found = _mismatch(header, by_name[header.name], path)
            errors.extend([found] if found else [])
            return found is None
        return header.name in EXTRAS

    arrays, others = read_arrays(path, wanted, max_bytes)
    seen = {header.name for header in others} | set(arrays)
    errors += [_missing(port, path, sorted(seen)) for port in ports if port.name not in seen]
    Problems.raise_if_any(errors)
    inputs = {p.name: _converted(arrays[p.name], p, path) for p in ports}
    counts = {name: len(array) for name, array in inputs.items()}
    if len(set(counts.values())) != 1 or min(counts.values()) == 0:
        raise DataError(f"samples per input: {counts}", str(path), "give each input as many")
    samples = next(iter(counts.values()))
    ignored = sorted(header.name for header in others if header.name not in by_name)
    notes = (ArraysIgnored(path.name, tuple(ignored)),) if ignored else ()
    extras = {key: _extra(key, arrays.get(key), path) for key in EXTRAS}
    _check_extras(extras, samples, path)
    labels, groups, reference = (extras[key] for key in EXTRAS)
    return Data(MappingProxyType(inputs), samples, labels, groups, reference, notes=notes)


def _mismatch(header: Header, port: Port, path: Path) -> DataError | None:
    """Why an array cannot be samples of an input, or None."""
    expected = f"{port.dtype.value} [samples, {', '.join(map(str, sample_shape(port)))}]"
    problem = DataError(
        f"input {port.name!r} is {header.dtype} {list(header.shape)}, expected {expected}",
        where=str(path),
        hint="the model's own preprocessing, shape and element type; first axis = samples",
    )
    if not header.shape or header.shape[1:] not in (sample_shape(port), port.shape):
        return problem
    if not port.on_grid:
        kinds = "f" if port.dtype in _REAL else "b" if port.dtype is DType.BOOL else "iu"
        return None if header.dtype.kind in kinds else problem
    return None if header.dtype == port.dtype.numpy else problem


def _missing(port: Port, path: Path, seen: Sequence[str]) -> DataError:
    return MissingInput(
        f"no array {port.name!r}; the file has {', '.join(seen) or 'no arrays'}",
        where=str(path),
        hint=f"numpy.savez(FILE, **{{{port.name!r}: samples}}) with shape "
        f"[samples, {', '.join(map(str, sample_shape(port)))}]",
    )


def _converted(array: Array, port: Port, path: Path) -> Array:
    """Integers of a grid as they are, others in the model's type, real values as float32."""
    array = array.reshape((len(array), *sample_shape(port)))
    if port.on_grid:
        return array
    if port.whole:
        return _whole(array, port, path)
    same = array.dtype == np.float32
    made = array if same else room(array.shape, np.dtype(np.float32))
    step = max(1, _PART_ELEMENTS // max(1, math.prod(array.shape[1:])))
    for start in range(0, len(array), step):
        with np.errstate(over="ignore"):
            part = array[start : start + step].astype(np.float32, copy=False)
        finite = np.isfinite(part.reshape(len(part), -1)).all(axis=1)
        if not finite.all():
            raise DataError(
                f"input {port.name!r} holds NaN or infinity "
                f"(sample {start + int(np.flatnonzero(~finite)[0])})",
                where=str(path),
                hint="leave such samples out",
            )
        if not same:
            made[start : start + step] = part
        release(array)
        release(made)
    return made


def _whole(array: Array, port: Port, path: Path) -> Array:
    """Integers in the type of the model's input, which must hold them."""
    if port.dtype is not DType.BOOL and not port.dtype.holds(array):
        ends = f"{int(array.min())} to {int(array.max())}"
        message = f"input {port.name!r} has integers from {ends}, beyond {port.dtype}"
        raise DataError(message, str(path), "give values of the model's own type")
    return array.astype(port.dtype.numpy, copy=False)


def _extra(key: str, array: Array | None, path: Path) -> Array | None:
    if array is None:
        return None
    if array.ndim == 0 or array.dtype.kind not in "iuf":
        raise DataError(f"{key} is {array.dtype} {list(array.shape)}", str(path), "give numbers")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DataError(f"{key} holds NaN or infinity", str(path), "leave such samples out")
    return array


def _check_extras(extras: Mapping[str, Array | None], samples: int, path: Path) -> None:
    labels, groups, reference = (extras[key] for key in EXTRAS)
    scored = samples
    if groups is not None:
        if groups.shape != (samples,) or groups.dtype.kind not in "iu" or groups.min() < 0:
            raise DataError(
                f"groups is {groups.dtype} {list(groups.shape)}",
                str(path),
                f"an index of a group for each of the {samples} samples",
            )
        scored = int(groups.max()) + 1
    if labels is not None and len(labels) != scored:
        raise DataError(
            f"{len(labels)} labels for {scored} {'groups' if groups is not None else 'samples'}",
            str(path),
            "one label each",
        )
    if reference is not None and len(reference) != samples:
        raise DataError(
            f"reference has {len(reference)} rows for {samples} samples", str(path), "one row each"
        )


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
    if dtype in _REAL:
        return generator.standard_normal(shape, np.float32)
    if dtype in _WHOLE:
        return generator.integers(0, 256, shape).astype(np.float32)
    drawn: Array = generator.integers(dtype.low, dtype.high + 1, shape, dtype.numpy)
    return drawn
