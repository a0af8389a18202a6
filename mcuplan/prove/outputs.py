# SPDX-License-Identifier: Apache-2.0
"""The error of every output against the runtime, as a whole and channel by channel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mcuplan.calibrate.bands import APART, ENOUGH, is_function, source_of
from mcuplan.ir.graph import Graph, Port
from mcuplan.ir.op import Tolerance
from mcuplan.ir.types import Array, DType
from mcuplan.prove.score import is_vector
from mcuplan.record import ChannelError, OutputError

__all__ = [
    "LARGEST",
    "OutputSeen",
    "OutputTally",
    "decibels",
    "differences",
    "gives_scores",
]

_VARIES = 2 / DType.INT8.steps  # of the extent: a grid of its own would hardly show less
LIMIT_DB = 200.0
"""Signal to noise is cut here either way, so that it stays a number."""

LARGEST = float(np.finfo(np.float32).max)
"""Errors are cut here, likewise."""


@dataclass(frozen=True, slots=True)
class OutputSeen:
    """What one output showed.

    ``constant``: the integers are the same for every sample, or everywhere, although the
    runtime's values vary. ``constant_channels``: likewise, of the channels in ``error``.
    ``steps``: the largest error in steps of the output's grid. ``tolerance``: of an output
    in float32. ``choices``: of an output of these, how many differ and how many there are.
    """

    error: OutputError
    constant: bool
    constant_channels: tuple[int, ...]
    steps: float
    tolerance: Tolerance | None = None
    choices: tuple[int, int] | None = None

    @property
    def is_zero(self) -> bool:
        """The float values are all 0, and ours at most one step away: nothing to judge."""
        return self.error.sqnr_db == -LIMIT_DB and self.steps <= 1

    def is_zero_channel(self, channel: ChannelError) -> bool:
        """The float values of a channel are all 0: only the whole output can be judged."""
        return channel.sqnr_db == -LIMIT_DB


class _Along:
    """Sums and limits for each index of one axis."""

    def __init__(self, axis: int, size: int) -> None:
        self.axis, self.values = axis, 0
        self.noise, self.signal = np.zeros(size), np.zeros(size)
        self.low, self.high = np.full((2, size), np.inf), np.full((2, size), -np.inf)

    def update(self, theirs: Array, mine: Array) -> None:
        others = tuple(a for a in range(theirs.ndim) if a != 1 + self.axis)
        self.values += theirs.size // len(self.noise)
        self.noise += np.square(differences(theirs, mine)).sum(axis=others)
        self.signal += np.square(theirs).sum(axis=others)
        for k, values in enumerate((theirs, mine)):
            self.low[k] = np.minimum(self.low[k], values.min(axis=others))
            self.high[k] = np.maximum(self.high[k], values.max(axis=others))

    @property
    def apart(self) -> bool:
        """Whether a grid of one channel would be much wider than that of another."""
        extents = self._extents()
        used = extents[extents > 0]
        return self.values >= ENOUGH and len(used) > 0 and used.max() > APART * used.min()

    def _extents(self) -> Array:
        """What a grid of its own would cover: the runtime's values, and 0."""
        extents: Array = np.maximum(self.high[0], 0) - np.minimum(self.low[0], 0)
        return extents

    def in_decibels(self) -> list[float | None]:
        return [decibels(s, n) for s, n in zip(self.signal, self.noise, strict=True)]

    def constant(self, least: float) -> tuple[int, ...]:
        """Indices at which only the runtime's values vary, by more than ``least``."""
        varies = self.high[0] - self.low[0] > np.maximum(_VARIES * self._extents(), least)
        return tuple(np.flatnonzero(varies & (self.high[1] == self.low[1])).tolist())


def differences(theirs: Array, mine: Array) -> Array:
    """Between real values of the runtime and ours; infinite where one of them is no number."""
    apart: Array = theirs - mine
    return np.where(np.isnan(apart), np.inf, apart)


def decibels(signal: float, noise: float) -> float | None:
    """Signal to noise in dB, at most 200 either way; None without any noise."""
    if noise == 0:
        return None
    share = signal / noise if noise < math.inf else 0.0
    ratio = 10 * math.log10(share) if share > 0 else -LIMIT_DB
    return round(min(max(ratio, -LIMIT_DB), LIMIT_DB), 2)


class OutputTally:
    """Collects what one output shows, block by block of samples."""

    def __init__(self, port: Port, scale: float, *, quantized: bool) -> None:
        """Start without samples.

        Args:
            port: the output.
            scale: step of its grid.
            quantized: the model has this grid itself; what moves by few steps may be rounding.
        """
        self._port, self._quantized, self._scale = port, quantized, scale
        self._worst, self._total, self._count = 0.0, 0.0, 0
        shape = port.shape or (1,)
        axes = dict.fromkeys([len(shape) - 1, *([1] if len(shape) > 2 else [])])
        self._along = [_Along(axis, shape[axis]) for axis in axes if shape[axis] > 1]
        self._whole = _Along(0, 1)
        self._first: Array | None = None
        self._frozen = True
        self._low, self._high = np.full((2, math.prod(shape)), [[np.inf], [-np.inf]])

    def update(self, theirs: Array, mine: Array) -> None:
        """See real values [samples, elements] of the runtime and our own.

        A choice is right or wrong: of 100 elements one that differs is noise of 20 dB. Without
        elements there is nothing to see.
        """
        if not mine.size:
            return
        self._low = np.minimum(self._low, theirs.min(axis=0))
        self._high = np.maximum(self._high, theirs.max(axis=0))
        self._first = mine[0] if self._first is None else self._first
        self._frozen = self._frozen and bool((mine == self._first).all())
        if self._port.is_choice:
            theirs, mine = np.ones(theirs.shape), (theirs == mine).astype(np.float64)
        off = np.minimum(np.abs(differences(theirs.astype(np.float64), mine)), LARGEST)
        self._worst = max(self._worst, float(off.max(initial=0.0)))
        self._total, self._count = self._total + float(off.sum()), self._count + off.size
        self._whole.update(theirs.reshape(-1, 1), mine.reshape(-1, 1))
        shape = (len(mine), *(self._port.shape or (1,)))
        for along in self._along:
            along.update(theirs.reshape(shape), mine.reshape(shape))

    def result(self) -> OutputSeen:
        """The errors; those of channels along the axis where they are worst."""
        apart = [along for along in self._along if along.apart]
        chosen = min(apart, key=_worst, default=None)
        channels = () if chosen is None else tuple(map(ChannelError, *_numbered(chosen)))
        error = OutputError(
            name=self._port.name,
            sqnr_db=self._whole.in_decibels()[0],
            mean_error=self._total / max(1, self._count),
            max_error=self._worst,
            channel_axis=None if chosen is None else chosen.axis,
            channels=channels,
        )
        least = 2.5 * self._scale if self._quantized else 0.0
        silent = () if chosen is None else chosen.constant(least)
        return OutputSeen(
            error,
            self._constant(),
            silent,
            self._worst / self._scale,
            choices=self._choices() if self._port.is_choice else None,
        )

    def _choices(self) -> tuple[int, int]:
        """How many differ, all where that is no number, and how many there are."""
        other, many = self._whole.noise[0], self._whole.values
        return int(other) if np.isfinite(other) else many, many

    def _constant(self) -> bool:
        """Whether only the runtime's values vary, by more than the rounding of one grid's step.

        Samples that are alike may well have one integer. (Of a channel, however, that is not so
        much as one step wide, that is the fault.)
        """
        step = (2.5 if self._quantized else 1.0) * self._scale
        varies = bool((self._high - self._low).max(initial=0.0) > step)
        return (self._frozen and varies) or bool(self._whole.constant(step))


def _worst(along: _Along) -> float:
    return min((d for d in along.in_decibels() if d is not None), default=LIMIT_DB)


def _numbered(along: _Along) -> tuple[range, list[float | None]]:
    found = along.in_decibels()
    return range(len(found)), found


def gives_scores(graph: Graph, port: Port) -> bool:
    """Whether an output has one score for each class, as the model itself says by a Softmax.

    Logits without a Softmax look like the results of a regression; integer labels tell. A map
    of such scores has a decision in every place, and none for the whole.
    """
    if not is_vector(port.shape):
        return False
    producers, tensor = graph.producers(), port.tensor
    node = source_of(graph, tensor)
    while node is not None and is_function(graph, node):
        tensor = node.inputs[0]
        node = source_of(graph, tensor) if tensor in producers else None
    return node is not None and node.op.ranks_classes
