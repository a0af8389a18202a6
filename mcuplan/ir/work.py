# SPDX-License-Identifier: Apache-2.0
"""What loops count: how often the parts of a kernel run for one whole output.

A kernel names its parts and counts them from shapes alone; how many cycles each part takes
is measured (`mcuplan.price.cycles`).
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["Work", "block_parts"]

Work = Mapping[str, float]


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
