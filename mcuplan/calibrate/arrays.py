# SPDX-License-Identifier: Apache-2.0
"""Arrays as samples of a model: what fits an input, and in which type it is kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from mcuplan.calibrate.data import EXTRAS, REAL, Data, sample_shape
from mcuplan.calibrate.npz import Header, read_arrays, release, room
from mcuplan.errors import DataError, McuplanError, MissingInput, Problems
from mcuplan.facts import ArraysIgnored
from mcuplan.ir.graph import Port
from mcuplan.ir.types import Array, DType

__all__ = ["data_of", "fits_type", "kept", "read_npz"]

_PART_ELEMENTS = 1 << 20  # looked at together


Wanted = Callable[[Header], bool]
Reader = Callable[[Wanted], tuple[Mapping[str, Array], tuple[Header, ...]]]


def read_npz(path: Path, ports: Sequence[Port], max_bytes: int) -> Data:
    """Samples of an ``.npz`` file; see :func:`mcuplan.calibrate.read_data`."""
    return data_of(path, ports, lambda wanted: read_arrays(path, wanted, max_bytes))


def data_of(path: Path, ports: Sequence[Port], read: Reader) -> Data:
    """Samples of a file or folder that has an array for each input, and perhaps ``EXTRAS``.

    ``read`` gives the arrays whose headers are wanted, and the headers of the others.

    Raises:
        DataError, Problems: they do not fit the model; every mismatch is named.
    """
    by_name = {port.name: port for port in ports}
    errors: list[McuplanError] = []

    def wanted(header: Header) -> bool:
        if header.name in by_name:
            found = _mismatch(header, by_name[header.name], path)
            errors.extend([found] if found else [])
            return found is None
        return header.name in EXTRAS

    arrays, others = read(wanted)
    seen = {header.name for header in others} | set(arrays)
    errors += [_missing(port, path, sorted(seen)) for port in ports if port.name not in seen]
    Problems.raise_if_any(errors)
    inputs = {p.name: kept(arrays[p.name], p, path) for p in ports}
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
    return None if fits_type(header.dtype, port) else problem


def fits_type(dtype: np.dtype[Any], port: Port) -> bool:
    """Whether values of a type can be those of an input."""
    if port.on_grid:
        return bool(dtype == port.dtype.numpy)
    return dtype.kind in ("f" if port.dtype in REAL else "b" if port.dtype is DType.BOOL else "iu")


def _missing(port: Port, path: Path, seen: Sequence[str]) -> DataError:
    return MissingInput(
        f"no array {port.name!r}; the file has {', '.join(seen) or 'no arrays'}",
        where=str(path),
        hint=f"numpy.savez(FILE, **{{{port.name!r}: samples}}) with shape "
        f"[samples, {', '.join(map(str, sample_shape(port)))}]",
    )


def kept(array: Array, port: Port, path: Path) -> Array:
    """Integers of a grid as they are, others in the model's type, real values as float32.

    Args:
        array: [samples, ...], of a type that :func:`fits_type`.
        port: the input.
        path: what to name in an error.

    Raises:
        DataError: values are not finite, or beyond the type of the model's input.
    """
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
