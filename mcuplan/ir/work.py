# SPDX-License-Identifier: Apache-2.0
"""What loops count: how often the parts of a kernel run for one whole output.

A kernel names its parts and counts them from shapes alone; how many cycles each part takes
is measured (`mcuplan.price.cycles`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, cast

from mcuplan.ir.op import Signature

__all__ = ["Taps", "Work", "block_parts", "taps_of"]

Work = Mapping[str, float]


class _Windowed(Protocol):
    """An operator with windows: per axis (H, W); ``pads`` top, left, bottom, right."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    pads: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Taps:
    """Windows along one axis of all outputs.

    ``counts`` are the taps of each window that lie in the input.
    """

    kernel: int
    windows: int
    counts: tuple[int, ...]

    @property
    def inside(self) -> int:
        """Of all windows together."""
        return sum(self.counts)

    @property
    def whole(self) -> int:
        """Windows of which all taps do."""
        return sum(count == self.kernel for count in self.counts)


def taps_of(sig: Signature, axis: int) -> Taps:
    """The windows of an operator that has some, along H (0) or W (1)."""
    op = cast(_Windowed, sig.op)
    size, counts = sig.inputs[0].shape[1 + axis], []
    windows, kernel = sig.output.shape[1 + axis], op.kernel[axis]
    for k in range(windows):
        at = k * op.stride[axis] - op.pads[axis]
        counts.append(sum(0 <= at + t * op.dilation[axis] < size for t in range(kernel)))
    return Taps(kernel, windows, tuple(counts))


def block_parts(name: str, times: float, nbytes: int, *, aligned: bool) -> dict[str, float]:
    """What the C library's copy or fill of a block counts: 16 bytes a round, words, the rest.

    From 4 to 7 bytes go one by one unless they are aligned.
    """
    short = 4 <= nbytes < 8 and not aligned
    return {
        name: times,
        f"{name}_round": times * (nbytes // 16),
        f"{name}_word": 0 if short else times * (nbytes % 16 // 4),
        f"{name}_pair": 0 if short else times * (nbytes % 4 >= 2),
        f"{name}_odd": 0 if short else times * (nbytes % 2),
        f"{name}_skewed": times * (nbytes >= 8 and not aligned),
        f"{name}_few": times * (nbytes < 4),
        f"{name}_short": times * short,
        f"{name}_short_byte": times * nbytes * short,
    }
