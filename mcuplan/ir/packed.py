# SPDX-License-Identifier: Apache-2.0
"""Constants as kernels read them: arrays, streams in an order of their own, blocks of these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mcuplan.ir.types import Array, DType

__all__ = ["LEVEL", "RUN", "Blocks", "ConstArray", "Factors", "Packed", "Runs"]


@dataclass(frozen=True, slots=True)
class Packed:
    """Values in an order of a kernel's own: how many there are, and how to make them."""

    size: int
    make: Callable[[], Array]


@dataclass(frozen=True, slots=True)
class Factors:
    """How words of taps go with factors of weights on scales of blocks.

    Attributes:
        run: words that share factors, an even number.
        period: of a run every other word has factors of its own (2), or all the same (1).
        halves: bytes of a word are those of sums in 16 bits, and else by themselves.
    """

    run: int
    period: int
    halves: bool

    def count(self, taps: int) -> int:
        """Pairs of factors, of even and of odd bytes, for so many words of taps."""
        return -(-taps // self.run) * self.period


@dataclass(frozen=True, slots=True)
class Blocks:
    """Words of a stream, block by block; each byte of ``taps`` is one of -8 to 7.

    Attributes:
        head, taps: words that follow one another, so many ``times`` in each block.
        tail: words at its end.
        factors: what bytes are multiplied by when they are widened, if anything.
    """

    head: int
    taps: int
    tail: int = 0
    times: int = 1
    factors: Factors | None = None

    @property
    def words(self) -> int:
        """Of a block."""
        return self.times * (self.head + self.taps) + self.tail

    @property
    def narrow_words(self) -> int:
        """Of a block whose taps have 4 bits each, behind their factors."""
        pairs = self.factors.count(self.taps) if self.factors else 0
        return self.words + self.times * (-(-pairs // 2) - self.taps // 2)


LEVEL = 8  # that values of 4 bits are raised by: two of them make a byte
RUN = 15  # taps of a run of :class:`Runs`


@dataclass(frozen=True, slots=True)
class Runs:
    """A stream of bytes of two channels at a time, tap by tap; a byte for two of 4 bits each.

    Attributes:
        taps: of a channel, in runs of 15 that a byte with their length precedes; the last one is
            followed by 0.
    """

    taps: int

    @property
    def copied_bytes(self) -> int:
        """Of two channels, widened."""
        return 2 * self.taps + -(-self.taps // RUN) + 1


@dataclass(frozen=True, slots=True)
class ConstArray:
    """A constant array in flash. ``kind``: "weights" or "tables" in the flash bill.

    ``blocks``: those of the stream that it becomes when its taps of 4 bits are widened.
    """

    dtype: DType
    content: Array | Packed  # packed when it is emitted
    kind: str = "weights"
    blocks: Blocks | Runs | None = None

    @property
    def values(self) -> Array:
        """What is emitted."""
        return self.content.make() if isinstance(self.content, Packed) else self.content

    @property
    def nbytes(self) -> int:
        """Bytes in flash."""
        return self.dtype.nbytes(self.content.size)

    @property
    def block_count(self) -> int:
        """How many blocks there are to be widened."""
        if isinstance(self.blocks, Runs):
            return self.content.size // max(1, self.blocks.taps)
        return 0 if self.blocks is None else self.content.size // self.blocks.narrow_words

    @property
    def copied_bytes(self) -> int:
        """Bytes of a copy in RAM, widened where there are blocks."""
        if isinstance(self.blocks, Runs):
            return self.block_count * self.blocks.copied_bytes
        return self.nbytes if self.blocks is None else 4 * self.block_count * self.blocks.words


def paired(words: Array) -> Array:
    """Words of four values of 4 bits, two in the room of one: the first in the low halves of bytes.

    Args:
        words: integers from 0 to 15, [..., words, 4]; behind an odd number one of zeros is added.

    Returns:
        int32 [..., half as many].
    """
    bytes_of = words.astype(np.uint8)
    even = np.pad(bytes_of, [*[(0, 0)] * (words.ndim - 2), (0, words.shape[-2] % 2), (0, 0)])
    both: Array = np.ascontiguousarray(even[..., 0::2, :] | even[..., 1::2, :] << 4)
    return both.view(np.int32)[..., 0]
