# SPDX-License-Identifier: Apache-2.0
"""Ranges of model inputs that the user states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from mcuplan.calibrate.data import Data
from mcuplan.calibrate.npz import release, room
from mcuplan.errors import McuplanError, Problems, UsageError
from mcuplan.facts import SamplesCut
from mcuplan.ir.graph import Graph, Port
from mcuplan.ir.types import Array, DType
from mcuplan.quant.observers import Range
from mcuplan.spelling import did_you_mean

__all__ = ["stated_ranges", "within"]

_OPTION = "--input-range"
_TOGETHER = 64  # samples in memory


def stated_ranges(graph: Graph, asked: Mapping[str, Range]) -> Mapping[str, Range]:
    """Range of each input that one was stated for, by its tensor in the graph.

    Args:
        graph: float graph.
        asked: by the input's name in the model; the empty name is that of the only input.

    Raises:
        UsageError, Problems: there is no such input, or its grid is not to be chosen.
    """
    ports = {port.name: port for port in graph.app_inputs}
    found: dict[str, Range] = {}
    errors: list[McuplanError] = []
    for name, ends in asked.items():
        try:
            port = _named(name, ports)
            if port.dtype is not DType.FLOAT32 or graph.tensor(port.tensor).type.quant is not None:
                what = f"the model itself says on which grid input {port.name!r} lies"
                raise UsageError(what, _OPTION, f"leave {_OPTION} out for this input")
            if found.setdefault(port.tensor, ends) != ends:
                raise UsageError(f"two ranges for input {port.name!r}", _OPTION, "state one")
        except UsageError as error:
            errors.append(error)
    Problems.raise_if_any(errors)
    return MappingProxyType(found)


def _named(name: str, ports: Mapping[str, Port]) -> Port:
    if not name and len(ports) == 1:
        return next(iter(ports.values()))
    if name not in ports:
        what = f"no input named {name!r}" if name else f"the model has {len(ports)} inputs"
        raise UsageError(what, _OPTION, did_you_mean(name, ports) if name else "NAME=LOW:HIGH")
    return ports[name]


def within(data: Data, ports: Sequence[Port], ranges: Mapping[str, Range]) -> Data:
    """The samples as the device sees them: values beyond a stated range lie at its end."""
    inputs, notes = dict(data.inputs), list(data.notes)
    for port in ports:
        if port.tensor not in ranges:
            continue
        low, high = ranges[port.tensor]
        samples: Array = inputs[port.name]
        seen = _ends(samples)
        if data.random:
            spread = np.float32(high - low) / np.float32(max(seen[1] - seen[0], 1e-30))
            samples = (samples - np.float32(seen[0])) * spread + np.float32(low)
        elif low <= seen[0] and seen[1] <= high:
            continue
        else:
            notes.append(SamplesCut(port.name, seen, (low, high)))
        inputs[port.name] = _cut(samples, low, high)
    return replace(data, inputs=MappingProxyType(inputs), notes=tuple(notes))


def _ends(samples: Array) -> Range:
    """Least and largest value, some samples at a time."""
    ends = []
    for start in range(0, len(samples), _TOGETHER):
        part = samples[start : start + _TOGETHER]
        ends.append((float(part.min()), float(part.max())))
        release(samples)
    return min(low for low, _ in ends), max(high for _, high in ends)


def _cut(samples: Array, low: float, high: float) -> Array:
    """The samples within two ends, in as little memory as they had."""
    made = room(samples.shape, np.dtype(np.float32))
    for start in range(0, len(samples), _TOGETHER):
        part = slice(start, start + _TOGETHER)
        np.clip(samples[part], low, high, out=made[part], casting="same_kind")
        release(samples)
        release(made)
    return made
