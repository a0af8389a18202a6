# SPDX-License-Identifier: Apache-2.0
"""What emitting produces: text files, and the facts about them that a proof needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from mcuplan.ir.types import DType, Quant

__all__ = ["Bundle", "BundlePort", "KeptState", "Symbol"]


@dataclass(frozen=True, slots=True)
class Symbol:
    """A constant object of the generated code and its exact size in flash.

    ``kind`` is "weights" or "tables" in the flash bill; ``step`` the step that owns it, -1 for
    tables of rows and runs.
    """

    name: str
    nbytes: int
    kind: str
    step: int


@dataclass(frozen=True, slots=True)
class BundlePort:
    """An input or output at the C boundary: its accessor, element type and place.

    ``planes``: rows that arrive one by one are planes of values, so many; 0: they are pixels.
    """

    name: str  # as in the model file
    accessor: str
    dtype: DType
    nbytes: int
    shape: tuple[int, ...]
    quant: Quant | None  # None: real values
    region: str
    offset: int
    model_type: str = ""  # element type in the model, where C has another kind of numbers
    planes: int = 0


@dataclass(frozen=True, slots=True)
class KeptState:
    """Bytes of an arena that go on from call to call: a state, as the model's input is called."""

    name: str
    region: str  # context member
    offset: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class Bundle:
    """A generated model: text only, nothing is written to disk.

    ``sections``: context member of each arena with a linker section, and what ``NAME.ld`` calls
    its memory. ``kernel_sets``: folders of ``codegen/kernels`` that the kernels are of.
    ``computes_reals``: results depend on how the compiler rounds.
    """

    name: str
    files: Mapping[PurePosixPath, str]
    inputs: tuple[BundlePort, ...]
    outputs: tuple[BundlePort, ...]
    regions: tuple[tuple[str, int], ...]  # context member, arena bytes
    symbols: tuple[Symbol, ...]
    steps: int  # calls of the step hook: one for each step, or for each run of rows
    fed_rows: int = 0  # of an input that arrives row by row; 0: it lies in the arena
    finishing: int = 1  # calls of NAME_finish() then: all but the last say that there is more
    sections: tuple[tuple[str, str], ...] = ()
    states: tuple[KeptState, ...] = ()
    kernel_sets: frozenset[str] = frozenset()
    computes_reals: bool = False
