# SPDX-License-Identifier: Apache-2.0
"""What a generated bundle offers to C, as data.

Whoever writes a bundle fills this in; the rest of this package builds, runs and measures
the bundle from it and looks into nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mcuplan.ir.types import DType

__all__ = ["BundleApi", "Bytes", "DeadBytes", "IoPort", "KeptBytes", "TensorDump"]

Bytes = npt.NDArray[np.integer[Any]]
"""Bytes of samples, signed or not, ``[samples, nbytes]``."""


@dataclass(frozen=True, slots=True)
class IoPort:
    """One input or output: its accessor function, size in bytes and element type.

    Samples are rows of pixels in either case.
    """

    accessor: str
    nbytes: int
    dtype: DType = DType.INT8
    on_grid: bool = True
    planes: int = 0  # of a row that is fed: so many, of one value for each pixel; 0: pixels


@dataclass(frozen=True, slots=True)
class BundleApi:
    """Names in the header of one bundle.

    Attributes:
        name: prefix of all generated names; ``NAME_ctx_t`` and ``NAME_invoke`` follow from it.
        header: file to include, ``kws.h``.
        regions: context member and arena type of each RAM region, in the order of the context.
        inputs, outputs: the model's ports in the model's order.
        steps: how often the step hook is called, with 0 to ``steps - 1``: after every step, or
            after every run of rows.
        sections: arenas with a linker section: context member, and the name of the memory in
            the linker-script fragment ``NAME.ld``.
        fed_rows: rows of an input that arrives row by row; 0: it lies in an arena.
        finishing: calls of ``NAME_finish`` then; all but the last return ``MPLAN_MORE``.
        states: region, offset and bytes of what goes on from call to call; ``NAME_reset`` sets it.
    """

    name: str
    header: str
    regions: tuple[tuple[str, str], ...]
    inputs: tuple[IoPort, ...]
    outputs: tuple[IoPort, ...]
    steps: int
    sections: tuple[tuple[str, str], ...] = ()
    fed_rows: int = 0
    finishing: int = 1
    states: tuple[tuple[str, int, int], ...] = ()

    @property
    def entries(self) -> tuple[str, ...]:
        """Names of the functions that run the model."""
        words = ("begin", "feed_row", "finish") if self.fed_rows else ("invoke",)
        return tuple(f"{self.name}_{word}" for word in words)

    @property
    def functions(self) -> tuple[str, ...]:
        """Names of all functions that return a status."""
        return (f"{self.name}_reset", *self.entries) if self.states else self.entries

    @property
    def calls(self) -> int:
        """Calls of these functions that a sample takes."""
        return 1 + self.fed_rows + self.finishing if self.fed_rows else 1

    def arena(self, region: str) -> str:
        """Name of the object that a test image defines for a region."""
        return f"mplan_test_{region}"


@dataclass(frozen=True, slots=True)
class TensorDump:
    """Bytes of a region to write out when the step hook is called with ``step``.

    ``offset`` is in the arena.
    """

    step: int
    region: str
    offset: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class DeadBytes:
    """Bytes of a region that nothing needs once the hook is called: test images spoil them."""

    step: int
    region: str
    offset: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class KeptBytes:
    """Bytes of a region that a step, or a run of rows, must not write: test images watch them."""

    step: int
    region: str
    offset: int
    nbytes: int
