# SPDX-License-Identifier: Apache-2.0
"""Who sets the range of a tensor: the ends of its channels, and its farthest samples."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mcuplan.ir.types import Array

__all__ = ["Extremes"]


@dataclass(frozen=True, slots=True)
class Extremes:
    """Ends of values [samples, ..., channels]; 0 is always among them, as on every grid.

    ``lows``, ``highs``: of each channel, but for ``least`` and ``most``, among which 0 need not be.
    ``bottoms``, ``tops``: the two farthest ends of samples.
    """

    samples: int = 0
    lows: Array = field(default_factory=lambda: np.zeros(0))
    highs: Array = field(default_factory=lambda: np.zeros(0))
    least: Array = field(default_factory=lambda: np.zeros(0))
    most: Array = field(default_factory=lambda: np.zeros(0))
    sums: Array = field(default_factory=lambda: np.zeros(0))  # of each channel, in double
    values: int = 0  # of a channel
    bottoms: tuple[float, float] = (0.0, 0.0)
    tops: tuple[float, float] = (0.0, 0.0)

    def updated(self, values: Array) -> Extremes:
        """Those of these values, too."""
        if values.size == 0:
            return self
        each = values.reshape(len(values), -1)
        channels = values.reshape(-1, values.shape[-1] if values.ndim > 1 else 1)
        lows, highs = channels.min(axis=0), channels.max(axis=0)
        before = (self.lows, self.highs) if self.samples else (np.zeros_like(lows),) * 2
        own = (self.least, self.most) if self.samples else (lows, highs)
        bottoms, tops = (*self.bottoms, *each.min(axis=1)), (*self.tops, *each.max(axis=1))
        least, most = sorted(map(float, bottoms))[:2], sorted(map(float, tops))[-2:]
        sums = channels.sum(axis=0, dtype=np.float64)
        return Extremes(
            self.samples + len(values),
            np.minimum(before[0], lows),
            np.maximum(before[1], highs),
            np.minimum(own[0], lows),
            np.maximum(own[1], highs),
            self.sums + sums if self.samples else sums,
            self.values + len(channels),
            (least[0], least[1]),
            (most[1], most[0]),
        )

    @property
    def means(self) -> Array:
        """Of each channel."""
        return self.sums / max(1, self.values)

    @property
    def by_sample(self) -> float:
        """How many times wider the range is for the farthest sample at either end."""
        return _ratio(self.tops[0] - self.bottoms[0], self.tops[1] - self.bottoms[1])

    @property
    def by_channel(self) -> tuple[int, float]:
        """The channel with the largest extent, and how many times it is that of a usual one."""
        extents = self.highs.astype(np.float64) - self.lows
        used = extents[extents > 0]
        if len(used) < 2:
            return 0, 1.0
        return int(np.argmax(extents)), _ratio(float(extents.max()), float(np.median(used)))

    @property
    def by_offsets(self) -> float:
        """How many times wider the range is than what a usual channel varies by."""
        varied = self.most.astype(np.float64) - self.least
        used = varied[varied > 0]
        if not len(used):
            return 1.0
        return _ratio(float(self.highs.max()) - float(self.lows.min()), float(np.median(used)))


def _ratio(one: float, other: float) -> float:
    return one / other if other > 0 else 1.0
