# SPDX-License-Identifier: Apache-2.0
"""What every operator answers, and how a kernel is described.

Stages never ask an operator for its class: they ask for the data below.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, ClassVar, TypeVar

from mcuplan.ir.geometry import (
    ALL,
    SAME,
    InputMap,
    Shape,
    Spans,
    Taps,
    Window,
    column_spans,
    maps_of,
    row_spans,
)
from mcuplan.ir.packed import Blocks, ConstArray, Packed, Runs
from mcuplan.ir.tolerance import FLOAT_TOLERANCE, INTEGER_TOLERANCE, Tolerance
from mcuplan.ir.types import Array, DType, Quant, TensorType, Types

__all__ = [
    "NO_CLAMP",
    "Blocks",
    "Call",
    "ConstArray",
    "Cost",
    "Example",
    "Field",
    "Kernel",
    "Op",
    "Packed",
    "QuantRule",
    "Signature",
    "Tolerance",
]

T = TypeVar("T")

NO_CLAMP = (float("-inf"), float("inf"))
"""Real limits of an operator without a fused activation."""


class QuantRule(StrEnum):
    """How the output of an operator gets its quantization."""

    WEIGHTED = "weighted"  # per-channel weights, int32 bias, calibrated output
    PASS_THROUGH = "pass-through"  # output takes the parameters of input 0 (all inputs agree)
    FREE = "free"  # calibrated
    FIXED = "fixed"  # given by the operator: ``fixed_quant``


@dataclass(frozen=True, slots=True)
class Cost:
    """Work of one node: multiply-accumulates, and other element operations."""

    macs: int = 0
    ops: int = 0


@dataclass(frozen=True, slots=True)
class Signature:
    """What an operator or kernel sees of a node: types, and constants (None: an activation).

    In a lowered graph types are those of the C code; constants with a ``Quant`` hold integers.
    """

    op: Op
    inputs: tuple[TensorType, ...]
    outputs: tuple[TensorType, ...]
    constants: tuple[Array | None, ...]
    _answers: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def output(self) -> TensorType:
        """Type of the first output."""
        return self.outputs[0]

    @property
    def cost(self) -> Cost:
        """Work on any machine."""
        return self.op.cost(self.inputs, self.outputs)

    def once(self, question: Callable[[Signature], T]) -> T:
        """The answer of a function of signatures, computed when it is first asked."""
        if question not in self._answers:
            self._answers[question] = question(self)
        answer: T = self._answers[question]
        return answer

    def known(self, what: Hashable, make: Callable[[], T]) -> T:
        """What is made of a signature under a name, when it is first asked."""
        if what not in self._answers:
            self._answers[what] = make()
        answer: T = self._answers[what]
        return answer

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """Shapes of the inputs."""
        return tuple(kind.shape for kind in self.inputs)

    @property
    def maps(self) -> tuple[InputMap, ...]:
        """What each input shows of the output: the operator's one answer."""
        return maps_of(self.op, self.shapes, self.output.shape)

    def rows_read(self, index: int) -> Spans:
        """Rows of an input that each output row is computed from: [rows, spans, 2]."""
        return row_spans(self.op, index, self.shapes, self.output.shape)

    def columns_read(self, index: int) -> Spans | None:
        """Columns (axis 2) of an input that each output column is computed from; None: any."""
        return column_spans(self.op, index, self.shapes, self.output.shape)

    @property
    def is_elementwise(self) -> bool:
        """Whether an element depends on its own position of each input, every position alike."""
        alike = all(axis_map == SAME for input_map in self.maps for axis_map in input_map)
        return alike and not self.op.channel_parameters

    def window(self, axis: int) -> Window:
        """The windows of an operator that has some, along H (1) or W (2)."""
        window = self.maps[0][axis]
        assert isinstance(window, Window), f"no windows along axis {axis}"
        return window

    def taps(self, axis: int) -> Taps:
        """How many taps of each of them lie in the input."""
        return self.window(axis).taps(self.inputs[0].shape[axis], self.output.shape[axis])

    @property
    def types(self) -> Types:
        """Element types of all inputs and outputs."""
        return self.once(_types_of)

    def admits(self, real: DType) -> bool:
        """Whether the operator is defined where real values, and they alone, have a type."""
        if self.op.on_grids is not None and not real.is_float:
            return self.op.on_grids
        inputs, outputs = ([k.stored_in(real) for k in ks] for ks in (self.inputs, self.outputs))
        actual = replace(Types.of(inputs, outputs, self.op.weight_inputs), weights=())
        return self.op.is_view or any(
            types.admit(actual)
            for types in self.op.types
            if not self.op.weight_inputs or types.weights[0].is_float == real.is_float
        )

    def constant(self, index: int) -> Array:
        """Value of a constant input."""
        value = self.constants[index]
        assert value is not None, f"input {index} is not a constant"
        return value


def _types_of(sig: Signature) -> Types:
    return Types.of(sig.inputs, sig.outputs, sig.op.weight_inputs)


@dataclass(frozen=True, slots=True)
class Example:
    """One small case for the conformance tests.

    ``inputs`` are shapes; ``constants`` are indices of inputs that are constants. ``types``:
    element types of the inputs of an operator that takes integers on no grid.
    """

    op: Op
    inputs: tuple[tuple[int, ...], ...]
    constants: tuple[int, ...] = ()
    types: tuple[DType, ...] = ()

    @property
    def kinds(self) -> tuple[TensorType, ...]:
        """Types of the inputs in a graph before quantization: real ones where none are said."""
        types = self.types or (DType.FLOAT32,) * len(self.inputs)
        return tuple(map(TensorType, self.inputs, types))


class Op(ABC):
    """An operator: attributes as frozen dataclass fields, meaning as methods.

    Activations carry samples on axis 0 when evaluated, 1 in types. Tensors are NHWC.
    """

    __slots__ = ()
    quant_rule: ClassVar[QuantRule] = QuantRule.FREE
    is_view: ClassVar[bool] = False  # output has the same bytes as input 0
    channel_parameters: ClassVar[bool] = False  # of its own, for each index of the last axis
    inplace_inputs: ClassVar[tuple[int, ...]] = ()  # inputs whose bytes the output may replace
    fuses_activation: ClassVar[bool] = False  # has a field ``act`` of real clamp limits
    weight_inputs: ClassVar[tuple[int, ...]] = ()  # (weights, bias) of a WEIGHTED operator
    matrices: ClassVar[tuple[int, ...]] = ()  # constants of a grid for each row; others stay real
    gathers: ClassVar[bool] = False  # kernels take rows of the input; the output grows from the 1st
    ranks_classes: ClassVar[bool] = False  # a score for each class, of which the largest decides
    remark: ClassVar[str] = ""  # what of its work is not held, said where it is called
    constants_on_output: ClassVar[bool] = False  # constant inputs may lie on the output's grid
    types: ClassVar[tuple[Types, ...]] = (Types(),)  # that it is defined for; of a view, any

    @property
    def label(self) -> str:
        """The operator's name in reports."""
        return type(self).__name__

    @property
    def act(self) -> tuple[float, float]:
        """Real limits of a fused activation; a field where ``fuses_activation``."""
        return NO_CLAMP

    @property
    def fixed_quant(self) -> Quant | None:
        """The grid of the first output, where the operator gives it."""
        return None

    def fixed_grid(self, dtype: DType) -> Quant | None:
        """The same for integers of a type."""
        return self.fixed_quant

    @property
    def mixes(self) -> tuple[float, ...]:
        """Real values that a PASS_THROUGH operator adds; an infinite one is the end of any grid."""
        return ()

    @property
    def on_grids(self) -> bool | None:
        """Whether it computes in integers of several types; None: its types say that."""
        return None

    @property
    def is_wide(self) -> bool:
        """Whether results in int16, where its types name that, keep to its meaning."""
        return True

    @property
    def changes(self) -> tuple[int, ...]:
        """Inputs that rows leave changed for those that follow; no other node reads them."""
        return ()

    @property
    def clamp(self) -> tuple[float, float] | None:
        """Real limits, where all that the operator does is to keep values within them."""
        return None

    @property
    def passes_grid(self) -> bool:
        """Whether the output lies on the grid of input 0, since its values are moved or chosen."""
        return self.is_view or self.quant_rule is QuantRule.PASS_THROUGH

    def limits(self, inputs: Sequence[tuple[float, float]]) -> tuple[float, float]:
        """Real values that the output never leaves, given those of the inputs."""
        return inputs[0] if self.passes_grid else self.act

    def told_apart(self, values: Array) -> Array:
        """Real values of input 0, as near to each other as leaves results on any grid alike."""
        return values

    @abstractmethod
    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Output types from input types, without quantization: float32 of real values."""

    @abstractmethod
    def reference(self, *arrays: Array) -> tuple[Array, ...]:
        """Float meaning of the operator."""

    def float32(self, *arrays: Array) -> tuple[Array, ...]:
        """Float meaning in the order of operations of the C kernels, bit for bit."""
        return self.reference(*arrays)

    def tolerance(self, dtype: DType) -> Tolerance:
        """How far results of a type may be off those of a runtime; off the C code: not at all."""
        return FLOAT_TOLERANCE if dtype.is_float else INTEGER_TOLERANCE

    def integer(self, sig: Signature, *arrays: Array) -> tuple[Array, ...]:
        """Integer meaning: integers of the signature's types, bit for bit as the C kernels.

        Operators that only move elements inherit this.
        """
        return self.reference(*arrays)

    def cost(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> Cost:
        """Work on any machine; by default one operation per output element."""
        return Cost(ops=sum(t.elements for t in outputs))

    def geometry(self, inputs: Sequence[Shape], output: Shape) -> tuple[InputMap, ...]:
        """For each axis of each input what an output element is computed from.

        By default all of them, and the operator runs as a whole; a map may say more than is
        read, never less. ``output`` is the first one's shape.
        """
        return tuple((ALL,) * len(shape) for shape in inputs)

    def terms(self, x: Array) -> Sequence[Array]:
        """Of a WEIGHTED operator what each group of outputs multiplies with its weights.

        Views [..., *shape of the weights of one output]; of others nothing.
        """
        return ()

    def view_offset(self, inputs: Sequence[TensorType], output: TensorType) -> int | None:
        """Byte of input 0 at which the output starts, if it is a run of its bytes."""
        return 0 if self.is_view else None

    def join_offsets(
        self, inputs: Sequence[TensorType], output: TensorType
    ) -> tuple[int, ...] | None:
        """Byte of the output at which each input starts, if the output is a row of them."""
        return None

    def batchable(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> bool:
        """Whether several samples on axis 0 may be evaluated in one call."""
        return True

    @classmethod
    @abstractmethod
    def examples(cls) -> Iterable[Example]:
        """Small, odd and just-legal cases, for the conformance tests."""


Field = int | float | ConstArray | None


@dataclass(frozen=True, slots=True)
class Call:
    """One C call of a step: ``function(&params, inputs..., outputs..., y0, y1[, scratch])``.

    ``fields`` are the members of the params struct; arrays become constants that the member
    points to. ``inputs`` are the node inputs passed, activations or constants. Row addresses
    (``in_rows``, ``in2_rows``..., ``out_rows``, ``out2_rows``...) are added when emitting.
    ``y0, y1`` are the output rows computed; the input rows taken where the operator ``gathers``.
    """

    fields: Mapping[str, Field]
    inputs: tuple[int, ...] = (0,)
    function: str = ""  # default: the kernel's


def _always(sig: Signature) -> bool:
    return True


def _no_scratch(sig: Signature) -> int:
    return 0


def _as_operator(sig: Signature) -> tuple[int, ...]:
    return sig.op.inplace_inputs


@dataclass(frozen=True, slots=True)
class Kernel:
    """One C function for one operator and element type.

    ``work`` counts what calls for all of the output do, given how many rows each of them makes, by
    the parts that the loops of the function have; `mcuplan.price.cycles` knows what each takes.
    ``function`` is also the stem of its header and source file and, with ``_t``, its params struct.
    """

    op: type[Op]
    function: str
    lower: Callable[[Signature], tuple[Call, ...]]
    supports: Callable[[Signature], bool] = _always
    scratch_bytes: Callable[[Signature], int] = _no_scratch
    cost_class: str = "elementwise"  # key of the target's rates
    inplace_inputs: Callable[[Signature], tuple[int, ...]] = _as_operator  # row by row at least
    work: Callable[[Signature, Sequence[int]], Mapping[str, float]] | None = None
    row_by_row: bool = True  # a call writes rows first to last, reading `Signature.rows_read`
    rows_together: int = 1  # that a call makes at once; fewer take as long
    types: Types = field(default_factory=Types)
    backend: str = "c99"
    requires: frozenset[str] = field(default_factory=frozenset)
    staged: bool = False  # weights are copied behind the scratch, and read from there
    blocks: Callable[[Signature], Blocks | Runs | None] | None = None  # how its weights are packed
    tall: int = 1  # rows that it makes together: a call for fewer takes as long
    trades_flash: bool = False  # keeps a multiple of the weights: only where flash is to spare

    def __hash__(self) -> int:
        return hash((self.function, self.staged, self.trades_flash))  # nearly tells all apart

    def calls(self, sig: Signature) -> tuple[Call, ...]:
        """The calls for one node, made once; their weights are packed when they are emitted."""
        return sig.once(self.lower)

    def runs(self, sig: Signature) -> bool:
        """Whether the function computes a node."""
        return self.types.admit(sig.types) and self.supports(sig)
