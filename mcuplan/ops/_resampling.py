# SPDX-License-Identifier: Apache-2.0
"""Where an output of Resize lies on an axis of the input, and which elements it is made of.

Source: the ONNX operator Resize, opset 19, and its reference implementation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcuplan.errors import UnsupportedOp
from mcuplan.ir.types import Array

__all__ = ["OUTSIDE", "AxisTaps", "Coordinates", "interpolated", "nearest", "way_of"]

OUTSIDE = -1
_EQUAL = 1e-12  # weights


@dataclass(frozen=True, slots=True)
class AxisTaps:
    """For each output along an axis the first element, -1 for none, and weights from it on.

    All outputs have as many weights, and all elements under them exist.
    """

    first: tuple[int, ...]
    weights: tuple[tuple[float, ...], ...]

    @property
    def taps(self) -> int:
        """Weights of each output."""
        return len(self.weights[0])

    def __len__(self) -> int:
        """Outputs."""
        return len(self.first)

    def is_identity(self, size: int) -> bool:
        """Whether each output is the element at its own place."""
        same = self.first == tuple(range(size))
        return same and all(own[0] == 1.0 and not any(own[1:]) for own in self.weights)


@dataclass(frozen=True, slots=True)
class Coordinates:
    """How the outputs along one axis lie on its ``size`` elements.

    ``roi``: start and end of the part that is taken, as shares of the axis.
    """

    mode: str
    size: int
    target: int
    scale: float
    roi: tuple[float, float] = (0.0, 1.0)

    def places(self, dtype: type[np.floating] = np.float64) -> Array:
        """Place of each output among the elements, in the precision of a runtime's.

        Raises:
            UnsupportedOp: a transformation that is not known.
        """
        size, scale, at = self.size, dtype(self.scale), np.arange(self.target).astype(dtype)
        half, one, length = dtype(0.5), dtype(1), dtype(self.scale * self.size)
        start, end = map(dtype, self.roi)
        step = dtype(size - 1) / (length - one) if length != 1 else dtype(0)
        pixel: Array = (at + half) / scale - half
        found: dict[str, Array] = {
            "asymmetric": at / scale,
            "align_corners": at * step,
            "half_pixel": pixel,
            "half_pixel_symmetric": dtype(size / 2 * (1 - self.target / length)) + pixel,
            "pytorch_half_pixel": pixel if self.target > 1 else at * 0,
            "tf_crop_and_resize": at * (end - start) * step + start * dtype(size - 1),
        }
        if self.mode == "tf_crop_and_resize" and length == 1:
            middle: Array = at + (end - start) * dtype(size - 1) / 2 + start * dtype(size - 1)
            return middle
        if self.mode not in found:
            raise UnsupportedOp(f"coordinate_transformation_mode={self.mode}")
        return found[self.mode]

    def outside(self) -> Array:
        """Which outputs are not made of the input, in float32, as runtimes compute."""
        places = self.places(np.float32)
        beyond: Array = (places < 0) | (places > self.size - 1)
        return beyond & (self.mode == "tf_crop_and_resize")


_ROUNDINGS: dict[str, Callable[[Array], Array]] = {
    "round_prefer_floor": lambda x: np.ceil(x - x.dtype.type(0.5)),
    "round_prefer_ceil": lambda x: np.floor(x + x.dtype.type(0.5)),
    "floor": np.floor,
    "ceil": np.ceil,
}


def nearest(where: Coordinates, rounding: str) -> tuple[int, ...]:
    """Index of the element nearest to each output, -1 for none; float32, as runtimes compute."""
    if rounding not in _ROUNDINGS:
        raise UnsupportedOp(f"nearest_mode={rounding}")
    places = where.places(np.float32)
    found = np.clip(_ROUNDINGS[rounding](places), 0, where.size - 1).astype(np.int64)
    return tuple(np.where(where.outside(), OUTSIDE, found).tolist())


def interpolated(
    where: Coordinates, *, cubic: float | None, antialias: bool, exclude_outside: bool
) -> AxisTaps:
    """Weights of a linear interpolation, or a cubic one with that coefficient.

    Elements beyond the ends are those at the ends, or take no part (``exclude_outside``).
    """
    places = where.places()
    shrink = min(where.scale, 1.0) if antialias else 1.0
    reach = 1 if cubic is None else 2
    start = math.floor(-reach / shrink) + 1
    before = np.ceil(places).astype(np.int64) - 1  # the element left of each, or the one behind
    ratio = places - before  # in (0, 1]
    offsets = np.arange(start, 2 - start)
    distances = np.abs(offsets[None] - ratio[:, None]) * shrink
    weights = _linear(distances) if cubic is None else _cubic(distances, cubic)
    indices = before[:, None] + offsets[None]
    if exclude_outside:
        weights = np.where((indices < 0) | (indices >= where.size), 0.0, weights)
    if exclude_outside or antialias:
        weights = weights / weights.sum(axis=1, keepdims=True)
    dense = np.zeros((where.target, where.size))
    rows = np.arange(where.target)[:, None]
    np.add.at(dense, (rows, np.clip(indices, 0, where.size - 1)), weights)
    return _compact(dense, where.outside())


def _linear(distances: Array) -> Array:
    made: Array = np.clip(1.0 - distances, 0.0, 1.0)
    return made


def _cubic(x: Array, a: float) -> Array:
    """Keys' convolution kernel: Source: Keys 1981, equation 15 with a free coefficient."""
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    made: Array = np.where(x <= 1, near, np.where(x < 2, far, 0.0))
    return made


def _compact(dense: Array, outside: Array) -> AxisTaps:
    """The weights of each row that are not 0, in as many columns as the longest run has."""
    used: Sequence[Array] = [np.flatnonzero(row) for row in dense]
    spans = [(int(u[0]), int(u[-1]) + 1) if len(u) else (0, 1) for u in used]
    taps, size = max(end - first for first, end in spans), dense.shape[1]
    starts = [min(first, size - taps) for first, _ in spans]
    weights = tuple(tuple(row[s : s + taps].tolist()) for row, s in zip(dense, starts, strict=True))
    first = (OUTSIDE if out else s for out, s in zip(outside.tolist(), starts, strict=True))
    return AxisTaps(tuple(first), weights)


_MODES = ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")  # of every opset
Way = Mapping[str, Any]
_COEFFICIENTS = (-0.75, -0.5)


def way_of(axes: Sequence[AxisTaps], sizes: Sequence[int]) -> Way | None:
    """Attributes of the ONNX operator that has such weights along axes of such sizes.

    None where none does that every opset and runtime knows.
    """
    ways: list[Way] = [{"mode": "linear"}]
    if len(axes) == 2:  # runtimes have no others that are cubic
        ways += [
            {"mode": "cubic", "cubic_coeff_a": a, "exclude_outside": beyond}
            for a in _COEFFICIENTS
            for beyond in (0, 1)
        ]
    for mode in _MODES:
        for way in ways:
            if all(_lies(own, size, mode, way) for own, size in zip(axes, sizes, strict=True)):
                return {**way, "coordinate_transformation_mode": mode}
    return None


def _lies(own: AxisTaps, size: int, mode: str, way: Way) -> bool:
    """Whether an axis has the weights of a way."""
    made = interpolated(
        Coordinates(mode, size, len(own), len(own) / size),
        cubic=float(way["cubic_coeff_a"]) if way["mode"] == "cubic" else None,
        antialias=False,
        exclude_outside=bool(way.get("exclude_outside", 0)),
    )
    return made.first == own.first and np.allclose(made.weights, own.weights, rtol=0.0, atol=_EQUAL)
