# SPDX-License-Identifier: Apache-2.0
"""What scheduling and planning produce: steps, programs, and where every tensor lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate

from mcuplan.facts import AsAWhole, Trade
from mcuplan.ir.graph import Graph, Node
from mcuplan.ir.op import Call, Cost, Kernel, Signature
from mcuplan.schedule.gaps import Overlaps
from mcuplan.solvers.packing.problem import Buffer, MemoryPlan
from mcuplan.solvers.rows.problem import RowOrder
from mcuplan.targets import Target

__all__ = [
    "FEED",
    "Allocation",
    "OrderResult",
    "Plan",
    "Program",
    "Run",
    "Selected",
    "Sharing",
    "Slot",
    "Spread",
    "Step",
]

FEED = -1
"""As the step of a run: rows of a streamed input arrive."""


@dataclass(frozen=True, slots=True)
class Step:
    """One node run by one kernel. Views are no steps: they cost nothing."""

    index: int
    node: Node
    signature: Signature
    kernel: Kernel

    @property
    def calls(self) -> tuple[Call, ...]:
        """The C calls that run it."""
        return self.kernel.calls(self.signature)

    @property
    def scratch_bytes(self) -> int:
        """Bytes of the kernel's own while it runs."""
        return self.kernel.scratch_bytes(self.signature)

    @property
    def cost(self) -> Cost:
        """Work on any machine."""
        return self.signature.cost

    @property
    def inplace_inputs(self) -> tuple[int, ...]:
        """Inputs of the output's size whose bytes the kernel may replace with the output."""
        return self.kernel.inplace_inputs(self.signature)


@dataclass(frozen=True, slots=True)
class Program:
    """A quantized graph in execution order, with a kernel for each step."""

    graph: Graph
    target: Target
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class OrderResult:
    """A graph in the chosen order and what is known about that order.

    ``peak_bytes`` is the most bytes that exist during a step: activations, each rounded
    up to its alignment, and scratch. ``lower_bound_bytes`` is what every order needs by
    proof. ``states`` counts sets of nodes that the search visited, where one was made.
    """

    graph: Graph
    peak_bytes: int
    lower_bound_bytes: int
    own_peak_bytes: int  # of the model's own order
    optimal: bool
    searched: bool
    states: int
    views: frozenset[str]  # names of the nodes that are no steps

    @property
    def gap_bytes(self) -> int:
        """How far the order may be off the best one; 0 when optimal."""
        return self.peak_bytes - self.lower_bound_bytes


@dataclass(frozen=True, slots=True)
class Sharing:
    """Which ways of sharing bytes a plan may use.

    Attributes:
        views: slices and joins without a copy, where that lowers the peak or costs nothing.
        in_place: element-wise steps over an operand that dies.
        overlap: outputs that start inside their input's dead rows.
        backwards: for that, rows may be made from the last to the first.
        keep_inputs: inputs are there, unchanged, after the last step.
        keep_outputs: outputs stay until the step of the next run that makes them.
    """

    views: bool = True
    in_place: bool = True
    overlap: bool = True
    backwards: bool = True
    keep_inputs: bool = False
    keep_outputs: bool = False


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a tensor lies in a buffer; several tensors may share one (aliases)."""

    buffer: str
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """One call of a step's kernel: output rows ``[first, end)``.

    Of a step that gathers its output from many rows, these are rows of its input. ``moves``
    is how many moments of live ranges it takes: one for each row where it goes row by row.
    """

    step: int
    first: int
    end: int
    moves: int = 1


@dataclass(frozen=True, slots=True)
class Allocation:
    """The buffers of a program before they have addresses.

    ``slots`` maps activation tensors, ``scratch`` maps step indices to buffer names.
    ``rows`` has the tensors whose rows lie anywhere, a slot for each row; they have none in
    ``slots``. Live ranges count moves where the plan has runs, else steps: a run of rows is
    as many moves as it has rows, any other is one. ``scratch`` then goes by runs.
    ``in_place`` are the steps whose output takes the bytes of an input, ``without_copy`` the
    nodes that move data and are no steps here. ``overlaps`` says which buffers may share
    bytes while a step runs; they go by index of the buffers.
    """

    buffers: tuple[Buffer, ...]
    slots: Mapping[str, Slot]
    scratch: Mapping[int, str]
    overlaps: Overlaps = field(default_factory=Overlaps)
    rows: Mapping[str, tuple[Slot, ...]] = field(default_factory=dict)
    in_place: tuple[int, ...] = ()
    without_copy: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Spread:
    """How buffers were given to regions, and what their wait states cost (cycles, modelled).

    ``lower_bound_cycles`` is what every assignment of these buffers costs by proof.
    """

    wait_cycles: int
    lower_bound_cycles: int
    optimal: bool


@dataclass(frozen=True, slots=True)
class Selected:
    """What the kernels of a plan were chosen for, and what was given up for what.

    ``among_fitting``: nothing of what the objective asks for fits, and this does.
    """

    objective: str
    trade: Trade
    among_fitting: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """A program with an address for every buffer: one memory plan per RAM region.

    ``descending`` are the steps that compute their rows from the last to the first, which
    lets the output lie above its input. ``order`` is None where the steps were given.
    ``runs`` is the order of calls of a plan that works by rows; empty: every step as a whole.
    ``spread`` is None where nobody had to choose between regions.
    ``selected`` is None where the kernels were given.
    ``rows`` says what is known about the order of rows.
    ``as_a_whole`` says why a plan that might work by rows does not, where that is no choice.
    """

    program: Program
    allocation: Allocation
    memory: Mapping[str, MemoryPlan]
    descending: frozenset[int] = frozenset()
    order: OrderResult | None = None
    runs: tuple[Run, ...] = ()
    spread: Spread | None = None
    selected: Selected | None = None
    rows: RowOrder | None = None
    as_a_whole: AsAWhole | None = None

    @property
    def run_moves(self) -> tuple[tuple[int, int], ...]:
        """The moments of live ranges, ``(first, end)``, of each run, or of each step."""
        counts = [run.moves for run in self.runs] or [1] * len(self.program.steps)
        ends = tuple(accumulate(counts))
        return tuple(zip((0, *ends), ends, strict=False))

    def rows_per_call(self, step: Step) -> tuple[int, ...]:
        """Output rows of each call of a step: of its runs, or of one call; backwards each alone."""
        if self.runs:
            return tuple(run.end - run.first for run in self.runs if run.step == step.index)
        rows = step.signature.output.rows
        return (1,) * rows if step.index in self.descending else (rows,)

    def place(self, buffer: str) -> tuple[str, int]:
        """Region and offset of a buffer."""
        for region, plan in self.memory.items():
            for placement in plan.placements:
                if placement.buffer.name == buffer:
                    return region, placement.offset
        raise KeyError(buffer)

    def address(self, tensor: str) -> tuple[str, int]:
        """Region and offset of an activation tensor; of its first row where rows lie apart."""
        rows = self.allocation.rows.get(tensor)
        slot = rows[0] if rows else self.allocation.slots[tensor]
        region, offset = self.place(slot.buffer)
        return region, offset + slot.offset

    def row_addresses(self, tensor: str) -> tuple[tuple[str, int], ...]:
        """Region and offset of each row of an activation tensor."""
        if tensor not in self.allocation.rows:
            kind = self.program.graph.tensor(tensor).type
            region, offset = self.address(tensor)
            return tuple((region, offset + y * kind.row_bytes) for y in range(kind.rows))
        places = {
            placement.buffer.name: (region, placement.offset)
            for region, memory in self.memory.items()
            for placement in memory.placements
        }
        found = ((places[slot.buffer], slot.offset) for slot in self.allocation.rows[tensor])
        return tuple((region, base + offset) for (region, base), offset in found)
