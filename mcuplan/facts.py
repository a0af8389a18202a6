# SPDX-License-Identifier: Apache-2.0
"""What stages find out about a model, as values; :mod:`mcuplan.words` says them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum, auto

__all__ = [
    "ArraysIgnored",
    "BatchOfOne",
    "ClassesRead",
    "ClosedBy",
    "DataNote",
    "DynamicAsReal",
    "EndsAt",
    "FreeBlocks",
    "GapsClosed",
    "InType",
    "IntegerWeights",
    "LeftOut",
    "NotFinite",
    "Note",
    "OpsetAssumed",
    "OutOfOrder",
    "ReadAsFloat",
    "ReadAsInt8",
    "RepairGain",
    "RepairKind",
    "Rewrite",
    "Rewritten",
    "SamplesCut",
    "StatesFound",
    "TakenAsIs",
    "Unrepaired",
    "summed",
]


# -- reading a model file -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EndsAt:
    """The user ended the model at these tensors; so many nodes behind them are left out."""

    tensors: tuple[str, ...]
    nodes: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Nodes that no output depends on."""

    nodes: int


@dataclass(frozen=True, slots=True)
class IntegerWeights:
    """Weights are stored as integers though activations are float."""


@dataclass(frozen=True, slots=True)
class FreeBlocks:
    """Weights of 4 bits or fewer whose blocks have scales that are no multiples of one.

    ``block``: how many share a scale, most often.
    """

    tensors: int
    block: int


@dataclass(frozen=True, slots=True)
class DynamicAsReal:
    """Values that the model quantizes by what each sample holds, and that are taken as they are."""

    tensors: int


@dataclass(frozen=True, slots=True)
class OpsetAssumed:
    """A domain without an opset version."""

    domain: str


@dataclass(frozen=True, slots=True)
class OutOfOrder:
    """The nodes of the file are not in topological order."""


@dataclass(frozen=True, slots=True)
class ReadAsFloat:
    """An input whose element type no generated code has."""

    name: str
    dtype: str


@dataclass(frozen=True, slots=True)
class InType:
    """Layers that compute in another type than most, and how many conversions there are.

    ``open_ends``: those of them that make or read what a quantized model does not round.
    """

    layers: tuple[str, ...]
    conversions: int
    dtype: str = "float32"
    open_ends: tuple[str, ...] = ()


class ClosedBy(StrEnum):
    """How values that a quantized model puts on no grid got one."""

    NEIGHBOUR = "neighbour"  # exactly
    LIMITS = "limits"
    CALIBRATION = "calibration"


@dataclass(frozen=True, slots=True)
class GapsClosed:
    """Tensors of a quantized model that it puts on no grid, and that got one."""

    tensors: tuple[str, ...]
    by: ClosedBy


@dataclass(frozen=True, slots=True)
class ReadAsInt8:
    """A whole-number input that becomes int8 with scale and zero point of its range."""

    name: str
    dtype: str


@dataclass(frozen=True, slots=True)
class BatchOfOne:
    """An open first dimension of an input of that name."""

    dimension: str
    name: str


@dataclass(frozen=True, slots=True)
class StatesFound:
    """Inputs, and the outputs that they are in the next call: their names say so."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class NotFinite:
    """A computed constant that is infinite or NaN though what it is computed from is not."""

    constant: str
    operator: str


# -- calibration data -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ArraysIgnored:
    """Arrays of a data file that are nothing of the model's."""

    file: str
    arrays: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SamplesCut:
    """Samples of an input that go beyond the range stated for it, lowest and highest value."""

    name: str
    seen: tuple[float, float]
    stated: tuple[float, float]


@dataclass(frozen=True, slots=True)
class ClassesRead:
    """Labels that folders of samples gave, and the name of each folder."""

    folder: str
    classes: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class TakenAsIs:
    """Arrays that what was said of tables and images does not change."""

    file: str


class RepairKind(StrEnum):
    """A way to make up for what grids cost."""

    MERGING = "merging"
    EQUALIZATION = "equalization"
    LIMITS = "limits"
    ABSORPTION = "absorption"
    TABLES = "tables"
    OUTPUTS = "outputs"
    INPUTS = "inputs"
    RANGES = "ranges"
    WIDENING = "widening"
    BIASES = "biases"
    ROUNDING = "rounding"


@dataclass(frozen=True, slots=True)
class Unrepaired:
    """Outputs are as near to the float ones as rounding them leaves, on so many other samples."""

    sqnr_db: float
    samples: int


@dataclass(frozen=True, slots=True)
class RepairGain:
    """What a kind of repair was worth: signal to noise of the outputs in dB, on other samples.

    ``samples``: how many were held back. ``kept``: whether the model has it.
    """

    kind: RepairKind
    before_db: float
    after_db: float
    samples: int
    kept: bool


# -- passes ---------------------------------------------------------------------------------


class Rewrite(Enum):
    """A kind of rewrite that a pass counts."""

    MOVEMENT_DROPPED = auto()
    UNREAD_DROPPED = auto()
    TRANSPOSE_SUNK = auto()
    FLATTEN_FOLDED = auto()
    DENSE_SPLIT = auto()
    ATTENTION_FUSED = auto()
    AFFINE_MERGED = auto()
    AFFINE_FOLDED = auto()
    ACTIVATION_FUSED = auto()
    ROUNDING_FOLDED = auto()
    GATE_FUSED = auto()
    LOOKUP_FUSED = auto()
    PADDING_FOLDED = auto()
    AFFINE_TO_TABLE = auto()
    AFFINE_TO_LAYER = auto()
    LOOKUP_JOINED = auto()
    BORDER_REGRIDDED = auto()


@dataclass(frozen=True, slots=True)
class Rewritten:
    """How often something was rewritten."""

    what: Rewrite
    count: int


DataNote = ArraysIgnored | ClassesRead | SamplesCut | TakenAsIs
"""Something about samples that whoever gave them should know."""

Note = (
    BatchOfOne
    | DataNote
    | DynamicAsReal
    | EndsAt
    | FreeBlocks
    | GapsClosed
    | InType
    | IntegerWeights
    | LeftOut
    | NotFinite
    | OpsetAssumed
    | OutOfOrder
    | ReadAsFloat
    | ReadAsInt8
    | Rewritten
    | StatesFound
)
"""Something about a model that its user should know."""


def summed(notes: Iterable[Note]) -> tuple[Note, ...]:
    """The same with one count for each kind of rewrite, none where nothing was done; last."""
    counts: Counter[Rewrite] = Counter()
    others: list[Note] = []
    for note in notes:
        if isinstance(note, Rewritten):
            counts[note.what] += note.count
        else:
            others.append(note)
    return (*others, *(Rewritten(what, count) for what, count in counts.items() if count))
